//! The rules by name: their ids, and what each means to people.

use bincode::{Decode, Encode};
use serde::Serialize;

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
    /// A link is confirmed or contested once.
    LinkOnce,
    /// Only the component's own company confirms or contests.
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
    /// A suspended passport allows few things.
    PassportSuspended,
    /// A passport is closed when its product is no more.
    PassportEnded,
    /// There is no suspension to end.
    PassportActive,
    /// Who suspended a passport reinstates it.
    PassportSuspender,
    /// Used things have passports that were issued before.
    DerivedPredecessor,
    /// The endorsement to withdraw is not on the ledger, or another's.
    EndorsementKnown,
    /// An endorsement is withdrawn once.
    EndorsementOnce,
    /// An endorsement ends after it began.
    EndorsementExpired,
    /// Who has something hands it over.
    HandoverHolder,
    /// What is handed over goes to another company.
    HandoverReceiver,
    /// One offer at a time.
    HandoverPending,
    /// There is no such open offer, or it is not the author's to answer.
    HandoverKnown,
    /// The links that are there are counted.
    CompositionCount,
    /// The notice to lift is not on the ledger, or another's.
    NoticeKnown,
    /// A notice is lifted once.
    NoticeOnce,
    /// There is no data share to take a step of.
    ShareKnown,
    /// A share is between the two companies it names.
    ShareWith,
    /// Each step is some party's.
    ShareParty,
    /// On an ended contract only closing steps are taken.
    ShareClosed,
    /// Steps follow the share's tables.
    ShareOrder,
    /// What is received is what was sent.
    ShareRoot,
    /// A key is released for what was sent under one.
    ShareKey,
    /// A rejection fits where the delivery stands.
    ShareRejection,
    /// A sealed statement opens with its stream's key. Judged by who holds it.
    SealedOpens,
    /// A slot counts once those before it are filled. Judged by who holds the key.
    SlotOrder,
    /// A version of a profile is published once.
    ProfileOnce,
    /// There is no such transformation, or nothing such went into it.
    TransformationKnown,
    /// No more goes into other things than there is.
    BalanceExceeded,
    /// What is stated in one unit is counted in it.
    BalanceUnit,
    /// Who has a container, or a thing in it, takes it out.
    ContainerHolder,
    /// A thing is in one container.
    ContainerOnce,
    /// What is taken out was put in.
    ContainerKnown,
    /// No container is inside itself.
    ContainerCycle,
    /// A member's statements cost everyone so much in one block.
    SearchLater,
}

