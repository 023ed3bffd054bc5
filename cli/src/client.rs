//! The nodes, as a client sees them: plain HTTP, every answer bounded, typed and distrusted.
//!
//! A read is tried on one node after another, and only by one that has all that we have seen final: a
//! company reads what it wrote, whichever node took that. An envelope goes to the next node only if nothing
//! of it can have reached the one before. What a node says is only ever a hint: what counts is
//! proved by a receipt, which is verified elsewhere.

mod answer;
mod http;
mod post;
mod problem;
mod stream;

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jangbu_ledger::extent::Extent;
use jangbu_ledger::id::{EnvelopeId, MemberId, Sequence, Slot, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::receipt::Receipt;
use jangbu_ledger::receipt::cose::CoseReceipt;
use serde::de::DeserializeOwned;

use crate::error::CliError;

pub use answer::{
    BalanceAnswer, Direction, EnvelopeAnswer, FinalStatus, Finality, Item, MemberAnswer,
    MembersAnswer, OfferAnswer, OutcomeAnswer, Page, PassportAnswer, PeerStatus, PoolStatus,
    Relation, SlotAnswer, StatementAnswer, StatusAnswer, StreamAnswer, SubjectAnswer, TraceAnswer,
    TraceEdge, TraceNode, recorded,
};
pub use http::{Failure, printable};
pub use post::{Sent, Wait};
pub use stream::{Event, Stream};

use http::{Http, Reply};
use problem::Problem;

/// Most links of a trace that are taken from a node.
const TRACE_LINKS_MAX: usize = 2_000_000;
/// How long a read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long nodes that are behind are given to catch up.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Pause before they are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long one node is asked what became of an envelope: another may know.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// The two streams of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What its owner says.
    Open,
    /// What others say.
    Claims,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claims => "claims",
        }
    }
}

/// The configured nodes, tried in order.
#[derive(Debug)]
pub struct Client {
    http: Http,
    nodes: Vec<String>,
    /// What nodes that answer reads have at least.
    known: Mutex<Option<Extent>>,
}

