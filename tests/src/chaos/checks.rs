//! What must hold once everything is healed.

use std::time::{Duration, Instant};

use super::agent::Reading;
use super::ground::Ground;

/// How much more memory a node may use in the last third of a run than in the middle one. Caches
/// and write buffers fill for minutes after each start, so a short run may grow more.
const GROWTH_MAX: f64 = 1.5;
const GROWTH_MAX_SHORT: f64 = 2.5;
const SHORT: Duration = Duration::from_secs(600);

/// A node's use of the machine in the middle and the last third of the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub(super) middle: f64,
    pub(super) last: f64,
}

impl Use {
    /// Medians over the thirds, if both have readings.
    pub(super) fn of(
        readings: &[Reading],
        run: (Instant, Duration),
        value: fn(&Reading) -> f64,
    ) -> Option<Self> {
        let (began, length) = run;
        let median = |from: Duration, to: Duration| {
            let inside = |reading: &&Reading| (from..to).contains(&(reading.at - began));
            let mut values: Vec<f64> = readings.iter().filter(inside).map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Some(Self {
            middle: median(length / 3, length * 2 / 3)?,
            last: median(length * 2 / 3, length)?,
        })
    }

    pub(super) fn growth(self) -> f64 {
        self.last / self.middle
    }
}

/// Memory of no node grows on and on.
pub(super) fn memory_is_flat(name: &str, memory: Use, length: Duration) {
    let bound = if length < SHORT {
        GROWTH_MAX_SHORT
    } else {
        GROWTH_MAX
    };
    assert!(
        memory.growth() <= bound,
        "{name} used {:.0} MiB in the middle third and {:.0} in the last: more than {bound} times",
        memory.middle,
        memory.last
    );
}

/// No node panicked, none accused another (all are correct), and none contradicted itself.
pub(super) fn nothing_is_wrong_in_the_logs(ground: &Ground) {
    for node in &ground.cluster.nodes {
        let text = node.log_text();
        let wrong = |line: &&str| {
            let defects = [
                "panicked",
                "no correct node sends",
                "contradicted itself",
                "for its fault",
            ];
            defects.iter().any(|defect| line.contains(defect))
        };
        let lines: Vec<&str> = text.lines().filter(wrong).take(10).collect();
        assert!(
            lines.is_empty(),
            "in the log of {}:\n{}",
            node.name,
            lines.join("\n")
        );
    }
}

/// The longest time in which nothing was found final, between two moments; both count as if
/// something had been.
pub(super) fn longest_stall(finals: &[Instant], from: Instant, to: Instant) -> Duration {
    let mut last = from;
    let mut longest = Duration::ZERO;
    let inside = finals.iter().filter(|at| (from..to).contains(*at));
    for at in inside.chain(&[to]) {
        longest = longest.max(*at - last);
        last = *at;
    }
    longest
}
