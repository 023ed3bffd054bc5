//! The nodes nearest to the root, kept decoded and hashed.
//!
//! Nearly every block changes them, so the next would read, decode and hash again what the last
//! one wrote: a fifth of the work of a thousand changes in a tree of a million keys.
//!
//! ```text
//!   apply ──▶ StateUpdate { nodes, warmth } ──▶ the store writes the nodes, then absorbs the warmth
//!   apply ◀── Warm ◀───────────────────────────┘
//! ```
//!
//! Invariants:
//! - what is kept was written: a block that lost leaves nothing here;
//! - a kept node is used only for the version, hash and count that its parent states;
//! - one node at most for each of the places down to [`DEPTH_MAX`]: some 6 MB.

use std::sync::Arc;

use super::node::Branch;
use super::place::{Path, Place};

/// Nibbles from the root to the deepest node that is kept.
const DEPTH_MAX: usize = 3;
/// Places down to there: 1 + 16 + 16² + 16³.
const PLACES: usize = 1 + 16 + 256 + 4096;

/// The kept nodes. A store that has one hands it out by [`super::StateNodes::warm`].
#[derive(Clone, Default)]
pub struct Warm(Vec<Option<Kept>>);

/// What a version adds to [`Warm`], once it is stored.
#[derive(Clone, Default)]
pub struct Warmth {
    nodes: Vec<(usize, Kept)>,
}

#[derive(Clone)]
struct Kept {
    version: u64,
    branch: Arc<Branch>,
}

impl std::fmt::Debug for Warm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.0.iter().flatten().count();
        f.debug_struct("Warm").field("kept", &kept).finish()
    }
}

impl std::fmt::Debug for Warmth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warmth")
            .field("nodes", &self.nodes.len())
            .finish()
    }
}

/// Which place a path leads to, if nodes there are kept.
fn place_of(path: &Path) -> Option<usize> {
    const BEFORE: [usize; DEPTH_MAX + 1] = [0, 1, 17, 273];
    let before = BEFORE.get(path.depth())?;
    let nibbles = (0..path.depth()).fold(0, |sum, depth| sum << 4 | path.nibble(depth));
    Some(before + nibbles)
}

impl Warm {
    /// Takes what a version added. Call it when the version is stored, and not before.
    pub fn absorb(&mut self, warmth: &Warmth) {
        self.0.resize(PLACES, None);
        for (place, kept) in &warmth.nodes {
            if let Some(slot) = self.0.get_mut(*place) {
                *slot = Some(kept.clone());
            }
        }
    }

    /// The node at `place`, if it is kept.
    pub(super) fn get(&self, place: &Place) -> Option<&Arc<Branch>> {
        let kept = self.0.get(place_of(&place.path)?)?.as_ref()?;
        (kept.version == place.version && place.is_of(&kept.branch)).then_some(&kept.branch)
    }
}

impl Warmth {
    /// Adds a node that `version` wrote.
    pub(super) fn add(&mut self, path: &Path, version: u64, branch: Arc<Branch>) {
        if let Some(place) = place_of(path) {
            self.nodes.push((place, Kept { version, branch }));
        }
    }
}
