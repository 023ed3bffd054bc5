//! A consortium of real `jangbu-node` processes on this machine, for tests.
//!
//! ```text
//!   Consortium  keys and genesis.json, by the ceremony everyone uses
//!       │
//!   Cluster ──▶ NodeProcess × n   one binary, one directory, one log file each
//!       │           ▲
//!       └─▶ Client ─┘ HTTP        Author ─▶ envelopes     Load ─▶ many of them, with a Book
//! ```
//!
//! Nothing here can collide with another test: every cluster has a loopback address of its own
//! ([`Loopback`]). Dropping a cluster kills its processes; if the test failed, the ends of their
//! logs are printed first.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod author;
mod book;
mod client;
mod consortium;
mod load;
mod log;
mod loopback;
mod mark;
mod metrics;
mod namespace;
mod process;
mod site;
mod small_disk;

use std::path::Path;
use std::time::{Duration, Instant};

use jangbu_genesis::document::Parameters;
use jangbu_ledger::checkpoint::{Checkpoint, verify_quorum};
use serde_json::Value;

use crate::binary::jangbu;
use crate::devnet::Ran;

pub use author::{Author, issue, item, now_ms, statement};
pub use book::{Acknowledged, Book};
pub use client::{Answer, Client};
pub use consortium::{Consortium, PASSPHRASE};
pub use load::{Load, LoadPlan};
pub use log::{Log, merkle_root};
pub use loopback::Loopback;
pub use mark::Mark;
pub use metrics::{Charge, Metrics};
pub use namespace::Namespace;
pub(crate) use namespace::run as run_program;
pub use process::NodeProcess;
pub use site::Site;
pub use small_disk::SmallDisk;

/// Longest anything that must happen may take. Far above what it takes on a loaded machine; a
/// test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Names of the operators, in the order of their nodes.
pub const OPERATORS: [&str; 4] = ["amperia", "hanbit", "nordwind", "soyu"];
/// Names of the companies without a node.
pub const COMPANIES: [&str; 3] = ["cml1", "lumina", "vela"];

/// Nodes of one consortium.
#[derive(Debug)]
pub struct Cluster {
    // First, so that they end before the directory with their logs is removed.
    /// Its nodes, in the order of their owners.
    pub nodes: Vec<NodeProcess>,
    /// Who founded it.
    pub consortium: Consortium,
    _loopback: Option<Loopback>,
}

impl Cluster {
    /// Founds a consortium of four operators and three companies; starts no node yet.
    #[must_use]
    pub fn found() -> Self {
        Self::found_with(Parameters::default())
    }

    /// [`Cluster::found`] with other rules of agreement.
    #[must_use]
    pub fn found_with(parameters: Parameters) -> Self {
        let loopback = Loopback::claim();
        let sites: Vec<Site> = (0..OPERATORS.len()).map(|at| loopback.site(at)).collect();
        let mut cluster = Self::found_at(&OPERATORS, &sites, parameters);
        cluster._loopback = Some(loopback);
        cluster
    }

    /// Founds a consortium of these operators, each with its node at its site, and the three
    /// companies; starts no node yet. The caller sees to it that nobody else uses the sites.
    #[must_use]
    pub fn found_at(operators: &[&str], sites: &[Site], parameters: Parameters) -> Self {
        let consortium = Consortium::found(operators, &COMPANIES, parameters, |position| {
            sites[position].peers.clone()
        });
        let nodes = operators
            .iter()
            .zip(sites)
            .map(|(name, site)| NodeProcess::configure(&consortium, name, site))
            .collect();
        Self {
            nodes,
            consortium,
            _loopback: None,
        }
    }

    /// Founds a consortium and starts all its nodes; returns once all are ready.
    #[must_use]
    pub fn start() -> Self {
        let mut cluster = Self::found();
        cluster.start_all();
        cluster
    }

    /// Starts every node that does not run, and waits until all are ready.
    pub fn start_all(&mut self) {
        for node in &mut self.nodes {
            node.start();
        }
        self.wait_until_ready();
    }

    /// Waits until every node that was started is ready.
    pub fn wait_until_ready(&mut self) {
        for node in &mut self.nodes {
            node.wait_until_ready();
        }
    }

    /// Clients of all nodes, in order.
    #[must_use]
    pub fn clients(&self) -> Vec<Client> {
        self.nodes.iter().map(NodeProcess::client).collect()
    }

