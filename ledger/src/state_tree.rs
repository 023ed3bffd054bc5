//! The state tree: a binary sparse Merkle tree over the records that rules read.
//!
//! The tree of the `jmt` crate over BLAKE3: same roots, same stored nodes, same proofs. Versions are
//! made by our own walk, which takes a block's changes together; proofs are made and checked by the
//! crate. Storage sees bytes only; a version is a block's height.
//!
//! Invariant: stored nodes that are missing, damaged or of another tree are an error that names
//! the node; never a panic, never an empty tree. Whoever calls says which root it expects.
//!
//! Source: `docs/format.md`, section 7; `jmt` 0.12.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use jmt::{JellyfishMerkleTree, KeyHash, RootHash, SimpleHasher};

use crate::bytes_newtype;
use crate::id::StateRoot;

mod checked;
mod hash;
mod node;
mod place;
mod root;
mod update;
mod warm;

pub use root::RootBuilder;
pub use warm::{Warm, Warmth};

use checked::Checked;
use node::Leaf;
use update::Updater;

bytes_newtype! {
    /// Where a record hangs in the tree: a domain-separated hash of what it is about.
    StateKey, 32
}

/// Largest encoding of a proof in bytes: 256 siblings would not fit, real trees need 60.
pub const PROOF_BYTES_MAX: usize = 16 * 1024;

/// Root of the tree that holds nothing: what the first version extends.
pub const EMPTY_ROOT: StateRoot = StateRoot(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

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

    /// Nodes that the storage keeps at hand, if it does.
    fn warm(&self) -> Option<&Warm> {
        None
    }
}

/// What one version adds to the tree.
#[derive(Debug, Clone)]
pub struct StateUpdate {
    /// The root afterwards.
    pub root: StateRoot,
    /// New nodes: key, node. Each once.
    pub nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of nodes that only older versions use.
    pub stale: Vec<Vec<u8>>,
    /// What to keep at hand once the nodes are stored.
    pub warmth: Warmth,
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

fn failed(error: &anyhow::Error) -> StateTreeError {
    StateTreeError(format!("{error:#}"))
}

/// The tree after `changes` as version `version`; the version before, which has `before` for its
/// root, is in `nodes`.
///
/// Version 0 is the first and extends [`EMPTY_ROOT`]. An empty set of changes copies the root to
/// the new version.
///
/// # Errors
///
/// [`StateTreeError`] if stored nodes are missing or damaged, or the version before has another
/// root.
pub fn apply(
    nodes: &dyn StateNodes,
    version: u64,
    before: &StateRoot,
    changes: &BTreeMap<StateKey, Option<Vec<u8>>>,
) -> Result<StateUpdate, StateTreeError> {
    let last = match version.checked_sub(1) {
        Some(last) => Some((last, before)),
        None if *before == EMPTY_ROOT => None,
        None => {
            return Err(StateTreeError(format!(
                "version 0 extends the empty tree, not {before}"
            )));
        }
    };
    let changes: Vec<_> = changes
        .iter()
        .map(|(key, value)| {
            (
                *key,
                value.as_ref().map(|value| Leaf::new(*key, value).value),
            )
        })
        .collect();
    Updater::new(nodes, version).run(last, &changes)
}

/// The value of `key` in the tree that has `root` at `version`, and the proof of it.
///
/// # Errors
///
/// [`StateTreeError`] if the version is not stored, has another root, or is damaged where the
/// proof leads.
pub fn prove(
    nodes: &dyn StateNodes,
    version: u64,
    root: &StateRoot,
    key: &StateKey,
) -> Result<(Option<Vec<u8>>, StateProof), StateTreeError> {
    let reader = Checked::load(nodes, version, root, key)?;
    let tree = JellyfishMerkleTree::<_, Blake3>::new(&reader);
    let (value, proof) = tree
        .get_with_proof(KeyHash(key.0), version)
        .map_err(|e| failed(&e))?;
    let proof = StateProof(proof);
    // Values are stored apart from the nodes that commit to them.
    proof.verify(root, key, value.as_deref()).map_err(|_| {
        StateTreeError(format!(
            "the value stored for key {key} at version {version} is damaged"
        ))
    })?;
    Ok((value, proof))
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
    warm: Option<Warm>,
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
        if let Some(warm) = &mut self.warm {
            warm.absorb(&update.warmth);
        }
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

    fn warm(&self) -> Option<&Warm> {
        self.warm.as_ref()
    }
}

#[cfg(test)]
mod tests;
