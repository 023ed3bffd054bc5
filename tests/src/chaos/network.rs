//! The nodes' networks: a namespace each, a bridge in one of its own, and who hears whom.
//!
//! Nothing is in the machine's own network: no name, address or rule can collide.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::cluster::{Mark, Namespace, run_program};

/// The port at which every node listens for its peers.
pub(super) const PEER_PORT: u16 = 7401;

/// Namespaces, joined; removed when dropped.
#[derive(Debug)]
pub(super) struct Network {
    nodes: Vec<Arc<Namespace>>,
    /// For each node, whom it does not hear.
    deaf_to: Vec<BTreeSet<usize>>,
    _hub: Namespace,
}

impl Network {
    /// Makes the networks of so many nodes.
    ///
    /// # Errors
    ///
    /// Why they cannot be made here: not root, or a program that is missing.
    pub(super) fn build(nodes: usize) -> Result<Self, String> {
        let mark = Mark::own();
        let hub = Namespace::add(&format!("{mark}-hub"))?;
        hub.ip(&["link", "add", "bridge", "type", "bridge"])?;
        hub.ip(&["link", "set", "bridge", "up"])?;
        let mut network = Self {
            nodes: Vec::new(),
            deaf_to: vec![BTreeSet::new(); nodes],
            _hub: hub,
        };
        for node in 0..nodes {
            let namespace = network.join(&format!("{mark}-{node}"), node)?;
            network.nodes.push(Arc::new(namespace));
            network.apply(node)?;
        }
        Ok(network)
    }

    fn join(&self, name: &str, node: usize) -> Result<Namespace, String> {
        let namespace = Namespace::add(name)?;
        let (hub, port) = (&self._hub, format!("port{node}"));
        let wire = ["link", "add", &port, "type", "veth", "peer", "name", "up0"];
        hub.ip(&[&wire[..], &["netns", name]].concat())?;
        hub.ip(&["link", "set", &port, "master", "bridge", "up"])?;
        let address = format!("{}/24", address(node));
        namespace.ip(&["addr", "add", &address, "dev", "up0"])?;
        namespace.ip(&["link", "set", "up0", "up"])?;
        Ok(namespace)
    }

    /// A node's own.
    pub(super) fn of(&self, node: usize) -> &Arc<Namespace> {
        &self.nodes[node]
    }

    /// From now on, each node is deaf to these and hears all others.
    pub(super) fn set_deaf_to(&mut self, deaf_to: Vec<BTreeSet<usize>>) {
        for (node, wanted) in deaf_to.into_iter().enumerate() {
            if self.deaf_to[node] != wanted {
                self.deaf_to[node] = wanted;
                self.apply(node).unwrap();
            }
        }
    }

    /// Replaces a node's rules, all at once.
    fn apply(&self, node: usize) -> Result<(), String> {
        let mut rules = "*filter\n:INPUT ACCEPT\n".to_owned();
        for speaker in &self.deaf_to[node] {
            writeln!(rules, "-A INPUT -s {} -j DROP", address(*speaker)).unwrap();
        }
        rules += "COMMIT\n";
        self.nodes[node]
            .inside(|| run_program("iptables-restore", &[], &rules))
            .map(drop)
    }
}

/// A node's address on the bridge.
pub(super) fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(node + 1).unwrap())
}
