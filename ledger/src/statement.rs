//! A statement: one thing one member says, and where it belongs.
//!
//! The ledger records *who said what, when*; it never claims that it is true. What is said
//! stands in a body that stays off the ledger, under a salted commitment; the statement itself
//! shows its kind, the streams it belongs to, and what the rules need.
//!
//! Source: `docs/format.md`, section 3.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::commitment::Commitment;
use crate::equivocation::{Equivocation, EquivocationError};
use crate::hash::Domain;
use crate::id::{ChainId, Digest, KeyId, MemberId, Slot, StatementId};
use crate::identifier::Identifier;

/// Largest canonical encoding of one statement, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 4096;
/// Most streams one statement may belong to.
pub const STREAMS_MAX: usize = 16;
/// Most earlier statements one statement may refer to.
pub const REFERENCES_MAX: usize = 16;
/// Largest opaque payload in bytes; a sealed statement has exactly this many.
pub const PAYLOAD_BYTES_MAX: usize = 512;
/// Longest unit of a quantity, in bytes.
const UNIT_BYTES_MAX: usize = 32;
/// Most decimal places of a quantity.
const QUANTITY_SCALE_MAX: u8 = 9;

/// One thing one member says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Statement {
    /// What is said, with the public fields that rules read.
    pub kind: Kind,
    /// 0, or which repetition this is of a fact that legitimately repeats.
    pub occurrence: u32,
    /// The streams this belongs to, at most [`STREAMS_MAX`].
    pub streams: Vec<Stream>,
    /// Salted commitment to the body, which stays off the ledger.
    pub commitment: Commitment,
    /// Earlier statements this one is about, at most [`REFERENCES_MAX`].
    pub references: Vec<StatementId>,
    /// Opaque bytes, at most [`PAYLOAD_BYTES_MAX`].
    #[serde(with = "hex::serde")]
    pub payload: Vec<u8>,
}

/// One stream: everything ever said about one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// What the owner of an identifier says about it.
    Open(Identifier),
    /// What others say about it, counted apart so that nobody can flood or squat.
    Claims(Identifier),
    /// One slot of a sealed stream; only who holds the stream's key knows which stream.
    Sealed(Slot),
}

/// What kind of thing is said.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A product passport, version 1.
    PassportIssued {
        /// Model, batch or item.
        granularity: Granularity,
        /// Digest of the schema's name that the document follows.
        schema: Digest,
    },
    /// The next version of a passport.
    PassportSuperseded {
        /// The new version: the current one plus 1.
        version: u32,
        /// Digest of the schema's name that the document follows.
        schema: Digest,
    },
    /// A passport that must no longer be relied on.
    PassportRevoked {
        /// Why.
        reason: RevocationReason,
    },
    /// The subject is one of, or one batch of, something coarser.
    GranularityLinked {
        /// The batch or model it belongs to.
        part_of: Identifier,
    },
    /// The subject contains a component.
    ComponentLinked {
        /// The component.
        child: Identifier,
        /// Whether this states what was built or what is planned.
        basis: Basis,
        /// How much of it, when stated.
        quantity: Option<Quantity>,
    },
    /// The component's own company agrees with a link another company asserted.
    ComponentConfirmed {
        /// The statement that asserted the link.
        link: StatementId,
    },
    /// Something happened to the subjects (an EPCIS event, say).
    Observed {
        /// Which sort of event.
        event: EventType,
    },
    /// A statement whose kind and content only the stream's parties can read.
    Sealed,
    /// From the next block on, a key of the author's no longer signs.
    KeyRevoked {
        /// The key.
        key: KeyId,
    },
    /// A validator contradicted itself, and here is the proof.
    EvidenceRecorded {
        /// What it signed.
        equivocation: Box<Equivocation>,
    },
}

/// How coarse the thing is that a passport describes.
///
/// Source: Regulation (EU) 2024/1781 (ESPR), Article 9(2)(d).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// One physical thing.
    Item,
    /// All things made in one run.
    Batch,
    /// A type of product.
    Model,
}

/// Why a passport was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// Issued in error.
    Erroneous,
    /// The product was withdrawn from the market.
    Withdrawn,
    /// Replaced by a passport of another subject.
    Replaced,
    /// None of these; the body says more.
    Unspecified,
}

/// Whether a composition was built or is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// This very part is in this very product.
    AsBuilt,
    /// Parts of this type are meant to be in products of this type.
    AsPlanned,
}

