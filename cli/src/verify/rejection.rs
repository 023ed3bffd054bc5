//! Verifying that a provider sent what it did not commit to: its own statement, and one record.

use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::content::{Convicted, RejectionProof};

use super::shown::Shown;
use crate::view::table;

/// How a file that this program cannot read should look.
pub(super) const HINT: &str =
    "a proof against a provider is a file that `jangbu share complete` wrote";

/// How the format of a proof against a provider begins.
pub(super) const FORMAT: &str = "jangbu-rejection/";

/// Checks a proof with the genesis file alone.
pub(super) fn verify<'a>(
    file: &'a Path,
    proof: &RejectionProof,
    anchor: &TrustAnchor,
) -> Shown<'a, Convicted> {
    let file = (file, "rejection");
    match proof.verify(&anchor.verifier()) {
        Err(error) => Shown::nothing(file, error.verdict(), error.to_string()),
        Ok(convicted) => Shown::holds(
            file,
            convicted,
            vec![
                "a quorum of validators vouches for the provider's statement, which its key signed",
                "the record shown is one of those that the statement commits to",
                "under the key that was committed to, the record is not what was committed to",
            ],
            vec![
                "whether the provider meant it",
                "the other chunks: this file shows none of them",
            ],
        ),
    }
}

pub(super) fn in_words(convicted: &Convicted) -> String {
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
    table(&rows)
}
