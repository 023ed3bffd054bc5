//! Verifying that a validator contradicted itself: two signatures, one key of the genesis file.

use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::bundle::Verdict;
use jangbu_ledger::equivocation::{EVIDENCE_FORMAT, Equivocation, Evidence, Offence};
use jangbu_ledger::id::BlockId;
use serde::Serialize;

use super::shown::Shown;
use crate::view::table;

/// Who contradicted itself, and how.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    member: String,
    #[serde(flatten)]
    offence: Offence,
    said: [String; 2],
}

/// How the format of evidence begins.
pub(super) const FORMAT: &str = "jangbu-evidence/";

/// Checks evidence with the genesis file alone.
pub(super) fn verify<'a>(
    file: &'a Path,
    evidence: &Evidence,
    anchor: &TrustAnchor,
) -> Shown<'a, Found> {
    let file = (file, "evidence");
    let offence = evidence.equivocation.offence();
    let refused = |verdict, reason: String| Shown::nothing(file, verdict, reason);
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
    Shown::holds(
        file,
        Found {
            member: member.name.clone(),
            offence,
            said: said(&evidence.equivocation),
        },
        vec![
            "both messages are of one validator, height, round and type, and differ",
            "both signatures hold, for this ledger, by that validator's consensus key in the genesis file",
        ],
        vec![
            "whether the member meant it: a key that was copied or a log that was lost does the same",
            "whether it is recorded on the ledger: jangbu evidence record",
        ],
    )
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

pub(super) fn in_words(found: &Found) -> String {
    let offence = &found.offence;
    table(&[
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
    ])
}

/// How a file that this program cannot read should look.
pub(super) fn hint() -> String {
    format!("evidence is a file that a node wrote, of the format {EVIDENCE_FORMAT}")
}
