//! Proof that a provider sent something else than it committed to.
//!
//! ```text
//!   genesis ─▶ bundle: the provider's start ─▶ delivery root ─▶ record, contradicting its own key
//!   genesis ─▶ bundle: the provider's release ─▶ wrapped key ─▶ content key, of another record
//! ```
//!
//! A wrong record shows one chunk and no other. A wrong key shows the key that was released, which
//! is not the one that the provider committed to. What was released and is no key at all proves
//! nothing to others: it could be the release of another delivery.

use serde::{Deserialize, Serialize};

use super::shows::{NotShown, Said, Shows};
use super::{ChunkKey, Record, RecordFault, WrappingKey, chunks, record_bytes};
use crate::bundle::{self, Anchor, Blob, Failure, Report};
use crate::id::{Digest, MemberId};
use crate::json::{self, JsonError};
use crate::share::{Deed, Party, Sealing, Sent};
use crate::tree;

/// The format of a proof's file.
pub const REJECTION_FORMAT: &str = "jangbu-rejection/1";
/// Largest proof in bytes.
pub const REJECTION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A proof against a provider. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionProof {
    /// [`REJECTION_FORMAT`].
    pub format: String,
    /// The provider's statement that started the transfer.
    pub started: Shows,
    /// What is wrong with what it sent.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// A record contradicts itself under the key whose hash stands in it.
    WrongChunk {
        /// The record.
        record: WrongRecord,
        /// The chunk's key.
        key: Digest,
    },
    /// The released key is not the key of a record.
    WrongKey {
        /// The provider's statement that released it.
        released: Box<Shows>,
        /// What the key is wrapped in.
        wrapping_key: Digest,
        /// The record.
        record: WrongRecord,
    },
}

/// A record of the delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrongRecord {
    /// Which, from 0.
    pub index: u64,
    /// Its bytes.
    pub bytes: Blob,
    /// Sibling hashes from it up to the delivery's root.
    pub path: Vec<Digest>,
}

/// Who is convicted of what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Convicted {
    /// The provider.
    pub member: MemberId,
    /// Its name.
    pub member_name: String,
    /// What is wrong, in words.
    pub fault: String,
    /// The chunk, if it is of one.
    pub chunk: Option<u64>,
    /// Root of the delivery.
    pub root: Digest,
    /// What vouches for the provider's statement.
    pub report: Report,
}

