//! Bodies of proposed blocks: gathered, executed, fed to consensus, committed.

use jangbu_consensus as consensus;
use jangbu_ledger::block::Block;
use jangbu_ledger::id::{BlockId, EnvelopeId, TimeMs};

use super::{Effect, Fatal, PeerId, Replica, TimerId};
use crate::candidate::{self, CandidateError};
use crate::message::{Body, FETCH_MAX, Message};
use crate::pool::{self, Verified};
use crate::store::{Store, StoreError};

/// Most bodies kept while envelopes are missing or their height has not come. A correct
/// proposer sends one per round; rounds of two heights are rarely this many.
const BODIES_MAX: usize = 64;

/// How long missing envelopes may be on their way before they are asked for: members pass them
/// on when they come, and only the block's body travels faster than these.
const ASK_AFTER_MS: u64 = 20;
/// How long until they are asked for again.
const ASK_AGAIN_MS: u64 = 500;

/// A body that cannot be executed yet.
#[derive(Debug, Clone)]
pub(super) struct PendingBody {
    pub(super) from: PeerId,
    pub(super) body: Body,
    /// Since when envelopes are missing or were last asked for, and how long to wait from then.
    pub(super) missing: Option<(TimeMs, u64)>,
}

/// What became of a body.
enum Judged {
    /// It was fed to consensus, or is of no use.
    Done,
    /// It waits for its height, for envelopes, or for its time to come.
    Waits,
}

impl<S: Store> Replica<S> {
    /// A body from a peer.
    pub(super) fn receive_body(&mut self, from: PeerId, body: Body) -> Result<(), Fatal> {
        let height = body.block.header.height;
        if height <= self.tip.height || height > self.tip.height.next().next() {
            return Ok(());
        }
        self.keep_body(PendingBody {
            from,
            body,
            missing: None,
        });
        self.wake();
        // What the block orders may be among what is being gathered.
        self.verify_gathered()?;
        self.judge_bodies()
    }

    fn keep_body(&mut self, pending: PendingBody) {
        let same = |kept: &PendingBody| {
            kept.body.block.header == pending.body.block.header
                && kept.body.round == pending.body.round
        };
        if self.bodies.iter().any(same) {
            return;
        }
        if self.bodies.len() >= BODIES_MAX {
            self.bodies.pop_front();
        }
        self.bodies.push_back(pending);
    }

    /// Tries every kept body again; call when an envelope came, a height started, time passed.
    pub(super) fn judge_bodies(&mut self) -> Result<(), Fatal> {
        if !self.running {
            return Ok(());
        }
        for mut pending in std::mem::take(&mut self.bodies) {
            if let Judged::Waits = self.judge_body(&mut pending)? {
                self.bodies.push_back(pending);
            }
        }
        let tip = self.tip.height;
        self.bodies
            .retain(|pending| pending.body.block.header.height > tip);
        Ok(())
    }

    fn judge_body(&mut self, pending: &mut PendingBody) -> Result<Judged, Fatal> {
        let Body {
            round, valid_round, ..
        } = pending.body;
        let header = &pending.body.block.header;
        if header.height != self.tip.height.next() {
            return Ok(Judged::Waits);
        }
        if valid_round.is_none() {
            let drift = header.time_ms.0.abs_diff(self.now.0);
            // Withheld, never called invalid: by the time its time has come it may be fine.
            if drift > self.settings.max_drift_ms {
                return Ok(if header.time_ms > self.now {
                    Judged::Waits
                } else {
                    Judged::Done
                });
            }
        }
        let (height, id) = (header.height, header.id());
        let Some(valid) = self.executed(pending, &id)? else {
            return Ok(Judged::Waits);
        };
        self.drive(consensus::Input::Value {
            height,
            round,
            valid_round,
            block_id: id,
            valid,
        })?;
        Ok(Judged::Done)
    }

    /// Whether the block is valid; `None` while envelopes are missing (they are asked for, if
    /// they do not come by themselves).
    fn executed(&mut self, pending: &mut PendingBody, id: &BlockId) -> Result<Option<bool>, Fatal> {
        if self.candidates.contains_key(id) {
            return Ok(Some(true));
        }
        let block = &pending.body.block;
        let Some(envelopes) = self.gather(block)? else {
            let (mut since, mut wait) = pending.missing.unwrap_or((self.now, ASK_AFTER_MS));
            // A clock that was set back must not hold the question up.
            if self.now.0.abs_diff(since.0) >= wait {
                for ids in self.missing(block)?.chunks(FETCH_MAX) {
                    self.send(pending.from, &Message::Fetch(ids.to_vec()));
                }
                (since, wait) = (self.now, ASK_AGAIN_MS);
            }
            pending.missing = Some((since, wait));
            self.set_timer(TimerId::Ask, wait - self.now.0.abs_diff(since.0));
            return Ok(None);
        };
        let list: Vec<&Verified> = envelopes.iter().collect();
        match candidate::check(&self.chain, &self.store, &self.tip, block, &list) {
            Ok(candidate) => {
                self.append.blocks.push(block.clone());
                self.append
                    .envelopes
                    .extend(candidate.commit.envelopes.iter().cloned());
                self.candidates.insert(*id, candidate);
                Ok(Some(true))
            }
            Err(CandidateError::Invalid(reason)) => {
                self.effects.push(Effect::Misbehaved(
                    pending.from,
                    format!("block {id} is invalid: {reason}"),
                ));
                Ok(Some(false))
            }
            Err(CandidateError::Store(error)) => Err(error.into()),
        }
    }

    /// The block's envelopes in order, from the pool or the disk; `None` if one is missing.
    pub(super) fn gather(&self, block: &Block) -> Result<Option<Vec<Verified>>, Fatal> {
        let mut found = Vec::with_capacity(block.envelopes.len());
        let mut stored: Vec<(usize, Vec<u8>)> = Vec::new();
        for (position, id) in block.envelopes.iter().enumerate() {
            if let Some(verified) = self.pool.get(id) {
                found.push(Some(verified.clone()));
            } else if let Some(bytes) = self.store.envelope(id)? {
                stored.push((position, bytes.to_vec()));
                found.push(None);
            } else {
                return Ok(None);
            }
        }
        // Written by us for a proposed block of this height; verify again after a restart.
        let (positions, bytes): (Vec<usize>, Vec<Vec<u8>>) = stored.into_iter().unzip();
        let time = block.header.time_ms;
        let results = pool::verify(&self.chain.chain_id, time, &self.store, bytes);
        for (position, result) in positions.into_iter().zip(results) {
            match result {
                Ok(verified) => {
                    if let Some(place) = found.get_mut(position) {
                        *place = Some(verified);
                    }
                }
                // It was fine once; that a block now orders it is the block's fault, and the
                // block cannot be executed.
                Err(_) => return Ok(None),
            }
        }
        Ok(found.into_iter().collect())
    }

    fn missing(&self, block: &Block) -> Result<Vec<EnvelopeId>, StoreError> {
        let mut missing = Vec::new();
        for id in &block.envelopes {
            if self.pool.get(id).is_none() && self.store.envelope(id)?.is_none() {
                missing.push(*id);
            }
        }
        Ok(missing)
    }
}
