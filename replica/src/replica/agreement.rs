//! Drives consensus: when a height starts, what is proposed, what is written before what is
//! sent, what a decision commits.

use std::collections::{BTreeMap, VecDeque};

use jangbu_consensus::mutant::{self, Mutant};
use jangbu_consensus::{self as consensus, CommitCertificate, ConsensusMessage};
use jangbu_ledger::id::{BlockId, Height, KeyId, TimeMs};

use super::bodies::Gathered;
use super::{CONSENSUS_STEPS_MAX, Effect, Fatal, PeerId, Replica, TimerId};
use crate::candidate::{self, Candidate, CandidateError, ExecutionPanicked};
use crate::message::Message;
use crate::pool::Verified;
use crate::store::{Append, Store, StoreError};

/// Most envelopes that are found to panic for one proposal; each costs a dozen executions.
const CULPRITS_MAX: usize = 8;

impl<S: Store> Replica<S> {
    /// After a restart: executes the blocks that were proposed at the running height, then
    /// replays its log, if it has one, which may propose, lock or decide any of them.
    pub(super) fn resume(&mut self) -> Result<(), Fatal> {
        let log = self.store.log()?;
        if log.is_empty() || mutant::is(Mutant::LogNotReplayed) {
            self.set_timer(TimerId::Start, 0);
            return Ok(());
        }
        for block in self.store.proposed_blocks()? {
            let id = block.header.id();
            let damaged = |what: String| {
                StoreError::Corrupt(format!(
                    "block {id}, which was executed before the restart, cannot be again: {what}"
                ))
            };
            let envelopes = match self.gather(&block, &BTreeMap::new())? {
                Gathered::All(envelopes) => envelopes,
                Gathered::Missing(ids) => {
                    return Err(damaged(format!("{} envelopes are gone", ids.len())).into());
                }
                Gathered::Invalid(reason) => return Err(damaged(reason).into()),
            };
            let list: Vec<&Verified> = envelopes.iter().collect();
            match candidate::check(&self.chain, &self.store, &self.tip, &block, &list) {
                Ok(candidate) => {
                    self.candidates.insert(id, candidate);
                }
                Err(CandidateError::Invalid(reason)) => {
                    return Err(damaged(reason.to_string()).into());
                }
                Err(CandidateError::Panicked(panicked)) => {
                    return Err(damaged(panicked.to_string()).into());
                }
                Err(CandidateError::Store(error)) => return Err(error.into()),
            }
        }
        self.start_height(log)
    }

    /// Starts the next height if there is something to record, a peer has begun it, or the
    /// heartbeat is due; not sooner after the last block than the interval asks.
    pub(super) fn start_if_due(&mut self) -> Result<(), Fatal> {
        if self.running {
            return Ok(());
        }
        // A clock that was set back must not hold the next height up.
        let rested = self.now.0.abs_diff(self.committed_at.0);
        let woken = self.consensus.has_messages_for(self.tip.height.next());
        let wanted = woken || !self.pool.is_empty() || rested >= self.settings.max_idle_ms;
        if !wanted {
            return Ok(());
        }
        if !woken && rested < self.settings.block_interval_ms {
            self.set_timer(TimerId::Start, self.settings.block_interval_ms - rested);
            return Ok(());
        }
        self.start_height(Vec::new())
    }

    pub(super) fn start_height(&mut self, log: Vec<Vec<u8>>) -> Result<(), Fatal> {
        self.running = true;
        self.started_at = self.now;
        self.drive(consensus::Input::StartHeight { log })
    }

    /// Feeds consensus one input and performs what it asks, in order, until it rests.
    pub(super) fn drive(&mut self, input: consensus::Input) -> Result<(), Fatal> {
        let mut inputs = VecDeque::from([input]);
        let mut steps = 0;
        while let Some(input) = inputs.pop_front() {
            steps += 1;
            if steps > CONSENSUS_STEPS_MAX {
                return Err(Fatal::Consensus("it does not come to rest".into()));
            }
            let effects = self
                .consensus
                .step(input)
                .map_err(|fatal| Fatal::Consensus(fatal.to_string()))?;
            for effect in effects {
                self.perform(effect, &mut inputs)?;
            }
        }
        if std::mem::take(&mut self.forgotten) {
            self.follow("our key signed a message of this height that is not in our log")?;
        }
        Ok(())
    }

