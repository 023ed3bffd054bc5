//! The owner's end of the mesh: start, send, ask, stop.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use libp2p::{Multiaddr, PeerId};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    Class, Fault, Member, MeshConfig, MeshError, MeshEvent, MeshEvents, MeshLimits, SendOutcome,
    conduct::Conduct,
    endpoint::{Command, Endpoint},
    events::{self, Reporter},
    gate::Membership,
    outbox::{Cut, Outbox},
    refusals::{Refusal, Refusals},
    roster::LinkId,
};

/// Longest protocol prefix: leaves room for the class in a preamble.
const PROTOCOL_BYTES_MAX: usize = 200;

const _: () = assert!(PROTOCOL_BYTES_MAX + "/agreement".len() <= super::frame::PREAMBLE_BYTES_MAX);

/// Orders waiting for the endpoint; they come from an operator, rarely.
const COMMANDS_MAX: usize = 16;

/// The connections in use, by peer.
#[derive(Debug, Default)]
pub(super) struct Table(RwLock<BTreeMap<PeerId, (LinkId, Arc<Outbox>)>>);

impl Table {
    pub(super) fn insert(&self, peer: PeerId, link: LinkId, outbox: Arc<Outbox>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(peer, (link, outbox));
    }

    /// Removes the peer's entry if it is still that of `link`.
    pub(super) fn remove(&self, peer: PeerId, link: LinkId) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if table
            .get(&peer)
            .is_some_and(|(current, _)| *current == link)
        {
            table.remove(&peer);
        }
    }

    fn get(&self, peer: &PeerId) -> Option<Arc<Outbox>> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.get(peer).map(|(_, outbox)| Arc::clone(outbox))
    }

    fn all(&self) -> Vec<(PeerId, Arc<Outbox>)> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table
            .iter()
            .map(|(peer, (_, outbox))| (*peer, Arc::clone(outbox)))
            .collect()
    }
}

/// What handle, endpoint and links have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) us: PeerId,
    pub(super) protocol: String,
    pub(super) limits: MeshLimits,
    pub(super) members: Membership,
    pub(super) conduct: Arc<Conduct>,
    pub(super) refusals: Refusals,
    pub(super) table: Table,
    pub(super) listening: RwLock<Vec<Multiaddr>>,
    pub(super) reporter: Reporter,
}

impl Shared {
    /// Counts a fault, and keeps a member out that must have meant it.
    pub(super) fn blame(&self, peer: Option<PeerId>, fault: &Fault) {
        let member = peer.filter(|peer| self.members.contains(peer));
        self.refusals.count(member, fault);
        if let Some(member) = member.filter(|_| fault.is_offence()) {
            let away = self.conduct.strike(member, Instant::now());
            tracing::debug!(peer = %member, reason = %fault, ?away, "keeping a member out");
        }
    }

    /// Counts and tells of a connection that never became one; never waits.
    pub(super) fn refuse(&self, peer_id: Option<PeerId>, address: Multiaddr, reason: Fault) {
        tracing::debug!(peer = ?peer_id, %address, %reason, "refused a connection");
        self.blame(peer_id, &reason);
        let member = peer_id.filter(|peer| self.members.contains(peer));
        if self.conduct.is_news(member, Instant::now()) {
            self.reporter.mention(MeshEvent::Refused {
                peer_id,
                address,
                reason,
            });
        }
    }
}

/// The peer mesh; see the module.
#[derive(Debug)]
pub struct Mesh;

