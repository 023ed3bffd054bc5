//! One run: a wild time, then a calm one at whose end all must be well.

use std::collections::BTreeMap;

use jangbu_ledger::id::Height;
use jangbu_ledger::signature::Memory;

use super::actor::Actor;
use super::dice::Dice;
use super::faults::{Faults, Tally, Without};
use super::oracle::Violation;
use super::trace::Sink;
use super::world::World;

/// Heights that must be decided after the faults have healed.
const HEIGHTS_HEALED: usize = 5;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// Number of validators.
    pub validators: usize,
    /// Heights that every replica must reach.
    pub heights: u64,
    /// Longest wild time, in virtual microseconds.
    pub wild_us: u64,
    /// Longest calm time.
    pub calm_us: u64,
    /// Whether a signature is verified once, and not by each member anew: the same run, sooner.
    pub remembers_signatures: bool,
}

/// A run that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A hash over all that happened.
    pub trace: [u8; 32],
    /// Height at the end.
    pub height: Height,
    /// Height at the end of the wild time.
    pub wild_height: Height,
    /// Virtual time.
    pub now_us: u64,
    /// Events.
    pub events: u64,
    /// Times that a replica stopped, for whatever reason.
    pub crashes: u64,
    /// Faults by kind.
    pub tally: Tally,
    /// Rounds that each height took since the faults healed.
    pub rounds_of_heights: Vec<u32>,
    /// Rounds from each envelope's acceptance to its decision since the faults healed.
    pub rounds_of_envelopes: Vec<u32>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (height, wild) = (self.height.0, self.wild_height.0);
        let (seconds, events) = (self.now_us / 1_000_000, self.events);
        let crashes = self.crashes;
        write!(
            f,
            "height {height} ({wild} of it wild) in {seconds} s, {events} events, {crashes} crashes"
        )
    }
}

/// A run that did not; its seed runs it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "seed {} with {} validators, at {now_us} us: {violation} ({standing})",
    plan.seed, plan.validators
)]
pub struct Failure {
    /// What was run.
    pub plan: Plan,
    /// When.
    pub now_us: u64,
    /// What did not hold.
    pub violation: Violation,
    /// Where everyone stood.
    pub standing: String,
}

impl Failure {
    /// What does not hold of a run that went well.
    pub(super) fn at_end(plan: Plan, report: &Report, violation: Violation) -> Self {
        Self {
            plan,
            now_us: report.now_us,
            violation,
            standing: report.to_string(),
        }
    }
}

impl Plan {
    /// Enough heights for every fault to strike, on this seed.
    #[must_use]
    pub const fn usual(seed: u64, validators: usize) -> Self {
        Self {
            seed,
            validators,
            heights: 36,
            wild_us: 60_000_000,
            calm_us: 300_000_000,
            remembers_signatures: true,
        }
    }

    /// The faults that its seed draws.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::drawn(&mut Dice::new(self.seed), self.validators)
    }
}

/// Runs a plan to its end, with the faults that its seed draws.
///
/// # Errors
///
/// [`Failure`] as soon as anything does not hold.
pub fn run(plan: Plan) -> Result<Report, Failure> {
    run_without(plan, &Without::default(), None)
}

/// The same with some faults left out, and told line by line to whom it may concern.
///
/// # Errors
///
/// [`Failure`] as soon as anything does not hold.
pub fn run_without(plan: Plan, left_out: &Without, sink: Option<Sink>) -> Result<Report, Failure> {
    let faults = plan.faults().without(left_out);
    play(plan, faults, |_| BTreeMap::new(), sink)
}

/// Runs a plan with these faults, and with Byzantine members in some places.
///
/// # Errors
///
/// [`Failure`] as soon as anything does not hold.
pub fn run_among(
    plan: Plan,
    faults: Faults,
    actors: impl FnOnce(&mut Dice) -> BTreeMap<usize, Box<dyn Actor>>,
) -> Result<Report, Failure> {
    play(plan, faults, actors, None)
}

fn play(
    plan: Plan,
    faults: Faults,
    actors: impl FnOnce(&mut Dice) -> BTreeMap<usize, Box<dyn Actor>>,
    sink: Option<Sink>,
) -> Result<Report, Failure> {
    let _memory = plan.remembers_signatures.then(Memory::begin);
    // Not the stream that drew the faults: leaving some out must not change what is left.
    let mut dice = Dice::new(!plan.seed);
    let every = (20_000, dice.between((40_000, 200_000)));
    let actors = actors(&mut dice);
    let failure = |now_us, violation, standing| Failure {
        plan,
        now_us,
        violation,
        standing,
    };
    let mut world = World::traced(plan.validators, dice, faults, actors, sink)
        .map_err(|violation| failure(0, violation, String::new()))?;
    let wild = live(&mut world, plan, every);
    wild.map_err(|violation| failure(world.now_us(), violation, world.describe()))
}

fn live(world: &mut World, plan: Plan, every: (u64, u64)) -> Result<Report, Violation> {
    world.submit_every(Some(every));
    let most_of_it = Height(plan.heights * 9 / 10);
    while world.now_us() < plan.wild_us && world.oracle().top() < most_of_it {
        world.happen()?;
    }
    let wild_height = world.oracle().top();
    world.heal();
    let deadline = world.now_us() + plan.calm_us;
    until(world, deadline, |world| {
        let since = world.oracle().heights_since_healing();
        world.lowest() >= Height(plan.heights) && since >= Some(HEIGHTS_HEALED)
    })?;
    world.submit_every(None);
    until(world, deadline, World::is_settled)?;
    world.check_settled()?;
    Ok(Report {
        trace: world.trace(),
        height: world.oracle().top(),
        wild_height,
        now_us: world.now_us(),
        events: world.events(),
        crashes: world.crashes(),
        tally: world.tally().clone(),
        rounds_of_heights: world.oracle().rounds_of_heights()?,
        rounds_of_envelopes: world.rounds_of_envelopes()?,
    })
}

fn until(
    world: &mut World,
    deadline_us: u64,
    done: impl Fn(&World) -> bool,
) -> Result<(), Violation> {
    while !done(world) {
        if !world.happen()? || world.now_us() > deadline_us {
            return Err(Violation("not done in time, with nothing failing".into()));
        }
    }
    Ok(())
}
