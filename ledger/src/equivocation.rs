//! Evidence that a validator contradicted itself, which anyone can check.
//!
//! No correct validator signs two votes of one type, or two proposals, in one round: agreement
//! is safe only while fewer than a third of the validators do. Two such signatures prove it to
//! whoever knows the validator's key, and cannot be made without its private key.
//!
//! Source: `docs/format.md`, section 12.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::{ChainId, Height, KeyId};
use crate::json;
use crate::signature::PublicKey;
use crate::vote::{SignedProposal, SignedVote, VoteType};

/// The `format` of an evidence file.
pub const EVIDENCE_FORMAT: &str = "jangbu-evidence/1";
/// Largest evidence file in bytes; a real one has about 1,200.
pub const EVIDENCE_BYTES_MAX: usize = 8 * 1024;

/// Two signed messages that no correct validator signs both, the lesser one first.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Equivocation {
    /// Two votes of one type in one round.
    Votes {
        /// One of them.
        first: SignedVote,
        /// The other.
        second: SignedVote,
    },
    /// Two proposals in one round.
    Proposals {
        /// One of them.
        first: SignedProposal,
        /// The other.
        second: SignedProposal,
    },
}

/// What a validator said twice.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SaidTwice {
    /// Prevotes.
    Prevote,
    /// Precommits.
    Precommit,
    /// Proposals.
    Proposal,
}

/// What an equivocation shows: once it is known, a second piece of evidence adds nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
pub struct Offence {
    /// Whose consensus key signed both.
    pub validator: KeyId,
    /// At which height.
    pub height: Height,
    /// In which round.
    pub round: u32,
    /// What.
    pub said_twice: SaidTwice,
}

/// Why two messages are no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EquivocationError {
    /// They are of different validators, heights, rounds or types.
    #[error("the two messages are not of one validator, height, round and type")]
    DifferentPlaces,
    /// They say the same.
    #[error("the two messages do not contradict each other")]
    NoContradiction,
    /// The greater one comes first.
    #[error("the two messages stand in the wrong order")]
    Order,
    /// A signature does not hold on this ledger by this key.
    #[error("the {which} signature does not hold for this ledger and validator")]
    Signature {
        /// `first` or `second`.
        which: &'static str,
    },
}

impl SaidTwice {
    /// Votes of this type.
    #[must_use]
    pub const fn of(vote_type: VoteType) -> Self {
        match vote_type {
            VoteType::Prevote => Self::Prevote,
            VoteType::Precommit => Self::Precommit,
        }
    }

    /// Its name as JSON and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prevote => "prevote",
            Self::Precommit => "precommit",
            Self::Proposal => "proposal",
        }
    }
}

impl Equivocation {
    /// Puts two votes in order.
    #[must_use]
    pub fn votes(a: SignedVote, b: SignedVote) -> Self {
        let (first, second) = if a <= b { (a, b) } else { (b, a) };
        Self::Votes { first, second }
    }

    /// Puts two proposals in order.
    #[must_use]
    pub fn proposals(a: SignedProposal, b: SignedProposal) -> Self {
        let (first, second) = if a <= b { (a, b) } else { (b, a) };
        Self::Proposals { first, second }
    }

    /// What it shows if its signatures hold.
    #[must_use]
    pub const fn offence(&self) -> Offence {
        match self {
            Self::Votes { first, .. } => Offence {
                validator: first.vote.validator,
                height: first.vote.height,
                round: first.vote.round,
                said_twice: SaidTwice::of(first.vote.vote_type),
            },
            Self::Proposals { first, .. } => Offence {
                validator: first.proposal.proposer,
                height: first.proposal.height,
                round: first.proposal.round,
                said_twice: SaidTwice::Proposal,
            },
        }
    }

