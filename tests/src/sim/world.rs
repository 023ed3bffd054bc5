//! Replicas on a network, disks and clocks: carries inputs in, performs effects, lets faults
//! happen, shows every step to the oracle.

use std::collections::BTreeMap;
use std::sync::Arc;

use jangbu_ledger::id::{Height, TimeMs};
use jangbu_replica::message::{Class, Message};
use jangbu_replica::replica::{Admission, Effect, Input, PeerId, Replica, TimerId, Token};
use jangbu_replica::store::Store;

use super::client::Client;
use super::consortium::{Consortium, START_MS};
use super::dice::Dice;
use super::disk::{Disk, WriteFault};
use super::faults::Faults;
use super::network::{Arrival, Fate, Frame, Network, Reconnect};
use super::oracle::{Oracle, Violation};
use super::schedule::Schedule;

/// What happens in the world.
#[derive(Debug)]
enum Event {
    Arrive(Frame),
    Timer(usize, u32, TimerId, u64),
    Disconnected(usize, u32, usize),
    Reconnect(usize, usize, u32),
    Submit(u64),
    Crash,
    Restart(usize),
    Part,
    Heal,
}

struct Member {
    replica: Option<Replica<Disk>>,
    disk: Disk,
    /// Grows with every restart: timers of an earlier life do not ring.
    life: u32,
    timers: BTreeMap<TimerId, u64>,
    skew_ms: u64,
    /// Dies in its next step, after so many effects were performed.
    dies_after: Option<usize>,
}

/// A consortium at the mercy of a seed.
pub struct World {
    consortium: Consortium,
    members: Vec<Member>,
    network: Network,
    schedule: Schedule<Event>,
    dice: Dice,
    faults: Faults,
    client: Client,
    next_envelope: u64,
    submit_every_us: Option<(u64, u64)>,
    oracle: Oracle,
    trace: blake3::Hasher,
    crashes: u64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("members", &self.members.len())
            .field("now_us", &self.schedule.now_us())
            .finish_non_exhaustive()
    }
}

impl World {
    /// A world of so many validators, all up, with links about to connect.
    ///
    /// # Errors
    ///
    /// [`Violation`] if a replica does not start.
    pub fn new(validators: usize, mut dice: Dice, faults: Faults) -> Result<Self, Violation> {
        let consortium = Consortium::new(validators);
        let keys = (0..validators).filter_map(|n| consortium.key_id(n));
        let oracle = Oracle::new(validators, keys.collect(), consortium.quorum());
        let members = (0..validators)
            .map(|_| Member {
                replica: None,
                disk: Disk::default(),
                life: 0,
                timers: BTreeMap::new(),
                skew_ms: dice.below(faults.skew_ms + 1),
                dies_after: None,
            })
            .collect();
        let mut world = Self {
            consortium,
            members,
            network: Network::new(validators),
            schedule: Schedule::default(),
            dice,
            faults,
            client: Client::default(),
            next_envelope: 0,
            submit_every_us: None,
            oracle,
            trace: blake3::Hasher::new(),
            crashes: 0,
        };
        for n in 0..validators {
            world.start(n)?;
        }
        for (a, b) in world.network.pairs() {
            let delay = world.dice.below(20_000);
            world.schedule.after(delay, Event::Reconnect(a, b, 0));
        }
        world.plan_crash();
        world.plan_partition();
        Ok(world)
    }

    /// Lets the client hand in an envelope ever so often; `None` lets it stop.
    pub fn submit_every(&mut self, range_us: Option<(u64, u64)>) {
        let idle = self.submit_every_us.is_none();
        self.submit_every_us = range_us;
        if idle {
            self.plan_submission();
        }
    }

    /// Ends all faults: everyone restarts, every link comes up, nothing fails any more.
    pub fn heal(&mut self) {
        self.faults = Faults {
            skew_ms: self.faults.skew_ms,
            ..Faults::none()
        };
        self.end_partition();
        for n in 0..self.members.len() {
            self.members[n].dies_after = None;
            if self.members[n].replica.is_none() {
                self.schedule.after(1_000, Event::Restart(n));
            } else {
                self.members[n].disk.disarm();
            }
        }
    }

    /// Hands an envelope to a member now.
    ///
    /// # Errors
    ///
    /// [`Violation`] if the oracle saw one.
    pub fn submit_to(&mut self, n: usize, number: u64) -> Result<(), Violation> {
        let (id, bytes) = self.consortium.envelope(number);
        self.client.hands_in(number, id, n);
        self.step(n, Input::Submit(vec![(Token(number), bytes)]))
    }

