//! One request and its answer, or what kept it from being one.

use std::error::Error as _;
use std::io::Read as _;
use std::time::Duration;

use jangbu_ledger::extent::{Extent, KNOWN_FIELD};
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::RETRY_AFTER;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::error::CliError;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer in bytes: the receipts of a full envelope are some 12 MiB.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest problem document in bytes.
const PROBLEM_BYTES_MAX: u64 = 64 * 1024;

/// Why there is no good answer.
#[derive(Debug)]
pub enum Failure {
    /// No connection was made; nothing was sent.
    NotSent(String),
    /// The connection failed, or time ran out, after something may have been sent.
    Lost(String),
    /// There was an answer, and it is not one of a Jangbu node.
    Garbage(String),
    /// The node says what is wrong.
    Problem(Problem),
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
}

/// Connections to nodes.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::blocking::Client,
}

/// How long a stream may be silent: three times as long as a node ever is.
const SILENCE_MAX: Duration = Duration::from_secs(45);

impl Http {
    pub(super) fn new() -> Result<Self, CliError> {
        let client = builder(None)
            .build()
            .map_err(|error| CliError::internal(format!("the HTTP client: {error}")))?;
        Ok(Self { client })
    }

    /// Reads a path; a node that has less than `known` says that it is behind.
    pub(super) fn get(
        &self,
        node: &str,
        path: &str,
        query: &[(&str, String)],
        known: Option<Extent>,
        timeout: Duration,
    ) -> Result<Reply, Failure> {
        let mut request = self.client.get(format!("{node}{path}")).query(query);
        if let Some(known) = known {
            request = request.header(KNOWN_FIELD, known.to_string());
        }
        answer(request, timeout)
    }

    /// Opens an answer that goes on: every wait for a piece of it is bounded, not the whole.
    pub(super) fn stream(
        node: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Response, Failure> {
        let request = builder(SILENCE_MAX)
            .build()
            .map_err(failure)?
            .get(format!("{node}{path}"))
            .query(query);
        let response = request.send().map_err(failure)?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refusal(response)?),
        }
    }

    pub(super) fn post(
        &self,
        node: &str,
        path: &str,
        query: &[(&str, String)],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<Reply, Failure> {
        let request = self
            .client
            .post(format!("{node}{path}"))
            .query(query)
            .header("content-type", "application/octet-stream")
            .body(body);
        answer(request, timeout)
    }
}

impl Reply {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.bytes)
            .map_err(|error| Failure::Garbage(printable(&error.to_string())))
    }
}

impl Failure {
    /// Whether another node would say the same.
    pub(crate) fn is_definite(&self) -> bool {
        matches!(self, Self::Problem(problem) if !problem.is_unavailable())
    }

    /// Whether the same node will do better in a moment.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.is_behind())
    }

    /// As the error of a read, which can always be asked again.
    pub(crate) fn of_read(self, node: &str) -> CliError {
        match self {
            Self::NotSent(reason) => unreachable(node, &reason),
            Self::Lost(reason) => CliError::unreachable(format!("{node} gave no answer: {reason}")),
            Self::Garbage(reason) => not_a_node(node, &reason),
            Self::Problem(problem) => problem.of_read(node),
        }
    }
}

pub(super) fn unreachable(node: &str, reason: &str) -> CliError {
    CliError::unreachable(format!("{node} cannot be reached: {reason}"))
        .hint("start the node, or name another by --node URL")
}

pub(super) fn not_a_node(node: &str, reason: &str) -> CliError {
    CliError::unreachable(format!(
        "{node} does not answer like a Jangbu node: {reason}"
    ))
    .hint("check the address: is something else listening there, or a node of another version?")
}

/// Reads a node's address: `http://host:port`, perhaps with a path in front of the API's.
pub(super) fn base_address(text: &str) -> Result<String, CliError> {
    let wrong = |reason: &str| {
        CliError::input(format!("the node's address {text:?}: {reason}"))
            .hint("write it like http://127.0.0.1:8080")
    };
    let url = reqwest::Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if url.scheme() != "http" {
        return Err(wrong("only http:// is understood"));
    }
    if url.host().is_none() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("expected a host, and no query or fragment"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("no secrets in addresses"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn answer(request: RequestBuilder, timeout: Duration) -> Result<Reply, Failure> {
    let response = request.timeout(timeout).send().map_err(failure)?;
    let status = response.status();
    if status.is_success() {
        let bytes = body(response, ANSWER_BYTES_MAX)?;
        return Ok(Reply { bytes });
    }
    Err(refusal(response)?)
}

/// Any request's bounds but that of the answer.
fn builder(timeout: impl Into<Option<Duration>>) -> reqwest::blocking::ClientBuilder {
    reqwest::blocking::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("jangbu/", env!("CARGO_PKG_VERSION")))
}

/// What an answer that is no success says.
fn refusal(response: Response) -> Result<Failure, Failure> {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let bytes = body(response, PROBLEM_BYTES_MAX)?;
    Ok(match Problem::parse(&bytes, retry_after) {
        Some(problem) => Failure::Problem(problem),
        None => Failure::Garbage(format!("HTTP {status} without a problem document")),
    })
}

fn body(response: Response, max: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    response
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Lost(printable(&error.to_string())))?;
    if bytes.len() as u64 > max {
        return Err(Failure::Garbage(format!("more than {max} bytes")));
    }
    Ok(bytes)
}

fn failure(error: reqwest::Error) -> Failure {
    let reason = reason(&error);
    if error.is_connect() || error.is_builder() {
        Failure::NotSent(reason)
    } else {
        Failure::Lost(reason)
    }
}

/// What is at the bottom of an error: the layers above only repeat the address.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut bottom: &dyn std::error::Error = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    if error.source().is_none() {
        return printable(&error.to_string());
    }
    let text = printable(&bottom.to_string());
    match text.split_once(" (os error") {
        Some((plain, _)) => plain.to_lowercase(),
        None => text,
    }
}

/// A stranger's text, fit for a terminal: one line, bounded, nothing that moves the cursor.
pub fn printable(text: &str) -> String {
    text.chars()
        .take(500)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_and_carries_no_secret() {
        assert_eq!(base_address("http://a:1/").unwrap(), "http://a:1");
        assert_eq!(base_address("http://a/x/").unwrap(), "http://a/x");
        for bad in [
            "",
            "a:1",
            "https://a",
            "http://u:p@a",
            "http://a?x",
            "ftp://a",
        ] {
            assert!(base_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_strangers_text_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a [2Jb ");
    }
}