impl Mesh {
    /// Listens, and begins to dial every member. Returns once the listening
    /// address is known. Must be called on a tokio runtime with I/O and time.
    ///
    /// The mesh stops on [`MeshHandle::shutdown`], or when all handles, or the
    /// events, are dropped.
    ///
    /// # Errors
    ///
    /// [`MeshError`]: the configuration, key or address is unusable.
    pub async fn start(config: MeshConfig) -> Result<(MeshHandle, MeshEvents), MeshError> {
        let MeshConfig {
            identity,
            listen,
            members,
            protocol,
            limits,
        } = config;
        if protocol.is_empty() || protocol.len() > PROTOCOL_BYTES_MAX {
            return Err(MeshError::Protocol(protocol.len()));
        }
        let (reporter, events) = events::events(&limits);
        let shared = Arc::new(Shared {
            us: identity.public().to_peer_id(),
            protocol,
            limits,
            members: Membership::default(),
            conduct: Arc::default(),
            refusals: Refusals::default(),
            table: Table::default(),
            listening: RwLock::default(),
            reporter,
        });
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let mut endpoint = Endpoint::new(&identity, limits, Arc::clone(&shared), receiver)?;
        endpoint.set_members(members);
        endpoint.listen(listen).await?;
        tokio::spawn(endpoint.run());
        Ok((MeshHandle { shared, commands }, events))
    }
}

/// Sends to the mesh and steers it. Clones share one mesh.
#[derive(Clone)]
pub struct MeshHandle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

impl fmt::Debug for MeshHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshHandle")
            .field("us", &self.shared.us)
            .finish_non_exhaustive()
    }
}

impl MeshHandle {
    /// Our own peer id.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.shared.us
    }

    /// Queues a frame for one peer; never waits.
    pub fn send(&self, peer: PeerId, class: Class, bytes: Arc<[u8]>) -> SendOutcome {
        match self.shared.table.get(&peer) {
            Some(outbox) => outbox.push(class, bytes),
            None => SendOutcome::NotConnected,
        }
    }

    /// Queues a frame for every connected peer, without copying it; tells what
    /// became of each, in the order of peer ids.
    pub fn broadcast(&self, class: Class, bytes: &Arc<[u8]>) -> Vec<(PeerId, SendOutcome)> {
        let send =
            |(peer, outbox): (PeerId, Arc<Outbox>)| (peer, outbox.push(class, Arc::clone(bytes)));
        self.shared.table.all().into_iter().map(send).collect()
    }

    /// The peers frames can be sent to now, in the order of their ids.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerId> {
        self.shared
            .table
            .all()
            .into_iter()
            .filter(|(_, outbox)| !outbox.is_cut())
            .map(|(peer, _)| peer)
            .collect()
    }

    /// Closes the connection to a peer and keeps it out for so long (at most a
    /// day), or longer if it is kept out already; then it is met again by
    /// itself. `Disconnected` follows; a frame it sent before may come first.
    /// Never waits.
    pub fn disconnect(&self, peer: PeerId, for_how_long: Duration) {
        if !self.shared.members.contains(&peer) {
            return;
        }
        let conduct = &self.shared.conduct;
        conduct.send_away(peer, for_how_long, Instant::now());
        // A connection that is not in the table yet looks at `conduct` after it
        // has been put there.
        if let Some(outbox) = self.shared.table.get(&peer) {
            outbox.close(Cut::KeptOut);
        }
    }

    /// How often each member, and all strangers together, were refused or cut
    /// off, and for what.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.shared.refusals.all()
    }

    /// Replaces the membership. On return, peers that left can neither connect
    /// nor be sent to, and their connections are closing; `Disconnected` follows.
    pub async fn set_members(&self, members: Vec<Member>) {
        let (done, wait) = oneshot::channel();
        if self
            .commands
            .send(Command::SetMembers(members, done))
            .await
            .is_ok()
            && wait.await.is_err()
        {
            tracing::debug!("the mesh stopped before the new membership was set");
        }
    }

    /// Where we listen, with the port the system chose.
    #[must_use]
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.shared
            .listening
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Closes every connection and the listener; returns when that is done, at
    /// the latest after two seconds.
    pub async fn shutdown(&self) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Shutdown(done)).await.is_ok() && wait.await.is_err() {
            tracing::debug!("the mesh had stopped already");
        }
    }
}
