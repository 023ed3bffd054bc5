//! Drives consensus: when a height starts, what is proposed, what is written before what is
//! sent, what a decision commits.

use std::collections::VecDeque;

use jangbu_consensus::{self as consensus, CommitCertificate};
use jangbu_ledger::id::{Height, TimeMs};

use super::{CONSENSUS_STEPS_MAX, Effect, Fatal, PeerId, Replica, TimerId};
use crate::candidate::{self, Candidate};
use crate::message::{Body, Message};
use crate::store::{Append, Store};

impl<S: Store> Replica<S> {
    /// After a restart: replays the running height's log, if it has one.
    pub(super) fn resume(&mut self) -> Result<(), Fatal> {
        let log = self.store.log()?;
        if log.is_empty() {
            self.set_timer(TimerId::Start, 0);
            return Ok(());
        }
        self.start_height(log)
    }

    /// Something concerns the next height: let it start.
    pub(super) fn wake(&mut self) {
        if !self.running {
            self.woken = true;
        }
    }

    /// Starts the next height if there is something to record, a peer has begun it, or the
    /// heartbeat is due; not sooner after the last block than the interval asks.
    pub(super) fn start_if_due(&mut self) -> Result<(), Fatal> {
        if self.running || self.catch_up.waiting() {
            return Ok(());
        }
        let rested = self.now.0.saturating_sub(self.committed_at.0);
        let wanted = self.woken || !self.pool.is_empty() || rested >= self.settings.max_idle_ms;
        if !wanted {
            return Ok(());
        }
        if !self.woken && rested < self.settings.block_interval_ms {
            self.set_timer(TimerId::Start, self.settings.block_interval_ms - rested);
            return Ok(());
        }
        self.start_height(Vec::new())
    }

    fn start_height(&mut self, log: Vec<Vec<u8>>) -> Result<(), Fatal> {
        self.running = true;
        self.woken = false;
        self.started_at = self.now;
        self.drive(consensus::Input::StartHeight {
            height: self.tip.height.next(),
            log,
        })?;
        self.judge_bodies()
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
                if height > self.tip.height {
                    self.append.log.push(record);
                }
            }
            consensus::Effect::Sync => self.sync()?,
            consensus::Effect::Send(message) => self.broadcast(&Message::Consensus(message)),
            consensus::Effect::GetValue { height, round } => {
                if let Some(input) = self.propose(height, round)? {
                    inputs.push_back(input);
                }
            }
            consensus::Effect::Restream {
                round,
                valid_round,
                block_id,
                ..
            } => {
                if let Some(candidate) = self.candidates.get(&block_id) {
                    let block = candidate.block.clone();
                    self.broadcast(&Message::Body(Box::new(Body {
                        round,
                        valid_round,
                        block,
                    })));
                }
            }
            consensus::Effect::ScheduleTimer { id, after_ms } => {
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
                tracing::warn!(?evidence, "a validator contradicted itself");
            }
        }
        Ok(())
    }

    /// Everything that must survive is on disk when this returns.
    fn sync(&mut self) -> Result<(), Fatal> {
        if !self.append.is_empty() {
            self.store.append(&std::mem::take(&mut self.append))?;
        }
        Ok(())
    }

    fn propose(&mut self, height: Height, round: u32) -> Result<Option<consensus::Input>, Fatal> {
        let Some(proposer) = self.consensus.own_address() else {
            return Ok(None);
        };
        if height != self.tip.height.next() {
            return Ok(None);
        }
        let time = TimeMs(self.now.0.max(self.tip.time_ms.0 + 1));
        let waiting = self.pool.iter();
        let candidate = candidate::propose(
            &self.chain,
            &self.store,
            &self.tip,
            proposer,
            time,
            self.block_size.in_round(round),
            waiting,
        )?;
        let (id, block) = (candidate.id, candidate.block.clone());
        // On disk before the proposal leaves: after a crash we must be able to give it again.
        self.append.blocks.push(block.clone());
        self.append
            .envelopes
            .extend(candidate.commit.envelopes.iter().cloned());
        self.candidates.insert(id, candidate);
        self.sync()?;
        self.broadcast(&Message::Body(Box::new(Body {
            round,
            valid_round: None,
            block,
        })));
        Ok(Some(consensus::Input::ProposeValue {
            height,
            round,
            block_id: id,
        }))
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
        self.block_size.decided(
            certificate.round,
            candidate.commit.entries.len(),
            self.now.0.saturating_sub(self.started_at.0),
        );
        candidate.commit.block.certificate = Some(certificate);
        self.append = Append::default();
        self.store.commit(&candidate.commit)?;
        self.tip = candidate.commit.tip.clone();
        for id in &candidate.block.envelopes {
            self.pool.remove(id);
        }
        self.candidates.clear();
        self.running = false;
        self.committed_at = self.now;
        let tip = self.tip.height;
        self.bodies
            .retain(|pending| pending.body.block.header.height > tip);
        self.woken = !self.bodies.is_empty() || self.consensus.has_messages_for(tip.next());
        let envelopes = candidate.block.envelopes;
        self.effects.push(Effect::Committed(tip, envelopes));
        self.cosign()
    }

    /// Sends a member that just connected what we said in the running height.
    pub(super) fn resend_to(&mut self, peer: PeerId) {
        if !self.running {
            return;
        }
        for message in self.consensus.current_messages() {
            self.send(peer, &Message::Consensus(message));
        }
        if let Some((round, valid_round, id)) = self.consensus.current_proposal()
            && let Some(candidate) = self.candidates.get(&id)
        {
            let block = candidate.block.clone();
            self.send(
                peer,
                &Message::Body(Box::new(Body {
                    round,
                    valid_round,
                    block,
                })),
            );
        }
    }
}
