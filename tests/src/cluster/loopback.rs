//! A loopback address that no other cluster on this machine has.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::Site;

/// The port whose listener is the claim.
const CLAIM_PORT: u16 = 7400;
/// The first node's peer port; its API has the next one, the second node the two after that.
const FIRST_PORT: u16 = 7401;

/// An address of 127.0.0.0/8, ours as long as this lives.
///
/// The kernel lets one listener have a port of an address: who listens on `CLAIM_PORT` has the
/// address, and may choose its other ports freely. They lie below the ephemeral range, so that
/// no outgoing connection takes one by chance.
#[derive(Debug)]
pub struct Loopback {
    address: Ipv4Addr,
    _claim: TcpListener,
}

impl Loopback {
    /// Claims an address that is free.
    #[must_use]
    pub fn claim() -> Self {
        let start = RandomState::new().build_hasher().finish();
        for step in 0..1000_u64 {
            let [.., a, b, c] = start.wrapping_add(step).to_be_bytes();
            // Not 127.0.0.1, which others use, and no address that ends in 0 or 255.
            let address = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
            match TcpListener::bind((address, CLAIM_PORT)) {
                Ok(claim) => {
                    return Self {
                        address,
                        _claim: claim,
                    };
                }
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                Err(error) => panic!("cannot listen on {address}:{CLAIM_PORT}: {error}"),
            }
        }
        panic!("a thousand loopback addresses are all in use");
    }

    /// Where the node at this position runs.
    #[must_use]
    pub fn site(&self, position: usize) -> Site {
        Site {
            peers: format!("/ip4/{}/tcp/{}", self.address, port(position)),
            api: SocketAddr::from((self.address, port(position) + 1)),
            detours: Vec::new(),
            namespace: None,
        }
    }
}

fn port(position: usize) -> u16 {
    FIRST_PORT + 2 * u16::try_from(position).unwrap()
}
