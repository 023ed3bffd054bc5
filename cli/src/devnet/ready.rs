//! Waits until started nodes can do their work, and says why if they cannot.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::blocking::Client;

use super::layout::NodePaths;
use crate::error::CliError;

/// How long all nodes together may take: opening the database and finding each other takes
/// about a second, on a busy machine many.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How much of a node's answer or log is shown.
const ANSWER_BYTES_MAX: u64 = 4096;
const TAIL_BYTES: u64 = 8192;
const TAIL_LINES: usize = 15;

/// A node that must become ready.
pub(super) struct Awaited {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) paths: NodePaths,
    /// Its process, if this command started it.
    pub(super) child: Option<Child>,
    /// Where its log ended before this start.
    pub(super) log_start: u64,
}

/// Asks nodes whether they are ready.
pub(super) struct Prober(Client);

impl Prober {
    pub(super) fn new() -> Result<Self, CliError> {
        Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .no_proxy()
            .build()
            .map(Self)
            .map_err(|error| CliError::internal(format!("no HTTP client: {error}")))
    }

    /// `Ok` if the node is ready, else what it says.
    pub(super) fn probe(&self, url: &str) -> Result<(), String> {
        let answer = self
            .0
            .get(format!("{url}/readyz"))
            .send()
            .map_err(|error| match error.is_connect() {
                true => "it does not listen yet".to_owned(),
                false => error.without_url().to_string(),
            })?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        let mut text = String::new();
        // Half an answer is better than none here.
        let _cut_off = answer.take(ANSWER_BYTES_MAX).read_to_string(&mut text);
        let detail = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()));
        Err(detail.unwrap_or_else(|| format!("it answers {status}")))
    }
}

/// Waits until all are ready.
pub(super) fn wait(nodes: &mut [Awaited], interrupted: &AtomicBool) -> Result<(), CliError> {
    let prober = Prober::new()?;
    let deadline = Instant::now() + READY_TIMEOUT;
    let mut at = 0;
    while at < nodes.len() {
        // One that ended may be why another is not ready.
        for node in nodes.iter_mut() {
            node.check_runs()?;
        }
        let Some(node) = nodes.get(at) else { break };
        let Err(reason) = prober.probe(&node.url) else {
            at += 1;
            continue;
        };
        if interrupted.load(Ordering::Relaxed) {
            return Err(CliError::input("interrupted before the nodes were ready"));
        }
        if Instant::now() >= deadline {
            return Err(node.failure(&format!(
                "is not ready after {} seconds: {reason}",
                READY_TIMEOUT.as_secs()
            )));
        }
        sleep(POLL_INTERVAL);
    }
    Ok(())
}

impl Awaited {
    fn check_runs(&mut self) -> Result<(), CliError> {
        let ended = match &mut self.child {
            Some(child) => child.try_wait().map_err(|error| {
                CliError::internal(format!("{}: cannot be watched: {error}", self.name))
            })?,
            None => None,
        };
        match ended {
            Some(status) => Err(self.failure(&format!("ended at its start ({status})"))),
            None => Ok(()),
        }
    }

    fn failure(&self, what: &str) -> CliError {
        let log = self.paths.log();
        let tail = tail(&self.paths, self.log_start)
            .unwrap_or_else(|error| format!("  (the log cannot be read: {error})\n"));
        CliError::internal(format!(
            "the node of {} {what}; the end of {}:\n{}",
            self.name,
            log.display(),
            tail.trim_end()
        ))
    }
}

/// The last lines of a node's log from `start` on.
fn tail(paths: &NodePaths, start: u64) -> std::io::Result<String> {
    let mut file = File::open(paths.log())?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(
        start.max(length.saturating_sub(TAIL_BYTES)).min(length),
    ))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.len().saturating_sub(TAIL_LINES);
    Ok(lines
        .into_iter()
        .skip(shown)
        .map(|line| format!("  {line}\n"))
        .collect())
}
