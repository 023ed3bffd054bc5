//! Envelopes on their way into the pool, from clients and members alike.
//!
//! ```text
//!   clients ──┐                        ┌──▶ pool, answers
//!             ├──▶ gathered ──▶ verified ──▶ passed on (the clients')
//!   members ──┘   a moment     together └──▶ bodies that waited for them
//! ```
//!
//! Signatures verified together cost half, and a message with many envelopes costs hardly more
//! than one with few. So after the first envelope, which is taken at once, those that follow
//! within [`GATHER_MS`] wait for each other; never while a proposed block waits for any.

use std::collections::BTreeMap;

use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::TimeMs;

use super::{Admission, Effect, Fatal, PeerId, Replica, TimerId, Token};
use crate::catchup::ANSWER_BYTES_MAX;
use crate::message::Message;
use crate::pool::{self, AdmissionError, Verified};
use crate::store::{Store, StoreError};

/// How long envelopes wait for each other, in milliseconds: little beside agreement, and at a
/// hundred envelopes per second enough for the first two to meet.
const GATHER_MS: u64 = 10;
/// So many envelopes wait no longer: verifying more of them together is hardly cheaper.
const GATHER_MAX: usize = 256;
/// So many bytes of envelopes wait no longer.
const GATHER_BYTES_MAX: usize = 1024 * 1024;

/// Most envelopes in one message. They are sent together up to [`ANSWER_BYTES_MAX`] bytes, and the
/// smallest has more than 128: chain, member, key, signature and one statement.
const ENVELOPES_MAX: usize = ANSWER_BYTES_MAX / 128;

/// What was wrong with each member's envelopes: the first fault, and how many there were.
type Faults = BTreeMap<PeerId, (String, u32)>;

/// Who handed in an envelope.
#[derive(Debug, Clone, Copy)]
enum Source {
    Client(Token),
    Member(PeerId),
}

/// What is being gathered; at most [`GATHER_MAX`] and what one input adds.
#[derive(Debug, Default)]
pub(super) struct Intake {
    waiting: Vec<(Source, Vec<u8>)>,
    bytes: usize,
    /// When envelopes were last taken in.
    last: TimeMs,
}

impl Intake {
    fn push(&mut self, source: Source, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.waiting.push((source, bytes));
    }

    /// How much longer to gather; `None` if it is time to take them in.
    fn rest(&self, now: TimeMs) -> Option<u64> {
        // A clock that was set back must not hold anything up.
        let gathered = now.0.abs_diff(self.last.0);
        let full = self.waiting.len() >= GATHER_MAX || self.bytes >= GATHER_BYTES_MAX;
        GATHER_MS
            .checked_sub(gathered)
            .filter(|rest| *rest > 0 && !full)
    }
}

impl<S: Store> Replica<S> {
    pub(super) fn submit(&mut self, submissions: Vec<(Token, Vec<u8>)>) -> Result<(), Fatal> {
        for (token, bytes) in submissions {
            self.intake.push(Source::Client(token), bytes);
        }
        self.take_in_if_due()
    }

    pub(super) fn receive_envelopes(
        &mut self,
        peer: PeerId,
        envelopes: Vec<Vec<u8>>,
    ) -> Result<(), Fatal> {
        if envelopes.len() > ENVELOPES_MAX {
            let many = envelopes.len();
            self.accuse(peer, format!("{many} envelopes in one message"));
            return Ok(());
        }
        for bytes in envelopes {
            self.intake.push(Source::Member(peer), bytes);
        }
        self.take_in_if_due()
    }

    fn take_in_if_due(&mut self) -> Result<(), Fatal> {
        match self.intake.rest(self.now) {
            Some(rest) if self.needed.is_empty() => {
                self.set_timer(TimerId::Gather, rest);
                Ok(())
            }
            _ => self.verify_gathered(),
        }
    }

