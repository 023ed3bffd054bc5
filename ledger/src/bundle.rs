//! Bundles: one file that proves statements of a ledger, complete streams, empty slots, what a
//! product is made of and which uses of data made a model, to somebody who has the genesis file and no network.
//!
//! ```text
//!   genesis ─▶ Anchor ─▶ checkpoint (a quorum cosigned it)
//!                            │ last leaf
//!                            ▼
//!                          seal ─▶ state root ─▶ state proofs: keys, counts and heads, slots, links
//!                            │ other leaves
//!                            ▼
//!                        entries ─▶ statement path ─▶ envelope header ─▶ its author's signature
//! ```
//!
//! A bundle has parts that anybody could have written and claims that follow from them; the
//! verifier believes nothing in it and derives every claim again from bytes.
//!
//! Invariants:
//! - parsing is strict: I-JSON, bounded, no unknown field, one spelling of every value;
//! - every entry, state proof, envelope, subject and list of uses must be used by some claim: what nobody
//!   checks is not carried along;
//! - a verdict of [`Verdict::Holds`] means that *all* of the bundle was checked and holds.
//!
//! Source: `docs/format.md`, section 13.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use crate::id::{Digest, Height, MemberId, Sequence, Slot, StatementId};
use crate::identifier::Identifier;
use crate::json::{self, DOCUMENT_BYTES_MAX};
use crate::lineage::Direction;
use crate::merkle::NodeHash;
use crate::signature::Signature;
use crate::state::UseSide;
use crate::state_tree::StateKey;

mod anchor;
mod build;
mod complete;
mod composition;
mod document;
mod evidence;
mod lineage;
mod receipts;
mod report;
mod subject;
mod uses;
mod verify;

pub use anchor::{Anchor, KnownMember, LogKey};
pub use build::{BuildError, Builder, ENTRIES_MAX, Source};
pub use composition::{Composition, Edge, Part, Relation};
pub use document::check_opening;
pub use receipts::{verify_cose, verify_receipt};
pub use report::{
    CheckpointReport, Cosigner, Failure, Finding, OpenedDocument, OpenedField, Policy, Report,
    StatementReport, SubjectReport, Verdict,
};
pub use verify::verify;

use crate::commitment::{Disclosure, Opening};

/// The format this crate reads and writes.
pub const FORMAT: &str = "jangbu-bundle/1";
/// Its media type.
pub const MEDIA_TYPE: &str = "application/vnd.jangbu.bundle+json";
/// Largest bundle in bytes.
pub const BUNDLE_BYTES_MAX: usize = DOCUMENT_BYTES_MAX;

/// A bundle as it is written. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`FORMAT`].
    pub format: String,
    /// What follows from the rest.
    pub claims: Vec<Claim>,
    /// A signed note with a quorum of cosignatures.
    pub checkpoint: String,
    /// The checkpoint's last entry: the seal that names the state root.
    pub seal: Leaf,
    /// Headers of the envelopes that brought the entries, in any order.
    pub envelopes: Vec<SignedHeader>,
    /// Statements, sorted by sequence.
    pub entries: Vec<SignedEntry>,
    /// What the state holds, or does not, sorted by key.
    pub state: Vec<StateItem>,
    /// Subjects all of whose statements are among the entries, sorted by identifier.
    pub subjects: Vec<SubjectItem>,
    /// Documents behind the entries' commitments, where they are shown.
    pub documents: Vec<DocumentItem>,
    /// Things all of whose uses, of one side, are among the entries, sorted by identifier and side.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub uses: Vec<UsesItem>,
    /// Seals of earlier blocks, sorted by height.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub blocks: Vec<Leaf>,
}

/// What a bundle proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case", deny_unknown_fields)]
pub enum Claim {
    /// A statement is in the log, said by its author.
    Recorded {
        /// The statement.
        statement: StatementId,
        /// Where.
        sequence: Sequence,
    },
    /// The statements listed for a subject are all there are.
    Complete {
        /// The subject.
        #[serde(deserialize_with = "canonical")]
        identifier: Identifier,
    },
    /// Nothing is recorded about an identifier.
    Absent {
        /// The identifier.
        #[serde(deserialize_with = "canonical")]
        identifier: Identifier,
    },
    /// A member's slot of a sealed stream is empty.
    SlotEmpty {
        /// The member.
        member: MemberId,
        /// The slot.
        slot: Slot,
    },
    /// A member's slot of a sealed stream holds this statement.
    SlotUsed {
        /// The member.
        member: MemberId,
        /// The slot.
        slot: Slot,
        /// Where the statement is.
        sequence: Sequence,
    },
    /// An earlier block is in the log, and its time is known.
    Block {
        /// Its height.
        height: Height,
    },
    /// The component tree below a product is whole, as far down as `depth`.
    Composition {
        /// The product.
        #[serde(deserialize_with = "canonical")]
        root: Identifier,
        /// How many levels of components were followed; all of them if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        depth: Option<u32>,
    },
    /// The uses that made a thing and its sources, or that it and what was made from it went into, are
    /// all that are recorded in the open, as far as `depth`.
    Lineage {
        /// The thing.
        #[serde(deserialize_with = "canonical")]
        root: Identifier,
        /// Which way.
        direction: Direction,
        /// How many uses in a row were followed; all of them if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        depth: Option<u32>,
    },
}

