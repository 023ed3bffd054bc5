//! Readers that know more of the ledger than this node has: it is behind, and says so instead of
//! showing them less than they have seen.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jangbu_ledger::extent::{Extent, KNOWN_FIELD};

use super::Node;
use super::problem::{Kind, Problem};

/// Middleware: answers only those who know no more than what is final here.
pub(super) async fn refuse(
    State(node): State<Arc<Node>>,
    request: Request,
    next: Next,
) -> Response {
    match check(&node, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(node: &Node, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(KNOWN_FIELD) else {
        return Ok(());
    };
    let known = value.to_str().unwrap_or_default();
    let known: Extent = known
        .parse()
        .map_err(|error| Problem::bad_request(format!("{KNOWN_FIELD}: {error}")))?;
    let here = node.waiters.last_final().map_or(0, |mark| mark.size);
    // What somebody knows of another ledger says nothing about this one.
    if known.chain_id != node.consortium.chain_id || known.entries <= here {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Behind,
        format!(
            "this node has {here} final entries and the reader knows of {}: it is behind",
            known.entries
        ),
    ))
}
