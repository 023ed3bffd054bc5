//! What rules read, and where it hangs in the state tree.
//!
//! Everything a rule reads is a record under a key of the state tree, or the fact that a
//! statement id is in the log. A record's key is a domain-separated hash of what it is about,
//! its value the canonical bytes of a type below.
//!
//! Source: `docs/format.md`, section 7.

mod material;
mod uses;

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::codec;
use crate::equivocation::Offence;
use crate::hash::Domain;
use crate::id::{Digest, Height, KeyId, MemberId, Sequence, Slot, StatementId, SubjectId, TimeMs};
use crate::identifier::Prefix;
use crate::passport::Life;
use crate::share::Share;
use crate::signature::PublicKey;
use crate::state_tree::StateKey;
use crate::statement::{Granularity, Handed};

pub use material::{
    BalanceRecord, Component, InputRecord, LinkRecord, PackedRecord, TransformationRecord,
    UnitBalance,
};
pub use uses::{UseRecord, UseSide};

/// Largest record in bytes.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Most records that one member's statements may make everyone look at in searches (for cycles, for
/// containers) in one block: a third of a second of reading.
pub const SEARCHED_MAX: u32 = 65_536;

/// Why state could not be read. Never the fault of a statement: the caller must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the ledger's state: {0}")]
pub struct StateError(pub String);

/// Read access to the state after the last committed block.
pub trait StateReader {
    /// The record at `key`, if any.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the storage fails.
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError>;

    /// Where the statement is in the log, if it was recorded.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the storage fails.
    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError>;
}

/// What a member may do.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs a validator.
    Operator,
    /// A company without a node.
    Participant,
    /// Endorses.
    Auditor,
    /// Supervises.
    Regulator,
    /// Reads.
    Observer,
}

impl Role {
    /// Whether it settles what two companies dispute.
    #[must_use]
    pub const fn settles_disputes(self) -> bool {
        matches!(self, Self::Auditor | Self::Regulator)
    }
}

/// A member, as rules see it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct MemberRecord {
    /// The name it was admitted under.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Identifier prefixes that only it issues under.
    pub prefixes: Vec<Prefix>,
}

/// What a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// The member's everyday statements.
    Attestor,
    /// Changes of the member's own keys, nothing else.
    Admin,
}

/// A signing key, kept for ever so that old signatures stay checkable.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct KeyRecord {
    /// Whose.
    pub member: MemberId,
    /// What for.
    pub purpose: KeyPurpose,
    /// The key.
    pub key: PublicKey,
    /// First height at which it signs.
    pub active_from: Height,
    /// The block that revoked it; from the next on it signs no more.
    pub revoked_at: Option<Height>,
}

/// An open stream: how many statements there are, and what rules know of its subject.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SubjectRecord {
    /// Who speaks in the open stream.
    pub owner: MemberId,
    /// Statements in the open stream.
    pub stream: StreamRecord,
    /// Its passport, once issued.
    pub passport: Option<PassportRecord>,
    /// What it is an item or a batch of.
    pub part_of: Option<SubjectId>,
    /// Number of its confirmed components and of the transformations that it came out of, each
    /// under its own key.
    pub components: u32,
    /// Number of its component links, and of what went into it, confirmed or not.
    pub links: u32,
    /// Whether its owner said that all of them are there; a new link takes that back.
    pub closed: bool,
    /// Who has it, if not its owner.
    pub custodian: Option<MemberId>,
}

/// Which of a subject's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamSide {
    /// What the owner says.
    Open,
    /// What others say.
    Claims,
}

/// How many statements a stream has, and a hash chain over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct StreamRecord {
    /// Number of statements.
    pub count: u64,
    /// Chain over them; all zeros when there are none.
    pub head: Digest,
}

/// A passport's life so far.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct PassportRecord {
    /// Item, batch or model.
    pub granularity: Granularity,
    /// Current version, from 1.
    pub version: u32,
    /// Whether it may be relied on.
    pub life: Life,
    /// Who suspended it, while it is suspended.
    pub suspended_by: Option<MemberId>,
    /// The entry that issued it.
    pub issued: Sequence,
}

/// An endorsement of a version of a passport.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct EndorsementRecord {
    /// The product.
    pub subject: SubjectId,
    /// Who vouches.
    pub by: MemberId,
    /// For which version.
    pub version: u32,
    /// Until when, if not for good.
    pub expires_at_ms: Option<TimeMs>,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
}

