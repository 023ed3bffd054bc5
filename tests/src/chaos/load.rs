//! Clients of the whole consortium that keep their pace, whatever happens to the nodes.
//!
//! Open loop: envelope *i* is due at *i / rate*. Each goes to one node; if that does not say
//! that it is final, the same bytes go to another one, again and again, as a careful script
//! would do it. When the load is stopped, nothing new is offered, and it goes on until every
//! envelope that was ever offered is final.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jangbu_ledger::statement::{PAYLOAD_BYTES_MAX, Statement};
use tokio::sync::mpsc::UnboundedSender;

use super::agent::{Job, Tried};
use crate::cluster::{Author, Book, PATIENCE, issue, item};
use crate::sim::Dice;

/// Most statements in an envelope, and their number in a large one; these have payloads as well.
const STATEMENTS_MAX: u64 = 4;
const STATEMENTS_LARGE: u64 = 40;
/// Most envelopes on their way; beyond, none is offered, and that is counted.
const OPEN_MAX: usize = 4096;
/// Before an envelope is handed in again.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest the load sleeps, and shortest: it must not spin while it is late.
const NAP_MAX: Duration = Duration::from_millis(50);
const NAP_MIN: Duration = Duration::from_micros(100);

/// What the load did.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Every acknowledgement that was given.
    pub(super) book: Book,
    /// Envelopes offered.
    pub(super) offered: u64,
    /// Envelopes due while too many were on their way.
    pub(super) held_back: u64,
    /// Envelopes that were not final when the load was stopped.
    pub(super) open_at_stop: usize,
    /// What was answered, by kind.
    pub(super) answers: BTreeMap<String, u64>,
    /// From when an envelope was due to when it was known to be final, sorted.
    pub(super) latencies: Vec<Duration>,
}

/// When envelopes were found final; the first moment is the start.
pub(super) type Finals = Arc<Mutex<Vec<Instant>>>;

/// What the clients are told.
#[derive(Debug, Default)]
struct Orders {
    /// Offer nothing more, and end once everything offered is final.
    stop: AtomicBool,
    /// Offer large envelopes.
    large: AtomicBool,
    /// End at once.
    abandon: AtomicBool,
}

/// The clients at work.
#[derive(Debug)]
pub(super) struct Load {
    orders: Arc<Orders>,
    finals: Finals,
    thread: Option<JoinHandle<Outcome>>,
}

impl Load {
    /// Starts the clients: they speak for these authors, at this many envelopes per second.
    pub(super) fn start(
        authors: Vec<Author>,
        nodes: Vec<UnboundedSender<Job>>,
        tried: Receiver<Tried>,
        rate: f64,
        dice: Dice,
    ) -> Self {
        let orders = Arc::new(Orders::default());
        let finals: Finals = Arc::new(Mutex::new(vec![Instant::now()]));
        let clients = Clients {
            authors,
            nodes,
            interval: Duration::from_secs_f64(1.0 / rate),
            dice,
            open: BTreeMap::new(),
            waiting: BinaryHeap::new(),
            finals: Arc::clone(&finals),
            outcome: Outcome::default(),
        };
        let told = Arc::clone(&orders);
        let thread = std::thread::spawn(move || clients.work(&tried, &told));
        Self {
            orders,
            finals,
            thread: Some(thread),
        }
    }

    /// Whether it has failed: nothing else ends it before it is stopped.
    pub(super) fn failed(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// From now on, offers large envelopes, or small ones again.
    pub(super) fn offer_large(&self, large: bool) {
        self.orders.large.store(large, Ordering::Relaxed);
    }

    /// When envelopes were found final, from the start on.
    pub(super) fn finals(&self) -> Vec<Instant> {
        self.finals.lock().unwrap().clone()
    }

    /// Offers nothing more, and returns once everything offered is final.
    pub(super) fn finish(mut self) -> Outcome {
        self.orders.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is finished once");
        thread.join().expect("the load failed")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.orders.abandon.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the load failed");
        }
    }
}

/// An envelope on its way.
struct Open {
    due: Instant,
    node: usize,
}

