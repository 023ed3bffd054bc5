//! Verifying a receipt against the genesis file: one entry, under a quorum's word or one node's.

use super::evidence::statement_entry;
use super::verify::{NOT_LATER, NOT_OUTSIDE, NOT_TRUTH, checkpoint, quorum_checked};
use super::{
    Anchor, CheckpointReport, Cosigner, Failure, Finding, Report, StatementReport, document,
};
use crate::block::{Entry, EntryBody};
use crate::id::StatementId;
use crate::receipt::Receipt;
use crate::receipt::cose::CoseReceipt;

const IN_THE_LOG: &str =
    "the entry is in that log, at the position it names (RFC 6962 inclusion proof)";
const AUTHOR_BY_QUORUM: &str = "the author's own signature: a receipt does not carry it, the \
    validators checked it (a bundle does: `jangbu prove statement`)";
const AUTHOR_BY_NODE: &str = "the author's own signature: a receipt does not carry it (a bundle \
    does: `jangbu prove statement`)";
const NO_QUORUM: &str = "whether a quorum of validators has this entry: nobody but that one node \
    signed (a *.tlog-proof receipt of the same statement shows it)";
const NO_OTHER_LOG: &str = "whether that node shows others the same log: alone it can sign two";

/// Verifies a receipt: one entry in a final log. Its author's signature is not in it.
///
/// # Errors
///
/// [`Failure`], the first found; [`Failure::verdict`] says what it means.
pub fn verify_receipt(receipt: &Receipt, anchor: &Anchor) -> Result<Report, Failure> {
    let verified = receipt
        .verify(&anchor.origin, &anchor.witnesses, anchor.quorum)
        .map_err(Failure::Receipt)?;
    let mut report = empty(anchor, checkpoint(&verified.checkpoint, anchor));
    report.checked = vec![
        quorum_checked(&verified.checkpoint, anchor),
        IN_THE_LOG.into(),
    ];
    let entry = entry_at(&verified.entry, verified.index)?;
    match entry.body {
        EntryBody::Statement(_) => {
            let (_, unchecked) = add_statement(&mut report, &verified.entry, anchor)?;
            let author = AUTHOR_BY_QUORUM.to_owned();
            report.not_checked.extend([author, unchecked]);
        }
        EntryBody::Seal(header) => {
            if header.chain_id != anchor.chain_id {
                return Err(Failure::Seal("it is of another ledger".into()));
            }
        }
    }
    report
        .not_checked
        .extend([NOT_LATER.into(), NOT_OUTSIDE.into()]);
    Ok(report)
}

/// Verifies a COSE receipt: one statement in the log of one node that the genesis file names. No
/// quorum stands behind it, and the report says so.
///
/// # Errors
///
/// [`Failure`], the first found; [`Failure::verdict`] says what it means. A log key that the
/// genesis file does not name is *cannot tell*.
pub fn verify_cose(receipt: &CoseReceipt, anchor: &Anchor) -> Result<Report, Failure> {
    let verified = receipt
        .verify(&anchor.origin, anchor.log_keys.iter().map(|log| log.key))
        .map_err(Failure::Cose)?;
    let signer = anchor.log_keys.iter().find(|log| log.key == verified.key);
    let node = signer.map_or_else(String::new, |log| log.validator.to_string());
    let shown = CheckpointReport {
        origin: verified.checkpoint.origin.to_string(),
        size: verified.checkpoint.size,
        root: verified.checkpoint.root,
        height: None,
        time_ms: None,
        cosigners: Vec::new(),
        quorum: anchor.quorum,
        one_node: Some(Cosigner {
            name: node.clone(),
            time_s: receipt.time_s,
        }),
    };
    let mut report = empty(anchor, shown);
    report.not_checked = vec![NO_QUORUM.into(), NO_OTHER_LOG.into(), NOT_TRUTH.into()];
    report.checked = vec![
        format!(
            "the node of {node} signed, with its log key in the genesis file, for the log of {} \
             entries (COSE_Sign1, RFC 9942)",
            verified.checkpoint.size
        ),
        IN_THE_LOG.into(),
    ];
    let entry = entry_at(&receipt.entry, receipt.index)?;
    let (id, unchecked) = add_statement(&mut report, &receipt.entry, anchor)?;
    if id != receipt.statement {
        return Err(Failure::Entry {
            sequence: entry.sequence,
            reason: format!(
                "it is the statement {id}, the receipt is about {}",
                receipt.statement
            ),
        });
    }
    report
        .not_checked
        .extend([AUTHOR_BY_NODE.into(), unchecked, NOT_LATER.into()]);
    Ok(report)
}

fn empty(anchor: &Anchor, checkpoint: CheckpointReport) -> Report {
    Report {
        chain_id: anchor.chain_id,
        checkpoint,
        statements: Vec::new(),
        findings: Vec::new(),
        documents: Vec::new(),
        checked: Vec::new(),
        not_checked: vec![NOT_TRUTH.into()],
    }
}

/// The entry of these bytes, which must name its place in the log.
fn entry_at(bytes: &[u8], index: u64) -> Result<Entry, Failure> {
    let entry = Entry::decode(bytes).map_err(|error| Failure::NoEntry {
        index: 0,
        reason: error.to_string(),
    })?;
    if entry.sequence.0 == index {
        Ok(entry)
    } else {
        Err(Failure::Entry {
            sequence: entry.sequence,
            reason: format!("it stands at position {index}"),
        })
    }
}

/// Shows the statement of an entry; its id, and what of it nobody opened.
fn add_statement(
    report: &mut Report,
    bytes: &[u8],
    anchor: &Anchor,
) -> Result<(StatementId, String), Failure> {
    let (entry, recorded) = statement_entry(0, bytes)?;
    let id = recorded.statement.id(&anchor.chain_id, &recorded.member);
    let unchecked = document::unchecked(&recorded);
    report.findings.push(Finding::Recorded {
        statement: id,
        sequence: entry.sequence,
    });
    report.statements.push(StatementReport {
        sequence: entry.sequence,
        height: entry.height,
        time_ms: entry.time_ms,
        statement_id: id,
        member_name: anchor.name(&recorded.member),
        member: recorded.member,
        key_id: recorded.key_id,
        signature_checked: false,
        statement: recorded.statement,
    });
    Ok((id, unchecked))
}
