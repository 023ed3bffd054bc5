//! The next version of the tree, all changes in one walk.
//!
//! ```text
//!   changes, sorted ──▶ root ──▶ the children that they lead to ──▶ … ──▶ leaves
//!   new nodes       ◀── each hashed once, on the way back up
//! ```
//!
//! A node on the way is read once, compared with what its parent says of it, and written once,
//! however many changes lead through it. `jmt`, which makes the same roots and the same nodes,
//! takes every change down from the root on its own: some ten times the work for a block.
//!
//! Invariant: what was not read is not needed; a node that was read is what its parent says.

use std::sync::Arc;

use super::node::{Branch, Child, Hash, Kind, Leaf, NULL_BYTES, Stored, decode};
use super::place::{Path, Place, nibble_of};
use super::warm::Warmth;
use super::{EMPTY_ROOT, StateKey, StateNodes, StateTreeError, StateUpdate};
use crate::id::StateRoot;

/// A key and its new value's hash; `None` if it is deleted.
type Change = (StateKey, Option<Hash>);

/// One version in the making.
pub(super) struct Updater<'a> {
    nodes: &'a dyn StateNodes,
    version: u64,
    new: Vec<(Vec<u8>, Vec<u8>)>,
    stale: Vec<Vec<u8>>,
    warmth: Warmth,
}

/// What became of a place in the tree.
enum Became {
    /// Nothing: what was stored stays.
    Same,
    /// No key is left.
    Gone,
    /// One key. It is not written yet: whoever keeps it does, for it may still rise.
    Leaf(Leaf),
    /// A node with children, written.
    Branch { hash: Hash, leaves: u64 },
}

impl<'a> Updater<'a> {
    /// Begins `version` of the tree in `nodes`.
    pub(super) fn new(nodes: &'a dyn StateNodes, version: u64) -> Self {
        Self {
            nodes,
            version,
            new: Vec::new(),
            stale: Vec::new(),
            warmth: Warmth::default(),
        }
    }

    /// Makes the changes, sorted by key, to the tree with `root` at the version before;
    /// `None` if there is none before.
    pub(super) fn run(
        mut self,
        last: Option<(u64, &StateRoot)>,
        changes: &[Change],
    ) -> Result<StateUpdate, StateTreeError> {
        let place = last.map(|(version, root)| Place::root(version, root.0));
        let became = match &place {
            None => self.make(Path::ROOT, &present(changes)),
            Some(place) => match self.read(place)? {
                // A root without keys is no node that a version could use up.
                Stored::Null if present(changes).is_empty() => Became::Same,
                Stored::Null => self.make(Path::ROOT, &present(changes)),
                stored => self.change_stored(place, stored, changes)?,
            },
        };
        let at = Path::ROOT.storage_key(self.version);
        let root = match (became, &place) {
            (Became::Branch { hash, .. }, _) => StateRoot(hash),
            (Became::Leaf(leaf), _) => {
                self.new.push((at, leaf.encode()));
                StateRoot(leaf.hash())
            }
            // Every version has a root of its own.
            (Became::Same, Some(place)) => {
                self.new.push((at, self.bytes(place)?));
                StateRoot(place.hash)
            }
            (Became::Gone, _) | (Became::Same, None) => {
                self.new.push((at, NULL_BYTES.to_vec()));
                EMPTY_ROOT
            }
        };
        Ok(StateUpdate {
            root,
            nodes: self.new,
            stale: self.stale,
            warmth: self.warmth,
        })
    }

    fn bytes(&self, place: &Place) -> Result<Vec<u8>, StateTreeError> {
        self.bytes_at(place, &place.storage_key())
    }

    /// The same, where the key is at hand.
    fn bytes_at(&self, place: &Place, key: &[u8]) -> Result<Vec<u8>, StateTreeError> {
        let bytes = self.nodes.node(key)?;
        bytes.ok_or_else(|| place.damaged("is missing"))
    }

    fn read(&self, place: &Place) -> Result<Stored, StateTreeError> {
        if let Some(kept) = self.nodes.warm().and_then(|warm| warm.get(place)) {
            return Ok(Stored::Branch(Arc::clone(kept)));
        }
        decode(place, &self.bytes(place)?)
    }

    fn change(&mut self, place: &Place, changes: &[Change]) -> Result<Became, StateTreeError> {
        if let (Some(Kind::Leaf), [(key, value)]) = (place.kind, changes) {
            return self.change_one(place, *key, *value);
        }
        let stored = self.read(place)?;
        self.change_stored(place, stored, changes)
    }

    /// One change where there is a leaf, nearly always that of the same key. Then all that is
    /// needed of it is whose it is: its value, which its hash covers as well, goes.
    fn change_one(
        &mut self,
        place: &Place,
        key: StateKey,
        value: Option<Hash>,
    ) -> Result<Became, StateTreeError> {
        let at = place.storage_key();
        let bytes = self.bytes_at(place, &at)?;
        if !Leaf::is_of(&bytes, &key) {
            let stored = decode(place, &bytes)?;
            return self.change_stored(place, stored, &[(key, value)]);
        }
        self.stale.push(at);
        Ok(value.map_or(Became::Gone, |value| Became::Leaf(Leaf { key, value })))
    }

