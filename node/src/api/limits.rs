//! What keeps one client from taking everything: how many requests run, how long, and how much
//! they hold.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
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
/// Most bytes beyond the limit that are read all the same, and for how long.
const DISCARDED_BYTES_MAX: usize = 4 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
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
    // A client that says how much it sends takes no more room than that; one that waits to be
    // asked for the body is told before it sends any.
    let bytes = match request.body().size_hint().exact() {
        Some(exact) => usize::try_from(exact).map_err(|_| too_large())?,
        None => bytes_max,
    };
    let waits = request.headers().contains_key(header::EXPECT);
    if bytes > bytes_max.saturating_add(DISCARDED_BYTES_MAX) || (bytes > bytes_max && waits) {
        return Err(too_large());
    }
    let units = u32::try_from(bytes.min(bytes_max).div_ceil(BODY_UNIT)).map_err(|_| too_large())?;
    let received = async {
        let _room = node
            .limits
            .bodies
            .acquire_many(units)
            .await
            .map_err(|_| Problem::new(Kind::Unavailable, "the node is stopping"))?;
        match collect(request.into_body(), bytes_max).await {
            Ok(Some(received)) => Ok(received),
            Ok(None) => Err(too_large()),
            Err(error) => Err(Problem::bad_request(format!("the body broke off: {error}"))),
        }
    };
    let late = |_| Problem::new(Kind::TimedOut, "the body took too long to arrive");
    tokio::time::timeout(BODY_TIMEOUT, received)
        .await
        .map_err(late)?
}

/// The whole body; `None` if it has more than `bytes_max` bytes.
async fn collect(mut body: Body, bytes_max: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut received = Vec::new();
    while let Some(frame) = next_frame(&mut body).await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if received.len() + data.len() > bytes_max {
            drop(received);
            // However that ends, the body is too large.
            let _ended = tokio::time::timeout(DISCARD_TIMEOUT, discard(body)).await;
            return Ok(None);
        }
        received.extend_from_slice(data);
    }
    Ok(Some(received.into()))
}

/// Reads on for a while and forgets what it reads: a client that is still sending when the
/// connection closes never gets to read why.
async fn discard(mut body: Body) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = next_frame(&mut body).await {
        discarded += frame.data_ref().map_or(0, Bytes::len);
        if discarded > DISCARDED_BYTES_MAX {
            return;
        }
    }
}

async fn next_frame(body: &mut Body) -> Option<Result<Frame<Bytes>, axum::Error>> {
    poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
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
