//! What must hold, said once more and independently.
//!
//! - no two replicas have different blocks at one height, and none loses a block unless its disk
//!   was taken from it;
//! - all logs are one: entry by entry the same, and after each block of the size and root that
//!   RFC 6962 gives (`oracle/log.rs`), so that each is an extension of all earlier ones;
//! - a final checkpoint says exactly that, with cosignatures of a quorum;
//! - no validator says two things in one round, however often it restarts: not two votes of a
//!   kind, not two proposals;
//! - a block is committed only with precommits of a quorum;
//! - once nothing fails any more, a height takes few rounds (`oracle/rounds.rs`).

mod log;
mod rounds;

use std::collections::{BTreeMap, BTreeSet};

use jangbu_consensus::{ConsensusMessage, Proposal, Vote, VoteType};
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, KeyId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_replica::store::{FinalCheckpoint, StoredBlock, Tip};

use log::NaiveLog;
use rounds::Rounds;

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Most rounds that a height may take, and an envelope wait, once nothing fails any more: where a
/// lock is hidden, the core relieves it at round 10.
pub const ROUNDS_MAX: u32 = 12;

/// A log after a block.
type LogState = (u64, [u8; 32]);

/// What a member shows of its ledger.
pub trait Ledger {
    /// A block.
    fn kept_block(&self, height: Height) -> Option<StoredBlock>;
    /// An entry's bytes.
    fn kept_entry(&self, position: u64) -> Option<Vec<u8>>;
}

/// All that was seen so far.
#[derive(Debug)]
pub struct Oracle {
    validators: BTreeSet<KeyId>,
    quorum: usize,
    blocks: BTreeMap<Height, BlockId>,
    log: NaiveLog,
    logs: BTreeMap<Height, LogState>,
    heights: Vec<Option<Height>>,
    votes: BTreeMap<(KeyId, Height, u32, VoteType), Option<BlockId>>,
    proposals: BTreeMap<(KeyId, Height, u32), Proposal>,
    finals: BTreeMap<Height, FinalCheckpoint>,
    rounds: Rounds,
}

impl Oracle {
    /// An oracle over so many members, of which these validators decide.
    #[must_use]
    pub fn new(members: usize, validators: BTreeSet<KeyId>, quorum: usize) -> Self {
        Self {
            validators,
            quorum,
            blocks: BTreeMap::new(),
            log: NaiveLog::default(),
            logs: BTreeMap::new(),
            heights: vec![None; members],
            votes: BTreeMap::new(),
            proposals: BTreeMap::new(),
            finals: BTreeMap::new(),
            rounds: Rounds::default(),
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
        let log = self.logs.get(&height);
        log.map(|(size, root)| (*size, NodeHash(*root)))
    }

    /// The blocks that a member at `tip` has had since it was last seen.
    pub fn unseen(&self, member: usize, tip: Height) -> impl Iterator<Item = Height> + use<> {
        let first = self.height_of(member).map_or(0, |height| height.0 + 1);
        (first..=tip.0).map(Height)
    }

    /// A member's disk was replaced or set back: it may fall back once.
    pub fn forgets(&mut self, member: usize) {
        if let Some(height) = self.heights.get_mut(member) {
            *height = None;
        }
    }

    /// A member shows its tip and its ledger. Returns the envelopes of blocks that nobody had
    /// before.
    ///
    /// # Errors
    ///
    /// [`Violation`] if it has another ledger than someone else, or lost a block.
    pub fn sees_tip(
        &mut self,
        member: usize,
        tip: &Tip,
        ledger: &impl Ledger,
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
            let Some(stored) = ledger.kept_block(height) else {
                return violated(format!("member {member} has no block {}", height.0));
            };
            let is_new = self.block(member, height, &stored)?;
            self.entries(member, height, &stored, ledger)?;
            if is_new {
                let certificate = stored.certificate.as_ref();
                let round = certificate.map_or(0, |certificate| certificate.round);
                let envelopes = &stored.block.envelopes;
                self.rounds.decides(height, round, envelopes);
                fresh.extend(envelopes);
            }
        }
        let log = (tip.frontier.size(), tip.frontier.root().0);
        if self.logs.get(&tip.height) != Some(&log) {
            return violated(format!(
                "member {member} has another log at {}",
                tip.height.0
            ));
        }
        self.heights[member] = Some(tip.height);
        Ok(fresh)
    }

