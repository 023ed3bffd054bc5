//! Stored nodes of the state tree: their bytes, and what they hash to.
//!
//! ```text
//!   node   00 | 01 ‖ 16 children ‖ how many (u64) ‖ leaves (u64) | 02 ‖ key (32) ‖ value's hash (32)
//!   child  00 | 01 ‖ hash (32) ‖ version (u64) ‖ (00 a leaf | 01 ‖ leaves (u64))
//! ```
//!
//! Integers are little-endian: this is the encoding that `jmt` gives its nodes, so that databases
//! are read by either. A node with children stands for four levels of the binary tree.
//!
//! Invariant: what [`decode`] returned is what the node's parent says of it: hash, kind and count;
//! of what [`parse`] returned the hash is still to be compared.

use std::sync::Arc;

use super::hash::{self, Hash, LANES};
use super::place::{NIBBLES, Place};
use super::{EMPTY_ROOT, StateKey, StateTreeError};

/// More leaves than a tree will ever have; no hash covers their counts.
const LEAVES_MAX: u64 = 1 << 48;

/// What sort of node a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A leaf.
    Leaf,
    /// A node with children.
    Branch {
        /// How many leaves it has below.
        leaves: u64,
    },
}

/// A key with its value's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The key.
    pub(super) key: StateKey,
    /// BLAKE3 of the value.
    pub(super) value: Hash,
}

/// A child, as its parent knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Child {
    /// The child's hash.
    pub(super) hash: Hash,
    /// The version that wrote it.
    pub(super) version: u64,
    /// Its sort.
    pub(super) kind: Kind,
}

/// A stored node.
pub(super) enum Stored {
    /// The root of a tree without keys.
    Null,
    /// A key.
    Leaf(Leaf),
    /// Children, at least two, or one that has children itself.
    Branch(Arc<Branch>),
}

/// A node with children, and the hashes of the four binary levels that it stands for.
#[derive(Clone)]
pub(super) struct Branch {
    /// Index 1 is the node itself, `2i` and `2i + 1` are below `i`, 16 to 31 the children.
    slots: [Slot; 32],
    /// Their hashes. A slot of 33 bytes would be copied in pieces.
    hashes: [Hash; 32],
    versions: [u64; 16],
    leaves: [u64; 16],
    /// The places at or below which a child was put or removed since hashes were taken, by bits.
    unhashed: u32,
}

/// A place in the binary tree. A lone leaf rises until it has a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Empty,
    LoneLeaf,
    Inner,
}

impl Leaf {
    /// The leaf of a key and its value.
    pub(super) fn new(key: StateKey, value: &[u8]) -> Self {
        Self {
            key,
            value: *blake3::hash(value).as_bytes(),
        }
    }

    /// Its hash.
    pub(super) fn hash(&self) -> Hash {
        hash::leaf(&self.key.0, &self.value)
    }

    /// The hashes of leaves, in their order: of [`LANES`] at most, as [`hash::leaf_of`] has them.
    pub(super) fn hashes<'a, I>(leaves: I) -> [Hash; LANES]
    where
        I: ExactSizeIterator<Item = &'a Self> + Clone,
    {
        hash::leaf_of(leaves.map(|leaf| [&leaf.key.0, &leaf.value]))
    }

    /// Whether these bytes in storage are a leaf of `key`, whatever its value.
    pub(super) fn is_of(bytes: &[u8], key: &StateKey) -> bool {
        let (tag, rest) = bytes.split_at_checked(1).unwrap_or_default();
        let (of, value) = rest.split_at_checked(32).unwrap_or_default();
        tag == [2] && of == key.0 && value.len() == 32
    }

    /// Its bytes in storage.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 64);
        bytes.push(2);
        bytes.extend_from_slice(&self.key.0);
        bytes.extend_from_slice(&self.value);
        bytes
    }
}

impl Default for Branch {
    fn default() -> Self {
        Self {
            slots: [Slot::Empty; 32],
            hashes: [EMPTY_ROOT.0; 32],
            versions: [0; 16],
            leaves: [0; 16],
            unhashed: 0,
        }
    }
}

impl Branch {
    /// The child behind `nibble`.
    pub(super) fn child(&self, nibble: usize) -> Option<Child> {
        let version = *self.versions.get(nibble)?;
        let kind = match self.slots.get(16 + nibble)? {
            Slot::Empty => return None,
            Slot::LoneLeaf => Kind::Leaf,
            Slot::Inner => {
                let leaves = *self.leaves.get(nibble)?;
                Kind::Branch { leaves }
            }
        };
        Some(Child {
            hash: *self.hashes.get(16 + nibble)?,
            version,
            kind,
        })
    }

