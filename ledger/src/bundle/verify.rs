//! Verifying a bundle against the genesis file: pure, whole, and saying what it leaves out.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, Proved};
use super::subject::{self, Complete};
use super::uses::Lists;
use super::{
    Anchor, Bundle, CheckpointReport, Claim, Cosigner, Failure, Finding, OpenedDocument, Report,
    StatementReport, composition, document, lineage,
};
use crate::checkpoint::FinalCheckpoint;
use crate::identifier::Identifier;
use crate::lineage::Lineage;
use crate::state::{SlotRecord, key};
use crate::statement::{Kind, Stream};

/// What no proof can show.
pub(super) const NOT_TRUTH: &str =
    "whether what the statements say is true: the ledger shows who said what, and when";
pub(super) const NOT_LATER: &str = "anything recorded after the checkpoint";
pub(super) const NOT_OUTSIDE: &str = "whether outside witnesses saw the same log: only the validators of the genesis file were asked for";

/// Verifies all of a bundle.
///
/// # Errors
///
/// [`Failure`], the first found; [`Failure::verdict`] says what it means.
pub fn verify(bundle: &Bundle, anchor: &Anchor) -> Result<Report, Failure> {
    let mut evidence = Evidence::gather(bundle, anchor)?;
    let mut subjects: BTreeMap<Identifier, Complete> = BTreeMap::new();
    for item in &bundle.subjects {
        if let Some((last, _)) = subjects.last_key_value()
            && *last >= item.identifier
        {
            return Err(Failure::Order(format!(
                "the subject {} stands twice or in the wrong place",
                item.identifier
            )));
        }
        let complete = subject::verify(&mut evidence, item)?;
        subjects.insert(item.identifier.clone(), complete);
    }
    let mut shown = Listed {
        subjects: &subjects,
        used: BTreeSet::new(),
        uses: Lists::verify(&mut evidence, bundle)?,
    };
    let mut findings = Vec::with_capacity(bundle.claims.len());
    for claim in &bundle.claims {
        findings.push(derive(&mut evidence, &mut shown, claim)?);
    }
    if findings.is_empty() {
        return Err(Failure::Order("it claims nothing".into()));
    }
    if let Some(unused) = subjects.keys().find(|at| !shown.used.contains(at)) {
        return Err(Failure::Order(format!(
            "no claim uses the subject {unused}"
        )));
    }
    shown.uses.check_all_used()?;
    let documents = bundle
        .documents
        .iter()
        .map(|item| document::open(&mut evidence, item))
        .collect::<Result<Vec<_>, _>>()?;
    evidence.check_all_used()?;
    Ok(report(&evidence, findings, documents))
}

/// The lists of a bundle, each found to be complete, and which of them claims have used.
struct Listed<'s> {
    subjects: &'s BTreeMap<Identifier, Complete>,
    used: BTreeSet<Identifier>,
    uses: Lists,
}

impl<'s> Listed<'s> {
    /// All statements about a subject, for a claim that needs them.
    fn about(&mut self, identifier: &Identifier) -> Result<&'s Complete, Failure> {
        self.used.insert(identifier.clone());
        self.subjects.get(identifier).ok_or_else(|| {
            Failure::Missing(format!(
                "the bundle does not list the statements about {identifier}"
            ))
        })
    }
}

