//! The answer about a file that shows one thing, or nothing.

use std::path::Path;

use jangbu_ledger::bundle::Verdict;
use jangbu_ledger::json;
use serde::Serialize;

use super::text::{checks, headline};

/// What a file shows, or why it shows nothing.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a, T> {
    file: &'a Path,
    kind: &'static str,
    pub(super) verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    what: Option<T>,
    checked: Vec<&'static str>,
    not_checked: Vec<&'static str>,
}

impl<'a, T> Shown<'a, T> {
    /// It shows this.
    pub(super) const fn holds(
        (file, kind): (&'a Path, &'static str),
        what: T,
        checked: Vec<&'static str>,
        not_checked: Vec<&'static str>,
    ) -> Self {
        Self {
            file,
            kind,
            verdict: Verdict::Holds,
            reason: None,
            what: Some(what),
            checked,
            not_checked,
        }
    }

    /// It shows nothing.
    pub(super) const fn nothing(
        (file, kind): (&'a Path, &'static str),
        verdict: Verdict,
        reason: String,
    ) -> Self {
        Self {
            file,
            kind,
            verdict,
            reason: Some(reason),
            what: None,
            checked: Vec::new(),
            not_checked: Vec::new(),
        }
    }

    /// For a person; `told` says what is shown.
    pub(super) fn in_words(&self, told: impl FnOnce(&T) -> String) -> String {
        let mut text = headline(self.verdict, self.file, self.reason.as_deref());
        let Some(what) = &self.what else {
            return text + "  Nothing in this file is to be relied on.\n";
        };
        text.push('\n');
        text.push_str(&told(what));
        text.push_str(&checks(
            self.checked.iter().copied(),
            self.not_checked.iter().copied(),
        ));
        text
    }
}

/// The format that a JSON file says it has.
pub(super) fn format_of(bytes: &[u8]) -> Option<String> {
    // A file that is too long is named as such by its own reader.
    let value = json::parse(bytes).ok()?;
    let format = value.get("format").and_then(serde_json::Value::as_str);
    format.map(str::to_owned)
}
