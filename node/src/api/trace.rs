//! What a product is made of, as far as this ledger says.

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
use super::item;
use super::limits::read;
use super::params::{self, Params};
use super::problem::Problem;
use super::subjects::{PassportAnswer, record};
use crate::store::{StreamPosition, View};

/// Deepest walk.
const DEPTH_MAX: u32 = 64;
/// Most things in one answer.
const NODES_MAX: usize = 100_000;
/// Most links in one answer.
const EDGES_MAX: usize = 200_000;
/// Most statements looked at for one answer.
const STATEMENTS_MAX: usize = 1_000_000;
/// Statements of one stream read at a time.
const CHUNK: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    identifier: String,
    depth: Option<u32>,
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
    depth: u32,
}

#[derive(Debug, Serialize)]
struct TraceEdge {
    parent: Identifier,
    child: Identifier,
    statement_id: StatementId,
    sequence: Sequence,
    basis: Basis,
    quantity: Option<Quantity>,
    status: &'static str,
    asserted_by: String,
    confirmed_by: Option<String>,
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
            view: node.reader.view(),
            seen: BTreeSet::from([root.subject_id()]),
            open: VecDeque::from([(root.clone(), 0)]),
            statements: 0,
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

/// A walk downwards, nearest things first. Each thing appears once; a link back to one that
/// was seen is an edge and ends there.
struct Walk<'a> {
    node: &'a Node,
    view: View<'a>,
    seen: BTreeSet<SubjectId>,
    open: VecDeque<(Identifier, u32)>,
    statements: usize,
    trace: Trace,
}

impl Walk<'_> {
    fn run(&mut self, depth_max: u32) -> Result<(), Problem> {
        while let Some((identifier, depth)) = self.open.pop_front() {
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
                depth,
            });
            if subject.is_some() && !self.links_of(&identifier, depth, depth_max)? {
                self.trace.truncated = true;
            }
        }
        Ok(())
    }

    /// Follows the component links of one product; `false` if a bound left some out.
    fn links_of(
        &mut self,
        parent: &Identifier,
        depth: u32,
        depth_max: u32,
    ) -> Result<bool, Problem> {
        let mut position = StreamPosition {
            subject: parent.subject_id(),
            side: StreamSide::Open,
            after: None,
        };
        loop {
            let chunk = self.node.reader.stream(position, CHUNK)?;
            for sequence in &chunk {
                if self.statements >= STATEMENTS_MAX {
                    return Ok(false);
                }
                self.statements += 1;
                let Some((edge, child)) = self.link(parent, *sequence)? else {
                    continue;
                };
                // There is more below, and nobody asked for it.
                if depth >= depth_max || self.trace.edges.len() >= EDGES_MAX {
                    return Ok(false);
                }
                if self.seen.contains(&child.subject_id()) {
                    self.trace.edges.push(edge);
                } else if self.seen.len() < NODES_MAX {
                    self.seen.insert(child.subject_id());
                    self.open.push_back((child, depth + 1));
                    self.trace.edges.push(edge);
                } else {
                    return Ok(false);
                }
            }
            match chunk.last() {
                Some(last) if chunk.len() == CHUNK => position.after = Some(*last),
                _ => return Ok(true),
            }
        }
    }

    /// The edge that an entry makes, if it links a component.
    fn link(
        &self,
        parent: &Identifier,
        sequence: Sequence,
    ) -> Result<Option<(TraceEdge, Identifier)>, Problem> {
        let bytes = self
            .node
            .reader
            .entry(sequence)?
            .ok_or_else(|| item::missing(sequence))?;
        let EntryBody::Statement(recorded) = item::decode(sequence, &bytes)?.body else {
            return Err(item::missing(sequence));
        };
        let Kind::ComponentLinked {
            child,
            basis,
            quantity,
        } = &recorded.statement.kind
        else {
            return Ok(None);
        };
        let chain = &self.node.consortium.chain_id;
        let statement_id = recorded.statement.id(chain, &recorded.member);
        let link: Option<LinkRecord> = record(&self.view, &key::link(&statement_id))?;
        let confirmed_by = link.and_then(|link| link.confirmed_by);
        let edge = TraceEdge {
            parent: parent.clone(),
            child: child.clone(),
            statement_id,
            sequence,
            basis: *basis,
            quantity: quantity.clone(),
            status: match confirmed_by {
                Some(_) => "confirmed",
                None => "asserted",
            },
            asserted_by: self.name(&recorded.member),
            confirmed_by: confirmed_by.map(|member| self.name(&member)),
        };
        Ok(Some((edge, child.clone())))
    }

    fn name(&self, member: &MemberId) -> String {
        self.node
            .consortium
            .member_name(member)
            .map_or_else(|| member.to_string(), str::to_owned)
    }
}
