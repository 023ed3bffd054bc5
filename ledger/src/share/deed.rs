//! What a step states besides that it is taken.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Step, Usage, UsageError};
use crate::bytes_newtype;
use crate::id::{Digest, MemberId};
use crate::identifier::Identifier;

/// Most codes of one list.
pub const CODES_MAX: usize = 8;
/// Longest code in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Most datasets that one contract lists.
pub const DATA_MAX: usize = 16;

bytes_newtype! {
    /// A content key under the wrapping key of its delivery: nonce and ciphertext.
    WrappedKey, 72
}

/// A step with what it states. Its number is its step's.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed {
    /// [`Step::Requested`].
    Requested,
    /// [`Step::Offered`].
    Offered {
        /// Uses that it would permit; none listed means that the document alone says.
        permits: Vec<UseCode>,
        /// Which data it would be about, sorted; none listed means that the document alone says.
        data: Vec<Identifier>,
    },
    /// [`Step::Accepted`].
    Accepted,
    /// [`Step::Agreed`].
    Agreed {
        /// Uses that it permits; none listed means that the document alone says.
        permits: Vec<UseCode>,
        /// Which data it is about, sorted; none listed means that the document alone says.
        data: Vec<Identifier>,
    },
    /// [`Step::Verified`].
    Verified,
    /// [`Step::Finalized`].
    Finalized,
    /// [`Step::Terminated`].
    Terminated,
    /// [`Step::TransferRequested`].
    TransferRequested,
    /// [`Step::TransferStarted`].
    TransferStarted {
        /// What is sent; nothing new if the transfer only goes on.
        sent: Option<Sent>,
    },
    /// [`Step::Received`].
    Received {
        /// Root of what arrived.
        root: Digest,
    },
    /// [`Step::TransferSuspended`].
    TransferSuspended,
    /// [`Step::TransferCompleted`].
    TransferCompleted,
    /// [`Step::TransferTerminated`].
    TransferTerminated,
    /// [`Step::KeyReleased`].
    KeyReleased {
        /// The content key, for the consumer only.
        wrapped: WrappedKey,
    },
    /// [`Step::Confirmed`].
    Confirmed,
    /// [`Step::Rejected`].
    Rejected {
        /// What is wrong.
        reason: Rejection,
    },
    /// [`Step::Used`].
    Used(Usage),
    /// [`Step::Retired`].
    Retired,
    /// [`Step::RetirementAcknowledged`].
    RetirementAcknowledged,
    /// [`Step::DeletionConfirmed`].
    DeletionConfirmed,
    /// [`Step::Disputed`].
    Disputed,
    /// [`Step::Resolved`].
    Resolved,
    /// [`Step::Granted`].
    Granted {
        /// Who reads the stream from now on.
        to: MemberId,
    },
}

/// What a start sends.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// Root over the bytes as they are handed over.
    pub root: Digest,
    /// How they are encrypted, if their key is to be released on the ledger.
    pub sealing: Option<Sealing>,
}

/// What the provider commits to before anybody has the key.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealing {
    /// Root over the salted hashes of the content's chunks.
    pub content_root: Digest,
    /// Hash of the key that the content key will be wrapped in.
    pub wrap: Digest,
    /// Bytes of content.
    pub bytes: u64,
}

/// Why a consumer rejects.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rejection {
    /// What arrived has another root than what was sent.
    Differs {
        /// Its root.
        root: Digest,
    },
    /// It was received, and its key was not released.
    NoKey,
    /// The released key is not the one that was committed to.
    WrongKey,
    /// A chunk is not the one that was committed to.
    WrongChunk {
        /// Which, from 0.
        index: u64,
    },
    /// It is not what was agreed on; the document says more.
    Unfit,
}

/// The name of a use: 1 to 64 of `a-z 0-9 . : _ -`.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UseCode(
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[a-z0-9.:_-]{1,64}$")))] String,
);

/// Why a deed is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeedError {
    /// Not a [`UseCode`].
    #[error("{0:?} is no use code: 1 to {CODE_BYTES_MAX} of a-z 0-9 . : _ -")]
    Code(String),
    /// Too many, unsorted or repeated codes.
    #[error("a list has at most {CODES_MAX} use codes, sorted, each once")]
    Codes,
    /// Too many, unsorted or repeated datasets of a contract.
    #[error("a contract lists at most {DATA_MAX} datasets, sorted, each once")]
    Data,
    /// A use that states what cannot be.
    #[error(transparent)]
    Usage(#[from] UsageError),
}

impl UseCode {
    /// Training of a model.
    pub const AI_TRAINING: &'static str = "ai-training";

    /// Reads a code.
    ///
    /// # Errors
    ///
    /// [`DeedError::Code`] if it is none.
    pub fn parse(text: &str) -> Result<Self, DeedError> {
        let code = Self(text.to_owned());
        code.check().map(|()| code)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn check(&self) -> Result<(), DeedError> {
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".:_-".contains(&byte)
        };
        if (1..=CODE_BYTES_MAX).contains(&self.0.len()) && self.0.bytes().all(plain) {
            Ok(())
        } else {
            Err(DeedError::Code(self.0.chars().take(80).collect()))
        }
    }
}

