//! Small BLAKE3 Merkle trees over lists (statements of an envelope, envelopes of a block,
//! refusals): RFC 6962's shape with domain-separated BLAKE3 in place of SHA-256.

use crate::hash::Domain;
use crate::id::Digest;

/// A Merkle tree over a list, with leaf, node and empty hashes in domains of their own.
#[derive(Debug, Clone, Copy)]
pub struct ListTree {
    leaf: Domain,
    node: Domain,
}

/// Over the canonical bytes of an envelope's statements.
pub const STATEMENTS: ListTree = ListTree {
    leaf: Domain::new("jangbu/statements-leaf/v1"),
    node: Domain::new("jangbu/statements-node/v1"),
};
/// Over the ids of a block's envelopes.
pub const ENVELOPES: ListTree = ListTree {
    leaf: Domain::new("jangbu/envelopes-leaf/v1"),
    node: Domain::new("jangbu/envelopes-node/v1"),
};
/// Over a block's refusals.
pub const REFUSALS: ListTree = ListTree {
    leaf: Domain::new("jangbu/refusals-leaf/v1"),
    node: Domain::new("jangbu/refusals-node/v1"),
};

/// A list whose leaves were hashed once, for its root and any number of paths.
#[derive(Debug, Clone)]
pub struct HashedList {
    tree: ListTree,
    hashes: Vec<[u8; 32]>,
}

impl HashedList {
    /// The root; for an empty list, the node domain's hash of no bytes.
    #[must_use]
    pub fn root(&self) -> Digest {
        Digest(self.tree.subtree(&self.hashes))
    }

    /// Sibling hashes from leaf `index` up to the root, lowest first; `None` if out of range.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<Digest>> {
        if index >= self.hashes.len() {
            return None;
        }
        let mut path = Vec::new();
        let (mut from, mut to) = (0, self.hashes.len());
        while to - from > 1 {
            let split = from + split_point(to - from);
            let (inner, outer) = if index < split {
                (from..split, split..to)
            } else {
                (split..to, from..split)
            };
            path.push(Digest(self.tree.subtree(&self.hashes[outer])));
            (from, to) = (inner.start, inner.end);
        }
        path.reverse();
        Some(path)
    }
}

impl ListTree {
    /// Hashes the leaves of a list.
    #[must_use]
    pub fn hash<'a>(self, leaves: impl IntoIterator<Item = &'a [u8]>) -> HashedList {
        HashedList {
            tree: self,
            hashes: leaves
                .into_iter()
                .map(|bytes| self.leaf.hash(bytes))
                .collect(),
        }
    }

    /// The root over `leaves`; see [`HashedList::root`].
    pub fn root<'a>(self, leaves: impl IntoIterator<Item = &'a [u8]>) -> Digest {
        self.hash(leaves).root()
    }

    /// Whether `leaf` is at `index` of the `count` leaves under `root`.
    #[must_use]
    pub fn verify(
        self,
        leaf: &[u8],
        index: usize,
        count: usize,
        path: &[Digest],
        root: &Digest,
    ) -> bool {
        if index >= count {
            return false;
        }
        // Which side each sibling is on, from the root down.
        let mut sides = Vec::new();
        let (mut from, mut to) = (0, count);
        while to - from > 1 {
            let split = from + split_point(to - from);
            let left = index < split;
            sides.push(left);
            if left { to = split } else { from = split }
        }
        if sides.len() != path.len() {
            return false;
        }
        let mut hash = self.leaf.hash(leaf);
        for (left, sibling) in sides.iter().rev().zip(path) {
            hash = if *left {
                self.join(&hash, &sibling.0)
            } else {
                self.join(&sibling.0, &hash)
            };
        }
        hash == root.0
    }

    fn subtree(self, hashes: &[[u8; 32]]) -> [u8; 32] {
        match hashes {
            [] => self.node.hash(b""),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(split_point(more.len()));
                self.join(&self.subtree(left), &self.subtree(right))
            }
        }
    }

    fn join(self, left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
        let mut both = [0; 64];
        both[..32].copy_from_slice(left);
        both[32..].copy_from_slice(right);
        self.node.hash(&both)
    }
}

/// The largest power of two below `count`, which is at least 2. Source: RFC 6962, section 2.1.
const fn split_point(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_verifies_and_no_other_leaf_does() {
        for count in 1..=33usize {
            let leaves: Vec<Vec<u8>> = (0..count).map(|i| i.to_be_bytes().to_vec()).collect();
            let list = STATEMENTS.hash(leaves.iter().map(Vec::as_slice));
            let root = list.root();
            for (index, leaf) in leaves.iter().enumerate() {
                let path = list.path(index).unwrap();
                assert!(STATEMENTS.verify(leaf, index, count, &path, &root));
                assert!(!STATEMENTS.verify(b"other", index, count, &path, &root));
                assert!(!STATEMENTS.verify(leaf, index + 1, count, &path, &root));
                assert!(!ENVELOPES.verify(leaf, index, count, &path, &root));
            }
            assert_eq!(list.path(count), None);
        }
    }
}
