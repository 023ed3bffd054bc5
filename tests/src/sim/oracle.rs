//! What must hold, said once more and independently.
//!
//! - no two replicas have different blocks at one height, and none loses a block;
//! - after one block, every replica's log has one size and root, and a final checkpoint says
//!   exactly that, signed by a quorum;
//! - no validator says two things in one round: not two votes of a kind, not two proposals;
//! - a block is committed only with precommits of a quorum.

use std::collections::{BTreeMap, BTreeSet};

use jangbu_consensus::{ConsensusMessage, Proposal, Vote, VoteType};
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, KeyId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_replica::store::{FinalCheckpoint, StoredBlock, Tip};

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// A log after a block.
type LogState = (u64, NodeHash);

/// All that was seen so far.
#[derive(Debug)]
pub struct Oracle {
    validators: BTreeSet<KeyId>,
    quorum: usize,
    blocks: BTreeMap<Height, BlockId>,
    logs: BTreeMap<Height, LogState>,
    heights: Vec<Option<Height>>,
    votes: BTreeMap<(KeyId, Height, u32, VoteType), Option<BlockId>>,
    proposals: BTreeMap<(KeyId, Height, u32), Proposal>,
    finals: BTreeMap<Height, LogState>,
}

impl Oracle {
    /// An oracle over so many members, of which these validators decide.
    #[must_use]
    pub fn new(members: usize, validators: BTreeSet<KeyId>, quorum: usize) -> Self {
        Self {
            validators,
            quorum,
            blocks: BTreeMap::new(),
            logs: BTreeMap::new(),
            heights: vec![None; members],
            votes: BTreeMap::new(),
            proposals: BTreeMap::new(),
            finals: BTreeMap::new(),
        }
    }

    /// The greatest height that anyone has.
    #[must_use]
    pub fn top(&self) -> Height {
        self.blocks.last_key_value().map_or(Height(0), |(h, _)| *h)
    }

    /// The height of a member when last seen.
    #[must_use]
    pub fn height_of(&self, member: usize) -> Option<Height> {
        self.heights.get(member).copied().flatten()
    }

    /// The log after this block, its size and root, if anyone was seen there.
    #[must_use]
    pub fn log_at(&self, height: Height) -> Option<(u64, NodeHash)> {
        self.logs.get(&height).copied()
    }

    /// The blocks that a member at `tip` has had since it was last seen.
    pub fn unseen(&self, member: usize, tip: Height) -> impl Iterator<Item = Height> + use<> {
        let first = self.height_of(member).map_or(0, |height| height.0 + 1);
        (first..=tip.0).map(Height)
    }

    /// A member shows its tip and, by `block`, every block up to it. Returns the envelopes of
    /// blocks that nobody had before.
    ///
    /// # Errors
    ///
    /// [`Violation`] if it has another block than someone else, or lost one.
    pub fn sees_tip(
        &mut self,
        member: usize,
        tip: &Tip,
        block: impl Fn(Height) -> Option<StoredBlock>,
    ) -> Result<Vec<EnvelopeId>, Violation> {
        let before = self.height_of(member);
        if before == Some(tip.height) {
            return Ok(Vec::new());
        }
        if before.is_some_and(|before| before > tip.height) {
            return violated(format!("member {member} fell back to {}", tip.height.0));
        }
        let mut fresh = Vec::new();
        for height in before.map_or(0, |h| h.0 + 1)..=tip.height.0 {
            let height = Height(height);
            let Some(stored) = block(height) else {
                return violated(format!("member {member} has no block {}", height.0));
            };
            if self.block(member, height, &stored)? {
                fresh.extend(stored.block.envelopes);
            }
        }
        let log = (tip.frontier.size(), tip.frontier.root());
        let known = self.logs.entry(tip.height).or_insert(log);
        if *known != log {
            return violated(format!(
                "member {member} has another log at {}",
                tip.height.0
            ));
        }
        self.heights[member] = Some(tip.height);
        Ok(fresh)
    }

    fn block(
        &mut self,
        member: usize,
        height: Height,
        stored: &StoredBlock,
    ) -> Result<bool, Violation> {
        let header = &stored.block.header;
        let id = header.id();
        if header.height != height {
            return violated(format!("member {member} misplaced a block"));
        }
        let previous = height.0.checked_sub(1).map(Height);
        if previous.is_some_and(|p| self.blocks.get(&p) != Some(&header.previous)) {
            return violated(format!("block {} of member {member} hangs loose", height.0));
        }
        if height > Height(0) {
            self.certificate(member, stored, id)?;
        }
        match self.blocks.insert(height, id) {
            None => Ok(true),
            Some(known) if known == id => Ok(false),
            Some(known) => violated(format!(
                "two blocks at height {}: {known}, and {id} at member {member}",
                height.0
            )),
        }
    }

    fn certificate(
        &self,
        member: usize,
        stored: &StoredBlock,
        id: BlockId,
    ) -> Result<(), Violation> {
        let signers: BTreeSet<KeyId> = stored
            .certificate
            .iter()
            .filter(|certificate| certificate.block_id == id)
            .flat_map(|certificate| certificate.signatures.iter().map(|(id, _)| *id))
            .filter(|id| self.validators.contains(id))
            .collect();
        if signers.len() < self.quorum {
            return violated(format!("member {member} has block {id} without a quorum"));
        }
        Ok(())
    }

    /// A message is on the wire.
    ///
    /// # Errors
    ///
    /// [`Violation`] if it contradicts what its signer said before.
    pub fn hears(&mut self, message: &ConsensusMessage) -> Result<(), Violation> {
        match message {
            ConsensusMessage::Vote(signed) => self.vote(&signed.vote),
            ConsensusMessage::Proposal(signed) => self.proposal(&signed.proposal),
            // Made of votes that were on the wire by themselves.
            ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => Ok(()),
        }
    }

    fn vote(&mut self, vote: &Vote) -> Result<(), Violation> {
        let key = (vote.validator, vote.height, vote.round, vote.vote_type);
        let known = *self.votes.entry(key).or_insert(vote.block_id);
        if known == vote.block_id {
            return Ok(());
        }
        violated(format!(
            "a validator contradicts its vote for {known:?}: {vote:?}"
        ))
    }

    fn proposal(&mut self, proposal: &Proposal) -> Result<(), Violation> {
        let key = (proposal.proposer, proposal.height, proposal.round);
        let known = self
            .proposals
            .entry(key)
            .or_insert_with(|| proposal.clone());
        if known == proposal {
            return Ok(());
        }
        violated(format!(
            "a validator contradicts its proposal {known:?}: {proposal:?}"
        ))
    }

    /// A member calls a checkpoint final.
    ///
    /// # Errors
    ///
    /// [`Violation`] if another log was final or is known there, or too few signed.
    pub fn sees_final(
        &mut self,
        member: usize,
        checkpoint: &FinalCheckpoint,
    ) -> Result<(), Violation> {
        let height = checkpoint.height;
        let log = (checkpoint.size, checkpoint.root);
        let signers: BTreeSet<u8> = checkpoint.signatures.iter().map(|(v, _)| *v).collect();
        let known = *self.finals.entry(height).or_insert(log);
        let same = known == log && self.logs.get(&height).is_none_or(|known| *known == log);
        if same && signers.len() >= self.quorum {
            return Ok(());
        }
        violated(format!(
            "the final checkpoint of member {member} at {} contradicts",
            height.0
        ))
    }
}

fn violated<T>(what: String) -> Result<T, Violation> {
    Err(Violation(what))
}