/// An offer to hand a product over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct HandoverRecord {
    /// The product.
    pub subject: SubjectId,
    /// What of it.
    pub of: Handed,
    /// Who offers.
    pub from: MemberId,
    /// To whom.
    pub to: MemberId,
    /// Whether it awaits an answer.
    pub open: bool,
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct NoticeRecord {
    /// Who issued it.
    pub by: MemberId,
    /// Of which subjects, in the statement's order.
    pub subjects: Vec<SubjectId>,
    /// Whether it was lifted.
    pub lifted: bool,
}

/// An open data share.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ShareRecord {
    /// Who has the data.
    pub provider: MemberId,
    /// Who gets it.
    pub consumer: MemberId,
    /// Where it stands.
    pub share: Share,
}

/// A used slot of some sealed stream.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SlotRecord {
    /// Where in the log.
    pub sequence: Sequence,
}

/// A published version of a compliance profile.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ProfileRecord {
    /// The profile's digest.
    pub digest: Digest,
    /// The entry that published it.
    pub sequence: Sequence,
}

/// A validator, kept for ever so that what it once signed stays checkable.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ValidatorRecord {
    /// Who runs it.
    pub member: MemberId,
    /// Signs votes and proposals.
    pub consensus: PublicKey,
    /// Cosigns checkpoints.
    pub witness: PublicKey,
    /// The first height it decides.
    pub active_from: Height,
}

/// What a validator is recorded to have said twice.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OffenceRecord {
    /// The entry with the evidence.
    pub sequence: Sequence,
}

/// A record type and its name in error messages.
pub trait Record: Encode + Decode<()> {}
impl Record for MemberRecord {}
impl Record for KeyRecord {}
impl Record for SubjectRecord {}
impl Record for StreamRecord {}
impl Record for LinkRecord {}
impl Record for Component {}
impl Record for TransformationRecord {}
impl Record for BalanceRecord {}
impl Record for PackedRecord {}
impl Record for SlotRecord {}
impl Record for SubjectId {}
impl Record for StatementId {}
impl Record for EndorsementRecord {}
impl Record for HandoverRecord {}
impl Record for NoticeRecord {}
impl Record for ShareRecord {}
impl Record for UseRecord {}
impl Record for ProfileRecord {}
impl Record for ValidatorRecord {}
impl Record for OffenceRecord {}

impl StreamRecord {
    const HEAD_DOMAIN: Domain = Domain::new("jangbu/stream-head/v1");

    /// A stream with nothing in it.
    pub const EMPTY: Self = Self {
        count: 0,
        head: Digest([0; 32]),
    };

    /// The stream with one more statement.
    #[must_use]
    pub fn with(&self, id: &StatementId, sequence: Sequence) -> Self {
        Self {
            count: self.count + 1,
            head: Digest(Self::HEAD_DOMAIN.hash_of(&(self.head, id, sequence))),
        }
    }
}

/// Keys of the records, one domain per sort of record.
pub mod key {
    use super::{Domain, Handed, KeyId, MemberId, Offence, Slot, StateKey, StatementId, SubjectId};

