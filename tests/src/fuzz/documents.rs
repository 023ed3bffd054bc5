//! Documents and what stands for them: JSON, openings, disclosures, identifiers.

use jangbu_genesis::party::PartyIdentifier;
use jangbu_ledger::codec;
use jangbu_ledger::commitment::{Commitment, Disclosure, Opening};
use jangbu_ledger::identifier::{IDENTIFIER_BYTES_MAX, Identifier, Prefix};
use jangbu_ledger::json;
use serde_json::Value;

use super::known::{data, known, vector_json};
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};

/// A document has one canonical form, which reads the same, and which other readers read alike.
pub(super) fn document(bytes: &[u8]) -> Seen {
    let value = match frugal(bytes.len(), Allowance::JSON, || json::parse(bytes)) {
        Ok(value) => value,
        Err(error) => return refused(error),
    };
    // The ordinary reader sees the same document: what it would see otherwise is refused.
    let ordinary: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(ordinary, value);
    let canonical = frugal(bytes.len(), Allowance::JSON, || json::canonicalize(&value)).unwrap();
    let again = json::parse(&canonical).unwrap();
    assert_eq!(json::canonicalize(&again).unwrap(), canonical);
    assert!(means_the_same(&again, &value), "{value}");
    Seen::Held
}

/// Equal, but for the order of keys and the notation of numbers.
fn means_the_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| means_the_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same =
                |(key, a): (&String, &Value)| b.get(key).is_some_and(|b| means_the_same(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

pub(super) fn documents() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for name in [
        "arrays",
        "french",
        "structures",
        "unicode",
        "values",
        "weird",
    ] {
        let input = data(&format!("jcs/input/{name}.json"));
        seeds.push(Seed::new(name, input, Seen::Held));
    }
    for (name, path) in [
        ("batch", "catena-x/io.catenax.batch/4.0.0/Batch.json"),
        (
            "serial-part",
            "catena-x/io.catenax.serial_part/4.0.0/SerialPart.json",
        ),
        (
            "bill-of-material",
            "catena-x/io.catenax.single_level_bom_as_built/4.0.0/SingleLevelBomAsBuilt.json",
        ),
    ] {
        seeds.push(Seed::new(name, data(path), Seen::Held));
    }
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    for (name, text, seen) in [
        (
            "numbers",
            "[0,-0,-0.0,1e21,1E-7,9007199254740991,5e-324,0.1]".to_owned(),
            Seen::Held,
        ),
        (
            "escapes",
            r#"["\u0000\u001f\ud83d\ude00\/\\\"\b\f\n\r\t"]"#.to_owned(),
            Seen::Held,
        ),
        ("empty-key", r#"{"":{"":[{}]}}"#.to_owned(), Seen::Held),
        ("nested", nested(100), Seen::Held),
        ("nested-too-deep", nested(3_000), Seen::Refused),
        (
            "large-integer",
            "[9007199254740992]".to_owned(),
            Seen::Refused,
        ),
        (
            "large-double",
            "[123456789012345680000.0]".to_owned(),
            Seen::Refused,
        ),
        ("beyond-doubles", "[1e999]".to_owned(), Seen::Refused),
        ("lone-surrogate", r#"["\ud800"]"#.to_owned(), Seen::Refused),
        (
            "key-twice",
            r#"{"a":1,"\u0061":2}"#.to_owned(),
            Seen::Refused,
        ),
        ("two-documents", "{} {}".to_owned(), Seen::Refused),
        ("byte-order-mark", "\u{feff}{}".to_owned(), Seen::Refused),
        (
            "long-key-twice",
            format!("{{\"{0}\":1,\"{0}\":2}}", "é".repeat(3_000)),
            Seen::Refused,
        ),
        ("nothing", String::new(), Seen::Refused),
    ] {
        seeds.push(Seed::new(name, text, seen));
    }
    seeds.push(Seed::new("not-utf-8", *b"{\"a\":\"\xff\"}", Seen::Refused));
    seeds
}

/// What the passport of the small ledger committed to.
fn commitment() -> Commitment {
    known().story.opening.commitment().unwrap()
}

/// An opening survives its file, and opens the passport's commitment only if it is the true one.
pub(super) fn opening(bytes: &[u8]) -> Seen {
    let read = || json::parse(bytes).map(serde_json::from_value::<Opening>);
    let opening = match frugal(bytes.len(), Allowance::JSON, read) {
        Ok(Ok(opening)) => opening,
        Ok(Err(_)) => return Seen::Refused,
        Err(error) => return refused(error),
    };
    let text = serde_json::to_string(&opening).unwrap();
    let again: Opening = serde_json::from_str(&text).unwrap();
    assert_eq!(again, opening);
    let Ok(opened) = frugal(bytes.len(), COMMITTING, || opening.commitment()) else {
        return Seen::Read;
    };
    assert_eq!(again.commitment().unwrap(), opened);
    let true_one = &known().story.opening;
    let same = opening.subject == true_one.subject
        && opening.version == true_one.version
        && opening.schema == true_one.schema
        && opening.key == true_one.key
        && means_the_same(&opening.document(), &true_one.document());
    assert_eq!(opened == commitment(), same);
    if same { Seen::Held } else { Seen::Read }
}

/// Each field with its place, its salt and its hash.
const COMMITTING: Allowance = Allowance {
    per_byte: 2_048,
    base: 64 * 1024,
};

pub(super) fn openings() -> Vec<Seed> {
    let example = vector_json("commitment.json");
    let good = serde_json::to_string_pretty(&example["opening"]).unwrap();
    let long = "k".repeat(5_000);
    let nested = ["[".repeat(90), "]".repeat(90)].concat();
    vec![
        Seed::new(
            "another-version",
            good.replacen("\"version\": 1", "\"version\": 2", 1),
            Seen::Read,
        ),
        Seed::new(
            "another-value",
            good.replacen("10.24", "10.25", 1),
            Seen::Read,
        ),
        Seed::new(
            "the-same-number",
            good.replacen("10.24", "1.024e1", 1),
            Seen::Held,
        ),
        Seed::new(
            "a-long-value",
            good.replacen("StaxWall", &long, 1),
            Seen::Read,
        ),
        Seed::new("deep", good.replacen("10.24", &nested, 1), Seen::Read),
        Seed::new(
            "a-long-subject",
            good.replacen("https://", &long, 1),
            Seen::Refused,
        ),
        Seed::new("vector", good, Seen::Held),
    ]
}

/// A disclosure survives its file, and shows of the passport's document only what is in it.
pub(super) fn disclosure(bytes: &[u8]) -> Seen {
    let read = || json::parse(bytes).map(serde_json::from_value::<Disclosure>);
    let disclosure = match frugal(bytes.len(), Allowance::JSON, read) {
        Ok(Ok(disclosure)) => disclosure,
        Ok(Err(_)) => return Seen::Refused,
        Err(error) => return refused(error),
    };
    let text = serde_json::to_string(&disclosure).unwrap();
    let again: Disclosure = serde_json::from_str(&text).unwrap();
    assert_eq!(again, disclosure);
    match disclosure.verify(&commitment()) {
        Ok(()) => {
            let true_one = &known().story.opening;
            assert_eq!(disclosure.subject, true_one.subject);
            assert_eq!(disclosure.version, true_one.version);
            assert_eq!(disclosure.schema, true_one.schema);
            assert!(!disclosure.sections.is_empty() || !disclosure.fields.is_empty());
            for shown in &disclosure.sections {
                assert!(known().is_true_field(&shown.section, "", &shown.value));
            }
            for field in &disclosure.fields {
                let is_so = known().is_true_field(&field.section, &field.pointer, &field.value);
                assert!(is_so, "{field:?}");
            }
            Seen::Held
        }
        Err(error) => {
            refused(error);
            Seen::Read
        }
    }
}

pub(super) fn disclosures() -> Vec<Seed> {
    let example = vector_json("commitment.json");
    let good = &example["disclosure"];
    let changed = |name: &str, seen, change: fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        Seed::new(name, serde_json::to_string_pretty(&value).unwrap(), seen)
    };
    vec![
        changed("vector", Seen::Held, |_| ()),
        changed("only-fields", Seen::Held, |d| {
            d["sections"] = Value::Array(Vec::new());
        }),
        changed("only-sections", Seen::Held, |d| {
            d["fields"] = Value::Array(Vec::new());
        }),
        changed("nothing-shown", Seen::Read, |d| {
            d["sections"] = Value::Array(Vec::new());
            d["fields"] = Value::Array(Vec::new());
        }),
        changed("another-section", Seen::Read, |d| {
            d["sections"][0]["value"] = 1.into();
        }),
        changed("another-value", Seen::Read, |d| {
            d["fields"][0]["value"] = 1.into();
        }),
        changed("another-index", Seen::Read, |d| {
            d["fields"][0]["index"] = 1.into();
        }),
        changed("of-many", Seen::Read, |d| {
            d["fields"][0]["count"] = 2_147_483_648_u32.into();
        }),
        changed("of-none", Seen::Read, |d| {
            d["fields"][0]["count"] = 0.into();
        }),
        changed("long-path", Seen::Read, |d| {
            let path = d["fields"][0]["path"].as_array_mut().unwrap();
            path.resize(40, path[0].clone());
        }),
        changed("a-long-section", Seen::Read, |d| {
            d["fields"][0]["section"] = "a".repeat(4_000).into();
        }),
    ]
}

/// Every text that is an identifier has one canonical form, which is its own.
pub(super) fn identifier(bytes: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Seen::Refused;
    };
    match frugal(text.len(), NAME, || Prefix::parse(text)) {
        Ok(prefix) => {
            assert_eq!(Prefix::parse(prefix.as_str()), Ok(prefix.clone()));
            let bytes = codec::encode(&prefix);
            assert_eq!(
                codec::decode::<Prefix>(&bytes, bytes.len()),
                Ok(prefix.clone())
            );
            assert!(prefix.overlaps(&prefix));
        }
        Err(error) => drop(refused(error)),
    }
    match frugal(text.len(), NAME, || PartyIdentifier::parse(text)) {
        Ok(party) => {
            assert_eq!(
                PartyIdentifier::parse_canonical(party.as_str()),
                Ok(party.clone())
            );
        }
        Err(error) => drop(refused(error)),
    }
    let identifier = match frugal(text.len(), NAME, || Identifier::parse(text)) {
        Ok(identifier) => identifier,
        Err(error) => return refused(error),
    };
    let canonical = identifier.as_str();
    assert!((1..=IDENTIFIER_BYTES_MAX).contains(&canonical.len()));
    assert_eq!(
        Identifier::parse_canonical(canonical),
        Ok(identifier.clone()),
        "{text}"
    );
    match Identifier::parse_canonical(text) {
        Ok(same) => assert_eq!(same, identifier),
        Err(error) => drop(refused(error)),
    }
    let bytes = codec::encode(&identifier);
    assert_eq!(
        codec::decode::<Identifier>(&bytes, bytes.len()),
        Ok(identifier.clone())
    );
    let json = serde_json::to_string(&identifier).unwrap();
    assert_eq!(
        serde_json::from_str::<Identifier>(&json).unwrap(),
        identifier
    );
    Seen::Read
}

/// A text of bounded length, looked at a few times.
const NAME: Allowance = Allowance {
    per_byte: 64,
    base: 8 * 1024,
};

pub(super) fn identifiers() -> Vec<Seed> {
    let examples = vector_json("ids.json");
    let texts = examples["identifiers"].as_array().unwrap().iter();
    let mut seeds: Vec<Seed> = texts
        .enumerate()
        .map(|(n, example)| {
            Seed::new(
                format!("{n:02}"),
                example["text"].as_str().unwrap(),
                Seen::Read,
            )
        })
        .collect();
    for (name, text, seen) in [
        (
            "uuid",
            "URN:UUID:7EEEAC86-7B69-444D-81E6-655D0F1513BD",
            Seen::Refused,
        ),
        (
            "bare-uuid",
            "7EEEAC86-7B69-444D-81E6-655D0F1513BD",
            Seen::Read,
        ),
        (
            "sscc",
            "https://id.gs1.org/00/095212340000000014",
            Seen::Refused,
        ),
        (
            "did-key",
            "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            Seen::Read,
        ),
        ("did-web", "did:web:Example.COM%3A8443:a:b", Seen::Read),
        ("party-eori", "eori:DE 123-456", Seen::Refused),
        ("party-korean", "kr-brn:124-81-00998", Seen::Refused),
        ("prefix-gs1", "gs1:9521234", Seen::Refused),
        ("prefix-domain", "domain:Example.com", Seen::Refused),
        ("prefix-bpn", "bpn:BPNL00000003CML1", Seen::Read),
        (
            "percent",
            "https://id.gs1.org/01/09521234002000/21/a%2Fb%zz",
            Seen::Refused,
        ),
        ("host", "https://x..y/", Seen::Refused),
        ("dataset", "dataset:nordwind.example/a/b", Seen::Read),
        ("model", "model:nordwind.example/m", Seen::Read),
        (
            "right-to-left",
            "https://nordwind.example/\u{202e}\u{2066}",
            Seen::Refused,
        ),
        (
            "longest",
            "https://nordwind.example/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            Seen::Read,
        ),
    ] {
        seeds.push(Seed::new(name, text, seen));
    }
    seeds
}
