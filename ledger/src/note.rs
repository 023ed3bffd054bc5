//! Signed notes: a text, a blank line, and signature lines by named keys.
//!
//! ```text
//!   <text, ends in a newline>
//!
//!   — <key name> base64(key id (4 bytes) || signature)
//! ```
//!
//! Parsing is strict enough that a note has one spelling: what parses prints back byte by byte.
//!
//! Source: c2sp.org/signed-note, v1.0.0.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use crate::bytes_newtype;
use crate::signature::PublicKey;

mod name;

pub use name::{KeyName, KeyNameError};

/// Longest note in bytes, signatures included.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Most signature lines in a note. The format promises only that verifiers accept 16.
pub const SIGNATURE_LINES_MAX: usize = 64;

/// How a signature line begins: U+2014 and a space.
const LINE_PREFIX: &str = "\u{2014} ";

bytes_newtype! {
    /// Hint in a signature line at the key that made it: 4 bytes, not collision resistant.
    NoteKeyId, 4
}

/// What a key signs, as its type byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: Ed25519 over a timestamped cosignature of a checkpoint.
    CosignatureV1,
}

impl KeyKind {
    /// The type byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// A named public key of one kind. Its text form is the format's *vkey*:
/// `<name>+<key id, 8 hex digits>+base64(type byte || public key)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    /// Name under which the key signs.
    pub name: KeyName,
    /// What it signs.
    pub kind: KeyKind,
    /// The key.
    pub key: PublicKey,
}

/// Why a text is not a verifier key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierKeyError {
    /// Not `name+hexadecimal+base64`, or an unknown kind of key, or not 32 bytes of it.
    #[error("not a verifier key (expected <name>+<8 hex digits>+<base64 of type and key>)")]
    Format,
    /// The key id is not that of this name and key.
    #[error("the key id is not that of the name and key beside it")]
    OtherId,
}

impl VerifierKey {
    /// The id that signature lines carry: `SHA-256(name || 0x0A || type || key)[..4]`.
    #[must_use]
    pub fn id(&self) -> NoteKeyId {
        let [a, b, c, d, ..] = <[u8; 32]>::from(
            Sha256::new()
                .chain_update(self.name.as_str())
                .chain_update([b'\n', self.kind.byte()])
                .chain_update(self.key.0)
                .finalize(),
        );
        NoteKeyId([a, b, c, d])
    }

    /// Whether `line` claims to be by this key.
    #[must_use]
    pub fn is_named_by(&self, line: &SignatureLine) -> bool {
        self.name == line.name && self.id() == line.key_id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[self.kind.byte()], &self.key.0[..]].concat();
        write!(
            f,
            "{}+{}+{}",
            self.name,
            self.id(),
            BASE64_STANDARD.encode(typed)
        )
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        let parts = || {
            let (name, rest) = text.split_once('+')?;
            let (id, typed) = rest.split_once('+')?;
            let (kind, key) = match decode_base64::<33>(typed)? {
                [0x01, key @ ..] => (KeyKind::Ed25519, key),
                [0x04, key @ ..] => (KeyKind::CosignatureV1, key),
                _ => return None,
            };
            let key = Self {
                name: name.parse().ok()?,
                kind,
                key: PublicKey(key),
            };
            Some((id.parse::<NoteKeyId>().ok()?, key))
        };
        let (id, key) = parts().ok_or(VerifierKeyError::Format)?;
        if key.id() == id {
            Ok(key)
        } else {
            Err(VerifierKeyError::OtherId)
        }
    }
}

/// One signature of a note, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    /// Name of the key.
    pub name: KeyName,
    /// Hint at the key.
    pub key_id: NoteKeyId,
    /// What the key's kind defines: never empty.
    pub signature: Vec<u8>,
}

/// Without the newline.
impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [&self.key_id.0[..], &self.signature].concat();
        write!(
            f,
            "{LINE_PREFIX}{} {}",
            self.name,
            BASE64_STANDARD.encode(blob)
        )
    }
}

/// A text with signature lines; none of them verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// Why bytes are not a signed note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// More than [`NOTE_BYTES_MAX`].
    #[error("the note has {len} bytes, more than the {NOTE_BYTES_MAX} allowed")]
    TooLong {
        /// Length in bytes.
        len: usize,
    },
    /// Not UTF-8, or with a control character other than newline.
    #[error("the note is not plain UTF-8 text")]
    NotText,
    /// No blank line between text and signatures, or the last line is unfinished.
    #[error("the note lacks the blank line before its signatures, or its last newline")]
    NoSignatures,
    /// More than [`SIGNATURE_LINES_MAX`] signature lines.
    #[error("the note has more than {SIGNATURE_LINES_MAX} signature lines")]
    TooManySignatures,
    /// A signature line is not of the form `— <name> <base64>`.
    #[error("signature line {line} of the note is malformed")]
    SignatureLine {
        /// Number of the line among the signatures, from 1.
        line: usize,
    },
}

impl Note {
    /// Makes a note of `text`, which ends in a newline, and at least one signature line.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if the outcome would not parse back as the same note.
    pub fn new(text: String, signatures: Vec<SignatureLine>) -> Result<Self, NoteError> {
        let note = Self { text, signatures };
        if Self::parse(note.to_string().as_bytes())? == note {
            Ok(note)
        } else {
            Err(NoteError::NoSignatures)
        }
    }

    /// Parses a note.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if there are too many bytes or lines, or they are not a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { len: bytes.len() });
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if whole.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::NotText);
        }
        let (text, lines) = whole
            .rfind("\n\n")
            .and_then(|at| whole.split_at_checked(at + 1))
            .ok_or(NoteError::NoSignatures)?;
        let lines = lines
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            if at == SIGNATURE_LINES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let line = parse_line(line).ok_or(NoteError::SignatureLine { line: at + 1 })?;
            signatures.push(line);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The signed text, its last newline included.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order, not verified.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }
}

/// The note's bytes.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Option<SignatureLine> {
    let (name, blob) = line.strip_prefix(LINE_PREFIX)?.split_once(' ')?;
    let blob = BASE64_STANDARD.decode(blob).ok()?;
    let (key_id, signature) = blob.split_first_chunk::<4>()?;
    if signature.is_empty() {
        return None;
    }
    let (key_id, signature) = (NoteKeyId(*key_id), signature.to_vec());
    Some(SignatureLine {
        name: name.parse().ok()?,
        key_id,
        signature,
    })
}

/// Reads exactly `N` bytes of canonical, padded base64.
pub(crate) fn decode_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Bounded before decoding: N bytes take 4 characters for every 3.
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
