//! What kinds of things are said, each with the public fields that rules read.
//!
//! A kind's number is its position here and part of the format: add at the end only.
//!
//! Source: `docs/format.md`, section 3.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::equivocation::Equivocation;
use crate::id::{Digest, KeyId, MemberId, StatementId, TimeMs};
use crate::identifier::Identifier;
use crate::share::Deed;
use crate::statement::Quantity;

/// What kind of thing is said.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A product passport, version 1.
    PassportIssued {
        /// Model, batch or item.
        granularity: Granularity,
        /// Digest of the schema's name that the document follows.
        schema: Digest,
    },
    /// The next version of a passport.
    PassportSuperseded {
        /// The new version: the current one plus 1.
        version: u32,
        /// Digest of the schema's name that the document follows.
        schema: Digest,
    },
    /// A passport that must no longer be relied on.
    PassportRevoked {
        /// Why.
        reason: RevocationReason,
    },
    /// The subject is one of, or one batch of, something coarser.
    GranularityLinked {
        /// The batch or model it belongs to.
        part_of: Identifier,
    },
    /// The subject contains a component.
    ComponentLinked {
        /// The component.
        child: Identifier,
        /// Whether this states what was built or what is planned.
        basis: Basis,
        /// How much of it, when stated.
        quantity: Option<Quantity>,
    },
    /// The component's own company agrees with a link another company asserted.
    ComponentConfirmed {
        /// The statement that asserted the link.
        link: StatementId,
    },
    /// Something happened to the subjects (an EPCIS event, say).
    Observed {
        /// Which sort of event.
        event: EventType,
    },
    /// A statement whose kind and content only the stream's parties can read.
    Sealed,
    /// From the next block on, a key of the author's no longer signs.
    KeyRevoked {
        /// The key.
        key: KeyId,
    },
    /// A validator contradicted itself, and here is the proof.
    EvidenceRecorded {
        /// What it signed.
        equivocation: Box<Equivocation>,
    },
    /// A passport that must not be relied on for now.
    PassportSuspended,
    /// A suspended passport that counts again.
    PassportReinstated,
    /// The product is no more; its passport is closed for good.
    PassportEnded {
        /// What became of it.
        fate: Fate,
    },
    /// The passport's version is registered with a public registry.
    PassportRegistered {
        /// Which version: the current one.
        version: u32,
        /// Digest of the registry's name.
        registry: Digest,
    },
    /// An assessor vouches for a version of another's passport.
    PassportEndorsed {
        /// Which version: the current one.
        version: u32,
        /// Digest of the name of the scheme that it was assessed by.
        scheme: Digest,
        /// When the endorsement ends, if ever.
        expires_at_ms: Option<TimeMs>,
    },
    /// An assessor no longer vouches.
    EndorsementWithdrawn {
        /// Its endorsement.
        endorsement: StatementId,
    },
    /// The subject is made of used things.
    Derived {
        /// What they were, 1 to 16.
        predecessors: Vec<Identifier>,
        /// How they came to new use.
        by: SecondLife,
    },
    /// The holder of a product offers to hand it over.
    HandoverOffered {
        /// What is handed over.
        of: Handed,
        /// To whom.
        to: MemberId,
    },
    /// The member it is offered to takes it.
    HandoverAccepted {
        /// The offer.
        offer: StatementId,
    },
    /// The offer is off: either side says so.
    HandoverEnded {
        /// The offer.
        offer: StatementId,
    },
    /// The component's own company denies a link another company asserted.
    ComponentContested {
        /// The statement that asserted the link.
        link: StatementId,
    },
    /// All components of the subject are linked.
    CompositionClosed {
        /// How many links there are.
        links: u32,
    },
    /// Whoever has the subjects, or might buy them, is warned.
    NoticeIssued {
        /// Of what.
        sort: NoticeSort,
    },
    /// A notice no longer applies.
    NoticeLifted {
        /// The notice.
        notice: StatementId,
    },
    /// A step of a data share that everyone may see.
    ShareStep {
        /// The other party; by whom is no party, one of the two.
        with: MemberId,
        /// The step, and what it states.
        deed: Box<Deed>,
    },
    /// A version of a compliance profile, so that verdicts can name what they were judged by.
    ProfilePublished {
        /// The version.
        version: String,
        /// The profile's digest.
        digest: Digest,
    },
}