    /// Verifies everything gathered in one batch and tells what became of it.
    pub(super) fn verify_gathered(&mut self) -> Result<(), Fatal> {
        let gathered = std::mem::take(&mut self.intake.waiting);
        self.intake.bytes = 0;
        if gathered.is_empty() {
            return Ok(());
        }
        self.intake.last = self.now;
        let (mut sources, mut news) = (Vec::new(), Vec::new());
        // What a block waits for is judged by that block's time, the rest by our clock.
        let mut wanted: BTreeMap<TimeMs, (Vec<PeerId>, Vec<Vec<u8>>)> = BTreeMap::new();
        for (source, bytes) in gathered {
            let id = Envelope::id_of(&bytes);
            if let (Source::Member(peer), Some(time)) = (source, self.wanted_at(&id)) {
                let batch = wanted.entry(time).or_default();
                batch.0.push(peer);
                batch.1.push(bytes);
                continue;
            }
            // The id covers every byte, so what waits in the pool is verified already.
            if self.pool.get(&id).is_none() {
                sources.push(source);
                news.push(bytes);
            } else if let Source::Client(token) = source {
                let pending = Ok(Admission::Pending(id));
                self.effects.push(Effect::Answer(token, pending));
            }
        }
        let results = pool::verify(&self.chain.chain_id, self.now, &self.store, news)?;
        let mut to_pass_on = Vec::new();
        let mut faults = Faults::new();
        for (source, result) in sources.into_iter().zip(results) {
            match source {
                Source::Client(token) => {
                    let answer = self.admit(result, &mut to_pass_on)?;
                    self.effects.push(Effect::Answer(token, answer));
                }
                Source::Member(peer) => self.admit_from(peer, result, &mut faults)?,
            }
        }
        self.pass_on(to_pass_on);
        for (time, (peers, batch)) in wanted {
            let results = pool::verify(&self.chain.chain_id, time, &self.store, batch)?;
            for (peer, result) in peers.into_iter().zip(results) {
                match result {
                    Ok(verified) => self.hand_to_bodies(&verified),
                    Err(error) => note(&mut faults, peer, &error),
                }
            }
        }
        for (peer, (first, times)) in faults {
            self.accuse_often(peer, times, first);
        }
        Ok(())
    }

    fn admit(
        &mut self,
        result: Result<Verified, AdmissionError>,
        to_pass_on: &mut Vec<Vec<u8>>,
    ) -> Result<Result<Admission, AdmissionError>, Fatal> {
        let verified = match result {
            Ok(verified) => verified,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(outcomes) = self.known_outcomes(&verified)? {
            return Ok(Ok(Admission::Known(verified.id, outcomes)));
        }
        let (id, bytes) = (verified.id, verified.bytes.to_vec());
        Ok(self.pool.insert(verified).map(|()| {
            self.pool.passed_on(id, self.now);
            to_pass_on.push(bytes);
            Admission::Pending(id)
        }))
    }

    fn admit_from(
        &mut self,
        peer: PeerId,
        result: Result<Verified, AdmissionError>,
        faults: &mut Faults,
    ) -> Result<(), Fatal> {
        match result {
            Ok(verified) => {
                // Decided already: news that took the long way.
                if self.store.outcomes(&verified.id)?.is_none() {
                    // A full pool is no fault of the sender's: a block that orders the
                    // envelope makes us fetch it again.
                    let _full = self.pool.insert(verified);
                }
            }
            Err(error) => note(faults, peer, &error),
        }
        Ok(())
    }

    /// The outcomes of an envelope that needs no block: decided before, or all of whose
    /// statements are on the ledger already.
    fn known_outcomes(&self, verified: &Verified) -> Result<Option<Vec<Outcome>>, Fatal> {
        if let Some(outcomes) = self.store.outcomes(&verified.id)? {
            return Ok(Some(outcomes));
        }
        let mut outcomes = Vec::new();
        for id in verified.envelope.statement_ids() {
            let recorded = self
                .store
                .recorded(&id)
                .map_err(|error| StoreError::Failed(error.to_string()))?;
            match recorded {
                Some(sequence) => outcomes.push(Outcome::Duplicate(sequence)),
                None => return Ok(None),
            }
        }
        Ok(Some(outcomes))
    }

    /// Passes new envelopes on, in messages within the limit.
    pub(super) fn pass_on(&mut self, news: Vec<Vec<u8>>) {
        let mut batch = Vec::new();
        let mut size = 0;
        for bytes in news {
            if size + bytes.len() > ANSWER_BYTES_MAX && !batch.is_empty() {
                self.broadcast(&Message::Envelopes(std::mem::take(&mut batch)));
                size = 0;
            }
            size += bytes.len();
            batch.push(bytes);
        }
        if !batch.is_empty() {
            self.broadcast(&Message::Envelopes(batch));
        }
    }
}

/// Notes an envelope from a member that we do not take, if that is the member's fault.
fn note(faults: &mut Faults, peer: PeerId, error: &AdmissionError) {
    match error {
        AdmissionError::Envelope(_) | AdmissionError::Signature => {
            let first = || (error.to_string(), 0);
            let (_, times) = faults.entry(peer).or_insert_with(first);
            *times = times.saturating_add(1);
        }
        // Expired on the way, or its key was revoked meanwhile: nobody's fault.
        _ => {}
    }
}
