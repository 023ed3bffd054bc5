//! Completeness: these n statements, and no others, up to the checkpoint.

use super::evidence::Evidence;
use super::{Failure, SubjectItem, SubjectReport, complete};
use crate::id::Sequence;
use crate::identifier::Identifier;
use crate::state::{StreamRecord, SubjectRecord, key};
use crate::statement::{Statement, Stream};

/// A subject whose streams were recomputed, with what the state says of it.
pub(super) struct Complete {
    pub(super) report: SubjectReport,
    /// Its owner's statements, in order.
    pub(super) open: Vec<Sequence>,
    /// Others', in order.
    pub(super) claims: Vec<Sequence>,
}

/// Recomputes both streams of a subject and compares them with the state.
pub(super) fn verify(evidence: &mut Evidence<'_>, item: &SubjectItem) -> Result<Complete, Failure> {
    let identifier = &item.identifier;
    let id = identifier.subject_id();
    let record: Option<SubjectRecord> =
        evidence.record(&key::subject(&id), &format!("the subject {identifier}"))?;
    let claims: Option<StreamRecord> =
        evidence.record(&key::claims(&id), &format!("the claims about {identifier}"))?;

    let own = record.as_ref().map_or(StreamRecord::EMPTY, |r| r.stream);
    let others = claims.unwrap_or(StreamRecord::EMPTY);
    let open = Stream::Open(identifier.clone());
    recompute(evidence, identifier, &open, &item.open, &own)?;
    let said = Stream::Claims(identifier.clone());
    recompute(evidence, identifier, &said, &item.claims, &others)?;

    let owner = record.as_ref().map(|record| record.owner);
    let report = SubjectReport {
        identifier: identifier.clone(),
        known: record.is_some(),
        owner,
        owner_name: owner.map(|owner| evidence.anchor.name(&owner)),
        open: own.count,
        claims: others.count,
        part_of: record.as_ref().and_then(|record| record.part_of),
        closed: record.as_ref().is_some_and(|record| record.closed),
        passport: record.and_then(|record| record.passport),
    };
    Ok(Complete {
        report,
        open: item.open.clone(),
        claims: item.claims.clone(),
    })
}

fn recompute(
    evidence: &mut Evidence<'_>,
    identifier: &Identifier,
    stream: &Stream,
    listed: &[Sequence],
    expected: &StreamRecord,
) -> Result<(), Failure> {
    let side = match stream {
        Stream::Claims(_) => "claims of others",
        _ => "own statements",
    };
    let fault = |reason: String| Failure::Stream {
        identifier: identifier.clone(),
        reason: format!("{side}: {reason}"),
    };
    let belongs = |said: &Statement| said.streams.contains(stream);
    complete::recompute(evidence, listed, expected, belongs, fault)
}
