//! Byzantine members: up to f of them, in correct members' midst, on the same network and with
//! the same faults as everyone.
//!
//! A [`Liar`] draws its habits from its seed and counts every [`Lie`] that it tells; the oracle
//! judges the correct members only, as if they were alone.

mod blocks;
mod forge;
mod forgetful;
mod liar;
mod lie;

pub use liar::Liar;
pub use lie::{Lie, Told};

use std::collections::{BTreeMap, BTreeSet};

use super::actor::Actor;
use super::dice::Dice;
use super::faults::{Cut, Fault, Faults, Kind, Planned, Without};
use super::run::{Failure, Plan, Report, run_among};

/// Faults that do not go together with as many liars as there may be: a disk that loses what was
/// synced makes one liar more.
const TOO_MUCH: [Kind; 8] = [
    Kind::CrashAll,
    Kind::RestartStorm,
    Kind::LostSync,
    Kind::RotInBlock,
    Kind::RotInLog,
    Kind::RotInIndex,
    Kind::OldSnapshot,
    Kind::LateJoin,
];

/// Runs a plan with as many liars as may be, and faults that leave correct members some peace.
///
/// # Errors
///
/// [`Failure`] as soon as anything does not hold among the correct members.
pub fn run_with_liars(plan: Plan, told: &Told) -> Result<Report, Failure> {
    let faults = plan.faults().without(&Without {
        numbers: BTreeSet::new(),
        kinds: TOO_MUCH.into_iter().collect(),
    });
    run_among(plan, faults, |dice| {
        let liars = plan.validators.saturating_sub(1) / 3;
        let mut actors: BTreeMap<usize, Box<dyn Actor>> = BTreeMap::new();
        while actors.len() < liars {
            let n = dice.index(plan.validators);
            let own = Dice::new(dice.below(u64::MAX));
            if let Some(liar) = Liar::new(plan.validators, n, own, told.clone()) {
                actors.insert(n, Box::new(liar));
            }
        }
        actors
    })
}

/// How long correct members are away in turn: longer than a block's time may be off.
const AWAY_US: u64 = 8_000_000;
/// Times that one is away.
const ABSENCES: usize = 6;

/// Runs a plan with one liar whose every block becomes a lock at some and is held back from the
/// rest, while correct members are away so long that such a block is old when they return.
///
/// # Errors
///
/// [`Failure`] as soon as anything does not hold among the correct members.
pub fn run_with_hidden_locks(plan: Plan, told: &Told) -> Result<Report, Failure> {
    let mut dice = Dice::new(plan.seed);
    let liar = dice.index(plan.validators);
    let mut faults = Faults::none();
    for number in 0..ABSENCES {
        let member = (liar + 1 + dice.index(plan.validators - 1)) % plan.validators;
        faults.script.push(Planned {
            number,
            at_us: 500_000 + number as u64 * (AWAY_US + 2_000_000),
            member,
            fault: Fault::Part(Cut::Broken, 1 << member, AWAY_US),
        });
    }
    run_among(plan, faults, |_| {
        let habits = BTreeMap::from([(Lie::HiddenLock, 1000)]);
        let liar_there = Liar::with_habits(plan.validators, liar, dice, told.clone(), habits);
        let boxed = liar_there.map(|actor| (liar, Box::new(actor) as Box<dyn Actor>));
        boxed.into_iter().collect()
    })
}
