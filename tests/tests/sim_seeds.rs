//! Replicas through a hundred heights of crashes, partitions and loss, on many seeds.
//!
//! A failure names its seed. `JANGBU_SIM_SEEDS=17..18` runs that one only, `0..100000` a night
//! of them; with `--nocapture` each run says how it went.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use jangbu_tests::sim::{Plan, run};

/// The seeds to run: from the environment, or these.
fn seeds(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("JANGBU_SIM_SEEDS") else {
        return default;
    };
    let (from, to) = text.split_once("..").expect("JANGBU_SIM_SEEDS=from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

/// Runs seeds on as many threads as there are cores.
fn run_all(seeds: Range<u64>, validators: usize) {
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return failures;
            }
            match run(Plan::hundred_heights(seed, validators)) {
                Ok(report) => println!("{validators} validators, seed {seed}: {report}"),
                Err(failure) => failures.push(failure.to_string()),
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
}

#[test]
fn four_replicas_agree_on_every_seed() {
    run_all(seeds(0..150), 4);
}

#[test]
fn seven_replicas_agree_on_every_seed() {
    run_all(seeds(1_000..1_060), 7);
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    for seed in [3, 5, 8] {
        let first = run(Plan::hundred_heights(seed, 4)).unwrap();
        assert_eq!(run(Plan::hundred_heights(seed, 4)).unwrap(), first);
    }
}