/// How coarse the thing is that a passport describes.
///
/// Source: Regulation (EU) 2024/1781 (ESPR), Article 9(2)(d).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// One physical thing.
    Item,
    /// All things made in one run.
    Batch,
    /// A type of product.
    Model,
}

/// Why a passport was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// Issued in error.
    Erroneous,
    /// The product was withdrawn from the market.
    Withdrawn,
    /// Replaced by a passport of another subject.
    Replaced,
    /// None of these; the body says more.
    Unspecified,
}

/// Whether a composition was built or is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// This very part is in this very product.
    AsBuilt,
    /// Parts of this type are meant to be in products of this type.
    AsPlanned,
}

/// Sort of an observed event.
///
/// Source: EPCIS 2.0, section 7.4; `Other` for what EPCIS has no event for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// Something happened to one or more objects.
    Object,
    /// Objects were put into or taken out of a container.
    Aggregation,
    /// Inputs were consumed, outputs produced.
    Transformation,
    /// Objects were tied to a business transaction.
    Transaction,
    /// Objects were joined to another for long.
    Association,
    /// An event that EPCIS does not name.
    Other,
}

/// What became of a product.
///
/// Source: Regulation (EU) 2023/1542, Article 3(1), on the fates of batteries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its materials were recovered.
    Recycled,
    /// It was disposed of.
    Disposed,
    /// It left the market that the passport is for.
    Exported,
    /// It was lost or destroyed.
    Lost,
}

/// How used things came to new use.
///
/// Source: Regulation (EU) 2023/1542, Article 3(1)(30) to (33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondLife {
    /// For the same purpose, without change.
    Reused,
    /// Checked, cleaned or repaired for the same purpose.
    PreparedForReuse,
    /// For another purpose.
    Repurposed,
    /// Disassembled and made as new.
    Remanufactured,
}

/// What is handed over from member to member.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Handed {
    /// Who answers for the product and speaks in its stream.
    Responsibility,
    /// Who has it.
    Custody,
}

/// What a notice is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSort {
    /// Give it back.
    Recall,
    /// Do not sell it.
    MarketHold,
    /// Use it with care.
    Safety,
}

impl Kind {
    /// The names of all kinds, in the order of their numbers.
    pub const NAMES: [&'static str; 26] = [
        "passport_issued",
        "passport_superseded",
        "passport_revoked",
        "granularity_linked",
        "component_linked",
        "component_confirmed",
        "observed",
        "sealed",
        "key_revoked",
        "evidence_recorded",
        "passport_suspended",
        "passport_reinstated",
        "passport_ended",
        "passport_registered",
        "passport_endorsed",
        "endorsement_withdrawn",
        "derived",
        "handover_offered",
        "handover_accepted",
        "handover_ended",
        "component_contested",
        "composition_closed",
        "notice_issued",
        "notice_lifted",
        "share_step",
        "profile_published",
    ];

    /// The kind's name as JSON, errors and documents write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PassportIssued { .. } => "passport_issued",
            Self::PassportSuperseded { .. } => "passport_superseded",
            Self::PassportRevoked { .. } => "passport_revoked",
            Self::GranularityLinked { .. } => "granularity_linked",
            Self::ComponentLinked { .. } => "component_linked",
            Self::ComponentConfirmed { .. } => "component_confirmed",
            Self::Observed { .. } => "observed",
            Self::Sealed => "sealed",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::EvidenceRecorded { .. } => "evidence_recorded",
            Self::PassportSuspended => "passport_suspended",
            Self::PassportReinstated => "passport_reinstated",
            Self::PassportEnded { .. } => "passport_ended",
            Self::PassportRegistered { .. } => "passport_registered",
            Self::PassportEndorsed { .. } => "passport_endorsed",
            Self::EndorsementWithdrawn { .. } => "endorsement_withdrawn",
            Self::Derived { .. } => "derived",
            Self::HandoverOffered { .. } => "handover_offered",
            Self::HandoverAccepted { .. } => "handover_accepted",
            Self::HandoverEnded { .. } => "handover_ended",
            Self::ComponentContested { .. } => "component_contested",
            Self::CompositionClosed { .. } => "composition_closed",
            Self::NoticeIssued { .. } => "notice_issued",
            Self::NoticeLifted { .. } => "notice_lifted",
            Self::ShareStep { .. } => "share_step",
            Self::ProfilePublished { .. } => "profile_published",
        }
    }
}
