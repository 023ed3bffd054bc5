//! What a run showed, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::drive::Pace;
use super::load::Say;
use super::tally::{Percentiles, Tally};
use super::watch::Usage;

/// Everything about one run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What was offered.
    pub(super) offered: Offered,
    /// Where the generator ran.
    pub(super) machine: Machine,
    /// What became of the envelopes that were due in the measured time.
    pub(super) envelopes: Envelopes,
    /// Statements that became final in the measured time, per second.
    pub(super) statements_final_per_second: f64,
    /// From when an envelope was due to its last receipt, in milliseconds.
    pub(super) latency_ms: Option<Percentiles>,
    /// Failures by kind.
    pub(super) errors: BTreeMap<String, u64>,
    /// Processor time per final statement in microseconds, all nodes together.
    pub(super) node_cpu_us_per_statement: Option<f64>,
    /// The generator itself.
    pub(super) generator: Generator,
    /// Each node.
    pub(super) nodes: Vec<Usage>,
    /// Receipts that were checked against the genesis afterwards, all of which held.
    pub(super) receipts_verified: u64,
}

/// What was offered.
#[derive(Debug, Serialize)]
pub(super) struct Offered {
    pub(super) envelopes_per_second: f64,
    pub(super) statements_per_envelope: usize,
    pub(super) envelope_bytes: usize,
    pub(super) say: Say,
    pub(super) members: usize,
    pub(super) warmup_s: f64,
    pub(super) duration_s: f64,
}

/// The shape of the machine and how busy it was.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) processors: usize,
    pub(super) memory_mib: Option<u64>,
    /// Load averages over 1, 5 and 15 minutes, before and after.
    pub(super) load_before: Option<String>,
    pub(super) load_after: Option<String>,
}

/// Envelopes that were due in the measured time.
#[derive(Debug, Serialize)]
pub(super) struct Envelopes {
    pub(super) due: u64,
    /// Sent; the others found no room by the end of the run.
    pub(super) sent: u64,
    /// With every statement final.
    pub(super) ended_final: u64,
}

/// What the generator used and how well it kept its pace.
#[derive(Debug, Serialize)]
pub(super) struct Generator {
    pub(super) cpu_us_per_statement: Option<f64>,
    /// How much later than due envelopes were sent, in milliseconds.
    pub(super) lag_ms: Option<Percentiles>,
    pub(super) in_flight_max: usize,
}

impl Envelopes {
    pub(super) fn of(tally: &Tally, pace: Pace) -> Self {
        let window = tally.window();
        Self {
            due: (0..pace.count)
                .filter(|number| window.has(pace.due(*number)))
                .count() as u64,
            sent: tally.sent(),
            ended_final: tally.ended_final(),
        }
    }
}

impl Machine {
    /// As this machine's kernel describes it; elsewhere than on Linux, less.
    pub(super) fn look() -> Self {
        let memory_kib = std::fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| {
                let line = text
                    .lines()
                    .find_map(|line| line.strip_prefix("MemTotal:"))?;
                line.split_whitespace().next()?.parse::<u64>().ok()
            });
        Self {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_kib.map(|kib| kib / 1024),
            load_before: load_average(),
            load_after: None,
        }
    }

    pub(super) fn look_again(&mut self) {
        self.load_after = load_average();
    }
}

fn load_average() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let three: Vec<&str> = text.split_whitespace().take(3).collect();
    Some(three.join(" "))
}

impl Report {
    /// A table for people.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to memory does not fail.
        let _fine = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let offered = &self.offered;
        writeln!(
            out,
            "offered     {:.0} envelopes/s of {} {} statement(s), {} B each, by {} member(s) to {} node(s)",
            offered.envelopes_per_second,
            offered.statements_per_envelope,
            match offered.say {
                Say::Passport => "passport",
                Say::Observed => "observed",
            },
            offered.envelope_bytes,
            offered.members,
            self.nodes.len()
        )?;
        writeln!(
            out,
            "            for {:.0} s after {:.0} s of warm-up, on {} processors, {} MiB, load {}",
            offered.duration_s,
            offered.warmup_s,
            self.machine.processors,
            self.machine
                .memory_mib
                .map_or_else(|| "?".into(), |mib| mib.to_string()),
            self.load()
        )?;
        writeln!(
            out,
            "final       {:.1} statements/s; {} of {} envelopes ({} sent)",
            self.statements_final_per_second,
            self.envelopes.ended_final,
            self.envelopes.due,
            self.envelopes.sent
        )?;
        writeln!(out, "to receipt  {}", percentiles(self.latency_ms.as_ref()))?;
        writeln!(
            out,
            "processor   {} us per statement, all nodes together",
            number(self.node_cpu_us_per_statement)
        )?;
        writeln!(
            out,
            "generator   {} us per statement; sent late by {}; at most {} in flight",
            number(self.generator.cpu_us_per_statement),
            percentiles(self.generator.lag_ms.as_ref()),
            self.generator.in_flight_max
        )?;
        writeln!(
            out,
            "receipts    {} verified, all hold",
            self.receipts_verified
        )?;
        for (kind, count) in &self.errors {
            writeln!(out, "failed      {count} x {kind}")?;
        }
        writeln!(
            out,
            "\n{:<28} {:>8} {:>7} {:>6} {:>9} {:>9} {:>9} {:>13} {:>13}",
            "node", "cpu s", "blocks", "pool", "disk MiB", "mem MiB", "max", "MiB/min", "2nd half"
        )?;
        for node in &self.nodes {
            self.write_node(out, node)?;
        }
        Ok(())
    }

    fn write_node(&self, out: &mut String, node: &Usage) -> std::fmt::Result {
        let memory = node.memory.as_ref();
        writeln!(
            out,
            "{:<28} {:>8} {:>7} {:>6} {:>9} {:>9} {:>9} {:>13} {:>13}",
            node.node,
            number(node.cpu_s),
            whole(node.blocks),
            whole(node.pool_max),
            number(node.disk_growth_mib),
            memory.map_or_else(
                || "?".into(),
                |memory| format!("{:.0}-{:.0}", memory.first_mib, memory.last_mib)
            ),
            whole(memory.map(|memory| memory.max_mib)),
            number(memory.map(|memory| memory.slope_mib_per_minute)),
            number(memory.map(|memory| memory.second_half_slope_mib_per_minute)),
        )
    }

    fn load(&self) -> String {
        let show = |load: &Option<String>| load.clone().unwrap_or_else(|| "?".into());
        format!(
            "{} before, {} after",
            show(&self.machine.load_before),
            show(&self.machine.load_after)
        )
    }
}

fn percentiles(percentiles: Option<&Percentiles>) -> String {
    percentiles.map_or_else(
        || "nothing".into(),
        |p| {
            format!(
                "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, max {:.1} ms",
                p.p50, p.p90, p.p99, p.p999, p.max
            )
        },
    )
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "?".into(), |value| format!("{value:.1}"))
}

fn whole(value: Option<f64>) -> String {
    value.map_or_else(|| "?".into(), |value| format!("{value:.0}"))
}
