//! What must hold before a statement becomes an entry: pure functions of state and statement.
//!
//! A rule refuses by its id ([`Rule`]), which is the same in the block's refusals, in the API's
//! problem type and in `docs/rules.md`. The rules of one group stand in one file below.

mod balance;
mod components;
mod container;
mod endorsement;
mod evidence;
mod handover;
mod inside;
mod notice;
mod passport;
mod profile;
mod rule;
mod share;
mod subject;
mod transformation;

use crate::id::{ChainId, Height, MemberId, Sequence, StatementId, TimeMs};
use crate::passport::LifeStep;
use crate::state::{KeyPurpose, KeyRecord, MemberRecord, Overlay, SlotRecord, StateError, key};
use crate::statement::{Basis, Kind, Statement, Stream};

pub use rule::Rule;

/// Why a statement did not become an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It broke a rule: an agreed outcome.
    #[error("{}: {}", .0.id(), .0.explanation())]
    Refused(Rule),
    /// The state could not be read: not an outcome, the caller must stop.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The author and the position of the statement that is judged.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// On which ledger.
    pub chain_id: &'a ChainId,
    /// Who speaks.
    pub member: &'a MemberId,
    /// With a key of which purpose.
    pub purpose: KeyPurpose,
    /// The statement's id.
    pub statement: &'a StatementId,
    /// The block.
    pub height: Height,
    /// The block's time.
    pub time_ms: TimeMs,
    /// The entry it would become.
    pub sequence: Sequence,
}

type Judgement = Result<(), RuleError>;

fn refuse_unless(holds: bool, rule: Rule) -> Judgement {
    if holds {
        Ok(())
    } else {
        Err(RuleError::Refused(rule))
    }
}

/// Judges a well-formed statement and writes what it changes to `state`.
///
/// # Errors
///
/// [`RuleError::Refused`] with the first rule it breaks; the caller then drops the writes.
pub fn judge(
    state: &mut Overlay<'_>,
    reader: &dyn Fn(&StatementId) -> Result<bool, StateError>,
    author: Author<'_>,
    statement: &Statement,
) -> Judgement {
    let Some(member) = state.get::<MemberRecord>(&key::member(author.member))? else {
        return Err(RuleError::Refused(Rule::MemberKnown));
    };
    let administrative = matches!(statement.kind, Kind::KeyRevoked { .. });
    refuse_unless(
        administrative == (author.purpose == KeyPurpose::Admin),
        Rule::KeyPurpose,
    )?;
    for reference in &statement.references {
        refuse_unless(reader(reference)?, Rule::ReferenceKnown)?;
    }
    match &statement.kind {
        Kind::PassportIssued { granularity, .. } => {
            passport::issue(state, author, &member, statement, *granularity)
        }
        Kind::PassportSuperseded { version, .. } => {
            passport::supersede(state, author, &member, statement, *version)
        }
        Kind::PassportRevoked { .. } => {
            passport::step(state, author, &member, statement, LifeStep::Revoke)
        }
        Kind::PassportSuspended => {
            passport::step(state, author, &member, statement, LifeStep::Suspend)
        }
        Kind::PassportReinstated => {
            passport::step(state, author, &member, statement, LifeStep::Reinstate)
        }
        Kind::PassportEnded { .. } => {
            passport::step(state, author, &member, statement, LifeStep::End)
        }
        Kind::PassportRegistered { version, .. } => {
            passport::register(state, author, &member, statement, *version)
        }
        Kind::PassportEndorsed {
            version,
            expires_at_ms,
            ..
        } => endorsement::endorse(
            state,
            author,
            &member,
            statement,
            (*version, *expires_at_ms),
        ),
        Kind::EndorsementWithdrawn { endorsement } => {
            endorsement::withdraw(state, author, statement, endorsement)
        }
        Kind::Derived { predecessors, .. } => {
            passport::derive(state, author, &member, statement, predecessors)
        }
        Kind::HandoverOffered { of, to } => {
            handover::offer(state, author, &member, statement, *of, to)
        }
        Kind::HandoverAccepted { offer } => handover::accept(state, author, statement, offer),
        Kind::HandoverEnded { offer } => handover::end(state, author, statement, offer),
        Kind::ComponentContested { link } => components::contest(state, author, statement, link),
        Kind::CompositionClosed { links } => components::close(state, author, statement, *links),
        Kind::NoticeIssued { .. } => notice::issue(state, author, &member, statement),
        Kind::NoticeLifted { notice } => notice::lift(state, author, statement, notice),
        Kind::ShareStep { with, deed } => {
            share::step(state, author, &member, statement, with, deed)
        }
        Kind::ProfilePublished { version, digest } => {
            profile::publish(state, author, &member, statement, version, *digest)
        }
        Kind::GranularityLinked { part_of } => {
            passport::link_granularity(state, author, &member, statement, part_of)
        }
        Kind::ComponentLinked {
            child,
            basis,
            quantity,
        } => {
            let built_in = quantity.as_ref().filter(|_| *basis == Basis::AsBuilt);
            components::link(state, author, &member, statement, (child, built_in))
        }
        Kind::ComponentConfirmed { link } => components::confirm(state, author, statement, link),
        Kind::Observed { .. } => subject::observe(state, author, &member, statement),
        Kind::Transformed { inputs, outputs } => {
            transformation::transform(state, author, &member, inputs, outputs)
        }
        Kind::InputConfirmed {
            transformation,
            input,
        } => transformation::confirm(state, author, statement, (transformation, input)),
        Kind::InputContested {
            transformation,
            input,
        } => transformation::contest(state, author, statement, (transformation, input)),
        Kind::Aggregated { children } => {
            container::put_in(state, author, &member, statement, children)
        }
        Kind::Disaggregated { children } => {
            container::take_out(state, author, &member, statement, children)
        }
        Kind::Sealed => use_slot(state, author, statement),
        Kind::KeyRevoked { key } => revoke_key(state, author, key),
        Kind::EvidenceRecorded { equivocation } => evidence::record(state, author, equivocation),
    }
}

fn use_slot(state: &mut Overlay<'_>, author: Author<'_>, statement: &Statement) -> Judgement {
    for stream in &statement.streams {
        if let Stream::Sealed(slot) = stream {
            let key = key::slot(author.member, slot);
            refuse_unless(state.get::<SlotRecord>(&key)?.is_none(), Rule::SlotOnce)?;
            state.put(
                key,
                &SlotRecord {
                    sequence: author.sequence,
                },
            );
        }
    }
    Ok(())
}

fn revoke_key(state: &mut Overlay<'_>, author: Author<'_>, id: &crate::id::KeyId) -> Judgement {
    let at = key::signing_key(id);
    let record = state
        .get::<KeyRecord>(&at)?
        .filter(|record| record.member == *author.member);
    let Some(mut record) = record else {
        return Err(RuleError::Refused(Rule::KeyOwner));
    };
    refuse_unless(record.revoked_at.is_none(), Rule::KeyOnce)?;
    record.revoked_at = Some(author.height);
    state.put(at, &record);
    Ok(())
}
