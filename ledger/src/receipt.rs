//! Receipts: one file that shows one entry in a final log, checkable without us.
//!
//! ```text
//!   c2sp.org/tlog-proof@v1
//!   extra <base64 of the entry's bytes>
//!   index <decimal>
//!   <base64 hash>                       the path, from the leaf up; none for a log of one entry
//!   …
//!
//!   <the checkpoint, a signed note>
//! ```
//!
//! The format leaves `extra` unauthenticated; here it holds the entry, and the entry's leaf hash
//! is what the path proves, so it is authenticated after all.
//!
//! Source: c2sp.org/tlog-proof.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::checkpoint::{FinalCheckpoint, QuorumError, Witness, parse_decimal, verify_quorum_of};
use crate::merkle::{NodeHash, PATH_LEN_MAX, ProofError, leaf_hash, verify_inclusion};
use crate::note::{KeyName, Note, NoteError, decode_base64};
use crate::tile::ENTRY_BYTES_MAX;

pub mod cose;

/// Longest receipt in bytes: the largest entry in base64, path and note leave room to spare.
pub const RECEIPT_BYTES_MAX: usize = 256 * 1024;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An entry, its place in the log and the checkpoint that has it. Nothing verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's canonical bytes.
    pub entry: Vec<u8>,
    /// Its index in the log.
    pub index: u64,
    /// Sibling hashes from the leaf up, at most [`PATH_LEN_MAX`].
    pub path: Vec<NodeHash>,
    /// The checkpoint with its signatures.
    pub checkpoint: Note,
}

/// What a verified receipt shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// The final checkpoint, with the witnesses' cosignatures.
    pub checkpoint: FinalCheckpoint,
    /// The entry's index in the log.
    pub index: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
}

/// Why a text is not a receipt: *malformed*, before any question of truth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptFormatError {
    /// More than [`RECEIPT_BYTES_MAX`].
    #[error("the receipt has {len} bytes, more than the {RECEIPT_BYTES_MAX} allowed")]
    TooLong {
        /// Length in bytes.
        len: usize,
    },
    /// A line is not what the format has in its place.
    #[error("line {line} of the receipt is not {expected}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// The entry is longer than an entry can be.
    #[error("the entry has {len} bytes, more than the {ENTRY_BYTES_MAX} allowed")]
    Entry {
        /// Length in bytes.
        len: usize,
    },
    /// What follows the blank line is not a signed note.
    #[error("the receipt's checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
}

/// Why a well-formed receipt *does not hold*.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Its checkpoint is not final for this verifier.
    #[error(transparent)]
    Checkpoint(#[from] QuorumError),
    /// The entry is not at that index of the checkpoint's log.
    #[error("the entry is not shown to be in the log: {0}")]
    Path(#[from] ProofError),
}

impl ReceiptError {
    /// Whether the checkpoint inside cannot be read, as opposed to: it can, and does not hold.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        match self {
            Self::Checkpoint(error) => error.is_malformed(),
            Self::Path(_) => false,
        }
    }
}

impl Receipt {
    /// Parses a receipt.
    ///
    /// # Errors
    ///
    /// [`ReceiptFormatError`] if there are too many bytes, or they are not a receipt.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptFormatError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptFormatError::TooLong { len: bytes.len() });
        }
        let wrong = |line, expected| ReceiptFormatError::Line { line, expected };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(1, "UTF-8 text"))?;
        let mut lines = Lines {
            rest: text,
            number: 0,
        };

        if lines.next() != Some(HEADER) {
            return Err(wrong(1, HEADER));
        }
        let entry = lines
            .next()
            .and_then(|line| line.strip_prefix("extra "))
            .and_then(|blob| BASE64_STANDARD.decode(blob).ok())
            .filter(|entry| !entry.is_empty())
            .ok_or(wrong(2, "'extra' and the entry's bytes in base64"))?;
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(ReceiptFormatError::Entry { len: entry.len() });
        }
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .ok_or(wrong(3, "'index' and a decimal number"))?;
        let mut path = Vec::new();
        loop {
            let line = lines.next();
            match line {
                Some("") => break,
                Some(line) if path.len() < PATH_LEN_MAX => {
                    let hash = decode_base64(line)
                        .ok_or(wrong(lines.number, "a hash of 32 bytes in base64"))?;
                    path.push(NodeHash(hash));
                }
                _ => return Err(wrong(lines.number, "the blank line that ends the path")),
            }
        }
        let checkpoint = Note::parse(lines.rest.as_bytes())?;
        Ok(Self {
            entry,
            index,
            path,
            checkpoint,
        })
    }

    /// Checks the receipt: a quorum of witnesses cosigned its checkpoint of `origin`, and the
    /// path leads from its entry at its index to the checkpoint's root.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] if it does not hold.
    pub fn verify(
        &self,
        origin: &KeyName,
        witnesses: &[Witness],
        quorum: usize,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let verified = verify_quorum_of(&self.checkpoint, origin, witnesses, quorum)?;
        self.verify_path(&verified)?;
        let (index, entry) = (self.index, self.entry.clone());
        Ok(VerifiedReceipt {
            checkpoint: verified,
            index,
            entry,
        })
    }

    /// Checks the path alone, against a checkpoint that was verified before: receipts made
    /// together share theirs.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Path`] if the entry is not at its index of that checkpoint's log.
    pub fn verify_path(&self, verified: &FinalCheckpoint) -> Result<(), ReceiptError> {
        let (size, root) = (verified.checkpoint.size, &verified.checkpoint.root);
        let leaf = leaf_hash(&self.entry);
        Ok(verify_inclusion(&leaf, self.index, size, &self.path, root)?)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptFormatError;

    fn from_str(text: &str) -> Result<Self, ReceiptFormatError> {
        Self::parse(text.as_bytes())
    }
}

/// The file's bytes.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        writeln!(f, "extra {}", BASE64_STANDARD.encode(&self.entry))?;
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", BASE64_STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Lines that end in a newline, and what follows the last one taken.
struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        self.rest = rest;
        self.number += 1;
        Some(line)
    }
}

#[cfg(test)]
mod tests;
