//! Which blocks the running height's verified messages name.
//!
//! A block is executed, and its validity told to the core, only once the proposer of a round
//! signed for it: nobody else can fill the core's few places for values.

use std::collections::{BTreeMap, BTreeSet};

use jangbu_ledger::id::{BlockId, KeyId};

use crate::message::{ConsensusMessage, Vote, VoteType};

/// Proposals remembered per round: what the core keeps, two to prove an equivocation.
const PROPOSALS_PER_ROUND_MAX: usize = 2;
/// Rounds ahead of the running one in which messages count: the core's own bound.
const ROUNDS_AHEAD_MAX: u32 = 10;

/// The blocks of one height.
#[derive(Debug, Default)]
pub(super) struct Named {
    proposals: BTreeMap<u32, Vec<BlockId>>,
    /// The first prevote of each validator in each round.
    prevotes: BTreeMap<(u32, KeyId), BlockId>,
    /// Who precommitted nil in each round.
    nil_precommits: BTreeSet<(u32, KeyId)>,
    /// Blocks of whose validity the core knows.
    known: BTreeSet<BlockId>,
}

impl Named {
    /// Notes what a verified message names, while `round` runs.
    pub(super) fn note(&mut self, message: &ConsensusMessage, round: u32) {
        let last = round.saturating_add(ROUNDS_AHEAD_MAX);
        match message {
            ConsensusMessage::Proposal(signed) if signed.proposal.round <= last => {
                let named = self.proposals.entry(signed.proposal.round).or_default();
                let id = signed.proposal.block_id;
                if !named.contains(&id) && named.len() < PROPOSALS_PER_ROUND_MAX {
                    named.push(id);
                }
            }
            ConsensusMessage::Proposal(_) => {}
            ConsensusMessage::Vote(_) | ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => {
                for signed in message.votes() {
                    if signed.vote.round <= last {
                        self.vote(&signed.vote);
                    }
                }
            }
        }
    }

    fn vote(&mut self, vote: &Vote) {
        let by = (vote.round, vote.validator);
        match (vote.vote_type, vote.block_id) {
            (VoteType::Prevote, Some(id)) => {
                self.prevotes.entry(by).or_insert(id);
            }
            (VoteType::Precommit, None) => {
                self.nil_precommits.insert(by);
            }
            (VoteType::Prevote, None) | (VoteType::Precommit, Some(_)) => {}
        }
    }

    /// How many validators but this one precommitted nil in this round.
    pub(super) fn nil_precommits(&self, round: u32, except: KeyId) -> usize {
        let of_round = (round, KeyId([0; 16]))..=(round, KeyId([u8::MAX; 16]));
        let voters = self.nil_precommits.range(of_round);
        voters.filter(|(_, validator)| *validator != except).count()
    }

    /// The core now knows whether this block is valid.
    pub(super) fn is_known(&mut self, id: BlockId) {
        self.known.insert(id);
    }

    /// The first round in which the block is proposed.
    pub(super) fn round_of(&self, id: &BlockId) -> Option<u32> {
        self.proposals
            .iter()
            .find_map(|(round, named)| named.contains(id).then_some(*round))
    }

    /// Proposed blocks of whose validity the core does not know.
    pub(super) fn unknown(&self) -> impl Iterator<Item = BlockId> {
        let named = self.proposals.values().flatten();
        named.filter(|id| !self.known.contains(id)).copied()
    }

    /// How many validators prevoted for the block in some round.
    pub(super) fn support(&self, id: &BlockId) -> usize {
        let voters: BTreeSet<KeyId> = self
            .prevotes
            .iter()
            .filter(|(_, named)| *named == id)
            .map(|((_, validator), _)| *validator)
            .collect();
        voters.len()
    }
}