    /// All children with their nibbles.
    pub(super) fn children(&self) -> impl Iterator<Item = (usize, Child)> + '_ {
        (0..16).filter_map(|nibble| Some((nibble, self.child(nibble)?)))
    }

    /// Puts a child, or removes it. [`rehash`] must follow.
    pub(super) fn set(&mut self, nibble: usize, child: Option<Child>) {
        let slot = self.slots.get_mut(16 + nibble);
        let hash = self.hashes.get_mut(16 + nibble);
        let version = self.versions.get_mut(nibble);
        let leaves = self.leaves.get_mut(nibble);
        if let (Some(slot), Some(hash), Some(version), Some(leaves)) = (slot, hash, version, leaves)
        {
            *slot = match child.map(|child| child.kind) {
                None => Slot::Empty,
                Some(Kind::Leaf) => Slot::LoneLeaf,
                Some(Kind::Branch { .. }) => Slot::Inner,
            };
            *hash = child.map_or(EMPTY_ROOT.0, |child| child.hash);
            *version = child.map_or(0, |child| child.version);
            *leaves = child.map_or(0, |child| child.kind.leaves());
            self.unhashed |= 1 << (16 + nibble);
        }
    }

    /// Whether a child was put or removed and [`rehash`] has not followed yet.
    pub(super) const fn is_unhashed(&self) -> bool {
        self.unhashed != 0
    }

    /// Updates the place over two others, if either changed; true if it is the hash of both, which
    /// is still to be taken.
    fn settle(&mut self, index: usize) -> bool {
        let (left, right) = (2 * index, 2 * index + 1);
        if self.unhashed >> left & 0b11 == 0 {
            return false;
        }
        self.unhashed |= 1 << index;
        let (slot, lone) = match (self.slots[left], self.slots[right]) {
            // The hash of what is empty is the same wherever it is.
            (Slot::Empty, slot @ (Slot::Empty | Slot::LoneLeaf)) => (slot, right),
            (Slot::LoneLeaf, Slot::Empty) => (Slot::LoneLeaf, left),
            _ => {
                self.slots[index] = Slot::Inner;
                return true;
            }
        };
        (self.slots[index], self.hashes[index]) = (slot, self.hashes[lone]);
        false
    }

    /// The hashes that the one of an inner place is of.
    fn pair(&self, index: usize) -> [&Hash; 2] {
        [&self.hashes[2 * index], &self.hashes[2 * index + 1]]
    }

    /// The node's hash.
    pub(super) fn hash(&self) -> Hash {
        debug_assert!(!self.is_unhashed(), "read before it was taken");
        self.hashes[1]
    }

    /// How many leaves it has below.
    pub(super) fn leaves(&self) -> u64 {
        let leaves = self.leaves.iter();
        leaves.fold(0, |sum, leaves| sum.saturating_add(*leaves))
    }

    /// The only child and its nibble, if it is a leaf: then this node must not be.
    pub(super) fn lone_leaf(&self) -> Option<(usize, Child)> {
        let mut children = self.children();
        let first = children
            .next()
            .filter(|(_, child)| child.kind == Kind::Leaf);
        first.filter(|_| children.next().is_none())
    }

    /// Whether there is no child.
    pub(super) fn is_empty(&self) -> bool {
        self.children().next().is_none()
    }

    /// Its bytes in storage.
    pub(super) fn encode(&self) -> Vec<u8> {
        let count = |wanted: fn(&Slot) -> bool| {
            let children = self.slots[16..].iter();
            children.filter(|slot| wanted(slot)).count()
        };
        let children = count(|slot| *slot != Slot::Empty);
        let branches = count(|slot| *slot == Slot::Inner);
        let mut bytes = Vec::with_capacity(1 + 16 + 41 * children + 8 * branches + 16);
        bytes.push(1);
        for nibble in 0..16 {
            let Some(child) = self.child(nibble) else {
                bytes.push(0);
                continue;
            };
            bytes.push(1);
            bytes.extend_from_slice(&child.hash);
            bytes.extend_from_slice(&child.version.to_le_bytes());
            match child.kind {
                Kind::Leaf => bytes.push(0),
                Kind::Branch { leaves } => {
                    bytes.push(1);
                    bytes.extend_from_slice(&leaves.to_le_bytes());
                }
            }
        }
        bytes.extend_from_slice(&(children as u64).to_le_bytes());
        bytes.extend_from_slice(&self.leaves().to_le_bytes());
        bytes
    }

    /// Reads what follows the tag. Hashes are not taken; nothing is checked but the shape.
    fn decode(input: &mut Input<'_>) -> Option<(Arc<Self>, u64, u64)> {
        // Made where it stays: it is large.
        let mut made = Arc::<Self>::default();
        let branch = Arc::get_mut(&mut made)?;
        for nibble in 0..16 {
            match input.byte()? {
                0 => {}
                1 => {
                    let hash = input.hash()?;
                    let version = input.number()?;
                    let kind = match input.byte()? {
                        0 => Kind::Leaf,
                        1 => Kind::Branch {
                            leaves: input.number()?,
                        },
                        _ => return None,
                    };
                    let child = Child {
                        hash,
                        version,
                        kind,
                    };
                    branch.set(nibble, Some(child));
                }
                _ => return None,
            }
        }
        Some((made, input.number()?, input.number()?))
    }

    /// Whether counts and kinds agree.
    fn is_consistent(&self, version: u64, count: u64, leaves: u64) -> bool {
        let sum = self
            .leaves
            .iter()
            .try_fold(0u64, |sum, leaves| sum.checked_add(*leaves));
        !self.is_empty()
            && self.lone_leaf().is_none()
            && count == self.children().count() as u64
            && leaves <= LEAVES_MAX
            && sum == Some(leaves)
            && self.versions.iter().all(|written| *written <= version)
    }
}

