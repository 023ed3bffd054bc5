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

mod ahead;
mod chain;
mod entries;
mod envelopes;
mod health;
mod item;
mod limits;
mod log;
mod params;
mod problem;
mod proofs;
mod server;
mod statements;
mod stream;
mod subjects;
mod trace;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
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
    /// Puts the parts together; reads from where the notary does.
    #[must_use]
    pub fn new(
        consortium: Consortium,
        notary: Notary,
        inbox: Arc<Inbox>,
        waiters: Arc<Waiters>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        links: Links,
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
            streams: Streams::default(),
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
    Router::new()
        .route("/v1/status", get(chain::status))
        .route("/v1/genesis", get(chain::genesis))
        .route("/v1/members", get(chain::members))
        .route("/v1/blocks/{height}", get(chain::block))
        .route("/v1/envelopes", post(envelopes::submit))
        .route("/v1/envelopes/{id}", get(envelopes::show))
        .route("/v1/statements/{id}", get(statements::show))
        .route("/v1/receipts/{id}", get(statements::receipt))
        .route("/v1/receipts/{id}/cose", get(statements::cose))
        .route("/v1/subjects", get(subjects::show))
        .route("/v1/subjects/statements", get(subjects::statements))
        .route("/v1/subjects/uses", get(subjects::uses))
        .route("/v1/slots", get(subjects::slot))
        .route("/v1/entries", get(entries::list))
        .route("/v1/stream", get(stream::stream))
        .route("/v1/trace", get(trace::trace))
        .route("/v1/proofs/statement/{id}", get(proofs::statement))
        .route("/v1/proofs/subject", get(proofs::subject))
        .route("/v1/proofs/slot", get(proofs::slot))
        .route("/v1/proofs/trace", get(proofs::trace))
        .route("/v1/proofs/lineage", get(proofs::lineage))
        .route("/v1/proofs/check", get(proofs::check))
        .route("/v1/tlog-policy", get(log::policy))
        .route("/checkpoint", get(log::checkpoint))
        .route("/tile/{*path}", get(log::tile))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
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
