//! Stored nodes, checked before the tree's crate sees them.
//!
//! `jmt` takes a missing root for an empty tree and panics on many a damaged node. So the nodes
//! that it will ask for are read here first, from the root downwards, each compared with the
//! hash, kind and count that its parent states. It then reads from memory, and only these.
//!
//! Invariant: what [`Checked::load`] returned holds every node that inserting, deleting (with
//! [`Reach::Neighbours`]) or proving one of its keys reads.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Version};

use super::{Blake3, EMPTY_ROOT, StateKey, StateNodes, StateTreeError};
use crate::id::StateRoot;

/// Nibbles of a key, and thus the deepest path.
const NIBBLES: usize = 64;
/// More leaves than a tree will ever have; the crate adds up counts that no hash covers.
const LEAVES_MAX: u64 = 1 << 48;

/// Which nodes beside those on a key's own path are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// None: a value is inserted or replaced.
    Path,
    /// All children of the path's nodes: a proof names siblings, a deletion may lift one.
    Neighbours,
}

/// Checked nodes by their storage keys.
pub(super) struct Checked<'a> {
    nodes: &'a dyn StateNodes,
    loaded: BTreeMap<Vec<u8>, (Node, Stored)>,
}

/// The encoding that the crate gives its nodes, as far as it must be checked.
#[derive(BorshDeserialize)]
enum Stored {
    Null,
    Internal(Box<StoredInternal>),
    Leaf { key: [u8; 32], _value: [u8; 32] },
}

#[derive(BorshDeserialize, Clone)]
struct StoredInternal {
    children: [Option<StoredChild>; 16],
    count: u64,
    leaves: u64,
}

#[derive(BorshDeserialize, Clone)]
struct StoredChild {
    hash: [u8; 32],
    version: u64,
    kind: StoredKind,
}

#[derive(BorshDeserialize, Clone, Copy, PartialEq, Eq)]
enum StoredKind {
    Leaf,
    Internal { leaves: u64 },
}

/// Where a node is, and what its parent says of it.
#[derive(Clone)]
struct Place {
    version: u64,
    nibbles: Vec<u8>,
    hash: [u8; 32],
    /// `None` for the root, which has no parent.
    kind: Option<StoredKind>,
}

impl StoredKind {
    const fn leaves(self) -> u64 {
        match self {
            Self::Leaf => 1,
            Self::Internal { leaves } => leaves,
        }
    }
}

impl StoredInternal {
    fn child(&self, nibble: u8) -> Option<&StoredChild> {
        self.children.get(usize::from(nibble))?.as_ref()
    }

    /// Whether counts and kinds agree, so that the crate's assertions hold.
    fn is_consistent(&self, version: u64) -> bool {
        let children: Vec<&StoredChild> = self.children.iter().flatten().collect();
        let leaves = children
            .iter()
            .try_fold(0u64, |sum, child| sum.checked_add(child.kind.leaves()));
        let lone_leaf = matches!(children.as_slice(), [one] if one.kind == StoredKind::Leaf);
        !children.is_empty()
            && !lone_leaf
            && self.count == children.len() as u64
            && self.leaves <= LEAVES_MAX
            && leaves == Some(self.leaves)
            && children.iter().all(|child| child.version <= version)
    }
}

impl Place {
    fn root(version: u64, root: &StateRoot) -> Self {
        Self {
            version,
            nibbles: Vec::new(),
            hash: root.0,
            kind: None,
        }
    }

    fn child(&self, nibble: u8, child: &StoredChild) -> Self {
        let mut nibbles = self.nibbles.clone();
        nibbles.push(nibble);
        Self {
            version: child.version,
            nibbles,
            hash: child.hash,
            kind: Some(child.kind),
        }
    }

    /// The node's storage key: the encoding of the crate's `NodeKey`.
    fn storage_key(&self) -> Vec<u8> {
        let bytes: Vec<u8> = self
            .nibbles
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0))
            .collect();
        borsh::to_vec(&(self.version, self.nibbles.len() as u64, bytes))
            .expect("writing to memory cannot fail")
    }

    fn damaged(&self, what: &str) -> StateTreeError {
        let path: String = self.nibbles.iter().map(|n| format!("{n:x}")).collect();
        StateTreeError(format!(
            "the node at path '{path}' of version {} {what}",
            self.version
        ))
    }
}

