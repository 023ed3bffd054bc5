//! Which links go through proxies, and how slow they are.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::sim::Dice;

use super::network::{Network, PEER_PORT, address};
use super::proxy::{Pace, Proxy};

/// A node's proxy to the peer at position *p* listens on this port and *p*.
const FIRST_PROXY_PORT: u16 = 7500;

/// About half of the links; the others are direct, so that both ways to fail are met.
#[derive(Debug)]
pub(super) struct Links(Vec<Link>);

#[derive(Debug)]
struct Link {
    ends: (usize, usize),
    pace: Arc<Pace>,
    /// Whichever end dials passes one.
    _proxies: [Proxy; 2],
}

/// How slow links are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slowness {
    pub(super) delay: Duration,
    pub(super) bytes_per_second: u64,
}

impl Links {
    /// Starts the proxies; each node has a link that can be made slow.
    pub(super) fn start(network: &Network, nodes: usize, dice: &mut Dice) -> Self {
        let mut links: Vec<Link> = Vec::new();
        for a in 0..nodes {
            for b in a + 1..nodes {
                if b != a + 1 && dice.chance(500) {
                    continue;
                }
                let pace = Arc::new(Pace::default());
                let proxy = |from: usize, to: usize| {
                    let onwards = SocketAddr::from((address(to), PEER_PORT));
                    Proxy::start(network.of(from), listens(to), onwards, &pace)
                };
                links.push(Link {
                    ends: (a, b),
                    _proxies: [proxy(a, b), proxy(b, a)],
                    pace: Arc::clone(&pace),
                });
            }
        }
        Self(links)
    }

    /// Whom a node dials through a proxy, and the proxy's multiaddress.
    pub(super) fn detours(&self, node: usize) -> Vec<(usize, String)> {
        let peers = self.0.iter().filter_map(|link| match link.ends {
            (a, b) if a == node => Some(b),
            (a, b) if b == node => Some(a),
            _ => None,
        });
        let address = |peer| format!("/ip4/127.0.0.1/tcp/{}", listens(peer).port());
        peers.map(|peer| (peer, address(peer))).collect()
    }

    /// From now on, links are as slow as their slower end is said to be.
    pub(super) fn set_slow(&self, slow: &[Option<Slowness>]) {
        for link in &self.0 {
            let ends = [slow[link.ends.0], slow[link.ends.1]];
            match ends.into_iter().flatten().max_by_key(|slow| slow.delay) {
                Some(slow) => link.pace.set(slow.delay, slow.bytes_per_second),
                None => link.pace.set(Duration::ZERO, 0),
            }
        }
    }
}

fn listens(peer: usize) -> SocketAddr {
    let port = FIRST_PROXY_PORT + u16::try_from(peer).unwrap();
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
