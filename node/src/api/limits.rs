//! What keeps one client from taking everything: how many requests run, how long, and how much
//! they hold.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::Node;
use super::problem::{Kind, Problem};

/// Most requests that run, submissions that wait for finality included.
const REQUESTS_MAX: usize = 1024;
/// Reads of the database at once, per processor: some wait for the disk, none for a client.
const READS_PER_PROCESSOR: usize = 4;
/// The same over all processors, at most: each has a thread of its own.
const READS_MAX: usize = 32;
/// Most bytes of bodies that are being received, in units of [`BODY_UNIT`].
const BODY_UNITS_MAX: usize = 64 * 1024;
/// What bodies are counted in, in bytes.
const BODY_UNIT: usize = 1024;
/// How long a client may take to send a body, from its head on: a megabyte over a poor line.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest a request may run: a submission may wait two minutes.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(150);

/// Most reads of the database at once on this machine. Idle threads take turns, so that each of
/// them would come to hold memory of the allocator's: no more of them than are of use.
pub(crate) fn reads_max() -> usize {
    std::thread::available_parallelism().map_or(READS_PER_PROCESSOR, |processors| {
        processors
            .get()
            .saturating_mul(READS_PER_PROCESSOR)
            .min(READS_MAX)
    })
}

/// How many of what may run at once.
#[derive(Debug)]
pub(super) struct Limits {
    requests: Semaphore,
    bodies: Semaphore,
    reads: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: Semaphore::new(REQUESTS_MAX),
            bodies: Semaphore::new(BODY_UNITS_MAX),
            reads: Arc::new(Semaphore::new(reads_max())),
        }
    }
}

/// Reads a body of at most `bytes_max` bytes, in bounded time, when there is room for it.
pub(super) async fn body(
    node: &Node,
    request: Request,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("an envelope has at most {bytes_max} bytes");
        Problem::new(Kind::TooLarge, detail)
    };
    // A client that says how much it sends takes no more room than that.
    let bytes = match request.body().size_hint().exact() {
        Some(exact) => usize::try_from(exact).map_err(|_| too_large())?,
        None => bytes_max,
    };
    if bytes > bytes_max {
        return Err(too_large());
    }
    let units = u32::try_from(bytes.div_ceil(BODY_UNIT)).map_err(|_| too_large())?;
    let received = async {
        let _room = node
            .limits
            .bodies
            .acquire_many(units)
            .await
            .map_err(|_| Problem::new(Kind::Unavailable, "the node is stopping"))?;
        Bytes::from_request(request, &())
            .await
            .map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => too_large(),
                _ => Problem::bad_request(rejection.body_text()),
            })
    };
    let late = |_| Problem::new(Kind::TimedOut, "the body took too long to arrive");
    tokio::time::timeout(BODY_TIMEOUT, received)
        .await
        .map_err(late)?
}

/// Middleware around every request: bounds their number and their time.
pub(super) async fn bound(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = node.limits.requests.try_acquire() else {
        return busy().into_response();
    };
    node.metrics.requests.increment();
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Kind::TimedOut, "the request took too long").into_response(),
    }
}

/// Runs a read of the database on a thread that may block, when it is its turn. Never refused
/// for being one too many: a submission whose block is final must get its receipt, and requests
/// are bounded already.
pub(super) async fn read<T, F>(node: &Arc<Node>, read: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce(&Node) -> Result<T, Problem> + Send + 'static,
{
    let permit = Arc::clone(&node.limits.reads)
        .acquire_owned()
        .await
        .map_err(|_| Problem::new(Kind::Unavailable, "the node is stopping"))?;
    let node = Arc::clone(node);
    tokio::task::spawn_blocking(move || {
        // Held by the thread: a client that goes away does not make room it has not left.
        let _permit = permit;
        read(&node)
    })
    .await
    .map_err(|error| {
        tracing::error!(%error, "a read stopped half-way");
        Problem::new(Kind::Unavailable, "the read stopped half-way")
    })?
}

fn busy() -> Problem {
    Problem::new(
        Kind::PoolFull,
        "too many requests are running; try again in a moment",
    )
}