    /// Lets the next event happen; `false` if there is none.
    ///
    /// # Errors
    ///
    /// [`Violation`] if the oracle saw one.
    pub fn happen(&mut self) -> Result<bool, Violation> {
        let Some(event) = self.schedule.advance() else {
            return Ok(false);
        };
        self.note(&event);
        match event {
            Event::Arrive(frame) => {
                if let Arrival::Delivered(frame) = self.network.arrive(frame) {
                    let input = Input::Received(peer(frame.from), frame.bytes.to_vec());
                    self.step(frame.to, input)?;
                }
            }
            Event::Timer(n, life, id, number) => {
                let member = &mut self.members[n];
                if member.life == life && member.timers.get(&id) == Some(&number) {
                    member.timers.remove(&id);
                    self.step(n, Input::Timer(id))?;
                }
            }
            Event::Disconnected(n, life, other) => {
                if self.members[n].life == life {
                    self.step(n, Input::Disconnected(peer(other)))?;
                }
            }
            Event::Reconnect(a, b, epoch) => self.reconnect(a, b, epoch)?,
            Event::Submit(number) => self.submit(number)?,
            Event::Crash => self.crash_someone(),
            Event::Restart(n) => {
                if self.members[n].replica.is_none() {
                    self.start(n)?;
                }
            }
            Event::Part => self.part(),
            Event::Heal => self.end_partition(),
        }
        Ok(true)
    }

    /// Microseconds since the beginning.
    #[must_use]
    pub const fn now_us(&self) -> u64 {
        self.schedule.now_us()
    }

