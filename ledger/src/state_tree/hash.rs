//! Hashes of the binary tree: BLAKE3 of a domain and two hashes, several side by side.
//!
//! ```text
//!   domain (13 or 16) ‖ left (32) ‖ right (32)
//!   ├──── first block, 64 bytes ────┤├─ last ─┤
//! ```
//!
//! The blocks of one hash depend on each other, so alone they leave most of a vector register
//! empty: the first blocks of several hashes fill it. With all lanes full a hash costs less than
//! half. Last blocks are taken one by one: BLAKE3's crate takes whole blocks only side by side.
//! It offers that in `platform`, which it calls unstable: Cargo.toml names one version of it, and
//! the tests compare with the crate's ordinary interface.
//!
//! Source: BLAKE3 specification, sections 2.1 to 2.4 and 5.3.

use blake3::IncrementCounter;
use blake3::platform::{Platform, le_bytes_from_words_32, words_from_le_bytes_32};

/// A hash in the binary tree.
pub(super) type Hash = [u8; 32];

/// How many hashes are taken side by side: the widest registers have room for so many.
pub(super) const LANES: usize = 16;

const INNER: &[u8; 16] = b"JMT::IntrnalNode";
const LEAF: &[u8; 13] = b"JMT::LeafNode";

/// Bytes of a block.
const BLOCK: u8 = 64;
type Block = [u8; BLOCK as usize];
/// What a chunk begins with.
const IV: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;

/// The hash of two neighbours.
pub(super) fn inner(left: &Hash, right: &Hash) -> Hash {
    joined(INNER, left, right)
}

/// The hash of a leaf: of its key and its value's hash.
pub(super) fn leaf(key: &Hash, value: &Hash) -> Hash {
    joined(LEAF, key, value)
}

/// The hashes of pairs of neighbours, at most [`LANES`], in their order. What follows the last
/// pair's hash is nothing's.
pub(super) fn inner_of<'a, I>(pairs: I) -> [Hash; LANES]
where
    I: ExactSizeIterator<Item = [&'a Hash; 2]> + Clone,
{
    joined_of(INNER, pairs)
}

/// The hashes of leaves, likewise.
pub(super) fn leaf_of<'a, I>(leaves: I) -> [Hash; LANES]
where
    I: ExactSizeIterator<Item = [&'a Hash; 2]> + Clone,
{
    joined_of(LEAF, leaves)
}

fn joined<const N: usize>(domain: &[u8; N], left: &Hash, right: &Hash) -> Hash {
    let platform = Platform::detect();
    let mut state = IV;
    let block = first_block(domain, left, right);
    platform.compress_in_place(&mut state, &block, BLOCK, 0, CHUNK_START);
    finish::<N>(platform, state, right)
}

fn joined_of<'a, const N: usize, I>(domain: &[u8; N], pairs: I) -> [Hash; LANES]
where
    I: ExactSizeIterator<Item = [&'a Hash; 2]> + Clone,
{
    debug_assert!(pairs.len() <= LANES, "{} pairs", pairs.len());
    let mut hashes = [[0; 32]; LANES];
    if pairs.len() < 2 {
        for (hash, [left, right]) in hashes.iter_mut().zip(pairs) {
            *hash = joined(domain, left, right);
        }
        return hashes;
    }
    let platform = Platform::detect();
    let mut blocks: [Block; LANES] = [[0; 64]; LANES];
    for (block, [left, right]) in blocks.iter_mut().zip(pairs.clone()) {
        *block = first_block(domain, left, right);
    }
    let blocks = blocks.each_ref();
    let (blocks, _) = blocks.split_at(pairs.len().min(LANES));
    let mut states = [0; 32 * LANES];
    let same = IncrementCounter::No;
    platform.hash_many(blocks, &IV, 0, same, 0, CHUNK_START, 0, &mut states);
    let (states, _) = states.as_chunks();
    for ((hash, state), [_, right]) in hashes.iter_mut().zip(states).zip(pairs) {
        *hash = finish::<N>(platform, words_from_le_bytes_32(state), right);
    }
    hashes
}

/// The domain, the left hash, and what there is still room for of the right one.
fn first_block<const N: usize>(domain: &[u8; N], left: &Hash, right: &Hash) -> Block {
    // Without a domain there would be no last block.
    const { assert!(0 < N && N <= 32) };
    let mut block: Block = [0; 64];
    let (front, rest) = block.split_at_mut(N);
    front.copy_from_slice(domain);
    let (middle, end) = rest.split_at_mut(32);
    middle.copy_from_slice(left);
    end.copy_from_slice(&right[..32 - N]);
    block
}

/// The hash, `state` being what the first block led to.
fn finish<const N: usize>(platform: Platform, mut state: [u32; 8], right: &Hash) -> Hash {
    let mut block: Block = [0; 64];
    block[..N].copy_from_slice(&right[32 - N..]);
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a domain has at most 32 bytes"
    )]
    let length = N as u8;
    platform.compress_in_place(&mut state, &block, length, 0, CHUNK_END | ROOT);
    le_bytes_from_words_32(&state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(domain: &[u8], [left, right]: [&Hash; 2]) -> Hash {
        *blake3::hash(&[domain, left, right].concat()).as_bytes()
    }

    #[test]
    fn any_number_of_hashes_are_those_of_the_crate() {
        let parts: Vec<[Hash; 2]> = (0..LANES as u64)
            .map(|n| [2 * n, 2 * n + 1].map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()))
            .collect();
        for count in 0..=parts.len() {
            let pairs = parts[..count].iter().map(|pair| pair.each_ref());
            let (inners, leaves) = (inner_of(pairs.clone()), leaf_of(pairs.clone()));
            for ((pair, joined), of_leaf) in pairs.zip(inners).zip(leaves) {
                assert_eq!(joined, reference(INNER, pair));
                assert_eq!(of_leaf, reference(LEAF, pair));
                let [left, right] = pair;
                assert_eq!((inner(left, right), leaf(left, right)), (joined, of_leaf));
            }
        }
    }
}