impl Rule {
    /// Every rule, in the order of their numbers.
    pub const ALL: [Self; 59] = [
        Self::MemberKnown,
        Self::KeyPurpose,
        Self::MemberRole,
        Self::SubjectPrefix,
        Self::SubjectOwner,
        Self::ClaimsByOthers,
        Self::SubjectKnown,
        Self::ReferenceKnown,
        Self::PassportOnce,
        Self::PassportIssued,
        Self::PassportVersion,
        Self::PassportRevoked,
        Self::GranularityOrder,
        Self::GranularityOnce,
        Self::GranularityOperator,
        Self::LinkKnown,
        Self::LinkOnce,
        Self::LinkConfirmer,
        Self::LinkCycle,
        Self::LinkTooLarge,
        Self::SlotOnce,
        Self::KeyOwner,
        Self::KeyOnce,
        Self::EvidenceHolds,
        Self::EvidenceOnce,
        Self::PassportSuspended,
        Self::PassportEnded,
        Self::PassportActive,
        Self::PassportSuspender,
        Self::DerivedPredecessor,
        Self::EndorsementKnown,
        Self::EndorsementOnce,
        Self::EndorsementExpired,
        Self::HandoverHolder,
        Self::HandoverReceiver,
        Self::HandoverPending,
        Self::HandoverKnown,
        Self::CompositionCount,
        Self::NoticeKnown,
        Self::NoticeOnce,
        Self::ShareKnown,
        Self::ShareWith,
        Self::ShareParty,
        Self::ShareClosed,
        Self::ShareOrder,
        Self::ShareRoot,
        Self::ShareKey,
        Self::ShareRejection,
        Self::SealedOpens,
        Self::SlotOrder,
        Self::ProfileOnce,
        Self::TransformationKnown,
        Self::BalanceExceeded,
        Self::BalanceUnit,
        Self::ContainerHolder,
        Self::ContainerOnce,
        Self::ContainerKnown,
        Self::ContainerCycle,
        Self::SearchLater,
    ];

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
            Self::PassportSuspended => "passport.suspended",
            Self::PassportEnded => "passport.ended",
            Self::PassportActive => "passport.active",
            Self::PassportSuspender => "passport.suspender",
            Self::DerivedPredecessor => "derived.predecessor",
            Self::EndorsementKnown => "endorsement.known",
            Self::EndorsementOnce => "endorsement.once",
            Self::EndorsementExpired => "endorsement.expired",
            Self::HandoverHolder => "handover.holder",
            Self::HandoverReceiver => "handover.receiver",
            Self::HandoverPending => "handover.pending",
            Self::HandoverKnown => "handover.known",
            Self::CompositionCount => "composition.count",
            Self::NoticeKnown => "notice.known",
            Self::NoticeOnce => "notice.once",
            Self::ShareKnown => "share.known",
            Self::ShareWith => "share.with",
            Self::ShareParty => "share.party",
            Self::ShareClosed => "share.closed",
            Self::ShareOrder => "share.order",
            Self::ShareRoot => "share.root",
            Self::ShareKey => "share.key",
            Self::ShareRejection => "share.rejection",
            Self::SealedOpens => "sealed.opens",
            Self::SlotOrder => "slot.order",
            Self::ProfileOnce => "profile.once",
            Self::TransformationKnown => "transformation.known",
            Self::BalanceExceeded => "balance.exceeded",
            Self::BalanceUnit => "balance.unit",
            Self::ContainerHolder => "container.holder",
            Self::ContainerOnce => "container.once",
            Self::ContainerKnown => "container.known",
            Self::ContainerCycle => "container.cycle",
            Self::SearchLater => "search.later",
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
            Self::PassportVersion => {
                "the version is not the one that it must be: a new one is the current one plus 1, \
                 and what is said of one is said of the current"
            }
            Self::PassportRevoked => "the passport is revoked, which is final",
            Self::GranularityOrder => "an item goes into a batch or model, a batch into a model",
            Self::GranularityOnce => "the subject already belongs to a batch or model",
            Self::GranularityOperator => "the batch or model has another operator",
            Self::LinkKnown => {
                "no such component link is on the ledger, or it is of another product"
            }
            Self::LinkOnce => "the link is already confirmed, or already contested",
            Self::LinkConfirmer => {
                "only the company that issued the component may confirm or contest the link"
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
            Self::PassportSuspended => {
                "the passport is suspended; whoever suspended it can reinstate it"
            }
            Self::PassportEnded => "the product is no more; its passport is closed for good",
            Self::PassportActive => "the passport is not suspended",
            Self::PassportSuspender => "only the member that suspended the passport reinstates it",
            Self::DerivedPredecessor => {
                "a predecessor has no passport, a revoked one, or one that is younger than the \
                 product's own"
            }
            Self::EndorsementKnown => {
                "no such endorsement of this product by the author is on the ledger"
            }
            Self::EndorsementOnce => "the endorsement is already withdrawn",
            Self::EndorsementExpired => "the endorsement would end before it begins",
            Self::HandoverHolder => {
                "only the responsible company hands over responsibility; only it or whoever has \
                 the product hands over custody"
            }
            Self::HandoverReceiver => {
                "it is handed over to another company that is a member, which does not have it yet"
            }
            Self::HandoverPending => "an offer is open already; end it first",
            Self::HandoverKnown => "no such open offer of this product is the author's to answer",
            Self::CompositionCount => "the number of links is another",
            Self::NoticeKnown => {
                "no such notice by the author about these subjects is on the ledger"
            }
            Self::NoticeOnce => "the notice is already lifted",
            Self::ShareKnown => {
                "there is no such data share; it begins with a request by the consumer or an offer by the provider, in the open stream of an identifier of their own"
            }
            Self::ShareWith => {
                "the other party that the step names is not this share's, or is no company of this consortium"
            }
            Self::ShareParty => "this step of the data share is not the author's to take",
            Self::ShareClosed => {
                "the contract of the data share has ended; only its closing steps can be taken"
            }
            Self::ShareOrder => "the data share's state machine has no such step now",
            Self::ShareRoot => {
                "a transfer starts or is received without, or with another, ciphertext root"
            }
            Self::ShareKey => "no key was promised for what was sent, or it was not released yet",
            Self::ShareRejection => {
                "the reason of the rejection does not fit where the delivery stands"
            }
            Self::SealedOpens => {
                "the statement in the slot does not open with the stream's key, or speaks as the other party"
            }
            Self::SlotOrder => {
                "the slot was filled before the slot before it, so it does not count"
            }
            Self::ProfileOnce => "this version of the profile is already published",
            Self::TransformationKnown => {
                "no such transformation is on the ledger, or this did not go into it, or other things came out of it"
            }
            Self::BalanceExceeded => {
                "more of it would have gone into other things than was made, as its company stated"
            }
            Self::BalanceUnit => {
                "its company stated in another unit how much was made; state the quantity in that one"
            }
            Self::ContainerHolder => {
                "only whoever answers for the container or the thing, or has it, takes the thing out"
            }
            Self::ContainerOnce => {
                "the thing is in a container already; it has to be taken out first"
            }
            Self::ContainerKnown => "the thing is not in this container",
            Self::ContainerCycle => {
                "the container would be inside itself, or the thing inside more than 64 containers"
            }
            Self::SearchLater => {
                "the author's statements in this block link too many large compositions to check \
                 them all; send this one again"
            }
        }
    }
}
