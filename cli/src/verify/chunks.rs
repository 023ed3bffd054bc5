//! Verifying chunks of what was sent: the provider's own statement, and a path for each.

use std::fmt::Write as _;
use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::bundle::Verdict;
use jangbu_ledger::content::{ChunkProof, ProvedChunks};
use jangbu_ledger::json;
use serde::Serialize;

use crate::client::printable;
use crate::view::table;

/// How a file that this program cannot read should look.
pub(super) const HINT: &str = "a proof of chunks is a file that `jangbu share chunks` wrote";

/// What the file shows.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    file: &'a Path,
    kind: &'static str,
    pub(super) verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    proved: Option<ProvedChunks>,
    checked: Vec<&'static str>,
    not_checked: Vec<&'static str>,
}

/// Whether a file says that it is a proof of chunks.
pub(super) fn is_chunks(bytes: &[u8]) -> bool {
    // A file that is too long is named as such by its own reader.
    json::parse(bytes).is_ok_and(|value| {
        value
            .get("format")
            .and_then(serde_json::Value::as_str)
            .is_some_and(|format| format.starts_with("jangbu-chunks/"))
    })
}

/// Checks a proof with the genesis file alone.
pub(super) fn verify<'a>(file: &'a Path, proof: &ChunkProof, anchor: &TrustAnchor) -> Answer<'a> {
    let verified = proof.verify(&anchor.verifier());
    let mut answer = Answer {
        file,
        kind: "chunks",
        verdict: Verdict::Holds,
        reason: None,
        proved: None,
        checked: Vec::new(),
        not_checked: Vec::new(),
    };
    match verified {
        Err(error) => {
            answer.verdict = error.verdict();
            answer.reason = Some(error.to_string());
        }
        Ok(proved) => {
            answer.checked = vec![
                "a quorum of validators vouches for the provider's statement, which its key signed",
                "each chunk shown is at its place under the root that the statement names",
            ];
            answer.not_checked = vec!["the other chunks: this file shows none of them"];
            if proved.used.is_some() {
                answer
                    .not_checked
                    .push("whether the use took place as its author says");
                answer.checked.push(
                    "a quorum vouches for the use, which its author signed; it names this root and \
                     these chunks",
                );
            }
            if !proved.delivery {
                answer
                    .not_checked
                    .push("how many bytes were sent: the ledger does not say it of plain bytes");
            }
            answer.proved = Some(proved);
        }
    }
    answer
}

pub(super) fn in_words(answer: &Answer<'_>) -> String {
    let mut text = super::text::headline(answer.verdict, answer.file, answer.reason.as_deref());
    let Some(proved) = &answer.proved else {
        return text + "  Nothing in this file is to be relied on.\n";
    };
    text.push('\n');
    let mut rows = vec![
        (
            "provider",
            format!("{}  ({})", printable(&proved.member_name), proved.member),
        ),
        ("root", proved.root.to_string()),
    ];
    if let Some(said) = proved.report.statements.first() {
        rows.push((
            "started",
            format!("entry {} in block {}", said.sequence, said.height),
        ));
    }
    if let Some(used) = &proved.used {
        let made: Vec<&str> = used.made.iter().map(|made| made.as_str()).collect();
        let made = match made.as_slice() {
            [] => String::new(),
            made => format!(", made {}", made.join(", ")),
        };
        rows.push((
            "used",
            format!(
                "entry {} in block {}: {} by {}{made}",
                used.sequence,
                used.height,
                used.activity,
                printable(&used.member_name)
            ),
        ));
        let under = used.agreement.as_ref();
        let under = under.map_or_else(String::new, |agreement| format!(" under {agreement}"));
        rows.push(("data", format!("{}{under}", used.data)));
    }
    text.push_str(&table(&rows));
    text.push_str("\nchunks\n");
    for chunk in &proved.chunks {
        let _ = writeln!(
            text,
            "{:>7}  {:>6} bytes  blake3 {}",
            chunk.index, chunk.bytes, chunk.blake3
        );
    }
    text.push_str(&super::text::checks(
        answer.checked.iter().copied(),
        answer.not_checked.iter().copied(),
    ));
    text
}