    /// Checks all that needs no key: one place, two contents, in order.
    ///
    /// # Errors
    ///
    /// [`EquivocationError`], the first found.
    pub fn check_shape(&self) -> Result<(), EquivocationError> {
        let (same_place, contradicts, ordered) = match self {
            Self::Votes { first, second } => {
                let place = |s: &SignedVote| {
                    let vote = &s.vote;
                    (vote.vote_type, vote.height, vote.round, vote.validator)
                };
                (
                    place(first) == place(second),
                    first.vote.block_id != second.vote.block_id,
                    first < second,
                )
            }
            Self::Proposals { first, second } => {
                let place = |s: &SignedProposal| {
                    let proposal = &s.proposal;
                    (proposal.height, proposal.round, proposal.proposer)
                };
                (
                    place(first) == place(second),
                    first.proposal != second.proposal,
                    first < second,
                )
            }
        };
        if !same_place {
            Err(EquivocationError::DifferentPlaces)
        } else if !contradicts {
            Err(EquivocationError::NoContradiction)
        } else if !ordered {
            Err(EquivocationError::Order)
        } else {
            Ok(())
        }
    }

    /// Checks that the validator with this consensus key contradicted itself on this ledger.
    ///
    /// # Errors
    ///
    /// [`EquivocationError`], the first found.
    pub fn verify(&self, chain: &ChainId, key: &PublicKey) -> Result<Offence, EquivocationError> {
        self.check_shape()?;
        let signed = match self {
            Self::Votes { first, second } => {
                [first, second].map(|s| (s.vote.signing_digest(chain), s.signature))
            }
            Self::Proposals { first, second } => {
                [first, second].map(|s| (s.proposal.signing_digest(chain), s.signature))
            }
        };
        for (which, (digest, signature)) in ["first", "second"].into_iter().zip(signed) {
            if key.verify(&digest, &signature).is_err() {
                return Err(EquivocationError::Signature { which });
            }
        }
        Ok(self.offence())
    }
}

/// An evidence file: an equivocation and the ledger it was committed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// [`EVIDENCE_FORMAT`].
    pub format: String,
    /// The ledger.
    pub chain_id: ChainId,
    /// What was signed.
    pub equivocation: Equivocation,
}

/// Why a file is no evidence file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Not the JSON it has to be.
    #[error("it is no evidence file: {0}")]
    Json(String),
    /// Of another format or version.
    #[error("its format is {0:?}; this program reads {EVIDENCE_FORMAT:?}")]
    Format(String),
    /// More than [`EVIDENCE_BYTES_MAX`].
    #[error("it has {0} bytes; an evidence file has at most {EVIDENCE_BYTES_MAX}")]
    TooLong(usize),
}