impl Kind {
    /// How many leaves there are, itself included.
    pub(super) const fn leaves(self) -> u64 {
        match self {
            Self::Leaf => 1,
            Self::Branch { leaves } => leaves,
        }
    }
}

/// Bytes from storage, read from the front.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn hash(&mut self) -> Option<Hash> {
        self.array()
    }
}

/// The bytes of a root without keys.
pub(super) const NULL_BYTES: [u8; 1] = [0];

/// Reads the node at `place` and compares it with what its parent says.
///
/// # Errors
///
/// [`StateTreeError`] naming the node if it is not that node.
pub(super) fn decode(place: &Place, bytes: &[u8]) -> Result<Stored, StateTreeError> {
    let mut stored = parse(place, bytes)?;
    let hash = match &mut stored {
        Stored::Null => EMPTY_ROOT.0,
        Stored::Leaf(leaf) => leaf.hash(),
        Stored::Branch(branch) => {
            let branch = Arc::make_mut(branch);
            rehash(&mut [&mut *branch]);
            branch.hash()
        }
    };
    place.expects(&hash)?;
    Ok(stored)
}

/// The same, but the hash is not compared. That of a node with children is not even taken:
/// [`rehash`], then [`Place::expects`] must follow.
///
/// # Errors
///
/// As [`decode`].
pub(super) fn parse(place: &Place, bytes: &[u8]) -> Result<Stored, StateTreeError> {
    let unreadable = || place.damaged("does not decode");
    let mut input = Input(bytes);
    let (stored, kind) = match input.byte().ok_or_else(unreadable)? {
        0 if place.kind.is_none() => (Stored::Null, None),
        0 => return Err(place.damaged("is empty")),
        1 => {
            let read = Branch::decode(&mut input);
            let (branch, count, leaves) = read.ok_or_else(unreadable)?;
            if !branch.is_consistent(place.version, count, leaves) {
                return Err(place.damaged("contradicts itself"));
            }
            if place.path.depth() >= NIBBLES {
                return Err(place.damaged("is deeper than any key"));
            }
            (Stored::Branch(branch), Some(Kind::Branch { leaves }))
        }
        2 => {
            let key = StateKey(input.hash().ok_or_else(unreadable)?);
            let value = input.hash().ok_or_else(unreadable)?;
            if !place.path.leads_to(&key) {
                return Err(place.damaged("belongs elsewhere"));
            }
            (Stored::Leaf(Leaf { key, value }), Some(Kind::Leaf))
        }
        _ => return Err(unreadable()),
    };
    if !input.0.is_empty() {
        return Err(unreadable());
    }
    if place.kind.is_some() && place.kind != kind {
        return Err(place.damaged("is not what its parent says"));
    }
    Ok(stored)
}

/// Takes the hashes over all children that were put or removed, those of different nodes side by
/// side.
pub(super) fn rehash(branches: &mut [&mut Branch]) {
    for first in [8, 4, 2, 1] {
        let mut due = [(0, 0); LANES];
        let mut count = 0;
        for at in 0..branches.len() {
            for index in first..2 * first {
                if branches[at].settle(index) {
                    due[count] = (at, index);
                    count += 1;
                }
                if count == LANES {
                    join(branches, &due);
                    count = 0;
                }
            }
        }
        join(branches, &due[..count]);
    }
    for branch in branches {
        branch.unhashed = 0;
    }
}

/// Takes the hashes at these places, at most [`LANES`]: which node, and where in it.
fn join(branches: &mut [&mut Branch], due: &[(usize, usize)]) {
    let pairs = due.iter().map(|(at, index)| branches[*at].pair(*index));
    for ((at, index), hash) in due.iter().zip(hash::inner_of(pairs)) {
        branches[*at].hashes[*index] = hash;
    }
}
