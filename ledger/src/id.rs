//! The names of things: 32-byte digests and counters, each a type of its own.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bytes_newtype;
use crate::hash::Domain;

bytes_newtype! {
    /// Identity of a ledger: BLAKE3 of its canonical genesis. Everything signed binds it.
    ChainId, 32
}
bytes_newtype! {
    /// Identity of a consortium member, derived from the name it was admitted under.
    MemberId, 32
}
bytes_newtype! {
    /// Identity of a public key: the first 16 bytes of its BLAKE3.
    KeyId, 16
}
bytes_newtype! {
    /// Identity of one envelope: BLAKE3 of all its bytes, signature included.
    EnvelopeId, 32
}
bytes_newtype! {
    /// Identity of one statement by one member on one ledger, wherever it was sent.
    StatementId, 32
}
bytes_newtype! {
    /// Identity of a block: BLAKE3 of its header. What validators vote on.
    BlockId, 32
}
bytes_newtype! {
    /// Name of an open stream: BLAKE3 of a canonical identifier.
    SubjectId, 32
}
bytes_newtype! {
    /// One use of a sealed stream by one author; meaningless without the stream's key.
    Slot, 32
}
bytes_newtype! {
    /// Root of the state tree (`jmt` over BLAKE3).
    StateRoot, 32
}
bytes_newtype! {
    /// A BLAKE3 digest whose meaning its field's name gives.
    Digest, 32
}

impl MemberId {
    const DOMAIN: Domain = Domain::new("jangbu/member-id/v1");

    /// The id of the member admitted under `name` (checked elsewhere to be a valid name).
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(Self::DOMAIN.hash(name.as_bytes()))
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
            Encode, Decode, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after this.
            ///
            /// # Panics
            ///
            /// After 2^64 − 1, which no ledger reaches.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The one before this, if any.
            #[must_use]
            pub const fn previous(self) -> Option<Self> {
                match self.0.checked_sub(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Position of a block in the chain; the genesis block is 0.
    Height
}
counter! {
    /// Position of an entry in the log; the genesis seal is 0.
    Sequence
}

/// Milliseconds since the Unix epoch, UTC. Inside rules always a block's time, never a clock.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Encode,
    Decode,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct TimeMs(pub u64);

impl TimeMs {
    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }
}
