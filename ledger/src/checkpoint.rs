//! Checkpoints: what the log was at a size, who says so, and when that is final.
//!
//! ```text
//!   <origin>\n<size>\n<base64 root>\n      the note's text
//!   \n
//!   — <origin> …                           log line: key id, Ed25519 over the text
//!   — <witness> …                          key id, u64 time (big endian), Ed25519 over
//!                                          "cosignature/v1\ntime <time>\n" || text
//! ```
//!
//! Invariants:
//! - a checkpoint has no extension lines: what must be provable stands in a leaf;
//! - a cosignature counts only under a canonical, torsion-free key and a strict check, so that
//!   every verifier gives the same answer;
//! - a signature that fails under a known witness key refuses the whole note.
//!
//! Source: c2sp.org/tlog-checkpoint v1.0.0, c2sp.org/tlog-cosignature v1.0.1.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bincode::{Decode, Encode};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::merkle::NodeHash;
use crate::note::{KeyKind, KeyName, SignatureLine, VerifierKey, decode_base64};
use crate::signature::{PublicKey, Signature};

mod quorum;
mod strict;

pub use quorum::{
    AssembleError, FinalCheckpoint, QuorumError, SignedCheckpoint, Witness, verify_quorum,
    verify_quorum_of,
};
pub use strict::{StrictError, check_key, verify_strict};

/// The log's size and root, under the log's name. Its text form is the note's text.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// Name of the log, which is also the name of its key.
    pub origin: KeyName,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: NodeHash,
}

/// A text is not a checkpoint without extension lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint (expected exactly three lines: origin, size, base64 root)")]
pub struct CheckpointError;

/// One witness's word that this checkpoint is of the longest consistent log it has seen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Cosignature {
    /// Name of the witness.
    pub name: KeyName,
    /// Its key.
    pub key: PublicKey,
    /// When it signed, in seconds since the Unix epoch; for our validators the block's time.
    pub timestamp_s: u64,
    /// Over [`Checkpoint::cosigned_message`].
    pub signature: Signature,
}

impl Checkpoint {
    /// The bytes that a `cosignature/v1` signs.
    #[must_use]
    pub fn cosigned_message(&self, timestamp_s: u64) -> Vec<u8> {
        cosigned_message(&self.to_string(), timestamp_s)
    }

    /// Signs as the log: the signature line under the origin's name.
    #[must_use]
    pub fn sign(&self, log_key: &SigningKey) -> SignatureLine {
        let key = PublicKey(log_key.verifying_key().to_bytes());
        let key = VerifierKey {
            name: self.origin.clone(),
            kind: KeyKind::Ed25519,
            key,
        };
        SignatureLine {
            key_id: key.id(),
            name: key.name,
            signature: log_key
                .sign(self.to_string().as_bytes())
                .to_bytes()
                .to_vec(),
        }
    }

    /// Signs as the witness `name`.
    #[must_use]
    pub fn cosign(&self, name: KeyName, witness_key: &SigningKey, timestamp_s: u64) -> Cosignature {
        let signature = witness_key.sign(&self.cosigned_message(timestamp_s));
        Cosignature {
            name,
            key: PublicKey(witness_key.verifying_key().to_bytes()),
            timestamp_s,
            signature: Signature(signature.to_bytes()),
        }
    }
}

/// The note's text: three lines.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64_STANDARD.encode(self.root.0);
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError)?.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError);
        let (origin, size, root) = (line()?, line()?, line()?);
        let checkpoint = Self {
            origin: origin.parse().map_err(|_| CheckpointError)?,
            size: parse_decimal(size).ok_or(CheckpointError)?,
            root: NodeHash(decode_base64(root).ok_or(CheckpointError)?),
        };
        if lines.next().is_some() {
            Err(CheckpointError)
        } else {
            Ok(checkpoint)
        }
    }
}

impl Cosignature {
    /// Checks the cosignature of `checkpoint`, strictly.
    ///
    /// # Errors
    ///
    /// [`StrictError`] if the key is unfit or the signature does not verify.
    pub fn verify(&self, checkpoint: &Checkpoint) -> Result<(), StrictError> {
        verify_strict(
            &self.key,
            &checkpoint.cosigned_message(self.timestamp_s),
            &self.signature,
        )
    }

    /// The signature line it makes in a note.
    #[must_use]
    pub fn to_line(&self) -> SignatureLine {
        let (name, kind) = (self.name.clone(), KeyKind::CosignatureV1);
        let key_id = VerifierKey {
            name,
            kind,
            key: self.key,
        }
        .id();
        let signature = [&self.timestamp_s.to_be_bytes()[..], &self.signature.0].concat();
        SignatureLine {
            name: self.name.clone(),
            key_id,
            signature,
        }
    }

    /// Reads the blob of a signature line made by `witness`: 8 bytes of time, 64 of signature.
    fn from_line(witness: &Witness, line: &SignatureLine) -> Option<Self> {
        let (time, signature) = line.signature.split_first_chunk::<8>()?;
        Some(Self {
            name: witness.name.clone(),
            key: witness.key,
            timestamp_s: u64::from_be_bytes(*time),
            signature: Signature(signature.try_into().ok()?),
        })
    }
}

/// The bytes a `cosignature/v1` signs, for a note with `text`.
fn cosigned_message(text: &str, timestamp_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp_s}\n{text}").into_bytes()
}

/// Reads a number written the one way: decimal digits without sign or leading zero.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests;
