//! Owns the listener and every connection: accepts, dials, admits, closes.
//!
//! One task, which never waits for the owner or for a peer: handshakes and
//! connections run beside it and report back.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, ListenerId, TransportEvent},
    },
    identity::Keypair,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Fault, HANDSHAKE_TIMEOUT, Member, MeshError, MeshLimits,
    dial::{self, Contact},
    gate::{self, Peered},
    handle::Shared,
    handshake::Done,
    link::{self, Link},
    outbox::{Cut, Outbox},
    roster::{Candidate, LinkId, Roster, Verdict},
};

/// Connections of one peer at a time: one in use, one to succeed it, and one
/// from each side still opening its streams.
const LINKS_PER_PEER_MAX: usize = 4;

/// How long a stop waits for the connections' goodbyes.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How long to wait before listening again after the listener failed.
const RELISTEN_DELAY: Duration = Duration::from_secs(1);

/// How long to wait if nothing is due at all.
const IDLE: Duration = Duration::from_secs(3_600);

/// An order of the owner.
pub(super) enum Command {
    SetMembers(Vec<Member>, oneshot::Sender<()>),
    Shutdown(oneshot::Sender<()>),
}

/// A connection as the endpoint sees it; `run` in `link.rs` serves it.
struct LinkState {
    peer: PeerId,
    dialer: PeerId,
    outbox: Arc<Outbox>,
    admit: Option<oneshot::Sender<()>>,
    task: AbortHandle,
}

/// The listener, the dialler, and who is connected.
pub(super) struct Endpoint {
    pub(super) transport: Boxed<Peered>,
    pub(super) limits: MeshLimits,
    pub(super) shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    pub(super) contacts: BTreeMap<PeerId, Contact>,
    links: BTreeMap<LinkId, LinkState>,
    next_link: u64,
    roster: Roster,
    tasks: JoinSet<(PeerId, LinkId)>,
    ready: (mpsc::Sender<LinkId>, mpsc::Receiver<LinkId>),
    pub(super) work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Inbound handshakes under way, by address.
    pub(super) pending: BTreeMap<Option<IpAddr>, usize>,
    listen: Option<Multiaddr>,
    listen_due: Option<Instant>,
}