/// Sort of an observed event.
///
/// Source: EPCIS 2.0, section 7.4; `Other` for what EPCIS has no event for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// Something happened to one or more objects.
    Object,
    /// Objects were put into or taken out of a container.
    Aggregation,
    /// Inputs were consumed, outputs produced.
    Transformation,
    /// Objects were tied to a business transaction.
    Transaction,
    /// Objects were joined to another for long.
    Association,
    /// An event that EPCIS does not name.
    Other,
}

/// An exact decimal amount with its unit: `mantissa × 10^-scale unit`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Quantity {
    /// The digits.
    pub mantissa: u64,
    /// How many of the digits are decimal places, at most 9; no trailing zeros among them.
    pub scale: u8,
    /// Unit as the source names it, at most 32 bytes (`unit:piece`, `KGM`).
    pub unit: String,
}

impl Quantity {
    /// Reads a decimal number (`2.5`, `16`) with its unit; `None` unless it is exact, not
    /// negative, and within bounds.
    #[must_use]
    pub fn parse(number: &str, unit: &str) -> Option<Self> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction = fraction.trim_end_matches('0');
        let scale = u8::try_from(fraction.len())
            .ok()
            .filter(|s| *s <= QUANTITY_SCALE_MAX)?;
        let digits = format!("{whole}{fraction}");
        if whole.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let quantity = Self {
            mantissa: digits.parse().ok()?,
            scale,
            unit: unit.to_owned(),
        };
        quantity.is_canonical().then_some(quantity)
    }

    fn is_canonical(&self) -> bool {
        self.scale <= QUANTITY_SCALE_MAX
            && (self.scale == 0 || !self.mantissa.is_multiple_of(10))
            && self.unit.len() <= UNIT_BYTES_MAX
            && !self.unit.chars().any(char::is_control)
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = format!(
            "{:0>width$}",
            self.mantissa,
            width = usize::from(self.scale) + 1
        );
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(self.scale));
        f.write_str(whole)?;
        if !fraction.is_empty() {
            write!(f, ".{fraction}")?;
        }
        write!(f, " {}", self.unit)
    }
}

/// Why a statement is not even well formed. Whoever signed it made the mistake; no state is
/// needed to see it, so an envelope that holds one is never admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Longer than [`STATEMENT_BYTES_MAX`].
    #[error("the statement has {0} bytes; at most {STATEMENT_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// The number or sort of streams does not fit the kind.
    #[error("{kind} belongs to {expected}")]
    Streams {
        /// The kind's name.
        kind: &'static str,
        /// What it needs instead.
        expected: &'static str,
    },
    /// The same stream twice.
    #[error("a statement names the same stream twice")]
    RepeatedStream,
    /// More than [`REFERENCES_MAX`], or any on a sealed statement.
    #[error("{0} references; at most {REFERENCES_MAX} are allowed, and none when sealed")]
    References(usize),
    /// Over the limit, or not the fixed size of a sealed statement.
    #[error("the payload has {0} bytes; at most {PAYLOAD_BYTES_MAX} (sealed: exactly as many)")]
    Payload(usize),
    /// A quantity with trailing zeros, too many places or an overlong unit.
    #[error("the quantity is not canonical: no trailing zeros, at most 9 places, unit <= 32 bytes")]
    Quantity,
    /// A component or a coarser product that is the subject itself.
    #[error("a subject cannot be linked to itself")]
    SelfLink,
    /// A sealed statement that counts occurrences in the clear.
    #[error("a sealed statement carries its occurrence inside")]
    SealedOccurrence,
    /// Two messages that prove nothing, whoever signed them.
    #[error("the evidence shows nothing: {0}")]
    Evidence(#[from] EquivocationError),
}

impl Kind {
    /// The kind's name as JSON, errors and documents write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PassportIssued { .. } => "passport_issued",
            Self::PassportSuperseded { .. } => "passport_superseded",
            Self::PassportRevoked { .. } => "passport_revoked",
            Self::GranularityLinked { .. } => "granularity_linked",
            Self::ComponentLinked { .. } => "component_linked",
            Self::ComponentConfirmed { .. } => "component_confirmed",
            Self::Observed { .. } => "observed",
            Self::Sealed => "sealed",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::EvidenceRecorded { .. } => "evidence_recorded",
        }
    }
}

impl Statement {
    const ID_DOMAIN: Domain = Domain::new("jangbu/statement-id/v1");

