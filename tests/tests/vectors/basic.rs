//! Sections 1 and 2: values, hashes, ids.

use jangbu_ledger::codec;
use jangbu_ledger::commitment::schema_digest;
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::MemberId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::signature::PublicKey;
use jangbu_tests::world::{Key, signing_key};
use serde_json::{Value, json};

use super::hex_of;

pub(crate) fn codec() -> Value {
    let numbers: Vec<Value> = [
        0,
        250,
        251,
        65_535,
        65_536,
        u64::from(u32::MAX),
        u64::from(u32::MAX) + 1,
        u64::MAX,
    ]
    .iter()
    .map(|n| json!({"u64": n.to_string(), "hex": hex_of(n)}))
    .collect();
    let refused: Vec<Value> = [
        ("fb0500", "5 fits in one byte"),
        ("fcffff0000", "65535 fits in two bytes"),
        ("0500", "a byte too many"),
        ("fb05", "cut short"),
        ("fe", "no u64"),
    ]
    .iter()
    .map(|(bytes, why)| {
        let decoded = codec::decode::<u64>(&hex::decode(bytes).unwrap(), 64);
        assert!(decoded.is_err(), "{bytes}");
        json!({"u64": bytes, "refused": why})
    })
    .collect();
    json!({
        "numbers": numbers,
        "refused": refused,
        "composed": [
            {"is": "u8 200", "hex": hex_of(&200u8)},
            {"is": "true", "hex": hex_of(&true)},
            {"is": "no u32", "hex": hex_of(&None::<u32>)},
            {"is": "a u32, 300", "hex": hex_of(&Some(300u32))},
            {"is": "the string 장부", "hex": hex_of(&"장부")},
            {"is": "a list of u16: 1, 2, 1000", "hex": hex_of(&vec![1u16, 2, 1000])},
            {"is": "4 bytes of an id", "hex": hex_of(&[1u8, 2, 3, 4])},
            {"is": "a tuple (u64 7, the string a)", "hex": hex_of(&(7u64, "a"))},
        ],
    })
}

pub(crate) fn ids() -> Value {
    let domain = Domain::new("jangbu/subject-id/v1");
    let key = PublicKey::of(&signing_key("amperia", Key::Attestor).unwrap());
    let identifiers: Vec<Value> = [
        "https://id.gs1.org/01/09521234002000/21/STAX1",
        "https://shop.example.com/de/01/9521234002000/21/STAX1",
        "urn:epc:id:sgtin:9521234.000200.STAX1",
        "7EEEAC86-7b69-444d-81e6-655d0f1513bd",
        "BPNL00000003CML1",
        "https://Example.com/Parts/7",
        "dataset:example.com/weather/2026",
        "did:web:example.com:x",
    ]
    .iter()
    .map(|text| {
        let identifier = Identifier::parse(text).unwrap();
        json!({"text": text, "canonical": identifier, "subject_id": identifier.subject_id()})
    })
    .collect();
    json!({
        "hash": {
            "context": domain.context(),
            "bytes": hex::encode(b"abc"),
            "hash": hex::encode(domain.hash(b"abc")),
        },
        "keyed": {
            "context": domain.context(),
            "key": hex::encode([3; 32]),
            "bytes": hex::encode(b"abc"),
            "hash": hex::encode(domain.keyed(&[3; 32], b"abc")),
        },
        "member": {"name": "amperia", "member_id": MemberId::of("amperia")},
        "key": {"public_key": key, "key_id": key.id()},
        "schema": {"name": "test-passport/1", "digest": schema_digest("test-passport/1")},
        "identifiers": identifiers,
    })
}
