//! The listener: bounded connections, each with a bound on its silence and on how long a head
//! may take to arrive.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

/// Most connections; the next ones wait to be accepted.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take for a request's head, and rest between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent, whoever's turn it is: longer than a request may run.
const SILENCE_MAX: Duration = Duration::from_secs(180);
/// Pause after the system refused to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` is ready, then closes the listener and finishes what runs.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    // Ends with this future: connections do not outlive a server that is cut off.
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = accept(&listener, &room) => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let cut = Cut::default();
        let service = Cuttable {
            router: TowerToHyperService::new(router.clone()),
            cut: cut.clone(),
        };
        let served = http.serve_connection(TokioIo::new(stream), service);
        let served = graceful.watch(served);
        connections.spawn(async move {
            tokio::select! {
                ended = served => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                },
                () = cut.0.notified() => tracing::debug!("a connection was cut off"),
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Closes a request's connection at once, and forgets what was not sent yet.
///
/// An answer's end would do neither while its client takes nothing: what was handed over before it
/// stays until the connection has been silent for too long.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut(Arc<Notify>);

impl Cut {
    /// Closes it.
    pub(super) fn off(&self) {
        self.0.notify_one();
    }
}

/// The router, for the requests of one connection: each can cut that off.
struct Cuttable {
    router: TowerToHyperService<Router>,
    cut: Cut,
}

impl Service<Request<Incoming>> for Cuttable {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.cut.clone());
        self.router.call(request)
    }
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<Connection> {
    let permit = Arc::clone(room)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    Ok(Connection {
        stream,
        silence: Box::pin(tokio::time::sleep(SILENCE_MAX)),
        _permit: permit,
    })
}

/// A connection that fails once nothing was read or written for [`SILENCE_MAX`].
#[derive(Debug)]
struct Connection {
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
