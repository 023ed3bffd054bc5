//! Sections 3, 4, 8 and 9: statements, envelopes, sealed streams, commitments.

use jangbu_ledger::codec;
use jangbu_ledger::commitment::{DocumentKey, schema_digest};
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::id::{KeyId, MemberId, TimeMs};
use jangbu_ledger::sealed::StreamKey;
use jangbu_ledger::share::Party;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::tree;
use jangbu_tests::world::story::{self, Story};
use jangbu_tests::world::{Key, seed, signing_key};
use serde_json::{Value, json};

use super::{CHAIN, hex_of};

pub(crate) fn statements() -> Value {
    let member = MemberId::of("amperia");
    let all: Vec<Value> = super::statements()
        .iter()
        .map(|statement| {
            json!({
                "statement": statement,
                "bytes": hex_of(statement),
                "statement_id": statement.id(&CHAIN, &member),
            })
        })
        .collect();
    json!({"chain_id": CHAIN, "member_id": member, "statements": all})
}

pub(crate) fn envelope() -> Value {
    let key = signing_key("amperia", Key::Attestor).unwrap();
    let mut envelope = Envelope {
        version: 1,
        chain_id: CHAIN,
        member: MemberId::of("amperia"),
        key_id: KeyId([0; 16]),
        nonce: 42,
        expires_at_ms: TimeMs(1_700_000_000_000),
        statements: super::statements().into_iter().take(3).collect(),
        signature: Signature([0; 64]),
    };
    envelope.sign(&key);
    let bytes = codec::encode(&envelope);
    assert_eq!(Envelope::decode(&bytes, &CHAIN).unwrap(), envelope);
    let header = envelope.header();
    let digest = header.signing_digest();
    PublicKey::of(&key)
        .verify(&digest, &envelope.signature)
        .unwrap();
    let leaves: Vec<Vec<u8>> = envelope.statements.iter().map(codec::encode).collect();
    let list = tree::STATEMENTS.hash(leaves.iter().map(Vec::as_slice));
    let paths: Vec<_> = (0..leaves.len()).map(|n| list.path(n).unwrap()).collect();
    json!({
        "signing_key_seed": hex::encode(seed("amperia", Key::Attestor).unwrap()),
        "public_key": PublicKey::of(&key),
        "statements": leaves.iter().map(hex::encode).collect::<Vec<_>>(),
        "statements_root": header.statements_root,
        "statement_paths": paths,
        "header": hex_of(&header),
        "signing_digest": hex::encode(digest),
        "signature": envelope.signature,
        "bytes": hex::encode(&bytes),
        "envelope_id": Envelope::id_of(&bytes),
    })
}

pub(crate) fn sealed() -> Value {
    let secret =
        |member: &str| x25519_dalek::StaticSecret::from(seed(member, Key::Encryption).unwrap());
    let (a, b) = (secret("amperia"), secret("cml1"));
    let public = x25519_dalek::PublicKey::from(&b);
    let agreed = StreamKey::agree(&a, &public, "negotiation-1").unwrap();
    let key = StreamKey::from_bytes([8; 32]);
    let statement = story::sealed_step(&key).unwrap();
    let body = key.open(&statement).unwrap();
    json!({
        "agreement": {
            "secrets": [hex::encode(a.to_bytes()), hex::encode(b.to_bytes())],
            "name": "negotiation-1",
            "stream_key": hex::encode(agreed.expose()),
        },
        "stream_key": hex::encode(key.expose()),
        "subject": key.subject(),
        "slots": [
            {"party": Party::Provider, "n": 0, "slot": key.slot(Party::Provider, 0)},
            {"party": Party::Consumer, "n": 0, "slot": key.slot(Party::Consumer, 0)},
            {"party": Party::Consumer, "n": 300, "slot": key.slot(Party::Consumer, 300)},
        ],
        "body": hex_of(&body),
        "n": 0,
        "statement": statement,
        "bytes": hex_of(&statement),
    })
}

pub(crate) fn commitment() -> Value {
    let opening = Story::tell().unwrap().opening;
    let commitment = opening.commitment().unwrap();
    let disclosure = opening
        .disclose(&["authority"], &[("public", "/kWh")])
        .unwrap();
    disclosure.verify(&commitment).unwrap();
    let derived = DocumentKey::derive(&[6; 32], b"{\"a\":1}");
    json!({
        "document_key": {
            "vault_secret": hex::encode([6; 32]),
            "bytes": hex::encode(b"{\"a\":1}"),
            "key": hex::encode(derived.expose()),
        },
        "opening": opening,
        "subject_id": opening.subject.subject_id(),
        "schema_digest": schema_digest(&opening.schema),
        "commitment": commitment,
        "disclosure": disclosure,
        "file": {
            "key": hex::encode(derived.expose()),
            "bytes": hex::encode(b"hello"),
            "commitment": derived.commit_file(b"hello"),
        },
    })
}
