//! Decides at the handshake who may speak to us.
//!
//! ```text
//!   TCP ──▶ multistream-select ──▶ Noise XX ──▶ peer id ──▶ member? ──▶ Yamux ──▶ streams
//!                                                             │ no
//!                                                             └──▶ socket closed
//! ```
//!
//! Noise has to run to its end before either side knows whom it speaks to. The
//! check is a part of the same upgrade, so a stranger never sees so much as
//! the negotiation of the multiplexer.

use std::{
    collections::BTreeSet,
    error::Error,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
};

use futures::{AsyncRead, AsyncWrite, FutureExt, TryFutureExt};
use libp2p::{
    PeerId, Transport,
    core::{
        UpgradeInfo,
        muxing::StreamMuxerBox,
        transport::Boxed,
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, Version},
    },
    identity::Keypair,
    noise, tcp, yamux,
};
use tokio::time::Instant;

use super::{Fault, conduct::Conduct};

/// Streams a connection may carry: two from each side, and room for a peer's
/// surplus one to be seen and named before the multiplexer itself gives up.
const YAMUX_STREAMS_MAX: usize = 16;

/// The peers that are served now. Clones share one set.
#[derive(Clone, Debug, Default)]
pub(super) struct Membership(Arc<RwLock<BTreeSet<PeerId>>>);

impl Membership {
    /// Whether `peer` is served.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(peer)
    }

    /// Replaces the set.
    pub(super) fn replace(&self, peers: BTreeSet<PeerId>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }
}

/// Why the handshake with a peer failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum GateError {
    /// Noise itself failed: not our protocol, a broken key, a cut line.
    #[error(transparent)]
    Noise(#[from] noise::Error),
    /// The peer proved an identity that is not a member's.
    #[error("{0} is not a member")]
    NotAMember(PeerId),
    /// The peer is kept out for a while.
    #[error("{0} is kept out for now")]
    KeptOut(PeerId),
}

/// Finds in a transport's nested error who was turned away, and why.
///
/// The transport wraps a [`GateError`] in `io::Error`s, whose `source` skips
/// the error they hold, and in `Either`s, which are transparent.
pub(super) fn turned_away(error: &io::Error) -> Option<(PeerId, Fault)> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        match error.downcast_ref() {
            Some(GateError::NotAMember(peer)) => return Some((*peer, Fault::NotAMember)),
            Some(GateError::KeptOut(peer)) => return Some((*peer, Fault::KeptOut)),
            Some(GateError::Noise(_)) | None => {}
        }
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

/// Noise XX that succeeds only with members that are not kept out.
#[derive(Clone)]
pub(super) struct GatedNoise {
    noise: noise::Config,
    door: Door,
}

#[derive(Clone)]
struct Door {
    members: Membership,
    conduct: Arc<Conduct>,
}

type UpgradeFuture<T> = Pin<Box<dyn Future<Output = Result<T, GateError>> + Send>>;

impl Door {
    fn admit<T>(&self, (peer, opened): (PeerId, T)) -> Result<(PeerId, T), GateError> {
        if !self.members.contains(&peer) {
            Err(GateError::NotAMember(peer))
        } else if self.conduct.away_until(&peer, Instant::now()).is_some() {
            Err(GateError::KeptOut(peer))
        } else {
            Ok((peer, opened))
        }
    }
}

impl UpgradeInfo for GatedNoise {
    type Info = <noise::Config as UpgradeInfo>::Info;
    type InfoIter = <noise::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.noise.protocol_info()
    }
}

impl<T> InboundConnectionUpgrade<T> for GatedNoise
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, noise::Output<T>);
    type Error = GateError;
    type Future = UpgradeFuture<Self::Output>;

    fn upgrade_inbound(self, socket: T, info: Self::Info) -> Self::Future {
        let door = self.door;
        self.noise
            .upgrade_inbound(socket, info)
            .map_err(GateError::from)
            .map(move |outcome| outcome.and_then(|known| door.admit(known)))
            .boxed()
    }
}

impl<T> OutboundConnectionUpgrade<T> for GatedNoise
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, noise::Output<T>);
    type Error = GateError;
    type Future = UpgradeFuture<Self::Output>;

    fn upgrade_outbound(self, socket: T, info: Self::Info) -> Self::Future {
        let door = self.door;
        self.noise
            .upgrade_outbound(socket, info)
            .map_err(GateError::from)
            .map(move |outcome| outcome.and_then(|known| door.admit(known)))
            .boxed()
    }
}

/// A transport's output: whom we speak to, and the multiplexed connection.
pub(super) type Peered = (PeerId, StreamMuxerBox);

/// TCP, gated Noise, Yamux.
///
/// # Errors
///
/// [`noise::Error`] if the identity cannot sign the Noise key.
pub(super) fn transport(
    identity: &Keypair,
    members: Membership,
    conduct: Arc<Conduct>,
) -> Result<Boxed<Peered>, noise::Error> {
    let gate = GatedNoise {
        noise: noise::Config::new(identity)?,
        door: Door { members, conduct },
    };
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(YAMUX_STREAMS_MAX);
    Ok(
        tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(Version::V1)
            .authenticate(gate)
            .multiplex(muxer)
            .boxed(),
    )
}
