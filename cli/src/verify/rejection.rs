//! Verifying that a provider sent what it did not commit to: its own statement, and one record.

use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::bundle::Verdict;
use jangbu_ledger::content::{Convicted, RejectionProof};
use jangbu_ledger::json;
use serde::Serialize;

use crate::view::table;

/// How a file that this program cannot read should look.
pub(super) const HINT: &str =
    "a proof against a provider is a file that `jangbu share complete` wrote";

/// What the file shows.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    file: &'a Path,
    kind: &'static str,
    pub(super) verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    convicted: Option<Convicted>,
    checked: Vec<&'static str>,
    not_checked: Vec<&'static str>,
}

/// Whether a file says that it is a proof against a provider.
pub(super) fn is_rejection(bytes: &[u8]) -> bool {
    // A file that is too long is named as such by its own reader.
    json::parse(bytes).is_ok_and(|value| {
        value
            .get("format")
            .and_then(serde_json::Value::as_str)
            .is_some_and(|format| format.starts_with("jangbu-rejection/"))
    })
}

/// Checks a proof with the genesis file alone.
pub(super) fn verify<'a>(
    file: &'a Path,
    proof: &RejectionProof,
    anchor: &TrustAnchor,
) -> Answer<'a> {
    let (kind, verified) = ("rejection", proof.verify(&anchor.verifier()));
    match verified {
        Err(error) => Answer {
            file,
            kind,
            verdict: error.verdict(),
            reason: Some(error.to_string()),
            convicted: None,
            checked: Vec::new(),
            not_checked: Vec::new(),
        },
        Ok(convicted) => Answer {
            file,
            kind,
            verdict: Verdict::Holds,
            reason: None,
            convicted: Some(convicted),
            checked: vec![
                "a quorum of validators vouches for the provider's statement, which its key signed",
                "the record shown is one of those that the statement commits to",
                "under the key that was committed to, the record is not what was committed to",
            ],
            not_checked: vec![
                "whether the provider meant it",
                "the other chunks: this file shows none of them",
            ],
        },
    }
}

pub(super) fn in_words(answer: &Answer<'_>) -> String {
    let mut text = super::text::headline(answer.verdict, answer.file, answer.reason.as_deref());
    let Some(convicted) = &answer.convicted else {
        return text + "  Nothing in this file is to be relied on.\n";
    };
    text.push('\n');
    let mut rows = vec![
        (
            "provider",
            format!("{}  ({})", convicted.member_name, convicted.member),
        ),
        ("at fault", convicted.fault.clone()),
        ("delivery", format!("root {}", convicted.root)),
    ];
    if let Some(said) = convicted.report.statements.first() {
        rows.push((
            "started",
            format!("entry {} in block {}", said.sequence, said.height),
        ));
    }
    text.push_str(&table(&rows));
    text.push_str(&super::text::checks(
        answer.checked.iter().copied(),
        answer.not_checked.iter().copied(),
    ));
    text
}
