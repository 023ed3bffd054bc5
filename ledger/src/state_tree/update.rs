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
//! Nodes of one depth are visited together, up to [`AT_ONCE`], so that their hashes are taken side
//! by side.
//!
//! Invariant: what was not read is not needed; a node that was read is what its parent says.

use std::sync::Arc;

use super::hash::{Hash, LANES};
use super::node::{Branch, Child, Kind, Leaf, NULL_BYTES, Stored, decode, parse, rehash};
use super::place::{Path, Place, nibble_of};
use super::warm::Warmth;
use super::{EMPTY_ROOT, StateKey, StateNodes, StateTreeError, StateUpdate};
use crate::id::StateRoot;

/// How many nodes are visited together: enough to fill the registers, and no more than 100 KB of
/// them at a depth.
const AT_ONCE: usize = 64;

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

/// A node, and what changes below it.
#[derive(Clone, Copy)]
struct Visit<'c> {
    place: Place,
    changes: &'c [Change],
}

/// The way from a node to one of its children.
#[derive(Clone, Copy)]
struct Step {
    /// Which of the nodes that are visited together.
    at: usize,
    nibble: usize,
    path: Path,
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
                Stored::Leaf(leaf) => self.change_known_leaf(place, leaf, changes),
                Stored::Branch(branch) => {
                    let place = *place;
                    let visits = [Visit { place, changes }];
                    let became = self.change_branches(&visits, vec![branch])?.pop();
                    became.expect("what is visited becomes something")
                }
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

    /// The node with children there, if it is kept.
    fn at_hand(&self, place: &Place) -> Option<Arc<Branch>> {
        let kept = self.nodes.warm()?.get(place)?;
        Some(Arc::clone(kept))
    }

    fn read(&self, place: &Place) -> Result<Stored, StateTreeError> {
        match self.at_hand(place) {
            Some(branch) => Ok(Stored::Branch(branch)),
            None => decode(place, &self.bytes(place)?),
        }
    }