    /// Events put in so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.schedule.count()
    }

    /// Crashes so far.
    #[must_use]
    pub const fn crashes(&self) -> u64 {
        self.crashes
    }

    /// What the oracle saw.
    #[must_use]
    pub const fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// A hash over every event so far.
    #[must_use]
    pub fn trace(&self) -> [u8; 32] {
        *self.trace.finalize().as_bytes()
    }

    /// The least height among the members.
    #[must_use]
    pub fn lowest(&self) -> Height {
        let heights = (0..self.members.len()).map(|n| self.oracle.height_of(n));
        heights.min().flatten().unwrap_or(Height(0))
    }

    /// Entries in the log of whoever has the longest.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        let running = self.members.iter().filter_map(|m| m.replica.as_ref());
        let sizes = running.map(|replica| replica.tip().frontier.size());
        sizes.max().unwrap_or(0)
    }

    /// Whether all is recorded, everywhere, and final.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.client.waiting() == 0
            && self.lowest() == self.oracle.top()
            && self.members.iter().all(|member| {
                let last = member.disk.last_final_checkpoint().ok().flatten();
                member.replica.is_some() && last.is_some_and(|c| c.height == self.oracle.top())
            })
    }

    /// Where everyone stands, for a failure's report.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut lines = format!("{} envelopes wait", self.client.waiting());
        for (n, member) in self.members.iter().enumerate() {
            let height = self.oracle.height_of(n).unwrap_or(Height(0)).0;
            let last = member.disk.last_final_checkpoint().ok().flatten();
            let last = last.map_or(0, |checkpoint| checkpoint.height.0);
            let pool = member.replica.as_ref().map(|r| r.pool_size().0);
            lines += &format!("; member {n}: height {height}, final {last}, pool {pool:?}");
        }
        lines
    }

    /// What must hold once all is settled: every envelope that was ever accepted is on every
    /// ledger, and all states are the same.
    ///
    /// # Errors
    ///
    /// [`Violation`] naming what is missing.
    pub fn check_settled(&self) -> Result<(), Violation> {
        let Some(first) = self.members.first() else {
            return Ok(());
        };
        for (n, member) in self.members.iter().enumerate() {
            let contents = member.disk.contents();
            if !contents.records().eq(first.disk.contents().records()) {
                return Err(Violation(format!("member {n} has another state")));
            }
            for id in self.client.all_accepted() {
                if !matches!(contents.outcomes(id), Ok(Some(_))) {
                    return Err(Violation(format!(
                        "member {n} lost envelope {id}, which was accepted"
                    )));
                }
            }
        }
        Ok(())
    }

    fn clock(&self, n: usize) -> TimeMs {
        TimeMs(START_MS + 1_000 + self.schedule.now_us() / 1000 + self.members[n].skew_ms)
    }

    fn start(&mut self, n: usize) -> Result<(), Violation> {
        let now = self.clock(n);
        let (config, member) = (self.consortium.config(n), &mut self.members[n]);
        member.disk.revive();
        member.life += 1;
        member.timers.clear();
        let in_writing = self.faults.crash_at_write_per_mille / 4;
        if self.dice.chance(in_writing) {
            member.disk.arm(WriteFault {
                after: u32::try_from(self.dice.below(3)).unwrap_or(0),
                written: self.dice.chance(500),
            });
        }
        match Replica::new(config, member.disk.clone(), now) {
            Ok((replica, effects)) => {
                member.replica = Some(replica);
                self.show(n)?;
                self.perform(n, effects)
            }
            Err(_) if member.disk.is_dead() => {
                self.crash(n);
                Ok(())
            }
            Err(fatal) => Err(Violation(format!("member {n} does not start: {fatal}"))),
        }
    }

    fn step(&mut self, n: usize, input: Input) -> Result<(), Violation> {
        let now = self.clock(n);
        let member = &mut self.members[n];
        let Some(replica) = &mut member.replica else {
            return Ok(());
        };
        match replica.step(now, input) {
            Ok(effects) => {
                self.show(n)?;
                self.perform(n, effects)
            }
            Err(_) if member.disk.is_dead() => {
                self.crash(n);
                Ok(())
            }
            Err(fatal) => Err(Violation(format!("member {n} stopped: {fatal}"))),
        }
    }

    /// Shows a member's ledger to the oracle.
    fn show(&mut self, n: usize) -> Result<(), Violation> {
        let member = &self.members[n];
        let Some(replica) = &member.replica else {
            return Ok(());
        };
        let block = |height| member.disk.block(height).ok().flatten();
        let fresh = self.oracle.sees_tip(n, replica.tip(), block)?;
        self.client.committed(&fresh);
        Ok(())
    }

    fn perform(&mut self, n: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        let dies_after = self.members[n].dies_after.take();
        for (position, effect) in effects.into_iter().enumerate() {
            if dies_after.is_some_and(|after| position >= after) {
                break;
            }
            match effect {
                Effect::Send(to, class, bytes) => {
                    self.listen(class, &bytes)?;
                    self.send(n, usize::from(to.0), class, bytes);
                }
                Effect::Broadcast(class, bytes) => {
                    self.listen(class, &bytes)?;
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
                Effect::Answer(_, Ok(Admission::Pending(id))) => self.client.accepted(id),
                Effect::Answer(_, Ok(Admission::Known(id, _))) => {
                    self.client.accepted(id);
                    self.client.committed(&[id]);
                }
                Effect::Answer(token, Err(_)) => {
                    let delay = self.dice.between((100_000, 500_000));
                    self.schedule.after(delay, Event::Submit(token.0));
                }
                Effect::Committed(..) => {}
                Effect::Final(height) => {
                    if let Ok(Some(checkpoint)) = self.members[n].disk.final_checkpoint(height) {
                        self.oracle.sees_final(n, &checkpoint)?;
                    }
                }
                Effect::Misbehaved(who, reason) => {
                    return Err(Violation(format!(
                        "member {n} accuses member {}, which is correct: {reason}",
                        who.0
                    )));
                }
            }
        }
        if dies_after.is_some() {
            self.crash(n);
        }
        Ok(())
    }

    fn listen(&mut self, class: Class, bytes: &[u8]) -> Result<(), Violation> {
        if class != Class::Agreement {
            return Ok(());
        }
        match Message::decode(bytes) {
            Ok(Message::Consensus(message)) => self.oracle.hears(&message),
            Ok(_) => Ok(()),
            Err(error) => Err(Violation(format!("a message does not decode: {error}"))),
        }
    }

    fn send(&mut self, from: usize, to: usize, class: Class, bytes: Arc<[u8]>) {
        let now_us = self.schedule.now_us();
        let chance = (&mut self.dice, &self.faults, now_us);
        match self.network.send(chance, (from, to), class, bytes) {
            Fate::Arrives(at_us, frame) => self.schedule.at(at_us, Event::Arrive(frame)),
            Fate::Lost => {}
            Fate::Breaks => self.break_link(from, to),
        }
    }

    fn break_link(&mut self, a: usize, b: usize) {
        if let Some(epoch) = self.network.break_link(a, b) {
            self.link_broke(a, b, epoch);
        }
    }

    fn link_broke(&mut self, a: usize, b: usize, epoch: u32) {
        for (n, other) in [(a, b), (b, a)] {
            let delay = self.dice.below(5_000);
            let life = self.members[n].life;
            self.schedule
                .after(delay, Event::Disconnected(n, life, other));
        }
        let delay = self.dice.between(self.faults.reconnect_us);
        self.schedule.after(delay, Event::Reconnect(a, b, epoch));
    }

    fn reconnect(&mut self, a: usize, b: usize, epoch: u32) -> Result<(), Violation> {
        let both_up = [a, b].iter().all(|n| self.members[*n].replica.is_some());
        let outcome = if both_up {
            self.network.connect(a, b, epoch)
        } else {
            Reconnect::Later
        };
        match outcome {
            Reconnect::Up => {
                self.step(a, Input::Connected(peer(b)))?;
                self.step(b, Input::Connected(peer(a)))
            }
            Reconnect::Later => {
                self.schedule.after(20_000, Event::Reconnect(a, b, epoch));
                Ok(())
            }
            Reconnect::Over => Ok(()),
        }
    }

    fn plan_submission(&mut self) {
        if let Some(range) = self.submit_every_us {
            let delay = self.dice.between(range);
            self.schedule
                .after(delay, Event::Submit(self.next_envelope));
            self.next_envelope += 1;
        }
    }

    fn submit(&mut self, number: u64) -> Result<(), Violation> {
        if number + 1 == self.next_envelope {
            self.plan_submission();
        }
        let up: Vec<usize> = (0..self.members.len())
            .filter(|n| self.members[*n].replica.is_some())
            .collect();
        if up.is_empty() {
            self.schedule.after(50_000, Event::Submit(number));
            return Ok(());
        }
        let n = up[self.dice.index(up.len())];
        self.submit_to(n, number)
    }

    fn plan_crash(&mut self) {
        if let Some(range) = self.faults.crash_every_us {
            let delay = self.dice.between(range);
            self.schedule.after(delay, Event::Crash);
        }
    }

    fn crash_someone(&mut self) {
        if self.faults.crash_every_us.is_none() {
            return;
        }
        self.plan_crash();
        if self.dice.chance(self.faults.crash_all_per_mille) {
            for n in 0..self.members.len() {
                self.crash(n);
            }
            return;
        }
        let n = self.dice.index(self.members.len());
        if self.dice.chance(self.faults.crash_at_write_per_mille) {
            let fault = WriteFault {
                after: u32::try_from(self.dice.below(8)).unwrap_or(0),
                written: self.dice.chance(500),
            };
            self.members[n].disk.arm(fault);
        } else if self.dice.chance(500) {
            self.members[n].dies_after = Some(self.dice.index(6));
        } else {
            self.crash(n);
        }
    }

    fn crash(&mut self, n: usize) {
        let member = &mut self.members[n];
        if member.replica.take().is_none() && !member.disk.is_dead() {
            return;
        }
        member.timers.clear();
        member.dies_after = None;
        self.crashes += 1;
        for other in (0..self.members.len()).filter(|other| *other != n) {
            self.break_link(n, other);
        }
        for number in self.client.lost_with(n) {
            let delay = self.dice.between((10_000, 500_000));
            self.schedule.after(delay, Event::Submit(number));
        }
        let down = self.dice.between(self.faults.down_us);
        self.schedule.after(down, Event::Restart(n));
    }

    fn plan_partition(&mut self) {
        if let Some(range) = self.faults.partition_every_us {
            let delay = self.dice.between(range);
            self.schedule.after(delay, Event::Part);
        }
    }

    fn part(&mut self) {
        if self.faults.partition_every_us.is_none() {
            return;
        }
        let side: Vec<bool> = (0..self.members.len())
            .map(|_| self.dice.chance(500))
            .collect();
        let stall = self.dice.chance(self.faults.stall_per_mille);
        for (a, b, epoch) in self.network.part(&side, stall) {
            self.link_broke(a, b, epoch);
        }
        let lasts = self.dice.between(self.faults.partition_us);
        self.schedule.after(lasts, Event::Heal);
        self.plan_partition();
    }

    fn end_partition(&mut self) {
        for frame in self.network.heal() {
            self.schedule.after(0, Event::Arrive(frame));
        }
    }

    fn note(&mut self, event: &Event) {
        self.trace.update(&self.schedule.now_us().to_le_bytes());
        match event {
            Event::Arrive(frame) => {
                self.trace
                    .update(format!("{} to {}", frame.from, frame.to).as_bytes());
                self.trace.update(&frame.bytes);
            }
            other => {
                self.trace.update(format!("{other:?}").as_bytes());
            }
        }
    }
}

fn peer(n: usize) -> PeerId {
    PeerId(u16::try_from(n).unwrap_or(u16::MAX))
}
