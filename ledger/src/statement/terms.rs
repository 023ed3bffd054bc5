//! The words that kinds of statements choose from.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// How coarse the thing is that a passport describes.
///
/// Source: Regulation (EU) 2024/1781 (ESPR), Article 9(2)(d).
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// What became of a product.
///
/// Source: Regulation (EU) 2023/1542, Article 3(1), on the fates of batteries.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its materials were recovered.
    Recycled,
    /// It was disposed of.
    Disposed,
    /// It left the market that the passport is for.
    Exported,
    /// It was lost or destroyed.
    Lost,
}

/// How used things came to new use.
///
/// Source: Regulation (EU) 2023/1542, Article 3(1)(30) to (33).
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondLife {
    /// For the same purpose, without change.
    Reused,
    /// Checked, cleaned or repaired for the same purpose.
    PreparedForReuse,
    /// For another purpose.
    Repurposed,
    /// Disassembled and made as new.
    Remanufactured,
}

/// What is handed over from member to member.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Handed {
    /// Who answers for the product and speaks in its stream.
    Responsibility,
    /// Who has it.
    Custody,
}

/// What a notice is of.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSort {
    /// Give it back.
    Recall,
    /// Do not sell it.
    MarketHold,
    /// Use it with care.
    Safety,
}
