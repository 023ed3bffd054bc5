//! Why a founding document is refused: where, what is wrong, what to do.

use jangbu_ledger::json;
use serde::de::DeserializeOwned;

use crate::document::GENESIS_BYTES_MAX;

/// Why a genesis document, or a file of the ceremony that makes one, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Too long.
    #[error("it has {0} bytes, a file of the founding has at most {GENESIS_BYTES_MAX}")]
    TooLong(usize),
    /// Nothing in it.
    #[error("it is empty; get it again from another member")]
    Empty,
    /// Not JSON, or JSON that readers disagree about.
    #[error("it is damaged: {0}; get it again from another member")]
    Malformed(String),
    /// JSON, of another shape.
    #[error("{path}: {reason}; is it the right file, of this program's version?")]
    Shape {
        /// Where in the document, like `content.members[2].role`.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// A field breaks a rule.
    #[error("{field}: {reason}")]
    Field {
        /// Where in the document.
        field: String,
        /// The value, what is wrong with it, what would be right.
        reason: String,
    },
    /// A signature is missing or does not verify: the content was changed after it was signed.
    #[error("it was altered or is not signed by all: {0}")]
    Signature(String),
}

pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> GenesisError {
    GenesisError::Field {
        field: field.into(),
        reason: reason.into(),
    }
}

/// Reads a JSON file strictly and says where it is not as expected.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, GenesisError> {
    if bytes.len() > GENESIS_BYTES_MAX {
        return Err(GenesisError::TooLong(bytes.len()));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(GenesisError::Empty);
    }
    let value = json::parse(bytes).map_err(|error| GenesisError::Malformed(error.to_string()))?;
    serde_path_to_error::deserialize(value).map_err(|error| GenesisError::Shape {
        path: match error.path().to_string() {
            path if path == "." => "the document".to_owned(),
            path => json::brief(&path),
        },
        reason: json::brief(&error.into_inner()),
    })
}

/// A name that stands in checkpoints, paths and host names alike.
pub(crate) fn check_name(
    what: &str,
    name: &str,
    min: usize,
    max: usize,
) -> Result<(), GenesisError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (min..=max).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        let shown: String = name.chars().take(80).collect();
        Err(field(
            what,
            format!("{shown:?} is no name; write {min} to {max} of a-z, 0-9 and -"),
        ))
    }
}
