//! One connection to one member, from the multiplexer to its end.
//!
//! ```text
//!   drive ─┬─ writer × 2    outbox ──▶ stream we opened
//!          ├─ reader × 2    stream the peer opened ──▶ events
//!          └─ usher         both sides' streams open ──▶ ready ──▶ admitted ──▶ Connected
//! ```
//!
//! Readers hand up nothing before `Connected` has been told, and the task that
//! runs all this tells `Disconnected` last.

use std::{
    future::poll_fn,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures::AsyncWriteExt;
use libp2p::{
    Multiaddr, PeerId,
    core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Class, Fault, HANDSHAKE_TIMEOUT, MeshEvent,
    frame::{self, Patience, ReadEnd},
    handle::Shared,
    outbox::{Cut, Outbox},
    pace::Pace,
    roster::LinkId,
};

/// After how much silence the agreement writer sends a sign of life.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes gathered into one write. Yamux splits into frames of 16 KiB and Noise
/// into 64 KiB; a few of these amortise the flush.
const BATCH_BYTES: usize = 256 * 1024;

/// Frames from here on are written as they are, not copied into a batch.
const COPY_BYTES_MAX: usize = 64 * 1024;

/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What one connection's task starts from.
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) peer: PeerId,
    pub(super) address: Multiaddr,
    pub(super) muxer: StreamMuxerBox,
    pub(super) outbox: Arc<Outbox>,
    /// Where to say that the streams are open.
    pub(super) ready: mpsc::Sender<LinkId>,
    /// Resolves when this connection is the one to use.
    pub(super) admitted: oneshot::Receiver<()>,
    pub(super) shared: Arc<Shared>,
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    Lost(io::Error),
    Fault(Fault),
    Cut(Cut),
}