fn nibble_of(key: &StateKey, depth: usize) -> u8 {
    let byte = key.0.get(depth / 2).copied().unwrap_or(0);
    if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    }
}

impl<'a> Checked<'a> {
    /// Holds no node: the tree before its first version.
    pub(super) const fn empty(nodes: &'a dyn StateNodes) -> Self {
        Self {
            nodes,
            loaded: BTreeMap::new(),
        }
    }

    /// Reads and checks what the keys need of the tree that has `root` at `version`.
    pub(super) fn load<'k>(
        nodes: &'a dyn StateNodes,
        version: u64,
        root: &StateRoot,
        keys: impl IntoIterator<Item = &'k StateKey>,
        reach: Reach,
    ) -> Result<Self, StateTreeError> {
        let mut checked = Self::empty(nodes);
        let root = Place::root(version, root);
        // Whatever the keys: the version must be there, with the root that is expected of it.
        checked.read(&root)?;
        for key in keys {
            checked.follow(&root, key, reach)?;
        }
        Ok(checked)
    }

    fn follow(&mut self, root: &Place, key: &StateKey, reach: Reach) -> Result<(), StateTreeError> {
        let mut place = root.clone();
        for depth in 0..NIBBLES {
            let Stored::Internal(internal) = self.read(&place)? else {
                return Ok(());
            };
            let mut neighbours: Vec<Place> = Vec::new();
            if reach == Reach::Neighbours {
                neighbours = (0u8..16)
                    .filter_map(|n| internal.child(n).map(|child| place.child(n, child)))
                    .collect();
            }
            let nibble = nibble_of(key, depth);
            let next = internal
                .child(nibble)
                .map(|child| place.child(nibble, child));
            for neighbour in &neighbours {
                self.read(neighbour)?;
            }
            match next {
                Some(next) => place = next,
                None => return Ok(()),
            }
        }
        match self.read(&place)? {
            Stored::Internal(_) => Err(place.damaged("is deeper than any key")),
            _ => Ok(()),
        }
    }

    /// The node at `place`, read and checked once.
    fn read(&mut self, place: &Place) -> Result<&Stored, StateTreeError> {
        let key = place.storage_key();
        if !self.loaded.contains_key(&key) {
            let bytes = self
                .nodes
                .node(&key)?
                .ok_or_else(|| place.damaged("is missing"))?;
            let node = check(place, &bytes)?;
            self.loaded.insert(key.clone(), node);
        }
        match self.loaded.get(&key) {
            Some((_, stored)) => Ok(stored),
            None => Err(place.damaged("is missing")),
        }
    }
}

fn check(place: &Place, bytes: &[u8]) -> Result<(Node, Stored), StateTreeError> {
    let unreadable = |_| place.damaged("does not decode");
    let stored = Stored::try_from_slice(bytes).map_err(unreadable)?;
    let kind = match &stored {
        Stored::Null if place.kind.is_none() => None,
        Stored::Null => return Err(place.damaged("is empty")),
        Stored::Leaf { key, .. } => {
            let own = (0..place.nibbles.len()).map(|depth| nibble_of(&StateKey(*key), depth));
            if !own.eq(place.nibbles.iter().copied()) {
                return Err(place.damaged("belongs elsewhere"));
            }
            Some(StoredKind::Leaf)
        }
        Stored::Internal(internal) => {
            if !internal.is_consistent(place.version) {
                return Err(place.damaged("contradicts itself"));
            }
            Some(StoredKind::Internal {
                leaves: internal.leaves,
            })
        }
    };
    if place.kind.is_some() && place.kind != kind {
        return Err(place.damaged("is not what its parent says"));
    }
    let node = Node::try_from_slice(bytes).map_err(unreadable)?;
    let hash = match &node {
        Node::Null => EMPTY_ROOT.0,
        Node::Leaf(leaf) => leaf.hash::<Blake3>(),
        Node::Internal(internal) => internal.hash::<Blake3>(),
    };
    if hash == place.hash {
        Ok((node, stored))
    } else {
        Err(place.damaged("has another hash than expected"))
    }
}

impl TreeReader for Checked<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self
            .loaded
            .get(&borsh::to_vec(key)?)
            .map(|(node, _)| node.clone()))
    }

    fn get_value_option(&self, max: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.nodes.value(&StateKey(key.0), max)?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        // Only asked for while a tree is restored from chunks, which this interface does not do.
        Err(anyhow::anyhow!("the state tree is not restored in chunks"))
    }
}
