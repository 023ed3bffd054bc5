//! What becomes final, as it does: statements as Server-Sent Events, from any place of the log on.
//!
//! ```text
//!   id: 41                        the statement's place; a cursor for every node of the ledger
//!   event: statement
//!   data: {"sequence":41,…}       an item as in /v1/entries
//!
//!   id: 57                        nothing that was asked for up to here; also what comes first
//! ```
//!
//! A client goes on after a break, here or at another node, by `Last-Event-ID` or `?from=`: it gets
//! what comes after, once. A node that is behind says nothing until it has caught up.
//!
//! Nothing is kept for a reader but its place: the next entries are read when it has taken the last.
//! One that takes nothing for as long as `api.stream_patience_s` says is cut off, and knows where to
//! go on.
//!
//! Source: the HTML standard, section 9.2.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use hyper::body::Frame;
use jangbu_ledger::block::EntryBody;
use jangbu_ledger::id::{MemberId, Sequence, SubjectId};
use jangbu_ledger::identifier::{IDENTIFIER_BYTES_MAX, Identifier};
use jangbu_ledger::statement::{Kind, Statement, Stream};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::Node;
use super::item::{self, Item};
use super::limits::read;
use super::media::{Events, Raw};
use super::params::{self, Params};
use super::problem::{Kind as ProblemKind, Problem};
use super::server::Cut;

/// Most streams at once; each has a connection and a place in the log.
const STREAMS_MAX: usize = 128;
/// Entries read at a time.
const CHUNK: usize = 64;
/// Bytes after which a chunk goes out as it is: one statement more may follow.
const CHUNK_BYTES: usize = 256 * 1024;
/// How long nothing may happen before the reader is told where the log stands.
const QUIET_MAX: Duration = Duration::from_secs(15);
/// What a reader is asked to wait before it comes back, in milliseconds.
const RETRY_MS: u32 = 1000;

/// The streams of a node.
#[derive(Debug)]
pub(super) struct Streams {
    room: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    /// How long a reader may take nothing.
    patience: Duration,
}

impl Streams {
    /// None yet; a reader of one may take nothing for so long.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            room: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopping: watch::Sender::new(false),
            patience,
        }
    }

    /// Ends all streams: the node stops.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The position to begin at; where the final log ends, if nothing is said.
    from: Option<u64>,
    /// Only what is about this thing.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX))]
    subject: Option<String>,
    /// Only what the member of this name says.
    member: Option<String>,
    /// Only statements of this kind.
    #[schemars(extend("enum" = Kind::NAMES))]
    kind: Option<String>,
}

/// Which statements are wanted: those that fit everything that is said.
#[derive(Debug, Clone, Default)]
struct Filter {
    subject: Option<SubjectId>,
    member: Option<MemberId>,
    kind: Option<&'static str>,
}

pub(super) async fn stream(
    State(node): State<Arc<Node>>,
    Extension(cut): Extension<Cut>,
    headers: HeaderMap,
    Params(query): Params<Query>,
) -> Result<Raw<Events>, Problem> {
    let from = match headers.get("last-event-id") {
        None => query.from,
        Some(value) => Some(after(value.to_str().unwrap_or_default())?),
    };
    let filter = Filter::of(&node, &query)?;
    let Ok(room) = Arc::clone(&node.streams.room).try_acquire_owned() else {
        let detail = format!("this node has {STREAMS_MAX} streams; try another, or later");
        return Err(Problem::new(ProblemKind::PoolFull, detail));
    };
    let end = node.waiters.last_final().map_or(0, |mark| mark.size);
    let reader = Follower {
        next: from.unwrap_or(end),
        filter,
        finality: node.waiters.finality(),
        stopping: node.streams.stopping.subscribe(),
        node,
        _room: room,
    };
    let (to, frames) = mpsc::channel(1);
    tokio::spawn(reader.run(to, cut));
    Ok(Raw::streamed(Body::new(Frames(frames))))
}

/// The place after the one that a reader saw last.
fn after(last: &str) -> Result<u64, Problem> {
    let last: u64 = params::parse("Last-Event-ID", last)?;
    last.checked_add(1)
        .ok_or_else(|| Problem::bad_request("Last-Event-ID: there is nothing after that"))
}

impl Filter {
    fn of(node: &Node, query: &Query) -> Result<Self, Problem> {
        let subject = query.subject.as_deref().map(params::identifier);
        let member = query.member.as_deref().map(|name| {
            let known = node.consortium.members.iter();
            let found = known.into_iter().find(|member| member.name == name);
            let unknown = || Problem::bad_request(format!("member: there is none named {name:?}"));
            found.map(|member| member.id).ok_or_else(unknown)
        });
        let kind = query.kind.as_deref().map(|name| {
            let found = Kind::NAMES.iter().find(|known| **known == name);
            let unknown = || Problem::bad_request(format!("kind: there is none named {name:?}"));
            found.copied().ok_or_else(unknown)
        });
        Ok(Self {
            subject: subject.transpose()?.map(|id: Identifier| id.subject_id()),
            member: member.transpose()?,
            kind: kind.transpose()?,
        })
    }

