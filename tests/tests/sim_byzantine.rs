//! Correct replicas among as many Byzantine ones as there may be, on many seeds.
//!
//! A failure names its seed. `JANGBU_LIARS=17..18` runs that one only; with `--nocapture` each
//! run says how it went.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jangbu_tests::sim::{Lie, Plan, Told, run_with_hidden_locks, run_with_liars};

fn plan(seed: u64, validators: usize) -> Plan {
    Plan {
        heights: 30,
        wild_us: 20_000_000,
        ..Plan::usual(seed, validators)
    }
}

/// The seeds to run: from the environment, or these.
fn seeds(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("JANGBU_LIARS") else {
        return default;
    };
    let (from, to) = text.split_once("..").expect("JANGBU_LIARS=from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

/// Runs seeds on as many threads as there are cores; returns how often each lie was told.
fn run_all(seeds: Range<u64>, validators: usize) -> BTreeMap<Lie, u64> {
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let told: Mutex<BTreeMap<Lie, u64>> = Mutex::default();
    let work = || {
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return failures;
            }
            let tally = Told::default();
            match run_with_liars(plan(seed, validators), &tally) {
                Ok(report) => println!("{validators} validators, seed {seed}: {report}"),
                Err(failure) => failures.push(failure.to_string()),
            }
            let mut told = told.lock().unwrap();
            for (lie, count) in tally.counts() {
                *told.entry(lie).or_default() += count;
            }
        }
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap());
        ended.flatten().collect()
    });
    let list = failures.join("\n");
    assert!(failures.is_empty(), "{} failed:\n{list}", failures.len());
    told.into_inner().unwrap()
}

/// Prints the counts; fails if a lie was never told.
fn check_told(told: &BTreeMap<Lie, u64>) {
    for (lie, count) in told {
        println!("{count:>8}  {lie:?}");
    }
    let untold: Vec<&Lie> = Lie::ALL
        .iter()
        .filter(|lie| !told.contains_key(lie))
        .collect();
    let chosen = std::env::var("JANGBU_LIARS").is_ok();
    assert!(chosen || untold.is_empty(), "never told: {untold:?}");
}

#[test]
fn three_of_four_replicas_agree_whatever_the_fourth_does() {
    check_told(&run_all(seeds(0..36), 4));
}

#[test]
fn five_of_seven_replicas_agree_whatever_two_do() {
    check_told(&run_all(seeds(0..16), 7));
}

#[test]
fn a_lock_that_few_know_of_holds_nobody_up_however_old_its_block_is() {
    for seed in seeds(0..8) {
        let told = Told::default();
        let plan = Plan {
            wild_us: 60_000_000,
            ..plan(seed, 4)
        };
        let report = run_with_hidden_locks(plan, &told).unwrap();
        assert!(told.counts().contains_key(&Lie::HiddenLock));
        println!("hidden locks, seed {seed}: {report}");
    }
}
