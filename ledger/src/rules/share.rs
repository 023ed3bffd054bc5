//! Data shares in the open: the tables of `share`, enforced by every validator.
//!
//! Whoever opens a share owns its identifier and speaks in its open stream; the other party, and
//! everyone else, in its claims stream. The log's order is the order of their steps.

use super::{Author, Judgement, Rule, RuleError, refuse_unless, subject};
use crate::id::MemberId;
use crate::share::{Covered, Deed, Input, Party, Sender, Share, Usage, User};
use crate::state::{
    MemberRecord, Overlay, Role, ShareRecord, StreamRecord, SubjectRecord, UseRecord, UseSide, key,
};
use crate::statement::{Statement, Stream};

pub(super) fn step(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    with: &MemberId,
    deed: &Deed,
) -> Judgement {
    let identifier = subject::named(statement)?;
    let at = key::share(&identifier.subject_id());
    let (stream, subject, mut record) = match state.get::<ShareRecord>(&at)? {
        Some(record) => {
            let (stream, subject) = subject::spoken_of(state, author, statement)?;
            (stream, subject, record)
        }
        None => open(state, author, member, statement, with, deed)?,
    };
    let by = sender(author.member, member.role, &record);
    let names_the_other = match by {
        Sender::Provider => *with == record.consumer,
        Sender::Consumer => *with == record.provider,
        Sender::Arbiter | Sender::Other => *with == record.provider || *with == record.consumer,
    };
    refuse_unless(names_the_other, Rule::ShareWith)?;
    record.share = record
        .share
        .after(by, deed)
        .map_err(|error| RuleError::Refused(error.rule()))?;
    state.put(at, &record);
    if let Deed::Used(usage) = deed {
        let record = UseRecord {
            by: *author.member,
            covered: covered(state, author.member, member, usage)?,
        };
        state.put(key::usage(author.statement), &record);
        list(state, author, usage)?;
    }
    subject::append_to(state, author, stream, identifier, subject)
}

/// Lists a use under what it made and under what it took, so that who is shown such a list can
/// tell whether one is missing.
fn list(state: &mut Overlay<'_>, author: Author<'_>, usage: &Usage) -> Judgement {
    for side in [UseSide::Made, UseSide::Took] {
        for thing in side.of(usage) {
            let at = side.key(&thing.subject_id());
            let listed = state
                .get::<StreamRecord>(&at)?
                .unwrap_or(StreamRecord::EMPTY);
            state.put(at, &listed.with(author.statement, author.sequence));
        }
    }
    Ok(())
}

/// A share that begins: its subject must be the author's own, or become so.
fn open<'s>(
    state: &Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &'s Statement,
    with: &MemberId,
    deed: &Deed,
) -> Result<(&'s Stream, SubjectRecord, ShareRecord), RuleError> {
    let (provider, consumer) = match deed {
        Deed::Requested => (*with, *author.member),
        Deed::Offered { .. } => (*author.member, *with),
        _ => return Err(RuleError::Refused(Rule::ShareKnown)),
    };
    let Some(stream @ Stream::Open(_)) = statement.streams.first() else {
        return Err(RuleError::Refused(Rule::ShareKnown));
    };
    let identifier = subject::named(statement)?;
    let subject = subject::own(state, author, member, identifier, true)?;
    let other = state.get::<MemberRecord>(&key::member(with))?;
    let company = other.is_some_and(|to| matches!(to.role, Role::Operator | Role::Participant));
    refuse_unless(company && with != author.member, Rule::ShareWith)?;
    let record = ShareRecord {
        provider,
        consumer,
        share: Share::default(),
    };
    Ok((stream, subject, record))
}

fn sender(member: &MemberId, role: Role, record: &ShareRecord) -> Sender {
    let party = Party::among(member, &record.provider, &record.consumer);
    Sender::of(party, role.settles_disputes())
}

/// How a use stands to the agreement that each input names. Sealed ones are unknown here.
fn covered(
    state: &Overlay<'_>,
    by: &MemberId,
    member: &MemberRecord,
    usage: &Usage,
) -> Result<Vec<Covered>, RuleError> {
    let nothing = Share::default();
    let one = |input: &Input| {
        let Some(agreement) = &input.agreement else {
            let own = subject::is_under_own_prefix(member, &input.data);
            return Ok(Covered::of(
                usage,
                input,
                own.then_some((&nothing, User::Provider)),
            ));
        };
        let record = state.get::<ShareRecord>(&key::share(&agreement.subject_id()))?;
        let agreement = record.as_ref().map(|record| {
            let user = if *by == record.provider {
                User::Provider
            } else if *by == record.consumer {
                User::Consumer
            } else {
                User::Stranger
            };
            (&record.share, user)
        });
        Ok(Covered::of(usage, input, agreement))
    };
    usage.inputs.iter().map(one).collect()
}
