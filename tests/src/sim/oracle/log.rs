//! The log once more, naively: RFC 6962's tree, from the entries themselves.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// The leaf hashes of all entries so far, and the root over them at each size that mattered.
#[derive(Debug, Default)]
pub(super) struct NaiveLog {
    leaves: Vec<[u8; 32]>,
    /// No leaf ever changes, so none of these does.
    roots: BTreeMap<usize, [u8; 32]>,
}

impl NaiveLog {
    /// Whether the entry at this position is this one; the next entry is taken in.
    pub(super) fn is_or_becomes(&mut self, position: usize, entry: &[u8]) -> bool {
        let leaf = Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into();
        match self.leaves.get(position) {
            Some(known) => *known == leaf,
            None if position == self.leaves.len() => {
                self.leaves.push(leaf);
                true
            }
            None => false,
        }
    }

    /// The root over the first `size` entries, if there are so many.
    pub(super) fn root(&mut self, size: usize) -> Option<[u8; 32]> {
        let leaves = self.leaves.get(..size)?;
        Some(*self.roots.entry(size).or_insert_with(|| root(leaves)))
    }
}

/// RFC 6962, section 2.1: the hash of the halves, the left one the greatest power of two.
fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let left = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(left);
            Sha256::new()
                .chain_update([1])
                .chain_update(root(left))
                .chain_update(root(right))
                .finalize()
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The roots that RFC 6962's reference implementation gives for its eight test leaves.
    #[test]
    fn the_tree_is_that_of_the_rfc() {
        let leaves: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
        ];
        let mut log = NaiveLog::default();
        for (position, leaf) in leaves.iter().enumerate() {
            assert!(log.is_or_becomes(position, leaf));
        }
        let mut hex = |size| {
            let bytes = log.root(size).into_iter().flatten();
            bytes.map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(
            hex(1),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(
            hex(8),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
        assert!(!log.is_or_becomes(3, b"another"));
    }
}
