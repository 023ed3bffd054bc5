//! What a product is made of, and what contains it, as far as this ledger says.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::block::EntryBody;
use jangbu_ledger::id::{MemberId, Sequence, StatementId, SubjectId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::state::{LinkRecord, SubjectRecord, key};
use jangbu_ledger::statement::{Basis, Kind, Quantity};
use jangbu_replica::store::StreamSide;
use serde::{Deserialize, Serialize};

use super::Node;
use super::ahead::Ahead;
use super::item;
use super::limits::read;
use super::params::{self, Params};
use super::problem::Problem;
use super::subjects::{PassportAnswer, record};
use crate::store::StreamPosition;

/// Deepest walk.
const DEPTH_MAX: u32 = 64;
/// Most things in one answer.
const NODES_MAX: usize = 100_000;
/// Most links in one answer.
const EDGES_MAX: usize = 200_000;
/// Most statements looked at for one answer.
const STATEMENTS_MAX: usize = 1_000_000;
/// Things whose links are looked up together.
const AHEAD: usize = 256;
/// Statements of one stream read at a time.
const CHUNK: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    identifier: String,
    depth: Option<u32>,
    #[serde(default)]
    direction: Direction,
}

/// Which way to walk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    /// What it contains.
    #[default]
    Down,
    /// What contains it, is one of it, or was made of it: whatever a recall of it reaches.
    Up,
}

#[derive(Debug, Serialize)]
pub(super) struct Trace {
    root: Identifier,
    nodes: Vec<TraceNode>,
    edges: Vec<TraceEdge>,
    truncated: bool,
}

#[derive(Debug, Serialize)]
struct TraceNode {
    identifier: Identifier,
    known: bool,
    owner_name: Option<String>,
    passport: Option<PassportAnswer>,
    closed: bool,
    depth: u32,
}

#[derive(Debug, Serialize)]
struct TraceEdge {
    parent: Identifier,
    child: Identifier,
    relation: Relation,
    statement_id: StatementId,
    sequence: Sequence,
    basis: Basis,
    quantity: Option<Quantity>,
    status: &'static str,
    asserted_by: String,
    confirmed_by: Option<String>,
    contested_by: Option<String>,
}

/// What the parent has to do with the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Relation {
    /// It contains it.
    Contains,
    /// It is an item or a batch of it.
    IsOf,
    /// It was made of it, used.
    MadeOf,
}

pub(super) async fn trace(
    State(node): State<Arc<Node>>,
    Params(params): Params<From>,
) -> Result<Json<Trace>, Problem> {
    let root = params::identifier(&params.identifier)?;
    let depth_max = params.depth.unwrap_or(DEPTH_MAX);
    if depth_max > DEPTH_MAX {
        let detail = format!("depth = {depth_max}: at most {DEPTH_MAX}");
        return Err(Problem::bad_request(detail));
    }
    read(&node, move |node| {
        let mut walk = Walk {
            node,
            view: Ahead::new(&node.reader),
            seen: BTreeSet::from([root.subject_id()]),
            open: VecDeque::from([(root.clone(), 0)]),
            direction: params.direction,
            statements: 0,
            looked: 0,
            trace: Trace {
                root,
                nodes: Vec::new(),
                edges: Vec::new(),
                truncated: false,
            },
        };
        walk.run(depth_max)?;
        Ok(Json(walk.trace))
    })
    .await
}

/// Where links of a thing may be recorded, in one direction.
fn found_in(
    node: &Node,
    direction: Direction,
    subject: SubjectId,
    after: Option<Sequence>,
) -> Result<Vec<Sequence>, jangbu_replica::store::StoreError> {
    let side = StreamSide::Open;
    match direction {
        Direction::Down => {
            let position = StreamPosition {
                subject,
                side,
                after,
            };
            node.reader.stream(position, CHUNK)
        }
        Direction::Up => node.reader.used_in(&subject, after, CHUNK),
    }
}

/// A walk, nearest things first. Each thing appears once; a link back to one that was seen is an
/// edge and ends there.
struct Walk<'a> {
    node: &'a Node,
    view: Ahead<'a>,
    direction: Direction,
    seen: BTreeSet<SubjectId>,
    open: VecDeque<(Identifier, u32)>,
    statements: usize,
    /// How many of `open` were looked up ahead.
    looked: usize,
    trace: Trace,
}

