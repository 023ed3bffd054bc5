//! The log's Merkle tree: SHA-256, leaf prefix 0x00, node prefix 0x01.
//!
//! ```text
//!   entries ─▶ leaf_hash ─▶ Frontier::append ─▶ stored nodes ─▶ prove_* ─▶ verify_*
//! ```
//!
//! A *stored node* is the hash of a complete subtree, named by its level (0 = leaf) and its
//! index within the level; such a node never changes once the log is long enough to hold it.
//! Everything else (roots, proofs) is computed from stored nodes.
//!
//! Invariants:
//! - verification takes the path's length from the sizes, never from the path;
//! - a proof about the empty tree is refused: there is nothing it could bind.
//!
//! Source: RFC 9162, section 2.1; for subtrees, draft-ietf-plants-merkle-tree-certs, section 4.

use sha2::{Digest as _, Sha256};

use crate::bytes_newtype;

mod frontier;
mod prove;
mod verify;

pub use frontier::{Frontier, FrontierFull, StoredNode};
pub use prove::{MissingNode, NodeReader, ProveError, prove_consistency, prove_inclusion, root};
pub use verify::{
    ProofError, inclusion_root, verify_consistency, verify_inclusion, verify_subtree_consistency,
    verify_subtree_inclusion,
};

bytes_newtype! {
    /// Hash of a leaf, of an inner node or of a whole tree of the log (SHA-256).
    NodeHash, 32
}

/// Longest inclusion or consistency path of a tree of fewer than 2^64 leaves, in hashes.
pub const PATH_LEN_MAX: usize = 65;

impl NodeHash {
    /// Root of the tree without leaves: SHA-256 of nothing.
    pub const EMPTY_TREE: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);
}

/// Returns the hash of the leaf that holds `entry`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> NodeHash {
    NodeHash(
        Sha256::new()
            .chain_update([0x00])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

/// Returns the hash of the node over `left` and `right`.
#[must_use]
pub fn node_hash(left: &NodeHash, right: &NodeHash) -> NodeHash {
    NodeHash(
        Sha256::new()
            .chain_update([0x01])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

#[cfg(test)]
mod tests;
