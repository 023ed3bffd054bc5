//! What must hold before a statement becomes an entry: pure functions of state and statement.
//!
//! A rule refuses by its id ([`Rule`]), which is the same in the block's refusals, in the API's
//! problem type and in `docs/rules.md`. The rules of one group stand in one file below.

mod components;
mod evidence;
mod passport;
mod subject;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::{ChainId, Height, MemberId, Sequence, StatementId};
use crate::state::{KeyPurpose, KeyRecord, MemberRecord, Overlay, SlotRecord, StateError, key};
use crate::statement::{Kind, Statement, Stream};

/// A rule's id. The number is part of the format: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
pub enum Rule {
    /// Only an active member speaks.
    MemberKnown,
    /// A key signs only what its purpose allows.
    KeyPurpose,
    /// The member's role does not say such things.
    MemberRole,
    /// An identifier under a prefix is opened only by the prefix's holder.
    SubjectPrefix,
    /// Only a subject's owner speaks in its open stream.
    SubjectOwner,
    /// What others say stands in the claims stream, which the owner does not use.
    ClaimsByOthers,
    /// The subject is not on the ledger.
    SubjectKnown,
    /// A referenced statement is not on the ledger.
    ReferenceKnown,
    /// A subject has one passport.
    PassportOnce,
    /// There is no passport to act on.
    PassportIssued,
    /// Versions follow one another without a gap.
    PassportVersion,
    /// A revoked passport stays revoked.
    PassportRevoked,
    /// Item goes into batch or model, batch into model.
    GranularityOrder,
    /// A subject belongs to one coarser product.
    GranularityOnce,
    /// Only links of one's own products may be made.
    GranularityOperator,
    /// The link to confirm is not on the ledger.
    LinkKnown,
    /// A link is confirmed once.
    LinkOnce,
    /// Only the component's own company confirms.
    LinkConfirmer,
    /// A confirmed composition has no cycle.
    LinkCycle,
    /// The composition is too large to check for cycles.
    LinkTooLarge,
    /// A slot is used once.
    SlotOnce,
    /// A member revokes its own keys.
    KeyOwner,
    /// A key is revoked once.
    KeyOnce,
    /// Evidence is of a validator of this ledger, and its signatures hold.
    EvidenceHolds,
    /// What a validator said twice is recorded once.
    EvidenceOnce,
}

impl Rule {
    /// The id in documents, errors and problem types.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::MemberKnown => "member.known",
            Self::KeyPurpose => "key.purpose",
            Self::MemberRole => "member.role",
            Self::SubjectPrefix => "subject.prefix",
            Self::SubjectOwner => "subject.owner",
            Self::ClaimsByOthers => "claims.by-others",
            Self::SubjectKnown => "subject.known",
            Self::ReferenceKnown => "reference.known",
            Self::PassportOnce => "passport.once",
            Self::PassportIssued => "passport.issued",
            Self::PassportVersion => "passport.version",
            Self::PassportRevoked => "passport.revoked",
            Self::GranularityOrder => "granularity.order",
            Self::GranularityOnce => "granularity.once",
            Self::GranularityOperator => "granularity.operator",
            Self::LinkKnown => "link.known",
            Self::LinkOnce => "link.once",
            Self::LinkConfirmer => "link.confirmer",
            Self::LinkCycle => "link.cycle",
            Self::LinkTooLarge => "link.too-large",
            Self::SlotOnce => "slot.once",
            Self::KeyOwner => "key.owner",
            Self::KeyOnce => "key.once",
            Self::EvidenceHolds => "evidence.holds",
            Self::EvidenceOnce => "evidence.once",
        }
    }

    /// What was wrong and what to do, for people.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::MemberKnown => "the author is not a member of this consortium",
            Self::KeyPurpose => {
                "this key may not sign such a statement: attestor keys sign statements, \
                 admin keys sign changes of keys"
            }
            Self::MemberRole => "the author's role may not make such a statement",
            Self::SubjectPrefix => {
                "the identifier lies under a prefix that the author does not hold; \
                 use an identifier of your own, or ask for the prefix at admission"
            }
            Self::SubjectOwner => {
                "the subject belongs to another member; only its owner may say this"
            }
            Self::ClaimsByOthers => {
                "claims are what others say about a subject; its owner uses the open stream"
            }
            Self::SubjectKnown => {
                "nothing is recorded about the subject yet; issue its passport first"
            }
            Self::ReferenceKnown => "a referenced statement is not on the ledger",
            Self::PassportOnce => "the subject already has a passport; supersede it instead",
            Self::PassportIssued => "the subject has no passport yet; issue it first",
            Self::PassportVersion => "the version must be the current one plus 1",
            Self::PassportRevoked => "the passport is revoked, which is final",
            Self::GranularityOrder => "an item goes into a batch or model, a batch into a model",
            Self::GranularityOnce => "the subject already belongs to a batch or model",
            Self::GranularityOperator => "the batch or model has another operator",
            Self::LinkKnown => {
                "no such component link is on the ledger, or it is of another product"
            }
            Self::LinkOnce => "the link is already confirmed",
            Self::LinkConfirmer => {
                "only the company that issued the component may confirm the link"
            }
            Self::LinkCycle => "the confirmed link would make a product a part of itself",
            Self::LinkTooLarge => {
                "the component's composition is too large to be checked for cycles"
            }
            Self::SlotOnce => "the slot is already used",
            Self::KeyOwner => "the key is unknown or belongs to another member",
            Self::KeyOnce => "the key is already revoked",
            Self::EvidenceHolds => {
                "the two messages do not show that a validator of this ledger contradicted itself"
            }
            Self::EvidenceOnce => "this is recorded already",
        }
    }
}

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
            passport::supersede(state, author, statement, *version)
        }
        Kind::PassportRevoked { .. } => passport::revoke(state, author, statement),
        Kind::GranularityLinked { part_of } => {
            passport::link_granularity(state, author, statement, part_of)
        }
        Kind::ComponentLinked { child, .. } => {
            components::link(state, author, &member, statement, child)
        }
        Kind::ComponentConfirmed { link } => components::confirm(state, author, statement, link),
        Kind::Observed { .. } => subject::observe(state, author, &member, statement),
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
