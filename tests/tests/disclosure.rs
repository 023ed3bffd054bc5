//! Disclosures of the Amperia passports: each role sees its set of sections and nothing else, and
//! nothing that anybody changes in one is believed.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use jangbu_ledger::bundle::{
    self, Anchor, Bundle, DocumentItem, Failure, OpenedDocument, Report, Shown, Verdict,
};
use jangbu_ledger::commitment::{Disclosure, Opening, WHOLE};
use jangbu_ledger::id::{Sequence, StatementId};
use jangbu_ledger::profile::{Profile, REST};
use jangbu_ledger::statement::Granularity;
use jangbu_tests::altered::{changes, says};
use jangbu_tests::world::World;
use jangbu_tests::world::passports::{AMPERIA, example, opening};
use jangbu_tests::world::story::identifier;
use serde_json::{Value, json};

const PROFILE: &str = include_str!("../../profiles/eu-battery/industrial-1.0.json");

/// What was recorded: a model in two versions, another model of which nobody divided anything.
struct Ground {
    world: World,
    first: (StatementId, Opening),
    second: (StatementId, Opening),
    other: (StatementId, Opening),
}

fn profile() -> Profile {
    Profile::parse(PROFILE.as_bytes()).unwrap()
}

fn ground() -> Ground {
    let mut world = World::found().unwrap();
    let document = example("amperia-staxwall-model.jsonld").unwrap();
    let (_, subject, granularity) = AMPERIA[0];
    let mut record = |subject, version, sections| {
        let opening = opening(subject, version, sections).unwrap();
        (world.issue(&opening, granularity).unwrap(), opening)
    };
    let mut changed = document.clone();
    changed["eubat:numberOfCells"] = json!(18);
    let first = record(subject, 1, profile().divide(&document).unwrap());
    let second = record(subject, 2, profile().divide(&changed).unwrap());
    let other = record(
        "https://id.gs1.org/01/09521234002017",
        1,
        BTreeMap::from([(WHOLE.to_owned(), document)]),
    );
    Ground {
        world,
        first,
        second,
        other,
    }
}

impl Ground {
    fn anchor(&self) -> Anchor {
        self.world.anchor.verifier()
    }

    /// The proof of a statement, and where it is in the log.
    fn proof(&self, id: &StatementId) -> (Bundle, Sequence) {
        let mut builder = self.world.builder().unwrap();
        builder.recorded(id).unwrap();
        let bundle = builder.finish();
        let report = bundle::verify(&bundle, &self.anchor()).unwrap();
        (bundle, report.statements[0].sequence)
    }

    /// The file that shows `disclosure` as of a statement.
    fn file(&self, id: &StatementId, disclosure: Disclosure) -> Bundle {
        let (mut bundle, sequence) = self.proof(id);
        bundle.documents.push(DocumentItem {
            sequence,
            shown: Shown::Fields(Box::new(disclosure)),
        });
        bundle
    }

    fn open(&self, bundle: &Bundle) -> Result<Report, Failure> {
        bundle::verify(bundle, &self.anchor())
    }

    fn shown(&self, bundle: &Bundle) -> OpenedDocument {
        self.open(bundle).unwrap().documents.remove(0)
    }
}

/// All that is said in a document, in JSON.
fn said(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| said(value, all)),
        Value::Object(map) => map.values().for_each(|value| said(value, all)),
        other => {
            all.insert(other.to_string());
        }
    }
}

