//! What became of what was offered.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart, in microseconds: ten minutes.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Kinds of errors that are told apart; a node that makes up more has them counted as one.
const KINDS_MAX: usize = 64;
/// The kind of what came after the last of them.
const OTHER: &str = "other";

/// How one envelope ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// Every statement is final, with a receipt.
    Final {
        /// How many.
        statements: u64,
    },
    /// Anything else, by kind.
    Failed(String),
}

/// When one envelope was due, was sent, and ended, counted from the start.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) due: Duration,
    pub(super) sent: Duration,
    pub(super) ended: Duration,
    pub(super) end: End,
}

/// The part of a run that is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Window {
    pub(super) fn has(&self, at: Duration) -> bool {
        (self.from..self.to).contains(&at)
    }

    pub(super) fn seconds(&self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }
}

/// Counts of a window. An envelope belongs to it if it was *due* in it; a statement counts for
/// the throughput if it became *final* in it.
#[derive(Debug)]
pub(super) struct Tally {
    window: Window,
    latency: Histogram<u64>,
    lag: Histogram<u64>,
    sent: u64,
    ended_final: u64,
    statements_final: u64,
    errors: BTreeMap<String, u64>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
}

impl Tally {
    pub(super) fn new(window: Window) -> Result<Self, hdrhistogram::CreationError> {
        // Three digits: an error below 0.1 % everywhere.
        let histogram = || Histogram::new_with_bounds(1, LATENCY_US_MAX, 3);
        Ok(Self {
            window,
            latency: histogram()?,
            lag: histogram()?,
            sent: 0,
            ended_final: 0,
            statements_final: 0,
            errors: BTreeMap::new(),
        })
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        if let End::Final { statements } = sample.end
            && self.window.has(sample.ended)
        {
            self.statements_final += statements;
        }
        if !self.window.has(sample.due) {
            return;
        }
        self.sent += 1;
        self.lag
            .saturating_record(micros(sample.sent.saturating_sub(sample.due)));
        match &sample.end {
            End::Final { .. } => {
                self.ended_final += 1;
                self.latency
                    .saturating_record(micros(sample.ended.saturating_sub(sample.due)));
            }
            End::Failed(kind) => self.count_error(kind),
        }
    }

    fn count_error(&mut self, kind: &str) {
        let known = self.errors.contains_key(kind) || self.errors.len() < KINDS_MAX;
        let kind = if known { kind } else { OTHER };
        *self.errors.entry(kind.to_owned()).or_default() += 1;
    }

    pub(super) fn latency(&self) -> Option<Percentiles> {
        percentiles(&self.latency)
    }

    pub(super) fn lag(&self) -> Option<Percentiles> {
        percentiles(&self.lag)
    }

    pub(super) const fn window(&self) -> Window {
        self.window
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) const fn ended_final(&self) -> u64 {
        self.ended_final
    }

    pub(super) const fn statements_final(&self) -> u64 {
        self.statements_final
    }

    pub(super) const fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Option<Percentiles> {
    if histogram.is_empty() {
        return None;
    }
    let ms = |us: u64| millis(Duration::from_micros(us));
    Some(Percentiles {
        p50: ms(histogram.value_at_quantile(0.5)),
        p90: ms(histogram.value_at_quantile(0.9)),
        p99: ms(histogram.value_at_quantile(0.99)),
        p999: ms(histogram.value_at_quantile(0.999)),
        max: ms(histogram.max()),
        mean: histogram.mean() / 1000.0,
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn tally() -> Tally {
        Tally::new(Window {
            from: ms(1000),
            to: ms(2000),
        })
        .unwrap()
    }

    fn sample(due: u64, sent: u64, ended: u64, end: End) -> Sample {
        Sample {
            due: ms(due),
            sent: ms(sent),
            ended: ms(ended),
            end,
        }
    }

    #[test]
    fn latency_counts_from_when_an_envelope_was_due_not_from_when_it_was_sent() {
        let mut tally = tally();
        tally.add(&sample(1100, 1500, 1600, End::Final { statements: 1 }));
        let latency = tally.latency().unwrap();
        assert!((499.0..=501.0).contains(&latency.p50), "{latency:?}");
        let lag = tally.lag().unwrap();
        assert!((399.0..=401.0).contains(&lag.max), "{lag:?}");
    }

    #[test]
    fn what_was_due_outside_the_window_does_not_count_for_latency() {
        let mut tally = tally();
        tally.add(&sample(900, 900, 1200, End::Final { statements: 3 }));
        tally.add(&sample(1900, 1900, 2300, End::Final { statements: 5 }));
        assert_eq!(tally.sent(), 1);
        assert_eq!(tally.ended_final(), 1);
        // The throughput is of what ended in it.
        assert_eq!(tally.statements_final(), 3);
    }

    #[test]
    fn errors_are_told_apart_up_to_a_bound() {
        let mut tally = tally();
        for number in 0..100 {
            let kind = format!("kind {number}");
            tally.add(&sample(1500, 1500, 1501, End::Failed(kind)));
        }
        tally.add(&sample(1500, 1500, 1501, End::Failed("kind 3".into())));
        assert_eq!(tally.errors().get("kind 3"), Some(&2));
        assert_eq!(tally.errors().get(OTHER), Some(&36));
        assert_eq!(tally.errors().values().sum::<u64>(), 101);
        assert!(tally.latency().is_none());
    }
}
