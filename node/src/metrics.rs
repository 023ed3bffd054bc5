//! A dozen numbers for Prometheus, in its text format.
//!
//! Source: Prometheus exposition formats, text format 0.0.4.

mod process;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// A number that comes and goes.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// Replaces the number.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the node counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// HTTP requests taken.
    pub requests: Counter,
    /// Envelopes handed in over HTTP.
    pub submissions: Counter,
    /// Of these, refused at admission.
    pub submissions_refused: Counter,
    /// Blocks committed since the start.
    pub blocks: Counter,
    /// Envelopes committed since the start.
    pub envelopes: Counter,
    /// Messages received from members.
    pub messages_in: Counter,
    /// Bytes received from members.
    pub bytes_in: Counter,
    /// Messages handed to the mesh; a broadcast counts once.
    pub messages_out: Counter,
    /// Messages that the mesh did not take: no connection, or no room.
    pub messages_dropped: Counter,
    /// What members sent that no correct replica sends.
    pub misbehaviour: Counter,
    /// Contradictions of validators that were kept as evidence.
    pub equivocations: Counter,
    /// Links closed because the member kept misbehaving.
    pub cut_off: Counter,
    /// Readers of the stream that took nothing for too long.
    pub streams_cut_off: Counter,
    /// Envelopes whose execution panicked.
    pub quarantined: Counter,
    /// Microseconds that the replica's thread worked.
    pub busy_us: Counter,
    /// Height of the last committed block.
    pub height: Gauge,
    /// Entries in the log.
    pub log_size: Gauge,
    /// Height of the last final checkpoint.
    pub final_height: Gauge,
    /// 1 while this node votes.
    pub voting: Gauge,
    /// Envelopes in the pool.
    pub pool_envelopes: Gauge,
    /// Bytes of envelopes in the pool.
    pub pool_bytes: Gauge,
}

impl Metrics {
    /// All numbers, with these from elsewhere: connected members, bytes on disk.
    #[must_use]
    pub fn render(&self, peers_connected: u64, disk_bytes: u64) -> String {
        let counters = [
            (
                "http_requests_total",
                "HTTP requests taken.",
                &self.requests,
            ),
            (
                "submissions_total",
                "Envelopes handed in over HTTP.",
                &self.submissions,
            ),
            (
                "submissions_refused_total",
                "Envelopes refused at admission.",
                &self.submissions_refused,
            ),
            (
                "blocks_committed_total",
                "Blocks committed since the start.",
                &self.blocks,
            ),
            (
                "envelopes_committed_total",
                "Envelopes committed since the start.",
                &self.envelopes,
            ),
            (
                "messages_received_total",
                "Messages received from members.",
                &self.messages_in,
            ),
            (
                "received_bytes_total",
                "Bytes received from members.",
                &self.bytes_in,
            ),
            (
                "messages_sent_total",
                "Messages handed to the mesh.",
                &self.messages_out,
            ),
            (
                "messages_dropped_total",
                "Messages the mesh did not take.",
                &self.messages_dropped,
            ),
            (
                "stream_readers_cut_off_total",
                "Readers of the stream that took nothing for too long.",
                &self.streams_cut_off,
            ),
            (
                "misbehaviour_total",
                "What members sent that no correct replica sends.",
                &self.misbehaviour,
            ),
            (
                "equivocations_total",
                "Contradictions of validators seen since the start.",
                &self.equivocations,
            ),
            (
                "cut_off_total",
                "Links closed because the member kept misbehaving.",
                &self.cut_off,
            ),
            (
                "quarantined_envelopes_total",
                "Envelopes this node cannot execute: a defect to report.",
                &self.quarantined,
            ),
            (
                "replica_busy_microseconds_total",
                "Time the replica's thread worked.",
                &self.busy_us,
            ),
        ];
        let gauges = [
            (
                "height",
                "Height of the last committed block.",
                self.height.get(),
            ),
            ("log_size", "Entries in the log.", self.log_size.get()),
            (
                "final_height",
                "Height of the last final checkpoint.",
                self.final_height.get(),
            ),
            (
                "voting",
                "1 while this node votes, 0 while it only follows.",
                self.voting.get(),
            ),
            (
                "pool_envelopes",
                "Envelopes that wait for a block.",
                self.pool_envelopes.get(),
            ),
            (
                "pool_bytes",
                "Bytes of envelopes that wait for a block.",
                self.pool_bytes.get(),
            ),
            ("peers_connected", "Members connected.", peers_connected),
            ("disk_bytes", "Bytes of the database's tables.", disk_bytes),
        ];
        let mut text = String::new();
        for (name, help, counter) in counters {
            push(&mut text, name, help, "counter", counter.get());
        }
        for (name, help, value) in gauges {
            push(&mut text, name, help, "gauge", value);
        }
        process::push(&mut text);
        text
    }
}

fn push(text: &mut String, name: &str, help: &str, sort: &str, value: u64) {
    writeln!(
        text,
        "# HELP jangbu_{name} {help}\n# TYPE jangbu_{name} {sort}\njangbu_{name} {value}"
    )
    .expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_help_and_type() {
        let metrics = Metrics::default();
        metrics.height.set(7);
        let text = metrics.render(3, 0);
        assert!(text.contains("# TYPE jangbu_height gauge\njangbu_height 7\n"));
        assert!(text.contains("jangbu_peers_connected 3\n"));
        assert_eq!(text.lines().count() % 3, 0);
    }
}
