//! Section 7: the state tree, with the scheme as the page writes it down beside the crate's.

use std::collections::BTreeMap;

use jangbu_ledger::id::{
    Digest, KeyId, MemberId, Sequence, Slot, StateRoot, StatementId, SubjectId,
};
use jangbu_ledger::state::{StreamRecord, key};
use jangbu_ledger::state_tree::{self, EMPTY_ROOT, MemoryNodes, StateKey};
use jangbu_ledger::statement::Handed;
use serde_json::{Value, json};

use super::hex_of;

fn plain(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The root of a set of keys, from the page alone: no node, no version, no crate.
fn root(keys: &[(&StateKey, &Vec<u8>)], depth: usize) -> [u8; 32] {
    match keys {
        [] => *b"SPARSE_MERKLE_PLACEHOLDER_HASH__",
        [(key, value)] => plain(&[b"JMT::LeafNode", &key.0, &plain(&[value])]),
        many => {
            let bit = |key: &StateKey| key.0[depth / 8] >> (7 - depth % 8) & 1 == 1;
            let (right, left): (Vec<_>, Vec<_>) = many.iter().partition(|(key, _)| bit(key));
            let (left, right) = (root(&left, depth + 1), root(&right, depth + 1));
            plain(&[b"JMT::IntrnalNode", &left, &right])
        }
    }
}

fn record_key(n: u8) -> StateKey {
    // Some keys share long prefixes, so that paths of one child occur.
    let mut bytes = *blake3::hash(&[n / 4]).as_bytes();
    bytes[2 + usize::from(n % 3)] ^= n;
    StateKey(bytes)
}

pub(crate) fn state() -> Value {
    let mut nodes = MemoryNodes::default();
    let mut records: BTreeMap<StateKey, Vec<u8>> = BTreeMap::new();
    let (mut before, mut versions) = (EMPTY_ROOT, Vec::new());
    for version in 0u8..12 {
        let mut changes = BTreeMap::new();
        for n in version..version + 4 {
            changes.insert(record_key(n), Some(vec![n, version]));
        }
        if version > 5 {
            changes.insert(record_key(version - 5), None);
        }
        for (key, value) in &changes {
            match value {
                Some(value) => records.insert(*key, value.clone()),
                None => records.remove(key),
            };
        }
        let update = state_tree::apply(&nodes, u64::from(version), &before, &changes).unwrap();
        nodes.extend(u64::from(version), &changes, &update);
        before = update.root;
        let all: Vec<_> = records.iter().collect();
        assert_eq!(StateRoot(root(&all, 0)), update.root, "version {version}");
        versions.push(json!({
            "changes": changes
                .iter()
                .map(|(key, value)| json!({"key": key, "value": value.as_ref().map(hex::encode)}))
                .collect::<Vec<_>>(),
            "root": update.root,
        }));
    }
    let proofs: Vec<Value> = (0u8..20)
        .map(|n| {
            let key = record_key(n);
            let (value, proof) = state_tree::prove(&nodes, 11, &before, &key).unwrap();
            assert_eq!(value.as_ref(), records.get(&key));
            json!({
                "key": key,
                "value": value.map(hex::encode),
                "proof": hex::encode(proof.to_bytes()),
            })
        })
        .collect();
    let one = StreamRecord::EMPTY.with(&StatementId([1; 32]), Sequence(5));
    let two = one.with(&StatementId([2; 32]), Sequence(300));
    json!({
        "empty_root": EMPTY_ROOT,
        "versions": versions,
        "proofs_at_the_last": proofs,
        "keys": {
            "member": {"member_id": MemberId([1; 32]), "key": key::member(&MemberId([1; 32]))},
            "signing_key": {"key_id": KeyId([1; 16]), "key": key::signing_key(&KeyId([1; 16]))},
            "subject": {"subject_id": SubjectId([1; 32]), "key": key::subject(&SubjectId([1; 32]))},
            "claims": {"subject_id": SubjectId([1; 32]), "key": key::claims(&SubjectId([1; 32]))},
            "link": {"statement_id": StatementId([1; 32]), "key": key::link(&StatementId([1; 32]))},
            "transformation": {"statement_id": StatementId([1; 32]), "key": key::transformation(&StatementId([1; 32]))},
            "balance": {"subject_id": SubjectId([1; 32]), "key": key::balance(&SubjectId([1; 32]))},
            "packed": {
                "container": SubjectId([1; 32]),
                "subject_id": SubjectId([2; 32]),
                "key": key::packed(&SubjectId([1; 32]), &SubjectId([2; 32])),
            },
            "container": {"subject_id": SubjectId([1; 32]), "key": key::container(&SubjectId([1; 32]))},
            "component": {
                "subject_id": SubjectId([1; 32]),
                "n": 300,
                "key": key::component(&SubjectId([1; 32]), &300),
            },
            "slot": {
                "member_id": MemberId([1; 32]),
                "slot": Slot([2; 32]),
                "key": key::slot(&MemberId([1; 32]), &Slot([2; 32])),
            },
            "endorsement": {"statement_id": StatementId([1; 32]), "key": key::endorsement(&StatementId([1; 32]))},
            "handover": {"offer": StatementId([1; 32]), "key": key::handover(&StatementId([1; 32]))},
            "last_offer": {
                "subject_id": SubjectId([1; 32]),
                "of": Handed::Custody,
                "key": key::last_offer(&SubjectId([1; 32]), &Handed::Custody),
            },
            "notice": {"statement_id": StatementId([1; 32]), "key": key::notice(&StatementId([1; 32]))},
            "validator": {"key_id": KeyId([1; 16]), "key": key::validator(&KeyId([1; 16]))},
            "offence": {
                "offence": super::chain::equivocation(super::CHAIN).offence(),
                "key": key::offence(&super::chain::equivocation(super::CHAIN).offence()),
            },
        },
        "stream": {
            "empty": {"count": 0, "head": Digest([0; 32])},
            "with_one": {
                "statement_id": StatementId([1; 32]),
                "sequence": 5,
                "count": one.count,
                "head": one.head,
                "record": hex_of(&one),
            },
            "with_two": {
                "statement_id": StatementId([2; 32]),
                "sequence": 300,
                "count": two.count,
                "head": two.head,
            },
        },
    })
}
