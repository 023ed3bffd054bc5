//! What replicas say to one another.

use bincode::{Decode, Encode};
use jangbu_consensus::ConsensusMessage;
use jangbu_ledger::block::Block;
use jangbu_ledger::codec::{self, CodecError};
use jangbu_ledger::id::{BlockId, EnvelopeId, Height};
use jangbu_ledger::signature::Signature;

use crate::store::StoredBlock;

/// Largest message in bytes: a block's envelopes and its ids.
pub const MESSAGE_BYTES_MAX: usize = 9 * 1024 * 1024;
/// Most envelopes asked for at once.
pub const FETCH_MAX: usize = 4096;

/// One message from one replica to another. The link authenticates the sender.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// A vote, a proposal or a certificate of the running height.
    Consensus(ConsensusMessage),
    /// The body of a proposed block of the running height or the next.
    Body(Box<Block>),
    /// Envelopes: news, or the answer to [`Message::Fetch`].
    Envelopes(Vec<Vec<u8>>),
    /// Asks for envelopes.
    Fetch(Vec<EnvelopeId>),
    /// Asks for the body of a proposed block of the running height.
    FetchBody(BlockId),
    /// How far the sender is, with its cosignature there.
    Tip {
        /// Last committed height.
        height: Height,
        /// Its cosignature of that height's checkpoint.
        cosignature: Option<CosignatureMessage>,
    },
    /// A cosignature of a checkpoint.
    Cosignature(CosignatureMessage),
    /// Asks a peer to say again what it said at this height, if it is running there: the sender
    /// has just arrived.
    Repeat(Height),
    /// Asks for committed blocks from this height on.
    FetchBlocks(Height),
    /// Committed blocks in order, each with its envelopes.
    Blocks(Vec<(StoredBlock, Vec<Vec<u8>>)>),
}

/// A validator's cosignature of the checkpoint after `height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct CosignatureMessage {
    /// The block the checkpoint follows.
    pub height: Height,
    /// The validator's position in its set.
    pub validator: u8,
    /// Ed25519 over the C2SP `cosignature/v1` message.
    pub signature: Signature,
}

/// Which of a link's two queues a message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Small and urgent: what agreement waits for.
    Agreement,
    /// Large or patient: envelopes and old blocks.
    Bulk,
}

impl Message {
    /// Decodes what a peer sent.
    ///
    /// # Errors
    ///
    /// [`CodecError`] if the bytes are not canonical or too many.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, MESSAGE_BYTES_MAX)
    }

    /// The queue it takes.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Envelopes(_) | Self::Blocks(_) => Class::Bulk,
            _ => Class::Agreement,
        }
    }
}
