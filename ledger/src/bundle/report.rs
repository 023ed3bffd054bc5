//! What a verifier says: the verdict, what it checked, and what it did not.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Composition;
use crate::checkpoint::QuorumError;
use crate::id::{ChainId, Height, KeyId, MemberId, Sequence, Slot, StatementId, SubjectId, TimeMs};
use crate::identifier::Identifier;
use crate::lineage::Lineage;
use crate::merkle::NodeHash;
use crate::receipt::ReceiptError;
use crate::receipt::cose::CoseReceiptError;
use crate::state::{PassportRecord, UseSide};
use crate::state_tree::StateKey;
use crate::statement::Statement;

/// The answer, with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that was asked for was checked and holds.
    Holds,
    /// The file cannot be read.
    Unreadable,
    /// Something in it is tampered with or wrong.
    DoesNotHold,
    /// It holds, but does not meet the verifier's policy.
    PolicyNotMet,
    /// Evidence is missing.
    CannotTell,
}

/// Why a file is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The checkpoint is not final under the genesis file's validators.
    #[error("the checkpoint does not hold: {0}")]
    Checkpoint(QuorumError),
    /// The receipt's path or checkpoint does not hold.
    #[error("the receipt does not hold: {0}")]
    Receipt(ReceiptError),
    /// The COSE receipt's path or signature does not hold.
    #[error("the receipt does not hold: {0}")]
    Cose(CoseReceiptError),
    /// The seal is not the checkpoint's last entry, or not a seal of this ledger.
    #[error("the seal does not hold: {0}")]
    Seal(String),
    /// An entry is not in the log, or not what it should be.
    #[error("entry {sequence} does not hold: {reason}")]
    Entry {
        /// Its position.
        sequence: Sequence,
        /// What is wrong.
        reason: String,
    },
    /// Some entry's bytes say nothing, not even a position.
    #[error("the bundle's entry number {index} is no statement's entry: {reason}")]
    NoEntry {
        /// Its place in the bundle, from 0.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// A statement is not shown to be by its author.
    #[error("the author of entry {sequence} is not proved: {reason}")]
    Author {
        /// The statement's position.
        sequence: Sequence,
        /// What is wrong.
        reason: String,
    },
    /// A state proof does not hold.
    #[error("the state proof for key {key} does not hold: {reason}")]
    State {
        /// Where in the state.
        key: StateKey,
        /// What is wrong.
        reason: String,
    },
    /// The statements listed for a subject are not all there are, or not in their order.
    #[error("the statements about {identifier} are not complete: {reason}")]
    Stream {
        /// The subject.
        identifier: Identifier,
        /// What is wrong.
        reason: String,
    },
    /// The uses listed for a thing are not all there are, or not in their order.
    #[error("the uses {} {identifier} are not complete: {reason}", side_in_words(*.side))]
    Uses {
        /// The thing.
        identifier: Identifier,
        /// Which of its two lists.
        side: UseSide,
        /// What is wrong.
        reason: String,
    },
    /// A claim says something else than the evidence.
    #[error("the claim that {claim} does not hold: {reason}")]
    Claim {
        /// The claim in words.
        claim: String,
        /// What is wrong.
        reason: String,
    },
    /// A document is not the one that was committed to.
    #[error("the document of entry {sequence} does not hold: {reason}")]
    Document {
        /// The statement's position.
        sequence: Sequence,
        /// What is wrong.
        reason: String,
    },
    /// Parts that no claim uses, or in another order than the format's.
    #[error("the bundle is not in order: {0}")]
    Order(String),
    /// Evidence that a claim needs is not there.
    #[error("evidence is missing: {0}")]
    Missing(String),
    /// The verifier asks for more blocks than are shown.
    #[error("the file shows the ledger up to block {shown}, at least block {wanted} is asked for")]
    TooLow {
        /// What is shown.
        shown: Height,
        /// What is asked for.
        wanted: Height,
    },
    /// The verifier asks for a newer checkpoint.
    #[error(
        "the checkpoint was cosigned at {cosigned_s}, at the earliest {not_before_s} is asked for \
         (seconds since 1970, UTC)"
    )]
    TooOld {
        /// When it was cosigned.
        cosigned_s: u64,
        /// The earliest time asked for.
        not_before_s: u64,
    },
}

/// `that made`, `of`.
pub(super) const fn side_in_words(side: UseSide) -> &'static str {
    match side {
        UseSide::Made => "that made",
        UseSide::Took => "of",
    }
}

impl Verdict {
    /// The exit code of `jangbu verify`.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Unreadable => 2,
            Self::DoesNotHold => 3,
            Self::PolicyNotMet => 4,
            Self::CannotTell => 5,
        }
    }
}

impl Failure {
    /// What it means for the file as a whole.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Missing(_) | Self::Cose(CoseReceiptError::UnknownKey(_)) => Verdict::CannotTell,
            Self::TooLow { .. } | Self::TooOld { .. } => Verdict::PolicyNotMet,
            Self::Checkpoint(error) if error.is_malformed() => Verdict::Unreadable,
            Self::Receipt(error) if error.is_malformed() => Verdict::Unreadable,
            _ => Verdict::DoesNotHold,
        }
    }
}

/// What a verified file shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The ledger.
    pub chain_id: ChainId,
    /// What a quorum of validators vouches for; or one node, where the file says no more.
    pub checkpoint: CheckpointReport,
    /// The statements shown, by position.
    pub statements: Vec<StatementReport>,
    /// The claims, each of which was derived again.
    pub findings: Vec<Finding>,
    /// Documents that were opened.
    pub documents: Vec<OpenedDocument>,
    /// What was checked, in words.
    pub checked: Vec<String>,
    /// What was not checked, in words.
    pub not_checked: Vec<String>,
}

