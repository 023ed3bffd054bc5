//! The whole log, page by page.
//!
//! A page's `next` is a place in the log. The log only grows, so a place means the same at any time
//! and on every node: pages taken while it grows, or from several nodes, fit together. With
//! `at=HEIGHT` a list ends where it ended after that block, whatever came since.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::id::{Height, Sequence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Node;
use super::item::Item;
use super::limits::read;
use super::params::{Params, limit};
use super::problem::Problem;

/// Most items on one page.
pub(super) const PAGE_MAX: usize = 1000;
/// Items on a page if nothing is said.
pub(super) const PAGE_DEFAULT: usize = 100;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The position to begin at.
    #[serde(default)]
    from: u64,
    /// Most items on the page; 100 if nothing is said.
    #[schemars(range(min = 1, max = PAGE_MAX))]
    limit: Option<usize>,
    /// The list ends where it ended after the block at this height.
    at: Option<u64>,
}

/// Items and where to go on: for the log the next position, for a stream the last one.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Page {
    /// In the order of the log.
    pub(super) items: Vec<Item>,
    /// Where to go on; null if nothing follows.
    pub(super) next: Option<Sequence>,
}

/// The place at which a list ends: that of the log after the block at height `at`.
pub(super) fn end(node: &Node, at: Option<u64>) -> Result<u64, Problem> {
    let Some(height) = at.map(Height) else {
        return Ok(u64::MAX);
    };
    let size = node.reader.size_at(height)?;
    size.ok_or_else(|| Problem::not_found(format!("there is no block at height {height} yet")))
}

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Params(params): Params<From>,
) -> Result<Json<Page>, Problem> {
    let limit = limit(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    read(&node, move |node| {
        let end = end(node, params.at)?;
        // One more than asked for says whether there is more.
        let mut found = node.reader.entries(Sequence(params.from), limit + 1)?;
        found.retain(|(sequence, _)| sequence.0 < end);
        let next = match found.len() > limit {
            true => found.pop().map(|(sequence, _)| sequence),
            false => None,
        };
        let items = found
            .iter()
            .map(|(sequence, bytes)| Item::new(node, *sequence, bytes))
            .collect::<Result<_, _>>()?;
        Ok(Json(Page { items, next }))
    })
    .await
}