fn derive(
    evidence: &mut Evidence<'_>,
    listed: &mut Listed<'_>,
    claim: &Claim,
) -> Result<Finding, Failure> {
    match claim {
        Claim::Recorded {
            statement,
            sequence,
        } => {
            let proved = evidence.entry(*sequence)?;
            if proved.id != *statement {
                return Err(Failure::Claim {
                    claim: format!("entry {sequence} is the statement {statement}"),
                    reason: format!("it is the statement {}", proved.id),
                });
            }
            Ok(Finding::Recorded {
                statement: *statement,
                sequence: *sequence,
            })
        }
        Claim::Complete { identifier } => {
            let report = listed.about(identifier)?.report.clone();
            if report.known {
                Ok(Finding::Complete(report))
            } else {
                Err(Failure::Claim {
                    claim: format!("all statements about {identifier} are shown"),
                    reason: "nothing is recorded about it".into(),
                })
            }
        }
        Claim::Absent { identifier } => {
            if listed.about(identifier)?.report.known {
                return Err(Failure::Claim {
                    claim: format!("nothing is recorded about {identifier}"),
                    reason: "the state knows it".into(),
                });
            }
            Ok(Finding::Absent {
                identifier: identifier.clone(),
            })
        }
        Claim::SlotEmpty { member, slot } => {
            let what = format!("the slot {slot}");
            let record: Option<SlotRecord> = evidence.record(&key::slot(member, slot), &what)?;
            if let Some(SlotRecord { sequence }) = record {
                return Err(Failure::Claim {
                    claim: format!("{what} is empty"),
                    reason: format!("entry {sequence} is in it"),
                });
            }
            Ok(Finding::SlotEmpty {
                member: *member,
                member_name: evidence.anchor.name(member),
                slot: *slot,
            })
        }
        Claim::SlotUsed {
            member,
            slot,
            sequence,
        } => {
            let what = format!("the slot {slot}");
            let fault = |reason: &str| Failure::Claim {
                claim: format!("entry {sequence} is in {what}"),
                reason: reason.into(),
            };
            let record: Option<SlotRecord> = evidence.record(&key::slot(member, slot), &what)?;
            if record.map(|record| record.sequence) != Some(*sequence) {
                return Err(fault("the state says otherwise"));
            }
            let proved = evidence.entry(*sequence)?;
            let sealed = Stream::Sealed(*slot);
            if proved.recorded.member != *member
                || !proved.recorded.statement.streams.contains(&sealed)
            {
                return Err(fault("the statement is of another member or slot"));
            }
            Ok(Finding::SlotUsed {
                member: *member,
                member_name: evidence.anchor.name(member),
                slot: *slot,
                sequence: *sequence,
            })
        }
        Claim::Block { height } => {
            let (time_ms, sequence) = evidence.block(*height)?;
            Ok(Finding::Block {
                height: *height,
                time_ms,
                sequence,
            })
        }
        Claim::Composition { root, depth } => {
            let composition = composition::verify(evidence, listed.subjects, root, *depth)?;
            for part in &composition.parts {
                listed.used.insert(part.subject.identifier.clone());
            }
            Ok(Finding::Composition(composition))
        }
        Claim::Lineage {
            root,
            direction,
            depth,
        } => {
            let (from, uses) = ((root, *direction), &mut listed.uses);
            let (found, agreements) =
                lineage::verify(evidence, listed.subjects, uses, from, *depth)?;
            listed.used.extend(agreements);
            Ok(Finding::Lineage(found))
        }
    }
}

pub(super) fn checkpoint(verified: &FinalCheckpoint, anchor: &Anchor) -> CheckpointReport {
    CheckpointReport {
        origin: verified.checkpoint.origin.to_string(),
        size: verified.checkpoint.size,
        root: verified.checkpoint.root,
        height: None,
        time_ms: None,
        cosigners: verified
            .cosignatures
            .iter()
            .map(|cosignature| Cosigner {
                name: cosignature.name.to_string(),
                time_s: cosignature.timestamp_s,
            })
            .collect(),
        quorum: anchor.quorum,
        one_node: None,
    }
}

pub(super) fn quorum_checked(verified: &FinalCheckpoint, anchor: &Anchor) -> String {
    format!(
        "{} of {} validators cosigned the log of {} entries ({} needed)",
        verified.cosignatures.len(),
        anchor.witnesses.len(),
        verified.checkpoint.size,
        anchor.quorum
    )
}