    /// The statement's identity on a ledger when `member` says it.
    ///
    /// Slots do not count: the same sealed step sent again, into the next slot because a script
    /// lost its memory, is still the same statement.
    #[must_use]
    pub fn id(&self, chain: &ChainId, member: &MemberId) -> StatementId {
        let mut without_slots = self.clone();
        for stream in &mut without_slots.streams {
            if let Stream::Sealed(slot) = stream {
                *slot = Slot([0; 32]);
            }
        }
        StatementId(Self::ID_DOMAIN.hash_of(&(chain, member, without_slots)))
    }

    /// The open identifier whose owner speaks, for the kinds that have exactly one.
    #[must_use]
    pub fn subject(&self) -> Option<&Identifier> {
        match self.streams.first() {
            Some(Stream::Open(identifier) | Stream::Claims(identifier)) => Some(identifier),
            _ => None,
        }
    }

    /// Checks everything that needs no state.
    ///
    /// # Errors
    ///
    /// [`ShapeError`], the first found.
    pub fn check_shape(&self) -> Result<(), ShapeError> {
        let bytes = codec::encode(self).len();
        if bytes > STATEMENT_BYTES_MAX {
            return Err(ShapeError::TooLong(bytes));
        }
        let sealed = matches!(self.kind, Kind::Sealed);
        if self.references.len() > if sealed { 0 } else { REFERENCES_MAX } {
            return Err(ShapeError::References(self.references.len()));
        }
        if self.payload.len() > PAYLOAD_BYTES_MAX
            || (sealed && self.payload.len() != PAYLOAD_BYTES_MAX)
        {
            return Err(ShapeError::Payload(self.payload.len()));
        }
        if sealed && self.occurrence != 0 {
            return Err(ShapeError::SealedOccurrence);
        }
        self.check_streams()?;
        match (&self.kind, self.subject()) {
            (Kind::ComponentLinked { child: other, .. }, Some(subject))
            | (Kind::GranularityLinked { part_of: other }, Some(subject))
                if other == subject =>
            {
                return Err(ShapeError::SelfLink);
            }
            (
                Kind::ComponentLinked {
                    quantity: Some(quantity),
                    ..
                },
                _,
            ) if !quantity.is_canonical() => {
                return Err(ShapeError::Quantity);
            }
            (Kind::EvidenceRecorded { equivocation }, _) => equivocation.check_shape()?,
            _ => {}
        }
        Ok(())
    }

    fn check_streams(&self) -> Result<(), ShapeError> {
        let mut sorted: Vec<&Stream> = self.streams.iter().collect();
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ShapeError::RepeatedStream);
        }
        let (fits, expected) = match (&self.kind, self.streams.as_slice()) {
            (
                Kind::PassportIssued { .. }
                | Kind::PassportSuperseded { .. }
                | Kind::PassportRevoked { .. }
                | Kind::GranularityLinked { .. }
                | Kind::ComponentLinked { .. },
                streams,
            ) => (
                matches!(streams, [Stream::Open(_)]),
                "exactly one open stream, its subject's",
            ),
            (Kind::ComponentConfirmed { .. }, streams) => (
                matches!(streams, [Stream::Claims(_)]),
                "exactly one claims stream, the product's",
            ),
            (Kind::Observed { .. }, streams) => (
                (1..=STREAMS_MAX).contains(&streams.len())
                    && !streams.iter().any(|s| matches!(s, Stream::Sealed(_))),
                "1 to 16 open or claims streams",
            ),
            (Kind::Sealed, streams) => (matches!(streams, [Stream::Sealed(_)]), "exactly one slot"),
            (Kind::KeyRevoked { .. } | Kind::EvidenceRecorded { .. }, streams) => {
                (streams.is_empty(), "no stream")
            }
        };
        if fits {
            Ok(())
        } else {
            Err(ShapeError::Streams {
                kind: self.kind.name(),
                expected,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_shows_as_it_was_written() {
        for text in ["2.5", "16", "0.001", "0"] {
            assert_eq!(
                Quantity::parse(text, "L").unwrap().to_string(),
                format!("{text} L")
            );
        }
        assert_eq!(Quantity::parse("2.50", "L"), Quantity::parse("2.5", "L"));
        for bad in [
            "",
            "-1",
            "1e3",
            ".5",
            "1.2.3",
            "99999999999999999999",
            "0.1234567891",
        ] {
            assert_eq!(Quantity::parse(bad, "L"), None, "{bad}");
        }
    }
}