/// Why a proof convicts nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectionError {
    /// Not I-JSON, or too long.
    #[error("the proof is not readable JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON, but no proof of this format.
    #[error("the file is no proof against a provider: {0}")]
    Shape(String),
    /// The provider's statement is not shown to be recorded.
    #[error("the provider's statement: {0}")]
    Bundle(#[from] Failure),
    /// It is shown, and says something else.
    #[error("the proof does not show what it should: {0}")]
    Shows(String),
    /// Nothing is wrong with what is shown.
    #[error("the provider did nothing wrong that this file shows: {0}")]
    Innocent(&'static str),
}

impl RejectionError {
    /// What it means for the file as a whole.
    #[must_use]
    pub const fn verdict(&self) -> bundle::Verdict {
        match self {
            Self::Json(_) | Self::Shape(_) => bundle::Verdict::Unreadable,
            Self::Bundle(failure) => failure.verdict(),
            Self::Shows(_) | Self::Innocent(_) => bundle::Verdict::DoesNotHold,
        }
    }
}

impl RejectionProof {
    /// Reads a proof strictly.
    ///
    /// # Errors
    ///
    /// [`RejectionError`] if the bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, RejectionError> {
        if bytes.len() > REJECTION_BYTES_MAX {
            let most = format!("it is longer than {REJECTION_BYTES_MAX} bytes");
            return Err(RejectionError::Shape(most));
        }
        let proof: Self = serde_json::from_value(json::parse(bytes)?)
            .map_err(|error| RejectionError::Shape(json::brief(&error)))?;
        if proof.format == REJECTION_FORMAT {
            Ok(proof)
        } else {
            let format: String = proof.format.chars().take(80).collect();
            Err(RejectionError::Shape(format!(
                "its format is {format:?}; this program reads {REJECTION_FORMAT:?}"
            )))
        }
    }

    /// Derives from the genesis file alone that the provider sent what it did not commit to.
    ///
    /// # Errors
    ///
    /// [`RejectionError`] if anything is not as it must be.
    pub fn verify(&self, anchor: &Anchor) -> Result<Convicted, RejectionError> {
        let Said { by, report, deed } = self.started.verify(anchor, Some(Party::Provider))?;
        let Deed::TransferStarted {
            sent:
                Some(Sent {
                    root,
                    sealing: Some(sealing),
                }),
        } = deed
        else {
            return Err(RejectionError::Shows("it is no start of a delivery".into()));
        };
        let (fault, chunk) = match &self.fault {
            Fault::WrongChunk { record, key } => {
                let found = record.verify(&root, &sealing)?;
                let fault = match ChunkKey::from_bytes(key.0).open(&found) {
                    Ok(_) => return Err(RejectionError::Innocent("the chunk is as committed to")),
                    Err(RecordFault::Key) => {
                        return Err(RejectionError::Innocent("the key shown is not the chunk's"));
                    }
                    Err(fault) => fault.to_string(),
                };
                (
                    format!("chunk {}: {fault}", record.index),
                    Some(record.index),
                )
            }
            Fault::WrongKey {
                released,
                wrapping_key,
                record,
            } => {
                let key = WrappingKey::from_bytes(wrapping_key.0);
                if key.hash() != sealing.wrap {
                    let other = "the wrapping key shown is not the one committed to";
                    return Err(RejectionError::Innocent(other));
                }
                let Said {
                    by: releaser, deed, ..
                } = released.verify(anchor, Some(Party::Provider))?;
                let Deed::KeyReleased { wrapped } = deed else {
                    return Err(RejectionError::Shows("it is no release of a key".into()));
                };
                if releaser.member != by.member {
                    return Err(RejectionError::Shows(
                        "another member released the key".into(),
                    ));
                }
                // It opens with the key of this delivery alone, so it was released for this one. One
                // that does not may be of any other, and convicts nobody.
                let Some(key) = key.unwrap(&wrapped) else {
                    return Err(RejectionError::Shows(
                        "the release is not of this delivery, or of nothing at all".into(),
                    ));
                };
                let found = record.verify(&root, &sealing)?;
                if key.chunk(record.index).open(&found) != Err(RecordFault::Key) {
                    return Err(RejectionError::Innocent("the released key is right"));
                }
                (
                    format!("the released key is not the key of chunk {}", record.index),
                    Some(record.index),
                )
            }
        };
        Ok(Convicted {
            member: by.member,
            member_name: by.member_name.clone(),
            fault,
            chunk,
            root,
            report,
        })
    }
}

impl From<NotShown> for RejectionError {
    fn from(error: NotShown) -> Self {
        match error {
            NotShown::Bundle(failure) => Self::Bundle(failure),
            NotShown::Otherwise(what) => Self::Shows(what),
        }
    }
}

impl WrongRecord {
    /// The record, if it is the delivery's.
    fn verify(&self, root: &Digest, sealing: &Sealing) -> Result<Record<'_>, RejectionError> {
        let shows = |what: &str| RejectionError::Shows(what.into());
        let bytes = self.bytes.0.as_slice();
        if record_bytes(sealing.bytes, self.index) != Some(bytes.len()) {
            return Err(shows("the record has not the length of this chunk's"));
        }
        let place = usize::try_from(self.index).ok();
        let count = usize::try_from(chunks(sealing.bytes)).ok();
        let (Some(index), Some(count)) = (place, count) else {
            return Err(shows("the content is too large for this machine"));
        };
        if !tree::DELIVERY.verify(bytes, index, count, &self.path, root) {
            return Err(shows("the record is not one of the delivery's"));
        }
        Record::parse(bytes).ok_or_else(|| shows("the record is too short"))
    }
}
