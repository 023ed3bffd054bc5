//! Replicas on a network, disks and clocks: carries inputs in, performs effects, lets faults
//! happen, shows every step to the oracle.

mod clients;
mod links;
mod member;
mod power;
mod report;
mod step;
mod strikes;

use std::collections::BTreeMap;

use jangbu_ledger::id::{Height, TimeMs};
use jangbu_replica::replica::{Input, PeerId, TimerId};

use super::actor::Actor;
use super::client::Client;
use super::conduct::Conduct;
use super::consortium::Consortium;
use super::content::Content;
use super::dice::Dice;
use super::faults::{Fault, Faults, Kind, Planned, Tally};
use super::network::{Arrival, Frame, Network};
use super::oracle::{Oracle, Violation};
use super::schedule::Schedule;
use super::trace::{self, Sink, Trace};
use member::Member;
use strikes::poison;

/// How long restarts, be it twice, and new links take once nothing fails any more.
const SETTLE_US: u64 = 250_000;

/// What happens in the world.
#[derive(Debug)]
enum Event {
    Arrive(Frame),
    Timer(usize, u32, TimerId, u64),
    Disconnected(usize, u32, usize),
    Reconnect(usize, usize, u32),
    Submit(u64),
    Strike(Box<Planned>),
    StormStrikes(usize),
    Restart(usize),
    Resume(usize, u32),
    Quick(usize),
    Room(usize),
    Restore(usize),
    Heal,
    Healed,
}

/// A consortium at the mercy of a seed.
pub struct World {
    consortium: Consortium,
    members: Vec<Member>,
    network: Network,
    schedule: Schedule<Event>,
    dice: Dice,
    faults: Faults,
    /// Since it healed, nothing of the script strikes any more.
    is_calm: bool,
    client: Client,
    next_envelope: u64,
    submit_every_us: Option<(u64, u64)>,
    oracle: Oracle,
    conduct: Conduct,
    content: Content,
    trace: Trace,
    tally: Tally,
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
    pub fn new(validators: usize, dice: Dice, faults: Faults) -> Result<Self, Violation> {
        Self::with_actors(validators, dice, faults, BTreeMap::new())
    }

    /// The same with Byzantine members in some places.
    ///
    /// # Errors
    ///
    /// [`Violation`] if a replica does not start.
    pub fn with_actors(
        validators: usize,
        dice: Dice,
        faults: Faults,
        actors: BTreeMap<usize, Box<dyn Actor>>,
    ) -> Result<Self, Violation> {
        Self::traced(validators, dice, faults, actors, None)
    }

    /// The same, with everything that happens told line by line.
    ///
    /// # Errors
    ///
    /// [`Violation`] if a replica does not start.
    pub fn traced(
        validators: usize,
        mut dice: Dice,
        mut faults: Faults,
        mut actors: BTreeMap<usize, Box<dyn Actor>>,
        sink: Option<Sink>,
    ) -> Result<Self, Violation> {
        let consortium = Consortium::new(validators);
        let keys = (0..validators).filter_map(|n| consortium.key_id(n));
        let members = (0..validators)
            .map(|n| Member::new(actors.remove(&n), dice.below(faults.skew_ms + 1)))
            .collect();
        let script = std::mem::take(&mut faults.script);
        let mut world = Self {
            conduct: Conduct::new(consortium.validators()),
            content: Content::default(),
            oracle: Oracle::new(validators, keys.collect(), consortium.quorum()),
            consortium,
            members,
            network: Network::new(validators),
            schedule: Schedule::default(),
            dice,
            faults,
            is_calm: false,
            client: Client::default(),
            next_envelope: 0,
            submit_every_us: None,
            trace: Trace::new(sink),
            tally: Tally::default(),
            crashes: 0,
        };
        for planned in script {
            if planned.fault == Fault::Poison {
                let record = world.consortium.record_of(poison(&planned));
                for member in &world.members {
                    member.disk.poison(record);
                }
            }
            let member = &mut world.members[planned.member];
            match planned.fault {
                Fault::Late(_) if member.is_byzantine => {}
                Fault::Late(height) => {
                    member.joins_at = Some(Height(height));
                    // Its operator may take an empty disk for a lost one.
                    member.distrusted = height % 2 == 0;
                    member.untold = member.distrusted;
                }
                _ => {
                    let strike = Event::Strike(Box::new(planned.clone()));
                    world.schedule.at(planned.at_us, strike);
                }
            }
        }
        for n in 0..validators {
            if world.members[n].joins_at.is_none() {
                world.start(n)?;
            }
        }
        for (a, b) in world.network.pairs() {
            let delay = world.dice.below(20_000);
            world.schedule.after(delay, Event::Reconnect(a, b, 0));
        }
        Ok(world)
    }

