//! Clients that keep submitting, whatever happens to the nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Author, Book, Client, Cluster, issue, item, wait_until};

/// Pause after a node did not acknowledge, before another is asked.
const PAUSE: Duration = Duration::from_millis(20);

/// What a load is made of.
#[derive(Debug, Clone, Copy)]
pub struct LoadPlan {
    /// Nodes that the clients talk to.
    pub nodes: &'static [usize],
    /// Clients at a time.
    pub clients: usize,
    /// Statements in each envelope.
    pub statements: usize,
    /// Number of the first item; each statement is about an item of its own.
    pub first_item: u64,
}

/// Clients at work. Each sends one envelope at a time, to one node after the other until it is
/// acknowledged, as a careful script would: the same bytes again, never a new envelope.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Book>>,
}

impl Load {
    /// Starts the clients.
    #[must_use]
    pub fn start(cluster: &Cluster, plan: LoadPlan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let authors = super::COMPANIES.map(|name| cluster.author(name));
        let nodes: Vec<Client> = plan
            .nodes
            .iter()
            .map(|node| cluster.nodes[*node].client())
            .collect();
        let clients = (0..plan.clients)
            .map(|number| {
                let worker = Worker {
                    author: authors[number % authors.len()].clone(),
                    nodes: nodes.clone(),
                    plan,
                    number,
                    stop: Arc::clone(&stop),
                    acknowledged: Arc::clone(&acknowledged),
                };
                std::thread::spawn(move || worker.work())
            })
            .collect();
        Self {
            stop,
            acknowledged,
            clients,
        }
    }

    /// Envelopes acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until `count` more envelopes are acknowledged.
    pub fn wait_for_more(&self, count: usize) {
        let goal = self.acknowledged() + count;
        wait_until(
            &format!("{goal} envelopes are acknowledged"),
            || match self.acknowledged() {
                reached if reached >= goal => Ok(()),
                reached => Err(format!("{reached} are")),
            },
        );
    }

    /// Stops the clients, once each has its last envelope acknowledged; returns what they were
    /// told. Nodes must be running.
    #[must_use]
    pub fn stop(self) -> Book {
        self.stop.store(true, Ordering::Relaxed);
        let mut book = Book::default();
        for client in self.clients {
            book.append(client.join().expect("a client of the load failed"));
        }
        book
    }
}

struct Worker {
    author: Author,
    nodes: Vec<Client>,
    plan: LoadPlan,
    number: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
}

impl Worker {
    fn work(self) -> Book {
        let mut book = Book::default();
        let stride = u64::try_from(self.plan.clients).unwrap();
        let mut next = self.plan.first_item + u64::try_from(self.number).unwrap();
        let mut turn = self.number;
        while !self.stop.load(Ordering::Relaxed) {
            let statements = (0..self.plan.statements)
                .map(|_| {
                    let statement = issue(item(next));
                    next += stride;
                    statement
                })
                .collect();
            let envelope = self.author.envelope(statements);
            wait_until("an envelope is acknowledged", || {
                let node = &self.nodes[turn % self.nodes.len()];
                turn += 1;
                let answer = node.try_submit(&envelope).inspect_err(|_| {
                    std::thread::sleep(PAUSE);
                })?;
                if book.note(&answer) {
                    return Ok(());
                }
                // Pending, busy or stopping: anything else is a defect.
                assert!(
                    matches!(answer.status, 202 | 429 | 503),
                    "{}: {answer}",
                    node.address
                );
                std::thread::sleep(PAUSE);
                Err(answer.to_string())
            });
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        book
    }
}
