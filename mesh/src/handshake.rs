//! The endpoint's part until a connection is secured: accepting, resolving,
//! dialling, refusing.

use std::{io, net::IpAddr};

use futures::FutureExt;
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{
        Endpoint as Role,
        transport::{Boxed, DialOpts, PortUse},
    },
    multiaddr::Protocol,
};
use tokio::time::{Instant, timeout};

use super::{
    Fault, HANDSHAKE_TIMEOUT,
    dial::Contact,
    endpoint::Endpoint,
    gate::{self, Peered},
};

/// A step that ran beside the endpoint.
pub(super) enum Done {
    Resolved {
        peer: PeerId,
        address: io::Result<Multiaddr>,
    },
    Dialed {
        peer: PeerId,
        address: Multiaddr,
        outcome: Result<Peered, Failure>,
    },
    Accepted {
        address: Multiaddr,
        outcome: Result<Peered, Failure>,
    },
}

/// Why a handshake came to nothing.
pub(super) enum Failure {
    Io(io::Error),
    TimedOut,
}

impl Endpoint {
    /// Lets a connection that came in begin its handshake.
    pub(super) fn accept(
        &mut self,
        upgrade: <Boxed<Peered> as Transport>::ListenerUpgrade,
        address: Multiaddr,
    ) {
        let ip = ip_of(&address);
        if !self.shared.conduct.may_arrive(ip, Instant::now()) {
            self.shared.refuse(None, address, Fault::TooManyConnections);
            return;
        }
        let all: usize = self.pending.values().sum();
        let of_ip = self.pending.get(&ip).copied().unwrap_or(0);
        if all >= self.limits.pending_inbound || of_ip >= self.limits.pending_inbound_per_ip {
            self.shared.refuse(None, address, Fault::TooManyConnections);
            return;
        }
        self.pending.insert(ip, of_ip.saturating_add(1));
        let accepted = async move {
            Done::Accepted {
                outcome: in_time(upgrade).await,
                address,
            }
        };
        self.work.push(accepted.boxed());
    }

    /// Takes the outcome of a name look-up or a handshake.
    pub(super) fn on_done(&mut self, done: Done) {
        match done {
            Done::Resolved { peer, address } => self.on_resolved(peer, address),
            Done::Dialed {
                peer,
                address,
                outcome,
            } => {
                let arrived = match outcome {
                    Ok((found, muxer)) if found == peer => {
                        self.connect(peer, self.shared.us, address, muxer)
                    }
                    Ok((found, _)) => {
                        self.shared.refuse(
                            Some(found),
                            address,
                            Fault::WrongPeer { expected: peer },
                        );
                        false
                    }
                    Err(failure) => {
                        self.on_dial_failure(peer, address, failure);
                        false
                    }
                };
                if let Some(contact) = self.contacts.get_mut(&peer) {
                    contact.dialing = false;
                    if !arrived {
                        contact.failed(Instant::now());
                    }
                }
            }
            Done::Accepted { address, outcome } => {
                let ip = ip_of(&address);
                match self.pending.get_mut(&ip) {
                    Some(pending) if *pending > 1 => *pending -= 1,
                    _ => drop(self.pending.remove(&ip)),
                }
                match outcome {
                    Ok((peer, muxer)) => {
                        self.connect(peer, peer, address, muxer);
                    }
                    Err(Failure::Io(error)) => {
                        let (peer, fault) = match gate::turned_away(&error) {
                            Some((peer, fault)) => (Some(peer), fault),
                            None => (None, Fault::Handshake(error.to_string())),
                        };
                        self.shared.refuse(peer, address, fault);
                    }
                    Err(Failure::TimedOut) => {
                        self.shared.refuse(None, address, Fault::HandshakeTimeout);
                    }
                }
            }
        }
    }

    fn on_resolved(&mut self, peer: PeerId, address: io::Result<Multiaddr>) {
        let opts = DialOpts {
            role: Role::Dialer,
            port_use: PortUse::New,
        };
        let dial = address.and_then(|address| {
            let dial = self
                .transport
                .dial(address.clone(), opts)
                .map_err(io::Error::other)?;
            Ok((dial, address))
        });
        match dial {
            Ok((dial, address)) => {
                let dialed = async move {
                    Done::Dialed {
                        peer,
                        address,
                        outcome: in_time(dial).await,
                    }
                };
                self.work.push(dialed.boxed());
            }
            Err(error) => {
                tracing::warn!(%peer, %error, "cannot dial a member's address");
                if let Some(contact) = self.contacts.get_mut(&peer) {
                    contact.dialing = false;
                    contact.failed(Instant::now());
                }
            }
        }
    }

    fn on_dial_failure(&self, peer: PeerId, address: Multiaddr, failure: Failure) {
        let error = match failure {
            Failure::Io(error) => match gate::turned_away(&error) {
                Some((found, fault)) => return self.shared.refuse(Some(found), address, fault),
                None => error,
            },
            Failure::TimedOut => io::ErrorKind::TimedOut.into(),
        };
        if self.contacts.get(&peer).is_some_and(Contact::is_news) {
            tracing::info!(%peer, %address, %error, "member not reached; trying on");
        } else {
            tracing::debug!(%peer, %address, %error, "member not reached");
        }
    }
}

async fn in_time(upgrade: impl Future<Output = io::Result<Peered>>) -> Result<Peered, Failure> {
    match timeout(HANDSHAKE_TIMEOUT, upgrade).await {
        Ok(outcome) => outcome.map_err(Failure::Io),
        Err(_) => Err(Failure::TimedOut),
    }
}

/// The IP address a connection comes from.
fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    })
}
