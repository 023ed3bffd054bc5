//! What validators say to one another, as it is signed and sent.

use bincode::{Decode, Encode};
use jangbu_ledger::id::{BlockId, ChainId, Height, KeyId};
use jangbu_ledger::signature::Signature;
pub use jangbu_ledger::vote::{Proposal, SignedProposal, SignedVote, Vote, VoteType};

use crate::mutant::{self, Mutant};
use crate::validator_set::{VALIDATORS_MAX, ValidatorSet};

/// A quorum of prevotes for one block in one round.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PolkaCertificate {
    /// At which height.
    pub height: Height,
    /// In which round.
    pub round: u32,
    /// For which block.
    pub block_id: BlockId,
    /// Who, with the signature of the prevote.
    pub signatures: Vec<(KeyId, Signature)>,
}

/// One vote of a [`RoundCertificate`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RoundVote {
    /// Which of the two.
    pub vote_type: VoteType,
    /// For which block.
    pub block_id: Option<BlockId>,
    /// By whom.
    pub validator: KeyId,
    /// Its signature.
    pub signature: Signature,
}

/// Votes that justify entering a round.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RoundCertificate {
    /// At which height.
    pub height: Height,
    /// The round of the votes.
    pub round: u32,
    /// `true` for f + 1 votes of a later round, `false` for a quorum of precommits.
    pub skip: bool,
    /// The votes.
    pub votes: Vec<RoundVote>,
}

/// Anything one validator's consensus says to another's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ConsensusMessage {
    /// A vote.
    Vote(SignedVote),
    /// A proposal.
    Proposal(SignedProposal),
    /// A quorum of prevotes.
    Polka(PolkaCertificate),
    /// Votes that justify entering a round.
    Round(RoundCertificate),
}

/// Why a message is dropped before the core sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Of a height that is decided, or too far ahead to keep.
    #[error("of height {got} while height {current} is running")]
    Height {
        /// The message's.
        got: Height,
        /// Ours.
        current: Height,
    },
    /// By someone who does not decide.
    #[error("{0} is not a validator")]
    UnknownValidator(KeyId),
    /// The signature does not verify.
    #[error("the signature by {0} does not verify")]
    Signature(KeyId),
    /// A proposal out of turn.
    #[error("{0} is not the proposer of that round")]
    NotProposer(KeyId),
    /// More messages of a future height than one validator may have waiting.
    #[error("too many messages of a future height")]
    TooMany,
    /// More signatures than there may be validators.
    #[error("a certificate with {0} signatures")]
    TooLong(usize),
}

impl ConsensusMessage {
    /// The height it is about.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Vote(signed) => signed.vote.height,
            Self::Proposal(signed) => signed.proposal.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
        }
    }

    /// Every vote in it: its own, or those of a certificate.
    pub(crate) fn votes(&self) -> Vec<SignedVote> {
        match self {
            Self::Vote(signed) => vec![signed.clone()],
            Self::Proposal(_) => Vec::new(),
            Self::Polka(certificate) => certificate
                .signatures
                .iter()
                .map(|(validator, signature)| SignedVote {
                    vote: certificate.vote(*validator),
                    signature: *signature,
                })
                .collect(),
            Self::Round(certificate) => certificate
                .votes
                .iter()
                .map(|vote| SignedVote {
                    vote: vote.vote(certificate.height, certificate.round),
                    signature: vote.signature,
                })
                .collect(),
        }
    }

    /// Checks who says it and every signature in it.
    ///
    /// # Errors
    ///
    /// [`MessageError`], the first found.
    pub fn verify(&self, chain: &ChainId, set: &ValidatorSet) -> Result<(), MessageError> {
        match self {
            Self::Vote(signed) => verify(
                set,
                signed.vote.validator,
                signed.vote.signing_digest(chain),
                signed.signature,
            ),
            Self::Proposal(signed) => {
                let proposal = &signed.proposal;
                let expected = set.proposer(proposal.height, proposal.round).id();
                if expected != proposal.proposer && !mutant::is(Mutant::ProposerUnchecked) {
                    return Err(MessageError::NotProposer(proposal.proposer));
                }
                verify(
                    set,
                    proposal.proposer,
                    proposal.signing_digest(chain),
                    signed.signature,
                )
            }
            Self::Polka(_) if mutant::is(Mutant::PolkaUnverified) => Ok(()),
            Self::Round(_) if mutant::is(Mutant::RoundUnverified) => Ok(()),
            Self::Polka(certificate) => {
                check_count(certificate.signatures.len())?;
                for (validator, signature) in &certificate.signatures {
                    let vote = certificate.vote(*validator);
                    verify(set, *validator, vote.signing_digest(chain), *signature)?;
                }
                Ok(())
            }
            Self::Round(certificate) => {
                check_count(certificate.votes.len())?;
                for vote in &certificate.votes {
                    let signed = vote.vote(certificate.height, certificate.round);
                    verify(
                        set,
                        vote.validator,
                        signed.signing_digest(chain),
                        vote.signature,
                    )?;
                }
                Ok(())
            }
        }
    }
}

impl PolkaCertificate {
    const fn vote(&self, validator: KeyId) -> Vote {
        Vote {
            vote_type: VoteType::Prevote,
            height: self.height,
            round: self.round,
            block_id: Some(self.block_id),
            validator,
        }
    }
}

impl RoundVote {
    pub(crate) const fn vote(&self, height: Height, round: u32) -> Vote {
        Vote {
            vote_type: self.vote_type,
            height,
            round,
            block_id: self.block_id,
            validator: self.validator,
        }
    }
}

/// A validator may stand twice in a round certificate, once for each type of vote.
const fn check_count(count: usize) -> Result<(), MessageError> {
    if count > 2 * VALIDATORS_MAX {
        Err(MessageError::TooLong(count))
    } else {
        Ok(())
    }
}

fn verify(
    set: &ValidatorSet,
    validator: KeyId,
    digest: [u8; 32],
    signature: Signature,
) -> Result<(), MessageError> {
    let known = set
        .find(&validator)
        .ok_or(MessageError::UnknownValidator(validator))?;
    known
        .key
        .verify(&digest, &signature)
        .or_else(|error| match mutant::is(Mutant::SignatureUnverified) {
            true => Ok(()),
            false => Err(error),
        })
        .map_err(|_| MessageError::Signature(validator))
}
