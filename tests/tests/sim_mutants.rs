//! Every fault on purpose is noticed: by the simulator, among Byzantine members, or by twins.
//!
//! Prints which check noticed what, on which seed. `JANGBU_MUTANT=PolkaUnverified` tries that one
//! only.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jangbu_consensus::mutant::{self, Mutant};
use jangbu_tests::sim::twins::{Scenario, sample};
use jangbu_tests::sim::{Failure, Plan, Report, Told, run, run_with_hidden_locks, run_with_liars};

/// Seeds tried among correct members, and among liars.
const SEEDS: u64 = 24;
/// Scripts that twins play for each seed.
const SCRIPTS: usize = 20;

/// Who noticed, on which seed, and what.
type Caught = (&'static str, u64, String);

fn plan(seed: u64, validators: usize) -> Plan {
    Plan {
        heights: 20,
        wild_us: 20_000_000,
        calm_us: 120_000_000,
        remembers_signatures: true,
        ..Plan::usual(seed, validators)
    }
}

/// Runs it; what went wrong, be it a panic.
fn attempt(run: impl FnOnce() -> Result<(), String>) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => Some(format!("panic: {}", said_by(&*panic))),
    }
}

fn said_by(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_default()
}

/// Who looks for mutants, by seed.
type Hunter = (&'static str, fn(u64) -> Result<(), String>);

const HUNTERS: [Hunter; 4] = [
    ("simulator", |seed| told(run(plan(seed, 4)))),
    ("liars", |seed| {
        told(run_with_liars(plan(seed, 4), &Told::default()))
    }),
    ("twins", |seed| {
        let played = sample(seed, SCRIPTS).into_iter().map(Scenario::play);
        let failed = played.into_iter().find_map(Result::err);
        failed.map_or(Ok(()), |violation| Err(violation.to_string()))
    }),
    ("hidden locks", |seed| {
        told(run_with_hidden_locks(plan(seed, 4), &Told::default()))
    }),
];

fn told(outcome: Result<Report, Failure>) -> Result<(), String> {
    outcome
        .map(drop)
        .map_err(|failure| failure.violation.to_string())
}

/// The first to notice, and how often the fault was come past.
fn hunt(mutant: Mutant) -> (Option<Caught>, u64) {
    let mut reached = 0;
    for seed in 0..SEEDS {
        for (by, run) in HUNTERS {
            mutant::set(Some(mutant));
            let noticed = attempt(|| run(seed));
            reached += mutant::reached();
            mutant::set(None);
            if let Some(violation) = noticed {
                return (Some((by, seed, violation)), reached);
            }
        }
    }
    (None, reached)
}

#[test]
fn every_mutant_is_caught() {
    // Panics are caught and told in the table.
    std::panic::set_hook(Box::new(|_| {}));
    let chosen = std::env::var("JANGBU_MUTANT").ok();
    let is_chosen = |mutant: &&Mutant| chosen.as_ref().is_none_or(|c| *c == format!("{mutant:?}"));
    let mutants: Vec<&Mutant> = Mutant::ALL.iter().filter(is_chosen).collect();
    let (next, survivors) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            match hunt(**mutant) {
                (Some((by, seed, what)), _) => {
                    let what: String = what.chars().take(90).collect();
                    println!(
                        "{:<26} {by:<12} seed {seed:<3} {what}",
                        format!("{mutant:?}")
                    );
                }
                (None, reached) => {
                    println!(
                        "{:<26} SURVIVED  reached {reached} times",
                        format!("{mutant:?}")
                    );
                    survivors.lock().unwrap().push(**mutant);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let survivors = survivors.into_inner().unwrap();
    let list: Vec<String> = survivors
        .iter()
        .map(|m| format!("{m:?}: {}", m.describe()))
        .collect();
    let _ = std::panic::take_hook();
    assert!(list.is_empty(), "survived:\n{}", list.join("\n"));
}