impl From<ReadEnd> for End {
    fn from(end: ReadEnd) -> Self {
        match end {
            ReadEnd::Lost(error) => Self::Lost(error),
            ReadEnd::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// Serves the connection to its end and tells of it.
pub(super) async fn run(mut link: Link) -> (PeerId, LinkId) {
    let (id, peer) = (link.id, link.peer);
    let told_connected = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    let end = drive(&mut link, &mut tasks, &told_connected).await;
    // Not before the last task has stopped is it certain what was told.
    tasks.shutdown().await;
    let Link {
        address,
        muxer,
        outbox,
        shared,
        ..
    } = link;
    // Whoever still holds the outbox learns that nobody writes it any more.
    outbox.close(Cut::Shutdown);
    shared.table.remove(peer, id);
    if let Ok(Err(error)) = timeout(CLOSE_TIMEOUT, muxer.close()).await {
        tracing::trace!(%peer, %error, "goodbye not delivered");
    }
    let reporter = &shared.reporter;
    let mut heard = Ok(());
    match end {
        End::Fault(reason) => {
            tracing::debug!(%peer, %address, %reason, "closed a member's connection for its fault");
            shared.blame(Some(peer), &reason);
            let event = MeshEvent::Refused {
                peer_id: Some(peer),
                address,
                reason,
            };
            heard = reporter.tell(event, || ()).await;
        }
        End::Lost(error) => tracing::info!(%peer, %address, %error, "connection lost"),
        End::Cut(Cut::Duplicate) => tracing::debug!(%peer, %address, "closed a second connection"),
        End::Cut(reason) => tracing::info!(%peer, %address, ?reason, "closed a connection"),
    }
    if heard.is_ok() && told_connected.load(Ordering::Acquire) {
        heard = reporter.tell(MeshEvent::Disconnected(peer), || ()).await;
    }
    if heard.is_err() {
        tracing::debug!(%peer, "nobody takes events any more");
    }
    (peer, id)
}

/// Runs the connection until something ends it.
async fn drive(
    link: &mut Link,
    tasks: &mut JoinSet<Option<End>>,
    told_connected: &Arc<AtomicBool>,
) -> End {
    let (opened, mut openings) = mpsc::channel(Class::ALL.len());
    let start = watch::Sender::new(false);
    let mut to_open = Class::ALL.to_vec();
    let mut opened_by_peer: Vec<Class> = Vec::new();
    let mut inbound_streams = 0_usize;
    let (ours_open, wait_open) = oneshot::channel();
    let mut ours_open = Some(ours_open);
    let (_, never) = oneshot::channel();
    let admitted = std::mem::replace(&mut link.admitted, never);
    tasks.spawn(usher(
        wait_open,
        admitted,
        start.clone(),
        Context::of(link),
        Arc::clone(told_connected),
    ));
    let outbox = Arc::clone(&link.outbox);
    let mut cut = std::pin::pin!(outbox.closed());
    let mut deadline = std::pin::pin!(sleep(HANDSHAKE_TIMEOUT));
    loop {
        tokio::select! {
            reason = &mut cut => return End::Cut(reason),
            () = &mut deadline, if ours_open.is_some() => return End::Fault(Fault::HandshakeTimeout),
            Some(ended) = tasks.join_next() => match ended {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => return End::Lost(io::Error::other(error)),
            },
            Some(class) = openings.recv() => {
                if opened_by_peer.contains(&class) {
                    return End::Fault(Fault::TooManyStreams);
                }
                opened_by_peer.push(class);
            }
            step = next_stream(&mut link.muxer, !to_open.is_empty()) => match step {
                Ok(Step::Outbound(stream)) => if let Some(class) = to_open.pop() {
                    tasks.spawn(write(stream, class, Context::of(link)));
                },
                Ok(Step::Inbound(stream)) => {
                    inbound_streams = inbound_streams.saturating_add(1);
                    if inbound_streams > Class::ALL.len() {
                        return End::Fault(Fault::TooManyStreams);
                    }
                    tasks.spawn(read(stream, opened.clone(), start.subscribe(), Context::of(link)));
                }
                Err(error) => return End::Lost(error),
            },
        }
        if to_open.is_empty()
            && opened_by_peer.len() == Class::ALL.len()
            && let Some(ours_open) = ours_open.take()
        {
            // If the usher is gone, its end is among the tasks'.
            let _gone = ours_open.send(());
        }
    }
}

enum Step {
    Outbound(SubstreamBox),
    Inbound(SubstreamBox),
}

/// Drives the multiplexer until it yields a stream.
async fn next_stream(muxer: &mut StreamMuxerBox, open: bool) -> io::Result<Step> {
    poll_fn(|cx| {
        // A TCP address never changes: the event carries nothing for us.
        while let Poll::Ready(event) = muxer.poll_unpin(cx) {
            event?;
        }
        if open && let Poll::Ready(stream) = muxer.poll_outbound_unpin(cx) {
            return Poll::Ready(stream.map(Step::Outbound));
        }
        muxer.poll_inbound_unpin(cx).map_ok(Step::Inbound)
    })
    .await
}

/// What the tasks of one connection share.
struct Context {
    id: LinkId,
    peer: PeerId,
    outbox: Arc<Outbox>,
    ready: mpsc::Sender<LinkId>,
    shared: Arc<Shared>,
}

impl Context {
    fn of(link: &Link) -> Self {
        Self {
            id: link.id,
            peer: link.peer,
            outbox: Arc::clone(&link.outbox),
            ready: link.ready.clone(),
            shared: Arc::clone(&link.shared),
        }
    }
}

/// Leads the connection from open streams to `Connected`.
async fn usher(
    streams_open: oneshot::Receiver<()>,
    admitted: oneshot::Receiver<()>,
    start: watch::Sender<bool>,
    link: Context,
    told_connected: Arc<AtomicBool>,
) -> Option<End> {
    let stopping = Some(End::Cut(Cut::Shutdown));
    if streams_open.await.is_err()
        || link.ready.send(link.id).await.is_err()
        || admitted.await.is_err()
    {
        return stopping;
    }
    // In the table before it is told: who reads `Connected` may send at once.
    link.shared.table.insert(link.peer, link.id, link.outbox);
    // And in the table before this is asked: see `MeshHandle::disconnect`.
    let conduct = &link.shared.conduct;
    if conduct.away_until(&link.peer, Instant::now()).is_some() {
        return Some(End::Cut(Cut::KeptOut));
    }
    let told = || told_connected.store(true, Ordering::Release);
    if link
        .shared
        .reporter
        .tell(MeshEvent::Connected(link.peer), told)
        .await
        .is_err()
    {
        return stopping;
    }
    tracing::info!(peer = %link.peer, "connected");
    start.send_replace(true);
    None
}

/// Writes one class's frames, several at a time, until the line breaks.
async fn write(mut stream: SubstreamBox, class: Class, link: Context) -> Option<End> {
    let name = class.preamble(&link.shared.protocol);
    let result: io::Result<()> = async {
        let mut buffer = Vec::new();
        append(&mut buffer, name.as_bytes())?;
        loop {
            stream.write_all(&buffer).await?;
            stream.flush().await?;
            buffer.clear();
            let take = link.outbox.lane(class).take(BATCH_BYTES);
            let batch = match class {
                Class::Agreement => timeout(KEEPALIVE_INTERVAL, take).await.unwrap_or_default(),
                Class::Bulk => take.await,
            };
            if batch.is_empty() {
                append(&mut buffer, &[])?;
            }
            for frame in batch {
                if frame.len() <= COPY_BYTES_MAX {
                    append(&mut buffer, &frame)?;
                } else {
                    buffer.extend_from_slice(&head(frame.len())?);
                    stream.write_all(&buffer).await?;
                    buffer.clear();
                    stream.write_all(&frame).await?;
                }
            }
        }
    }
    .await;
    result.err().map(End::Lost)
}

fn head(length: usize) -> io::Result<[u8; 4]> {
    frame::header(length).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

fn append(buffer: &mut Vec<u8>, frame: &[u8]) -> io::Result<()> {
    buffer.extend_from_slice(&head(frame.len())?);
    buffer.extend_from_slice(frame);
    Ok(())
}

/// Reads one stream of the peer's and hands up its frames.
async fn read(
    mut stream: SubstreamBox,
    opened: mpsc::Sender<Class>,
    mut start: watch::Receiver<bool>,
    link: Context,
) -> Option<End> {
    let limits = link.shared.limits;
    let class = match frame::read_preamble(&mut stream, &link.shared.protocol, limits.stall).await {
        Ok(class) => class,
        Err(end) => return Some(end.into()),
    };
    let stopping = Some(End::Cut(Cut::Shutdown));
    if opened.send(class).await.is_err() || start.wait_for(|started| *started).await.is_err() {
        return stopping;
    }
    let patience = Patience {
        begin: (class == Class::Agreement).then_some(limits.silence),
        go_on: limits.stall,
    };
    let now = Instant::now();
    let (mut frames, mut volume) = (Pace::new(now), Pace::new(now));
    loop {
        let bytes = match frame::read_frame(&mut stream, class, patience).await {
            Ok(bytes) => bytes,
            Err(end) => return Some(end.into()),
        };
        let now = Instant::now();
        let units = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if !frames.take(class.frame_rate(), 1, now)
            || !volume.take(limits.volume(class), units, now)
        {
            return Some(End::Fault(Fault::Flood { class }));
        }
        if !bytes.is_empty()
            && link
                .shared
                .reporter
                .frame(link.peer, class, bytes)
                .await
                .is_err()
        {
            return stopping;
        }
    }
}
