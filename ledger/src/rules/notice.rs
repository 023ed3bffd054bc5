//! Notices: a regulator or the responsible company warns whoever has a product.

use super::{Author, Judgement, Rule, RuleError, refuse_unless, subject};
use crate::id::{StatementId, SubjectId};
use crate::identifier::Identifier;
use crate::state::{MemberRecord, NoticeRecord, Overlay, Role, key};
use crate::statement::{Statement, Stream};

pub(super) fn issue(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
) -> Judgement {
    for stream in &statement.streams {
        if matches!(stream, Stream::Claims(_)) {
            refuse_unless(member.role == Role::Regulator, Rule::MemberRole)?;
        }
        append(state, author, stream)?;
    }
    let record = NoticeRecord {
        by: *author.member,
        subjects: subjects(statement),
        lifted: false,
    };
    state.put(key::notice(author.statement), &record);
    Ok(())
}

pub(super) fn lift(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    notice: &StatementId,
) -> Judgement {
    let at = key::notice(notice);
    let record = state
        .get::<NoticeRecord>(&at)?
        .filter(|record| record.by == *author.member && record.subjects == subjects(statement));
    let Some(mut record) = record else {
        return Err(RuleError::Refused(Rule::NoticeKnown));
    };
    refuse_unless(!record.lifted, Rule::NoticeOnce)?;
    record.lifted = true;
    state.put(at, &record);
    for stream in &statement.streams {
        append(state, author, stream)?;
    }
    Ok(())
}

fn append(state: &mut Overlay<'_>, author: Author<'_>, stream: &Stream) -> Judgement {
    let Some(identifier) = identifier(stream) else {
        return Ok(());
    };
    let product = subject::known(state, identifier)?;
    subject::may_speak(author, stream, &product)?;
    subject::append_to(state, author, stream, identifier, product)
}

const fn identifier(stream: &Stream) -> Option<&Identifier> {
    match stream {
        Stream::Open(identifier) | Stream::Claims(identifier) => Some(identifier),
        Stream::Sealed(_) => None,
    }
}

fn subjects(statement: &Statement) -> Vec<SubjectId> {
    let named = statement.streams.iter().filter_map(identifier);
    named.map(Identifier::subject_id).collect()
}
