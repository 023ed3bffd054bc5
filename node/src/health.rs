//! Whether the replica runs, and who is connected.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use jangbu_replica::replica::PeerId;

/// Shared between the replica's thread, which writes, and the API, which reads.
#[derive(Debug)]
pub struct Health {
    stopped: OnceLock<String>,
    peers: Vec<(String, AtomicBool)>,
}

impl Health {
    /// Nobody is connected yet. `peers` are the other members' names, by [`PeerId`].
    #[must_use]
    pub fn new(peers: Vec<String>) -> Self {
        Self {
            stopped: OnceLock::new(),
            peers: peers
                .into_iter()
                .map(|name| (name, AtomicBool::new(false)))
                .collect(),
        }
    }

    /// The replica has stopped; the first reason stays.
    pub fn stop(&self, reason: String) {
        // A later reason is a consequence of the first.
        let _later = self.stopped.set(reason);
    }

    /// Why the replica has stopped, if it has.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    /// A link is up or down.
    pub fn set_connected(&self, peer: PeerId, connected: bool) {
        if let Some((_, flag)) = self.peers.get(usize::from(peer.0)) {
            flag.store(connected, Ordering::Relaxed);
        }
    }

    /// The other members' names and whether they are connected.
    pub fn peers(&self) -> impl Iterator<Item = (&str, bool)> {
        self.peers
            .iter()
            .map(|(name, connected)| (name.as_str(), connected.load(Ordering::Relaxed)))
    }

    /// A member's name.
    #[must_use]
    pub fn peer_name(&self, peer: PeerId) -> &str {
        self.peers
            .get(usize::from(peer.0))
            .map_or("unknown", |(name, _)| name.as_str())
    }

    /// How many members are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.peers().filter(|(_, connected)| *connected).count()
    }
}
