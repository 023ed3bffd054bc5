//! What rules know of what is in what: links, transformations, balances, containers.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::{MemberId, StatementId, SubjectId};
use crate::statement::{Amount, Quantity};

/// An asserted component link.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct LinkRecord {
    /// The product.
    pub parent: SubjectId,
    /// The component.
    pub child: SubjectId,
    /// How much of it was built in, when stated; what is only planned takes nothing away.
    pub built_in: Option<Quantity>,
    /// The component's company, once it agreed (or at once, if it is the product's own).
    pub confirmed_by: Option<MemberId>,
    /// The component's company, while it denies the link.
    pub contested_by: Option<MemberId>,
}

/// What a subject is confirmed to be made of, one step down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// A component that both companies stand by.
    Subject(SubjectId),
    /// A transformation: whatever is confirmed to have gone into it.
    Transformation(StatementId),
}

/// A transformation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TransformationRecord {
    /// What came out, in the statement's order.
    pub outputs: Vec<SubjectId>,
    /// What went in, in the statement's order.
    pub inputs: Vec<InputRecord>,
}

/// Something that went into a transformation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct InputRecord {
    /// What.
    pub subject: SubjectId,
    /// How much of it, when stated.
    pub quantity: Option<Quantity>,
    /// Who had it and stands by its use: at once, if that was who used it.
    pub confirmed_by: Option<MemberId>,
    /// Its company, while it denies the use.
    pub contested_by: Option<MemberId>,
}

/// How much of a thing was made and how much went into other things, as far as stated by those who
/// had it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct BalanceRecord {
    /// Unit by unit, in the order of their names.
    pub units: Vec<UnitBalance>,
}

/// A balance in one unit.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct UnitBalance {
    /// The unit.
    pub unit: String,
    /// How much was made, if its company stated it in this unit.
    pub produced: Option<Amount>,
    /// How much went into other things.
    pub consumed: Amount,
}

/// Something in a container.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct PackedRecord {
    /// The statement that it was put in.
    pub statement: StatementId,
    /// Whether who said so had it then; else its company may not know.
    pub agreed: bool,
    /// Whether it is still in.
    pub inside: bool,
}
