//! A verdict for people: what holds, who vouches for it, what is shown, what was not checked.

use std::fmt::Write as _;
use std::path::Path;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::bundle::{
    Composition, Failure, Finding, OpenedDocument, Report, SubjectReport, Verdict,
};
use jangbu_ledger::commitment::WHOLE;
use jangbu_ledger::id::TimeMs;

use super::Answer;
use crate::check;
use crate::client::{PassportAnswer, Relation, TraceAnswer, TraceEdge, TraceNode};
use crate::lineage;
use crate::trace;
use crate::view::{rfc3339, sentence, short, table};

/// Statements that are listed; the rest is counted.
const STATEMENTS_MAX: usize = 40;
/// Lines of a document that are shown.
const DOCUMENT_LINES_MAX: usize = 24;

/// The first lines of every answer: the verdict, the file and why.
pub(crate) fn headline(verdict: Verdict, file: &Path, reason: Option<&str>) -> String {
    let verdict = match verdict {
        Verdict::Holds => "HOLDS",
        Verdict::DoesNotHold => "DOES NOT HOLD",
        Verdict::PolicyNotMet => "HOLDS, BUT NOT WHAT WAS ASKED FOR",
        Verdict::CannotTell => "CANNOT TELL",
        Verdict::Unreadable => "UNREADABLE",
    };
    let mut text = format!("{verdict}: {}\n", file.display());
    if let Some(reason) = reason {
        let _ = writeln!(text, "  {reason}");
    }
    text
}

/// The last lines of every answer: what was checked and what was not.
pub(crate) fn checks<'a>(
    checked: impl Iterator<Item = &'a str>,
    not_checked: impl Iterator<Item = &'a str>,
) -> String {
    let mut text = String::from("\nchecked\n");
    for line in checked {
        let _ = writeln!(text, "  ✓ {line}");
    }
    text.push_str("not checked\n");
    for line in not_checked {
        let _ = writeln!(text, "  – {line}");
    }
    text
}

pub(super) fn answer(answer: &Answer<'_>, anchor: &TrustAnchor) -> String {
    let mut text = headline(answer.verdict, answer.file, answer.reason.as_deref());
    match &answer.report {
        Some(report) => {
            text.push_str(&body(report, anchor));
            if let Some(judgement) = &answer.judgement {
                text.push('\n');
                text.push_str(&check::text(judgement));
            }
        }
        None => text.push_str("  Nothing in this file is to be relied on.\n"),
    }
    text
}

fn body(report: &Report, anchor: &TrustAnchor) -> String {
    let mut text = String::from("\n");
    let checkpoint = &report.checkpoint;
    let mut rows = vec![(
        "ledger",
        format!("{}  (chain {})", checkpoint.origin, short(&report.chain_id)),
    )];
    let entries = format!(
        "{} entries, root {}",
        checkpoint.size,
        short(&checkpoint.root)
    );
    rows.push((
        "as of",
        match (checkpoint.height, checkpoint.time_ms) {
            (Some(height), Some(time)) => format!("block {height}, {}, {entries}", rfc3339(time)),
            _ => entries,
        },
    ));
    let names = checkpoint
        .cosigners
        .iter()
        .map(|cosigner| cosigner.name.len());
    let width = names.max().unwrap_or(0);
    for cosigner in &checkpoint.cosigners {
        let when = seconds(cosigner.time_s);
        rows.push(("cosigned", format!("{:<width$}  {when}", cosigner.name)));
    }
    if let Some(node) = &checkpoint.one_node {
        let when = seconds(node.time_s);
        let word = format!("{}  {when}  one node's word, no quorum's", node.name);
        rows.push(("signed", word));
    }
    text.push_str(&table(&rows));

    for finding in &report.findings {
        let _ = writeln!(text, "\n{}", in_words(finding));
        match finding {
            Finding::Composition(composition) => text.push_str(&tree(composition)),
            Finding::Lineage(found) => text.push_str(&lineage::text(found)),
            _ => {}
        }
    }
    if !report.statements.is_empty() {
        text.push_str("\nstatements\n");
        for shown in report.statements.iter().take(STATEMENTS_MAX) {
            let signed = if shown.signature_checked {
                "signed"
            } else {
                "      "
            };
            let _ = writeln!(
                text,
                "{:>7}  {}  {signed}  {:<12}  {}",
                shown.sequence,
                rfc3339(shown.time_ms),
                shown.member_name,
                sentence(&shown.statement, anchor)
            );
        }
        let more = report.statements.len().saturating_sub(STATEMENTS_MAX);
        if more > 0 {
            let _ = writeln!(text, "      …  {more} more; --json shows all");
        }
    }
    for document in &report.documents {
        let _ = writeln!(
            text,
            "\ndocument of entry {}: {}, version {}, {}",
            document.sequence, document.subject, document.version, document.schema
        );
        text.push_str(&contents(document));
    }
    text.push_str(&checks(
        report.checked.iter().map(AsRef::as_ref),
        report.not_checked.iter().map(AsRef::as_ref),
    ));
    text
}