#[test]
fn each_role_sees_its_set_of_sections_and_nothing_of_the_others() {
    let ground = ground();
    let (id, opening) = &ground.first;
    assert_eq!(
        opening.sections.keys().collect::<Vec<_>>(),
        ["1", "2", "3", "4", REST]
    );
    for (role, sees) in [
        ("public", vec!["1"]),
        ("legitimate_interest", vec!["1", "2", "4"]),
        ("authority", vec!["1", "2", "3"]),
    ] {
        let set: BTreeSet<String> = sees.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(profile().sections_of(role), Some(&set), "{role}");
        let chosen: Vec<&str> = opening.sections.keys().map(String::as_str).collect();
        let chosen: Vec<&str> = chosen
            .into_iter()
            .filter(|name| set.contains(*name))
            .collect();
        let file = ground.file(id, opening.disclose(&chosen, &[]).unwrap());
        let shown = ground.shown(&file);
        assert_eq!(shown.sections.keys().collect::<Vec<_>>(), chosen, "{role}");
        let mut visible = BTreeSet::new();
        for (name, value) in &shown.sections {
            assert_eq!(value, &opening.sections[name]);
            said(value, &mut visible);
        }
        let text = file.to_json().unwrap();
        for (name, value) in &opening.sections {
            let mut secret = BTreeSet::new();
            said(value, &mut secret);
            // What is not said elsewhere too, and is long enough not to occur by chance.
            for word in secret.difference(&visible).filter(|word| word.len() > 8) {
                assert!(
                    set.contains(name) || !text.contains(word.as_str()),
                    "{role} reads {word} of section {name}"
                );
            }
        }
    }
    // What the two restricted sections hold, by the Annex: chemistry in detail, test reports.
    let at = |section: &str, pointer: &str| opening.sections[section].pointer(pointer);
    let cathode = "/eubat:hasBatteryChemistry/eubat:cathodeActiveMaterial";
    assert_eq!(at("2", cathode), Some(&json!("LiFePO4")));
    assert_eq!(at("1", cathode), None);
    assert!(at("3", "/eubat:resultOfTestReport").is_some());
    assert!(
        at(
            "1",
            "/eubat:hasTechnicalSpecifications/eubat:hasRatedCapacity"
        )
        .is_some()
    );
}

#[test]
fn every_field_of_a_divided_document_is_in_exactly_one_section_under_its_own_pointer() {
    fn fields(value: &Value, at: &str, all: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (name, value) in map {
                    let step = jangbu_ledger::json::escape_pointer(name);
                    fields(value, &format!("{at}/{step}"), all);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for (n, value) in list.iter().enumerate() {
                    fields(value, &format!("{at}/{n}"), all);
                }
            }
            other => all.push((at.to_owned(), other.clone())),
        }
    }
    for name in [
        "amperia-staxwall-model.jsonld",
        "amperia-staxwall-batch.jsonld",
        "amperia-staxwall-item.jsonld",
        "batterypass-ev-item.jsonld",
    ] {
        let document = example(name).unwrap();
        let mut whole = Vec::new();
        fields(&document, "", &mut whole);
        let mut divided = Vec::new();
        for section in profile().divide(&document).unwrap().values() {
            fields(section, "", &mut divided);
        }
        whole.sort_by(|a, b| a.0.cmp(&b.0));
        divided.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(whole, divided, "{name}");
    }
}

#[test]
fn chosen_fields_of_an_undivided_passport_open_and_nothing_else_does() {
    let ground = ground();
    let (id, opening) = &ground.other;
    let chosen = [(WHOLE, "/gs1:gtin"), (WHOLE, "/gs1:netWeight")];
    let file = ground.file(id, opening.disclose(&[], &chosen).unwrap());
    let shown = ground.shown(&file);
    let fields: Vec<_> = shown
        .fields
        .iter()
        .map(|field| (field.pointer.as_str(), field.value.clone()))
        .collect();
    assert_eq!(
        fields,
        [
            ("/gs1:gtin", json!("09521234002000")),
            ("/gs1:netWeight/gs1:unitCode", json!("KGM")),
            ("/gs1:netWeight/gs1:value", json!(92)),
            ("/gs1:netWeight/type", json!("gs1:QuantitativeValue")),
        ]
    );
    assert_eq!(shown.hidden, [WHOLE]);
    assert!(!file.to_json().unwrap().contains("Amperia Energy"));
}

