//! Replicas on a network, disks and clocks: carries inputs in, performs effects, lets faults
//! happen, shows every step to the oracle.

mod clients;
mod links;
mod member;
mod power;
mod report;
mod step;

use std::collections::BTreeMap;

use jangbu_ledger::id::TimeMs;
use jangbu_replica::replica::{Input, PeerId, TimerId};

use super::actor::Actor;
use super::client::Client;
use super::conduct::Conduct;
use super::consortium::{Consortium, START_MS};
use super::content::Content;
use super::dice::Dice;
use super::faults::Faults;
use super::network::{Arrival, Frame, Network};
use super::oracle::{Oracle, Violation};
use super::schedule::Schedule;
use member::Member;

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
    conduct: Conduct,
    content: Content,
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
        mut dice: Dice,
        faults: Faults,
        mut actors: BTreeMap<usize, Box<dyn Actor>>,
    ) -> Result<Self, Violation> {
        let consortium = Consortium::new(validators);
        let keys = (0..validators).filter_map(|n| consortium.key_id(n));
        let oracle = Oracle::new(validators, keys.collect(), consortium.quorum());
        let members = (0..validators)
            .map(|n| Member::new(actors.remove(&n), dice.below(faults.skew_ms + 1)))
            .collect();
        let mut world = Self {
            conduct: Conduct::new(consortium.validators()),
            content: Content::default(),
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

    /// Ends all faults: everyone restarts, every link comes up, nothing fails any more.
    pub fn heal(&mut self) {
        self.faults = Faults {
            skew_ms: self.faults.skew_ms,
            ..Faults::none()
        };
        self.end_partition();
        for n in 0..self.members.len() {
            self.members[n].dies_after = None;
            if !self.members[n].is_up() {
                self.schedule.after(1_000, Event::Restart(n));
            } else {
                self.members[n].disk.disarm();
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
                if !self.members[n].is_up() {
                    self.start(n)?;
                }
            }
            Event::Part => self.part(),
            Event::Heal => self.end_partition(),
        }
        Ok(true)
    }

    fn clock(&self, n: usize) -> TimeMs {
        TimeMs(START_MS + 1_000 + self.schedule.now_us() / 1000 + self.members[n].skew_ms)
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
