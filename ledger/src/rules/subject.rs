//! Who may speak about what: ownership of identifiers, open and claims streams.

use super::{Author, Judgement, Rule, RuleError, refuse_unless};
use crate::id::{MemberId, SubjectId};
use crate::identifier::Identifier;
use crate::state::{MemberRecord, Overlay, Role, StateError, StreamRecord, SubjectRecord, key};
use crate::statement::{Statement, Stream};

/// The subject that `author` owns, opening it if nobody has yet and the author may.
pub(super) fn own(
    state: &Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    identifier: &Identifier,
    opens_unregistrable: bool,
) -> Result<SubjectRecord, RuleError> {
    if let Some(subject) = find(state, identifier)? {
        refuse_unless(subject.owner == *author.member, Rule::SubjectOwner)?;
        return Ok(subject);
    }
    refuse_unless(opens_streams(member), Rule::MemberRole)?;
    if identifier.is_registrable() {
        refuse_unless(is_under_own_prefix(member, identifier), Rule::SubjectPrefix)?;
    } else {
        // An identifier without a prefix belongs to who issues it first; a remark about it
        // must not be a way to squat on it.
        refuse_unless(opens_unregistrable, Rule::SubjectKnown)?;
    }
    Ok(opened_by(*author.member))
}

/// A subject of which nothing was said yet.
pub(super) const fn opened_by(owner: MemberId) -> SubjectRecord {
    SubjectRecord {
        owner,
        stream: StreamRecord::EMPTY,
        passport: None,
        part_of: None,
        components: 0,
        links: 0,
        closed: false,
        custodian: None,
    }
}

/// Whether a member's role lets it speak of things of its own.
const fn opens_streams(member: &MemberRecord) -> bool {
    matches!(member.role, Role::Operator | Role::Participant)
}

/// Whether an identifier lies under a prefix that this member holds, and so nobody else.
pub(super) fn is_under_own_prefix(member: &MemberRecord, identifier: &Identifier) -> bool {
    let mut prefixes = member.prefixes.iter();
    prefixes.any(|prefix| identifier.required_prefix_matches(prefix))
}

/// Whether a thing of which nothing is recorded is this member's all the same: nobody else can ever
/// open its stream.
fn is_to_open(member: &MemberRecord, identifier: &Identifier) -> bool {
    opens_streams(member) && identifier.is_registrable() && is_under_own_prefix(member, identifier)
}

/// Whether the author answers for a thing, or will once something is recorded about it.
pub(super) fn is_author_s(
    state: &Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    identifier: &Identifier,
) -> Result<bool, StateError> {
    is_or_to_open(state, member, identifier, |subject| {
        subject.owner == *author.member
    })
}

/// Whether the author answers for a thing, or will once something is recorded about it, or has it.
pub(super) fn author_has(
    state: &Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    identifier: &Identifier,
) -> Result<bool, StateError> {
    is_or_to_open(state, member, identifier, |subject| {
        has(subject, author.member)
    })
}

fn is_or_to_open(
    state: &Overlay<'_>,
    member: &MemberRecord,
    identifier: &Identifier,
    is: impl FnOnce(&SubjectRecord) -> bool,
) -> Result<bool, StateError> {
    Ok(match find(state, identifier)? {
        Some(subject) => is(&subject),
        None => is_to_open(member, identifier),
    })
}

/// Whether a member answers for a thing or has it.
pub(super) fn has(subject: &SubjectRecord, member: &MemberId) -> bool {
    subject.owner == *member || subject.custodian == Some(*member)
}

/// Whether a member answers for a thing; nobody does for one that nothing is recorded about.
pub(super) fn is_owner(
    state: &Overlay<'_>,
    id: &SubjectId,
    member: &MemberId,
) -> Result<bool, StateError> {
    let subject = state.get::<SubjectRecord>(&key::subject(id))?;
    Ok(subject.is_some_and(|subject| subject.owner == *member))
}

/// The identifier of the statement's one stream; its shape was checked before.
pub(super) fn named(statement: &Statement) -> Result<&Identifier, RuleError> {
    statement
        .subject()
        .ok_or(RuleError::Refused(Rule::SubjectKnown))
}

/// The owner speaks in the open stream, everyone else in the claims stream.
pub(super) fn may_speak(author: Author<'_>, stream: &Stream, subject: &SubjectRecord) -> Judgement {
    let owns = subject.owner == *author.member;
    match stream {
        Stream::Open(_) => refuse_unless(owns, Rule::SubjectOwner),
        _ => refuse_unless(!owns, Rule::ClaimsByOthers),
    }
}

/// The stream that the statement is in and its known subject, of which the author may speak there.
pub(super) fn spoken_of<'s>(
    state: &Overlay<'_>,
    author: Author<'_>,
    statement: &'s Statement,
) -> Result<(&'s Stream, SubjectRecord), RuleError> {
    let subject = known(state, named(statement)?)?;
    let stream = statement.streams.first();
    let stream = stream.ok_or(RuleError::Refused(Rule::SubjectKnown))?;
    may_speak(author, stream, &subject)?;
    Ok((stream, subject))
}

/// Appends the statement to the stream it is in, and writes the subject back.
pub(super) fn append_to(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    stream: &Stream,
    identifier: &Identifier,
    subject: SubjectRecord,
) -> Judgement {
    if matches!(stream, Stream::Open(_)) {
        append(state, author, identifier, subject);
        return Ok(());
    }
    state.put(key::subject(&identifier.subject_id()), &subject);
    append_claim(state, author, identifier)
}

/// The subject of an identifier, if anything is recorded about it.
pub(super) fn find(
    state: &Overlay<'_>,
    identifier: &Identifier,
) -> Result<Option<SubjectRecord>, StateError> {
    state.get(&key::subject(&identifier.subject_id()))
}

/// The subject of an identifier about which something is recorded.
pub(super) fn known(
    state: &Overlay<'_>,
    identifier: &Identifier,
) -> Result<SubjectRecord, RuleError> {
    find(state, identifier)?.ok_or(RuleError::Refused(Rule::SubjectKnown))
}

/// Appends the statement to the open stream and writes the subject back.
pub(super) fn append(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    identifier: &Identifier,
    mut subject: SubjectRecord,
) {
    subject.stream = subject.stream.with(author.statement, author.sequence);
    state.put(key::subject(&identifier.subject_id()), &subject);
}

/// Appends the statement to what others say about a known subject of another member.
pub(super) fn append_claim(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    identifier: &Identifier,
) -> Judgement {
    let subject = known(state, identifier)?;
    refuse_unless(subject.owner != *author.member, Rule::ClaimsByOthers)?;
    let at = key::claims(&identifier.subject_id());
    let claims = state
        .get::<StreamRecord>(&at)?
        .unwrap_or(StreamRecord::EMPTY);
    state.put(at, &claims.with(author.statement, author.sequence));
    Ok(())
}

/// An event: in the open streams of the author's own subjects, in the claims of others'.
pub(super) fn observe(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
) -> Judgement {
    for stream in &statement.streams {
        match stream {
            Stream::Open(identifier) => {
                let subject = own(state, author, member, identifier, false)?;
                append(state, author, identifier, subject);
            }
            Stream::Claims(identifier) => append_claim(state, author, identifier)?,
            Stream::Sealed(_) => {}
        }
    }
    Ok(())
}