#[test]
fn a_field_that_was_altered_or_moved_is_refused() {
    let ground = ground();
    let (id, opening) = &ground.first;
    let place = (
        "2",
        "/eubat:hasBatteryChemistry/eubat:cathodeActiveMaterial",
    );
    let disclosure = opening.disclose(&["1"], &[place]).unwrap();
    let refused = |id: &StatementId, disclosure: &Disclosure, what: &str| {
        let file = ground.file(id, disclosure.clone());
        let failure = ground.open(&file).unwrap_err();
        assert_eq!(failure.verdict(), Verdict::DoesNotHold, "{what}: {failure}");
    };
    assert!(ground.open(&ground.file(id, disclosure.clone())).is_ok());

    let mut altered = disclosure.clone();
    altered.fields[0].value = json!("LiCoO2");
    refused(id, &altered, "altered");
    let mut altered = disclosure.clone();
    altered.sections[0].value["gs1:gtin"] = json!("09521234002017");
    refused(id, &altered, "altered in a whole section");
    let mut left_out = disclosure.clone();
    left_out.sections[0]
        .value
        .as_object_mut()
        .unwrap()
        .remove("gs1:gtin");
    refused(id, &left_out, "left out of a whole section");
    let mut moved = disclosure.clone();
    moved.fields[0].pointer = "/eubat:hasBatteryChemistry/eubat:anodeActiveMaterial".into();
    refused(id, &moved, "moved to another pointer");
    let mut moved = disclosure.clone();
    moved.fields[0].section = "3".into();
    refused(id, &moved, "moved to another section");

    refused(&ground.second.0, &disclosure, "shown of another version");
    let mut renamed = disclosure.clone();
    renamed.version = 2;
    refused(
        &ground.second.0,
        &renamed,
        "shown and named of another version",
    );
    refused(id, &renamed, "named of another version");

    refused(&ground.other.0, &disclosure, "shown of another subject");
    let mut renamed = disclosure.clone();
    renamed.subject = identifier("https://id.gs1.org/01/09521234002017").unwrap();
    refused(
        &ground.other.0,
        &renamed,
        "shown and named of another subject",
    );
    refused(id, &renamed, "named of another subject");
}

#[test]
fn a_disclosure_does_not_tell_how_many_fields_it_hides() {
    let mut world = World::found().unwrap();
    let subject = "https://id.gs1.org/01/09521234002000";
    let mut sizes = BTreeSet::new();
    let mut places = BTreeSet::new();
    for (version, hidden) in (1..).zip([0usize, 1, 7, 14]) {
        let mut document = json!({"m": "shown"});
        for n in 0..hidden {
            document[format!("a{n}")] = json!("hidden");
        }
        let sections = BTreeMap::from([(WHOLE.to_owned(), document)]);
        let opening = opening(subject, version, sections).unwrap();
        world.issue(&opening, Granularity::Model).unwrap();
        let disclosure = opening.disclose(&[], &[(WHOLE, "/m")]).unwrap();
        let field = &disclosure.fields[0];
        places.insert(field.index);
        sizes.insert((disclosure.roots.len(), field.count, field.path.len()));
    }
    assert_eq!(sizes.len(), 1, "{sizes:?}");
    // With the leaves sorted by pointer they would be 0, 1, 7 and 14.
    assert_ne!(places, BTreeSet::from([0, 1, 7, 14]));
}

/// Says whether a mutant is believed and says something that the original does not.
fn believed_otherwise(ground: &Ground, mutant: &[u8], original: &BTreeSet<String>) -> Option<bool> {
    let report = ground.open(&Bundle::parse(mutant).ok()?).ok()?;
    Some(!says(&report).is_subset(original))
}

#[test]
fn no_mutant_of_a_disclosure_is_believed_with_another_meaning() {
    let ground = ground();
    let (id, opening) = &ground.first;
    let place = ("2", "/eubat:hasBatteryChemistry");
    let file = ground.file(id, opening.disclose(&["3"], &[place]).unwrap());
    let original = says(&ground.open(&file).unwrap());
    let text = file.to_json().unwrap();
    let (mut tried, mut refused) = (0, 0);
    let mut judge = |what: &str, mutant: &[u8]| {
        tried += 1;
        match believed_otherwise(&ground, mutant, &original) {
            None => refused += 1,
            Some(otherwise) => assert!(!otherwise, "{what}"),
        }
    };
    let value: Value = serde_json::from_str(&text).unwrap();
    let structural = changes(&value);
    for (what, changed) in &structural {
        judge(what, &serde_json::to_vec(changed).unwrap());
    }
    // Single bytes, spread over the file, each changed in one of eight ways.
    let bytes = text.as_bytes();
    let step = bytes.len().div_ceil(2_500);
    for (n, at) in (0..bytes.len()).step_by(step).enumerate() {
        let mut mutant = bytes.to_vec();
        mutant[at] ^= 1 << (n % 8);
        judge(&format!("byte {at}"), &mutant);
    }
    assert!(tried >= 2_000, "only {tried} mutants");
    // Believed are those of blanks and of the serving node's own log line.
    assert!(refused > tried / 2, "{refused} of {tried} were refused");
}
