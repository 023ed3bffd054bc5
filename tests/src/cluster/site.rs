//! Where a node runs: its addresses, and the network it sees.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Namespace;

/// A place for one node.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where it listens for its peers, as a multiaddress.
    pub peers: String,
    /// Where it serves its API: a loopback address.
    pub api: SocketAddr,
    /// Members that it dials elsewhere than the genesis says: name and multiaddress.
    pub detours: Vec<(String, String)>,
    /// The network namespace it runs in, if it is not this process's own.
    pub namespace: Option<Arc<Namespace>>,
}

impl Site {
    /// Runs something as a neighbour of the node: in its network.
    ///
    /// Processes, threads and sockets that it makes stay there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.namespace {
            Some(namespace) => namespace.inside(work),
            None => work(),
        }
    }
}
