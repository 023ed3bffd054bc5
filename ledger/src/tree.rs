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

/// Over the records of a delivery.
pub const DELIVERY: ListTree = ListTree {
    leaf: Domain::new("jangbu/delivery-leaf/v1"),
    node: Domain::new("jangbu/delivery-node/v1"),
};
/// Over the salted hashes of a content's chunks.
pub const CONTENT: ListTree = ListTree {
    leaf: Domain::new("jangbu/content-leaf/v1"),
    node: Domain::new("jangbu/content-node/v1"),
};

/// A list whose leaves were hashed once, for its root and any number of paths.
#[derive(Debug, Clone)]
pub struct HashedList {
    tree: ListTree,
    hashes: Vec<[u8; 32]>,
}

/// The root over leaves that come one after another: at most one hash per level is kept.
#[derive(Debug, Clone)]
pub struct ListFrontier {
    tree: ListTree,
    /// Roots of full subtrees, largest first; the bits of `count` say how large.
    roots: Vec<[u8; 32]>,
    count: u64,
}

impl ListFrontier {
    /// Adds the next leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut hash = self.tree.leaf.hash(leaf);
        let mut full = self.count;
        while full & 1 == 1
            && let Some(left) = self.roots.pop()
        {
            hash = self.tree.join(&left, &hash);
            full >>= 1;
        }
        self.roots.push(hash);
        self.count += 1;
    }

    /// Number of leaves.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The root over all leaves so far, as of a [`HashedList`].
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else {
            return Digest(self.tree.node.hash(b""));
        };
        Digest(roots.fold(*last, |right, left| self.tree.join(left, &right)))
    }
}

/// Collects the path of one leaf while all leaves come by once.
#[derive(Debug, Clone)]
pub struct ListPath {
    /// Siblings from the root down: which leaves, and what came of them.
    siblings: Vec<(std::ops::Range<u64>, ListFrontier)>,
    next: u64,
}

impl ListPath {
    /// Takes the next leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        for (range, frontier) in &mut self.siblings {
            if range.contains(&self.next) {
                frontier.push(leaf);
            }
        }
        self.next += 1;
    }

    /// Sibling hashes from the leaf up, once all leaves came by.
    #[must_use]
    pub fn path(&self) -> Vec<Digest> {
        let up = self.siblings.iter().rev();
        up.map(|(_, frontier)| frontier.root()).collect()
    }
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

    /// A root that grows leaf by leaf.
    #[must_use]
    pub const fn frontier(self) -> ListFrontier {
        ListFrontier {
            tree: self,
            roots: Vec::new(),
            count: 0,
        }
    }

    /// Collects the path of leaf `index` of `count`; `None` if out of range.
    #[must_use]
    pub fn path_of(self, index: u64, count: u64) -> Option<ListPath> {
        if index >= count {
            return None;
        }
        let mut siblings = Vec::new();
        let (mut from, mut to) = (0, count);
        while to - from > 1 {
            let split = from + split_point_u64(to - from);
            let outer = if index < split {
                let outer = split..to;
                to = split;
                outer
            } else {
                let outer = from..split;
                from = split;
                outer
            };
            siblings.push((outer, self.frontier()));
        }
        Some(ListPath { siblings, next: 0 })
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
        let sides = sides(index as u64, count as u64);
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
pub(crate) const fn split_point(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

/// Which side each sibling of leaf `index` of `count` is on, from the root down: whether it is to the
/// right, and the leaf to the left. `index` is less than `count`.
pub(crate) fn sides(index: u64, count: u64) -> Vec<bool> {
    let mut sides = Vec::new();
    let (mut from, mut to) = (0, count);
    while to - from > 1 {
        let split = from + split_point_u64(to - from);
        let left = index < split;
        sides.push(left);
        if left { to = split } else { from = split }
    }
    sides
}

const fn split_point_u64(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_and_a_path_that_grow_leaf_by_leaf_are_those_of_the_whole_list() {
        for count in 0..=70u64 {
            let leaves: Vec<[u8; 8]> = (0..count).map(u64::to_be_bytes).collect();
            let list = DELIVERY.hash(leaves.iter().map(<[u8; 8]>::as_slice));
            let mut frontier = DELIVERY.frontier();
            leaves.iter().for_each(|leaf| frontier.push(leaf));
            assert_eq!((frontier.root(), frontier.count()), (list.root(), count));
            for index in 0..count {
                let mut path = DELIVERY.path_of(index, count).unwrap();
                leaves.iter().for_each(|leaf| path.push(leaf));
                let at = usize::try_from(index).unwrap();
                assert_eq!(Some(path.path()), list.path(at), "{index} of {count}");
            }
            assert!(DELIVERY.path_of(count, count).is_none());
        }
    }

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