impl Evidence {
    /// The file's content.
    #[must_use]
    pub fn new(chain_id: ChainId, equivocation: Equivocation) -> Self {
        Self {
            format: EVIDENCE_FORMAT.to_owned(),
            chain_id,
            equivocation,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if it is not one of this format.
    pub fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceError::TooLong(bytes.len()));
        }
        let value = json::parse(bytes).map_err(|error| EvidenceError::Json(error.to_string()))?;
        let format = value.get("format").and_then(serde_json::Value::as_str);
        if let Some(other) = format.filter(|format| *format != EVIDENCE_FORMAT) {
            return Err(EvidenceError::Format(other.chars().take(80).collect()));
        }
        serde_path_to_error::deserialize(value)
            .map_err(|error| EvidenceError::Json(json::brief(&error)))
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Json`], which nothing of this type causes.
    pub fn to_json(&self) -> Result<String, EvidenceError> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n")
            .map_err(|error| EvidenceError::Json(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BlockId;
    use crate::signature::{SigningKey, sign};
    use crate::vote::{Proposal, Vote};

    const CHAIN: ChainId = ChainId([7; 32]);

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[1; 32])
    }

    fn vote(round: u32, block: Option<u8>) -> SignedVote {
        let vote = Vote {
            vote_type: VoteType::Precommit,
            height: Height(5),
            round,
            block_id: block.map(|byte| BlockId([byte; 32])),
            validator: PublicKey::of(&key()).id(),
        };
        let signature = sign(&key(), &vote.signing_digest(&CHAIN));
        SignedVote { vote, signature }
    }

    fn proposal(block: u8, pol_round: Option<u32>) -> SignedProposal {
        let proposal = Proposal {
            height: Height(5),
            round: 1,
            block_id: BlockId([block; 32]),
            pol_round,
            proposer: PublicKey::of(&key()).id(),
        };
        let signature = sign(&key(), &proposal.signing_digest(&CHAIN));
        SignedProposal {
            proposal,
            signature,
        }
    }

    fn verify(equivocation: &Equivocation) -> Result<Offence, EquivocationError> {
        equivocation.verify(&CHAIN, &PublicKey::of(&key()))
    }

    #[test]
    fn two_votes_or_proposals_of_one_round_are_evidence_in_whatever_order_they_came() {
        let (a, b) = (vote(2, Some(1)), vote(2, None));
        let evidence = Equivocation::votes(a.clone(), b.clone());
        assert_eq!(evidence, Equivocation::votes(b, a));
        let offence = verify(&evidence).unwrap();
        assert_eq!(
            (offence.height, offence.round, offence.said_twice),
            (Height(5), 2, SaidTwice::Precommit)
        );
        let evidence = Equivocation::proposals(proposal(1, None), proposal(1, Some(0)));
        assert_eq!(verify(&evidence).unwrap().said_twice, SaidTwice::Proposal);
    }

    #[test]
    fn what_does_not_contradict_or_is_not_signed_is_no_evidence() {
        let one = vote(2, Some(1));
        let cases = [
            (
                Equivocation::votes(one.clone(), vote(3, Some(2))),
                EquivocationError::DifferentPlaces,
            ),
            (
                Equivocation::votes(one.clone(), one.clone()),
                EquivocationError::NoContradiction,
            ),
        ];
        for (evidence, error) in cases {
            assert_eq!(verify(&evidence), Err(error));
        }
        let Equivocation::Votes { first, second } = Equivocation::votes(one, vote(2, None)) else {
            unreachable!("made of votes")
        };
        let swapped = Equivocation::Votes {
            first: second.clone(),
            second: first.clone(),
        };
        assert_eq!(verify(&swapped), Err(EquivocationError::Order));
        let mut forged = second;
        forged.signature.0[0] ^= 1;
        let forged = Equivocation::votes(first, forged);
        assert!(matches!(
            verify(&forged),
            Err(EquivocationError::Signature { .. })
        ));
        let other_chain = Equivocation::votes(vote(2, Some(1)), vote(2, None));
        let key = PublicKey::of(&key());
        assert!(other_chain.verify(&ChainId([8; 32]), &key).is_err());
    }

    #[test]
    fn a_file_comes_back_as_it_was_and_every_changed_byte_is_refused_or_no_evidence() {
        let equivocation = Equivocation::votes(vote(2, Some(1)), vote(2, None));
        let evidence = Evidence::new(CHAIN, equivocation);
        let text = evidence.to_json().unwrap();
        assert_eq!(Evidence::parse(text.as_bytes()), Ok(evidence));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(parsed) = Evidence::parse(&bytes) else {
                continue;
            };
            let same = text.as_bytes()[at].is_ascii_whitespace();
            let holds = parsed
                .equivocation
                .verify(&parsed.chain_id, &PublicKey::of(&key()));
            assert!(same || holds.is_err(), "byte {at}");
        }
        assert!(matches!(
            Evidence::parse(b"{\"format\":\"jangbu-evidence/2\"}"),
            Err(EvidenceError::Format(_))
        ));
        assert!(matches!(
            Evidence::parse(b"{}"),
            Err(EvidenceError::Json(_))
        ));
    }
}
