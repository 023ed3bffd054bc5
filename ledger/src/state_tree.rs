//! The state tree: a binary sparse Merkle tree over the records that rules read.
//!
//! A small interface over the `jmt` crate with BLAKE3, so that a faster tree with the same roots
//! can take its place. Storage sees bytes only; a version is a block's height.
//!
//! Source: `docs/format.md`, section 7; `jmt` 0.12.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, RootHash, SimpleHasher, Version};

use crate::bytes_newtype;
use crate::id::StateRoot;

bytes_newtype! {
    /// Where a record hangs in the tree: a domain-separated hash of what it is about.
    StateKey, 32
}

/// Largest encoding of a proof in bytes: 256 siblings would not fit, real trees need 60.
pub const PROOF_BYTES_MAX: usize = 16 * 1024;

/// Why the tree could not be read or extended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state tree cannot be read: {0}")]
pub struct StateTreeError(pub String);

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateProofError {
    /// Not an encoding of a proof.
    #[error("the state proof is malformed")]
    Malformed,
    /// It proves something else.
    #[error("the state proof does not hold")]
    DoesNotHold,
}

/// Stored nodes and values of the tree.
pub trait StateNodes {
    /// The node with this key.
    ///
    /// # Errors
    ///
    /// [`StateTreeError`] if the storage fails.
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError>;

    /// The newest value at or before `max_version`; `None` if there is none or it was deleted.
    ///
    /// # Errors
    ///
    /// [`StateTreeError`] if the storage fails.
    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError>;
}

/// What one version adds to the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateUpdate {
    /// The root afterwards.
    pub root: StateRoot,
    /// New nodes: key, node.
    pub nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of nodes that only older versions use.
    pub stale: Vec<Vec<u8>>,
}

/// Proof that a key has a value, or none, under a root.
#[derive(Debug)]
pub struct StateProof(jmt::proof::SparseMerkleProof<Blake3>);

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

struct Reader<'a>(&'a dyn StateNodes);

impl TreeReader for Reader<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let key = borsh::to_vec(key)?;
        let bytes = self.0.node(&key)?;
        bytes
            .map(|bytes| Ok(Node::try_from_slice(&bytes)?))
            .transpose()
    }

    fn get_value_option(&self, max: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.0.value(&StateKey(key.0), max)?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        // Only asked for while a tree is restored from chunks, which this interface does not do.
        Err(anyhow::anyhow!("the state tree is not restored in chunks"))
    }
}

fn failed(error: &anyhow::Error) -> StateTreeError {
    StateTreeError(format!("{error:#}"))
}

/// The tree after `changes` as version `version`; the versions before are in `nodes`.
///
/// Version 0 is the first. An empty set of changes copies the root to the new version.
///
/// # Errors
///
/// [`StateTreeError`] if stored nodes are missing or unreadable.
pub fn apply(
    nodes: &dyn StateNodes,
    version: u64,
    changes: &BTreeMap<StateKey, Option<Vec<u8>>>,
) -> Result<StateUpdate, StateTreeError> {
    let reader = Reader(nodes);
    let tree = JellyfishMerkleTree::<_, Blake3>::new(&reader);
    let changes = changes
        .iter()
        .map(|(key, value)| (KeyHash(key.0), value.clone()));
    let (root, batch) = tree
        .put_value_set(changes, version)
        .map_err(|e| failed(&e))?;
    let encode =
        |key: &NodeKey| borsh::to_vec(key).map_err(|error| StateTreeError(error.to_string()));
    let mut new = Vec::with_capacity(batch.node_batch.nodes().len());
    for (key, node) in batch.node_batch.nodes() {
        let node = borsh::to_vec(node).map_err(|error| StateTreeError(error.to_string()))?;
        new.push((encode(key)?, node));
    }
    let mut stale = Vec::with_capacity(batch.stale_node_index_batch.len());
    for index in &batch.stale_node_index_batch {
        stale.push(encode(&index.node_key)?);
    }
    Ok(StateUpdate {
        root: StateRoot(root.0),
        nodes: new,
        stale,
    })
}

/// The value of `key` at `version` and the proof of it.
///
/// # Errors
///
/// [`StateTreeError`] if the version is not stored.
pub fn prove(
    nodes: &dyn StateNodes,
    version: u64,
    key: &StateKey,
) -> Result<(Option<Vec<u8>>, StateProof), StateTreeError> {
    let reader = Reader(nodes);
    let tree = JellyfishMerkleTree::<_, Blake3>::new(&reader);
    let (value, proof) = tree
        .get_with_proof(KeyHash(key.0), version)
        .map_err(|e| failed(&e))?;
    Ok((value, StateProof(proof)))
}

impl StateProof {
    /// The proof's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(&self.0).expect("writing to memory cannot fail")
    }

    /// Reads a proof.
    ///
    /// # Errors
    ///
    /// [`StateProofError::Malformed`] if it is not one, or not in its one encoding.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateProofError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(StateProofError::Malformed);
        }
        let proof =
            Self(BorshDeserialize::try_from_slice(bytes).map_err(|_| StateProofError::Malformed)?);
        if proof.to_bytes() == bytes {
            Ok(proof)
        } else {
            Err(StateProofError::Malformed)
        }
    }

    /// Whether `key` has exactly `value` (or none) under `root`.
    ///
    /// # Errors
    ///
    /// [`StateProofError::DoesNotHold`] if not.
    pub fn verify(
        &self,
        root: &StateRoot,
        key: &StateKey,
        value: Option<&[u8]>,
    ) -> Result<(), StateProofError> {
        self.0
            .verify(RootHash(root.0), KeyHash(key.0), value)
            .map_err(|_| StateProofError::DoesNotHold)
    }
}

/// Nodes and values in memory: for tests, the simulator, and the genesis block.
#[derive(Debug, Clone, Default)]
pub struct MemoryNodes {
    nodes: BTreeMap<Vec<u8>, Vec<u8>>,
    values: BTreeMap<(StateKey, u64), Option<Vec<u8>>>,
}

impl MemoryNodes {
    /// Adds a version.
    pub fn extend(
        &mut self,
        version: u64,
        changes: &BTreeMap<StateKey, Option<Vec<u8>>>,
        update: &StateUpdate,
    ) {
        self.nodes.extend(update.nodes.iter().cloned());
        self.values.extend(
            changes
                .iter()
                .map(|(key, value)| ((*key, version), value.clone())),
        );
    }
}

impl StateNodes for MemoryNodes {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        Ok(self.nodes.get(key).cloned())
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        let versions = (*key, 0)..=(*key, max_version);
        Ok(self
            .values
            .range(versions)
            .next_back()
            .and_then(|(_, value)| value.clone()))
    }
}

#[cfg(test)]
mod tests {
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
            for (version, changes) in (0u64..).zip(&history) {
                let encoded: BTreeMap<StateKey, Option<Vec<u8>>> = changes
                    .iter()
                    .map(|(k, v)| (key(*k), v.map(|v| v.to_be_bytes().to_vec())))
                    .collect();
                let update = apply(&nodes, version, &encoded).unwrap();
                nodes.extend(version, &encoded, &update);
                for (k, v) in changes {
                    match v {
                        Some(v) => model.insert(*k, v.to_be_bytes().to_vec()),
                        None => model.remove(k),
                    };
                }
                versions.push((update.root, model.clone()));
            }
            for (version, (root, model)) in (0u64..).zip(&versions) {
                for k in 0u8..24 {
                    let expected = model.get(&k).cloned();
                    let (value, proof) = prove(&nodes, version, &key(k)).unwrap();
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
}
