//! The links that statements state, before it is known how they stand.

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Basis, Kind, Quantity, Statement};
use schemars::JsonSchema;
use serde::Serialize;

/// What the parent has to do with the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Relation {
    /// It contains it.
    Contains,
    /// It is an item or a batch of it.
    IsOf,
    /// It was made of it, used.
    MadeOf,
    /// It came out of what it went into.
    WentIn,
    /// It is a container that it is in.
    Holds,
}

/// A link as a statement states it, before it is known how it stands.
pub(super) struct Stated<'s> {
    pub(super) parent: &'s Identifier,
    pub(super) child: &'s Identifier,
    pub(super) relation: Relation,
    pub(super) basis: Basis,
    pub(super) quantity: Option<&'s Quantity>,
}

/// The links that a statement states.
pub(super) fn stated(said: &Statement) -> Vec<Stated<'_>> {
    let Some(subject) = said.subject() else {
        return Vec::new();
    };
    let link = |child, relation| Stated {
        parent: subject,
        child,
        relation,
        basis: Basis::AsBuilt,
        quantity: None,
    };
    match &said.kind {
        Kind::ComponentLinked {
            child,
            basis,
            quantity,
        } => vec![Stated {
            basis: *basis,
            quantity: quantity.as_ref(),
            ..link(child, Relation::Contains)
        }],
        Kind::GranularityLinked { part_of } => vec![link(part_of, Relation::IsOf)],
        Kind::Derived { predecessors, .. } => {
            let used = predecessors.iter();
            used.map(|used| link(used, Relation::MadeOf)).collect()
        }
        Kind::Aggregated { children } => {
            let inside = children.iter();
            inside.map(|child| link(child, Relation::Holds)).collect()
        }
        Kind::Transformed { inputs, outputs } => {
            let each = outputs
                .iter()
                .flat_map(|output| inputs.iter().map(move |input| (output, input)));
            each.map(|(output, input)| Stated {
                parent: &output.of,
                quantity: input.quantity.as_ref(),
                ..link(&input.of, Relation::WentIn)
            })
            .collect()
        }
        _ => Vec::new(),
    }
}
