//! Making roots and proofs from stored nodes.

use std::collections::BTreeMap;

use super::{NodeHash, node_hash};

/// A source of complete-subtree hashes.
pub trait NodeReader {
    /// Why a node could not be read.
    type Error;

    /// Returns the hash over leaves `index * 2^level .. (index + 1) * 2^level`.
    ///
    /// Only asked for nodes that are complete in the tree the proof is about.
    ///
    /// # Errors
    ///
    /// The reader's own error if the node is absent or cannot be read.
    fn node(&self, level: u8, index: u64) -> Result<NodeHash, Self::Error>;
}

impl<R: NodeReader + ?Sized> NodeReader for &R {
    type Error = R::Error;

    fn node(&self, level: u8, index: u64) -> Result<NodeHash, Self::Error> {
        (**self).node(level, index)
    }
}

/// A node that was asked for is not in memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node {index} of level {level} is missing")]
pub struct MissingNode {
    /// Height of the node's subtree; 0 is a leaf.
    pub level: u8,
    /// Position within the level.
    pub index: u64,
}

/// Nodes in memory, by level and index.
impl NodeReader for BTreeMap<(u8, u64), NodeHash> {
    type Error = MissingNode;

    fn node(&self, level: u8, index: u64) -> Result<NodeHash, MissingNode> {
        self.get(&(level, index))
            .copied()
            .ok_or(MissingNode { level, index })
    }
}

/// Why a proof could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError<E> {
    /// There is no such leaf in a tree of that size.
    #[error("leaf {index} is not below {size}")]
    OutOfRange {
        /// Index that was asked for.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The older tree is empty or larger than the newer one.
    #[error("no consistency proof leads from {size1} to {size2} leaves")]
    Sizes {
        /// Leaves of the older tree.
        size1: u64,
        /// Leaves of the newer tree.
        size2: u64,
    },
    /// A node could not be read.
    #[error(transparent)]
    Read(#[from] E),
}

/// Returns the root of the tree over the first `size` leaves; reads at most 64 nodes.
///
/// # Errors
///
/// The reader's error.
pub fn root<R: NodeReader>(reader: &R, size: u64) -> Result<NodeHash, R::Error> {
    range_hash(reader, 0, size)
}

/// Returns the sibling hashes of leaf `index` from the leaf up to the root, lowest first.
///
/// At most `ceil(log2(size))` hashes; a log of one entry has an empty path.
///
/// # Errors
///
/// [`ProveError::OutOfRange`] if `index` is not below `size`, else the reader's error.
///
/// Source: RFC 9162, section 2.1.3.1.
pub fn prove_inclusion<R: NodeReader>(
    reader: &R,
    index: u64,
    size: u64,
) -> Result<Vec<NodeHash>, ProveError<R::Error>> {
    if index >= size {
        return Err(ProveError::OutOfRange { index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + left_width(end - start);
        if index < middle {
            path.push(range_hash(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range_hash(reader, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Returns the hashes that show that the tree of `size2` leaves extends that of `size1`.
///
/// At most `ceil(log2(size2)) + 1` hashes; none if the sizes are equal.
///
/// # Errors
///
/// [`ProveError::Sizes`] if `size1` is 0 or above `size2`, else the reader's error.
///
/// Source: RFC 9162, section 2.1.4.1.
pub fn prove_consistency<R: NodeReader>(
    reader: &R,
    size1: u64,
    size2: u64,
) -> Result<Vec<NodeHash>, ProveError<R::Error>> {
    if size1 == 0 || size1 > size2 {
        return Err(ProveError::Sizes { size1, size2 });
    }
    let (mut start, mut end) = (0, size2);
    let mut path = Vec::new();
    while size1 != end {
        let middle = start + left_width(end - start);
        if size1 <= middle {
            path.push(range_hash(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range_hash(reader, start, middle)?);
            start = middle;
        }
    }
    if start != 0 {
        // Otherwise it is the whole older tree, whose root the verifier has.
        path.push(range_hash(reader, start, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Width of the left child of a tree of `width` leaves: the largest power of two below it.
fn left_width(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// Hash of leaves `start..end`, which are a subtree; reads at most 64 nodes.
fn range_hash<R: NodeReader>(reader: &R, start: u64, end: u64) -> Result<NodeHash, R::Error> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        let level = u8::try_from(level).expect("a u64 has a logarithm below 64");
        peaks.push(reader.node(level, at >> level)?);
        at += 1 << level;
    }
    Ok(bag(&peaks))
}

/// Joins complete subtrees, widest first, into the hash of the range they cover.
pub(super) fn bag(peaks: &[NodeHash]) -> NodeHash {
    let Some((last, rest)) = peaks.split_last() else {
        return NodeHash::EMPTY_TREE;
    };
    rest.iter()
        .rfold(*last, |right, left| node_hash(left, &right))
}
