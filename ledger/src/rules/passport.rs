//! A passport's life, and item → batch → model.

use super::{Author, Judgement, Rule, RuleError, refuse_unless, subject};
use crate::identifier::Identifier;
use crate::state::{MemberRecord, Overlay, PassportRecord, SubjectRecord};
use crate::statement::{Granularity, Statement};

pub(super) fn issue(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    granularity: Granularity,
) -> Judgement {
    let identifier = named(statement)?;
    let mut subject = subject::own(state, author, member, identifier, true)?;
    refuse_unless(subject.passport.is_none(), Rule::PassportOnce)?;
    subject.passport = Some(PassportRecord {
        granularity,
        version: 1,
        revoked: false,
    });
    subject::append(state, author, identifier, subject);
    Ok(())
}

pub(super) fn supersede(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    version: u32,
) -> Judgement {
    let (identifier, mut subject, mut passport) = live_passport(state, author, statement)?;
    refuse_unless(
        passport.version.checked_add(1) == Some(version),
        Rule::PassportVersion,
    )?;
    passport.version = version;
    subject.passport = Some(passport);
    subject::append(state, author, identifier, subject);
    Ok(())
}

pub(super) fn revoke(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
) -> Judgement {
    let (identifier, mut subject, mut passport) = live_passport(state, author, statement)?;
    passport.revoked = true;
    subject.passport = Some(passport);
    subject::append(state, author, identifier, subject);
    Ok(())
}

pub(super) fn link_granularity(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    part_of: &Identifier,
) -> Judgement {
    let (identifier, mut subject, passport) = live_passport(state, author, statement)?;
    refuse_unless(subject.part_of.is_none(), Rule::GranularityOnce)?;
    let Some(coarser) = subject::find(state, part_of)? else {
        return Err(RuleError::Refused(Rule::SubjectKnown));
    };
    refuse_unless(coarser.owner == *author.member, Rule::GranularityOperator)?;
    let Some(coarser) = coarser.passport else {
        return Err(RuleError::Refused(Rule::PassportIssued));
    };
    refuse_unless(
        passport.granularity < coarser.granularity,
        Rule::GranularityOrder,
    )?;
    subject.part_of = Some(part_of.subject_id());
    subject::append(state, author, identifier, subject);
    Ok(())
}

/// The author's own subject whose passport is issued and not revoked.
fn live_passport<'s>(
    state: &Overlay<'_>,
    author: Author<'_>,
    statement: &'s Statement,
) -> Result<(&'s Identifier, SubjectRecord, PassportRecord), RuleError> {
    let identifier = named(statement)?;
    let Some(subject) = subject::find(state, identifier)? else {
        return Err(RuleError::Refused(Rule::SubjectKnown));
    };
    refuse_unless(subject.owner == *author.member, Rule::SubjectOwner)?;
    let Some(passport) = subject.passport.clone() else {
        return Err(RuleError::Refused(Rule::PassportIssued));
    };
    refuse_unless(!passport.revoked, Rule::PassportRevoked)?;
    Ok((identifier, subject, passport))
}

/// The identifier of the statement's one open stream; its shape was checked before.
fn named(statement: &Statement) -> Result<&Identifier, RuleError> {
    statement
        .subject()
        .ok_or(RuleError::Refused(Rule::SubjectKnown))
}