impl Endpoint {
    /// An endpoint that neither listens nor knows anyone yet.
    ///
    /// # Errors
    ///
    /// [`MeshError::Identity`].
    pub(super) fn new(
        identity: &Keypair,
        limits: MeshLimits,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, MeshError> {
        let transport = gate::transport(
            identity,
            shared.members.clone(),
            Arc::clone(&shared.conduct),
        )
        .map_err(|error| MeshError::Identity(error.to_string()))?;
        Ok(Self {
            transport,
            limits,
            shared,
            commands,
            contacts: BTreeMap::new(),
            links: BTreeMap::new(),
            next_link: 0,
            roster: Roster::default(),
            tasks: JoinSet::new(),
            ready: mpsc::channel(64),
            work: FuturesUnordered::new(),
            pending: BTreeMap::new(),
            listen: None,
            listen_due: None,
        })
    }

    /// Binds the address and waits until the system has told its port.
    ///
    /// # Errors
    ///
    /// [`MeshError::Listen`].
    pub(super) async fn listen(&mut self, address: Multiaddr) -> Result<(), MeshError> {
        let refused = |cause| MeshError::Listen {
            address: address.clone(),
            cause,
        };
        self.transport
            .listen_on(ListenerId::next(), address.clone())
            .map_err(|error| refused(io::Error::other(error)))?;
        self.listen = Some(address.clone());
        loop {
            match poll_fn(|cx| Pin::new(&mut self.transport).poll(cx)).await {
                TransportEvent::ListenerClosed { reason, .. } => {
                    let closed = || io::Error::from(io::ErrorKind::NotConnected);
                    return Err(refused(reason.err().unwrap_or_else(closed)));
                }
                event => {
                    let bound = matches!(event, TransportEvent::NewAddress { .. });
                    self.on_transport(event);
                    if bound {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Runs until told to stop, or until nobody is left to run for.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut unheard = std::pin::pin!(shared.reporter.unheard());
        let stopped = loop {
            let due = self.due();
            tokio::select! {
                event = poll_fn(|cx| Pin::new(&mut self.transport).poll(cx)) => {
                    self.on_transport(event);
                }
                Some(done) = self.work.next() => self.on_done(done),
                Some(link) = self.ready.1.recv() => self.on_ready(link),
                Some(ended) = self.tasks.join_next() => self.on_ended(ended),
                command = self.commands.recv() => match command {
                    Some(Command::SetMembers(members, done)) => {
                        self.set_members(members);
                        // The caller may have stopped waiting; it is done all the same.
                        let _gone = done.send(());
                    }
                    Some(Command::Shutdown(done)) => break Some(done),
                    None => break None,
                },
                () = &mut unheard => break None,
                () = sleep_until(due) => self.on_due(Instant::now()),
            }
        };
        for link in self.links.values() {
            link.outbox.close(Cut::Shutdown);
        }
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
            tracing::debug!("stopped without waiting for the last events to be taken");
        }
        // The transport frees the port when dropped.
        drop(self);
        if let Some(done) = stopped {
            let _gone = done.send(());
        }
    }

    /// Takes the new membership: contacts, gate, and connections of those who left.
    pub(super) fn set_members(&mut self, members: Vec<Member>) {
        let now = Instant::now();
        let us = self.shared.us;
        let mut wanted: BTreeMap<PeerId, Vec<Multiaddr>> = BTreeMap::new();
        for member in members.into_iter().filter(|member| member.peer_id != us) {
            wanted
                .entry(member.peer_id)
                .or_default()
                .extend(member.addresses);
        }
        let ids: BTreeSet<PeerId> = wanted.keys().copied().collect();
        self.shared.members.replace(ids.clone());
        self.shared.conduct.retain(|peer| ids.contains(peer));
        self.contacts.retain(|peer, _| ids.contains(peer));
        for (peer, addresses) in wanted {
            match self.contacts.get_mut(&peer) {
                Some(contact) => contact.readdress(addresses, now),
                None => {
                    self.contacts
                        .insert(peer, Contact::new(addresses, us > peer, now));
                }
            }
        }
        for link in self.links.values().filter(|link| !ids.contains(&link.peer)) {
            link.outbox.close(Cut::Removed);
        }
    }

    fn on_transport(
        &mut self,
        event: TransportEvent<<Boxed<Peered> as Transport>::ListenerUpgrade, io::Error>,
    ) {
        let listening = || {
            self.shared
                .listening
                .write()
                .unwrap_or_else(PoisonError::into_inner)
        };
        match event {
            TransportEvent::NewAddress { listen_addr, .. } => {
                tracing::info!(address = %listen_addr, "listening for members");
                listening().push(listen_addr);
            }
            TransportEvent::AddressExpired { listen_addr, .. } => {
                listening().retain(|address| *address != listen_addr);
            }
            TransportEvent::Incoming {
                upgrade,
                send_back_addr,
                ..
            } => {
                self.accept(upgrade, send_back_addr);
            }
            TransportEvent::ListenerClosed { reason, .. } => {
                listening().clear();
                tracing::error!(?reason, "listener closed; listening again soon");
                self.listen_due = Some(Instant::now() + RELISTEN_DELAY);
            }
            TransportEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "listener");
            }
        }
    }

    /// Starts serving a secured connection; false if it is one too many, or
    /// the peer left during the handshake.
    pub(super) fn connect(
        &mut self,
        peer: PeerId,
        dialer: PeerId,
        address: Multiaddr,
        muxer: StreamMuxerBox,
    ) -> bool {
        let now = Instant::now();
        let conduct = &self.shared.conduct;
        let fault = if !self.shared.members.contains(&peer) {
            Some(Fault::NotAMember)
        } else if conduct.away_until(&peer, now).is_some() {
            Some(Fault::KeptOut)
        } else if !conduct.may_connect(peer, now) {
            Some(Fault::ConnectsTooOften)
        } else if self.links_to(&peer).count() >= LINKS_PER_PEER_MAX {
            Some(Fault::TooManyConnections)
        } else {
            None
        };
        if let Some(fault) = fault {
            self.shared.refuse(Some(peer), address, fault);
            return false;
        }
        let id = LinkId(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        let outbox = Arc::new(Outbox::new());
        let (admit, admitted) = oneshot::channel();
        let link = Link {
            id,
            peer,
            address,
            muxer,
            outbox: Arc::clone(&outbox),
            ready: self.ready.0.clone(),
            admitted,
            shared: Arc::clone(&self.shared),
        };
        let task = self.tasks.spawn(link::run(link));
        self.links.insert(
            id,
            LinkState {
                peer,
                dialer,
                outbox,
                admit: Some(admit),
                task,
            },
        );
        true
    }

    fn on_ready(&mut self, id: LinkId) {
        // A link that is closing already must not take the seat.
        let Some(link) = self.links.get(&id).filter(|link| !link.outbox.is_cut()) else {
            return;
        };
        let candidate = Candidate {
            link: id,
            dialer: link.dialer,
        };
        for verdict in self
            .roster
            .ready(self.shared.us, link.peer, candidate, Instant::now())
        {
            self.carry_out(verdict);
        }
    }

    fn carry_out(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Admit(id) => {
                if let Some(admit) = self.links.get_mut(&id).and_then(|link| link.admit.take()) {
                    // A link that ended meanwhile is collected in `on_ended`.
                    let _gone = admit.send(());
                }
            }
            Verdict::Close(id) => {
                if let Some(link) = self.links.get(&id) {
                    link.outbox.close(Cut::Duplicate);
                }
            }
        }
    }

    fn on_ended(&mut self, ended: Result<(PeerId, LinkId), JoinError>) {
        let id = match ended {
            Ok((_, id)) => Some(id),
            Err(error) => {
                tracing::error!(%error, "a connection's task failed");
                let failed = |link: &LinkState| link.task.id() == error.id();
                self.links
                    .iter()
                    .find(|(_, link)| failed(link))
                    .map(|(id, _)| *id)
            }
        };
        let Some((id, link)) = id.and_then(|id| Some((id, self.links.remove(&id)?))) else {
            return;
        };
        self.shared.table.remove(link.peer, id);
        let now = Instant::now();
        if let Some(contact) = self.contacts.get_mut(&link.peer) {
            match self.roster.admitted_at(link.peer, id) {
                Some(since) if now.saturating_duration_since(since) >= dial::GOOD_CONNECTION => {
                    contact.ended_well(now);
                }
                _ => contact.failed(now),
            }
        }
        if let Some(verdict) = self.roster.ended(link.peer, id, now) {
            self.carry_out(verdict);
        }
    }

    fn links_to<'a>(&'a self, peer: &'a PeerId) -> impl Iterator<Item = &'a LinkState> {
        self.links.values().filter(move |link| link.peer == *peer)
    }

    /// When to dial a member: not before the contact is due, nor while the
    /// member is kept out; `None` if it is connected, being dialled, or has no
    /// address.
    fn to_dial(&self, peer: &PeerId, contact: &Contact, now: Instant) -> Option<Instant> {
        let missing =
            contact.is_dialable() && !contact.dialing && self.links_to(peer).next().is_none();
        let away_until = self.shared.conduct.away_until(peer, now);
        missing.then(|| away_until.map_or(contact.due, |until| contact.due.max(until)))
    }

    /// When there is something to do next, at the latest.
    fn due(&self) -> Instant {
        let now = Instant::now();
        self.contacts
            .iter()
            .filter_map(|(peer, contact)| self.to_dial(peer, contact, now))
            .chain(self.listen_due)
            .min()
            .unwrap_or(now + IDLE)
    }

    fn on_due(&mut self, now: Instant) {
        let due: Vec<PeerId> = self
            .contacts
            .iter()
            .filter(|(peer, contact)| {
                self.to_dial(peer, contact, now)
                    .is_some_and(|due| due <= now)
            })
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            if let Some((address, nth)) = self.contacts.get_mut(&peer).and_then(Contact::begin) {
                let resolved = async move {
                    let address = timeout(HANDSHAKE_TIMEOUT, dial::resolve(address, nth)).await;
                    let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut));
                    Done::Resolved {
                        peer,
                        address: address.unwrap_or_else(late),
                    }
                };
                self.work.push(resolved.boxed());
            }
        }
        if self.listen_due.is_some_and(|due| due <= now) {
            self.listen_due = None;
            let listen = self
                .listen
                .clone()
                .map(|a| self.transport.listen_on(ListenerId::next(), a));
            if let Some(Err(error)) = listen {
                tracing::error!(%error, "cannot listen; trying again soon");
                self.listen_due = Some(now + RELISTEN_DELAY);
            }
        }
    }
}
