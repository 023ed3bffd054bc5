//! What must hold once everything is healed.

use std::time::{Duration, Instant};

use super::ground::Ground;
use super::watch::{Descriptors, Reading, files_in};
use crate::cluster::{Charge, wait_until};

/// How much more memory a node may use in the last third of a run than in the middle one. Caches
/// and write buffers fill for minutes after each start, so a short run may grow more.
const GROWTH_MAX: f64 = 1.5;
const GROWTH_MAX_SHORT: f64 = 2.5;
const SHORT: Duration = Duration::from_secs(600);
/// Sockets that may be open beyond those before the load: both ends of a link may have dialled,
/// and a client may just ask.
const SOCKETS_MORE: usize = 8;
/// Files that may be open beyond those in the data directory: libraries, the log, what a
/// compaction is about to remove.
const FILES_MORE: usize = 16;

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

/// No node holds anything against another, since all are correct: by its counters, in all its
/// lives. A counter that is not told is as bad.
pub(super) fn nothing_is_charged(ground: &Ground) {
    for (node, agent) in ground.agents.iter().enumerate() {
        let (name, seen) = (ground.name(node), agent.seen());
        let untold: Vec<&str> = seen.untold.iter().map(String::as_str).collect();
        assert!(untold.is_empty(), "{name}: {}", untold.join("; "));
        let charges: Vec<String> = seen.charges.iter().map(Charge::to_string).collect();
        assert!(
            charges.is_empty(),
            "{name} holds against other nodes, all of them correct: {}",
            charges.join("; ")
        );
    }
}

/// No node kept evidence against another, and none panicked.
pub(super) fn nothing_is_proved_and_nobody_panicked(ground: &Ground) {
    for node in &ground.cluster.nodes {
        let evidence = node.evidence();
        assert!(
            evidence.is_empty(),
            "{} has evidence that a correct node contradicted itself: {evidence:?}",
            node.name
        );
        let text = node.log_text();
        // The standard library's own words.
        let panics: Vec<&str> = text.lines().filter(|l| l.contains("panicked at")).collect();
        assert!(panics.is_empty(), "{}:\n{}", node.name, panics.join("\n"));
    }
}

/// Waits until a node has given its sockets back: no more are open than before the load began,
/// and none stays open for a client that went away.
pub(super) fn sockets_are_given_back(ground: &Ground, node: usize, before: Descriptors) {
    let name = ground.name(node);
    wait_until(
        &format!("{name} has closed what nobody uses"),
        || match ground.agents[node].last() {
            Some(last) if last.open.sockets <= before.sockets + SOCKETS_MORE => Ok(()),
            last => Err(format!("{before:?} before the load, now {last:?}")),
        },
    );
}

/// A node has no file open twice, and none that was removed.
pub(super) fn files_are_given_back(ground: &Ground, node: usize) {
    let (name, last) = (ground.name(node), ground.agents[node].last());
    let there = files_in(&ground.cluster.nodes[node].data);
    let open = last.map_or(0, |last| last.open.files);
    assert!(
        open <= there + FILES_MORE,
        "{name} has {open} files open, and {there} in its data directory"
    );
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
