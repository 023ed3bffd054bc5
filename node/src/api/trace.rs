//! What a product is made of, and what contains it, as far as this ledger says.

mod as_of;
mod link;
mod place;
mod stated;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::id::{Height, Sequence, StatementId};
use jangbu_ledger::identifier::{IDENTIFIER_BYTES_MAX, Identifier};
use jangbu_ledger::statement::{Basis, Quantity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::Node;
use super::chain::empty;
use super::limits::read;
use super::params::{self, Params};
use super::problem::{Kind, Problem};
use super::subjects::{PassportAnswer, state_at};

use as_of::AsOf;
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
    #[schemars(with = "Vec<TraceNode<'static>>")]
    nodes: Vec<Box<RawValue>>,
    /// The links between the things.
    #[schemars(with = "Vec<TraceEdge<'static>>")]
    edges: Vec<Box<RawValue>>,
    /// Whether a bound left something out.
    truncated: bool,
    /// What to ask for `after` to get the next part; nothing if there is none.
    next: Option<String>,
}

/// A thing that was reached.
#[derive(Debug, Serialize, JsonSchema)]
struct TraceNode<'a> {
    /// Its canonical name.
    identifier: &'a Identifier,
    /// Whether its own company said anything about it.
    known: bool,
    /// Who answers for it.
    owner_name: Option<&'a str>,
    /// Its passport.
    passport: Option<PassportAnswer>,
    /// Whether its company said that its components are all.
    closed: bool,
    /// How many links it is away.
    depth: u32,
}

/// A link between two things.
#[derive(Debug, Serialize, JsonSchema)]
struct TraceEdge<'a> {
    /// What contains it.
    parent: &'a Identifier,
    /// What is contained.
    child: &'a Identifier,
    /// How.
    relation: Relation,
    /// The statement that says so.
    statement_id: StatementId,
    /// The statement's position in the log.
    sequence: Sequence,
    /// Built or planned.
    basis: Basis,
    /// How much of it, when stated.
    quantity: Option<&'a Quantity>,
    /// Whether who has the child stands by it.
    #[schemars(extend("enum" = ["asserted", "confirmed", "contested"]))]
    status: &'static str,
    /// Who says so.
    asserted_by: Cow<'a, str>,
    /// Who has the child and stands by it.
    confirmed_by: Option<Cow<'a, str>>,
    /// Who has the child and denies it.
    contested_by: Option<Cow<'a, str>>,
}

/// A part of the answer, written where it is made, by as many threads as make them.
fn written(part: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    let unwritable = |error| Problem::new(Kind::Unavailable, format!("cannot be written: {error}"));
    to_raw_value(part).map_err(unwritable)
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
        let view = match at {
            None => AsOf::now(node)?.ok_or_else(empty)?,
            Some(height) => AsOf::at(node, height, state_at(node, height)?),
        };
        let passed = after.map_or(0, |place| place.links);
        let mut walk = Walk::new(
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
