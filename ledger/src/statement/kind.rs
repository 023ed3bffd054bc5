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
use crate::statement::{
    Basis, EventType, Fate, Granularity, Handed, NoticeSort, Portion, Quantity, RevocationReason,
    SecondLife,
};

/// What kind of thing is said.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Things went into others, which are no longer told apart in them.
    Transformed {
        /// What went in, at most 16; none if this states what was made in the first place.
        inputs: Vec<Portion>,
        /// What came out, 1 to 16, in the order of the streams.
        outputs: Vec<Portion>,
    },
    /// The company of what went in agrees with what another company stated.
    InputConfirmed {
        /// The statement that it went into something.
        transformation: StatementId,
        /// What went in.
        input: Identifier,
    },
    /// The company of what went in denies what another company stated.
    InputContested {
        /// The statement that it went into something.
        transformation: StatementId,
        /// What went in.
        input: Identifier,
    },
    /// Things were put into a container, and stay what they are.
    Aggregated {
        /// What was put in, 1 to 64.
        children: Vec<Identifier>,
    },
    /// Things were taken out of a container.
    Disaggregated {
        /// What was taken out, 1 to 64.
        children: Vec<Identifier>,
    },
}

impl Kind {
    /// The names of all kinds, in the order of their numbers.
    pub const NAMES: [&'static str; 31] = [
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
        "transformed",
        "input_confirmed",
        "input_contested",
        "aggregated",
        "disaggregated",
    ];

    /// What it says that its subjects are made of, confirmed or not.
    pub fn made_of(&self) -> impl Iterator<Item = &Identifier> {
        let (child, inputs): (_, &[Portion]) = match self {
            Self::ComponentLinked { child, .. } => (Some(child), &[]),
            Self::Transformed { inputs, .. } => (None, inputs),
            _ => (None, &[]),
        };
        child
            .into_iter()
            .chain(inputs.iter().map(|input| &input.of))
    }

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
            Self::Transformed { .. } => "transformed",
            Self::InputConfirmed { .. } => "input_confirmed",
            Self::InputContested { .. } => "input_contested",
            Self::Aggregated { .. } => "aggregated",
            Self::Disaggregated { .. } => "disaggregated",
        }
    }
}
