//! Proof that chunks are of what was sent, showing those chunks and no others.
//!
//! ```text
//!   genesis ─▶ bundle: the provider's start ─▶ root ─▶ chunk, by its path
//!   genesis ─▶ bundle: a use ─▶ root, chunks that went in ────┘
//! ```
//!
//! A delivery's chunk is shown by its record, its path and its own key, which opens no other. Of
//! what was sent plainly the chunk itself is shown: the root is its file's BLAKE3 hash.
//!
//! Source: `docs/format.md`, section 8.

use serde::{Deserialize, Serialize};

use super::shows::{NotShown, Said, Shows};
use super::{CHUNK_BYTES, ChunkKey, Record, RecordFault, chunks, record_bytes, verify_plain};
use crate::bundle::{self, Anchor, Blob, Failure, Report, StatementReport};
use crate::id::{Digest, Height, MemberId, Sequence, StatementId};
use crate::identifier::Identifier;
use crate::json::{self, JsonError};
use crate::share::{Deed, Input, Part, Party, Sealing, Sent, Usage, UseCode};
use crate::tree;

/// The format of a proof's file.
pub const CHUNKS_FORMAT: &str = "jangbu-chunks/1";
/// Largest proof in bytes.
pub const CHUNK_PROOF_BYTES_MAX: usize = json::DOCUMENT_BYTES_MAX;
/// Most chunks of one proof: in base64 they fill two thirds of the largest file.
pub const CHUNKS_SHOWN_MAX: usize = 128;
/// How many places are looked at to say where a chunk that is shown at a wrong place belongs.
const PLACES_MAX: u64 = 1_024;

/// A proof of chunks. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkProof {
    /// [`CHUNKS_FORMAT`].
    pub format: String,
    /// The provider's statement that started the transfer and named the root.
    pub started: Shows,
    /// A use that the chunks went into, if that is shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub used: Option<Shows>,
    /// How many bytes were sent, if plainly: the start of a delivery says so itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<u64>,
    /// The chunks, by their numbers.
    pub chunks: Vec<ShownChunk>,
}

/// One chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownChunk {
    /// Which, from 0.
    pub index: u64,
    /// Of a delivery, the chunk's key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<Digest>,
    /// Of a delivery its record, else the chunk itself.
    pub bytes: Blob,
    /// Sibling hashes from it up to the root.
    pub path: Vec<Digest>,
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProvedChunks {
    /// Who sent it.
    pub member: MemberId,
    /// Its name.
    pub member_name: String,
    /// Root of what was sent.
    pub root: Digest,
    /// Whether it was sent encrypted, chunk by chunk.
    pub delivery: bool,
    /// How many bytes were sent; what was sent plainly has as many as the file says.
    pub bytes: u64,
    /// The chunks.
    pub chunks: Vec<ProvedChunk>,
    /// The use that they went into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<ProvedUse>,
    /// What vouches for the provider's statement.
    pub report: Report,
}

/// A chunk that is of what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProvedChunk {
    /// Which, from 0.
    pub index: u64,
    /// How many bytes it has.
    pub bytes: usize,
    /// Its plain BLAKE3 hash.
    pub blake3: Digest,
    /// Itself.
    #[serde(skip)]
    pub content: Vec<u8>,
}

/// A use that names the chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProvedUse {
    /// The statement.
    pub statement_id: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// Its block.
    pub height: Height,
    /// Who recorded it.
    pub member_name: String,
    /// What for.
    pub activity: UseCode,
    /// The data that the chunks are of.
    pub data: Identifier,
    /// The agreement that it came under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Identifier>,
    /// What was made.
    pub made: Vec<Identifier>,
}

/// Why a proof shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkProofError {
    /// Not I-JSON, or too long.
    #[error("the proof is not readable JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON, but no proof of this format.
    #[error("the file is no proof of chunks: {0}")]
    Shape(String),
    /// A statement is not shown to be recorded.
    #[error("the {which}: {failure}")]
    Bundle {
        /// Which statement.
        which: &'static str,
        /// Why.
        failure: Failure,
    },
    /// It is shown, and says something else.
    #[error("the {which} does not show what it should: {reason}")]
    Shows {
        /// Which statement.
        which: &'static str,
        /// What it says.
        reason: String,
    },
    /// The use is of something else.
    #[error("the use {used} is not of this: {reason}")]
    OtherUse {
        /// The use.
        used: StatementId,
        /// What it names.
        reason: String,
    },
    /// Chunks out of their order, none, or too many.
    #[error("a proof shows 1 to {CHUNKS_SHOWN_MAX} chunks in their order, each once")]
    Order,
    /// A chunk that belongs somewhere else.
    #[error("chunk {index} is not what is shown: that is chunk {place}")]
    Moved {
        /// Where it is shown.
        index: u64,
        /// Where it belongs.
        place: u64,
    },
    /// A chunk that is not of what was sent.
    #[error("chunk {index} is not shown to be under the root {root}: {reason}")]
    Chunk {
        /// Which.
        index: u64,
        /// Of what was sent.
        root: Digest,
        /// Why.
        reason: String,
    },
}

