//! Plain libp2p, with no gate and with its socket tapped.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite};
use jangbu_mesh::{Keypair, Multiaddr};
use libp2p::{
    Swarm, SwarmBuilder, Transport,
    core::{
        Endpoint,
        muxing::StreamMuxerBox,
        transport::{DialOpts, PortUse},
        upgrade::Version,
    },
    noise,
    swarm::dummy,
    tcp, yamux,
};

use super::expect;

/// A swarm that talks to anybody.
pub fn swarm(identity: &Keypair) -> Swarm<dummy::Behaviour> {
    SwarmBuilder::with_existing_identity(identity.clone())
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|_| dummy::Behaviour)
        .unwrap()
        // Nothing but the other side shall end a connection.
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3_600)))
        .build()
}

/// What came of a dial.
#[derive(Debug)]
pub struct Tapped {
    /// The multiplexed connection, if the other side agreed to one.
    pub upgraded: io::Result<StreamMuxerBox>,
    /// Every byte that the socket had yielded by then.
    pub received: Vec<u8>,
}

/// Dials as any libp2p peer would, and keeps what the socket yields.
pub async fn tapped_dial(identity: &Keypair, address: Multiaddr) -> Tapped {
    let log = Arc::new(Mutex::new(Vec::new()));
    let tap = Arc::clone(&log);
    let mut transport = tcp::tokio::Transport::new(tcp::Config::default())
        .map(move |socket, _| Tap { socket, log: tap })
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(identity).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let opts = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::New,
    };
    let dialed = transport.dial(address, opts).unwrap();
    let upgraded = expect("the dial ends", dialed)
        .await
        .map(|(_, muxer)| muxer);
    let received = log.lock().unwrap().clone();
    Tapped { upgraded, received }
}

#[derive(Clone)]
struct Tap<S> {
    socket: S,
    log: Arc<Mutex<Vec<u8>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        self.log.lock().unwrap().extend_from_slice(&buffer[..count]);
        Poll::Ready(Ok(count))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}
