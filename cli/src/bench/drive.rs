//! The pace: envelope i is sent at `i / rate`, whatever became of those before it.
//!
//! Envelopes in flight are bounded; one that finds no room waits, and the wait counts as its
//! latency. Nothing is sent after the last one was due: what could not be sent by then is
//! reported as such.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::tally::{End, Sample, Tally};
use super::target::{Target, judge};
use super::watch::Reading;

/// Most answers kept to have their receipts verified afterwards.
const KEPT_MAX: u64 = 64;
/// How often the nodes' metrics are read.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// How fast, and how much at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Envelopes per second.
    pub(super) rate: f64,
    /// Envelopes in all.
    pub(super) count: u64,
    /// Most in flight.
    pub(super) in_flight: usize,
}

impl Pace {
    /// So many envelopes per second, for so long.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positive and far below 2^64: the rate and the time are bounded"
    )]
    pub(super) fn over(rate: f64, time: Duration, in_flight: u32) -> Self {
        Self {
            rate,
            count: (rate * time.as_secs_f64()).ceil() as u64,
            in_flight: usize::try_from(in_flight).unwrap_or(usize::MAX),
        }
    }

    /// When an envelope is due, counted from the start.
    pub(super) fn due(&self, number: u64) -> Duration {
        let number = number as f64;
        Duration::from_secs_f64(number / self.rate)
    }

    /// When the last one has been due.
    pub(super) fn end(&self) -> Duration {
        self.due(self.count)
    }
}

/// What a run gathers.
pub(super) struct Gathered {
    pub(super) tally: Tally,
    /// Some final answers, spread over the run.
    pub(super) kept: Vec<Vec<u8>>,
    /// Most envelopes in flight at once.
    pub(super) in_flight_max: usize,
}

/// Sends everything at its time and waits for the answers.
pub(super) async fn drive(
    target: &Arc<Target>,
    mut envelopes: mpsc::Receiver<Vec<u8>>,
    pace: Pace,
    start: Instant,
    tally: Tally,
) -> Gathered {
    let mut gathered = Gathered {
        tally,
        kept: Vec::new(),
        in_flight_max: 0,
    };
    let room = Arc::new(Semaphore::new(pace.in_flight));
    let keep_every = pace.count.div_ceil(KEPT_MAX).max(1);
    let end = start + pace.end();
    let mut tasks = JoinSet::new();
    for number in 0..pace.count {
        let due = pace.due(number);
        tokio::time::sleep_until(start + due).await;
        let ready = async {
            let envelope = envelopes.recv().await?;
            let permit = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((envelope, permit))
        };
        let Ok(Some((envelope, permit))) = tokio::time::timeout_at(end, ready).await else {
            break;
        };
        while let Some(ended) = tasks.try_join_next() {
            gathered.add(ended);
        }
        let running = pace.in_flight - room.available_permits();
        gathered.in_flight_max = gathered.in_flight_max.max(running);
        let target = Arc::clone(target);
        let keep = number.is_multiple_of(keep_every);
        tasks.spawn(async move {
            let sent = start.elapsed();
            let position = usize::try_from(number).unwrap_or(usize::MAX);
            let answer = target.submit(position, envelope).await;
            let ended = start.elapsed();
            drop(permit);
            let (end, body) = match answer {
                Ok((status, body)) => (judge(status, &body), body),
                Err(kind) => (End::Failed(kind), Vec::new()),
            };
            let sample = Sample {
                due,
                sent,
                ended,
                end,
            };
            (sample, keep.then_some(body))
        });
    }
    // Each has its own time-out.
    while let Some(ended) = tasks.join_next().await {
        gathered.add(ended);
    }
    gathered
}

impl Gathered {
    fn add(&mut self, ended: Result<(Sample, Option<Vec<u8>>), JoinError>) {
        // A task that stopped half-way has no sample: it shows as due and not sent.
        let Ok((sample, body)) = ended else { return };
        self.tally.add(&sample);
        if let (Some(body), End::Final { .. }) = (body, &sample.end) {
            self.kept.push(body);
        }
    }
}

/// Reads every node's metrics at whole seconds until `end`, then once more.
pub(super) async fn watch(
    target: &Arc<Target>,
    start: Instant,
    end: Duration,
) -> Vec<Vec<Reading>> {
    let mut nodes = JoinSet::new();
    for node in 0..target.nodes().len() {
        let target = Arc::clone(target);
        nodes.spawn(async move {
            let mut readings = Vec::new();
            let mut next = Duration::ZERO;
            while next <= end {
                tokio::time::sleep_until(start + next).await;
                readings.extend(target.reading(node, start.elapsed()).await);
                next = start.elapsed().max(next) + READ_INTERVAL;
                next = Duration::from_secs(next.as_secs());
            }
            (node, readings)
        });
    }
    let mut all = vec![Vec::new(); target.nodes().len()];
    while let Some(done) = nodes.join_next().await {
        if let Ok((node, readings)) = done
            && let Some(place) = all.get_mut(node)
        {
            *place = readings;
        }
    }
    all
}