    fn change_stored(
        &mut self,
        place: &Place,
        stored: Stored,
        changes: &[Change],
    ) -> Result<Became, StateTreeError> {
        match stored {
            Stored::Null => Err(place.damaged("is empty")),
            Stored::Leaf(leaf) => Ok(self.change_leaf(place, leaf, changes)),
            Stored::Branch(branch) => self.change_branch(place, branch, changes),
        }
    }

    /// A leaf is replaced, deleted, or gets company below its place.
    fn change_leaf(&mut self, place: &Place, leaf: Leaf, changes: &[Change]) -> Became {
        let mut leaves = present(changes);
        match changes.binary_search_by(|(key, _)| key.cmp(&leaf.key)) {
            Ok(_) => {}
            Err(_) if leaves.is_empty() => return Became::Same,
            Err(_) => {
                let at = leaves.partition_point(|other| other.key < leaf.key);
                leaves.insert(at, leaf);
            }
        }
        self.stale.push(place.storage_key());
        self.make(place.path, &leaves)
    }

    fn change_branch(
        &mut self,
        place: &Place,
        mut branch: Arc<Branch>,
        changes: &[Change],
    ) -> Result<Became, StateTreeError> {
        let depth = place.path.depth();
        let mut changed = 0u16;
        for group in changes.chunk_by(|(a, _), (b, _)| nibble_of(a, depth) == nibble_of(b, depth)) {
            let Some((first, _)) = group.first() else {
                continue;
            };
            let nibble = nibble_of(first, depth);
            let path = place.path.child(nibble);
            let path = path.ok_or_else(|| place.damaged("is deeper than any key"))?;
            let became = match branch.child(nibble) {
                Some(child) => self.change(&place.child(nibble, &child)?, group)?,
                None => match present(group) {
                    none if none.is_empty() => Became::Same,
                    leaves => self.make(path, &leaves),
                },
            };
            if let Some(child) = self.kept(path, became) {
                Arc::make_mut(&mut branch).set(nibble, child);
                changed |= 1 << nibble;
            }
        }
        if changed == 0 {
            return Ok(Became::Same);
        }
        Arc::make_mut(&mut branch).rehash(changed);
        self.stale.push(place.storage_key());
        if branch.is_empty() {
            return Ok(Became::Gone);
        }
        match branch.lone_leaf() {
            Some((nibble, child)) => self.lift(&place.child(nibble, &child)?),
            None => Ok(self.write(place.path, branch)),
        }
    }

    /// The last leaf of a node that lost all others takes the node's place.
    fn lift(&mut self, place: &Place) -> Result<Became, StateTreeError> {
        let key = place.storage_key();
        if place.version == self.version {
            // Written a moment ago, by this very version.
            let at = self.new.iter().rposition(|(written, _)| *written == key);
            let at = at.ok_or_else(|| place.damaged("is missing"))?;
            let (_, bytes) = self.new.remove(at);
            return match decode(place, &bytes)? {
                Stored::Leaf(leaf) => Ok(Became::Leaf(leaf)),
                _ => Err(place.damaged("is not what its parent says")),
            };
        }
        match self.read(place)? {
            Stored::Leaf(leaf) => {
                self.stale.push(key);
                Ok(Became::Leaf(leaf))
            }
            _ => Err(place.damaged("is not what its parent says")),
        }
    }

    /// A new place with these keys, sorted.
    fn make(&mut self, path: Path, leaves: &[Leaf]) -> Became {
        match leaves {
            [] => return Became::Gone,
            [leaf] => return Became::Leaf(*leaf),
            _ => {}
        }
        let depth = path.depth();
        let mut branch = Branch::default();
        let mut changed = 0u16;
        for group in leaves.chunk_by(|a, b| nibble_of(&a.key, depth) == nibble_of(&b.key, depth)) {
            let nibble = group.first().map_or(0, |leaf| nibble_of(&leaf.key, depth));
            // Two different keys part before their end, so there is always a child.
            if let Some(below) = path.child(nibble) {
                let became = self.make(below, group);
                branch.set(nibble, self.kept(below, became).flatten());
                changed |= 1 << nibble;
            }
        }
        branch.rehash(changed);
        self.write(path, Arc::new(branch))
    }

    /// What a parent writes down of a child that changed; `None` if it did not.
    fn kept(&mut self, path: Path, became: Became) -> Option<Option<Child>> {
        let (hash, kind) = match became {
            Became::Same => return None,
            Became::Gone => return Some(None),
            Became::Branch { hash, leaves } => (hash, Kind::Branch { leaves }),
            Became::Leaf(leaf) => {
                let key = path.storage_key(self.version);
                self.new.push((key, leaf.encode()));
                (leaf.hash(), Kind::Leaf)
            }
        };
        let version = self.version;
        Some(Some(Child {
            hash,
            version,
            kind,
        }))
    }

    fn write(&mut self, path: Path, branch: Arc<Branch>) -> Became {
        let key = path.storage_key(self.version);
        self.new.push((key, branch.encode()));
        let (hash, leaves) = (branch.hash(), branch.leaves());
        self.warmth.add(&path, self.version, branch);
        Became::Branch { hash, leaves }
    }
}

/// The keys that have a value after the changes.
fn present(changes: &[Change]) -> Vec<Leaf> {
    changes
        .iter()
        .filter_map(|(key, value)| {
            Some(Leaf {
                key: *key,
                value: (*value)?,
            })
        })
        .collect()
}
