//! Blocks, and the entries that the log holds.
//!
//! A block orders envelope ids. Executing it yields one entry per recorded statement and, last,
//! the seal: the block's header, which commits to the state after the block and to the log
//! before the seal. The block's id is the header's hash, so validators that vote for an id have
//! agreed on leaves and state.
//!
//! Source: `docs/format.md`, sections 5 and 6.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::codec::{self, CodecError};
use crate::hash::Domain;
use crate::id::{
    BlockId, ChainId, Digest, EnvelopeId, Height, KeyId, MemberId, Sequence, StateRoot, TimeMs,
};
use crate::merkle::NodeHash;
use crate::statement::Statement;
use crate::tree;

/// The protocol version this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;
/// Largest entry in bytes, by the tile format's 16-bit length.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Largest sum of the envelopes of one block, in bytes.
pub const BLOCK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most envelopes in one block: what fits if each is as small as an envelope can be.
pub const BLOCK_ENVELOPES_MAX: usize = 16_384;
/// Largest encoding of a block: header and ids.
pub const BLOCK_ENCODED_BYTES_MAX: usize = 1024 + 32 * BLOCK_ENVELOPES_MAX;

/// What validators agree on.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct BlockHeader {
    /// [`PROTOCOL_VERSION`] at this height.
    pub protocol_version: u32,
    /// The ledger.
    pub chain_id: ChainId,
    /// Position in the chain.
    pub height: Height,
    /// Id of the block before; all zeros in the genesis block.
    pub previous: BlockId,
    /// The proposer's clock, strictly later than the block before.
    pub time_ms: TimeMs,
    /// Id of the proposer's consensus key; all zeros in the genesis block.
    pub proposer: KeyId,
    /// Root over the envelope ids, in order.
    pub envelopes_root: Digest,
    /// Root over the refusals, in order.
    pub refusals_root: Digest,
    /// State tree after this block.
    pub state_root: StateRoot,
    /// Hash of the parameters in force.
    pub parameters_hash: Digest,
    /// Hash of the validators that decide this block.
    pub validators_hash: Digest,
    /// Hash of the validators that decide the next.
    pub next_validators_hash: Digest,
    /// Entries in the log before this block's seal.
    pub log_size: u64,
    /// Root of the log at that size.
    pub log_root: NodeHash,
}

/// A header and the ids of the envelopes it orders.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Block {
    /// What validators agree on.
    pub header: BlockHeader,
    /// Its envelopes, in order.
    pub envelopes: Vec<EnvelopeId>,
}

/// One entry of the log.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Entry {
    /// Its position; inside the leaf, so that a proof of membership proves position too.
    pub sequence: Sequence,
    /// The block that recorded it.
    pub height: Height,
    /// That block's time.
    pub time_ms: TimeMs,
    /// What is recorded.
    pub body: EntryBody,
}

/// What an entry records.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryBody {
    /// A member's statement.
    Statement(Box<RecordedStatement>),
    /// The end of a block.
    Seal(Box<BlockHeader>),
}

/// A statement, with who said it and in which envelope.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RecordedStatement {
    /// Who said it.
    pub member: MemberId,
    /// With which key.
    pub key_id: KeyId,
    /// In which envelope.
    pub envelope_id: EnvelopeId,
    /// At which position there.
    pub index: u32,
    /// What was said.
    pub statement: Statement,
}

/// A statement of an agreed envelope that broke a rule.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Refusal {
    /// The envelope.
    pub envelope_id: EnvelopeId,
    /// Position of the statement in it.
    pub index: u32,
    /// The rule it broke.
    pub rule: crate::rules::Rule,
}

impl BlockHeader {
    const ID_DOMAIN: Domain = Domain::new("jangbu/block-id/v1");

    /// The block's id.
    #[must_use]
    pub fn id(&self) -> BlockId {
        BlockId(Self::ID_DOMAIN.hash_of(self))
    }
}

impl Block {
    /// Decodes a block from a peer or the disk.
    ///
    /// # Errors
    ///
    /// [`CodecError`] if the bytes are not canonical or exceed the limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, BLOCK_ENCODED_BYTES_MAX)
    }

    /// Root over envelope ids, for the header.
    #[must_use]
    pub fn envelopes_root(ids: &[EnvelopeId]) -> Digest {
        tree::ENVELOPES.root(ids.iter().map(|id| id.0.as_slice()))
    }
}

impl Entry {
    /// Decodes an entry from a proof or the disk.
    ///
    /// # Errors
    ///
    /// [`CodecError`] if the bytes are not canonical or exceed [`ENTRY_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, ENTRY_BYTES_MAX)
    }
}

/// Root over refusals, for the header.
#[must_use]
pub fn refusals_root(refusals: &[Refusal]) -> Digest {
    let leaves: Vec<Vec<u8>> = refusals.iter().map(codec::encode).collect();
    tree::REFUSALS.root(leaves.iter().map(Vec::as_slice))
}
