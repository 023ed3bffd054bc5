//! The log as an outsider rebuilds it: from the served entries, by the standard alone.
//!
//! Source: RFC 6962, section 2.1; c2sp.org/tlog-tiles for the paths and the framing.

use sha2::{Digest as _, Sha256};

use super::Client;

/// Entries in a full bundle.
const BUNDLE: u64 = 256;

/// A log's first entries and their leaf hashes.
#[derive(Debug)]
pub struct Log {
    /// The entries' bytes.
    pub entries: Vec<Vec<u8>>,
    leaves: Vec<[u8; 32]>,
}

impl Log {
    /// Downloads the first `size` entries.
    #[must_use]
    pub fn fetch(client: &Client, size: u64) -> Self {
        let mut entries = Vec::new();
        for bundle in 0..size.div_ceil(BUNDLE) {
            let width = (size - bundle * BUNDLE).min(BUNDLE);
            let mut path = format!("/tile/entries/{}", index_path(bundle));
            if width < BUNDLE {
                path += &format!(".p/{width}");
            }
            let answer = client.get(&path);
            assert_eq!(answer.status, 200, "{path}: {answer}");
            let before = entries.len();
            let mut rest = answer.body.as_slice();
            while let Some((length, tail)) = rest.split_first_chunk::<2>() {
                let (entry, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)));
                entries.push(entry.to_vec());
                rest = tail;
            }
            assert_eq!(entries.len() - before, usize::try_from(width).unwrap());
            assert!(rest.is_empty(), "{path} has bytes after its entries");
        }
        let leaves = entries
            .iter()
            .map(|entry| {
                let leaf = Sha256::new().chain_update([0]).chain_update(entry);
                leaf.finalize().into()
            })
            .collect();
        Self { entries, leaves }
    }

    /// The roots of the log at every size from 0 to its own.
    #[must_use]
    pub fn roots(&self) -> Vec<[u8; 32]> {
        prefix_roots(&self.leaves)
    }

    /// The root of the log's first `size` entries.
    #[must_use]
    pub fn root(&self, size: u64) -> [u8; 32] {
        merkle_root(&self.leaves[..usize::try_from(size).unwrap()])
    }
}

/// MTH of RFC 6962, section 2.1, over leaf hashes.
#[must_use]
pub fn merkle_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            inner(merkle_root(left), merkle_root(right))
        }
    }
}

/// [`merkle_root`] of every prefix, in one pass: the roots of the full subtrees that a prefix is
/// made of, largest first, are all that the next one needs.
fn prefix_roots(leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let mut roots = vec![merkle_root(&[])];
    let mut subtrees: Vec<(u32, [u8; 32])> = Vec::new();
    for leaf in leaves {
        let mut last = (0, *leaf);
        while let Some((level, left)) = subtrees.pop_if(|(level, _)| *level == last.0) {
            last = (level + 1, inner(left, last.1));
        }
        subtrees.push(last);
        let root = subtrees.iter().rev().map(|(_, root)| *root);
        roots.extend(root.reduce(|right, left| inner(left, right)));
    }
    roots
}

fn inner(left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// `x001/x234/067` for 1234067.
fn index_path(mut index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    while index >= 1000 {
        index /= 1000;
        path = format!("x{:03}/{path}", index % 1000);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_in_one_pass_are_the_roots_by_definition() {
        let leaves: Vec<[u8; 32]> = (0..70).map(|number| [number; 32]).collect();
        let roots = prefix_roots(&leaves);
        assert_eq!(roots.len(), leaves.len() + 1);
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(*root, merkle_root(&leaves[..size]), "{size}");
        }
    }
}