impl Client {
    /// A client of the nodes at these addresses.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the address that is not one.
    pub fn new(nodes: &[String]) -> Result<Self, CliError> {
        let nodes = nodes
            .iter()
            .map(|text| http::base_address(text))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            http: Http::new()?,
            nodes,
            known: Mutex::default(),
        })
    }

    /// The nodes' addresses, in the order in which they are tried.
    #[must_use]
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// From now on only nodes that have this much answer reads.
    pub fn knows(&self, extent: Extent) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(extent);
    }

    fn known(&self) -> Option<Extent> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a node stands that has all that we know of.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn status(&self) -> Result<StatusAnswer, CliError> {
        self.get("/v1/status", &[])
    }

    /// Where a node stands, however far behind that is.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn status_as_it_is(&self) -> Result<StatusAnswer, CliError> {
        let (node, reply) = self
            .ask("/v1/status", &[], None)
            .map_err(|(error, _)| error)?;
        decode(node, &reply)
    }

    /// Whether the node at one address is ready; if not, why.
    ///
    /// # Errors
    ///
    /// [`CliError`] if it gives no answer.
    pub fn ready(&self, node: &str) -> Result<Result<(), String>, CliError> {
        match self.http.get(node, "/readyz", &[], None, READ_TIMEOUT) {
            Ok(_) => Ok(Ok(())),
            Err(Failure::Problem(problem)) if problem.is_unavailable() => {
                Ok(Err(problem.detail().to_owned()))
            }
            Err(failure) => Err(failure.of_read(node)),
        }
    }

    /// The consortium's members as the node knows them.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn members(&self) -> Result<MembersAnswer, CliError> {
        self.get("/v1/members", &[])
    }

    /// What is known of a statement.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn statement(&self, id: &StatementId) -> Result<StatementAnswer, CliError> {
        self.get(&format!("/v1/statements/{id}"), &[])
    }

    /// What became of an envelope, asked of one node after another.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn envelope(&self, id: &EnvelopeId) -> Result<EnvelopeAnswer, CliError> {
        self.get(&format!("/v1/envelopes/{id}"), &[])
    }

    /// What became of an envelope, asked of one node.
    ///
    /// # Errors
    ///
    /// [`CliError`] if it gives no answer.
    pub fn envelope_at(&self, node: &str, id: &EnvelopeId) -> Result<EnvelopeAnswer, CliError> {
        let reply = self
            .http
            .get(node, &format!("/v1/envelopes/{id}"), &[], None, ASK_TIMEOUT)
            .map_err(|failure| failure.of_read(node))?;
        decode(node, &reply)
    }

    /// The receipt of a statement. Nothing is verified yet.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives one.
    pub fn receipt(&self, id: &StatementId) -> Result<Receipt, CliError> {
        let (node, reply) = self.read(&format!("/v1/receipts/{id}"), &[])?;
        Receipt::parse(&reply.bytes).map_err(|error| {
            Failure::Garbage(format!("the receipt: {error}"))
                .of_read(node)
                .about(id)
        })
    }

    /// The COSE receipt of a statement. Nothing is verified yet.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives one.
    pub fn cose_receipt(&self, id: &StatementId) -> Result<CoseReceipt, CliError> {
        let (node, reply) = self.read(&format!("/v1/receipts/{id}/cose"), &[])?;
        CoseReceipt::parse(&reply.bytes).map_err(|error| {
            Failure::Garbage(format!("the receipt: {error}"))
                .of_read(node)
                .about(id)
        })
    }

    /// What is known of a subject.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn subject(&self, identifier: &Identifier) -> Result<SubjectAnswer, CliError> {
        self.subject_at(identifier, None)
    }

    /// What is known of a subject, or was after the block at height `at`.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn subject_at(
        &self,
        identifier: &Identifier,
        at: Option<u64>,
    ) -> Result<SubjectAnswer, CliError> {
        let mut query = vec![("identifier", identifier.to_string())];
        query.extend(at.map(|height| ("at", height.to_string())));
        self.get("/v1/subjects", &query)
    }

    /// A page of what is said about a subject, after a position of the log; of what was said by
    /// the block at height `at`.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn subject_statements(
        &self,
        identifier: &Identifier,
        side: Side,
        after: Option<Sequence>,
        limit: usize,
        at: Option<u64>,
    ) -> Result<Page, CliError> {
        let mut query = vec![
            ("identifier", identifier.to_string()),
            ("side", side.name().to_owned()),
            ("limit", limit.to_string()),
        ];
        query.extend(after.map(|after| ("after", after.to_string())));
        query.extend(at.map(|height| ("at", height.to_string())));
        self.get("/v1/subjects/statements", &query)
    }

    /// A page of the uses of data that name this, after a position of the log.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn uses(
        &self,
        identifier: &Identifier,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Page, CliError> {
        let mut query = vec![
            ("identifier", identifier.to_string()),
            ("limit", limit.to_string()),
        ];
        query.extend(after.map(|after| ("after", after.to_string())));
        self.get("/v1/subjects/uses", &query)
    }

    /// Whether a member's slot is used, and by what.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn slot(&self, member: &MemberId, slot: &Slot) -> Result<SlotAnswer, CliError> {
        let query = [("member", member.to_string()), ("slot", slot.to_string())];
        self.get("/v1/slots", &query)
    }

    /// A page of the log, from a position; of the log as it was after the block at height `at`.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn entries(&self, from: Sequence, limit: usize, at: Option<u64>) -> Result<Page, CliError> {
        let mut query = vec![("from", from.to_string()), ("limit", limit.to_string())];
        query.extend(at.map(|height| ("at", height.to_string())));
        self.get("/v1/entries", &query)
    }

    /// What becomes final from a place of the log on, as the node at one address says it.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it gives no answer.
    pub fn stream(node: &str, query: &[(&str, String)]) -> Result<Stream, Failure> {
        Http::stream(node, "/v1/stream", query).map(Stream::new)
    }

    /// What a product is made of, or what contains it: all parts of the trace, of one height.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn trace(
        &self,
        identifier: &Identifier,
        direction: Direction,
        depth: Option<u32>,
        at: Option<u64>,
    ) -> Result<TraceAnswer, CliError> {
        let mut query = vec![
            ("identifier", identifier.to_string()),
            ("direction", direction.name().to_owned()),
        ];
        query.extend(depth.map(|depth| ("depth", depth.to_string())));
        let begin = query.len();
        query.extend(at.map(|height| ("at", height.to_string())));
        let mut trace: TraceAnswer = self.get("/v1/trace", &query)?;
        while let Some(next) = trace.next.take() {
            // Each part has a link at least, and there are not so many of them.
            query.truncate(begin);
            query.push(("after", next));
            let part: TraceAnswer = self.get("/v1/trace", &query)?;
            trace.truncated |= part.truncated;
            if part.edges.is_empty() || trace.edges.len() > TRACE_LINKS_MAX {
                trace.truncated = true;
                break;
            }
            trace.nodes.extend(part.nodes);
            trace.edges.extend(part.edges);
            trace.next = part.next;
        }
        Ok(trace)
    }

    /// Reads any path as JSON of the shape `T`, from the first node that gives it.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives such an answer.
    pub fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, CliError> {
        let (node, reply) = self.read(path, query)?;
        decode(node, &reply)
    }

    /// Reads any path as bytes, from the first node that gives it.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no node gives an answer.
    pub fn get_bytes(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<u8>, CliError> {
        self.read(path, query).map(|(_, reply)| reply.bytes)
    }

    /// Asks one node after another for what a node with all that we know of says; again for a
    /// moment, if there is none but some may catch up.
    fn read(&self, path: &str, query: &[(&str, String)]) -> Result<(&str, Reply), CliError> {
        let until = Instant::now() + CATCH_UP;
        loop {
            match self.ask(path, query, self.known()) {
                Err((_, Later::Perhaps)) if Instant::now() < until => thread::sleep(ASK_AGAIN),
                other => return other.map_err(|(error, _)| error),
            }
        }
    }

    /// Asks one node after another; a definite answer, good or bad, ends the search.
    fn ask(
        &self,
        path: &str,
        query: &[(&str, String)],
        known: Option<Extent>,
    ) -> Result<(&str, Reply), (CliError, Later)> {
        let mut failed: Option<CliError> = None;
        let mut later = Later::Never;
        for node in &self.nodes {
            let failure = match self.http.get(node, path, query, known, READ_TIMEOUT) {
                Ok(reply) => return Ok((node, reply)),
                Err(failure) => failure,
            };
            if failure.is_behind() {
                later = Later::Perhaps;
            }
            let definite = failure.is_definite();
            let error = failure.of_read(node);
            if definite {
                return Err((error, Later::Never));
            }
            failed = Some(match failed {
                None => error,
                Some(before) => {
                    let both = format!("{}; {}", before.message, error.message);
                    CliError {
                        message: both,
                        ..before
                    }
                }
            });
        }
        let none = || CliError::input("no node is configured");
        Err((failed.unwrap_or_else(none), later))
    }
}

