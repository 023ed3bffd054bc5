//! Assessors vouch for a version of another's passport, and take it back.

use super::passport::living;
use super::{Author, Judgement, Rule, RuleError, refuse_unless, subject};
use crate::id::{StatementId, TimeMs};
use crate::passport::LifeStep;
use crate::state::{EndorsementRecord, MemberRecord, Overlay, key};
use crate::statement::Statement;

pub(super) fn endorse(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    (version, expires_at_ms): (u32, Option<TimeMs>),
) -> Judgement {
    let living = living(state, author, member, statement, LifeStep::Endorse)?;
    refuse_unless(living.passport.version == version, Rule::PassportVersion)?;
    refuse_unless(
        expires_at_ms.is_none_or(|expires| expires > author.time_ms),
        Rule::EndorsementExpired,
    )?;
    let record = EndorsementRecord {
        subject: subject::named(statement)?.subject_id(),
        by: *author.member,
        version,
        expires_at_ms,
        withdrawn: false,
    };
    state.put(key::endorsement(author.statement), &record);
    living.write(state, author)
}

/// Whatever became of the passport meanwhile.
pub(super) fn withdraw(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    endorsement: &StatementId,
) -> Judgement {
    let identifier = subject::named(statement)?;
    let at = key::endorsement(endorsement);
    let record = state
        .get::<EndorsementRecord>(&at)?
        .filter(|record| record.by == *author.member)
        .filter(|record| record.subject == identifier.subject_id());
    let Some(mut record) = record else {
        return Err(RuleError::Refused(Rule::EndorsementKnown));
    };
    refuse_unless(!record.withdrawn, Rule::EndorsementOnce)?;
    record.withdrawn = true;
    state.put(at, &record);
    subject::append_claim(state, author, identifier)
}