    /// Runs `jangbu` as a member, with `--json`, asking this node.
    #[must_use]
    pub fn jangbu(&self, member: &str, node: usize, arguments: &[&str]) -> Ran {
        let home = self.consortium.home(member);
        let output = jangbu()
            .args(["--json", "--member", member, "--genesis"])
            .arg(self.consortium.genesis_file())
            .arg("--keystore")
            .arg(home.join("keys"))
            .arg("--passphrase-file")
            .arg(home.join("passphrase"))
            .arg("--vault")
            .arg(home.join("vault"))
            .arg("--node")
            .arg(format!("http://{}", self.nodes[node].api))
            .args(arguments)
            .output()
            .unwrap();
        Ran::of(&output)
    }

    /// `jangbu` with `--json` as somebody who has the genesis file and these nodes' addresses.
    #[must_use]
    pub fn reader(&self, nodes: &[usize]) -> std::process::Command {
        let mut command = jangbu();
        command.args(["--json", "--genesis"]);
        command.arg(self.consortium.genesis_file());
        for &node in nodes {
            let address = format!("http://{}", self.nodes[node].api);
            command.args(["--node", &address]);
        }
        command
    }

    /// Somebody who says things: an operator or a company by name.
    #[must_use]
    pub fn author(&self, name: &str) -> Author {
        self.consortium.author(name)
    }

    /// The node's last final checkpoint, its quorum checked.
    #[must_use]
    pub fn checkpoint(&self, node: usize) -> Checkpoint {
        let answer = self.nodes[node].client().get("/checkpoint");
        assert_eq!(answer.status, 200, "{answer}");
        let anchor = &self.consortium.anchor;
        verify_quorum(
            &answer.text(),
            &anchor.origin,
            &anchor.witnesses,
            anchor.quorum,
        )
        .unwrap()
        .checkpoint
    }

    /// Waits until the final checkpoints of all nodes in `nodes` have at least `size` entries.
    pub fn wait_for_size(&self, nodes: &[usize], size: u64) {
        for &node in nodes {
            let name = &self.nodes[node].name;
            wait_until(&format!("{name} has {size} entries, final"), || {
                let answer = self.nodes[node].client().try_get("/v1/status")?;
                let found = answer.json()["final"]["size"].as_u64();
                match found {
                    Some(found) if found >= size => Ok(()),
                    _ => Err(format!("it has {found:?}")),
                }
            });
        }
    }

    /// Checks that the checkpoints of these nodes are prefixes of one log, and that the log's
    /// entries hash to all of them; returns that log.
    ///
    /// The hashing is done here, from the entries up, with nothing of ours but the tile paths.
    #[must_use]
    pub fn one_log(&self, nodes: &[usize]) -> Log {
        let checkpoints: Vec<(usize, Checkpoint)> = nodes
            .iter()
            .map(|&node| (node, self.checkpoint(node)))
            .collect();
        let (longest, last) = checkpoints
            .iter()
            .max_by_key(|(_, checkpoint)| checkpoint.size)
            .unwrap();
        let log = Log::fetch(&self.nodes[*longest].client(), last.size);
        for (node, checkpoint) in &checkpoints {
            assert_eq!(
                log.root(checkpoint.size),
                checkpoint.root.0,
                "the checkpoint of {} at size {} is no prefix of the log of {}",
                self.nodes[*node].name,
                checkpoint.size,
                self.nodes[*longest].name
            );
        }
        log
    }

    /// Checks that nothing acknowledged is lost: every receipt holds, and every node comes to
    /// have one log with every acknowledged statement at its position. Returns that log.
    pub fn nothing_is_lost(&self, book: &Book) -> Log {
        assert!(!book.entries.is_empty(), "nothing was acknowledged");
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        let sizes = all.iter().map(|&node| self.checkpoint(node).size);
        self.wait_for_size(&all, sizes.max().unwrap_or_default());
        let log = self.one_log(&all);
        book.verify(&self.consortium.anchor, &log);
        for client in self.clients() {
            let own = Log::fetch(&client, Self::final_size(&client));
            let common = own.entries.len().min(log.entries.len());
            assert!(
                own.entries[..common] == log.entries[..common],
                "{} serves another log",
                client.address
            );
            book.ask(&client);
        }
        log
    }

    fn final_size(client: &Client) -> u64 {
        client.json("/v1/status")["final"]["size"].as_u64().unwrap()
    }

    /// Where everything of this cluster lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.consortium.directory()
    }
}

/// Waits until `check` says yes, for at most [`PATIENCE`]; the last no is in the failure.
pub fn wait_until<T>(what: &str, mut check: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match check() {
            Ok(value) => return value,
            Err(last) if began.elapsed() > PATIENCE => {
                panic!("waited {PATIENCE:?} until {what}; at last: {last}")
            }
            Err(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The text at `key` of a JSON object.
#[must_use]
pub fn text_at<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text at {key:?} in {value}"))
}