/// Whether it is of use to ask again in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Later {
    /// The same will come of it.
    Never,
    /// A node was behind.
    Perhaps,
}

/// Reads the bytes of an answer.
///
/// # Errors
///
/// [`CliError`] if they are not of the shape `T`.
pub(crate) fn read_answer<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CliError> {
    let bytes = bytes.to_vec();
    decode("the node", &Reply { bytes })
}

/// Reads the bytes of a stream to its end: its statements, in order.
///
/// # Errors
///
/// [`CliError`] if they are no stream of a node's.
pub(crate) fn read_stream(bytes: &[u8]) -> Result<Vec<Item>, CliError> {
    let mut stream = Stream::new(bytes);
    let mut items = Vec::new();
    while let Some(event) = stream
        .event()
        .map_err(|failure| failure.of_read("the node"))?
    {
        if let Event::Statement(item) = event {
            items.push(item);
        }
    }
    Ok(items)
}

/// Reads the bytes of a problem document; what it comes to, for a question and for an envelope.
///
/// # Errors
///
/// [`CliError`] if they are none.
pub(crate) fn read_problem(bytes: &[u8]) -> Result<Vec<String>, CliError> {
    let problem = Problem::parse(bytes, None)
        .ok_or_else(|| Failure::Garbage("no problem document".into()).of_read("the node"))?;
    let words = |error: CliError| error.to_text();
    Ok(vec![
        words(problem.clone().of_read("the node")),
        words(problem.of_rejection("the node")),
    ])
}

fn decode<T: DeserializeOwned>(node: &str, reply: &Reply) -> Result<T, CliError> {
    reply.json().map_err(|failure| failure.of_read(node))
}
