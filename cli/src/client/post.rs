//! Handing in an envelope, so that afterwards it is clear what is known about it.

use std::thread;
use std::time::{Duration, Instant};

use super::http::{Failure, unreachable};
use super::{Client, EnvelopeAnswer};
use crate::error::CliError;

/// How much longer than its wait a request may take: the way there and back.
const TRANSIT: Duration = Duration::from_secs(2);
/// Longest a node waits for finality in one request.
const NODE_WAIT_MAX: Duration = Duration::from_secs(120);

/// How long the node keeps the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until the outcome is final.
    Final,
    /// Until the envelope is taken.
    Accepted,
}

/// What is known after handing in an envelope.
#[derive(Debug)]
pub enum Sent {
    /// A node took it and says where it stands.
    Answer(Box<EnvelopeAnswer>),
    /// No node has it.
    NotTaken(CliError),
    /// A node may have it; nobody said.
    Lost(CliError),
}

impl Client {
    /// Hands in an envelope. The next node is tried only if nothing reached the one before; a
    /// busy node is asked again until `deadline`.
    pub fn post_envelope(&self, bytes: &[u8], wait: Wait, deadline: Instant) -> Sent {
        let mut not_sent: Vec<String> = Vec::new();
        for node in &self.nodes {
            match self.post_to(node, bytes, wait, deadline) {
                Err(Failure::NotSent(reason)) => not_sent.push(format!("{node}: {reason}")),
                Err(Failure::Problem(problem)) if problem.is_rejection() => {
                    return Sent::NotTaken(problem.of_rejection(node));
                }
                Err(Failure::Problem(problem)) => {
                    return Sent::Lost(CliError::unknown(format!("{node}: {}", problem.detail())));
                }
                Err(Failure::Lost(reason)) => {
                    return Sent::Lost(CliError::unknown(format!(
                        "{node} took the request and gave no answer: {reason}"
                    )));
                }
                Err(Failure::Garbage(reason)) => {
                    return Sent::Lost(CliError::unknown(format!(
                        "{node} does not answer like a Jangbu node: {reason}"
                    )));
                }
                Ok(answer) => return Sent::Answer(Box::new(answer)),
            }
        }
        let error = match not_sent.as_slice() {
            [one] => unreachable("the node", one),
            _ => unreachable("the nodes", &not_sent.join("; ")),
        };
        Sent::NotTaken(error)
    }

    /// Hands an envelope to one node, again and again while it is busy and there is time.
    fn post_to(
        &self,
        node: &str,
        bytes: &[u8],
        wait: Wait,
        deadline: Instant,
    ) -> Result<EnvelopeAnswer, Failure> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let kept = left.min(NODE_WAIT_MAX);
            let query = [
                (
                    "wait",
                    match wait {
                        Wait::Final => "final".to_owned(),
                        Wait::Accepted => "accepted".to_owned(),
                    },
                ),
                ("timeout_ms", kept.as_millis().to_string()),
            ];
            let timeout = kept + TRANSIT;
            let sent = self
                .http
                .post(node, "/v1/envelopes", &query, bytes.to_vec(), timeout)
                .and_then(|reply| reply.json());
            if let Err(Failure::Problem(problem)) = &sent
                && let Some(pause) = problem.busy()
                && pause < deadline.saturating_duration_since(Instant::now())
            {
                thread::sleep(pause);
                continue;
            }
            return sent;
        }
    }
}