    /// Ends all faults: everyone restarts, every link comes up, every clock is set right, nothing
    /// fails any more.
    pub fn heal(&mut self) {
        self.trace
            .tell(self.schedule.now_us(), || "everything heals".into());
        self.faults = Faults::none();
        self.is_calm = true;
        self.end_partition();
        let now_us = self.schedule.now_us();
        // What was slowed down before still is under way.
        let at_us = self.network.busy_until_us().max(now_us + SETTLE_US);
        self.schedule.at(at_us, Event::Healed);
        for (a, b, epoch) in self.network.down() {
            let delay = self.dice.between(self.faults.reconnect_us);
            self.schedule.after(delay, Event::Reconnect(a, b, epoch));
        }
        for (n, member) in self.members.iter_mut().enumerate() {
            member.dies_after = None;
            member.dies_in_start = None;
            member.storm = 0;
            member.slow_us = 0;
            member.backup = None;
            member.signer.soothe();
            member.clock.set_right(now_us);
            if member.is_up() {
                member.disk.mend();
                self.schedule.after(0, Event::Resume(n, member.life));
            } else {
                member.disk.fill(false);
                self.schedule.after(1_000, Event::Restart(n));
            }
        }
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
        if let Some(n) = event.strikes_process()
            && let Some(missed) = &mut self.members[n].paused
        {
            missed.push(event);
            return Ok(true);
        }
        self.unfold(event)?;
        Ok(true)
    }

    fn unfold(&mut self, event: Event) -> Result<(), Violation> {
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
            Event::Strike(_) | Event::StormStrikes(_) if self.is_calm => {}
            Event::Strike(planned) => self.strike(&planned)?,
            Event::StormStrikes(n) => self.crash(n, Kind::Crash, false),
            Event::Restart(n) => {
                if !self.members[n].is_up() {
                    self.start(n)?;
                }
            }
            Event::Resume(n, life) => {
                if self.members[n].life == life {
                    for missed in self.members[n].paused.take().unwrap_or_default() {
                        self.unfold(missed)?;
                    }
                }
            }
            Event::Quick(n) => self.members[n].slow_us = 0,
            Event::Room(n) => self.members[n].disk.fill(false),
            Event::Restore(n) => self.restore(n),
            Event::Heal => self.end_partition(),
            Event::Healed => self.oracle.sees_healing(),
        }
        Ok(())
    }

    fn clock(&self, n: usize) -> TimeMs {
        self.members[n].clock.now(self.schedule.now_us())
    }

    fn note(&mut self, event: &Event) {
        let now_us = self.schedule.now_us();
        self.trace.hash(&now_us.to_le_bytes());
        match event {
            Event::Arrive(frame) => {
                self.trace.hash(&[low_byte(frame.from), low_byte(frame.to)]);
                self.trace.hash(&frame.bytes);
                self.trace.tell(now_us, || {
                    let words = trace::in_words(&frame.bytes);
                    format!("{} to {}: {words}", frame.from, frame.to)
                });
            }
            // Told where it strikes.
            Event::Strike(_) => {}
            other => {
                let line = format!("{other:?}");
                self.trace.hash(line.as_bytes());
                self.trace.tell(now_us, || line);
            }
        }
    }
}

impl Event {
    /// Whose process this happens to, if it happens to one.
    const fn strikes_process(&self) -> Option<usize> {
        match self {
            Self::Arrive(frame) => Some(frame.to),
            Self::Timer(n, ..) | Self::Disconnected(n, ..) => Some(*n),
            _ => None,
        }
    }
}

fn low_byte(n: usize) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

fn peer(n: usize) -> PeerId {
    PeerId(u16::try_from(n).unwrap_or(u16::MAX))
}