/// What is shown of a document: whole sections, then single fields, then what is hidden.
pub(crate) fn contents(document: &OpenedDocument) -> String {
    let mut lines = Vec::new();
    for (name, value) in &document.sections {
        if name != WHOLE {
            lines.push(format!("section {name}"));
        }
        let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
        lines.extend(pretty.lines().map(str::to_owned));
    }
    for field in &document.fields {
        let section = match field.section.as_str() {
            WHOLE => String::new(),
            name => format!("section {name}  "),
        };
        lines.push(format!("{section}{} = {}", field.pointer, field.value));
    }
    let more = lines.len().saturating_sub(DOCUMENT_LINES_MAX);
    lines.truncate(DOCUMENT_LINES_MAX);
    if more > 0 {
        lines.push(format!("… {more} more lines; --json shows all"));
    }
    if !document.hidden.is_empty() {
        let names = document.hidden.join(", ");
        lines.push(format!("(not shown whole: {names})"));
    }
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "  {line}");
        text
    })
}

/// Why a file is not believed, with times as people read them.
pub(crate) fn reason(failure: &Failure) -> String {
    match failure {
        Failure::TooOld {
            cosigned_s,
            not_before_s,
        } => format!(
            "the checkpoint was cosigned at {}, at the earliest {} is asked for",
            seconds(*cosigned_s),
            seconds(*not_before_s)
        ),
        other => other.to_string(),
    }
}

fn seconds(time_s: u64) -> String {
    rfc3339(TimeMs(time_s.saturating_mul(1000)))
}

/// What is proved, a line for each claim.
pub(crate) fn claims_in_words(report: &Report) -> Vec<String> {
    report.findings.iter().map(in_words).collect()
}

fn in_words(finding: &Finding) -> String {
    match finding {
        Finding::Recorded {
            statement,
            sequence,
        } => format!("entry {sequence} is the statement {statement}"),
        Finding::Complete(subject) => format!(
            "these are all statements about {}: {} by {}, {} by others{}",
            subject.identifier,
            subject.open,
            subject.owner_name.as_deref().unwrap_or("its owner"),
            subject.claims,
            passport(subject)
        ),
        Finding::Absent { identifier } => format!("nothing is recorded about {identifier}"),
        Finding::SlotEmpty {
            member_name, slot, ..
        } => format!("the slot {slot} of {member_name} is empty"),
        Finding::SlotUsed {
            member_name,
            slot,
            sequence,
            ..
        } => format!("the slot {slot} of {member_name} holds entry {sequence}"),
        Finding::Block {
            height, time_ms, ..
        } => format!("block {height} was sealed at {}", rfc3339(*time_ms)),
        Finding::Composition(composition) => format!(
            "{} is made of exactly this: {} links among {} things, each with all its statements",
            composition.root,
            composition.edges.len(),
            composition.parts.len()
        ),
        Finding::Lineage(lineage) => match lineage.uses.len() {
            0 => format!("{}: none", lineage.in_words()),
            1 => format!("{}: 1 use", lineage.in_words()),
            more => format!("{}: {more} uses", lineage.in_words()),
        },
    }
}

fn passport(subject: &SubjectReport) -> String {
    match &subject.passport {
        None => String::new(),
        Some(passport) => match passport.life.warning() {
            None => format!("; its passport is at version {}", passport.version),
            Some(warning) => {
                format!("; its passport, version {}, is {warning}", passport.version)
            }
        },
    }
}

/// The tree as `jangbu trace` draws it.
fn tree(composition: &Composition) -> String {
    trace::tree(TraceAnswer {
        root: composition.root.clone(),
        nodes: composition
            .parts
            .iter()
            .map(|part| TraceNode {
                identifier: part.subject.identifier.clone(),
                known: part.subject.known,
                owner_name: part.subject.owner_name.clone(),
                passport: part
                    .subject
                    .passport
                    .as_ref()
                    .map(|passport| PassportAnswer {
                        granularity: passport.granularity,
                        version: passport.version,
                        life: passport.life,
                    }),
                closed: part.subject.closed,
                depth: part.depth,
            })
            .collect(),
        edges: composition
            .edges
            .iter()
            .map(|edge| TraceEdge {
                parent: edge.parent.clone(),
                child: edge.child.clone(),
                relation: Relation::Contains,
                statement_id: edge.statement_id,
                sequence: edge.sequence,
                basis: edge.basis,
                quantity: edge.quantity.clone(),
                status: edge.standing().into(),
                asserted_by: edge.asserted_by_name.clone(),
                confirmed_by: edge.confirmed_by_name.clone(),
                contested_by: edge.contested_by_name.clone(),
            })
            .collect(),
        truncated: !composition.not_followed.is_empty(),
        next: None,
    })
}
