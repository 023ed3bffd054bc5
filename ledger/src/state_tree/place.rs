//! Where nodes of the state tree are: the way to them, and what their parents say of them.
//!
//! ```text
//!   key    version (u64) ‖ nibbles (u64) ‖ bytes (u32) ‖ the nibbles, two a byte, filled with a zero
//! ```
//!
//! Integers are little-endian, as `jmt` writes the keys of its nodes.

use super::hash::Hash;
use super::node::{Branch, Child, Kind};
use super::{StateKey, StateTreeError};

/// Nibbles of a key, and thus the deepest path.
pub(super) const NIBBLES: usize = 64;

/// The way from the root to a node: a prefix of some key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Path {
    /// The prefix, then zeros.
    bytes: [u8; 32],
    /// Its length in nibbles, at most [`NIBBLES`].
    depth: usize,
}

/// Where a node is, and what its parent says of it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The version that wrote it.
    pub(super) version: u64,
    /// The way to it.
    pub(super) path: Path,
    /// Its hash.
    pub(super) hash: Hash,
    /// Whether it is a leaf, or how many it has below; `None` for the root, which has no parent.
    pub(super) kind: Option<Kind>,
}

impl Path {
    /// The way to the root.
    pub(super) const ROOT: Self = Self {
        bytes: [0; 32],
        depth: 0,
    };

    /// How many nibbles it has.
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// Its nibble at `depth`, which is below its own.
    pub(super) fn nibble(&self, depth: usize) -> usize {
        nibble(&self.bytes, depth)
    }

    /// The way to a child; `None` if no key is that long.
    pub(super) fn child(mut self, nibble: usize) -> Option<Self> {
        let nibble = u8::try_from(nibble & 0x0f).ok()?;
        let byte = self.bytes.get_mut(self.depth / 2)?;
        *byte |= if self.depth.is_multiple_of(2) {
            nibble << 4
        } else {
            nibble
        };
        self.depth += 1;
        Some(self)
    }

    /// Whether `key` begins with it.
    pub(super) fn leads_to(&self, key: &StateKey) -> bool {
        (0..self.depth).all(|depth| nibble(&self.bytes, depth) == nibble(&key.0, depth))
    }

    /// The storage key of the node that `version` wrote there.
    pub(super) fn storage_key(&self, version: u64) -> Vec<u8> {
        let path = self
            .bytes
            .get(..self.depth.div_ceil(2))
            .unwrap_or(&self.bytes);
        let mut key = Vec::with_capacity(20 + path.len());
        key.extend_from_slice(&version.to_le_bytes());
        key.extend_from_slice(&(self.depth as u64).to_le_bytes());
        // At most 32.
        key.extend_from_slice(&u32::try_from(path.len()).unwrap_or(u32::MAX).to_le_bytes());
        key.extend_from_slice(path);
        key
    }
}

fn nibble(bytes: &[u8; 32], depth: usize) -> usize {
    let byte = bytes.get(depth / 2).copied().unwrap_or(0);
    usize::from(if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    })
}

/// Which child of a node at `depth` leads to `key`.
pub(super) fn nibble_of(key: &StateKey, depth: usize) -> usize {
    nibble(&key.0, depth)
}

impl Place {
    /// The root of `version`.
    pub(super) const fn root(version: u64, root: Hash) -> Self {
        Self {
            version,
            path: Path::ROOT,
            hash: root,
            kind: None,
        }
    }

    /// A child of the node at this place.
    ///
    /// # Errors
    ///
    /// [`StateTreeError`] if no key is that long.
    pub(super) fn child(&self, nibble: usize, child: &Child) -> Result<Self, StateTreeError> {
        let path = self.path.child(nibble);
        Ok(Self {
            version: child.version,
            path: path.ok_or_else(|| self.damaged("is deeper than any key"))?,
            hash: child.hash,
            kind: Some(child.kind),
        })
    }

    /// The node's storage key.
    pub(super) fn storage_key(&self) -> Vec<u8> {
        self.path.storage_key(self.version)
    }

    /// Whether this is what the parent says of the node: its hash and how many leaves it has.
    pub(super) fn is_of(&self, branch: &Branch) -> bool {
        let kind = Kind::Branch {
            leaves: branch.leaves(),
        };
        branch.hash() == self.hash && self.kind.is_none_or(|stated| stated == kind)
    }

    /// Compares the node's hash with what the parent says.
    ///
    /// # Errors
    ///
    /// [`StateTreeError`] naming the node if it is another.
    pub(super) fn expects(&self, hash: &Hash) -> Result<(), StateTreeError> {
        match *hash == self.hash {
            true => Ok(()),
            false => Err(self.damaged("has another hash than expected")),
        }
    }

    /// An error that names the node.
    pub(super) fn damaged(&self, what: &str) -> StateTreeError {
        let path: String = (0..self.path.depth)
            .map(|depth| format!("{:x}", nibble(&self.path.bytes, depth)))
            .collect();
        StateTreeError(format!(
            "the node at path '{path}' of version {} {what}",
            self.version
        ))
    }
}
