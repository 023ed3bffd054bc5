//! What the storm rages over: networks, links, a small disk, nodes, and their neighbours.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use jangbu_genesis::document::Parameters;

use super::agent::{Agent, Tried};
use super::links::Links;
use super::network::{Network, PEER_PORT, address};
use crate::cluster::{Cluster, Site, SmallDisk};
use crate::sim::Dice;

/// The operators, in the order of their nodes.
const NAMES: [&str; 7] = [
    "amperia", "hanbit", "nordwind", "soyu", "kestrel", "miraeon", "tarn",
];
/// Where every node serves its API, in its own network; the last part tells them apart in
/// messages.
const API_PORT: u16 = 7402;
/// Room on the small disk, in MiB; it takes memory only as it is used.
const ROOM_MIB: u32 = 8 * 1024;

/// Everything of one run that has to be gone afterwards. The processes end first; then this is
/// dropped from top to bottom: a disk before the directory it lies in, the networks last.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) agents: Vec<Agent>,
    pub(super) disk: SmallDisk,
    pub(super) cluster: Cluster,
    pub(super) links: Links,
    pub(super) network: Network,
    /// The node with the small disk.
    pub(super) small_disk: usize,
    /// When each node was started last.
    started: Vec<Instant>,
    /// What the agents tried.
    pub(super) tried: Option<Receiver<Tried>>,
}

impl Ground {
    /// Prepares everything; no node runs yet.
    ///
    /// # Errors
    ///
    /// Why it cannot be done on this machine.
    pub(super) fn prepare(nodes: usize, dice: &mut Dice) -> Result<Self, String> {
        let network = Network::build(nodes)?;
        let links = Links::start(&network, nodes, dice);
        let sites: Vec<Site> = (0..nodes)
            .map(|node| site(&network, &links, node))
            .collect();
        let cluster = Cluster::found_at(&NAMES[..nodes], &sites, Parameters::default());
        let small_disk = dice.index(nodes);
        let disk = SmallDisk::mount(&cluster.nodes[small_disk].data, ROOM_MIB)?;
        let (tell, tried) = channel();
        let agents = sites.iter().map(|site| Agent::start(site, tell.clone()));
        Ok(Self {
            agents: agents.collect(),
            disk,
            cluster,
            links,
            network,
            small_disk,
            started: vec![Instant::now(); nodes],
            tried: Some(tried),
        })
    }

    /// Starts a node, and tells its neighbour which process it is.
    pub(super) fn start(&mut self, node: usize) {
        self.cluster.nodes[node].start();
        self.started[node] = Instant::now();
        self.agents[node].set_process(self.cluster.nodes[node].id());
    }

    /// Whether a node has told its numbers since it was started.
    pub(super) fn has_answered(&self, node: usize) -> bool {
        let last = self.agents[node].last();
        last.is_some_and(|last| last.at > self.started[node])
    }

    /// Gives the small disk room again.
    pub(super) fn make_room(&self) {
        self.disk.resize(ROOM_MIB);
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.cluster.nodes.len()
    }

    /// A node's name.
    pub(super) fn name(&self, node: usize) -> &str {
        &self.cluster.nodes[node].name
    }

    /// The greatest height that any node was seen at.
    pub(super) fn top(&self) -> u64 {
        let heights = self.agents.iter().filter_map(|agent| agent.last());
        heights.map(|reading| reading.height).max().unwrap_or(0)
    }

    /// Where everything of the consortium lies.
    pub(super) fn directory(&self) -> PathBuf {
        self.cluster.directory().to_owned()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for node in &mut self.cluster.nodes {
            node.kill();
        }
    }
}

fn site(network: &Network, links: &Links, node: usize) -> Site {
    let host = u8::try_from(node + 1).unwrap();
    let detours = links.detours(node).into_iter();
    Site {
        peers: format!("/ip4/{}/tcp/{PEER_PORT}", address(node)),
        api: SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), API_PORT)),
        detours: detours
            .map(|(peer, address)| (NAMES[peer].to_owned(), address))
            .collect(),
        namespace: Some(std::sync::Arc::clone(network.of(node))),
    }
}
