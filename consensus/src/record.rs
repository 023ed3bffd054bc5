//! The write-ahead log of one height: what consensus took in, in order, so that a restart comes
//! to the same votes.

use arc_malachitebft_core_consensus::{Input as CoreInput, ProposedValue};
use arc_malachitebft_core_types::{Round, Timeout, TimeoutKind, Validity, ValueOrigin};
use bincode::{Decode, Encode};
use jangbu_ledger::codec::{self, CodecError};
use jangbu_ledger::id::{BlockId, Height, KeyId};

use crate::context::{self, Address, Context, Value};
use crate::message::{ConsensusMessage, PolkaCertificate, SignedProposal, SignedVote};

/// Largest record in bytes: a certificate of every validator.
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// One input of the core that must survive a crash.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Record {
    Vote(SignedVote),
    Proposal(SignedProposal),
    Polka(PolkaCertificate),
    Value {
        height: Height,
        round: u32,
        valid_round: Option<u32>,
        proposer: KeyId,
        block_id: BlockId,
        valid: bool,
    },
    Timeout {
        kind: u8,
        round: u32,
    },
}

impl Record {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, RECORD_BYTES_MAX)
    }

    /// The record of an input; `None` for one that the core never asks to log.
    pub(crate) fn of(input: &CoreInput<Context>) -> Option<Self> {
        Some(match input {
            CoreInput::Vote(vote) => Self::Vote(context::signed_vote(vote)),
            CoreInput::Proposal(proposal) => Self::Proposal(context::signed_proposal(proposal)),
            CoreInput::PolkaCertificate(certificate) => Self::Polka(context::polka(certificate)),
            CoreInput::ProposedValue(value, _) => Self::Value {
                height: value.height.into(),
                round: value.round.as_u32()?,
                valid_round: value.valid_round.as_u32(),
                proposer: value.proposer.0,
                block_id: value.value.0,
                valid: value.validity.is_valid(),
            },
            CoreInput::TimeoutElapsed(timeout) => {
                let kind = match timeout.kind {
                    TimeoutKind::Propose => 0,
                    TimeoutKind::Prevote => 1,
                    TimeoutKind::Precommit => 2,
                    TimeoutKind::Rebroadcast => 3,
                    TimeoutKind::FinalizeHeight(_) => return None,
                };
                Self::Timeout {
                    kind,
                    round: timeout.round.as_u32()?,
                }
            }
            _ => return None,
        })
    }

    /// The message that it records, if it is one.
    pub(crate) fn message(&self) -> Option<ConsensusMessage> {
        Some(match self {
            Self::Vote(vote) => ConsensusMessage::Vote(vote.clone()),
            Self::Proposal(proposal) => ConsensusMessage::Proposal(proposal.clone()),
            Self::Polka(certificate) => ConsensusMessage::Polka(certificate.clone()),
            Self::Value { .. } | Self::Timeout { .. } => return None,
        })
    }

    /// The input to feed again; `None` for a kind of time-out that does not exist.
    pub(crate) fn into_input(self) -> Option<CoreInput<Context>> {
        Some(match self {
            Self::Vote(vote) => CoreInput::Vote(context::core_vote(vote)),
            Self::Proposal(proposal) => CoreInput::Proposal(context::core_proposal(proposal)),
            Self::Polka(certificate) => {
                CoreInput::PolkaCertificate(context::core_polka(certificate))
            }
            Self::Value {
                height,
                round,
                valid_round,
                proposer,
                block_id,
                valid,
            } => CoreInput::ProposedValue(
                ProposedValue {
                    height: height.into(),
                    round: context::round(round),
                    valid_round: context::optional_round(valid_round),
                    proposer: Address(proposer),
                    value: Value(block_id),
                    validity: Validity::from_bool(valid),
                },
                ValueOrigin::Consensus,
            ),
            Self::Timeout { kind, round } => {
                let kind = match kind {
                    0 => TimeoutKind::Propose,
                    1 => TimeoutKind::Prevote,
                    2 => TimeoutKind::Precommit,
                    3 => TimeoutKind::Rebroadcast,
                    _ => return None,
                };
                CoreInput::TimeoutElapsed(Timeout::new(Round::new(round), kind))
            }
        })
    }
}
