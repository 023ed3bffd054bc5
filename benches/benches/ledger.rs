//! A ledger of a million products with a million component links on disk, then: re-deriving every root of it, and recalls
//! of lots through the HTTP API of the node that serves it.
//!
//! ```text
//!   lot ── 2 things ── 4 ── … ── 1,024 products        ten levels, 2,046 links
//!   lot ── 2 ── 6 ── 12 ── … ── 7,776                  twos and threes in turn, 12,438 links
//!   lot ── 3 ── 9 ── 27 ── … ── 59,049                 88,572 links
//! ```

use std::time::{Duration, Instant};

use anyhow::Context as _;
use jangbu_benches::ledger::Ledger;
use jangbu_benches::measure::{each_us, load, process_cpu};
use jangbu_ledger::statement::{Basis, Kind, Statement, Stream};
use jangbu_tests::cluster::{Client, Cluster, issue, item, statement, wait_until};

/// Links in the ledger, at least.
const LINKS: usize = 1_000_000;
/// Statements in a block, and in its one envelope.
const BLOCK: usize = 1_000;
/// Levels above a lot.
const DEPTH: u32 = 10;
/// Times that each recall is asked for.
const ROUNDS: usize = 15;

/// How many things of the next level each thing of a level goes into.
type Branching = fn(level: u32) -> u64;

/// Lots, and the number of their first thing.
struct Lot {
    number: u64,
    links: usize,
    products: usize,
}

/// Makes things with numbers of their own and the links between them.
struct Factory {
    next: u64,
    waiting: Vec<Statement>,
    links: usize,
}

impl Factory {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A lot and all that it went into, nearest first.
    fn lot(&mut self, ledger: &mut Ledger, branching: Branching) -> anyhow::Result<Lot> {
        let number = self.number();
        let (mut level, mut links) = (vec![number], 0);
        for depth in 0..DEPTH {
            let mut next = Vec::new();
            for child in level {
                for _ in 0..branching(depth) {
                    let parent = self.number();
                    self.link(ledger, parent, child)?;
                    next.push(parent);
                    links += 1;
                }
            }
            level = next;
        }
        let products = level.len();
        Ok(Lot {
            number,
            links,
            products,
        })
    }

    fn link(&mut self, ledger: &mut Ledger, parent: u64, child: u64) -> anyhow::Result<()> {
        let kind = Kind::ComponentLinked {
            child: item(child),
            basis: Basis::AsBuilt,
            quantity: None,
        };
        self.waiting.push(issue(item(parent)));
        self.waiting
            .push(statement(kind, vec![Stream::Open(item(parent))]));
        self.links += 1;
        if self.waiting.len() < BLOCK {
            return Ok(());
        }
        ledger.record(std::mem::take(&mut self.waiting))?;
        progress(self);
        Ok(())
    }
}

/// Says how far it has come, for whoever waits.
fn progress(factory: &Factory) {
    if factory.links * 10 % LINKS < BLOCK {
        eprintln!("{} links", factory.links);
    }
}

fn build(ledger: &mut Ledger) -> anyhow::Result<Vec<Lot>> {
    let mut factory = Factory {
        next: 0,
        waiting: Vec::new(),
        links: 0,
    };
    let mut lots = vec![
        factory.lot(ledger, |_| 2)?,
        factory.lot(ledger, |level| u64::from(2 + level % 2))?,
        factory.lot(ledger, |_| 3)?,
    ];
    while factory.links < LINKS {
        factory.lot(ledger, |_| 2)?;
    }
    lots.push(factory.lot(ledger, |_| 2)?);
    ledger.record(factory.waiting)?;
    Ok(lots)
}

fn recall(client: &Client, lot: &Lot) -> anyhow::Result<()> {
    let path = format!(
        "/v1/trace?identifier={}&direction=up&depth={DEPTH}",
        item(lot.number)
    );
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answer = client.get(&path);
        times.push(begun.elapsed());
        let found = answer.json();
        let (nodes, edges) = (&found["nodes"], &found["edges"]);
        let products = nodes.as_array().context("nodes")?.iter();
        let products = products.filter(|node| node["depth"] == DEPTH).count();
        anyhow::ensure!(
            products == lot.products && edges.as_array().context("edges")?.len() == lot.links,
            "{products} products; truncated: {}",
            found["truncated"]
        );
    }
    let first = times.first().copied().unwrap_or_default();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "trace up/links={LINKS}/depth={DEPTH}/found={}: {:.1} ms in the middle of {ROUNDS}, {:.1} ms \
         the first time; {} products; load {}",
        lot.links,
        ms(middle),
        ms(first),
        lot.products,
        load()
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() -> anyhow::Result<()> {
    let mut cluster = Cluster::found();
    let mut ledger = Ledger::found(&cluster)?;
    let lots = build(&mut ledger)?;
    let entries = ledger.entries();
    let count = usize::try_from(entries)?;
    let (executing, committing) = ledger.spent();
    println!(
        "build/entries={entries}: {:.1} µs CPU an entry to verify and execute, {:.1} µs to commit; load {}",
        each_us(executing, count),
        each_us(committing, count),
        load()
    );
    for _ in 0..3 {
        let (begun, cpu) = (Instant::now(), process_cpu());
        let found = ledger.store.fsck(&ledger.chain)?;
        let took = begun.elapsed();
        anyhow::ensure!(found.entries == entries, "{found:?}");
        println!(
            "fsck/entries={entries}: {:.2} s, {:.0} entries/s; {:.2} µs CPU an entry; load {}",
            took.as_secs_f64(),
            1e6 / each_us(took, count),
            each_us(process_cpu().saturating_sub(cpu), count),
            load()
        );
    }
    drop(ledger);
    let node = cluster.nodes.first_mut().context("a node")?;
    node.start();
    let client = node.client();
    wait_until("the node serves", || {
        match client.try_get("/v1/status")?.status {
            200 => Ok(()),
            status => Err(format!("status {status}")),
        }
    });
    lots.iter().try_for_each(|lot| recall(&client, lot))
}