/// An envelope to be handed in again; the one due first is the greatest.
#[derive(PartialEq, Eq)]
struct Waiting {
    due: std::cmp::Reverse<Instant>,
    number: u64,
    bytes: Vec<u8>,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

struct Clients {
    authors: Vec<Author>,
    nodes: Vec<UnboundedSender<Job>>,
    interval: Duration,
    dice: Dice,
    open: BTreeMap<u64, Open>,
    waiting: BinaryHeap<Waiting>,
    finals: Finals,
    outcome: Outcome,
}

impl Clients {
    fn work(mut self, tried: &Receiver<Tried>, orders: &Orders) -> Outcome {
        let mut next = Instant::now();
        let mut stopped: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if stopped.is_none() && orders.stop.load(Ordering::Relaxed) {
                stopped = Some(now);
                self.outcome.open_at_stop = self.open.len();
            }
            while stopped.is_none() && next <= now {
                self.offer(next, orders.large.load(Ordering::Relaxed));
                next += self.interval;
            }
            while let Some(again) = self.waiting.pop() {
                if again.due.0 > now {
                    self.waiting.push(again);
                    break;
                }
                self.hand_in(again.number, again.bytes);
            }
            let nap = next.saturating_duration_since(now);
            match tried.recv_timeout(nap.clamp(NAP_MIN, NAP_MAX)) {
                Ok(tried) => self.hear(tried),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("all agents ended"),
            }
            match stopped {
                _ if orders.abandon.load(Ordering::Relaxed) => return self.outcome,
                Some(_) if self.open.is_empty() => {
                    self.outcome.latencies.sort_unstable();
                    return self.outcome;
                }
                Some(since) => self.goes_on(since),
                None => {}
            }
        }
    }

    /// After the end, a backlog takes its time on a busy machine, but something becomes final all
    /// along; of one that is stuck, nothing does once all others are.
    fn goes_on(&self, stopped: Instant) {
        let finals = self.finals.lock().unwrap();
        let last = finals.last().map_or(stopped, |last| stopped.max(*last));
        let since_the_end = finals.iter().filter(|at| **at > stopped).count();
        assert!(
            last.elapsed() < PATIENCE,
            "{} of {} envelopes are not final {:?} after the end, {since_the_end} became so since, \
             none in the last {PATIENCE:?}: {:?}",
            self.open.len(),
            self.outcome.open_at_stop,
            stopped.elapsed(),
            self.outcome.answers
        );
    }

    fn offer(&mut self, due: Instant, large: bool) {
        if self.open.len() >= OPEN_MAX {
            self.outcome.held_back += 1;
            return;
        }
        let number = self.outcome.offered;
        self.outcome.offered += 1;
        let (statements, payload_bytes) = match large {
            true => (STATEMENTS_LARGE, PAYLOAD_BYTES_MAX),
            false => (1 + self.dice.below(STATEMENTS_MAX), 0),
        };
        let first = number * STATEMENTS_LARGE;
        let statement = |number| Statement {
            payload: vec![0; payload_bytes],
            ..issue(item(number))
        };
        let statements = (first..first + statements).map(statement).collect();
        let author = self.dice.index(self.authors.len());
        let bytes = self.authors[author].envelope(statements);
        let node = self.dice.index(self.nodes.len());
        self.open.insert(number, Open { due, node });
        self.hand_in(number, bytes);
    }

    fn hand_in(&mut self, number: u64, bytes: Vec<u8>) {
        let node = self.open[&number].node;
        let handed = self.nodes[node].send(Job { number, bytes });
        assert!(handed.is_ok(), "the agent of node {node} ended");
    }

    fn hear(&mut self, tried: Tried) {
        let kind = match &tried.answer {
            Ok(answer) if self.outcome.book.note(answer) => "final".to_owned(),
            Ok(answer) => {
                // Not final in time, busy, stopping: anything else is a defect.
                assert!(matches!(answer.status, 202 | 429 | 503), "{answer}");
                format!("HTTP {}", answer.status)
            }
            Err(error) => error.clone(),
        };
        if kind == "final" {
            let open = self.open.remove(&tried.number);
            let open = open.expect("each envelope is handed in at one node at a time");
            self.outcome.latencies.push(tried.at - open.due);
            self.finals.lock().unwrap().push(tried.at);
        } else if let Some(open) = self.open.get_mut(&tried.number) {
            open.node = (open.node + 1) % self.nodes.len();
            self.waiting.push(Waiting {
                due: std::cmp::Reverse(tried.at + PAUSE),
                number: tried.number,
                bytes: tried.bytes,
            });
        }
        *self.outcome.answers.entry(kind).or_default() += 1;
    }
}