impl ChunkProofError {
    /// What it means for the file as a whole.
    #[must_use]
    pub const fn verdict(&self) -> bundle::Verdict {
        match self {
            Self::Json(_) | Self::Shape(_) => bundle::Verdict::Unreadable,
            Self::Bundle { failure, .. } => failure.verdict(),
            _ => bundle::Verdict::DoesNotHold,
        }
    }
}

impl ChunkProof {
    /// Reads a proof strictly.
    ///
    /// # Errors
    ///
    /// [`ChunkProofError::Json`] or [`ChunkProofError::Shape`] if the bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChunkProofError> {
        let proof: Self = serde_json::from_value(json::parse(bytes)?)
            .map_err(|error| ChunkProofError::Shape(json::brief(&error)))?;
        if proof.format == CHUNKS_FORMAT {
            Ok(proof)
        } else {
            let format: String = proof.format.chars().take(80).collect();
            Err(ChunkProofError::Shape(format!(
                "its format is {format:?}; this program reads {CHUNKS_FORMAT:?}"
            )))
        }
    }

    /// Derives from the genesis file alone that the chunks are of what was sent, and went into the
    /// use, if one is shown.
    ///
    /// # Errors
    ///
    /// [`ChunkProofError`] if anything is not as it must be.
    pub fn verify(&self, anchor: &Anchor) -> Result<ProvedChunks, ChunkProofError> {
        let started = "provider's statement";
        let Said { by, report, deed } = self
            .started
            .verify(anchor, Some(Party::Provider))
            .map_err(|error| not_shown(started, error))?;
        let Deed::TransferStarted { sent: Some(sent) } = deed else {
            return Err(ChunkProofError::Shows {
                which: started,
                reason: "it names no root of what is sent".into(),
            });
        };
        let ascending = self.chunks.windows(2).all(|p| p[0].index < p[1].index);
        if !ascending || !(1..=CHUNKS_SHOWN_MAX).contains(&self.chunks.len()) {
            return Err(ChunkProofError::Order);
        }
        let bytes = match (&sent.sealing, self.bytes) {
            (Some(sealing), None) => sealing.bytes,
            (None, Some(bytes)) => bytes,
            (Some(_), Some(_)) => return Err(shape("a delivery's start says how long it is")),
            (None, None) => return Err(shape("it does not say how many bytes were sent")),
        };
        let used = match &self.used {
            None => None,
            Some(used) => Some(self.went_into(used, &sent, anchor)?),
        };
        let chunks = self.chunks.iter();
        let chunks = chunks.map(|chunk| chunk.verify(&sent, bytes));
        Ok(ProvedChunks {
            chunks: chunks.collect::<Result<_, _>>()?,
            member: by.member,
            member_name: by.member_name,
            root: sent.root,
            delivery: sent.sealing.is_some(),
            bytes,
            used,
            report,
        })
    }

    /// The use, if it names all of the chunks.
    fn went_into(
        &self,
        used: &Shows,
        sent: &Sent,
        anchor: &Anchor,
    ) -> Result<ProvedUse, ChunkProofError> {
        let which = "use";
        let Said { by, deed, .. } = used
            .verify(anchor, None)
            .map_err(|error| not_shown(which, error))?;
        let Deed::Used(usage) = deed else {
            return Err(ChunkProofError::Shows {
                which,
                reason: "it is no use of data".into(),
            });
        };
        let other = |reason: String| ChunkProofError::OtherUse {
            used: by.statement_id,
            reason,
        };
        let of_root: Vec<(&Input, &Part)> = usage
            .inputs
            .iter()
            .filter_map(|input| Some((input, input.part.as_ref()?)))
            .filter(|(_, part)| part.root == sent.root)
            .collect();
        if of_root.is_empty() {
            return Err(other(format!("it names no part of the root {}", sent.root)));
        }
        let lacks = |part: &Part| {
            let mut shown = self.chunks.iter().map(|chunk| chunk.index);
            shown.find(|index| !part.has(*index))
        };
        match of_root.iter().find(|(_, part)| lacks(part).is_none()) {
            Some((input, _)) => Ok(proved(&by, &usage, input)),
            None => {
                let missing = of_root.first().and_then(|(_, part)| lacks(part));
                let named: Vec<String> = of_root.iter().map(|(_, part)| part.to_string()).collect();
                Err(other(format!(
                    "chunk {} is not among what it names: {}",
                    missing.unwrap_or_default(),
                    named.join("; ")
                )))
            }
        }
    }
}