    fn perform(
        &mut self,
        effect: consensus::Effect,
        inputs: &mut VecDeque<consensus::Input>,
    ) -> Result<(), Fatal> {
        match effect {
            consensus::Effect::Persist(height, record) => {
                // What a decided height still wants to log is in the ledger already.
                // A follower says nothing that its log would have to protect.
                if height > self.tip.height && self.is_voting() {
                    self.append.log.push(record);
                }
            }
            consensus::Effect::Sync => self.sync_due = !mutant::is(Mutant::SentBeforeSynced),
            consensus::Effect::Send(message) => self.broadcast(&Message::Consensus(message)),
            consensus::Effect::GetValue { height, round } => {
                if let Some(input) = self.propose(height, round)? {
                    inputs.push_back(input);
                }
            }
            consensus::Effect::NeedBlock { block_id, .. } => self.need(block_id),
            consensus::Effect::Restream(block_id) => {
                if let Some(message) = self.body(&block_id) {
                    self.broadcast(&message);
                }
            }
            consensus::Effect::ScheduleTimer { id, after_ms } => {
                let after_ms = self.wait_of(id, after_ms);
                self.set_timer(TimerId::Consensus(id), after_ms);
            }
            consensus::Effect::CancelTimer(id) => {
                self.effects
                    .push(Effect::CancelTimer(TimerId::Consensus(id)));
            }
            consensus::Effect::Decide(certificate) => self.decided(certificate)?,
            consensus::Effect::Reject(reason) => {
                tracing::debug!(%reason, "a message was rejected");
            }
            consensus::Effect::Evidence(evidence) => {
                self.effects.push(Effect::Evidence(Box::new(evidence)));
            }
            consensus::Effect::Forgotten(_) => self.forgotten = true,
        }
        Ok(())
    }

    /// Writes what must survive, if anything of this step needs it written. No message leaves
    /// before the step ends, so one write serves all of a step's messages.
    pub(super) fn sync(&mut self) -> Result<(), Fatal> {
        if std::mem::take(&mut self.sync_due) && !self.append.is_empty() {
            self.store.append(&std::mem::take(&mut self.append))?;
        }
        Ok(())
    }

    /// Keeps a block that was executed, and has it on disk before anything is said of it.
    pub(super) fn keep_candidate(&mut self, candidate: Candidate) {
        if !mutant::is(Mutant::BlockNotKept) {
            self.append.blocks.push(candidate.block.clone());
        }
        if !mutant::is(Mutant::EnvelopesNotKept) {
            let envelopes = candidate.commit.envelopes.iter().cloned();
            self.append.envelopes.extend(envelopes);
        }
        if mutant::is(Mutant::CosignedBeforeDurable) {
            let (own, _) = self.cosigner.committed(&self.chain, &candidate.commit.tip);
            own.into_iter()
                .for_each(|own| self.broadcast(&Message::Cosignature(own)));
        }
        self.candidates.insert(candidate.id, candidate);
    }

    /// The message with the body of a block that we executed.
    pub(super) fn body(&self, id: &BlockId) -> Option<Message> {
        let candidate = self.candidates.get(id)?;
        Some(Message::Body(Box::new(candidate.block.clone())))
    }

    fn propose(&mut self, height: Height, round: u32) -> Result<Option<consensus::Input>, Fatal> {
        let Some(proposer) = self.consensus.own_address() else {
            return Ok(None);
        };
        if height != self.tip.height.next() {
            return Ok(None);
        }
        let failed = self.failed_rounds(height, round);
        let Some(candidate) = self.make_block(proposer, self.block_size.after(failed))? else {
            return Ok(None);
        };
        let id = candidate.id;
        // On disk with the proposal: after a crash we must be able to give it again.
        self.keep_candidate(candidate);
        if let Some(message) = self.body(&id) {
            self.broadcast(&message);
        }
        Ok(Some(consensus::Input::ProposeValue {
            height,
            round,
            block_id: id,
        }))
    }

