use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_version_proves_what_a_map_says(
        history in proptest::collection::vec(
            proptest::collection::btree_map(0u8..24, proptest::option::of(any::<u16>()), 0..8),
            1..8,
        )
    ) {
        let key = |k: u8| StateKey(*blake3::hash(&[k]).as_bytes());
        let mut nodes = MemoryNodes::default();
        let mut model: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        let mut versions = Vec::new();
        let mut before = EMPTY_ROOT;
        for (version, changes) in (0u64..).zip(&history) {
            let encoded: BTreeMap<StateKey, Option<Vec<u8>>> = changes
                .iter()
                .map(|(k, v)| (key(*k), v.map(|v| v.to_be_bytes().to_vec())))
                .collect();
            let update = apply(&nodes, version, &before, &encoded).unwrap();
            nodes.extend(version, &encoded, &update);
            for (k, v) in changes {
                match v {
                    Some(v) => model.insert(*k, v.to_be_bytes().to_vec()),
                    None => model.remove(k),
                };
            }
            before = update.root;
            versions.push((update.root, model.clone()));
        }
        for (version, (root, model)) in (0u64..).zip(&versions) {
            for k in 0u8..24 {
                let expected = model.get(&k).cloned();
                let (value, proof) = prove(&nodes, version, root, &key(k)).unwrap();
                prop_assert_eq!(&value, &expected);
                let bytes = proof.to_bytes();
                let proof = StateProof::from_bytes(&bytes).unwrap();
                prop_assert!(proof.verify(root, &key(k), expected.as_deref()).is_ok());
                prop_assert!(proof.verify(root, &key(k), Some(b"other")).is_err());
                if expected.is_some() {
                    prop_assert!(proof.verify(root, &key(k), None).is_err());
                }
                prop_assert!(proof.verify(&StateRoot([7; 32]), &key(k), expected.as_deref()).is_err());
                let mut longer = bytes.clone();
                longer.push(0);
                prop_assert!(StateProof::from_bytes(&longer).is_err());
            }
        }
    }
}

fn key(n: u8) -> StateKey {
    StateKey(*blake3::hash(&[n]).as_bytes())
}

/// Three versions: 40 records, some replaced, some deleted.
fn three_versions() -> (MemoryNodes, StateRoot) {
    let value = |n: u8, version: u8| Some(vec![n, version]);
    let histories = [
        (0..40).map(|n| (key(n), value(n, 0))).collect(),
        (0..40).step_by(3).map(|n| (key(n), value(n, 1))).collect(),
        (0..40)
            .step_by(5)
            .map(|n| (key(n), None))
            .chain([(key(50), value(50, 2))])
            .collect::<BTreeMap<_, _>>(),
    ];
    let (mut nodes, mut root) = (MemoryNodes::default(), EMPTY_ROOT);
    for (version, changes) in (0u64..).zip(&histories) {
        let update = apply(&nodes, version, &root, changes).unwrap();
        nodes.extend(version, changes, &update);
        root = update.root;
    }
    (nodes, root)
}

/// Everything a reader may ask of version 2, and whether all of it was answered.
fn asked(nodes: &MemoryNodes, root: &StateRoot, keys: &[u8]) -> (Vec<String>, bool) {
    let mut answers = Vec::new();
    for n in keys {
        answers.push(match prove(nodes, 2, root, &key(*n)) {
            Ok((value, proof)) => format!("{value:?} {}", hex::encode(proof.to_bytes())),
            Err(error) => error.to_string(),
        });
        for value in [Some(vec![9]), None] {
            let change = BTreeMap::from([(key(*n), value)]);
            answers.push(match apply(nodes, 3, root, &change) {
                Ok(update) => update.root.to_string(),
                Err(error) => error.to_string(),
            });
        }
    }
    let complete = !answers.iter().any(|answer| answer.contains("state tree"));
    (answers, complete)
}

#[test]
fn a_missing_node_is_an_error_and_never_an_empty_tree() {
    let (nodes, root) = three_versions();
    let keys: Vec<u8> = (0..60).collect();
    let (whole, complete) = asked(&nodes, &root, &keys);
    assert!(complete, "{whole:?}");
    let mut needed = 0;
    for removed in nodes.nodes.keys() {
        let mut damaged = nodes.clone();
        damaged.nodes.remove(removed);
        let (answers, complete) = asked(&damaged, &root, &keys);
        needed += usize::from(!complete);
        for (answer, was) in answers.iter().zip(&whole) {
            assert!(
                answer == was || answer.contains("is missing"),
                "without {}: {answer} was {was}",
                hex::encode(removed)
            );
        }
    }
    assert!(needed > 30, "only {needed} nodes were ever read");
}

#[test]
fn a_damaged_node_is_an_error_and_never_another_answer() {
    let (nodes, root) = three_versions();
    let keys = [0, 5, 7, 50, 55];
    let (whole, _) = asked(&nodes, &root, &keys);
    for (at, bytes) in &nodes.nodes {
        // Every byte of a leaf; of an internal node, bytes of every child and of the counts.
        for (position, flip) in (0..bytes.len())
            .step_by(if bytes.len() > 100 { 11 } else { 3 })
            .chain(bytes.len().saturating_sub(16)..bytes.len())
            .zip([0x01u8, 0x80, 0x02].into_iter().cycle())
        {
            let mut damaged = nodes.clone();
            let mut changed = bytes.clone();
            changed[position] ^= flip;
            damaged.nodes.insert(at.clone(), changed);
            let (answers, _) = asked(&damaged, &root, &keys);
            for (answer, was) in answers.iter().zip(&whole) {
                assert!(
                    answer == was || answer.contains("state tree"),
                    "byte {position} of {}: {answer} was {was}",
                    hex::encode(at)
                );
            }
        }
    }
}

#[test]
fn another_root_or_version_than_the_stored_one_is_an_error() {
    let (nodes, root) = three_versions();
    for (version, root) in [
        (2, StateRoot([7; 32])),
        (1, root),
        (3, root),
        (2, EMPTY_ROOT),
    ] {
        assert!(prove(&nodes, version, &root, &key(1)).is_err());
        assert!(apply(&nodes, version + 1, &root, &BTreeMap::new()).is_err());
    }
    assert!(apply(&nodes, 0, &root, &BTreeMap::new()).is_err());
}

#[test]
fn a_damaged_value_is_an_error() {
    let (mut nodes, root) = three_versions();
    nodes.values.insert((key(1), 0), Some(vec![1, 7]));
    let error = prove(&nodes, 2, &root, &key(1)).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
    nodes.values.remove(&(key(1), 0));
    assert!(prove(&nodes, 2, &root, &key(1)).is_err());
}
