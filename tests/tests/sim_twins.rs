//! One of four validators runs twice, while scripts decide who hears whom.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jangbu_ledger::signature::Memory;
use jangbu_tests::sim::twins::{ROUNDS, Scenario, canonical_count, sample};

/// Scripts played; `JANGBU_TWINS=100000` plays more.
const SCRIPTS: usize = 5_000;

#[test]
fn correct_replicas_agree_whatever_two_copies_of_the_fourth_hear() {
    let count = std::env::var("JANGBU_TWINS").map_or(SCRIPTS, |count| count.parse().unwrap());
    let scripts = sample(0, count);
    let next = AtomicUsize::new(0);
    let rounds: Mutex<BTreeMap<u32, usize>> = Mutex::default();
    let healed = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        // Scripts differ in who hears whom, hardly in what is said.
        let _memory = Memory::begin();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(script) = scripts.get(number) else {
                return;
            };
            match Scenario::play(script.clone()) {
                Ok(ending) => {
                    *rounds.lock().unwrap().entry(ending.round).or_default() += 1;
                    healed.fetch_add(usize::from(ending.healed), Ordering::Relaxed);
                }
                Err(violation) => {
                    let mut failures = failures.lock().unwrap();
                    failures.push(format!("script {number}: {violation}: {script:?}"));
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
    let all = canonical_count();
    println!("{count} of {all} canonical scripts of {ROUNDS} rounds");
    println!("decided in round: {:?}", rounds.into_inner().unwrap());
    println!("decided only once every link held: {}", healed.into_inner());
    let failures = failures.into_inner().unwrap();
    let first: Vec<&String> = failures.iter().take(5).collect();
    assert!(failures.is_empty(), "{} failed: {first:#?}", failures.len());
}
