//! Stored nodes, checked before the tree's crate makes a proof from them.
//!
//! `jmt` takes a missing root for an empty tree and panics on many a damaged node. So the nodes
//! that it will ask for are read here first, from the root downwards, each compared with the
//! hash, kind and count that its parent states. It then reads from memory, and only these.
//!
//! Invariant: what [`Checked::load`] returned holds every node that proving its key reads.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Version};

use super::node::{Stored, decode};
use super::place::{Place, nibble_of};
use super::{StateKey, StateNodes, StateTreeError};
use crate::id::StateRoot;

/// Checked nodes by their storage keys.
pub(super) struct Checked<'a> {
    nodes: &'a dyn StateNodes,
    loaded: BTreeMap<Vec<u8>, Node>,
}

impl<'a> Checked<'a> {
    /// Reads and checks what a proof of `key` needs of the tree that has `root` at `version`: the
    /// nodes on its way, and their children, which it names as siblings.
    pub(super) fn load(
        nodes: &'a dyn StateNodes,
        version: u64,
        root: &StateRoot,
        key: &StateKey,
    ) -> Result<Self, StateTreeError> {
        let mut checked = Self {
            nodes,
            loaded: BTreeMap::new(),
        };
        let mut place = Place::root(version, root.0);
        // Whatever the key: the version must be there, with the root that is expected of it.
        let mut node = checked.read(&place)?;
        while let Stored::Branch(branch) = node {
            let ours = nibble_of(key, place.path.depth());
            let mut next = None;
            for (nibble, child) in branch.children() {
                let below = place.child(nibble, &child)?;
                let read = checked.read(&below)?;
                if nibble == ours {
                    next = Some((below, read));
                }
            }
            let Some(found) = next else { break };
            (place, node) = found;
        }
        Ok(checked)
    }

    fn read(&mut self, place: &Place) -> Result<Stored, StateTreeError> {
        let key = place.storage_key();
        let bytes = self.nodes.node(&key)?;
        let bytes = bytes.ok_or_else(|| place.damaged("is missing"))?;
        let stored = decode(place, &bytes)?;
        let node = Node::try_from_slice(&bytes).map_err(|_| place.damaged("does not decode"))?;
        self.loaded.insert(key, node);
        Ok(stored)
    }
}

impl TreeReader for Checked<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.loaded.get(&borsh::to_vec(key)?).cloned())
    }

    fn get_value_option(&self, max: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.nodes.value(&StateKey(key.0), max)?)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        // Only asked for while a tree is restored from chunks, which this interface does not do.
        Err(anyhow::anyhow!("the state tree is not restored in chunks"))
    }
}
