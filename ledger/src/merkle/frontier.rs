//! The right edge of the tree: all that appending needs.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Decode, Encode};

use super::prove::bag;
use super::{NodeHash, node_hash};

/// Most leaves a log may have; far beyond any log, and keeps all arithmetic in range.
const SIZE_MAX: u64 = 1 << 56;

/// The complete subtrees that make up a tree of `size` leaves, widest first.
///
/// One hash per set bit of `size`, hence at most 57.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode)]
pub struct Frontier {
    size: u64,
    peaks: Vec<NodeHash>,
}

/// A node that became complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredNode {
    /// Height of the node's subtree; 0 is a leaf.
    pub level: u8,
    /// Position within the level.
    pub index: u64,
    /// Hash of the subtree.
    pub hash: NodeHash,
}

/// The log holds 2^56 leaves and takes no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log holds {SIZE_MAX} leaves and takes no more")]
pub struct FrontierFull;

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    #[must_use]
    pub fn root(&self) -> NodeHash {
        bag(&self.peaks)
    }

    /// Appends a leaf and returns the nodes that are now complete: the leaf itself first, then
    /// one per level as long as a pair closes. These are the nodes to store.
    ///
    /// # Errors
    ///
    /// [`FrontierFull`] at 2^56 leaves; the frontier is then unchanged.
    pub fn append(&mut self, leaf: NodeHash) -> Result<Vec<StoredNode>, FrontierFull> {
        if self.size >= SIZE_MAX {
            return Err(FrontierFull);
        }
        let (mut level, mut index, mut hash) = (0, self.size, leaf);
        let mut completed = vec![StoredNode { level, index, hash }];
        // Each trailing set bit of the size is a subtree that this leaf makes a pair with.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak per set bit of the size");
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            completed.push(StoredNode { level, index, hash });
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(completed)
    }

    fn checked(size: u64, peaks: Vec<NodeHash>) -> Result<Self, DecodeError> {
        if size > SIZE_MAX {
            return Err(DecodeError::Other("a log has at most 2^56 leaves"));
        }
        if peaks.len() != size.count_ones() as usize {
            return Err(DecodeError::Other(
                "a frontier has one hash per set bit of its size",
            ));
        }
        Ok(Self { size, peaks })
    }
}

impl<C> Decode<C> for Frontier {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::checked(Decode::decode(decoder)?, Decode::decode(decoder)?)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Frontier {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}
