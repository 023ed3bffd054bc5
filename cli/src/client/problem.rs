//! A node's problem documents (RFC 9457) and the exit codes they come to.

use std::time::Duration;

use serde::Deserialize;

use super::http::printable;
use crate::error::{CliError, Code};

/// Longest a node may ask us to wait before trying again.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);

/// What a node says is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    name: String,
    detail: String,
    id: Option<String>,
    retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Document {
    r#type: String,
    detail: String,
    #[serde(default)]
    id: Option<String>,
}

impl Problem {
    /// Reads a problem document; `None` if it is none of a node's.
    pub(super) fn parse(bytes: &[u8], retry_after: Option<Duration>) -> Option<Self> {
        let document: Document = serde_json::from_slice(bytes).ok()?;
        let name = document.r#type.strip_prefix("urn:jangbu:problem:")?;
        Some(Self {
            name: printable(name),
            detail: printable(&document.detail),
            id: document.id.as_deref().map(printable),
            retry_after: retry_after.map(|asked| asked.min(RETRY_AFTER_MAX)),
        })
    }

    /// What the node says, in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Another node may do better.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self.name.as_str(),
            "unavailable" | "behind" | "timed-out" | "pool-full"
        )
    }

    /// The node has less of the ledger than it was told that there is.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.name == "behind"
    }

    /// Too much to do: nothing was taken, and this is how long to wait.
    #[must_use]
    pub fn busy(&self) -> Option<Duration> {
        (self.name == "pool-full").then(|| self.retry_after.unwrap_or(Duration::from_secs(1)))
    }

    /// Whether an envelope was definitely not taken.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        !matches!(self.name.as_str(), "unavailable" | "timed-out")
    }

    /// As the error of a read.
    pub(super) fn of_read(self, node: &str) -> CliError {
        let code = match self.name.as_str() {
            _ if self.is_unavailable() => Code::Unreachable,
            "not-final" => Code::Unknown,
            "bad-signature" | "unknown-key" | "revoked-key" => Code::Unauthorised,
            _ => Code::Input,
        };
        let behind = self.is_behind();
        let error = self.error(code, node);
        match behind {
            true => error.hint("run it again once it has caught up, or name another by --node URL"),
            false => error,
        }
    }

    /// As the error of an envelope that was not taken.
    pub(super) fn of_rejection(self, node: &str) -> CliError {
        let (code, hint) = match self.name.as_str() {
            "bad-signature" => (
                Code::Unauthorised,
                "the envelope was altered after it was signed; sign it again",
            ),
            "unknown-key" => (
                Code::Unauthorised,
                "is this the member's attestor key, and is --member right? `jangbu key list`",
            ),
            "revoked-key" => (Code::Unauthorised, "sign with the member's current key"),
            "wrong-chain" => (
                Code::Input,
                "the node serves another ledger; check `node` and `genesis`",
            ),
            "expired" => (Code::Input, "sign it again, and check this machine's clock"),
            "pool-full" => (
                Code::Unreachable,
                "nothing was taken; run it again in a while",
            ),
            _ => (
                Code::Input,
                "nothing was taken; correct it and run it again",
            ),
        };
        self.error(code, node).hint(hint)
    }

    fn error(self, code: Code, node: &str) -> CliError {
        let mut error = CliError::new(code, format!("{node}: {}", self.detail));
        error.id = self.id;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str) -> Problem {
        let text = format!(
            r#"{{"type":"urn:jangbu:problem:{name}","title":"t","status":1,"detail":"d"}}"#
        );
        Problem::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn each_rejection_has_its_exit_code() {
        for (name, code) in [
            ("bad-signature", Code::Unauthorised),
            ("unknown-key", Code::Unauthorised),
            ("revoked-key", Code::Unauthorised),
            ("wrong-chain", Code::Input),
            ("malformed-envelope", Code::Input),
            ("expired", Code::Input),
            ("too-large", Code::Input),
            ("pool-full", Code::Unreachable),
        ] {
            let problem = problem(name);
            assert!(problem.is_rejection(), "{name}");
            assert_eq!(problem.of_rejection("n").code, code, "{name}");
        }
        assert!(!problem("unavailable").is_rejection());
        assert!(!problem("timed-out").is_rejection());
    }

    #[test]
    fn a_wait_is_bounded_whatever_the_node_asks() {
        let text = br#"{"type":"urn:jangbu:problem:pool-full","detail":"d"}"#;
        let problem = Problem::parse(text, Some(Duration::from_secs(1_000_000))).unwrap();
        assert_eq!(problem.busy(), Some(RETRY_AFTER_MAX));
    }

    #[test]
    fn what_is_no_problem_document_is_none() {
        for bytes in [
            &b"<html>"[..],
            b"{}",
            br#"{"type":"about:blank","detail":"x"}"#,
        ] {
            assert_eq!(Problem::parse(bytes, None), None);
        }
    }
}
