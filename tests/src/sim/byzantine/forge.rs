//! A Byzantine member's pen: whatever it can sign with its own keys, and what it cannot.

use jangbu_consensus::{
    CommitCertificate, ConsensusMessage, PolkaCertificate, Proposal, RoundCertificate, RoundVote,
    SignedProposal, SignedVote, Signer, ValidatorSet, Vote, VoteType,
};
use jangbu_ledger::id::{BlockId, ChainId, Height, KeyId};
use jangbu_ledger::signature::Signature;

use super::super::consortium::Consortium;

/// Where in agreement something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) height: Height,
    pub(super) round: u32,
}

/// The keys of one validator and the names of all.
pub(super) struct Forge {
    signer: Box<dyn Signer + Send>,
    chain: ChainId,
    pub(super) set: ValidatorSet,
    pub(super) own: KeyId,
}

impl Forge {
    pub(super) fn new(consortium: &Consortium, n: usize) -> Option<Self> {
        let config = consortium.config(n);
        Some(Self {
            signer: config.signer?,
            chain: config.chain.chain_id,
            set: config.chain.validator_set,
            own: consortium.key_id(n)?,
        })
    }

    fn sign(&self, digest: &[u8; 32]) -> Signature {
        self.signer.sign(digest).unwrap_or(Signature([0; 64]))
    }

    pub(super) fn others(&self) -> Vec<KeyId> {
        let all = (0..self.set.count()).filter_map(|n| self.set.at(n));
        let ids = all.map(|validator| validator.id());
        ids.filter(|id| *id != self.own).collect()
    }

    pub(super) fn is_our_turn(&self, at: Spot) -> bool {
        self.set.proposer(at.height, at.round).id() == self.own
    }

    /// A vote, signed with our key in whoever's name.
    pub(super) fn vote_of(
        &self,
        validator: KeyId,
        vote_type: VoteType,
        at: Spot,
        block_id: Option<BlockId>,
    ) -> SignedVote {
        let vote = Vote {
            vote_type,
            height: at.height,
            round: at.round,
            block_id,
            validator,
        };
        let signature = self.sign(&vote.signing_digest(&self.chain));
        SignedVote { vote, signature }
    }

    pub(super) fn vote(
        &self,
        vote_type: VoteType,
        at: Spot,
        block_id: Option<BlockId>,
    ) -> ConsensusMessage {
        ConsensusMessage::Vote(self.vote_of(self.own, vote_type, at, block_id))
    }

    pub(super) fn proposal(&self, at: Spot, block_id: BlockId) -> ConsensusMessage {
        let proposal = Proposal {
            height: at.height,
            round: at.round,
            block_id,
            pol_round: None,
            proposer: self.own,
        };
        let signature = self.sign(&proposal.signing_digest(&self.chain));
        ConsensusMessage::Proposal(SignedProposal {
            proposal,
            signature,
        })
    }

    /// A certificate of prevotes by these, all signed with our key.
    pub(super) fn polka(&self, at: Spot, block_id: BlockId, by: &[KeyId]) -> ConsensusMessage {
        let prevote = |id: &KeyId| self.vote_of(*id, VoteType::Prevote, at, Some(block_id));
        ConsensusMessage::Polka(PolkaCertificate {
            height: at.height,
            round: at.round,
            block_id,
            signatures: by.iter().map(|id| (*id, prevote(id).signature)).collect(),
        })
    }

    /// Votes that justify a round.
    pub(super) fn round(&self, at: Spot, skip: bool, votes: &[SignedVote]) -> ConsensusMessage {
        let votes = votes.iter().map(|signed| RoundVote {
            vote_type: signed.vote.vote_type,
            block_id: signed.vote.block_id,
            validator: signed.vote.validator,
            signature: signed.signature,
        });
        ConsensusMessage::Round(RoundCertificate {
            height: at.height,
            round: at.round,
            skip,
            votes: votes.collect(),
        })
    }

    /// A certificate with precommits by these, all signed with our key.
    pub(super) fn certificate(&self, at: Spot, id: BlockId, by: &[KeyId]) -> CommitCertificate {
        let precommit = |by: &KeyId| self.vote_of(*by, VoteType::Precommit, at, Some(id));
        CommitCertificate {
            height: at.height,
            round: at.round,
            block_id: id,
            signatures: by.iter().map(|by| (*by, precommit(by).signature)).collect(),
        }
    }
}