    /// The entries of a block at this member: those that everyone has, under the roots that
    /// follow from them.
    fn entries(
        &mut self,
        member: usize,
        height: Height,
        stored: &StoredBlock,
        ledger: &impl Ledger,
    ) -> Result<(), Violation> {
        let header = &stored.block.header;
        let previous = height.0.checked_sub(1).map(Height);
        let from = previous.map_or(0, |p| self.logs.get(&p).map_or(0, |(size, _)| *size));
        // A header says what the log was before its own seal.
        let sealed = header.log_size;
        for position in from..=sealed {
            let place = usize::try_from(position).unwrap_or(usize::MAX);
            let same = ledger
                .kept_entry(position)
                .is_some_and(|entry| self.log.is_or_becomes(place, &entry));
            if !same {
                return violated(format!(
                    "member {member} lacks entry {position} or has another"
                ));
            }
        }
        let size = usize::try_from(sealed).unwrap_or(usize::MAX);
        if self.log.root(size) != Some(header.log_root.0) {
            return violated(format!("block {} names another log root", height.0));
        }
        if let Some(root) = self.log.root(size + 1) {
            self.logs.entry(height).or_insert((sealed + 1, root));
        }
        Ok(())
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
            ConsensusMessage::Vote(signed) => {
                let vote = &signed.vote;
                self.rounds.speaks(vote.height, vote.round);
                self.vote(vote)
            }
            ConsensusMessage::Proposal(signed) => {
                let proposal = &signed.proposal;
                self.rounds.speaks(proposal.height, proposal.round);
                self.proposal(proposal)
            }
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
    /// [`Violation`] if it is not of the log after that block, or too few signed.
    pub fn sees_final(
        &mut self,
        member: usize,
        checkpoint: &FinalCheckpoint,
    ) -> Result<(), Violation> {
        let height = checkpoint.height;
        if self.finals.get(&height) == Some(checkpoint) {
            return Ok(());
        }
        let log = (checkpoint.size, checkpoint.root.0);
        if self.logs.get(&height) != Some(&log) {
            return violated(format!(
                "the final checkpoint of member {member} at {} is of another log",
                height.0
            ));
        }
        let signers: BTreeSet<u8> = checkpoint.signatures.iter().map(|(v, _)| *v).collect();
        if signers.len() < self.quorum {
            return violated(format!(
                "member {member} calls {} final with {} cosignatures",
                height.0,
                signers.len()
            ));
        }
        self.finals.insert(height, checkpoint.clone());
        Ok(())
    }

    /// Nothing fails any more.
    pub fn sees_healing(&mut self) {
        self.rounds.heals();
    }

    /// Heights decided since the faults healed; `None` while they have not.
    #[must_use]
    pub fn heights_since_healing(&self) -> Option<usize> {
        self.rounds
            .have_healed()
            .then(|| self.rounds.of_heights().len())
    }

    /// A member said that it keeps an envelope.
    pub fn sees_accepted(&mut self, id: EnvelopeId) {
        self.rounds.accepts(id);
    }

    /// Rounds that each height took since the faults healed.
    ///
    /// # Errors
    ///
    /// [`Violation`] if one took more than [`ROUNDS_MAX`].
    pub fn rounds_of_heights(&self) -> Result<Vec<u32>, Violation> {
        let rounds = self.rounds.of_heights();
        match rounds.iter().max() {
            Some(most) if *most > ROUNDS_MAX => violated(format!(
                "a height took {most} rounds after the faults had healed"
            )),
            _ => Ok(rounds),
        }
    }

    /// Rounds from each envelope's acceptance to its decision since the faults healed.
    ///
    /// # Errors
    ///
    /// [`Violation`] if one waited for more than `rounds_max`.
    pub fn rounds_of_envelopes(&self, rounds_max: u32) -> Result<Vec<u32>, Violation> {
        let rounds = self.rounds.of_envelopes();
        match rounds.iter().max_by_key(|(_, rounds)| *rounds) {
            Some((id, most)) if *most > rounds_max => violated(format!(
                "envelope {id} waited for {most} rounds after the faults had healed"
            )),
            _ => Ok(rounds.into_iter().map(|(_, rounds)| rounds).collect()),
        }
    }
}

fn violated<T>(what: String) -> Result<T, Violation> {
    Err(Violation(what))
}
