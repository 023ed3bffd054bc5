//! Proposed blocks: their bodies and envelopes are gathered, executed, and consensus is told.
//!
//! ```text
//!   Body ──▶ kept ──┐
//!                   ├──▶ envelopes ──▶ clock ──▶ execute ──▶ Input::Value
//!   NeedBlock ──────┘
//! ```
//!
//! A body may come before its proposal or after; only one that a signed proposal names is
//! executed. What is missing is asked of whoever sent the proposal or the body, and then of
//! everyone, until it is here or the height is decided.

mod gather;

use std::collections::{BTreeMap, BTreeSet};

use jangbu_consensus as consensus;
use jangbu_consensus::mutant::{self, Mutant};
use jangbu_ledger::block::Block;
use jangbu_ledger::id::{BlockId, EnvelopeId, TimeMs};

use super::{Fatal, PeerId, Replica, TimerId};
use crate::candidate::{self, CandidateError};
use crate::message::{FETCH_MAX, Message};
use crate::pool::Verified;
use crate::store::Store;
pub(super) use gather::Gathered;

/// Most bodies kept per peer. A correct proposer sends one per round of two heights; a peer
/// that sends more loses its own oldest.
const BODIES_PER_PEER_MAX: usize = 8;
/// How long what a block lacks may be on its way before it is asked for: members pass envelopes
/// on when they come, and only the block's body travels faster than these.
const ASK_AFTER_MS: u64 = 20;
/// How long until it is asked for again, and then of everyone.
const ASK_AGAIN_MS: u64 = 500;

/// A body of the next height or the one after.
#[derive(Debug)]
pub(super) struct PendingBody {
    from: PeerId,
    id: BlockId,
    block: Block,
    /// Envelopes that were not here when someone looked.
    missing: BTreeSet<EnvelopeId>,
    /// Those that came for this block: a full pool must not keep it from being executed.
    found: BTreeMap<EnvelopeId, Verified>,
    question: Question,
}

/// A block that a proposal of the running height names.
#[derive(Debug)]
pub(super) struct Needed {
    /// Who sent the proposal.
    from: Option<PeerId>,
    question: Question,
}

/// When to ask for what is missing.
#[derive(Debug, Clone, Copy, Default)]
struct Question {
    /// Since when it is missing or was last asked for.
    since: Option<TimeMs>,
    asked: bool,
}

/// Of whom to ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    Nobody,
    One,
    Everyone,
}

impl Question {
    /// Whom to ask now.
    fn ask(&mut self, now: TimeMs) -> Whom {
        let since = self.since.get_or_insert(now);
        let wait = if self.asked {
            ASK_AGAIN_MS
        } else {
            ASK_AFTER_MS
        };
        // A clock that was set back must not hold the question up.
        if now.0.abs_diff(since.0) < wait {
            return Whom::Nobody;
        }
        *since = now;
        match std::mem::replace(&mut self.asked, true) {
            false => Whom::One,
            true => Whom::Everyone,
        }
    }

    /// How long until it is to be asked next.
    fn rest(&self, now: TimeMs) -> u64 {
        let wait = if self.asked {
            ASK_AGAIN_MS
        } else {
            ASK_AFTER_MS
        };
        let since = self.since.unwrap_or(now);
        wait.saturating_sub(now.0.abs_diff(since.0))
    }
}

/// What can be said of a block.
enum Judged {
    /// Whether it is valid.
    Valid(bool),
    /// Nothing yet; look again after so many milliseconds.
    After(u64),
}

impl PendingBody {
    pub(super) const fn block(&self) -> &Block {
        &self.block
    }
}

impl<S: Store> Replica<S> {
    /// A body from a peer.
    pub(super) fn receive_body(&mut self, from: PeerId, block: Block) {
        let height = block.header.height;
        if height <= self.tip.height || height > self.tip.height.next().next() {
            return;
        }
        // The id covers the header only: with another list of envelopes this is no such block.
        let bound = block.header.envelopes_root == Block::envelopes_root(&block.envelopes);
        if !bound && !mutant::is(Mutant::BodyUnbound) {
            let reason = "a body with other envelopes than its header says".to_owned();
            self.accuse(from, reason);
            return;
        }
        let id = block.header.id();
        if self.candidates.contains_key(&id) || self.bodies.iter().any(|kept| kept.id == id) {
            return;
        }
        let mut of_peer = self.bodies.iter().filter(|kept| kept.from == from);
        if of_peer.clone().count() >= BODIES_PER_PEER_MAX
            && !mutant::is(Mutant::BodiesUnbounded)
            && let Some(oldest) = of_peer.next().map(|kept| kept.id)
        {
            self.bodies.retain(|kept| kept.id != oldest);
        }
        self.bodies.push(PendingBody {
            from,
            id,
            block,
            missing: BTreeSet::new(),
            found: BTreeMap::new(),
            question: Question::default(),
        });
    }

    /// A proposal names this block.
    pub(super) fn need(&mut self, id: BlockId) {
        let from = self.speaker;
        self.needed.entry(id).or_insert(Needed {
            from,
            question: Question::default(),
        });
    }

