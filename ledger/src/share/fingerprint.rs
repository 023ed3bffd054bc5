//! What tells one version of something from all others: code, an environment, a model's files.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bytes_newtype;
use crate::id::Digest;

bytes_newtype! {
    /// The name of a Git commit, which is a SHA-1 hash.
    GitCommit, 20
}

/// A digest with its algorithm, named as in in-toto's digest sets.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(into = "String", try_from = "String")]
#[cfg_attr(
    feature = "schema",
    schemars(extend("pattern" = "^((blake3|sha256):[0-9a-f]{64}|gitCommit:[0-9a-f]{40})$"))
)]
pub enum Fingerprint {
    /// BLAKE3 of the bytes.
    Blake3(Digest),
    /// SHA-256 of the bytes; of a container image's manifest, say.
    Sha256(Digest),
    /// A commit, whoever has its repository.
    GitCommit(GitCommit),
}

/// Not a [`Fingerprint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no digest: write blake3: or sha256: and 64 hexadecimal digits, or gitCommit: and 40, \
     all in lower case"
)]
pub struct FingerprintError(String);

impl Fingerprint {
    /// The algorithm's name.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Blake3(_) => "blake3",
            Self::Sha256(_) => "sha256",
            Self::GitCommit(_) => "gitCommit",
        }
    }

    /// The digest in hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        match self {
            Self::Blake3(digest) | Self::Sha256(digest) => digest.to_string(),
            Self::GitCommit(commit) => commit.to_string(),
        }
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = FingerprintError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = match text.split_once(':') {
            Some(("blake3", hex)) => hex.parse().ok().map(Self::Blake3),
            Some(("sha256", hex)) => hex.parse().ok().map(Self::Sha256),
            Some(("gitCommit", hex)) => hex.parse().ok().map(Self::GitCommit),
            _ => None,
        };
        // One spelling: what is read is what is written.
        read.filter(|read| read.to_string() == text)
            .ok_or_else(|| FingerprintError(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling_with_its_algorithm() {
        for text in [
            format!("blake3:{}", "0a".repeat(32)),
            format!("sha256:{}", "0b".repeat(32)),
            format!("gitCommit:{}", "0c".repeat(20)),
        ] {
            let read: Fingerprint = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        for bad in [
            "0a".repeat(32),
            format!("sha256:{}", "0B".repeat(32)),
            format!("sha256:{}", "0b".repeat(20)),
            format!("sha1:{}", "0b".repeat(20)),
            "gitCommit:".to_owned(),
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }
}