    macro_rules! state_key {
        ($(#[$doc:meta])* $name:ident, $context:literal, $($arg:ident: $type:ty),+) => {
            $(#[$doc])*
            #[must_use]
            pub fn $name($($arg: &$type),+) -> StateKey {
                const DOMAIN: Domain = Domain::new($context);
                StateKey(DOMAIN.hash_of(&($($arg,)+)))
            }
        };
    }

    state_key! {
        /// A [`super::MemberRecord`].
        member, "jangbu/state-member/v1", id: MemberId
    }
    state_key! {
        /// A [`super::KeyRecord`].
        signing_key, "jangbu/state-key/v1", id: KeyId
    }
    state_key! {
        /// A [`super::SubjectRecord`].
        subject, "jangbu/state-subject/v1", id: SubjectId
    }
    state_key! {
        /// The [`super::StreamRecord`] of what others say about a subject.
        claims, "jangbu/state-claims/v1", id: SubjectId
    }
    state_key! {
        /// A [`super::LinkRecord`], by the statement that asserted it.
        link, "jangbu/state-link/v1", id: StatementId
    }
    state_key! {
        /// A [`super::TransformationRecord`], by the statement.
        transformation, "jangbu/state-transformation/v1", id: StatementId
    }
    state_key! {
        /// A [`super::BalanceRecord`].
        balance, "jangbu/state-balance/v1", id: SubjectId
    }
    state_key! {
        /// A [`super::PackedRecord`], by the container and what is in it.
        packed, "jangbu/state-packed/v1", container: SubjectId, id: SubjectId
    }
    state_key! {
        /// The container that something was put into last by who has it: a `SubjectId`.
        container, "jangbu/state-container/v1", id: SubjectId
    }
    state_key! {
        /// The `n`th [`super::Component`] of a subject.
        component, "jangbu/state-component/v1", parent: SubjectId, n: u32
    }
    state_key! {
        /// A [`super::SlotRecord`]. The member is inside: a copied slot lands elsewhere.
        slot, "jangbu/state-slot/v1", member: MemberId, slot: Slot
    }
    state_key! {
        /// An [`super::EndorsementRecord`], by its statement.
        endorsement, "jangbu/state-endorsement/v1", id: StatementId
    }
    state_key! {
        /// A [`super::HandoverRecord`], by the offer.
        handover, "jangbu/state-handover/v1", offer: StatementId
    }
    state_key! {
        /// The last offer to hand this over: a `StatementId`.
        last_offer, "jangbu/state-last-offer/v1", subject: SubjectId, of: Handed
    }
    state_key! {
        /// A [`super::NoticeRecord`], by its statement.
        notice, "jangbu/state-notice/v1", id: StatementId
    }
    state_key! {
        /// A [`super::ShareRecord`], by what its stream is about.
        share, "jangbu/state-share/v1", id: SubjectId
    }
    state_key! {
        /// A [`super::UseRecord`], by its statement.
        usage, "jangbu/state-use/v1", id: StatementId
    }
    state_key! {
        /// The [`super::StreamRecord`] of the open uses that made a thing.
        made, "jangbu/state-made/v1", id: SubjectId
    }
    state_key! {
        /// The [`super::StreamRecord`] of the open uses that a thing went into, or that took data
        /// under it.
        took, "jangbu/state-took/v1", id: SubjectId
    }
    state_key! {
        /// A [`super::ProfileRecord`], by the profile's subject and the version.
        profile, "jangbu/state-profile/v1", name: SubjectId, version: String
    }
    state_key! {
        /// A [`super::ValidatorRecord`], by its consensus key.
        validator, "jangbu/state-validator/v1", id: KeyId
    }
    state_key! {
        /// An [`super::OffenceRecord`].
        offence, "jangbu/state-offence/v1", offence: Offence
    }
}

/// The committed state with a block's changes on top, and one statement's on top of those.
pub struct Overlay<'a> {
    base: &'a dyn StateReader,
    accepted: BTreeMap<StateKey, Option<Vec<u8>>>,
    tentative: BTreeMap<StateKey, Option<Vec<u8>>>,
    searched: BTreeMap<MemberId, u32>,
}

impl<'a> Overlay<'a> {
    /// Starts with the committed state.
    #[must_use]
    pub fn new(base: &'a dyn StateReader) -> Self {
        Self {
            base,
            accepted: BTreeMap::new(),
            tentative: BTreeMap::new(),
            searched: BTreeMap::new(),
        }
    }

    /// Counts one more record that a member's statements make everyone look at in searches; says
    /// whether the member's share of the block still has room for it. Refused statements count.
    pub fn search_one(&mut self, member: &MemberId) -> bool {
        let searched = self.searched.entry(*member).or_default();
        *searched = searched.saturating_add(1);
        *searched <= SEARCHED_MAX
    }

    /// Reads a record as the running statement sees it.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the storage fails or holds what does not decode.
    pub fn get<T: Record>(&self, key: &StateKey) -> Result<Option<T>, StateError> {
        let bytes = match self.tentative.get(key).or_else(|| self.accepted.get(key)) {
            Some(changed) => changed.clone(),
            None => self.base.record(key)?,
        };
        bytes.map(|bytes| decode_record(&bytes)).transpose()
    }

    /// Writes a record; lost unless the statement is accepted.
    pub fn put<T: Record>(&mut self, key: StateKey, record: &T) {
        self.tentative.insert(key, Some(codec::encode(record)));
    }

    /// Keeps what the running statement wrote.
    pub fn accept(&mut self) {
        // Not `append`, which rebuilds the whole map: a block of n statements would cost n².
        self.accepted.extend(std::mem::take(&mut self.tentative));
    }

    /// Forgets what the running statement wrote.
    pub fn refuse(&mut self) {
        self.tentative.clear();
    }

    /// All accepted changes.
    #[must_use]
    pub fn into_changes(self) -> BTreeMap<StateKey, Option<Vec<u8>>> {
        self.accepted
    }
}

/// Decodes a record from the state tree.
///
/// # Errors
///
/// [`StateError`] if the bytes are not a record of this type.
pub fn decode_record<T: Record>(bytes: &[u8]) -> Result<T, StateError> {
    codec::decode(bytes, RECORD_BYTES_MAX).map_err(|error| StateError(error.to_string()))
}
