//! The node's HTTP API, version 1.
//!
//! ```text
//!   connection ─▶ bounds ─▶ route ─▶ read(): a blocking thread ─▶ Reader
//!                             └────▶ submit: Inbox ─▶ replica ─▶ Waiters
//! ```
//!
//! Every error is a problem document (RFC 9457); every body, wait and number of requests has a
//! bound. Reads see what is committed on this node; only receipts, proofs and checkpoints speak
//! of what is final.

mod behind;
mod chain;
mod described;
mod entries;
mod envelopes;
mod health;
mod item;
mod limits;
mod log;
mod media;
mod openapi;
mod params;
mod problem;
mod proofs;
mod routes;
mod server;
mod statements;
mod stream;
mod subjects;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use tokio::net::TcpListener;

use crate::consortium::Consortium;
use crate::health::Health;
use crate::inbox::Inbox;
use crate::links::Links;
use crate::metrics::Metrics;
use crate::notary::Notary;
use crate::store::Reader;
use crate::waiters::Waiters;

use limits::Limits;
pub(crate) use limits::reads_max;
use problem::{Kind, Problem};
pub(crate) use server::CONNECTIONS_MAX;
use stream::Streams;

/// What requests are answered from.
#[derive(Debug)]
pub struct Node {
    consortium: Consortium,
    reader: Reader,
    notary: Notary,
    inbox: Arc<Inbox>,
    waiters: Arc<Waiters>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    links: Links,
    limits: Limits,
    streams: Streams,
}

impl Node {
    /// Puts the parts together; reads from where the notary does. A reader of the stream that takes
    /// nothing for so long is cut off.
    #[must_use]
    #[allow(
        clippy::too_many_arguments,
        reason = "it is what the node is made of, each of its own type"
    )]
    pub fn new(
        consortium: Consortium,
        notary: Notary,
        inbox: Arc<Inbox>,
        waiters: Arc<Waiters>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        links: Links,
        stream_patience: Duration,
    ) -> Self {
        Self {
            consortium,
            reader: notary.reader().clone(),
            notary,
            inbox,
            waiters,
            health,
            metrics,
            links,
            limits: Limits::default(),
            streams: Streams::new(stream_patience),
        }
    }
}

/// Serves until `shutdown` is ready, then finishes what runs.
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let served = Arc::clone(&node);
    let shutdown = async move {
        shutdown.await;
        // They would never finish by themselves.
        node.streams.stop();
    };
    server::serve(listener, router(served), shutdown).await;
}

fn router(node: Arc<Node>) -> Router {
    routes::routes()
        .router
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&node),
            behind::refuse,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&node),
            limits::bound,
        ))
        .with_state(node)
}

async fn nowhere() -> Problem {
    Problem::not_found("there is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        "this path takes another method; envelopes are POSTed, everything else is read by GET",
    )
}
