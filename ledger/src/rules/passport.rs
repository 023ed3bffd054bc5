//! A passport's life, item → batch → model, and products made of used ones.

use super::{Author, Judgement, Rule, RuleError, refuse_unless, subject};
use crate::identifier::Identifier;
use crate::passport::{Capacity, Life, LifeStep};
use crate::state::{MemberRecord, Overlay, PassportRecord, Role, SubjectRecord};
use crate::statement::{Granularity, Statement, Stream};

pub(super) fn issue(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    granularity: Granularity,
) -> Judgement {
    let identifier = subject::named(statement)?;
    let mut subject = subject::own(state, author, member, identifier, true)?;
    refuse_unless(subject.passport.is_none(), Rule::PassportOnce)?;
    subject.passport = Some(PassportRecord {
        granularity,
        version: 1,
        life: Life::Active,
        suspended_by: None,
        issued: author.sequence,
    });
    subject::append(state, author, identifier, subject);
    Ok(())
}

pub(super) fn supersede(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    version: u32,
) -> Judgement {
    let mut living = living(state, author, member, statement, LifeStep::Supersede)?;
    let next = living.passport.version.checked_add(1);
    refuse_unless(next == Some(version), Rule::PassportVersion)?;
    living.passport.version = version;
    living.write(state, author)
}

/// Suspends, reinstates, revokes or ends.
pub(super) fn step(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    step: LifeStep,
) -> Judgement {
    let mut living = living(state, author, member, statement, step)?;
    let passport = &mut living.passport;
    let by = Some(*author.member);
    if step == LifeStep::Reinstate {
        refuse_unless(passport.suspended_by == by, Rule::PassportSuspender)?;
    }
    passport.suspended_by = if step == LifeStep::Suspend { by } else { None };
    living.write(state, author)
}

pub(super) fn register(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    version: u32,
) -> Judgement {
    let living = living(state, author, member, statement, LifeStep::Register)?;
    refuse_unless(living.passport.version == version, Rule::PassportVersion)?;
    living.write(state, author)
}

pub(super) fn link_granularity(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    part_of: &Identifier,
) -> Judgement {
    let mut living = living(state, author, member, statement, LifeStep::Relate)?;
    refuse_unless(living.subject.part_of.is_none(), Rule::GranularityOnce)?;
    let coarser = subject::known(state, part_of)?;
    refuse_unless(coarser.owner == *author.member, Rule::GranularityOperator)?;
    let Some(coarser) = coarser.passport else {
        return Err(RuleError::Refused(Rule::PassportIssued));
    };
    refuse_unless(
        living.passport.granularity < coarser.granularity,
        Rule::GranularityOrder,
    )?;
    living.subject.part_of = Some(part_of.subject_id());
    living.write(state, author)
}

/// No cycle can arise: each predecessor's passport is older than the product's own.
pub(super) fn derive(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    predecessors: &[Identifier],
) -> Judgement {
    let living = living(state, author, member, statement, LifeStep::Relate)?;
    for predecessor in predecessors {
        let passport = subject::find(state, predecessor)?.and_then(|subject| subject.passport);
        let older = passport.is_some_and(|passport| {
            passport.life != Life::Revoked && passport.issued < living.passport.issued
        });
        refuse_unless(older, Rule::DerivedPredecessor)?;
    }
    living.write(state, author)
}

/// A subject with a passport to which the statement's step is legal, after that step.
pub(super) struct Living<'s> {
    stream: &'s Stream,
    identifier: &'s Identifier,
    pub(super) subject: SubjectRecord,
    pub(super) passport: PassportRecord,
}

impl Living<'_> {
    /// Writes the passport back and appends the statement to the stream it is in.
    pub(super) fn write(mut self, state: &mut Overlay<'_>, author: Author<'_>) -> Judgement {
        self.subject.passport = Some(self.passport);
        subject::append_to(state, author, self.stream, self.identifier, self.subject)
    }
}

/// Finds the passport and takes the step in the author's capacity.
pub(super) fn living<'s>(
    state: &Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &'s Statement,
    step: LifeStep,
) -> Result<Living<'s>, RuleError> {
    let identifier = subject::named(statement)?;
    let (stream, subject) = subject::spoken_of(state, author, statement)?;
    let Some(mut passport) = subject.passport.clone() else {
        return Err(RuleError::Refused(Rule::PassportIssued));
    };
    let capacity = match (stream, step) {
        (Stream::Open(_), _) => Capacity::Operator,
        (_, LifeStep::Endorse) => {
            let assesses = matches!(member.role, Role::Auditor | Role::Regulator);
            refuse_unless(assesses, Rule::MemberRole)?;
            Capacity::Assessor
        }
        _ => {
            refuse_unless(member.role == Role::Regulator, Rule::MemberRole)?;
            Capacity::Authority
        }
    };
    let Some(life) = passport.life.after(capacity, step) else {
        return Err(RuleError::Refused(match passport.life {
            Life::Active => Rule::PassportActive,
            Life::Suspended => Rule::PassportSuspended,
            Life::Revoked => Rule::PassportRevoked,
            Life::Ended => Rule::PassportEnded,
        }));
    };
    passport.life = life;
    Ok(Living {
        stream,
        identifier,
        subject,
        passport,
    })
}
