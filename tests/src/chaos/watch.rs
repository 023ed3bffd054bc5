//! A node's numbers, read on and on, and everything it ever held against another.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::agent::ask;
use crate::cluster::{Answer, Charge, Metrics};

/// How often a node's numbers are read, and how long that may take.
const READ_INTERVAL: Duration = Duration::from_millis(500);
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// A node's numbers at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) height: u64,
    pub(super) final_height: u64,
    /// Members it is connected to.
    pub(super) peers: u64,
    pub(super) memory_bytes: u64,
    /// Open descriptors of its process.
    pub(super) open: Descriptors,
    /// Envelopes that its neighbour had handed in and had no answer for.
    pub(super) waiting: usize,
}

/// Open descriptors of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Descriptors {
    pub(super) sockets: usize,
    pub(super) files: usize,
}

impl Descriptors {
    /// Counts them; `None` if the process is gone.
    fn of(process: u32) -> Option<Self> {
        let mut open = Self::default();
        let entries = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
        for entry in entries {
            // One may be closed while we look.
            let Ok(target) = entry.and_then(|entry| std::fs::read_link(entry.path())) else {
                continue;
            };
            if target.to_string_lossy().starts_with("socket:") {
                open.sockets += 1;
            } else if target.is_absolute() && !target.starts_with("/dev") {
                open.files += 1;
            }
        }
        Some(open)
    }
}

/// How many files lie in a directory and below.
pub(super) fn files_in(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap();
    let count = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.is_dir() { files_in(&path) } else { 1 }
    };
    entries.map(count).sum()
}

/// What was seen of a node, over all its lives.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Oldest first.
    pub(super) readings: Vec<Reading>,
    /// What it counted against others.
    pub(super) charges: BTreeSet<Charge>,
    /// What it did not tell although it answered.
    pub(super) untold: BTreeSet<String>,
}

/// Reads one node's numbers.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Its process; 0 if none.
    pub(super) process: AtomicU32,
    /// Envelopes that its neighbour has handed in and has no answer for.
    pub(super) waiting: AtomicUsize,
    pub(super) seen: Mutex<Seen>,
}

impl Watch {
    /// Goes on until its task is dropped.
    pub(super) async fn read_on(self: Arc<Self>, http: reqwest::Client, url: String) {
        loop {
            let answer = ask(http.get(&url).timeout(READ_TIMEOUT)).await;
            if let Ok(answer) = answer
                && answer.status == 200
            {
                self.note(&answer);
            }
            tokio::time::sleep(READ_INTERVAL).await;
        }
    }

    fn note(&self, answer: &Answer) {
        let metrics = Metrics::of(answer.text());
        let reading = self.reading(&metrics);
        let mut seen = self.seen.lock().unwrap();
        match metrics.charges() {
            Ok(charges) => seen.charges.extend(charges),
            Err(untold) => drop(seen.untold.insert(untold)),
        }
        match reading {
            Ok(Some(reading)) => seen.readings.push(reading),
            Ok(None) => {}
            Err(untold) => drop(seen.untold.insert(untold)),
        }
    }

    /// `None` if the process is gone meanwhile.
    fn reading(&self, metrics: &Metrics) -> Result<Option<Reading>, String> {
        let number = |name| metrics.number(name);
        let process = self.process.load(Ordering::Relaxed);
        let (height, final_height) = (number("jangbu_height")?, number("jangbu_final_height")?);
        let peers = number("jangbu_peers_connected")?;
        let memory_bytes = number("process_resident_memory_bytes")?;
        let reading = |open| Reading {
            at: Instant::now(),
            height,
            final_height,
            peers,
            memory_bytes,
            open,
            waiting: self.waiting.load(Ordering::Relaxed),
        };
        Ok(Descriptors::of(process).map(reading))
    }
}
