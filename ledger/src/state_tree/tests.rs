use super::*;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{OwnedValue, Version};
use proptest::prelude::*;

/// The crate alone, over what it wrote itself.
struct Oracle(MemoryNodes);

impl TreeReader for Oracle {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let bytes = self.0.node(&borsh::to_vec(key)?)?;
        Ok(bytes.map(|bytes| borsh::from_slice(&bytes)).transpose()?)
    }

    fn get_value_option(&self, max: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.0.value(&StateKey(key.0), max)?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        unreachable!("only while a tree is restored")
    }
}

impl Oracle {
    fn apply(&mut self, version: u64, changes: &Changes) -> StateUpdate {
        let tree = JellyfishMerkleTree::<_, Blake3>::new(&*self);
        let set = changes.iter().map(|(k, v)| (KeyHash(k.0), v.clone()));
        let (root, batch) = tree.put_value_set(set, version).unwrap();
        let encoded = batch.node_batch.nodes().iter();
        let update = StateUpdate {
            root: StateRoot(root.0),
            nodes: encoded
                .map(|(k, n)| (borsh::to_vec(k).unwrap(), borsh::to_vec(n).unwrap()))
                .collect(),
            stale: batch
                .stale_node_index_batch
                .iter()
                .map(|index| borsh::to_vec(&index.node_key).unwrap())
                .collect(),
            warmth: Warmth::default(),
        };
        self.0.extend(version, changes, &update);
        update
    }
}

type Changes = BTreeMap<StateKey, Option<Vec<u8>>>;
type Nodes = Vec<(Vec<u8>, Vec<u8>)>;

/// Few different nibbles in front, so that keys share long ways, and any in the rest.
fn crowded_key() -> impl Strategy<Value = StateKey> {
    let front = proptest::collection::vec(prop_oneof![Just(0x00u8), Just(0x01), Just(0x10)], 0..32);
    (front, 0u8..4).prop_map(|(front, rest)| {
        let mut key = [rest; 32];
        key[..front.len()].copy_from_slice(&front);
        StateKey(key)
    })
}

/// Versions of changes to keys that come again; without deletions if `kept`.
fn history(kept: bool) -> impl Strategy<Value = Vec<Changes>> {
    let keys = proptest::collection::vec(
        prop_oneof![
            crowded_key(),
            any::<u16>().prop_map(|n| StateKey(*blake3::hash(&n.to_be_bytes()).as_bytes())),
        ],
        1..80,
    );
    keys.prop_flat_map(move |keys| {
        let value = (proptest::option::weighted(0.6, any::<u8>()), any::<u8>());
        let value = value.prop_map(move |(one, other)| match one {
            None if kept => Some(vec![other]),
            one => one.map(|value| vec![value]),
        });
        let version = proptest::collection::btree_map(proptest::sample::select(keys), value, 0..60);
        proptest::collection::vec(version, 1..8)
    })
}

/// Root, nodes and stale nodes, without the order in which the tree was walked.
fn sorted(mut update: StateUpdate) -> (StateRoot, Nodes, Vec<Vec<u8>>) {
    update.nodes.sort();
    update.stale.sort();
    (update.root, update.nodes, update.stale)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn versions_have_the_roots_nodes_and_stale_nodes_of_the_crate(history in history(true)) {
        let (mut ours, mut oracle) = (MemoryNodes::default(), Oracle(MemoryNodes::default()));
        let mut before = EMPTY_ROOT;
        for (version, changes) in (0u64..).zip(&history) {
            let update = apply(&ours, version, &before, changes).unwrap();
            ours.extend(version, changes, &update);
            before = update.root;
            prop_assert_eq!(sorted(update), sorted(oracle.apply(version, changes)));
        }
    }

    // Deleting, the crate may first lift a leaf and then put it back where it was: same tree, other
    // versions in it.
    #[test]
    fn versions_with_deletions_have_the_roots_of_the_crate(history in history(false)) {
        let (mut ours, mut oracle) = (MemoryNodes::default(), Oracle(MemoryNodes::default()));
        let mut before = EMPTY_ROOT;
        for (version, changes) in (0u64..).zip(&history) {
            let update = apply(&ours, version, &before, changes).unwrap();
            ours.extend(version, changes, &update);
            before = update.root;
            prop_assert_eq!(before, oracle.apply(version, changes).root);
            for (key, value) in changes {
                let (found, proof) = prove(&ours, version, &before, key).unwrap();
                prop_assert_eq!(&found, value);
                prop_assert!(proof.verify(&before, key, value.as_deref()).is_ok());
            }
            // What is stale is not needed: the next version finds its way without it.
            for key in &update.stale {
                ours.nodes.remove(key);
            }
        }
    }

    #[test]
    fn the_records_alone_have_the_root_of_the_tree(history in history(false)) {
        let mut nodes = MemoryNodes::default();
        let (mut before, mut records) = (EMPTY_ROOT, BTreeMap::new());
        for (version, changes) in (0u64..).zip(&history) {
            let update = apply(&nodes, version, &before, changes).unwrap();
            nodes.extend(version, changes, &update);
            before = update.root;
            records.extend(changes.clone());
            records.retain(|_, value| value.is_some());
            let mut builder = RootBuilder::default();
            for (key, value) in &records {
                builder.push(*key, value.as_deref().unwrap()).unwrap();
            }
            prop_assert_eq!(builder.finish(), before);
        }
    }

    // Each version is preceded by one that lost: executed, and not stored.
    #[test]
    fn nodes_at_hand_change_nothing(history in history(false), lost in history(false)) {
        let mut cold = MemoryNodes::default();
        let mut warm = MemoryNodes { warm: Some(Warm::default()), ..MemoryNodes::default() };
        let mut before = EMPTY_ROOT;
        for (version, changes) in (0u64..).zip(&history) {
            for lost in &lost {
                apply(&warm, version, &before, lost).unwrap();
            }
            let update = apply(&cold, version, &before, changes).unwrap();
            let same = apply(&warm, version, &before, changes).unwrap();
            cold.extend(version, changes, &update);
            warm.extend(version, changes, &same);
            before = update.root;
            prop_assert_eq!(sorted(update), sorted(same));
        }
    }
}

