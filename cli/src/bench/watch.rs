//! What the nodes use while they are under load: processor time, memory, how far they are.
//!
//! The numbers come from each node's own `/metrics`, once a second.

use std::time::Duration;

use serde::Serialize;

use super::tally::Window;

/// One reading of a node's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Reading {
    /// Since the start of the run.
    pub(super) at: Duration,
    /// Processor time since the node's start, in seconds.
    pub(super) cpu_s: Option<f64>,
    /// Memory in use, in bytes.
    pub(super) memory: Option<f64>,
    /// Entries in its log.
    pub(super) log_size: Option<f64>,
    /// Blocks committed.
    pub(super) blocks: Option<f64>,
    /// Envelopes that wait.
    pub(super) pool: Option<f64>,
    /// Bytes of the database's tables.
    pub(super) disk: Option<f64>,
}

impl Reading {
    /// Reads Prometheus' text format; what is not there stays unknown.
    pub(super) fn parse(at: Duration, text: &str) -> Self {
        let mut reading = Self {
            at,
            ..Self::default()
        };
        for line in text.lines() {
            let Some((name, value)) = line.split_once(' ') else {
                continue;
            };
            let Ok(value) = value.trim().parse::<f64>() else {
                continue;
            };
            let place = match name {
                "process_cpu_seconds_total" => &mut reading.cpu_s,
                "process_resident_memory_bytes" => &mut reading.memory,
                "jangbu_log_size" => &mut reading.log_size,
                "jangbu_blocks_committed_total" => &mut reading.blocks,
                "jangbu_pool_envelopes" => &mut reading.pool,
                "jangbu_disk_bytes" => &mut reading.disk,
                _ => continue,
            };
            *place = Some(value);
        }
        reading
    }
}

/// What one node used during the measured part of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Usage {
    /// The node.
    pub(super) node: String,
    /// Processor time in seconds.
    pub(super) cpu_s: Option<f64>,
    /// Blocks committed.
    pub(super) blocks: Option<f64>,
    /// Most envelopes that waited.
    pub(super) pool_max: Option<f64>,
    /// Bytes by which its database's tables grew.
    pub(super) disk_growth_mib: Option<f64>,
    /// Resident memory.
    pub(super) memory: Option<Memory>,
}

/// A node's memory over the measured part of a run, in MiB.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Memory {
    pub(super) first_mib: f64,
    pub(super) last_mib: f64,
    pub(super) max_mib: f64,
    /// Slope of the straight line that fits the readings best.
    pub(super) slope_mib_per_minute: f64,
    /// The same over the second half only: caches and buffers fill in the first.
    pub(super) second_half_slope_mib_per_minute: f64,
    /// At most [`POINTS_MAX`] readings: seconds since the start, MiB.
    pub(super) over_time: Vec<(f64, f64)>,
}

/// Most points of a series in the report.
const POINTS_MAX: usize = 61;
const MIB: f64 = 1024.0 * 1024.0;

impl Usage {
    pub(super) fn of(node: &str, readings: &[Reading], window: Window) -> Self {
        let inside: Vec<&Reading> = readings
            .iter()
            .filter(|reading| reading.at >= window.from && reading.at <= window.to)
            .collect();
        let grown = |field: fn(&Reading) -> Option<f64>| {
            Some(at(readings, window.to, field)? - at(readings, window.from, field)?)
        };
        let memory: Vec<(f64, f64)> = inside
            .iter()
            .filter_map(|reading| Some((reading.at.as_secs_f64(), reading.memory? / MIB)))
            .collect();
        Self {
            node: node.to_owned(),
            cpu_s: grown(|reading| reading.cpu_s),
            blocks: grown(|reading| reading.blocks),
            pool_max: inside
                .iter()
                .filter_map(|reading| reading.pool)
                .reduce(f64::max),
            disk_growth_mib: grown(|reading| reading.disk).map(|bytes| bytes / MIB),
            memory: Memory::of(&memory),
        }
    }
}

/// A field's value at a moment, on the straight line between the readings around it; the
/// nearest one's where there is none on one side.
fn at(readings: &[Reading], when: Duration, field: fn(&Reading) -> Option<f64>) -> Option<f64> {
    let known = readings
        .iter()
        .filter_map(|reading| Some((reading.at.as_secs_f64(), field(reading)?)));
    let when = when.as_secs_f64();
    let (mut before, mut after) = (None, None);
    for (time, value) in known {
        if time <= when {
            before = Some((time, value));
        } else if after.is_none() {
            after = Some((time, value));
        }
    }
    match (before, after) {
        (Some((t0, v0)), Some((t1, v1))) => Some(v0 + (v1 - v0) * (when - t0) / (t1 - t0)),
        (Some((_, value)), None) | (None, Some((_, value))) => Some(value),
        (None, None) => None,
    }
}

impl Memory {
    fn of(points: &[(f64, f64)]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let step = points.len().div_ceil(POINTS_MAX).max(1);
        Some(Self {
            first_mib: first.1,
            last_mib: last.1,
            max_mib: points.iter().map(|point| point.1).fold(0.0, f64::max),
            slope_mib_per_minute: slope(points) * 60.0,
            second_half_slope_mib_per_minute: slope(points.get(points.len() / 2..)?) * 60.0,
            over_time: points.iter().step_by(step).copied().collect(),
        })
    }
}

/// Least squares; 0 if there is no line to fit.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in points {
        over += (x - mean_x) * (y - mean_y);
        under += (x - mean_x) * (x - mean_x);
    }
    if under > 0.0 { over / under } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP jangbu_log_size Entries in the log.\n\
        # TYPE jangbu_log_size gauge\njangbu_log_size 12\n\
        process_cpu_seconds_total 1.25\nprocess_resident_memory_bytes 1048576\n";

    fn reading(second: u64, cpu: f64, mib: f64) -> Reading {
        Reading {
            at: Duration::from_secs(second),
            cpu_s: Some(cpu),
            memory: Some(mib * MIB),
            ..Reading::default()
        }
    }

    #[test]
    fn metrics_are_read_and_what_is_not_there_stays_unknown() {
        let reading = Reading::parse(Duration::from_secs(3), TEXT);
        assert_eq!(reading.cpu_s, Some(1.25));
        assert_eq!(reading.memory, Some(MIB));
        assert_eq!(reading.log_size, Some(12.0));
        assert_eq!(reading.pool, None);
    }

    #[test]
    fn use_is_counted_between_the_ends_of_the_window() {
        let window = Window {
            from: Duration::from_millis(1500),
            to: Duration::from_secs(4),
        };
        let readings: Vec<Reading> = (0u32..10)
            .map(|second| {
                let value = f64::from(second);
                reading(u64::from(second), value * 0.5, 100.0 + value)
            })
            .collect();
        let usage = Usage::of("a", &readings, window);
        assert!((usage.cpu_s.unwrap() - 1.25).abs() < 1e-9);
        let memory = usage.memory.unwrap();
        assert!((memory.first_mib - 102.0).abs() < 1e-9);
        assert!((memory.last_mib - 104.0).abs() < 1e-9);
        assert!((memory.slope_mib_per_minute - 60.0).abs() < 1e-6);
    }

    #[test]
    fn a_node_that_says_nothing_has_no_numbers() {
        let window = Window {
            from: Duration::ZERO,
            to: Duration::from_secs(1),
        };
        let usage = Usage::of("a", &[], window);
        assert_eq!((usage.cpu_s, usage.memory), (None, None));
    }
}