    /// Tries every block that a proposal names; asks for what is missing. Call when anything
    /// may have changed: it costs nothing while nothing is needed.
    pub(super) fn judge_needed(&mut self) -> Result<(), Fatal> {
        if self.needed.is_empty() {
            return Ok(());
        }
        // What a block orders may be among what is being gathered.
        self.verify_gathered()?;
        let ids: Vec<BlockId> = self.needed.keys().copied().collect();
        let mut rest = u64::MAX;
        for id in ids {
            match self.judge(id)? {
                Judged::Valid(valid) => {
                    self.needed.remove(&id);
                    self.drive(consensus::Input::Value {
                        height: self.tip.height.next(),
                        block_id: id,
                        valid,
                    })?;
                }
                Judged::After(ms) => rest = rest.min(ms),
            }
        }
        if !self.needed.is_empty() {
            self.set_timer(TimerId::Ask, rest.clamp(1, ASK_AGAIN_MS));
        }
        Ok(())
    }

    /// Whether the block is valid, if that can be said.
    fn judge(&mut self, id: BlockId) -> Result<Judged, Fatal> {
        if self.candidates.contains_key(&id) {
            return Ok(Judged::Valid(true));
        }
        let Some(position) = self.bodies.iter().position(|kept| kept.id == id) else {
            return Ok(Judged::After(self.ask_for_body(id)));
        };
        let mut pending = self.bodies.remove(position);
        let judged = self.judge_body(&mut pending)?;
        if let Judged::After(_) = judged {
            self.bodies.insert(position, pending);
        }
        Ok(judged)
    }

    fn judge_body(&mut self, pending: &mut PendingBody) -> Result<Judged, Fatal> {
        let header = &pending.block.header;
        // Withheld, never called invalid: by the time its time has come it may be fine, and
        // what a quorum vouches for is not judged by our clock.
        let drift = header.time_ms.0.abs_diff(self.now.0);
        if drift > self.settings.max_drift_ms
            && !mutant::is(Mutant::DriftUnchecked)
            && !self.consensus.is_vouched_for(&pending.id)
        {
            return Ok(Judged::After(ASK_AGAIN_MS));
        }
        // Known to panic: not once more for every proposer that can execute it.
        let mut ordered = pending.block.envelopes.iter();
        if ordered.any(|id| self.pool.is_quarantined(id)) {
            return Ok(Judged::Valid(false));
        }
        pending.missing.retain(|id| self.pool.get(id).is_none());
        if !pending.missing.is_empty() {
            return Ok(Judged::After(self.ask_for_envelopes(pending)));
        }
        let envelopes = match self.gather(&pending.block, &pending.found)? {
            Gathered::All(envelopes) => envelopes,
            Gathered::Missing(ids) => {
                pending.missing = ids.into_iter().collect();
                return Ok(Judged::After(self.ask_for_envelopes(pending)));
            }
            Gathered::Invalid(reason) => {
                self.accuse_of(pending, &reason);
                return Ok(Judged::Valid(false));
            }
        };
        let list: Vec<&Verified> = envelopes.iter().collect();
        match candidate::check(&self.chain, &self.store, &self.tip, &pending.block, &list) {
            Ok(candidate) => {
                self.keep_candidate(candidate);
                Ok(Judged::Valid(true))
            }
            Err(CandidateError::Invalid(_)) if mutant::is(Mutant::NotExecuted) => {
                Ok(Judged::Valid(true))
            }
            Err(CandidateError::Invalid(reason)) => {
                self.accuse_of(pending, &reason.to_string());
                Ok(Judged::Valid(false))
            }
            // No fault of the sender's, who may be able to execute it.
            Err(CandidateError::Panicked(panicked)) => {
                self.quarantine(panicked);
                Ok(Judged::Valid(false))
            }
            Err(CandidateError::Store(error)) => Err(error.into()),
        }
    }

    fn accuse_of(&mut self, pending: &PendingBody, reason: &str) {
        let reason = format!("block {} is invalid: {reason}", pending.id);
        self.accuse(pending.from, reason);
    }

    /// Returns how long to wait for the answer.
    fn ask_for_body(&mut self, id: BlockId) -> u64 {
        let now = self.now;
        let Some(needed) = self.needed.get_mut(&id) else {
            return ASK_AGAIN_MS;
        };
        let (whom, rest) = (needed.question.ask(now), needed.question.rest(now));
        match (whom, needed.from) {
            (Whom::Nobody, _) => {}
            (Whom::One, Some(peer)) => self.send(peer, &Message::FetchBody(id)),
            _ => self.broadcast(&Message::FetchBody(id)),
        }
        rest
    }

    /// Returns how long to wait for the answer.
    fn ask_for_envelopes(&mut self, pending: &mut PendingBody) -> u64 {
        let whom = pending.question.ask(self.now);
        if whom != Whom::Nobody {
            let ids: Vec<EnvelopeId> = pending.missing.iter().copied().collect();
            for chunk in ids.chunks(FETCH_MAX) {
                let message = Message::Fetch(chunk.to_vec());
                match whom {
                    Whom::One => self.send(pending.from, &message),
                    _ => self.broadcast(&message),
                }
            }
        }
        pending.question.rest(self.now)
    }

    /// The time of a block that waits for this envelope: what counts is whether it may be
    /// ordered then, not now.
    pub(super) fn wanted_at(&self, id: &EnvelopeId) -> Option<TimeMs> {
        let mut bodies = self.bodies.iter();
        let pending = bodies.find(|pending| pending.missing.contains(id))?;
        Some(pending.block.header.time_ms)
    }

    /// Hands a verified envelope to the bodies that wait for it.
    pub(super) fn hand_to_bodies(&mut self, verified: &Verified) {
        for pending in &mut self.bodies {
            if pending.missing.remove(&verified.id) {
                pending.found.insert(verified.id, verified.clone());
            }
        }
    }
}