/// Changes of versions with more nodes of one depth than are visited together: three replace and
/// add, one deletes two keys of three, one replaces what is left.
fn large_history() -> Vec<Changes> {
    let changes = |version: u64, numbers: &mut dyn Iterator<Item = u64>| {
        let changes = numbers.map(|n| {
            let key = *blake3::hash(&n.to_le_bytes()).as_bytes();
            let is_deleted = version == 3 && !n.is_multiple_of(3);
            let value = (n ^ version << 32).to_le_bytes().to_vec();
            (StateKey(key), (!is_deleted).then_some(value))
        });
        changes.collect()
    };
    let all = 0..6_000;
    vec![
        changes(0, &mut all.clone().step_by(2)),
        changes(1, &mut all.clone().skip(1).step_by(2)),
        changes(2, &mut all.clone().step_by(3)),
        changes(3, &mut all.clone()),
        changes(4, &mut all.step_by(3)),
    ]
}

#[test]
fn large_versions_have_the_roots_and_nodes_of_the_crate() {
    for warm in [None, Some(Warm::default())] {
        let mut ours = MemoryNodes {
            warm,
            ..MemoryNodes::default()
        };
        let (mut oracle, mut before) = (Oracle(MemoryNodes::default()), EMPTY_ROOT);
        for (version, changes) in (0u64..).zip(&large_history()) {
            let update = apply(&ours, version, &before, changes).unwrap();
            ours.extend(version, changes, &update);
            before = update.root;
            // What is stale is not needed.
            for key in &update.stale {
                ours.nodes.remove(key);
            }
            let theirs = oracle.apply(version, changes);
            assert_eq!(before, theirs.root);
            // Of deletions the crate writes another history of the same tree.
            if version < 3 {
                assert_eq!(sorted(update), sorted(theirs));
            }
        }
    }
}

#[test]
fn damage_is_found_among_many_nodes() {
    let history = large_history();
    let mut nodes = MemoryNodes::default();
    let first = apply(&nodes, 0, &EMPTY_ROOT, &history[0]).unwrap();
    nodes.extend(0, &history[0], &first);
    // The second byte of a node with children is the first child's, which is behind nibble 0.
    let branches = nodes
        .nodes
        .iter()
        .filter(|(_, node)| node.starts_with(&[1, 1]));
    let branches: Vec<_> = branches.map(|(key, _)| key.clone()).collect();
    assert!(branches.len() > 200, "{} nodes", branches.len());
    for key in branches.iter().step_by(7) {
        let mut damaged = nodes.clone();
        damaged.nodes.get_mut(key).unwrap()[2] ^= 1;
        let error = apply(&damaged, 1, &first.root, &history[0]).unwrap_err();
        let depth = usize::from(key[8]);
        let path = &hex::encode(&key[20..])[..depth];
        let named = format!("the node at path '{path}' of version 0 has another hash");
        assert!(error.0.contains(&named), "{path}: {error}");
    }
}

#[test]
fn nodes_at_hand_are_not_read_again() {
    let mut nodes = MemoryNodes {
        warm: Some(Warm::default()),
        ..MemoryNodes::default()
    };
    let changes: Changes = (0..=255).map(|n| (key(n), Some(vec![n]))).collect();
    let update = apply(&nodes, 0, &EMPTY_ROOT, &changes).unwrap();
    nodes.extend(0, &changes, &update);
    let change = BTreeMap::from([(key(7), Some(vec![8]))]);
    let whole = apply(&nodes, 1, &update.root, &change).unwrap().root;
    // All but the leaves are gone from the storage, and are not missed.
    nodes.nodes.retain(|_, node| node.first() == Some(&2));
    assert_eq!(apply(&nodes, 1, &update.root, &change).unwrap().root, whole);
    let other = apply(&nodes, 1, &StateRoot([7; 32]), &change);
    assert!(other.unwrap_err().to_string().contains("is missing"));
}

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
    }
    // Each alone, and all of them.
    let alone = keys.iter().map(std::slice::from_ref);
    for keys in alone.chain([keys]) {
        for value in [Some(vec![9]), None] {
            let changes = keys.iter().map(|n| (key(*n), value.clone())).collect();
            answers.push(match apply(nodes, 3, root, &changes) {
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

#[test]
fn records_out_of_order_have_no_root() {
    for next in [StateKey([3; 32]), StateKey([2; 32])] {
        let mut builder = RootBuilder::default();
        builder.push(StateKey([3; 32]), b"a").unwrap();
        assert!(builder.push(next, b"a").is_err());
    }
}
