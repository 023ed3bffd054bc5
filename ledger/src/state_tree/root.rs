//! The root of a set of records, from the records alone: in the order of their keys, one at a
//! time, with no more memory than a path has hashes.
//!
//! ```text
//!   keys    0010…  0011…  0111…        the bit at which neighbours part is where they meet
//!               3      1
//! ```

use super::hash::{Hash, inner};
use super::node::Leaf;
use super::{EMPTY_ROOT, StateKey, StateTreeError};
use crate::id::StateRoot;

/// Takes the records of a state, in the order of their keys, and says what its root is.
#[derive(Debug, Default)]
pub struct RootBuilder {
    /// Subtrees that wait for what is to their right, and the bit at which each parts from it.
    waiting: Vec<(Subtree, usize)>,
    last: Option<Subtree>,
}

/// The tree over some neighbouring keys.
#[derive(Debug, Clone, Copy)]
struct Subtree {
    /// One of its keys.
    key: StateKey,
    hash: Hash,
    /// The bit at which its keys part; `None` for a lone leaf, which stands for any height.
    parts_at: Option<usize>,
}

fn bit(key: &StateKey, depth: usize) -> bool {
    let byte = key.0.get(depth / 8).copied().unwrap_or(0);
    byte >> (7 - depth % 8) & 1 == 1
}

/// The first bit at which two keys differ; `None` if they do not.
fn parting(a: &StateKey, b: &StateKey) -> Option<usize> {
    let differs = a.0.iter().zip(&b.0).position(|(a, b)| a != b)?;
    let (a, b) = (a.0.get(differs)?, b.0.get(differs)?);
    Some(8 * differs + (a ^ b).leading_zeros() as usize)
}

impl Subtree {
    /// Its hash at `depth`: keys that have not parted yet have empty neighbours.
    fn hash_at(&self, depth: usize) -> Hash {
        let levels = (depth..self.parts_at.unwrap_or(depth)).rev();
        levels.fold(self.hash, |hash, depth| match bit(&self.key, depth) {
            false => inner(&hash, &EMPTY_ROOT.0),
            true => inner(&EMPTY_ROOT.0, &hash),
        })
    }

    fn joined(left: &Self, right: &Self, parts_at: usize) -> Self {
        Self {
            key: left.key,
            hash: inner(&left.hash_at(parts_at + 1), &right.hash_at(parts_at + 1)),
            parts_at: Some(parts_at),
        }
    }
}

impl RootBuilder {
    /// Takes the next record.
    ///
    /// # Errors
    ///
    /// [`StateTreeError`] if its key is not after the last one.
    pub fn push(&mut self, key: StateKey, value: &[u8]) -> Result<(), StateTreeError> {
        let leaf = Subtree {
            key,
            hash: Leaf::new(key, value).hash(),
            parts_at: None,
        };
        if let Some(last) = self.last.take() {
            let parting = parting(&last.key, &key).filter(|at| bit(&key, *at));
            let parting = parting.ok_or_else(|| {
                StateTreeError(format!("key {key} does not come after key {}", last.key))
            })?;
            let closed = self.close(last, parting);
            self.waiting.push((closed, parting));
        }
        self.last = Some(leaf);
        Ok(())
    }

    /// Joins what parts below the bit `above`, from right to left.
    fn close(&mut self, mut right: Subtree, above: usize) -> Subtree {
        while let Some((left, parts_at)) = self.waiting.pop_if(|(_, parts_at)| *parts_at > above) {
            right = Subtree::joined(&left, &right, parts_at);
        }
        right
    }

    /// The root of all of them.
    #[must_use]
    pub fn finish(mut self) -> StateRoot {
        let Some(mut right) = self.last.take() else {
            return EMPTY_ROOT;
        };
        while let Some((left, parts_at)) = self.waiting.pop() {
            right = Subtree::joined(&left, &right, parts_at);
        }
        StateRoot(right.hash_at(0))
    }
}
