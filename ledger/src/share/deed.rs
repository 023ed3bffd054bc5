//! What a step states besides that it is taken.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::Step;
use crate::bytes_newtype;
use crate::id::{Digest, MemberId};
use crate::identifier::Identifier;

/// Most codes of one list.
pub const CODES_MAX: usize = 8;
/// Longest code in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Most inputs or outputs of one use.
pub const USED_MAX: usize = 16;

bytes_newtype! {
    /// A content key under the wrapping key of its delivery: nonce and ciphertext.
    WrappedKey, 72
}

/// A step with what it states. Its number is its step's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed {
    /// [`Step::Requested`].
    Requested,
    /// [`Step::Offered`].
    Offered {
        /// Uses that it would permit; none listed means that the document alone says.
        permits: Vec<UseCode>,
    },
    /// [`Step::Accepted`].
    Accepted,
    /// [`Step::Agreed`].
    Agreed {
        /// Uses that it permits; none listed means that the document alone says.
        permits: Vec<UseCode>,
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
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// Root over the bytes as they are handed over.
    pub root: Digest,
    /// How they are encrypted, if their key is to be released on the ledger.
    pub sealing: Option<Sealing>,
}

/// What the provider commits to before anybody has the key.
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

/// What was done with data.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// What for: `ai-training`, say.
    pub activity: UseCode,
    /// Further codes that the use must be permitted under, sorted, at most [`CODES_MAX`].
    pub codes: Vec<UseCode>,
    /// The agreements that the data came under, 1 to [`USED_MAX`].
    pub inputs: Vec<Identifier>,
    /// What was made: models, datasets; at most [`USED_MAX`].
    pub outputs: Vec<Identifier>,
}

/// The name of a use: 1 to 64 of `a-z 0-9 . : _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UseCode(String);

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
    /// No input, too many, or one twice.
    #[error("a use names 1 to {USED_MAX} inputs and at most {USED_MAX} outputs, each once")]
    Used,
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

    fn check(&self) -> Result<(), DeedError> {
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
            Self::Offered { permits } | Self::Agreed { permits } => check_codes(permits),
            Self::Used(usage) => usage.check(),
            _ => Ok(()),
        }
    }
}

impl Usage {
    /// Everything that an agreement must permit.
    pub fn purposes(&self) -> impl Iterator<Item = &UseCode> {
        std::iter::once(&self.activity).chain(&self.codes)
    }

    fn check(&self) -> Result<(), DeedError> {
        self.activity.check()?;
        check_codes(&self.codes)?;
        let distinct = |list: &[Identifier]| {
            list.iter().collect::<BTreeSet<_>>().len() == list.len() && list.len() <= USED_MAX
        };
        if self.inputs.is_empty() || !distinct(&self.inputs) || !distinct(&self.outputs) {
            return Err(DeedError::Used);
        }
        Ok(())
    }
}

fn check_codes(codes: &[UseCode]) -> Result<(), DeedError> {
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

    fn code(text: &str) -> UseCode {
        UseCode::parse(text).unwrap()
    }

    #[test]
    fn a_deed_begins_with_its_steps_number() {
        let usage = Usage {
            activity: code("ai-training"),
            codes: Vec::new(),
            inputs: vec![Identifier::uuid([1; 16])],
            outputs: Vec::new(),
        };
        let (root, to) = (Digest([1; 32]), MemberId([1; 32]));
        let deeds = [
            Deed::Requested,
            Deed::Offered {
                permits: Vec::new(),
            },
            Deed::Accepted,
            Deed::Agreed {
                permits: Vec::new(),
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
    fn codes_and_uses_have_one_spelling_and_bounds() {
        for bad in ["", "AI-training", "a b", "a/b", &"x".repeat(65)] {
            assert!(UseCode::parse(bad).is_err(), "{bad}");
        }
        let agreed = |permits: &[&str]| Deed::Agreed {
            permits: permits.iter().map(|text| code(text)).collect(),
        };
        agreed(&["ai-training", "analytics"]).check().unwrap();
        for bad in [
            &["b", "a"][..],
            &["a", "a"],
            &["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        ] {
            assert_eq!(agreed(bad).check(), Err(DeedError::Codes), "{bad:?}");
        }
        let id = |n: u8| Identifier::uuid([n; 16]);
        let used = |inputs: Vec<Identifier>, outputs: Vec<Identifier>| {
            let (activity, codes) = (code("x"), Vec::new());
            Deed::Used(Usage {
                activity,
                codes,
                inputs,
                outputs,
            })
            .check()
        };
        assert_eq!(used(vec![id(1)], vec![id(1)]), Ok(()));
        assert_eq!(used(Vec::new(), Vec::new()), Err(DeedError::Used));
        assert_eq!(used(vec![id(1), id(1)], Vec::new()), Err(DeedError::Used));
        assert_eq!(
            used((0..17).map(id).collect(), Vec::new()),
            Err(DeedError::Used)
        );
    }
}
