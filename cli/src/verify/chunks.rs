//! Verifying chunks of what was sent: the provider's own statement, and a path for each.

use std::fmt::Write as _;
use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::content::{ChunkProof, ProvedChunks};

use super::shown::Shown;
use crate::client::printable;
use crate::view::table;

/// How a file that this program cannot read should look.
pub(super) const HINT: &str = "a proof of chunks is a file that `jangbu share chunks` wrote";

/// How the format of a proof of chunks begins.
pub(super) const FORMAT: &str = "jangbu-chunks/";

/// Checks a proof with the genesis file alone.
pub(super) fn verify<'a>(
    file: &'a Path,
    proof: &ChunkProof,
    anchor: &TrustAnchor,
) -> Shown<'a, ProvedChunks> {
    let file = (file, "chunks");
    let proved = match proof.verify(&anchor.verifier()) {
        Ok(proved) => proved,
        Err(error) => return Shown::nothing(file, error.verdict(), error.to_string()),
    };
    let mut checked = vec![
        "a quorum of validators vouches for the provider's statement, which its key signed",
        "each chunk shown is at its place under the root that the statement names",
    ];
    let mut not_checked = vec!["the other chunks: this file shows none of them"];
    if proved.used.is_some() {
        not_checked.push("whether the use took place as its author says");
        checked.push(
            "a quorum vouches for the use, which its author signed; it names this root and these \
             chunks",
        );
    }
    if !proved.delivery {
        not_checked.push("how many bytes were sent: the ledger does not say it of plain bytes");
    }
    Shown::holds(file, proved, checked, not_checked)
}

pub(super) fn in_words(proved: &ProvedChunks) -> String {
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
    let mut text = table(&rows);
    text.push_str("\nchunks\n");
    for chunk in &proved.chunks {
        let _ = writeln!(
            text,
            "{:>7}  {:>6} bytes  blake3 {}",
            chunk.index, chunk.bytes, chunk.blake3
        );
    }
    text
}
