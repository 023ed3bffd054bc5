//! One step of a member: its input, what the oracle makes of it, its effects.

use std::sync::Arc;

use jangbu_consensus::ConsensusMessage;
use jangbu_ledger::id::TimeMs;
use jangbu_replica::message::{Class, CosignatureMessage, Message};
use jangbu_replica::replica::{Admission, Effect, Input, TimerId};
use jangbu_replica::store::Store;

use super::super::conduct::LogState;
use super::super::faults::Kind;
use super::super::oracle::{Ledger as _, Violation};
use super::member::Place;
use super::strikes::is_poison;
use super::{Event, World};

/// Most bodies that a replica keeps for each member.
const BODIES_MAX: usize = 8;

impl World {
    pub(super) fn step(&mut self, n: usize, input: Input) -> Result<(), Violation> {
        let now = self.clock(n);
        let member = &mut self.members[n];
        let replica = match &mut member.place {
            Place::Down => return Ok(()),
            Place::Correct(replica) => replica,
            Place::Byzantine(actor) => {
                let effects = actor.step(now, input);
                return self.perform(n, effects);
            }
        };
        match replica.step(now, input) {
            Ok(effects) => {
                self.goes_on(n)?;
                self.show(n)?;
                self.perform(n, effects)
            }
            Err(fatal) => self.stopped(n, &fatal, false),
        }
    }

    /// Shows a member's ledger to the oracle.
    pub(super) fn show(&mut self, n: usize) -> Result<(), Violation> {
        let member = &self.members[n];
        let Some(replica) = member.replica() else {
            return Ok(());
        };
        let (waiting, _) = replica.pool_size();
        let bodies = replica.bodies_kept();
        if waiting > self.consortium.pool_max() || bodies > BODIES_MAX * self.members.len() {
            return Err(Violation(format!(
                "member {n} holds {waiting} envelopes and {bodies} bodies"
            )));
        }
        let latest = self.latest_time();
        for height in self.oracle.unseen(n, replica.tip().height) {
            let Some(stored) = member.disk.kept_block(height) else {
                break;
            };
            if let Some(certificate) = &stored.certificate {
                self.conduct.certified(certificate)?;
            }
            let envelope = |id: &_| {
                let bytes = member.disk.envelope(id).ok().flatten()?;
                self.consortium.is_attested(&bytes).then_some(bytes.len())
            };
            self.content.sees_block(&stored, latest, envelope)?;
        }
        let fresh = self.oracle.sees_tip(n, replica.tip(), &member.disk)?;
        self.client.committed(&fresh);
        self.let_late_ones_join(self.oracle.top());
        Ok(())
    }

    pub(super) fn perform(&mut self, n: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        self.overhear(n, &effects)?;
        let dies_after = self.members[n].dies_after.take();
        for (position, effect) in effects.into_iter().enumerate() {
            if dies_after.is_some_and(|(after, _)| position >= after) {
                break;
            }
            match effect {
                Effect::SetTimer(TimerId::Consensus(id), after_ms)
                    if !self.members[n].is_byzantine && after_ms > self.consortium.max_ms() =>
                {
                    return Err(Violation(format!("member {n} waits {after_ms} ms: {id:?}")));
                }
                Effect::Answer(..)
                | Effect::Final(_)
                | Effect::Misbehaved(..)
                | Effect::CutOff(..)
                | Effect::Evidence(_)
                | Effect::Following(_)
                    if self.members[n].is_byzantine => {}
                Effect::Send(to, class, bytes) => {
                    self.listen(n, class, &bytes)?;
                    self.send(n, usize::from(to.0), class, bytes);
                }
                Effect::Broadcast(class, bytes) => {
                    self.listen(n, class, &bytes)?;
                    for to in (0..self.members.len()).filter(|to| *to != n) {
                        self.send(n, to, class, Arc::clone(&bytes));
                    }
                }
                Effect::SetTimer(id, after_ms) => {
                    let (life, number) = (self.members[n].life, self.schedule.count());
                    self.members[n].timers.insert(id, number);
                    self.schedule
                        .after(after_ms * 1000, Event::Timer(n, life, id, number));
                }
                Effect::CancelTimer(id) => {
                    self.members[n].timers.remove(&id);
                }
                Effect::Answer(token, Ok(Admission::Pending(id))) => {
                    self.trace.tell(self.schedule.now_us(), || {
                        format!("{n} keeps envelope {id} (Submit({}))", token.0)
                    });
                    self.client.accepted(id);
                    self.oracle.sees_accepted(id);
                }
                Effect::Answer(_, Ok(Admission::Known(id, _))) => {
                    self.client.accepted(id);
                    self.client.committed(&[id]);
                }
                Effect::Answer(token, Err(_)) if is_poison(token.0) => {}
                Effect::Answer(token, Err(_)) => {
                    let delay = self.dice.between((100_000, 500_000));
                    self.schedule.after(delay, Event::Submit(token.0));
                }
                Effect::Quarantined(..) => self.tally.count(Kind::Poison),
                Effect::Committed(..) => {}
                Effect::Voting(_) => self.members[n].distrusted = false,
                Effect::Evidence(equivocation) => {
                    let offence = equivocation.offence();
                    let is_offender = |m: &usize| {
                        self.consortium.key_id(*m) == Some(offence.validator)
                            && self.members[*m].is_byzantine
                    };
                    if !(0..self.members.len()).any(|m| is_offender(&m)) {
                        return Err(Violation(format!(
                            "member {n} has evidence against a correct validator: {offence:?}"
                        )));
                    }
                }
                Effect::Following(_) if self.members[n].distrusted => {}
                Effect::Following(reason) => {
                    return Err(Violation(format!(
                        "member {n} stopped voting without a cause: {reason}"
                    )));
                }
                Effect::Final(height) => {
                    if let Ok(Some(checkpoint)) = self.members[n].disk.final_checkpoint(height) {
                        self.oracle.sees_final(n, &checkpoint)?;
                        let log = LogState {
                            size: checkpoint.size,
                            root: checkpoint.root,
                            time_s: checkpoint.timestamp,
                        };
                        for (by, signature) in &checkpoint.signatures {
                            self.conduct.cosigned(*by, log, signature)?;
                        }
                    }
                }
                Effect::Misbehaved(who, _) | Effect::CutOff(who, _)
                    if self.members[usize::from(who.0)].is_byzantine => {}
                Effect::CutOff(who, _) => {
                    return Err(Violation(format!("member {n} cut off member {}", who.0)));
                }
                Effect::Misbehaved(who, reason) => {
                    return Err(Violation(format!(
                        "member {n} accuses member {}, which is correct: {reason}",
                        who.0
                    )));
                }
            }
        }
        if let Some((_, kind)) = dies_after {
            self.crash(n, kind, false);
        }
        Ok(())
    }

