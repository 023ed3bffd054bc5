//! What validators sign when they agree: votes and proposals.
//!
//! Agreement itself is elsewhere; the signed forms stand here because whoever checks that a
//! validator contradicted itself needs nothing else ([`crate::equivocation`]).
//!
//! Source: `docs/format.md`, section 8.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::hash::Domain;
use crate::id::{BlockId, ChainId, Height, KeyId};
use crate::signature::Signature;

/// First or second vote of a round.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum VoteType {
    /// "I would accept this."
    Prevote,
    /// "I saw that a quorum would."
    Precommit,
}

/// A validator's vote for a block id, or for none.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Which of the two.
    pub vote_type: VoteType,
    /// At which height.
    pub height: Height,
    /// In which round.
    pub round: u32,
    /// For which block.
    pub block_id: Option<BlockId>,
    /// By whom.
    pub validator: KeyId,
}

/// The proposer's choice of a block id for a round.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// At which height.
    pub height: Height,
    /// In which round.
    pub round: u32,
    /// Which block.
    pub block_id: BlockId,
    /// The earlier round in which it found a quorum of prevotes, for a re-proposal.
    pub pol_round: Option<u32>,
    /// By whom.
    pub proposer: KeyId,
}

/// A vote with its signature, not yet verified.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedVote {
    /// The vote.
    pub vote: Vote,
    /// Over [`Vote::signing_digest`].
    pub signature: Signature,
}

/// A proposal with its signature, not yet verified.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// Over [`Proposal::signing_digest`].
    pub signature: Signature,
}

impl Vote {
    const DOMAIN: Domain = Domain::new("jangbu/vote/v1");

    /// The 32 bytes that are signed.
    #[must_use]
    pub fn signing_digest(&self, chain: &ChainId) -> [u8; 32] {
        Self::DOMAIN.hash_of(&(chain, self))
    }
}

impl Proposal {
    const DOMAIN: Domain = Domain::new("jangbu/proposal/v1");

    /// The 32 bytes that are signed.
    #[must_use]
    pub fn signing_digest(&self, chain: &ChainId) -> [u8; 32] {
        Self::DOMAIN.hash_of(&(chain, self))
    }
}
