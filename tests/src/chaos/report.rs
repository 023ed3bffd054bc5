//! What a run showed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::checks::Use;
use super::deck::Fault;
use super::settings::Settings;
use super::storm::Tally;
use super::watch::Descriptors;

/// Everything about one run that passed.
#[derive(Debug)]
pub struct Report {
    pub(super) settings: Settings,
    pub(super) tallies: BTreeMap<Fault, Tally>,
    pub(super) offered: u64,
    pub(super) held_back: u64,
    pub(super) open_at_stop: usize,
    pub(super) answers: BTreeMap<String, u64>,
    pub(super) latencies: Vec<Duration>,
    pub(super) receipts: usize,
    pub(super) entries: usize,
    pub(super) height: u64,
    pub(super) times: Times,
    pub(super) uses: Vec<NodeUse>,
}

/// What a node used of the machine.
#[derive(Debug)]
pub(super) struct NodeUse {
    pub(super) name: String,
    /// In MiB.
    pub(super) memory: Option<Use>,
    /// Open before the load, at most during the run, and at the end.
    pub(super) idle: Descriptors,
    pub(super) most: Descriptors,
    pub(super) last: Descriptors,
    /// Most envelopes that clients waited for at once.
    pub(super) waiting: usize,
}

/// How long things took.
#[derive(Debug)]
pub(super) struct Times {
    /// Longest time without anything final: with at most f disturbed, with any number.
    pub(super) stalls: (Duration, Duration),
    /// From the end of every fault until all nodes were together again.
    pub(super) healed_in: Duration,
    /// From the end of every fault until something was final.
    pub(super) final_again_in: Duration,
    /// From the end of the load until everything it had offered was final.
    pub(super) drained_in: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (settings, times) = (&self.settings, &self.times);
        writeln!(
            f,
            "chaos: {} nodes, {:.1} minutes, seed {}: everything held\n\
             fault              times  victims  caught up after (median, longest)",
            settings.nodes,
            settings.length.as_secs_f64() / 60.0,
            settings.seed,
        )?;
        for (fault, tally) in &self.tallies {
            let mut recoveries = tally.recoveries.clone();
            recoveries.sort_unstable();
            writeln!(
                f,
                "{fault:<18} {:>5} {:>8}  {} ({} measured)",
                tally.times,
                tally.victims,
                pair(&recoveries),
                recoveries.len()
            )?;
        }
        let at = |share: usize| self.latencies.get(self.latencies.len() * share / 1000);
        let seconds = |at: Option<&Duration>| at.map_or(0.0, Duration::as_secs_f64);
        writeln!(
            f,
            "envelopes          {} offered at {}/s, {} held back; when the load stopped {} had no \
             known outcome, afterwards none\n\
             final after        {:.2} s (median), {:.2} s (p99), {:.2} s (longest)\n\
             longest stall      {:.1} s with at most {} disturbed, {:.1} s with any number\n\
             healed             something final {:.1} s after the last fault ended, all nodes \
             together after {:.1} s; everything offered was final {:.1} s after the load stopped\n\
             receipts           {} checked offline and against every node; {} entries, {} blocks",
            self.offered,
            settings.rate,
            self.held_back,
            self.open_at_stop,
            seconds(at(500)),
            seconds(at(990)),
            seconds(self.latencies.last()),
            times.stalls.0.as_secs_f64(),
            settings.faulty_max(),
            times.stalls.1.as_secs_f64(),
            times.final_again_in.as_secs_f64(),
            times.healed_in.as_secs_f64(),
            times.drained_in.as_secs_f64(),
            self.receipts,
            self.entries,
            self.height,
        )?;
        let answers: Vec<String> = self
            .answers
            .iter()
            .map(|(kind, times)| format!("{kind} {times}"))
            .collect();
        writeln!(f, "answers            {}", answers.join(", "))?;
        for usage in &self.uses {
            let memory = usage.memory.map_or_else(
                || "unknown".to_owned(),
                |memory| format!("{:.0} → {:.0}", memory.middle, memory.last),
            );
            let (idle, most, last) = (usage.idle, usage.most, usage.last);
            writeln!(
                f,
                "{:<18} MiB {memory} (medians of the middle and the last third); sockets {} at \
                 rest, {} at most (then clients waited for up to {} envelopes), {} at the end; \
                 files {}, {}, {}",
                usage.name,
                idle.sockets,
                most.sockets,
                usage.waiting,
                last.sockets,
                idle.files,
                most.files,
                last.files,
            )?;
        }
        Ok(())
    }
}

fn pair(sorted: &[Duration]) -> String {
    match (sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(median), Some(longest)) => format!(
            "{:5.1} s, {:5.1} s",
            median.as_secs_f64(),
            longest.as_secs_f64()
        ),
        _ => "     –,       –".to_owned(),
    }
}