    fn listen(&mut self, n: usize, class: Class, bytes: &[u8]) -> Result<(), Violation> {
        if class != Class::Agreement || self.members[n].is_byzantine {
            return Ok(());
        }
        match Message::decode(bytes) {
            Ok(Message::Consensus(message)) => {
                if self.members[n].distrusted
                    && !matches!(
                        message,
                        ConsensusMessage::Polka(_) | ConsensusMessage::Round(_)
                    )
                {
                    return Err(Violation(format!(
                        "member {n} speaks although it may have forgotten what it said"
                    )));
                }
                self.oracle.hears(&message)
            }
            Ok(
                Message::Cosignature(own)
                | Message::Tip {
                    cosignature: Some(own),
                    ..
                },
            ) => self.hears_cosignature(n, own),
            Ok(_) => Ok(()),
            Err(error) => Err(Violation(format!("a message does not decode: {error}"))),
        }
    }

    /// What a member says in a step, whether or not it arrives anywhere.
    fn overhear(&mut self, n: usize, effects: &[Effect]) -> Result<(), Violation> {
        let said = effects.iter().filter_map(|effect| match effect {
            Effect::Send(_, Class::Agreement, bytes)
            | Effect::Broadcast(Class::Agreement, bytes) => Message::decode(bytes).ok(),
            _ => None,
        });
        let mut messages = Vec::new();
        let is_byzantine = self.members[n].is_byzantine;
        for message in said {
            match message {
                Message::Consensus(message) => messages.push(message),
                Message::Fetch(ids) if !is_byzantine => self.conduct.asks_for_envelopes(&ids)?,
                Message::FetchBody(id) if !is_byzantine => self.conduct.asks_for_body(&id)?,
                _ => {}
            }
        }
        if is_byzantine {
            let heard = &mut self.conduct;
            messages
                .iter()
                .for_each(|message| heard.hears_of_liar(message));
            return Ok(());
        }
        self.conduct.hears(&messages)
    }

    /// A correct member cosigns only what it has on its disk.
    fn hears_cosignature(&mut self, n: usize, own: CosignatureMessage) -> Result<(), Violation> {
        let member = &self.members[n];
        let stored = member.disk.kept_block(own.height);
        let time_s = stored.map(|stored| stored.block.header.time_ms.seconds());
        let (Some(time_s), true) = (time_s, usize::from(own.validator) == n) else {
            let height = own.height.0;
            return Err(Violation(format!(
                "member {n} cosigns block {height}, which it does not have"
            )));
        };
        match self.oracle.log_at(own.height) {
            Some((size, root)) => {
                let log = LogState { size, root, time_s };
                self.conduct.cosigned(own.validator, log, &own.signature)
            }
            None => Ok(()),
        }
    }

    /// The latest time that a block may have by now.
    fn latest_time(&self) -> TimeMs {
        let clocks = (0..self.members.len()).map(|n| self.clock(n));
        let latest = clocks.max().unwrap_or(TimeMs(0));
        TimeMs(latest.0 + self.consortium.max_drift_ms())
    }
}
