//! State-tree updates: a million keys, a thousand changes a version, ours beside the `jmt` crate's,
//! on the same nodes in memory. Every root is compared.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher as _};
use std::ops::Range;

use jangbu_benches::measure::{Samples, each_us, load};
use jangbu_ledger::id::StateRoot;
use jangbu_ledger::state_tree::{
    self, EMPTY_ROOT, StateKey, StateNodes, StateTreeError, StateUpdate, Warm,
};
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};

/// Keys in the tree before anything is measured.
const KEYS: u64 = 1_000_000;
/// Changes in one version.
const BATCH: u64 = 1_000;
/// Versions measured of each sort.
const ROUNDS: u64 = 40;
/// About what a subject's record takes.
const VALUE_BYTES: usize = 120;

type Changes = BTreeMap<StateKey, Option<Vec<u8>>>;

/// All nodes, copied into one piece of memory as a database does, each after its key. Values are
/// not needed to update a tree.
#[derive(Default)]
struct Nodes {
    bytes: Vec<u8>,
    /// By the key's hash: where the key begins, and the node, and where it ends.
    places: HashMap<u64, (usize, usize, usize)>,
}

impl Nodes {
    fn hash(key: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        hasher.finish()
    }

    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (start, node, end) = *self.places.get(&Self::hash(key))?;
        (self.bytes.get(start..node)? == key).then(|| self.bytes.get(node..end))?
    }

    fn put(&mut self, key: &[u8], node: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(node);
        let place = (start, start + key.len(), self.bytes.len());
        self.places.insert(Self::hash(key), place);
    }
}

/// The same, with the top of the tree at hand, as the node has it.
struct AtHand<'a>(&'a Nodes, &'a Warm);

impl StateNodes for Nodes {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        Ok(self.get(key).map(<[u8]>::to_vec))
    }

    fn value(&self, _: &StateKey, _: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        Ok(None)
    }
}

impl StateNodes for AtHand<'_> {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.0.node(key)
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.0.value(key, max_version)
    }

    fn warm(&self) -> Option<&Warm> {
        Some(self.1)
    }
}

impl TreeReader for Nodes {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let bytes = self.get(&borsh::to_vec(key)?);
        Ok(bytes.map(borsh::from_slice).transpose()?)
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(None)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

struct Blake3(blake3::Hasher);

impl SimpleHasher for Blake3 {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

struct Tree {
    nodes: Nodes,
    warm: Warm,
    version: u64,
    root: StateRoot,
}

impl Tree {
    fn extend(&mut self, update: &StateUpdate) {
        for (key, node) in &update.nodes {
            self.nodes.put(key, node);
        }
        self.warm.absorb(&update.warmth);
        self.root = update.root;
        self.version += 1;
    }

    fn ours(&self, changes: &Changes) -> Result<StateUpdate, StateTreeError> {
        let nodes = AtHand(&self.nodes, &self.warm);
        state_tree::apply(&nodes, self.version, &self.root, changes)
    }

    /// As after a start, when every node has to be read and checked.
    fn cold(&self, changes: &Changes) -> Result<StateUpdate, StateTreeError> {
        state_tree::apply(&self.nodes, self.version, &self.root, changes)
    }

    /// The crate's update, with its nodes in bytes as a database wants them.
    fn theirs(&self, changes: &Changes) -> anyhow::Result<StateRoot> {
        let tree = JellyfishMerkleTree::<_, Blake3>::new(&self.nodes);
        let set = changes.iter().map(|(k, v)| (KeyHash(k.0), v.clone()));
        let (root, batch) = tree.put_value_set(set, self.version)?;
        for (key, node) in batch.node_batch.nodes() {
            std::hint::black_box((borsh::to_vec(key)?, borsh::to_vec(node)?));
        }
        Ok(StateRoot(root.0))
    }
}

fn changes(keys: impl Iterator<Item = u64>, version: u64) -> Changes {
    keys.map(|n| {
        let key = StateKey(*blake3::hash(&n.to_be_bytes()).as_bytes());
        let mut value = vec![0; VALUE_BYTES];
        if let Some(front) = value.first_chunk_mut() {
            *front = (n ^ version << 32).to_be_bytes();
        }
        (key, Some(value))
    })
    .collect()
}

fn batch(of: Range<u64>) -> usize {
    usize::try_from(of.end - of.start).unwrap_or(usize::MAX)
}

fn compare(
    name: &str,
    tree: &mut Tree,
    keys: impl Fn(u64) -> Box<dyn Iterator<Item = u64>>,
) -> anyhow::Result<()> {
    let (mut ours, mut cold, mut theirs) =
        (Samples::default(), Samples::default(), Samples::default());
    for round in 0..ROUNDS {
        let set = changes(keys(round), tree.version);
        let update = ours.take(|| tree.ours(&set))?;
        cold.take(|| tree.cold(&set))?;
        let root = theirs.take(|| tree.theirs(&set))?;
        anyhow::ensure!(
            root == update.root,
            "round {round}: the crate has another root"
        );
        tree.extend(&update);
    }
    let count = batch(0..BATCH);
    let (a, b) = (each_us(ours.cpu(), count), each_us(theirs.cpu(), count));
    println!(
        "state_tree::apply/keys={KEYS}/batch={BATCH}/{name}: {a:.2} µs CPU a key, {:.2} µs after a \
         start; jmt {b:.2} µs; ratio {:.2}; all {ROUNDS} roots equal; load {}",
        each_us(cold.cpu(), count),
        a / b,
        load()
    );
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let mut tree = Tree {
        nodes: Nodes::default(),
        warm: Warm::default(),
        version: 0,
        root: EMPTY_ROOT,
    };
    let update = tree.ours(&changes(0..KEYS, 0))?;
    tree.extend(&update);
    drop(update);
    // Any odd factor goes through all keys below a power of two, so keys come from everywhere.
    compare("replaced", &mut tree, |round| {
        Box::new((0..BATCH).map(move |n| (round * BATCH + n) * 7_919 % KEYS))
    })?;
    compare("inserted", &mut tree, |round| {
        Box::new((0..BATCH).map(move |n| KEYS + round * BATCH + n))
    })
}