    /// The next block, without the envelopes that cannot be executed; `None` if not even an
    /// empty one can, which leaves the round to the next proposer.
    fn make_block(
        &mut self,
        proposer: KeyId,
        statements_max: usize,
    ) -> Result<Option<Candidate>, Fatal> {
        let time = TimeMs(self.now.0.max(self.tip.time_ms.0 + 1));
        for attempt in 0..=CULPRITS_MAX {
            // So many at once are no accident: the others have to wait for the next block.
            let most = if attempt < CULPRITS_MAX {
                usize::MAX
            } else {
                0
            };
            let made = candidate::propose(
                &self.chain,
                &self.store,
                &self.tip,
                proposer,
                time,
                statements_max,
                self.pool.iter().take(most),
            );
            match made {
                Ok(candidate) => return Ok(Some(candidate)),
                Err(CandidateError::Panicked(panicked)) => {
                    if !self.quarantine(panicked) {
                        return Ok(None);
                    }
                }
                Err(CandidateError::Store(error)) => return Err(error.into()),
                Err(CandidateError::Invalid(_)) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Drops the envelope that made execution panic; `false` if there is none to blame.
    pub(super) fn quarantine(&mut self, panicked: ExecutionPanicked) -> bool {
        let ExecutionPanicked { envelope, reason } = panicked;
        let Some(id) = envelope else {
            tracing::error!(%reason, "executing a block panicked, whatever is in it");
            return false;
        };
        if self.pool.quarantine(id) {
            self.effects.push(Effect::Quarantined(id, reason));
        }
        true
    }

    fn decided(&mut self, certificate: CommitCertificate) -> Result<(), Fatal> {
        let Some(candidate) = self.candidates.remove(&certificate.block_id) else {
            return Err(Fatal::CertifiedButInvalid {
                height: certificate.height,
                block: certificate.block_id,
                reason: "it was decided here without having been executed".into(),
            });
        };
        self.commit(candidate, certificate)
    }

    /// Makes a decided block part of the ledger, then tells everyone.
    pub(super) fn commit(
        &mut self,
        mut candidate: Candidate,
        certificate: CommitCertificate,
    ) -> Result<(), Fatal> {
        let failed = self.failed_rounds(certificate.height, certificate.round);
        self.block_size.decided(
            failed,
            candidate.commit.entries.len(),
            self.now.0.saturating_sub(self.started_at.0),
        );
        candidate.commit.block.certificate = Some(certificate);
        // What the height still had to log or sync, the commit supersedes.
        self.append = Append::default();
        self.sync_due = false;
        self.store.commit(&candidate.commit)?;
        self.tip = candidate.commit.tip.clone();
        if !mutant::is(Mutant::CommittedStaysInPool) {
            for id in &candidate.block.envelopes {
                self.pool.remove(id);
            }
        }
        self.candidates.clear();
        self.needed.clear();
        self.running = false;
        self.committed_at = self.now;
        let tip = self.tip.height;
        self.bodies
            .retain(|pending| pending.block().header.height > tip);
        let envelopes = candidate.block.envelopes;
        self.effects.push(Effect::Committed(tip, envelopes));
        self.take_up_voting()?;
        self.cosign()
    }

    /// Sends a member that just connected what we said in the running height.
    pub(super) fn resend_to(&mut self, peer: PeerId) {
        if !self.running {
            return;
        }
        let messages: Vec<ConsensusMessage> = self.consensus.current_messages().cloned().collect();
        for message in messages {
            if let ConsensusMessage::Proposal(signed) = &message
                && let Some(body) = self.body(&signed.proposal.block_id)
            {
                self.send(peer, &body);
            }
            self.send(peer, &Message::Consensus(message));
        }
    }
}