fn report(
    evidence: &Evidence<'_>,
    findings: Vec<Finding>,
    documents: Vec<OpenedDocument>,
) -> Report {
    let anchor = evidence.anchor;
    let statement = |proved: &Proved| StatementReport {
        sequence: proved.sequence,
        height: proved.height,
        time_ms: proved.time_ms,
        statement_id: proved.id,
        member: proved.recorded.member,
        member_name: anchor.name(&proved.recorded.member),
        key_id: proved.recorded.key_id,
        signature_checked: true,
        statement: proved.recorded.statement.clone(),
    };
    let statements: Vec<StatementReport> = evidence.statements().map(statement).collect();
    let mut checked = vec![
        quorum_checked(&evidence.checkpoint, anchor),
        format!(
            "the log's last entry seals block {} and names the state's root",
            evidence.seal.height
        ),
    ];
    if !statements.is_empty() {
        checked.push(format!(
            "in that log: {}, each signed by its author with a key that was in force",
            counted(statements.len(), "statement")
        ));
    }
    checked.extend(findings.iter().map(in_words));
    if !documents.is_empty() {
        checked.push(format!(
            "opened and found to be what was committed to: {}",
            counted(documents.len(), "document")
        ));
    }
    let mut not_checked = vec![NOT_TRUTH.to_owned()];
    not_checked.extend(document::unopened(
        evidence
            .statements()
            .map(|proved| (proved.sequence, &proved.recorded.statement)),
        &documents,
    ));
    if statements
        .iter()
        .any(|shown| matches!(shown.statement.kind, Kind::Sealed))
    {
        not_checked.push("what sealed statements say: only holders of the stream's key can".into());
    }
    for finding in &findings {
        match finding {
            Finding::Composition(composition) if !composition.not_followed.is_empty() => {
                not_checked.push(format!(
                    "the components of {} below the depth that was asked for",
                    counted(composition.not_followed.len(), "part")
                ));
            }
            Finding::Lineage(lineage) => not_checked.extend(beside(lineage)),
            _ => {}
        }
    }
    not_checked.extend([NOT_LATER.into(), NOT_OUTSIDE.into()]);
    let mut shown = checkpoint(&evidence.checkpoint, anchor);
    shown.height = Some(evidence.seal.height);
    shown.time_ms = Some(evidence.seal.time_ms);
    Report {
        chain_id: anchor.chain_id,
        checkpoint: shown,
        statements,
        findings,
        documents,
        checked,
        not_checked,
    }
}

/// What a lineage does not tell.
fn beside(lineage: &Lineage) -> Vec<String> {
    let mut lines = vec![
        "uses that nobody recorded, and those in sealed shares: only their parties know them"
            .to_owned(),
    ];
    if !lineage.not_followed.is_empty() {
        lines.push(format!(
            "the uses of {} beyond the depth that was asked for",
            counted(lineage.not_followed.len(), "thing")
        ));
    }
    lines
}

fn in_words(finding: &Finding) -> String {
    match finding {
        Finding::Recorded {
            statement,
            sequence,
        } => format!("the statement {statement} is entry {sequence}"),
        Finding::Complete(subject) => format!(
            "about {} there are exactly {} by the owner and {} by others",
            subject.identifier,
            counted(subject.open, "statement"),
            counted(subject.claims, "statement")
        ),
        Finding::Absent { identifier } => format!("no statement exists about {identifier}"),
        Finding::SlotEmpty {
            member_name, slot, ..
        } => format!("the slot {slot} of {member_name} is empty"),
        Finding::SlotUsed {
            member_name,
            slot,
            sequence,
            ..
        } => format!("entry {sequence} is in the slot {slot} of {member_name}"),
        Finding::Block {
            height, sequence, ..
        } => format!("entry {sequence} seals block {height}"),
        Finding::Composition(composition) => format!(
            "below {} there are exactly these: {} among {}, each with all its statements",
            composition.root,
            counted(composition.edges.len(), "link"),
            counted(composition.parts.len(), "thing")
        ),
        Finding::Lineage(lineage) => format!(
            "{}: {}, each input held against all that was said in its agreement",
            lineage.in_words(),
            counted(lineage.uses.len(), "use")
        ),
    }
}

/// `1 thing`, `2 things`.
pub(super) fn counted(number: impl std::fmt::Display, what: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {what}{plural}")
}
