//! Replicas through every fault of the menu, on many seeds.
//!
//! `make sim` runs a thousand seeds; `make sim FROM=… SEEDS=…` any others, with `VALIDATORS=4`
//! only one size, with `WITHOUT=…` some faults left out; `TRACE=1` writes down all that happens in
//! the first. A failing seed prints the command that runs it alone, with a trace, and the smallest
//! schedule of faults found to fail.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::File;
use std::io::{BufWriter, Write as _};

use jangbu_ledger::id::Height;
use jangbu_tests::sim::{
    Dice, Failure, Faults, Plan, ROUNDS_MAX, Volume, Without, World, run, run_without, shrink,
};

/// Failing seeds that are looked into.
const LOOKED_INTO_MAX: usize = 3;
/// Runs that may be spent on making one smaller.
const SHRINK_RUNS_MAX: u32 = 120;
/// Rounds within which a height is decided, and an envelope ordered, once nothing fails.
const ROUNDS_P99: usize = 5;

fn setting(name: &str) -> Option<String> {
    let value = std::env::var(format!("JANGBU_SIM_{name}")).ok()?;
    (!value.is_empty()).then_some(value)
}

fn number(name: &str, otherwise: u64) -> u64 {
    setting(name).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

fn validators() -> Vec<usize> {
    let list = setting("VALIDATORS").unwrap_or_else(|| "4,7".into());
    let sizes: Result<Vec<usize>, _> = list.split(',').map(str::parse).collect();
    sizes.unwrap_or_else(|_| panic!("VALIDATORS={list} is no list of numbers"))
}

fn without() -> Without {
    let list = setting("WITHOUT").unwrap_or_default();
    list.parse()
        .unwrap_or_else(|error| panic!("WITHOUT={list}: {error}"))
}

/// How to run one seed again.
fn command(failure: &Failure, without: &Without) -> String {
    let Plan {
        seed, validators, ..
    } = failure.plan;
    let without = match without.to_string() {
        list if list.is_empty() => list,
        list => format!(" WITHOUT={list}"),
    };
    format!("make sim FROM={seed} SEEDS=1 VALIDATORS={validators}{without}")
}

/// Writes what happened to a file, and says where.
fn write_trace(plan: Plan, without: &Without) -> String {
    let name = format!("jangbu-sim-{}-{}.trace", plan.seed, plan.validators);
    let path = std::env::temp_dir().join(name);
    let mut file = match File::create(&path) {
        Ok(file) => BufWriter::new(file),
        Err(error) => return format!("no trace: {}: {error}", path.display()),
    };
    let sink = move |line: &str| {
        writeln!(file, "{line}").unwrap_or_else(|error| panic!("the trace: {error}"));
    };
    let result = run_without(plan, without, Some(Box::new(sink)));
    let end = result.map_or_else(|failure| failure.violation.to_string(), |_| "fine".into());
    format!("trace: {} (it ends: {end})", path.display())
}

/// Everything that helps to understand a failure.
fn look_into(failure: &Failure, without: &Without) -> String {
    let plan = failure.plan;
    let mut text = format!("{failure}\n  again: {}", command(failure, without));
    // With some left out by hand, someone is looking into it already.
    if *without != Without::default() {
        text += &format!("\n  {}", write_trace(plan, without));
        return text;
    }
    let small = shrink(plan, failure.clone(), SHRINK_RUNS_MAX);
    let faults = plan.faults().without(&small.without);
    text += &format!(
        "\n  with fewer faults ({} runs tried): {}\n  again: {}\n  {}",
        small.runs,
        small.failure.violation,
        command(failure, &small.without),
        write_trace(plan, &small.without)
    );
    let weather: Vec<&str> = faults.kinds_of_weather().iter().map(|k| k.name()).collect();
    text += &format!("\n  weather: {}", weather.join(", "));
    for planned in &faults.script {
        text += &format!("\n  {planned}");
    }
    text
}

#[test]
fn every_promise_holds_on_every_seed_and_every_fault_strikes_and_each_seed_gives_one_run() {
    let (from, seeds) = (number("FROM", 0), number("SEEDS", 100));
    let without = without();
    let volume = Volume::run(from..from + seeds, &validators(), &without);
    println!("{volume}");
    if setting("TRACE").is_some() {
        let plan = Plan::usual(from, validators()[0]);
        println!("{}", write_trace(plan, &without));
    }
    let looked_into: Vec<String> = volume
        .failures
        .iter()
        .take(LOOKED_INTO_MAX)
        .map(|failure| look_into(failure, &without))
        .collect();
    let rest = volume.failures.iter().skip(LOOKED_INTO_MAX);
    let rest: Vec<String> = rest.map(|failure| command(failure, &without)).collect();
    assert!(
        volume.failures.is_empty(),
        "{} runs failed:\n{}\n{}",
        volume.failures.len(),
        looked_into.join("\n"),
        rest.join("\n")
    );
    assert_eq!(volume.repeated, seeds.min(100), "runs made twice");
    // A few seeds need not meet everything.
    if seeds >= 100 && without == Without::default() {
        let missing: Vec<&str> = volume.tally.missing().map(|kind| kind.name()).collect();
        assert!(missing.is_empty(), "never struck: {}", missing.join(", "));
        assert!(volume.rounds_of_heights.quantile(990) <= ROUNDS_P99);
        assert!(volume.rounds_of_envelopes.quantile(990) <= ROUNDS_P99);
    }
}

#[test]
fn a_run_that_goes_otherwise_the_second_time_is_a_failure() {
    let [plan, other] = [2_000, 2_001].map(|seed| Plan {
        heights: 4,
        ..Plan::usual(seed, 4)
    });
    let report = run(plan).unwrap();
    let mut volume = Volume::default();
    volume.add_repeated(plan, &report, run(plan));
    assert_eq!((volume.repeated, volume.failures.len()), (1, 0));
    volume.add_repeated(plan, &report, run(other));
    assert_eq!((volume.repeated, volume.failures.len()), (1, 1));
}

#[test]
fn an_envelope_that_waits_for_too_many_rounds_is_a_violation() {
    let mut world = World::new(4, Dice::new(1), Faults::none()).unwrap();
    world.heal();
    world.submit_every(Some((20_000, 40_000)));
    while world.lowest() < Height(6) {
        assert!(world.happen().unwrap());
    }
    let rounds = world.oracle().rounds_of_envelopes(ROUNDS_MAX).unwrap();
    let most = *rounds.iter().max().unwrap();
    assert!(world.oracle().rounds_of_envelopes(most).is_ok());
    assert!(world.oracle().rounds_of_envelopes(most - 1).is_err());
}

#[test]
fn a_run_is_the_same_whether_or_not_it_remembers_which_signatures_hold() {
    for (seed, validators) in (2_000..2_006).flat_map(|seed| [(seed, 4), (seed, 7)]) {
        let remembering = Plan {
            heights: 12,
            ..Plan::usual(seed, validators)
        };
        let forgetful = Plan {
            remembers_signatures: false,
            ..remembering
        };
        assert_eq!(run(remembering), run(forgetful), "seed {seed}");
    }
}