/// An entry's bytes and its path to the checkpoint's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The entry's canonical bytes; its position stands inside.
    pub entry: Blob,
    /// Sibling hashes from the leaf up.
    pub path: Vec<NodeHash>,
}

/// A statement's entry with its path to its author's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedEntry {
    /// The entry's canonical bytes.
    pub entry: Blob,
    /// Sibling hashes from the leaf up.
    pub path: Vec<NodeHash>,
    /// Position in [`Bundle::envelopes`].
    pub envelope: usize,
    /// Sibling hashes from the statement up to the envelope's statements root.
    pub statement_path: Vec<Digest>,
}

/// What an author signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHeader {
    /// Canonical bytes of the envelope's header.
    pub header: Blob,
    /// By the author's key.
    pub signature: Signature,
}

/// One record of the state, or its absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateItem {
    /// Where.
    pub key: StateKey,
    /// The record's bytes; `null` if there is none.
    pub value: Option<Blob>,
    /// Proof under the seal's state root.
    pub proof: Blob,
}

/// All statements of a subject, by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectItem {
    /// The subject.
    #[serde(deserialize_with = "canonical")]
    pub identifier: Identifier,
    /// What its owner said, in order.
    pub open: Vec<Sequence>,
    /// What others said, in order.
    pub claims: Vec<Sequence>,
}

/// All open uses of a thing, of one side, by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsesItem {
    /// The thing.
    #[serde(deserialize_with = "canonical")]
    pub identifier: Identifier,
    /// Whether they made it, or it went into them.
    pub side: UseSide,
    /// The uses, in order.
    pub uses: Vec<Sequence>,
}

/// A document, or parts of it, that a statement committed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentItem {
    /// The statement's position.
    pub sequence: Sequence,
    /// What is shown.
    pub shown: Shown,
}

/// How much of a document is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shown {
    /// All of it, with its key.
    Whole(Box<Opening>),
    /// Chosen sections and fields.
    Fields(Box<Disclosure>),
}

/// Bytes, in base64 when written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

/// Why a file is not a bundle: *unreadable*, before any question of truth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleFormatError {
    /// Not I-JSON, or too long.
    #[error("the bundle is not readable JSON: {0}")]
    Json(#[from] json::JsonError),
    /// JSON, but not a bundle.
    #[error("the file is not a bundle: {0}")]
    Shape(String),
    /// A bundle of another version.
    #[error("the bundle has format {0:?}; this program reads {FORMAT:?}")]
    Format(String),
    /// It cannot be written, because it would be larger than [`BUNDLE_BYTES_MAX`].
    #[error("the bundle would have {0} bytes; at most {BUNDLE_BYTES_MAX} are allowed")]
    TooLong(usize),
}

impl Bundle {
    /// Reads a bundle strictly.
    ///
    /// # Errors
    ///
    /// [`BundleFormatError`] if the bytes are not a bundle.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleFormatError> {
        let value = json::parse(bytes)?;
        // Before anything else, so that a bundle of a later format is named and not picked at.
        if let Some(format) = value.get("format").and_then(|format| format.as_str())
            && format != FORMAT
        {
            return Err(BundleFormatError::Format(format.chars().take(80).collect()));
        }
        let bundle: Self = serde_json::from_value(value)
            .map_err(|error| BundleFormatError::Shape(json::brief(&error)))?;
        Ok(bundle)
    }

    /// The file's text.
    ///
    /// # Errors
    ///
    /// [`BundleFormatError::TooLong`] if nobody could read it.
    pub fn to_json(&self) -> Result<String, BundleFormatError> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| BundleFormatError::Shape(error.to_string()))?;
        text.push('\n');
        if text.len() > BUNDLE_BYTES_MAX {
            return Err(BundleFormatError::TooLong(text.len()));
        }
        Ok(text)
    }
}

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD
            .decode(&text)
            .map(Self)
            .map_err(|error| serde::de::Error::custom(format!("not base64: {error}")))
    }
}

/// An identifier in its one spelling: a bundle says one thing in one way.
fn canonical<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Identifier, D::Error> {
    let text = String::deserialize(deserializer)?;
    Identifier::parse_canonical(&text).map_err(serde::de::Error::custom)
}
