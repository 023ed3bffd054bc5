//! Documents behind commitments: shown in a bundle, or brought along by the verifier.

use std::collections::BTreeSet;

use super::evidence::Evidence;
use super::verify::counted;
use super::{DocumentItem, Failure, OpenedDocument, OpenedField, Report, Shown};
use crate::block::RecordedStatement;
use crate::commitment::{Disclosure, Opening, schema_digest};
use crate::id::Sequence;
use crate::identifier::Identifier;
use crate::statement::{Kind, Statement, Stream};

/// Checks a document that the verifier brings along against the statement it was said in.
///
/// # Errors
///
/// [`Failure::Document`] if it is another document, [`Failure::Missing`] if no statement of the
/// report commits to it.
pub fn check_opening(report: &mut Report, opening: &Opening) -> Result<(), Failure> {
    let commitment = opening.commitment().map_err(|error| {
        Failure::Missing(format!("the document cannot be made canonical: {error}"))
    })?;
    let found = report
        .statements
        .iter()
        .find(|shown| shown.statement.commitment == commitment);
    let Some(shown) = found else {
        // One that names the same subject is what the document pretends to be.
        let meant = report
            .statements
            .iter()
            .find(|shown| names(&shown.statement, &opening.subject));
        return Err(match meant {
            Some(shown) => Failure::Document {
                sequence: shown.sequence,
                reason: format!(
                    "no statement about {} that is shown commits to it",
                    opening.subject
                ),
            },
            None => Failure::Missing(format!("no statement about {} is shown", opening.subject)),
        });
    };
    let sequence = shown.sequence;
    fits(
        &shown.statement,
        &opening.subject,
        opening.version,
        &opening.schema,
    )
    .map_err(|reason| Failure::Document { sequence, reason })?;
    report.documents.push(whole(sequence, opening));
    let (statements, documents) = (&report.statements, &report.documents);
    let list = unopened(
        statements
            .iter()
            .map(|shown| (shown.sequence, &shown.statement)),
        documents,
    );
    report
        .not_checked
        .retain(|line| !line.starts_with(DOCUMENTS));
    report.not_checked.extend(list);
    Ok(())
}

/// Checks a shown document against its statement's commitment.
pub(super) fn open(
    evidence: &mut Evidence<'_>,
    item: &DocumentItem,
) -> Result<OpenedDocument, Failure> {
    let sequence = item.sequence;
    let fault = |reason: String| Failure::Document { sequence, reason };
    let statement = &evidence.entry(sequence)?.recorded.statement;
    let opened = match &item.shown {
        Shown::Whole(opening) => {
            let commitment = opening
                .commitment()
                .map_err(|error| fault(error.to_string()))?;
            if commitment != statement.commitment {
                return Err(fault(
                    "it leads to another commitment than the statement's".into(),
                ));
            }
            whole(sequence, opening)
        }
        Shown::Fields(disclosure) => {
            disclosure
                .verify(&statement.commitment)
                .map_err(|error| fault(error.to_string()))?;
            parts(sequence, disclosure)
        }
    };
    fits(statement, &opened.subject, opened.version, &opened.schema).map_err(fault)?;
    Ok(opened)
}

fn whole(sequence: Sequence, opening: &Opening) -> OpenedDocument {
    OpenedDocument {
        sequence,
        subject: opening.subject.clone(),
        version: opening.version,
        schema: opening.schema.clone(),
        sections: opening.sections.clone(),
        fields: Vec::new(),
        hidden: Vec::new(),
    }
}

fn parts(sequence: Sequence, disclosure: &Disclosure) -> OpenedDocument {
    let Disclosure {
        subject,
        version,
        schema,
        roots,
        sections,
        fields,
        salt: _,
    } = disclosure;
    let shown = |name: &str| sections.iter().any(|shown| shown.section == name);
    OpenedDocument {
        sequence,
        subject: subject.clone(),
        version: *version,
        schema: schema.clone(),
        sections: sections
            .iter()
            .map(|shown| (shown.section.clone(), shown.value.clone()))
            .collect(),
        fields: fields
            .iter()
            .map(|field| OpenedField {
                section: field.section.clone(),
                pointer: field.pointer.clone(),
                value: field.value.clone(),
            })
            .collect(),
        hidden: roots
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !shown(name))
            .collect(),
    }
}

/// Whether a document is about what its statement is about, where the statement says so.
fn fits(
    statement: &Statement,
    subject: &Identifier,
    version: u32,
    schema: &str,
) -> Result<(), String> {
    if !names(statement, subject) {
        return Err(format!("it is about {subject}, the statement is not"));
    }
    let stated = match &statement.kind {
        Kind::PassportIssued { schema, .. } => Some((1, schema)),
        Kind::PassportSuperseded { version, schema } => Some((*version, schema)),
        _ => None,
    };
    match stated {
        Some(stated) if stated != (version, &schema_digest(schema)) => {
            Err("its version or schema is not the passport's".into())
        }
        _ => Ok(()),
    }
}

fn names(statement: &Statement, subject: &Identifier) -> bool {
    statement.streams.iter().any(|stream| match stream {
        Stream::Open(identifier) | Stream::Claims(identifier) => identifier == subject,
        Stream::Sealed(_) => false,
    })
}

/// How the line about unopened documents begins.
const DOCUMENTS: &str = "the documents of ";

pub(super) fn unopened<'s>(
    statements: impl Iterator<Item = (Sequence, &'s Statement)>,
    documents: &[OpenedDocument],
) -> Option<String> {
    let open: BTreeSet<_> = documents.iter().map(|document| document.sequence).collect();
    let closed = statements
        .filter(|(sequence, statement)| {
            !matches!(statement.kind, Kind::Sealed) && !open.contains(sequence)
        })
        .count();
    (closed > 0).then(|| {
        format!(
            "{DOCUMENTS}{}: commitments are shown",
            counted(closed, "statement")
        )
    })
}

pub(super) fn unchecked(recorded: &RecordedStatement) -> String {
    match recorded.statement.kind {
        Kind::Sealed => {
            "what the sealed statement says: only holders of the stream's key can".into()
        }
        _ => format!("{DOCUMENTS}1 statement: its commitment is shown"),
    }
}
