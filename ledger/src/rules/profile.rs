//! Compliance profiles: a version is published once, and under a name by one member only.

use super::{Author, Judgement, Rule, refuse_unless, subject};
use crate::id::Digest;
use crate::state::{MemberRecord, Overlay, ProfileRecord, Role, key};
use crate::statement::Statement;

/// Who supervises publishes, or who runs the ledger. The name belongs to whoever came first.
pub(super) fn publish(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    version: &str,
    digest: Digest,
) -> Judgement {
    refuse_unless(
        matches!(member.role, Role::Regulator | Role::Operator),
        Rule::MemberRole,
    )?;
    let identifier = subject::named(statement)?;
    let subject =
        subject::find(state, identifier)?.unwrap_or_else(|| subject::opened_by(*author.member));
    refuse_unless(subject.owner == *author.member, Rule::SubjectOwner)?;
    let at = key::profile(&identifier.subject_id(), &version.to_owned());
    refuse_unless(
        state.get::<ProfileRecord>(&at)?.is_none(),
        Rule::ProfileOnce,
    )?;
    let record = ProfileRecord {
        digest,
        sequence: author.sequence,
    };
    state.put(at, &record);
    subject::append(state, author, identifier, subject);
    Ok(())
}