    fn wants(&self, member: &MemberId, statement: &Statement) -> bool {
        self.member.is_none_or(|wanted| wanted == *member)
            && self
                .kind
                .is_none_or(|wanted| wanted == statement.kind.name())
            && self.subject.is_none_or(|wanted| {
                statement.streams.iter().any(|stream| match stream {
                    Stream::Open(id) | Stream::Claims(id) => id.subject_id() == wanted,
                    Stream::Sealed(_) => false,
                })
            })
    }
}

/// Follows the log for one reader.
struct Follower {
    node: Arc<Node>,
    /// The next place to look at.
    next: u64,
    filter: Filter,
    finality: watch::Receiver<Option<crate::waiters::FinalMark>>,
    stopping: watch::Receiver<bool>,
    _room: OwnedSemaphorePermit,
}

impl Follower {
    /// Sends until the reader is gone or too slow, or the node stops.
    async fn run(mut self, to: mpsc::Sender<Bytes>, cut: Cut) {
        let patience = self.node.streams.patience;
        // A reader that is cut off before it saw anything knows where to go on, too.
        let mut text = format!("retry: {RETRY_MS}\n{}", self.place());
        loop {
            match tokio::time::timeout(patience, to.send(text.into())).await {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => return,
                Err(_too_slow) => {
                    tracing::debug!(next = self.next, "a reader of the stream is too slow");
                    self.node.metrics.streams_cut_off.increment();
                    return cut.off();
                }
            }
            match self.next_text(&to).await {
                Some(next) => text = next,
                None => return,
            }
        }
    }

    /// What is to be sent next, as soon as there is something; `None` if the stream ends.
    async fn next_text(&mut self, to: &mpsc::Sender<Bytes>) -> Option<String> {
        loop {
            let end = self
                .finality
                .borrow_and_update()
                .map_or(0, |mark| mark.size);
            if *self.stopping.borrow() {
                return None;
            }
            if self.next < end {
                // It was logged where it was found; the reader may ask another node.
                return self.chunk(end).await.ok();
            }
            let quiet = tokio::select! {
                changed = self.finality.changed() => changed.is_err(),
                () = to.closed() => return None,
                stopping = self.stopping.wait_for(|stopping| *stopping) => {
                    drop(stopping);
                    return None;
                }
                () = tokio::time::sleep(QUIET_MAX) => true,
            };
            if quiet {
                return Some(self.place());
            }
        }
    }

    /// Says how far the reader has come, and that the node is there.
    fn place(&self) -> String {
        match self.next.checked_sub(1) {
            Some(last) => format!("id: {last}\n\n"),
            None => ":\n\n".into(),
        }
    }

    /// The events of the next entries before `end`.
    async fn chunk(&mut self, end: u64) -> Result<String, Problem> {
        let (next, filter) = (self.next, self.filter.clone());
        let (text, reached) =
            read(&self.node, move |node| events(node, &filter, next, end)).await?;
        self.next = reached;
        Ok(if text.is_empty() { self.place() } else { text })
    }
}

/// The events of a chunk of entries from `next` on, and the place after it.
fn events(node: &Node, filter: &Filter, next: u64, end: u64) -> Result<(String, u64), Problem> {
    let wanted = usize::try_from(end - next).unwrap_or(CHUNK).min(CHUNK);
    let (mut text, mut reached) = (String::new(), next);
    for (sequence, bytes) in node.reader.entries(Sequence(next), wanted)? {
        if sequence.0 != reached {
            return Err(item::missing(Sequence(reached)));
        }
        reached += 1;
        let entry = item::decode(sequence, &bytes)?;
        if let EntryBody::Statement(said) = &entry.body
            && filter.wants(&said.member, &said.statement)
        {
            let item = Item::new(node, sequence, &bytes)?;
            let data = serde_json::to_string(&item)
                .map_err(|error| Problem::new(ProblemKind::Unavailable, error.to_string()))?;
            // Writing to memory cannot fail.
            let _written = write!(text, "id: {sequence}\nevent: statement\ndata: {data}\n\n");
        }
        if text.len() > CHUNK_BYTES {
            break;
        }
    }
    if reached == next {
        return Err(item::missing(Sequence(next)));
    }
    Ok((text, reached))
}

/// Pieces of a body as they come.
struct Frames(mpsc::Receiver<Bytes>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}