    /// What becomes of nodes with children, of one depth.
    fn change(&mut self, visits: &[Visit<'_>]) -> Result<Vec<Became>, StateTreeError> {
        let mut became = Vec::with_capacity(visits.len());
        for visits in visits.chunks(AT_ONCE) {
            let branches = self.branches(visits)?;
            became.append(&mut self.change_branches(visits, branches)?);
        }
        Ok(became)
    }

    /// The nodes there, checked.
    fn branches(&self, visits: &[Visit<'_>]) -> Result<Vec<Arc<Branch>>, StateTreeError> {
        let mut branches = Vec::with_capacity(visits.len());
        for Visit { place, .. } in visits {
            branches.push(match self.at_hand(place) {
                Some(branch) => branch,
                None => match parse(place, &self.bytes(place)?)? {
                    Stored::Branch(branch) => branch,
                    _ => return Err(place.damaged("is not what its parent says")),
                },
            });
        }
        rehash_all(&mut branches);
        for (Visit { place, .. }, branch) in visits.iter().zip(&branches) {
            place.expects(&branch.hash())?;
        }
        Ok(branches)
    }

    /// Changes where there is a leaf.
    fn change_leaf(&mut self, place: &Place, changes: &[Change]) -> Result<Became, StateTreeError> {
        let at = place.storage_key();
        let bytes = self.bytes_at(place, &at)?;
        // Nearly always one change, of the same key. Then all that is needed of it is whose it
        // is: its value, which its hash covers as well, goes.
        if let [(key, value)] = changes
            && Leaf::is_of(&bytes, key)
        {
            self.stale.push(at);
            let leaf = value.map(|value| Leaf { key: *key, value });
            return Ok(leaf.map_or(Became::Gone, Became::Leaf));
        }
        match decode(place, &bytes)? {
            Stored::Leaf(leaf) => Ok(self.change_known_leaf(place, leaf, changes)),
            _ => Err(place.damaged("is not what its parent says")),
        }
    }

    /// A leaf is replaced, deleted, or gets company below its place.
    fn change_known_leaf(&mut self, place: &Place, leaf: Leaf, changes: &[Change]) -> Became {
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

    /// What becomes of these nodes: first of all that is below them, then their hashes, side by
    /// side, and then each.
    fn change_branches(
        &mut self,
        visits: &[Visit<'_>],
        mut branches: Vec<Arc<Branch>>,
    ) -> Result<Vec<Became>, StateTreeError> {
        let (mut steps, mut deeper, mut below) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (Visit { place, changes }, branch)) in visits.iter().zip(&branches).enumerate() {
            let depth = place.path.depth();
            for changes in
                changes.chunk_by(|(a, _), (b, _)| nibble_of(a, depth) == nibble_of(b, depth))
            {
                let nibble = changes.first().map_or(0, |(key, _)| nibble_of(key, depth));
                let path = place.path.child(nibble);
                let path = path.ok_or_else(|| place.damaged("is deeper than any key"))?;
                let step = Step { at, nibble, path };
                let became = match branch.child(nibble) {
                    None => match present(changes) {
                        none if none.is_empty() => Became::Same,
                        leaves => self.make(path, &leaves),
                    },
                    Some(child) => {
                        let place = place.child(nibble, &child)?;
                        if child.kind != Kind::Leaf {
                            deeper.push(step);
                            below.push(Visit { place, changes });
                            continue;
                        }
                        self.change_leaf(&place, changes)?
                    }
                };
                steps.push((step, became));
            }
        }
        let became = self.change(&below)?;
        steps.extend(deeper.into_iter().zip(became));
        for (step, child) in self.kept(steps) {
            Arc::make_mut(&mut branches[step.at]).set(step.nibble, child);
        }
        let changed: Vec<_> = branches.iter().map(|branch| branch.is_unhashed()).collect();
        rehash_all(&mut branches);
        let nodes = visits.iter().zip(branches).zip(changed);
        nodes
            .map(|((visit, branch), changed)| match changed {
                true => self.replace(&visit.place, branch),
                false => Ok(Became::Same),
            })
            .collect()
    }

    /// What becomes of a node some of whose children were put or removed.
    fn replace(&mut self, place: &Place, branch: Arc<Branch>) -> Result<Became, StateTreeError> {
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
            // Written a moment ago, by this very version: among the last of those visited together.
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
        let mut steps = Vec::new();
        for group in leaves.chunk_by(|a, b| nibble_of(&a.key, depth) == nibble_of(&b.key, depth)) {
            let nibble = group.first().map_or(0, |leaf| nibble_of(&leaf.key, depth));
            // Two different keys part before their end, so there is always a child.
            if let Some(path) = path.child(nibble) {
                let step = Step {
                    at: 0,
                    nibble,
                    path,
                };
                steps.push((step, self.make(path, group)));
            }
        }
        let mut branch = Branch::default();
        for (step, child) in self.kept(steps) {
            branch.set(step.nibble, child);
        }
        rehash(&mut [&mut branch]);
        self.write(path, Arc::new(branch))
    }

    /// What parents write down of children that changed. Leaves are written.
    fn kept(&mut self, steps: Vec<(Step, Became)>) -> Vec<(Step, Option<Child>)> {
        let version = self.version;
        let mut kept = Vec::with_capacity(steps.len());
        let mut leaves = Vec::new();
        for (step, became) in steps {
            match became {
                Became::Same => {}
                Became::Gone => kept.push((step, None)),
                Became::Leaf(leaf) => leaves.push((step, leaf)),
                Became::Branch { hash, leaves } => {
                    let kind = Kind::Branch { leaves };
                    let child = Child {
                        hash,
                        version,
                        kind,
                    };
                    kept.push((step, Some(child)));
                }
            }
        }
        for some in leaves.chunks(LANES) {
            let hashes = Leaf::hashes(some.iter().map(|(_, leaf)| leaf));
            for ((step, leaf), hash) in some.iter().zip(hashes) {
                let key = step.path.storage_key(version);
                self.new.push((key, leaf.encode()));
                let child = Child {
                    hash,
                    version,
                    kind: Kind::Leaf,
                };
                kept.push((*step, Some(child)));
            }
        }
        kept
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

/// Takes the hashes over all children that were put or removed.
fn rehash_all(branches: &mut [Arc<Branch>]) {
    let unhashed = branches.iter_mut().filter(|branch| branch.is_unhashed());
    let mut unhashed: Vec<_> = unhashed.map(Arc::make_mut).collect();
    rehash(&mut unhashed);
}
