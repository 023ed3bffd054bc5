//! Finds a smaller schedule of faults that still fails.

use std::collections::BTreeSet;

use super::faults::Without;
use super::run::{Failure, Plan, run_without};

/// A failing run with as few faults as were found to suffice.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// What was left out.
    pub without: Without,
    /// How it fails without.
    pub failure: Failure,
    /// Runs that it took.
    pub runs: u32,
}

/// Leaves out whatever a failing run fails without, in at most so many runs: the kinds of
/// weather one by one, then ever smaller pieces of the script.
#[must_use]
pub fn shrink(plan: Plan, failure: Failure, runs_max: u32) -> Shrunk {
    let mut best = Shrunk {
        without: Without::default(),
        failure,
        runs: 0,
    };
    let faults = plan.faults();
    for kind in faults.kinds_of_weather() {
        best.attempt(plan, runs_max, |without| {
            without.kinds.insert(kind);
        });
    }
    let mut left: Vec<usize> = faults.script.iter().map(|planned| planned.number).collect();
    let mut piece = left.len().max(1);
    loop {
        for numbers in left.clone().chunks(piece) {
            if best.attempt(plan, runs_max, |without| without.numbers.extend(numbers)) {
                let gone: BTreeSet<usize> = numbers.iter().copied().collect();
                left.retain(|number| !gone.contains(number));
            }
        }
        if piece == 1 || best.runs >= runs_max {
            return best;
        }
        piece = piece.div_ceil(2);
    }
}

impl Shrunk {
    /// Leaves something out if the run still fails; whether it does.
    fn attempt(&mut self, plan: Plan, runs_max: u32, leave_out: impl FnOnce(&mut Without)) -> bool {
        if self.runs >= runs_max {
            return false;
        }
        self.runs += 1;
        let mut without = self.without.clone();
        leave_out(&mut without);
        match run_without(plan, &without, None) {
            Ok(_) => false,
            Err(failure) => {
                self.without = without;
                self.failure = failure;
                true
            }
        }
    }
}
