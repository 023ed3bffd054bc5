//! The whole log, page by page.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::id::Sequence;
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
}

/// Items and where to go on: for the log the next position, for a stream the last one.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    pub(super) next: Option<Sequence>,
}

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Params(params): Params<From>,
) -> Result<Json<Page>, Problem> {
    let limit = limit(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    read(&node, move |node| {
        // One more than asked for says whether there is more.
        let mut found = node.reader.entries(Sequence(params.from), limit + 1)?;
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
