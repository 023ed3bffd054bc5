//! What a product is made of, with every part's statements complete: nothing left out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::evidence::Evidence;
use super::subject::Complete;
use super::{Failure, SubjectReport};
use crate::id::{MemberId, Sequence, StatementId};
use crate::identifier::Identifier;
use crate::state::{LinkRecord, TransformationRecord, key};
use crate::statement::{Basis, Kind, Portion, Quantity};

/// A component tree, nearest things first. A thing that is in two products appears once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Composition {
    /// The product.
    pub root: Identifier,
    /// It and everything below it.
    pub parts: Vec<Part>,
    /// Who is in whom.
    pub edges: Vec<Edge>,
    /// Parts whose own components were not followed, because a depth was given.
    pub not_followed: Vec<Identifier>,
}

/// A product or component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// How far below the root, at the least.
    pub depth: u32,
    /// What is recorded about it.
    #[serde(flatten)]
    pub subject: SubjectReport,
}

/// How a thing came to be in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// As a component, which it still is.
    Contains,
    /// It went into it, and is no longer told apart in it.
    WentIn,
}

/// A component link, or something that went into a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The product.
    pub parent: Identifier,
    /// The component.
    pub child: Identifier,
    /// How it came to be in it.
    pub relation: Relation,
    /// The statement that asserts it.
    pub statement_id: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// Built or planned.
    pub basis: Basis,
    /// How much, when stated.
    pub quantity: Option<Quantity>,
    /// Who asserts it.
    pub asserted_by: MemberId,
    /// The asserter's name.
    pub asserted_by_name: String,
    /// The component's company, once it agreed.
    pub confirmed_by: Option<MemberId>,
    /// The confirmer's name.
    pub confirmed_by_name: Option<String>,
    /// The component's company, while it denies the link.
    pub contested_by: Option<MemberId>,
    /// Its name.
    pub contested_by_name: Option<String>,
}

impl Edge {
    /// Whether both companies stand by the link.
    #[must_use]
    pub const fn standing(&self) -> &'static str {
        match (self.confirmed_by, self.contested_by) {
            (Some(_), _) => "confirmed",
            (None, Some(_)) => "contested",
            (None, None) => "asserted",
        }
    }
}

/// Walks down from `root` through complete subjects; says which subjects it visited.
pub(super) fn verify(
    evidence: &mut Evidence<'_>,
    subjects: &BTreeMap<Identifier, Complete>,
    root: &Identifier,
    depth_max: Option<u32>,
) -> Result<Composition, Failure> {
    let mut composition = Composition {
        root: root.clone(),
        parts: Vec::new(),
        edges: Vec::new(),
        not_followed: Vec::new(),
    };
    let mut seen = BTreeSet::from([root.clone()]);
    let mut open = VecDeque::from([(root.clone(), 0u32)]);
    while let Some((identifier, depth)) = open.pop_front() {
        let Some(complete) = subjects.get(&identifier) else {
            return Err(Failure::Missing(format!(
                "the bundle does not list the statements about {identifier}"
            )));
        };
        composition.parts.push(Part {
            depth,
            subject: complete.report.clone(),
        });
        let links = links_of(evidence, &identifier, complete)?;
        if depth_max.is_some_and(|max| depth >= max) {
            if !links.is_empty() {
                composition.not_followed.push(identifier);
            }
            continue;
        }
        for edge in links {
            if seen.insert(edge.child.clone()) {
                open.push_back((edge.child.clone(), depth.saturating_add(1)));
            }
            composition.edges.push(edge);
        }
    }
    Ok(composition)
}

/// How a part stands in a product, as the state says.
struct Standing {
    confirmed_by: Option<MemberId>,
    contested_by: Option<MemberId>,
}

fn links_of(
    evidence: &mut Evidence<'_>,
    parent: &Identifier,
    complete: &Complete,
) -> Result<Vec<Edge>, Failure> {
    let mut edges = Vec::new();
    for sequence in &complete.open {
        let proved = evidence.entry(*sequence)?;
        let (id, member) = (proved.id, proved.recorded.member);
        let kind = proved.recorded.statement.kind.clone();
        let stated = match &kind {
            Kind::ComponentLinked {
                child,
                basis,
                quantity,
            } => {
                let standing = of_link(evidence, &id, (parent, child))?;
                let part = Portion {
                    of: child.clone(),
                    quantity: quantity.clone(),
                };
                vec![(Relation::Contains, *basis, part, standing)]
            }
            Kind::Transformed { inputs, .. } => {
                let standings = of_inputs(evidence, &id, (parent, inputs))?;
                let inputs = inputs.iter().cloned().zip(standings);
                inputs
                    .map(|(part, standing)| (Relation::WentIn, Basis::AsBuilt, part, standing))
                    .collect()
            }
            _ => continue,
        };
        let name = |member: &MemberId| evidence.anchor.name(member);
        for (relation, basis, part, standing) in stated {
            edges.push(Edge {
                parent: parent.clone(),
                child: part.of,
                relation,
                statement_id: id,
                sequence: *sequence,
                basis,
                quantity: part.quantity,
                asserted_by: member,
                asserted_by_name: name(&member),
                confirmed_by_name: standing.confirmed_by.as_ref().map(name),
                confirmed_by: standing.confirmed_by,
                contested_by_name: standing.contested_by.as_ref().map(name),
                contested_by: standing.contested_by,
            });
        }
    }
    Ok(edges)
}

fn of_link(
    evidence: &mut Evidence<'_>,
    id: &StatementId,
    (parent, child): (&Identifier, &Identifier),
) -> Result<Standing, Failure> {
    let fault = |reason: &str| Failure::Claim {
        claim: format!("{child} is in {parent}"),
        reason: reason.into(),
    };
    let record: LinkRecord = evidence
        .record(&key::link(id), &format!("the component link {id}"))?
        .ok_or_else(|| fault("the state has no such link"))?;
    if record.parent != parent.subject_id() || record.child != child.subject_id() {
        return Err(fault("the state's link is of other things"));
    }
    Ok(Standing {
        confirmed_by: record.confirmed_by,
        contested_by: record.contested_by,
    })
}

/// How each thing stands that went into a transformation, in the statement's order.
fn of_inputs(
    evidence: &mut Evidence<'_>,
    id: &StatementId,
    (product, inputs): (&Identifier, &[Portion]),
) -> Result<Vec<Standing>, Failure> {
    let fault = |reason: &str| Failure::Claim {
        claim: format!("{product} came out of the transformation {id}"),
        reason: reason.into(),
    };
    let record: TransformationRecord = evidence
        .record(
            &key::transformation(id),
            &format!("the transformation {id}"),
        )?
        .ok_or_else(|| fault("the state has no such transformation"))?;
    let stated = inputs.iter().map(|input| input.of.subject_id());
    let known = record.inputs.iter().map(|input| input.subject);
    if !record.outputs.contains(&product.subject_id()) || !stated.eq(known) {
        return Err(fault("the state's transformation is of other things"));
    }
    let standing = |input: &crate::state::InputRecord| Standing {
        confirmed_by: input.confirmed_by,
        contested_by: input.contested_by,
    };
    Ok(record.inputs.iter().map(standing).collect())
}
