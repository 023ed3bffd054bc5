//! The nodes under load, over HTTP: hand in an envelope, read what a node uses.

use std::borrow::Cow;
use std::time::Duration;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::id::ChainId;
use jangbu_ledger::receipt::Receipt;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;

use super::tally::End;
use super::watch::Reading;

/// Largest answer: 4,096 receipts of the largest entries would be more, real ones are far below.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest part of a problem's type that names a kind of error.
const KIND_BYTES_MAX: usize = 80;
/// Longest a node may take to show its metrics or its status.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// How much longer than the node the generator waits for an answer.
const GRACE: Duration = Duration::from_secs(2);

/// Nodes, and the connections to them.
pub(super) struct Target {
    client: Client,
    nodes: Vec<String>,
    timeout: Duration,
}

/// What a node says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub(super) chain_id: ChainId,
    pub(super) member: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    status: &'a str,
    #[serde(borrow, default)]
    outcomes: Vec<Outcome<'a>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: &'a str,
    rule: Option<&'a str>,
    #[serde(borrow)]
    receipt: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ProblemType {
    #[serde(rename = "type")]
    name: String,
}

impl Target {
    /// `timeout` is how long an envelope may wait for finality.
    pub(super) fn new(nodes: Vec<String>, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .http1_only()
            // The load goes where the user said, whatever the environment names.
            .no_proxy()
            .pool_max_idle_per_host(usize::MAX)
            .timeout(timeout + GRACE)
            .build()?;
        Ok(Self {
            client,
            nodes,
            timeout,
        })
    }

    pub(super) fn nodes(&self) -> &[String] {
        &self.nodes
    }

    fn node(&self, number: usize) -> &str {
        &self.nodes[number % self.nodes.len()]
    }

    /// What a node says of itself.
    pub(super) async fn status(&self, node: usize) -> Result<Status, reqwest::Error> {
        let url = format!("{}/v1/status", self.node(node));
        let request = self.client.get(url).timeout(LOOK_TIMEOUT);
        request.send().await?.error_for_status()?.json().await
    }

    /// A node's metrics; `None` if it does not show them now.
    pub(super) async fn reading(&self, node: usize, at: Duration) -> Option<Reading> {
        let url = format!("{}/metrics", self.node(node));
        let request = self.client.get(url).timeout(LOOK_TIMEOUT);
        let response = request.send().await.ok()?.error_for_status().ok()?;
        let bytes = read(response).await.ok()?;
        Some(Reading::parse(at, std::str::from_utf8(&bytes).ok()?))
    }

    /// Hands in an envelope at the node with this number (they take turns) and waits until it
    /// is final. The answer's bytes, if it is a final one.
    pub(super) async fn submit(
        &self,
        number: usize,
        envelope: Vec<u8>,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let url = format!(
            "{}/v1/envelopes?wait=final&timeout_ms={}",
            self.node(number),
            self.timeout.as_millis()
        );
        let request = self.client.post(url).body(envelope);
        let response = request.send().await.map_err(|error| kind_of(&error))?;
        let status = response.status();
        Ok((status, read(response).await?))
    }
}

/// Reads a body of at most [`ANSWER_BYTES_MAX`].
async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| kind_of(&error))? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("the answer is too large".into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn kind_of(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke"
    };
    kind.to_owned()
}

/// What an answer means for the tally.
pub(super) fn judge(status: StatusCode, body: &[u8]) -> End {
    match status {
        StatusCode::OK => judge_final(body).unwrap_or_else(|| garbage("200")),
        StatusCode::ACCEPTED => End::Failed("not final in time".into()),
        other => {
            let name = serde_json::from_slice::<ProblemType>(body).map(|problem| problem.name);
            let name: String = name
                .as_deref()
                .unwrap_or("no problem document")
                .chars()
                .take(KIND_BYTES_MAX)
                .collect();
            End::Failed(format!("HTTP {}: {name}", other.as_u16()))
        }
    }
}

fn judge_final(body: &[u8]) -> Option<End> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    if answer.status != "final" || answer.outcomes.is_empty() {
        return None;
    }
    for outcome in &answer.outcomes {
        match outcome.status {
            "final" if outcome.receipt.is_some() => {}
            "refused" => {
                let rule: String = outcome.rule?.chars().take(KIND_BYTES_MAX).collect();
                return Some(End::Failed(format!("refused: {rule}")));
            }
            _ => return None,
        }
    }
    Some(End::Final {
        statements: u64::try_from(answer.outcomes.len()).ok()?,
    })
}

fn garbage(status: &str) -> End {
    End::Failed(format!("HTTP {status} with an answer that makes no sense"))
}

/// Checks every receipt in a final answer against the genesis; how many there are.
pub(super) fn verify(body: &[u8], anchor: &TrustAnchor) -> Result<u64, String> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut verified = 0;
    for receipt in answer.outcomes.iter().filter_map(|o| o.receipt.as_deref()) {
        Receipt::parse(receipt.as_bytes())
            .map_err(|error| error.to_string())?
            .verify(&anchor.origin, &anchor.witnesses, anchor.quorum)
            .map_err(|error| error.to_string())?;
        verified += 1;
    }
    Ok(verified)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINAL: &str = r#"{"envelope_id":"00","status":"final","outcomes":[
        {"statement_id":"aa","status":"final","duplicate":false,"sequence":3,"height":1,
         "receipt":"c2sp.org/tlog-proof@v1\n"}]}"#;

    fn failed(status: StatusCode, body: &str) -> String {
        match judge(status, body.as_bytes()) {
            End::Failed(kind) => kind,
            End::Final { .. } => panic!("taken for final: {body}"),
        }
    }

    #[test]
    fn only_an_answer_with_a_receipt_for_every_statement_counts_as_final() {
        let end = judge(StatusCode::OK, FINAL.as_bytes());
        assert_eq!(end, End::Final { statements: 1 });
        let without = FINAL.replace("\"receipt\"", "\"other\"");
        for body in [&without, "{}", "not JSON", &FINAL.replace("final", "fine")] {
            assert!(failed(StatusCode::OK, body).contains("makes no sense"));
        }
    }

    #[test]
    fn failures_are_told_apart() {
        let busy = r#"{"type":"urn:x:pool-full","title":"busy"}"#;
        assert_eq!(
            failed(StatusCode::TOO_MANY_REQUESTS, busy),
            "HTTP 429: urn:x:pool-full"
        );
        assert_eq!(failed(StatusCode::ACCEPTED, "{}"), "not final in time");
        let refused = r#"{"status":"final","outcomes":[{"status":"refused","rule":"slot.once"}]}"#;
        assert_eq!(failed(StatusCode::OK, refused), "refused: slot.once");
        assert_eq!(
            failed(StatusCode::BAD_GATEWAY, "<html>"),
            "HTTP 502: no problem document"
        );
    }
}