impl std::fmt::Display for UseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for UseCode {
    type Err = DeedError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Deed {
    /// The step it is.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Requested => Step::Requested,
            Self::Offered { .. } => Step::Offered,
            Self::Accepted => Step::Accepted,
            Self::Agreed { .. } => Step::Agreed,
            Self::Verified => Step::Verified,
            Self::Finalized => Step::Finalized,
            Self::Terminated => Step::Terminated,
            Self::TransferRequested => Step::TransferRequested,
            Self::TransferStarted { .. } => Step::TransferStarted,
            Self::Received { .. } => Step::Received,
            Self::TransferSuspended => Step::TransferSuspended,
            Self::TransferCompleted => Step::TransferCompleted,
            Self::TransferTerminated => Step::TransferTerminated,
            Self::KeyReleased { .. } => Step::KeyReleased,
            Self::Confirmed => Step::Confirmed,
            Self::Rejected { .. } => Step::Rejected,
            Self::Used(_) => Step::Used,
            Self::Retired => Step::Retired,
            Self::RetirementAcknowledged => Step::RetirementAcknowledged,
            Self::DeletionConfirmed => Step::DeletionConfirmed,
            Self::Disputed => Step::Disputed,
            Self::Resolved => Step::Resolved,
            Self::Granted { .. } => Step::Granted,
        }
    }

    /// Checks what needs no state.
    ///
    /// # Errors
    ///
    /// [`DeedError`], the first found.
    pub fn check(&self) -> Result<(), DeedError> {
        match self {
            Self::Offered { permits, data } | Self::Agreed { permits, data } => {
                check_codes(permits)?;
                let sorted = data.windows(2).all(|pair| pair[0] < pair[1]);
                if sorted && data.len() <= DATA_MAX {
                    Ok(())
                } else {
                    Err(DeedError::Data)
                }
            }
            Self::Used(usage) => usage.check(),
            _ => Ok(()),
        }
    }
}

pub(super) fn check_codes(codes: &[UseCode]) -> Result<(), DeedError> {
    codes.iter().try_for_each(UseCode::check)?;
    let sorted = codes.windows(2).all(|pair| pair[0] < pair[1]);
    if sorted && codes.len() <= CODES_MAX {
        Ok(())
    } else {
        Err(DeedError::Codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::share::Input;

    fn code(text: &str) -> UseCode {
        UseCode::parse(text).unwrap()
    }

    #[test]
    fn a_deed_begins_with_its_steps_number() {
        let inputs = vec![Input::under(Identifier::uuid([1; 16]))];
        let usage = Usage::new(code("ai-training"), inputs, Vec::new());
        let (root, to) = (Digest([1; 32]), MemberId([1; 32]));
        let deeds = [
            Deed::Requested,
            Deed::Offered {
                permits: Vec::new(),
                data: Vec::new(),
            },
            Deed::Accepted,
            Deed::Agreed {
                permits: Vec::new(),
                data: Vec::new(),
            },
            Deed::Verified,
            Deed::Finalized,
            Deed::Terminated,
            Deed::TransferRequested,
            Deed::TransferStarted { sent: None },
            Deed::Received { root },
            Deed::TransferSuspended,
            Deed::TransferCompleted,
            Deed::TransferTerminated,
            Deed::KeyReleased {
                wrapped: WrappedKey([0; 72]),
            },
            Deed::Confirmed,
            Deed::Rejected {
                reason: Rejection::Unfit,
            },
            Deed::Used(usage),
            Deed::Retired,
            Deed::RetirementAcknowledged,
            Deed::DeletionConfirmed,
            Deed::Disputed,
            Deed::Resolved,
            Deed::Granted { to },
        ];
        for (deed, step) in deeds.iter().zip(Step::ALL) {
            assert_eq!(deed.step(), step);
            assert_eq!(codec::encode(deed)[0], codec::encode(&step)[0]);
            let named = serde_json::to_value(deed).unwrap();
            assert_eq!(named["step"], step.name());
            assert_eq!(serde_json::from_value::<Deed>(named).unwrap(), *deed);
            deed.check().unwrap();
        }
        assert_eq!(deeds.len(), Step::ALL.len());
    }

    #[test]
    fn what_a_contract_lists_has_one_spelling_and_bounds() {
        for bad in ["", "AI-training", "a b", "a/b", &"x".repeat(65)] {
            assert!(UseCode::parse(bad).is_err(), "{bad}");
        }
        let agreed = |permits: &[&str]| Deed::Agreed {
            permits: permits.iter().map(|text| code(text)).collect(),
            data: Vec::new(),
        };
        agreed(&["ai-training", "analytics"]).check().unwrap();
        for bad in [
            &["b", "a"][..],
            &["a", "a"],
            &["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        ] {
            assert_eq!(agreed(bad).check(), Err(DeedError::Codes), "{bad:?}");
        }
        let about = |data: &[u8]| Deed::Agreed {
            permits: Vec::new(),
            data: data.iter().map(|n| Identifier::uuid([*n; 16])).collect(),
        };
        about(&[1, 2]).check().unwrap();
        let many: Vec<u8> = (0..17).collect();
        for bad in [&[2, 1][..], &[1, 1], &many] {
            assert_eq!(about(bad).check(), Err(DeedError::Data), "{bad:?}");
        }
    }
}
