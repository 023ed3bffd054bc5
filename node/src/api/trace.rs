//! What a product is made of, and what contains it, as far as this ledger says.

mod place;
mod stated;
mod walk;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::id::{Height, Sequence, StatementId};
use jangbu_ledger::identifier::{IDENTIFIER_BYTES_MAX, Identifier};
use jangbu_ledger::statement::{Basis, Quantity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Node;
use super::ahead::Ahead;
use super::chain::empty;
use super::limits::read;
use super::params::{self, Params};
use super::problem::Problem;
use super::subjects::{PassportAnswer, state_at};

use place::Place;
use stated::Relation;
use walk::Walk;

/// Deepest walk.
const DEPTH_MAX: u32 = 64;
/// Most links in one answer.
const LINKS_MAX: u64 = 100_000;

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
    /// Most links in the answer; 100,000 if nothing is said.
    #[schemars(range(min = 1, max = LINKS_MAX))]
    limit: Option<u64>,
    /// Where to go on: `next` of the part before, which has its height in it.
    #[schemars(regex(pattern = "^[0-9]{1,20}\\.[0-9]{1,20}$"))]
    after: Option<String>,
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

/// A part of what a thing is made of, or of what contains it. All parts, one after the other, are
/// the trace of one height.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Trace {
    /// Where it begins.
    root: Identifier,
    /// After which block.
    height: Height,
    /// The things that the links of this part are the first to lead to, nearest first; in the first
    /// part the root before them.
    nodes: Vec<TraceNode>,
    /// The links between the things.
    edges: Vec<TraceEdge>,
    /// Whether a bound left something out.
    truncated: bool,
    /// What to ask for `after` to get the next part; nothing if there is none.
    next: Option<String>,
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
    let limit = params.limit.unwrap_or(LINKS_MAX);
    if !(1..=LINKS_MAX).contains(&limit) {
        let detail = format!("limit = {limit}: 1 to {LINKS_MAX}");
        return Err(Problem::bad_request(detail));
    }
    let after = params.after.as_deref();
    let after: Option<Place> = after.map(|text| params::parse("after", text)).transpose()?;
    let at = params.at.map(Height).or(after.map(|place| place.height));
    if after.is_some_and(|place| Some(place.height) != at) {
        let detail = "at and after are of different heights: leave at out, after has it";
        return Err(Problem::bad_request(detail));
    }
    read(&node, move |node| {
        let chain = node.consortium.chain_id;
        let view = match at {
            None => Ahead::now(&node.reader, chain)?.ok_or_else(empty)?,
            Some(height) => Ahead::at(&node.reader, chain, height, state_at(node, height)?),
        };
        let passed = after.map_or(0, |place| place.links);
        let mut walk = Walk::new(
            node,
            view,
            params.direction,
            root,
            passed..passed.saturating_add(limit),
        );
        walk.run(depth_max)?;
        Ok(Json(walk.told()?))
    })
    .await
}
