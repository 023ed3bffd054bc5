//! HTTP as a client script would speak it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

/// Longest a request may take: longer than a node lets a submission wait by default.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of one node; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::blocking::Client,
    /// Where the node serves its API.
    pub address: SocketAddr,
}

/// What a node answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `content-type`, or nothing.
    pub content_type: String,
    /// Whether `retry-after` is there.
    pub has_retry_after: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the node at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let http = reqwest::blocking::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .build()
            .unwrap();
        Self { http, address }
    }

    /// Reads a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads a path of a node that may be down.
    ///
    /// # Errors
    ///
    /// What the network said.
    pub fn try_get(&self, path: &str) -> Result<Answer, String> {
        self.send(self.http.get(self.url(path)))
    }

    /// Reads a path that must answer with JSON and 200.
    #[must_use]
    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer}");
        answer.json()
    }

    /// Hands in an envelope and waits for finality.
    #[must_use]
    pub fn submit(&self, envelope: &[u8]) -> Answer {
        self.try_submit(envelope)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Hands in an envelope at this path: how long to wait is in its query.
    #[must_use]
    pub fn submit_to(&self, path: &str, envelope: &[u8]) -> Answer {
        self.send(self.http.post(self.url(path)).body(envelope.to_vec()))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Hands in an envelope at a node that may be down.
    ///
    /// # Errors
    ///
    /// What the network said.
    pub fn try_submit(&self, envelope: &[u8]) -> Result<Answer, String> {
        let request = self.http.post(self.url("/v1/envelopes"));
        self.send(request.body(envelope.to_vec()))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn send(&self, request: reqwest::blocking::RequestBuilder) -> Result<Answer, String> {
        let said = |error: reqwest::Error| format!("{}: {error:?}", self.address);
        let response = request.send().map_err(said)?;
        let headers = response.headers();
        let content_type = headers
            .get("content-type")
            .map_or_else(String::new, |value| value.to_str().unwrap().to_owned());
        let has_retry_after = headers.contains_key("retry-after");
        Ok(Answer {
            status: response.status().as_u16(),
            content_type,
            has_retry_after,
            body: response.bytes().map_err(said)?.to_vec(),
        })
    }
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// The problem's type without its prefix, if this is a problem document.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if self.content_type != "application/problem+json" {
            return None;
        }
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self}");
        let kind = problem["type"].as_str().unwrap();
        Some(kind.strip_prefix("urn:jangbu:problem:").unwrap().to_owned())
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.status,
            self.content_type,
            String::from_utf8_lossy(&self.body)
        )
    }
}
