//! A statement: one thing one member says, and where it belongs.
//!
//! The ledger records *who said what, when*; it never claims that it is true. What is said
//! stands in a body that stays off the ledger, under a salted commitment; the statement itself
//! shows its kind, the streams it belongs to, and what the rules need.
//!
//! Source: `docs/format.md`, section 3.

mod kind;
mod portion;
mod quantity;
mod shape;
mod terms;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::commitment::Commitment;
use crate::hash::Domain;
use crate::id::{ChainId, MemberId, Slot, StatementId};
use crate::identifier::Identifier;

pub use kind::Kind;
pub use portion::{Portion, THINGS_MAX};
pub use quantity::{Amount, Quantity};
pub use shape::ShapeError;
pub use terms::{
    Basis, EventType, Fate, Granularity, Handed, NoticeSort, RevocationReason, SecondLife,
};

/// Largest canonical encoding of one statement, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 4096;
/// Most streams one statement may belong to.
pub const STREAMS_MAX: usize = 16;
/// Most earlier statements one statement may refer to.
pub const REFERENCES_MAX: usize = 16;
/// Largest opaque payload in bytes; a sealed statement has exactly this many.
pub const PAYLOAD_BYTES_MAX: usize = 512;

/// One thing one member says.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Statement {
    /// What is said, with the public fields that rules read.
    pub kind: Kind,
    /// 0, or which repetition this is of a fact that legitimately repeats.
    pub occurrence: u32,
    /// The streams this belongs to, at most [`STREAMS_MAX`].
    pub streams: Vec<Stream>,
    /// Salted commitment to the body, which stays off the ledger.
    pub commitment: Commitment,
    /// Earlier statements this one is about, at most [`REFERENCES_MAX`].
    pub references: Vec<StatementId>,
    /// Opaque bytes, at most [`PAYLOAD_BYTES_MAX`].
    #[serde(with = "hex::serde")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", regex(pattern = "^([0-9a-f]{2}){0,512}$"))
    )]
    pub payload: Vec<u8>,
}

/// One stream: everything ever said about one thing.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// What the owner of an identifier says about it.
    Open(Identifier),
    /// What others say about it, counted apart so that nobody can flood or squat.
    Claims(Identifier),
    /// One slot of a sealed stream; only who holds the stream's key knows which stream.
    Sealed(Slot),
}

impl Stream {
    /// The identifier of an open stream, or of the claims about it.
    #[must_use]
    pub const fn identifier(&self) -> Option<&Identifier> {
        match self {
            Self::Open(identifier) | Self::Claims(identifier) => Some(identifier),
            Self::Sealed(_) => None,
        }
    }
}

impl Statement {
    const ID_DOMAIN: Domain = Domain::new("jangbu/statement-id/v1");

    /// The statement's identity on a ledger when `member` says it.
    ///
    /// Slots do not count: the same sealed step sent again, into the next slot because a script
    /// lost its memory, is still the same statement.
    #[must_use]
    pub fn id(&self, chain: &ChainId, member: &MemberId) -> StatementId {
        let mut without_slots = self.clone();
        for stream in &mut without_slots.streams {
            if let Stream::Sealed(slot) = stream {
                *slot = Slot([0; 32]);
            }
        }
        StatementId(Self::ID_DOMAIN.hash_of(&(chain, member, without_slots)))
    }

    /// The open identifier whose owner speaks, for the kinds that have exactly one.
    #[must_use]
    pub fn subject(&self) -> Option<&Identifier> {
        self.streams.first().and_then(Stream::identifier)
    }
}
