//! What a product is made of, and what contains it, as far as this ledger says.

mod stated;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::block::EntryBody;
use jangbu_ledger::id::{Height, MemberId, Sequence, StatementId, SubjectId};
use jangbu_ledger::identifier::{IDENTIFIER_BYTES_MAX, Identifier};
use jangbu_ledger::state::{LinkRecord, PackedRecord, SubjectRecord, TransformationRecord, key};
use jangbu_ledger::statement::{Basis, Quantity};
use jangbu_replica::store::StreamSide;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Node;
use super::ahead::Ahead;
use super::item;
use super::limits::read;
use super::params::{self, Params};
use super::problem::Problem;
use super::subjects::{PassportAnswer, record, state_at};
use crate::store::StreamPosition;

use stated::{Relation, Stated, stated};

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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
    /// How many links deep; 64 if nothing is said.
    #[schemars(range(max = DEPTH_MAX))]
    depth: Option<u32>,
    /// Which way to walk.
    #[serde(default)]
    direction: Direction,
    /// As it was after the block at this height.
    at: Option<u64>,
}

/// Which way to walk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Direction {
    /// What it contains.
    #[default]
    Down,
    /// What contains or holds it, is one of it, or was made of it: whatever a recall of it
    /// reaches.
    Up,
}

/// What a thing is made of, or what contains it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Trace {
    /// Where it begins.
    root: Identifier,
    /// The things, nearest first, each once.
    nodes: Vec<TraceNode>,
    /// The links between them.
    edges: Vec<TraceEdge>,
    /// Whether a bound left something out.
    truncated: bool,
}

/// A thing that was reached.
#[derive(Debug, Serialize, JsonSchema)]
struct TraceNode {
    /// Its canonical name.
    identifier: Identifier,
    /// Whether its own company said anything about it.
    known: bool,
    /// Who answers for it.
    owner_name: Option<String>,
    /// Its passport.
    passport: Option<PassportAnswer>,
    /// Whether its company said that its components are all.
    closed: bool,
    /// How many links it is away.
    depth: u32,
}

/// A link between two things.
#[derive(Debug, Serialize, JsonSchema)]
struct TraceEdge {
    /// What contains it.
    parent: Identifier,
    /// What is contained.
    child: Identifier,
    /// How.
    relation: Relation,
    /// The statement that says so.
    statement_id: StatementId,
    /// The statement's position in the log.
    sequence: Sequence,
    /// Built or planned.
    basis: Basis,
    /// How much of it, when stated.
    quantity: Option<Quantity>,
    /// Whether who has the child stands by it.
    #[schemars(extend("enum" = ["asserted", "confirmed", "contested"]))]
    status: &'static str,
    /// Who says so.
    asserted_by: String,
    /// Who has the child and stands by it.
    confirmed_by: Option<String>,
    /// Who has the child and denies it.
    contested_by: Option<String>,
}

/// Who stands by a link, besides who states it.
struct Standing {
    confirmed_by: Option<MemberId>,
    contested_by: Option<MemberId>,
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
        let view = match params.at {
            None => Ahead::now(&node.reader),
            Some(height) => Ahead::at(&node.reader, state_at(node, Height(height))?),
        };
        let mut walk = Walk {
            node,
            view,
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
                if self.view.is_beyond(*sequence) {
                    return Ok(true);
                }
                if self.statements >= STATEMENTS_MAX {
                    return Ok(false);
                }
                self.statements += 1;
                for edge in self.edges(from, *sequence)? {
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

    /// The edges that an entry makes from this thing on.
    fn edges(&self, from: &Identifier, sequence: Sequence) -> Result<Vec<TraceEdge>, Problem> {
        let bytes = self
            .view
            .entry(sequence)?
            .ok_or_else(|| item::missing(sequence))?;
        let EntryBody::Statement(recorded) = item::decode(sequence, &bytes)?.body else {
            return Err(item::missing(sequence));
        };
        let said = &recorded.statement;
        let id = said.id(&self.node.consortium.chain_id, &recorded.member);
        let mut edges = Vec::new();
        for link in stated(said) {
            let leads_on = match self.direction {
                Direction::Down => {
                    !matches!(link.relation, Relation::IsOf | Relation::MadeOf)
                        && link.parent == from
                }
                Direction::Up => link.child == from,
            };
            if !leads_on {
                continue;
            }
            let Some(standing) = self.standing(&id, &recorded.member, &link)? else {
                continue;
            };
            edges.push(TraceEdge {
                parent: link.parent.clone(),
                child: link.child.clone(),
                relation: link.relation,
                statement_id: id,
                sequence,
                basis: link.basis,
                quantity: link.quantity.cloned(),
                status: match (standing.confirmed_by, standing.contested_by) {
                    (Some(_), _) => "confirmed",
                    (None, Some(_)) => "contested",
                    (None, None) => "asserted",
                },
                asserted_by: self.name(&recorded.member),
                confirmed_by: standing.confirmed_by.map(|member| self.name(&member)),
                contested_by: standing.contested_by.map(|member| self.name(&member)),
            });
        }
        Ok(edges)
    }

    /// Who stands by a link that a statement states; `None` if it does not hold any more.
    fn standing(
        &self,
        id: &StatementId,
        author: &MemberId,
        link: &Stated<'_>,
    ) -> Result<Option<Standing>, Problem> {
        let child = link.child.subject_id();
        let by_author = Standing {
            confirmed_by: Some(*author),
            contested_by: None,
        };
        Ok(Some(match link.relation {
            Relation::IsOf | Relation::MadeOf => by_author,
            Relation::Contains => {
                let record: Option<LinkRecord> = record(&self.view, &key::link(id))?;
                Standing {
                    confirmed_by: record.as_ref().and_then(|link| link.confirmed_by),
                    contested_by: record.and_then(|link| link.contested_by),
                }
            }
            Relation::WentIn => {
                let record: Option<TransformationRecord> =
                    record(&self.view, &key::transformation(id))?;
                let mut inputs = record
                    .map_or_else(Vec::new, |record| record.inputs)
                    .into_iter();
                let input = inputs.find(|input| input.subject == child);
                Standing {
                    confirmed_by: input.as_ref().and_then(|input| input.confirmed_by),
                    contested_by: input.and_then(|input| input.contested_by),
                }
            }
            Relation::Holds => {
                let at = key::packed(&link.parent.subject_id(), &child);
                let packed: Option<PackedRecord> = record(&self.view, &at)?;
                match packed.filter(|packed| packed.inside && packed.statement == *id) {
                    Some(packed) if packed.agreed => by_author,
                    Some(_) => Standing {
                        confirmed_by: None,
                        contested_by: None,
                    },
                    None => return Ok(None),
                }
            }
        }))
    }

    fn name(&self, member: &MemberId) -> String {
        self.node
            .consortium
            .member_name(member)
            .map_or_else(|| member.to_string(), str::to_owned)
    }
}
