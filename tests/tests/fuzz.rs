//! What fuzzing looks for, as ordinary tests: over the corpus, and over mutations of it that are
//! the same in every run.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::alloc::System;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jangbu_tests::fuzz::{Mutator, Seen, TARGETS, Target, committed, directory, is_installed};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Largest corpus of all targets together, in bytes.
const CORPUS_BYTES_MAX: usize = 2_000_000;

/// Inputs that broke a promise, so that one run shows them all.
#[derive(Default)]
struct Broken(Vec<String>);

impl Broken {
    /// Runs one input.
    fn run(&mut self, target: &Target, name: &str, bytes: &[u8]) -> Option<Seen> {
        let outcome = catch_unwind(AssertUnwindSafe(|| target.run(bytes)));
        if outcome.is_err() {
            let mut shown = String::new();
            for byte in bytes.iter().take(2_048) {
                shown += &format!("{byte:02x}");
            }
            let len = bytes.len();
            self.0
                .push(format!("{}, {name}, {len} bytes: {shown}", target.name));
        }
        outcome.ok()
    }

    fn report(self) {
        assert!(self.0.is_empty(), "broken by\n{}", self.0.join("\n"));
    }
}

/// What is allocated is counted for the whole program: each test has it to itself.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn allocation_is_counted() {
    let _alone = alone();
    assert!(is_installed());
}

#[test]
fn every_seed_comes_as_far_as_it_must() {
    let _alone = alone();
    let mut broken = Broken::default();
    let mut elsewhere = Vec::new();
    for target in TARGETS {
        let seeds = target.seeds();
        for seed in &seeds {
            let seen = broken.run(target, &seed.name, &seed.bytes);
            if seen < Some(seed.seen) {
                elsewhere.push(format!("{}, {}: {seen:?}", target.name, seed.name));
            }
        }
        let names: BTreeSet<&str> = seeds.iter().map(|seed| seed.name.as_str()).collect();
        assert_eq!(names.len(), seeds.len(), "{}: one name twice", target.name);
        let deepest = seeds.iter().map(|seed| seed.seen).max();
        assert!(
            deepest > Some(Seen::Refused),
            "{} only ever refuses",
            target.name
        );
    }
    broken.report();
    assert!(elsewhere.is_empty(), "refused too early: {elsewhere:#?}");
}

#[test]
fn no_input_of_the_corpus_breaks_a_promise() {
    let _alone = alone();
    let mut broken = Broken::default();
    let mut total = 0;
    for target in TARGETS {
        for (name, bytes) in committed(target.name) {
            total += bytes.len();
            broken.run(target, &name, &bytes);
        }
    }
    assert!(total <= CORPUS_BYTES_MAX, "the corpus has {total} bytes");
    for entry in fs::read_dir(directory()).unwrap() {
        let name = entry.unwrap().file_name();
        let is_known = TARGETS.iter().any(|target| *target.name == *name);
        assert!(is_known, "{} is no target's", name.display());
    }
    broken.report();
}

/// `JANGBU_FUZZ_MUTANTS` multiplies their number, `JANGBU_FUZZ_SEED` makes them others.
#[test]
fn no_mutation_of_the_corpus_breaks_a_promise() {
    let _alone = alone();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let (times, seed) = (number("JANGBU_FUZZ_MUTANTS"), number("JANGBU_FUZZ_SEED"));
    let mut broken = Broken::default();
    for target in TARGETS {
        let seeds = target.seeds().into_iter().map(|seed| seed.bytes);
        let inputs: Vec<Vec<u8>> = committed(target.name)
            .into_iter()
            .map(|(_, bytes)| bytes)
            .chain(seeds)
            .collect();
        let mut mutator = Mutator::new(seed.unwrap_or(1_u64));
        let mut seen = [0_u64; 3];
        for n in 0..target.mutants * times.unwrap_or(1_u64) {
            let bytes = mutator.next_of(&inputs);
            if let Some(far) = broken.run(target, &format!("mutation {n}"), &bytes) {
                seen[far as usize] += 1;
            }
        }
        let [refused, read, held] = seen;
        println!(
            "{:20} {refused:6} refused {read:6} read {held:6} held",
            target.name
        );
    }
    broken.report();
}

/// `make corpus` asks for it: writes the seeds that stand in no file yet.
#[test]
fn the_corpus_is_written_when_it_is_asked_for() {
    let _alone = alone();
    if std::env::var_os("JANGBU_WRITE_CORPUS").is_none() {
        return;
    }
    for target in TARGETS {
        let directory = directory().join(target.name);
        fs::create_dir_all(&directory).unwrap();
        for seed in target.seeds() {
            fs::write(directory.join(format!("seed-{}", seed.name)), &seed.bytes).unwrap();
        }
    }
}
