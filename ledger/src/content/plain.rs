//! Chunks of plain bytes under their BLAKE3 hash: BLAKE3 is a tree itself, of which every run of
//! [`CHUNK_BYTES`] from a multiple of it is a whole subtree.
//!
//! ```text
//!   chunk i ─▶ chaining value, which covers i ─┐
//!   siblings, lowest first ────────────────────┴▶ root = the file's BLAKE3 hash
//! ```
//!
//! Source: BLAKE3, section 2.1 (tree), 5.1.2 (root); `blake3::hazmat`.

use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use super::{CHUNK_BYTES, chunks};
use crate::id::Digest;
use crate::tree::{sides, split_point};

/// Most chunks of plain bytes, so that no place of a byte overflows: a mebi of a mebi of mebibytes.
const CHUNKS_MAX: u64 = 1 << 44;

/// The chaining value of a chunk of plain bytes of which there are several.
///
/// `None` if it is empty, too long, or too far out.
#[must_use]
pub fn plain_leaf(index: u64, chunk: &[u8]) -> Option<Digest> {
    let fits = (1..=CHUNK_BYTES).contains(&chunk.len()) && index < CHUNKS_MAX;
    let mut hasher = blake3::Hasher::new();
    fits.then(|| {
        hasher.set_input_offset(index * CHUNK_BYTES as u64);
        Digest(hasher.update(chunk).finalize_non_root())
    })
}

/// Sibling hashes of chunk `index` from it up to the root, lowest first, given the chaining values of
/// all chunks; `None` if there is no such chunk. A single chunk has none.
#[must_use]
pub fn plain_path(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    let mut path = Vec::new();
    let (mut all, mut index) = (leaves, index);
    if index >= leaves.len() {
        return None;
    }
    while all.len() > 1 {
        let (left, right) = all.split_at(split_point(all.len()));
        let outer = if index < left.len() {
            all = left;
            right
        } else {
            index -= left.len();
            all = right;
            left
        };
        path.push(Digest(subtree(outer)));
    }
    path.reverse();
    Some(path)
}

/// Whether `chunk` is chunk `index` of `bytes` plain bytes with this BLAKE3 hash.
///
/// That the hash is of so many bytes is shown by the last chunk alone; each chunk's own place is
/// shown by itself.
#[must_use]
pub fn verify_plain(
    root: &Digest,
    bytes: u64,
    (index, chunk): (u64, &[u8]),
    path: &[Digest],
) -> bool {
    let count = chunks(bytes);
    if index >= count {
        return false;
    }
    if count == 1 {
        return path.is_empty() && blake3::hash(chunk).as_bytes() == &root.0;
    }
    let Some(leaf) = plain_leaf(index, chunk) else {
        return false;
    };
    let sides = sides(index, count);
    let Some((top, below)) = path.split_last() else {
        return false;
    };
    if sides.len() != path.len() {
        return false;
    }
    let mut hash: ChainingValue = leaf.0;
    let join = |left: bool, hash: &ChainingValue, sibling: &ChainingValue| {
        if left {
            (*hash, *sibling)
        } else {
            (*sibling, *hash)
        }
    };
    let mut up = sides.iter().rev();
    for (left, sibling) in up.by_ref().zip(below) {
        let (left, right) = join(*left, &hash, &sibling.0);
        hash = merge_subtrees_non_root(&left, &right, Mode::Hash);
    }
    let Some(left) = sides.first() else {
        return false;
    };
    let (left, right) = join(*left, &hash, &top.0);
    merge_subtrees_root(&left, &right, Mode::Hash).as_bytes() == &root.0
}

fn subtree(leaves: &[Digest]) -> ChainingValue {
    match leaves {
        [] => [0; 32],
        [one] => one.0,
        more => {
            let (left, right) = more.split_at(split_point(more.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[test]
    fn every_chunk_is_shown_under_the_plain_hash_and_under_no_other() {
        for bytes in [
            1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            3 * CHUNK_BYTES,
            7 * CHUNK_BYTES + 9,
            8 * CHUNK_BYTES,
        ] {
            let content = content(bytes);
            let root = Digest(*blake3::hash(&content).as_bytes());
            let total = bytes as u64;
            let pieces: Vec<&[u8]> = content.chunks(CHUNK_BYTES).collect();
            let leaves: Vec<Digest> = (0..)
                .zip(&pieces)
                .map(|(n, piece)| plain_leaf(n, piece).unwrap())
                .collect();
            for (n, piece) in pieces.iter().enumerate() {
                let path = plain_path(&leaves, n).unwrap();
                let holds = |root: &Digest, index: u64, piece: &[u8], path: &[Digest]| {
                    verify_plain(root, total, (index, piece), path)
                };
                let index = n as u64;
                assert!(holds(&root, index, piece, &path), "{bytes} {n}");
                assert!(!holds(&Digest([1; 32]), index, piece, &path));
                let mut altered = piece.to_vec();
                altered[0] ^= 1;
                assert!(!holds(&root, index, &altered, &path));
                for other in (0..pieces.len() as u64).filter(|other| *other != index) {
                    assert!(!holds(&root, other, piece, &path), "{bytes} {n} {other}");
                }
                let longer = [path.as_slice(), &[Digest([0; 32])]].concat();
                assert!(!holds(&root, index, piece, &longer));
                if let Some((_, shorter)) = path.split_first() {
                    assert!(!holds(&root, index, piece, shorter));
                }
            }
            assert_eq!(plain_path(&leaves, pieces.len()), None);
        }
        assert!(!verify_plain(&Digest([0; 32]), 0, (0, &[]), &[]));
        assert_eq!(plain_leaf(0, &[]), None);
        assert_eq!(plain_leaf(u64::MAX, &[1]), None);
    }
}
