//! Checking proofs: sizes, hashes and roots in, yes or a reason out. No storage.

use super::{NodeHash, node_hash};

/// Why a proof shows nothing. Every variant is the fault of whoever made or carried the proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf is not one of the (sub)tree's.
    #[error("leaf {index} is not in a tree of leaves {start} to {end} (exclusive)")]
    OutOfRange {
        /// Index of the leaf in the log.
        index: u64,
        /// First leaf of the tree.
        start: u64,
        /// One past the last leaf of the tree.
        end: u64,
    },
    /// The older tree is larger than the newer one, or empty (which would bind nothing).
    #[error("a tree of {size2} leaves cannot be shown to extend one of {size1}")]
    Sizes {
        /// Leaves of the older tree.
        size1: u64,
        /// Leaves of the newer tree.
        size2: u64,
    },
    /// Leaves `start..end` are not a subtree of any tree that has them.
    #[error("leaves {start} to {end} (exclusive) are not a subtree")]
    NotASubtree {
        /// First leaf.
        start: u64,
        /// One past the last leaf.
        end: u64,
    },
    /// Fewer or more hashes than sizes and index ask for.
    #[error("the path has {got} hashes, which these sizes do not allow")]
    PathLength {
        /// Number of hashes in the path.
        got: usize,
    },
    /// The path leads to another root than the given one.
    #[error("the path leads to another root")]
    OtherRoot,
}

/// Checks that `leaf` is the leaf at `index` of the tree of `size` leaves with `root`.
///
/// # Errors
///
/// [`ProofError`] if `index` is not below `size`, the path's length is wrong, or the path leads
/// to another root.
///
/// Source: RFC 9162, section 2.1.3.2.
pub fn verify_inclusion(
    leaf: &NodeHash,
    index: u64,
    size: u64,
    path: &[NodeHash],
    root: &NodeHash,
) -> Result<(), ProofError> {
    if inclusion_root(leaf, index, size, path)? == *root {
        Ok(())
    } else {
        Err(ProofError::OtherRoot)
    }
}

/// Returns the root that `path` leads to from `leaf` at `index` of a tree of `size` leaves.
///
/// One path may fit several sizes: a root binds them only together with a signed size.
///
/// # Errors
///
/// [`ProofError`] if `index` is not below `size` or the path's length is wrong.
///
/// Source: RFC 9162, section 2.1.3.2.
pub fn inclusion_root(
    leaf: &NodeHash,
    index: u64,
    size: u64,
    path: &[NodeHash],
) -> Result<NodeHash, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange {
            index,
            start: 0,
            end: size,
        });
    }
    let length = || ProofError::PathLength { got: path.len() };
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(length());
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A node without a right sibling rises unhashed; node is odd or last, so not 0.
            while node & 1 == 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(length()) }
}

/// Checks that the tree of `size2` leaves with `root2` extends that of `size1` with `root1`.
///
/// # Errors
///
/// [`ProofError`] if `size1` is 0 or above `size2`, the path's length is wrong, or the path
/// leads to other roots.
///
/// Source: RFC 9162, section 2.1.4.2.
pub fn verify_consistency(
    size1: u64,
    root1: &NodeHash,
    size2: u64,
    root2: &NodeHash,
    path: &[NodeHash],
) -> Result<(), ProofError> {
    if size1 == 0 || size1 > size2 {
        return Err(ProofError::Sizes { size1, size2 });
    }
    verify_subtree_consistency(0, size1, root1, size2, root2, path)
}

/// Checks that `leaf` is leaf `index` of the log inside the subtree of leaves `start..end`.
///
/// # Errors
///
/// [`ProofError`] if `start..end` is no subtree or does not hold `index`, the path's length is
/// wrong, or the path leads to another root.
pub fn verify_subtree_inclusion(
    leaf: &NodeHash,
    index: u64,
    start: u64,
    end: u64,
    path: &[NodeHash],
    subtree_root: &NodeHash,
) -> Result<(), ProofError> {
    check_subtree(start, end)?;
    let position = index
        .checked_sub(start)
        .filter(|_| index < end)
        .ok_or(ProofError::OutOfRange { index, start, end })?;
    verify_inclusion(leaf, position, end - start, path, subtree_root)
}

/// Checks that leaves `start..end` of the tree of `size` leaves with `root` are the subtree with
/// `subtree_root`. An empty subtree (`start == end`) has the empty tree's root and no path.
///
/// # Errors
///
/// [`ProofError`] if `start..end` is no subtree or exceeds `size`, the path's length is wrong, or
/// the path leads to other roots.
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    subtree_root: &NodeHash,
    size: u64,
    root: &NodeHash,
    path: &[NodeHash],
) -> Result<(), ProofError> {
    if end > size {
        return Err(ProofError::Sizes {
            size1: end,
            size2: size,
        });
    }
    let length = || ProofError::PathLength { got: path.len() };
    if start == end {
        if !path.is_empty() {
            return Err(length());
        }
        let empty = *subtree_root == NodeHash::EMPTY_TREE;
        return if empty {
            Ok(())
        } else {
            Err(ProofError::OtherRoot)
        };
    }
    check_subtree(start, end)?;

    // Positions of the subtree's first and last and of the tree's last node, level by level.
    let (mut first, mut last, mut tree_last) = (start, end - 1, size - 1);
    while first != last && (last == tree_last || last & 1 == 1) {
        (first, last, tree_last) = (first >> 1, last >> 1, tree_last >> 1);
    }
    let mut rest = path.iter();
    // A complete subtree is a node of the tree; otherwise the path opens with its last node.
    let seed = if first == last {
        subtree_root
    } else {
        rest.next().ok_or_else(length)?
    };
    let (mut subtree, mut tree) = (*seed, *seed);
    for sibling in rest {
        if tree_last == 0 {
            return Err(length());
        }
        if last & 1 == 1 || last == tree_last {
            if first < last {
                subtree = node_hash(sibling, &subtree);
            }
            tree = node_hash(sibling, &tree);
            // last is odd, or equals tree_last, which is not 0: this ends.
            while last & 1 == 0 {
                (first, last, tree_last) = (first >> 1, last >> 1, tree_last >> 1);
            }
        } else {
            tree = node_hash(&tree, sibling);
        }
        (first, last, tree_last) = (first >> 1, last >> 1, tree_last >> 1);
    }
    if tree_last != 0 {
        return Err(length());
    }
    if subtree == *subtree_root && tree == *root {
        Ok(())
    } else {
        Err(ProofError::OtherRoot)
    }
}

/// A subtree is not empty and starts at a multiple of its width rounded up to a power of two.
fn check_subtree(start: u64, end: u64) -> Result<(), ProofError> {
    let not = ProofError::NotASubtree { start, end };
    let Some(width) = end.checked_sub(start).filter(|width| *width > 0) else {
        return Err(not);
    };
    let aligned = match width.checked_next_power_of_two() {
        Some(unit) => start.is_multiple_of(unit),
        None => start == 0,
    };
    if aligned { Ok(()) } else { Err(not) }
}
