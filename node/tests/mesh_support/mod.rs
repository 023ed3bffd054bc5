//! Nodes on loopback, and peers that do not keep to the rules.

#![allow(clippy::unwrap_used, reason = "failing is how a test reports")]

use std::{
    collections::BTreeSet,
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr},
    task::Poll,
    time::Duration,
};

use futures::AsyncWriteExt;
use jangbu_node::mesh::{
    Class, Keypair, Member, Mesh, MeshConfig, MeshEvent, MeshEvents, MeshHandle, MeshLimits,
    Multiaddr, PeerId, identity_of, peer_id_of,
};
use libp2p::{
    core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox},
    multiaddr::Protocol,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

pub(crate) mod raw;

/// Stream names begin with this.
pub(crate) const PROTOCOL: &str = "/jangbu/1/00";

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits what must happen.
pub(crate) async fn expect<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("in vain: {what}"))
}

/// The key of the node numbered `seed`.
pub(crate) fn identity(seed: u8) -> Keypair {
    identity_of(&mut [seed; 32]).unwrap()
}

/// The membership entry of the node numbered `seed`.
pub(crate) fn member(seed: u8, addresses: Vec<Multiaddr>) -> Member {
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
pub(crate) fn members(nodes: &[Node]) -> Vec<Member> {
    nodes
        .iter()
        .map(|node| Member {
            peer_id: node.mesh.peer_id(),
            addresses: vec![node.address()],
        })
        .collect()
}

/// A running mesh and its owner.
pub(crate) struct Node {
    pub(crate) mesh: MeshHandle,
    pub(crate) events: MeshEvents,
    /// Frames taken, for tests that count.
    pub(crate) taken: u32,
}

/// Starts the node numbered `seed`, by default on a port of the system's choice.
pub(crate) async fn start(seed: u8, listen: Option<Multiaddr>, members: Vec<Member>) -> Node {
    let config = MeshConfig {
        identity: identity(seed),
        listen: listen.unwrap_or_else(|| "/ip4/127.0.0.1/tcp/0".parse().unwrap()),
        members,
        protocol: PROTOCOL.to_owned(),
        limits: MeshLimits::default(),
    };
    let (mesh, events) = Mesh::start(config).await.unwrap();
    Node {
        mesh,
        events,
        taken: 0,
    }
}

impl Node {
    pub(crate) fn address(&self) -> Multiaddr {
        self.mesh.listen_addresses().first().unwrap().clone()
    }

    pub(crate) fn socket(&self) -> SocketAddr {
        let port = self.address().iter().find_map(|part| match part {
            Protocol::Tcp(port) => Some(port),
            _ => None,
        });
        (Ipv4Addr::LOCALHOST, port.unwrap()).into()
    }

    pub(crate) async fn event(&mut self) -> MeshEvent {
        expect("an event", self.events.recv()).await.unwrap()
    }

    /// The next `Connected` or `Disconnected`.
    pub(crate) async fn connection(&mut self) -> MeshEvent {
        loop {
            let event = self.event().await;
            if matches!(event, MeshEvent::Connected(_) | MeshEvent::Disconnected(_)) {
                return event;
            }
        }
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> (PeerId, Class, Vec<u8>) {
        loop {
            match self.event().await {
                MeshEvent::Frame { peer, class, bytes } => return (peer, class, bytes),
                MeshEvent::Refused { .. } => {}
                other => panic!("instead of a frame: {other:?}"),
            }
        }
    }

    /// Waits for that many peers.
    pub(crate) async fn meet(&mut self, count: usize) {
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
pub(crate) async fn quiet(node: &mut Node) {
    let connected = timeout(Duration::from_millis(500), node.connection()).await;
    assert!(connected.is_err(), "{connected:?}");
}

/// A member's connection of which we hold each stream.
pub(crate) struct Wire {
    opens: mpsc::Sender<oneshot::Sender<SubstreamBox>>,
    driver: JoinHandle<()>,
}

impl Wire {
    /// Dials with the key numbered `seed`.
    pub(crate) async fn connect(seed: u8, address: Multiaddr) -> Self {
        let mut muxer = raw::tapped_dial(&identity(seed), address)
            .await
            .upgraded
            .unwrap();
        let (opens, mut asked) = mpsc::channel::<oneshot::Sender<SubstreamBox>>(4);
        let driver = tokio::spawn(async move {
            let mut opening: Option<oneshot::Sender<SubstreamBox>> = None;
            // The node's streams are accepted and never read.
            let mut unread = Vec::new();
            loop {
                tokio::select! {
                    ask = asked.recv(), if opening.is_none() => match ask {
                        Some(ask) => opening = Some(ask),
                        None => return,
                    },
                    step = next(&mut muxer, opening.is_some()) => match step {
                        Ok((stream, true)) => drop(opening.take().unwrap().send(stream)),
                        Ok((stream, false)) => unread.push(stream),
                        Err(_) => return,
                    },
                }
            }
        });
        Self { opens, driver }
    }

    /// Opens a stream of that name.
    pub(crate) async fn open(&mut self, name: &str) -> SubstreamBox {
        let (reply, opened) = oneshot::channel();
        self.opens.send(reply).await.unwrap();
        let mut stream = expect("a stream", opened).await.unwrap();
        let mut preamble = u32::try_from(name.len()).unwrap().to_be_bytes().to_vec();
        preamble.extend_from_slice(name.as_bytes());
        stream.write_all(&preamble).await.unwrap();
        // The node may close the connection at the sight of this stream.
        let _closed = stream.flush().await;
        stream
    }

    /// Opens a stream of each class, as a correct member does.
    pub(crate) async fn open_both(&mut self) -> Vec<SubstreamBox> {
        let agreement = self.open(&format!("{PROTOCOL}/agreement")).await;
        vec![agreement, self.open(&format!("{PROTOCOL}/bulk")).await]
    }

    /// Waits until the node has closed the connection.
    pub(crate) async fn closed(self) {
        expect("the connection is closed", self.driver)
            .await
            .unwrap();
    }
}

/// The next stream, and whether it is one that we opened.
async fn next(muxer: &mut StreamMuxerBox, open: bool) -> io::Result<(SubstreamBox, bool)> {
    poll_fn(|cx| {
        while let Poll::Ready(event) = muxer.poll_unpin(cx) {
            event?;
        }
        if open && let Poll::Ready(stream) = muxer.poll_outbound_unpin(cx) {
            return Poll::Ready(stream.map(|stream| (stream, true)));
        }
        muxer
            .poll_inbound_unpin(cx)
            .map_ok(|stream| (stream, false))
    })
    .await
}