/// A checkpoint: final, unless it has no cosigners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointReport {
    /// The log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: NodeHash,
    /// Its last block, if the file shows it.
    pub height: Option<Height>,
    /// The last block's time, if the file shows it.
    pub time_ms: Option<TimeMs>,
    /// Who cosigned.
    pub cosigners: Vec<Cosigner>,
    /// How many had to.
    pub quorum: usize,
    /// The one node that signed, if nobody cosigned: its word is all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_node: Option<Cosigner>,
}

/// One validator's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cosigner {
    /// Its name.
    pub name: String,
    /// When, in seconds since the Unix epoch.
    pub time_s: u64,
}

/// One statement that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementReport {
    /// Its position in the log.
    pub sequence: Sequence,
    /// The block that recorded it.
    pub height: Height,
    /// That block's time.
    pub time_ms: TimeMs,
    /// Its id.
    pub statement_id: StatementId,
    /// Its author.
    pub member: MemberId,
    /// The author's name.
    pub member_name: String,
    /// The key that signed it.
    pub key_id: KeyId,
    /// Whether the author's signature was checked (a receipt does not carry it).
    pub signature_checked: bool,
    /// What was said.
    pub statement: Statement,
}

/// What follows from the evidence, one for each claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
pub enum Finding {
    /// See `Claim::Recorded`.
    Recorded {
        /// The statement.
        statement: StatementId,
        /// Where.
        sequence: Sequence,
    },
    /// See `Claim::Complete`.
    Complete(SubjectReport),
    /// See `Claim::Absent`.
    Absent {
        /// The identifier.
        identifier: Identifier,
    },
    /// See `Claim::SlotEmpty`.
    SlotEmpty {
        /// The member.
        member: MemberId,
        /// Its name.
        member_name: String,
        /// The slot.
        slot: Slot,
    },
    /// See `Claim::SlotUsed`.
    SlotUsed {
        /// The member.
        member: MemberId,
        /// Its name.
        member_name: String,
        /// The slot.
        slot: Slot,
        /// Where the statement is.
        sequence: Sequence,
    },
    /// See `Claim::Block`.
    Block {
        /// Its height.
        height: Height,
        /// Its time.
        time_ms: TimeMs,
        /// Its seal's place in the log.
        sequence: Sequence,
    },
    /// See `Claim::Composition`.
    Composition(Composition),
    /// See `Claim::Lineage`.
    Lineage(Lineage),
}

/// A subject all of whose statements are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubjectReport {
    /// The subject.
    pub identifier: Identifier,
    /// Whether anything is recorded about it.
    pub known: bool,
    /// Whose it is.
    pub owner: Option<MemberId>,
    /// The owner's name.
    pub owner_name: Option<String>,
    /// Number of its owner's statements.
    pub open: u64,
    /// Number of others' statements.
    pub claims: u64,
    /// Its passport, once issued.
    pub passport: Option<PassportRecord>,
    /// The batch or model it belongs to.
    pub part_of: Option<SubjectId>,
    /// Whether its owner says that all that is in it is linked.
    pub closed: bool,
}

/// A document that fits its commitment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenedDocument {
    /// The statement's position.
    pub sequence: Sequence,
    /// What it is about.
    pub subject: Identifier,
    /// Its version.
    pub version: u32,
    /// Name of its schema.
    pub schema: String,
    /// The sections that are shown whole, by name.
    pub sections: BTreeMap<String, Value>,
    /// The fields that are shown of other sections, by section and pointer.
    pub fields: Vec<OpenedField>,
    /// The sections that are not shown whole.
    pub hidden: Vec<String>,
}

/// A field that fits its document's commitment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenedField {
    /// Its section.
    pub section: String,
    /// RFC 6901 pointer inside the section.
    pub pointer: String,
    /// Its value.
    pub value: Value,
}

/// What a verifier may ask for beyond truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// The checkpoint covers at least this height.
    pub min_height: Option<Height>,
    /// The checkpoint is not older than this.
    pub not_before: Option<TimeMs>,
}

impl Policy {
    /// Checks a report against the policy.
    ///
    /// # Errors
    ///
    /// [`Failure::TooLow`] or [`Failure::TooOld`] if it is not met; [`Failure::Missing`] if the
    /// file does not show the height.
    pub fn check(&self, report: &Report) -> Result<(), Failure> {
        let checkpoint = &report.checkpoint;
        if let Some(wanted) = self.min_height {
            // A receipt shows its own entry's height, and the checkpoint covers at least that.
            let shown = checkpoint
                .height
                .or_else(|| report.statements.iter().map(|s| s.height).max())
                .ok_or_else(|| Failure::Missing("the file shows no height".into()))?;
            if shown < wanted {
                return Err(Failure::TooLow { shown, wanted });
            }
        }
        if let Some(not_before) = self.not_before {
            let signers = checkpoint.cosigners.iter().chain(&checkpoint.one_node);
            let times = signers.map(|signer| signer.time_s);
            let (cosigned_s, not_before_s) =
                (times.min().unwrap_or_default(), not_before.seconds());
            if cosigned_s < not_before_s {
                return Err(Failure::TooOld {
                    cosigned_s,
                    not_before_s,
                });
            }
        }
        Ok(())
    }
}
