//! Nodes of the mesh on loopback, and peers that do not keep to its rules.

#![allow(clippy::unwrap_used, reason = "failing is how a test reports")]

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use jangbu_mesh::{
    Class, Keypair, Member, Mesh, MeshConfig, MeshEvent, MeshEvents, MeshHandle, MeshLimits,
    Multiaddr, PeerId, identity_of, peer_id_of,
};
use libp2p::multiaddr::Protocol;
use tokio::time::timeout;

mod impostor;
pub mod raw;
mod wire;

pub use impostor::Impostor;
pub use wire::Wire;

/// Stream names begin with this.
pub const PROTOCOL: &str = "/jangbu/1/00";

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits what must happen.
pub async fn expect<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("in vain: {what}"))
}

/// The key of the node numbered `seed`.
pub fn identity(seed: u8) -> Keypair {
    identity_of(&mut [seed; 32]).unwrap()
}

/// The membership entry of the node numbered `seed`.
pub fn member(seed: u8, addresses: Vec<Multiaddr>) -> Member {
    let public = identity(seed)
        .public()
        .try_into_ed25519()
        .unwrap()
        .to_bytes();
    Member {
        peer_id: peer_id_of(&public).unwrap(),
        addresses,
    }
}

/// The membership that `nodes` make up.
pub fn members(nodes: &[Node]) -> Vec<Member> {
    nodes
        .iter()
        .map(|node| Member {
            peer_id: node.mesh.peer_id(),
            addresses: vec![node.address()],
        })
        .collect()
}

/// A running mesh and its owner.
#[derive(Debug)]
pub struct Node {
    /// Steers it.
    pub mesh: MeshHandle,
    /// What it tells.
    pub events: MeshEvents,
    /// Frames taken, for tests that count.
    pub taken: u32,
}

/// Starts the node numbered `seed`, by default on a port of the system's choice.
pub async fn start(seed: u8, listen: Option<Multiaddr>, members: Vec<Member>) -> Node {
    start_within(seed, listen, members, MeshLimits::default()).await
}

/// The same with bounds of one's own.
pub async fn start_within(
    seed: u8,
    listen: Option<Multiaddr>,
    members: Vec<Member>,
    limits: MeshLimits,
) -> Node {
    let config = MeshConfig {
        identity: identity(seed),
        listen: listen.unwrap_or_else(|| "/ip4/127.0.0.1/tcp/0".parse().unwrap()),
        members,
        protocol: PROTOCOL.to_owned(),
        limits,
    };
    let (mesh, events) = Mesh::start(config).await.unwrap();
    Node {
        mesh,
        events,
        taken: 0,
    }
}

impl Node {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Multiaddr {
        self.mesh.listen_addresses().first().unwrap().clone()
    }

    /// The same as a socket address.
    #[must_use]
    pub fn socket(&self) -> SocketAddr {
        let port = self.address().iter().find_map(|part| match part {
            Protocol::Tcp(port) => Some(port),
            _ => None,
        });
        (Ipv4Addr::LOCALHOST, port.unwrap()).into()
    }

    /// The next event.
    pub async fn event(&mut self) -> MeshEvent {
        expect("an event", self.events.recv()).await.unwrap()
    }

    /// The next `Connected` or `Disconnected`.
    pub async fn connection(&mut self) -> MeshEvent {
        loop {
            let event = self.event().await;
            if matches!(event, MeshEvent::Connected(_) | MeshEvent::Disconnected(_)) {
                return event;
            }
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> (PeerId, Class, Vec<u8>) {
        loop {
            match self.event().await {
                MeshEvent::Frame { peer, class, bytes } => return (peer, class, bytes),
                MeshEvent::Refused { .. } => {}
                other => panic!("instead of a frame: {other:?}"),
            }
        }
    }

    /// Waits for that many peers.
    pub async fn meet(&mut self, count: usize) {
        let mut met = BTreeSet::new();
        while met.len() < count {
            match self.connection().await {
                MeshEvent::Connected(peer) => assert!(met.insert(peer), "connected twice"),
                MeshEvent::Disconnected(peer) => assert!(met.remove(&peer), "never connected"),
                _ => {}
            }
        }
    }
}

/// Checks that the node connects to nobody for a while.
pub async fn quiet(node: &mut Node) {
    let connected = timeout(Duration::from_millis(500), node.connection()).await;
    assert!(connected.is_err(), "{connected:?}");
}