fn proved(by: &StatementReport, usage: &Usage, input: &Input) -> ProvedUse {
    ProvedUse {
        statement_id: by.statement_id,
        sequence: by.sequence,
        height: by.height,
        member_name: by.member_name.clone(),
        activity: usage.activity.clone(),
        data: input.data.clone(),
        agreement: input.agreement.clone(),
        made: usage.outputs.iter().map(|o| o.made.clone()).collect(),
    }
}

impl ShownChunk {
    fn verify(&self, sent: &Sent, bytes: u64) -> Result<ProvedChunk, ChunkProofError> {
        let fault = |reason: &str| ChunkProofError::Chunk {
            index: self.index,
            root: sent.root,
            reason: reason.into(),
        };
        if self.index >= chunks(bytes) {
            return Err(fault(&format!("there are {} chunks", chunks(bytes))));
        }
        let content = match (&sent.sealing, &self.key) {
            (Some(sealing), Some(key)) => self.open(sealing, key, &sent.root)?,
            (None, None) => self.plain(&sent.root, bytes)?,
            (Some(_), None) => return Err(fault("its key is not shown")),
            (None, Some(_)) => return Err(fault("what was sent plainly has no keys")),
        };
        Ok(ProvedChunk {
            index: self.index,
            bytes: content.len(),
            blake3: Digest(*blake3::hash(&content).as_bytes()),
            content,
        })
    }

    /// The chunk of a record, if that is the delivery's at this place.
    fn open(
        &self,
        sealing: &Sealing,
        key: &Digest,
        root: &Digest,
    ) -> Result<Vec<u8>, ChunkProofError> {
        let fault = |reason: &str| ChunkProofError::Chunk {
            index: self.index,
            root: *root,
            reason: reason.into(),
        };
        let record = self.bytes.0.as_slice();
        let parsed = Record::parse(record).ok_or_else(|| fault("its record is too short"))?;
        // First whether it is anybody's record, then whether it is this one.
        let opened = ChunkKey::from_bytes(key.0).open(&parsed);
        if opened == Err(RecordFault::Key) {
            return Err(fault("the key shown is not its record's"));
        }
        let count = chunks(sealing.bytes);
        let is_at = |index: u64| {
            let place = (usize::try_from(index), usize::try_from(count));
            let (Ok(index), Ok(count)) = place else {
                return false;
            };
            tree::DELIVERY.verify(record, index, count, &self.path, root)
        };
        let fits = record_bytes(sealing.bytes, self.index) == Some(record.len());
        if !fits || !is_at(self.index) {
            return Err(match self.place(count, is_at) {
                Some(place) => ChunkProofError::Moved {
                    index: self.index,
                    place,
                },
                None if opened.is_err() => fault("its record was altered"),
                None => fault("its record is of another delivery, or its path was altered"),
            });
        }
        opened.map_err(|error| {
            fault(&format!(
                "the provider sent something else than it committed to: {error}; that is shown by \
                 jangbu share complete"
            ))
        })
    }

    fn plain(&self, root: &Digest, bytes: u64) -> Result<Vec<u8>, ChunkProofError> {
        let chunk = self.bytes.0.as_slice();
        let is_at = |index: u64| verify_plain(root, bytes, (index, chunk), &self.path);
        let before = self.index.saturating_mul(CHUNK_BYTES as u64);
        let left = bytes.saturating_sub(before).min(CHUNK_BYTES as u64);
        if left == chunk.len() as u64 && is_at(self.index) {
            return Ok(chunk.to_vec());
        }
        Err(match self.place(chunks(bytes), is_at) {
            Some(place) => ChunkProofError::Moved {
                index: self.index,
                place,
            },
            None => ChunkProofError::Chunk {
                index: self.index,
                root: *root,
                reason: "it was altered, or is of something else".into(),
            },
        })
    }

    /// Where it belongs, if that is one of the first places.
    fn place(&self, count: u64, is_at: impl Fn(u64) -> bool) -> Option<u64> {
        (0..count.min(PLACES_MAX)).find(|place| *place != self.index && is_at(*place))
    }
}

fn not_shown(which: &'static str, error: NotShown) -> ChunkProofError {
    match error {
        NotShown::Bundle(failure) => ChunkProofError::Bundle { which, failure },
        NotShown::Otherwise(reason) => ChunkProofError::Shows { which, reason },
    }
}

fn shape(what: &str) -> ChunkProofError {
    ChunkProofError::Shape(what.into())
}
