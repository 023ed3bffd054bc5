//! Verifying that a validator contradicted itself: two signatures, one key of the genesis file.

use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::bundle::Verdict;
use jangbu_ledger::equivocation::{
    EVIDENCE_BYTES_MAX, EVIDENCE_FORMAT, Equivocation, Evidence, Offence,
};
use jangbu_ledger::id::BlockId;
use jangbu_ledger::json;
use serde::Serialize;

use crate::view::table;

/// What the file shows.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    file: &'a Path,
    kind: &'static str,
    pub(super) verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    found: Option<Found>,
    checked: Vec<&'static str>,
    not_checked: Vec<&'static str>,
}

/// Who contradicted itself, and how.
#[derive(Debug, Serialize)]
struct Found {
    member: String,
    #[serde(flatten)]
    offence: Offence,
    said: [String; 2],
}

/// Whether a file says that it is evidence.
pub(super) fn is_evidence(bytes: &[u8]) -> bool {
    bytes.len() <= EVIDENCE_BYTES_MAX
        && json::parse(bytes).is_ok_and(|value| {
            value
                .get("format")
                .and_then(serde_json::Value::as_str)
                .is_some_and(|format| format.starts_with("jangbu-evidence/"))
        })
}

/// Checks evidence with the genesis file alone.
pub(super) fn verify<'a>(file: &'a Path, evidence: &Evidence, anchor: &TrustAnchor) -> Answer<'a> {
    let offence = evidence.equivocation.offence();
    let refused = |verdict, reason: String| Answer {
        file,
        kind: "evidence",
        verdict,
        reason: Some(reason),
        found: None,
        checked: Vec::new(),
        not_checked: Vec::new(),
    };
    if evidence.chain_id != anchor.chain_id {
        let reason = format!(
            "it is of the ledger {}, the genesis file founds {}",
            evidence.chain_id, anchor.chain_id
        );
        return refused(Verdict::DoesNotHold, reason);
    }
    let Some((member, key)) = anchor.validator(&offence.validator) else {
        let reason = format!(
            "{} is no validator of the genesis file; if it became one later, this file cannot show it",
            offence.validator
        );
        return refused(Verdict::CannotTell, reason);
    };
    if let Err(error) = evidence.equivocation.verify(&evidence.chain_id, &key) {
        return refused(Verdict::DoesNotHold, error.to_string());
    }
    Answer {
        file,
        kind: "evidence",
        verdict: Verdict::Holds,
        reason: None,
        found: Some(Found {
            member: member.name.clone(),
            offence,
            said: said(&evidence.equivocation),
        }),
        checked: vec![
            "both messages are of one validator, height, round and type, and differ",
            "both signatures hold, for this ledger, by that validator's consensus key in the genesis file",
        ],
        not_checked: vec![
            "whether the member meant it: a key that was copied or a log that was lost does the same",
            "whether it is recorded on the ledger: jangbu evidence record",
        ],
    }
}

fn said(equivocation: &Equivocation) -> [String; 2] {
    let block = |id: &BlockId| format!("block {id}");
    match equivocation {
        Equivocation::Votes { first, second } => [first, second].map(|signed| {
            let id = signed.vote.block_id.as_ref();
            id.map_or_else(|| "no block".to_owned(), block)
        }),
        Equivocation::Proposals { first, second } => [first, second].map(|signed| {
            let proposal = &signed.proposal;
            match proposal.pol_round {
                None => block(&proposal.block_id),
                Some(round) => format!("block {}, of round {round}", proposal.block_id),
            }
        }),
    }
}

pub(super) fn in_words(answer: &Answer<'_>) -> String {
    let mut text = super::text::headline(answer.verdict, answer.file, answer.reason.as_deref());
    let Some(found) = &answer.found else {
        return text + "  Nothing in this file is to be relied on.\n";
    };
    let offence = &found.offence;
    text.push('\n');
    text.push_str(&table(&[
        (
            "validator",
            format!("{}  ({})", found.member, offence.validator),
        ),
        (
            "signed",
            format!(
                "two {}s at height {}, round {}",
                offence.said_twice.name(),
                offence.height,
                offence.round
            ),
        ),
        ("one for", found.said[0].clone()),
        ("one for", found.said[1].clone()),
    ]));
    text.push_str(&super::text::checks(
        answer.checked.iter().copied(),
        answer.not_checked.iter().copied(),
    ));
    text
}

/// How a file that this program cannot read should look.
pub(super) fn hint() -> String {
    format!("evidence is a file that a node wrote, of the format {EVIDENCE_FORMAT}")
}
