//! What keeps one client from taking everything: how many requests run, how long, and how many
//! connections there are.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep};

use super::Node;
use super::problem::{Kind, Problem};

/// Most connections; the next ones wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;
/// Most requests that run, submissions that wait for finality included.
const REQUESTS_MAX: usize = 1024;
/// Most reads of the database at once: each has a thread of its own.
const READS_MAX: usize = 32;
/// Most reads that wait for their turn.
const READS_WAITING_MAX: usize = 256;
/// Most bodies that are being received, hence 64 MiB of them.
const BODIES_MAX: usize = 64;
/// Longest a request may run: a submission may wait two minutes.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(150);
/// How long a connection may be silent, whoever's turn it is.
const SILENCE_MAX: Duration = Duration::from_secs(180);

/// How many of what may run at once.
#[derive(Debug)]
pub(super) struct Limits {
    requests: Semaphore,
    bodies: Semaphore,
    reads: Arc<Semaphore>,
    reads_waiting: Semaphore,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: Semaphore::new(REQUESTS_MAX),
            bodies: Semaphore::new(BODIES_MAX),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            reads_waiting: Semaphore::new(READS_WAITING_MAX),
        }
    }
}

impl Limits {
    /// Waits for room to receive one body.
    pub(super) async fn body(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let stopping = |_| Problem::new(Kind::Unavailable, "the node is stopping");
        self.bodies.acquire().await.map_err(stopping)
    }
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

/// Runs a read of the database on a thread that may block.
pub(super) async fn read<T, F>(node: &Arc<Node>, read: F) -> Result<T, Problem>
where
    T: Send + 'static,
    F: FnOnce(&Node) -> Result<T, Problem> + Send + 'static,
{
    let Ok(_waiting) = node.limits.reads_waiting.try_acquire() else {
        return Err(busy());
    };
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

/// Accepts a bounded number of connections and closes silent ones.
#[derive(Debug)]
pub(super) struct BoundedListener {
    listener: TcpListener,
    connections: Arc<Semaphore>,
}

impl BoundedListener {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        }
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let permit = match Arc::clone(&self.connections).acquire_owned().await {
            Ok(permit) => permit,
            // Never closed; if it were, there would be nobody to accept for.
            Err(_) => std::future::pending().await,
        };
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let connection = Connection {
            stream,
            silence: Box::pin(tokio::time::sleep(SILENCE_MAX)),
            _permit: permit,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once nothing was read or written for [`SILENCE_MAX`].
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Moves the deadline after progress; fails when it has passed.
    fn heed<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.silence.as_mut().reset(Instant::now() + SILENCE_MAX);
            return progress;
        }
        match self.silence.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.heed(cx, progress)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.heed(cx, progress)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