impl Walk<'_> {
    fn run(&mut self, depth_max: u32) -> Result<(), Problem> {
        while let Some((identifier, depth)) = self.next()? {
            let subject: Option<SubjectRecord> =
                record(&self.view, &key::subject(&identifier.subject_id()))?;
            self.trace.nodes.push(TraceNode {
                identifier: identifier.clone(),
                known: subject.is_some(),
                owner_name: subject
                    .as_ref()
                    .and_then(|subject| self.node.consortium.member_name(&subject.owner))
                    .map(str::to_owned),
                passport: subject.as_ref().and_then(PassportAnswer::of),
                closed: subject.as_ref().is_some_and(|subject| subject.closed),
                depth,
            });
            // Who contains it may speak of it before its own company does.
            let has_links = subject.is_some() || self.direction == Direction::Up;
            if has_links && !self.follow(&identifier, depth, depth_max)? {
                self.trace.truncated = true;
            }
        }
        Ok(())
    }

    /// The next thing, and all that is about to be asked of it and of those after it.
    fn next(&mut self) -> Result<Option<(Identifier, u32)>, Problem> {
        if self.looked == 0 {
            let next = self.open.iter().take(AHEAD);
            let things: Vec<SubjectId> = next.map(|(id, _)| id.subject_id()).collect();
            let (node, direction) = (self.node, self.direction);
            let chain = &node.consortium.chain_id;
            self.view.look(chain, &things, |thing| {
                found_in(node, direction, *thing, None)
            })?;
            self.looked = things.len();
        }
        self.looked = self.looked.saturating_sub(1);
        Ok(self.open.pop_front())
    }

    /// Follows the links of one thing; `false` if a bound left some out.
    fn follow(&mut self, from: &Identifier, depth: u32, depth_max: u32) -> Result<bool, Problem> {
        let mut after = None;
        loop {
            let chunk = self.positions(from, after)?;
            for sequence in &chunk {
                if self.statements >= STATEMENTS_MAX {
                    return Ok(false);
                }
                self.statements += 1;
                if let Some(edge) = self.edge(from, *sequence)? {
                    // There is more beyond, and nobody asked for it.
                    if depth >= depth_max || !self.add(edge, depth) {
                        return Ok(false);
                    }
                }
            }
            match chunk.last() {
                Some(last) if chunk.len() == CHUNK => after = Some(*last),
                _ => return Ok(true),
            }
        }
    }

    /// Adds an edge and what it leads to; `false`, and nothing added, if there is no room.
    fn add(&mut self, edge: TraceEdge, depth: u32) -> bool {
        if self.trace.edges.len() >= EDGES_MAX {
            return false;
        }
        let next = match self.direction {
            Direction::Down => &edge.child,
            Direction::Up => &edge.parent,
        };
        let id = next.subject_id();
        if !self.seen.contains(&id) {
            if self.seen.len() >= NODES_MAX {
                return false;
            }
            self.seen.insert(id);
            self.open.push_back((next.clone(), depth + 1));
        }
        self.trace.edges.push(edge);
        true
    }

    /// Where links of this thing may be recorded.
    fn positions(
        &self,
        from: &Identifier,
        after: Option<Sequence>,
    ) -> Result<Vec<Sequence>, Problem> {
        let subject = from.subject_id();
        match self.view.positions(&subject).filter(|_| after.is_none()) {
            Some(found) => Ok(found),
            None => Ok(found_in(self.node, self.direction, subject, after)?),
        }
    }

    /// The edge that an entry makes from this thing on.
    fn edge(&self, from: &Identifier, sequence: Sequence) -> Result<Option<TraceEdge>, Problem> {
        let bytes = self
            .view
            .entry(sequence)?
            .ok_or_else(|| item::missing(sequence))?;
        let EntryBody::Statement(recorded) = item::decode(sequence, &bytes)?.body else {
            return Err(item::missing(sequence));
        };
        let said = &recorded.statement;
        let Some(parent) = said.subject() else {
            return Ok(None);
        };
        let (child, relation) = match &said.kind {
            Kind::ComponentLinked { child, .. } => (child, Relation::Contains),
            Kind::GranularityLinked { part_of } => (part_of, Relation::IsOf),
            Kind::Derived { predecessors, .. } => {
                let Some(of) = predecessors.iter().find(|used| *used == from) else {
                    return Ok(None);
                };
                (of, Relation::MadeOf)
            }
            _ => return Ok(None),
        };
        let leads_here = match self.direction {
            Direction::Down => relation == Relation::Contains,
            Direction::Up => child == from,
        };
        if !leads_here {
            return Ok(None);
        }
        let author = self.name(&recorded.member);
        let mut edge = TraceEdge {
            parent: parent.clone(),
            child: child.clone(),
            relation,
            statement_id: said.id(&self.node.consortium.chain_id, &recorded.member),
            sequence,
            basis: Basis::AsBuilt,
            quantity: None,
            status: "confirmed",
            asserted_by: author.clone(),
            confirmed_by: Some(author),
            contested_by: None,
        };
        if let Kind::ComponentLinked {
            basis, quantity, ..
        } = &said.kind
        {
            (edge.basis, edge.quantity) = (*basis, quantity.clone());
            self.stand(&mut edge)?;
        }
        Ok(Some(edge))
    }

    /// Notes whether the component's company stands by a component link.
    fn stand(&self, edge: &mut TraceEdge) -> Result<(), Problem> {
        let link: Option<LinkRecord> = record(&self.view, &key::link(&edge.statement_id))?;
        let confirmed_by = link.as_ref().and_then(|link| link.confirmed_by);
        let contested_by = link.and_then(|link| link.contested_by);
        edge.status = match (confirmed_by, contested_by) {
            (Some(_), _) => "confirmed",
            (None, Some(_)) => "contested",
            (None, None) => "asserted",
        };
        edge.confirmed_by = confirmed_by.map(|member| self.name(&member));
        edge.contested_by = contested_by.map(|member| self.name(&member));
        Ok(())
    }

    fn name(&self, member: &MemberId) -> String {
        self.node
            .consortium
            .member_name(member)
            .map_or_else(|| member.to_string(), str::to_owned)
    }
}
