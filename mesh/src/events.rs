//! What the mesh tells its owner, bounded in count and bytes.
//!
//! Two lanes: agreement frames and everything about connections in one, bulk
//! frames in the other, so that a vote never waits behind a block transfer.

use std::sync::Arc;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Class, Fault, MeshLimits};

/// How many events of the first lane may pass before a waiting bulk frame:
/// a member that floods agreement must not starve the rest for ever.
const FIRST_IN_A_ROW_MAX: u32 = 64;

/// Something happened in the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeshEvent {
    /// Frames can be sent to this peer from now on.
    Connected(PeerId),
    /// The connection ended; what was not received is lost. Bulk frames that
    /// had arrived before may still follow.
    Disconnected(PeerId),
    /// A peer sent us this.
    Frame {
        /// The sender, proven by the handshake.
        peer: PeerId,
        /// The stream it came on.
        class: Class,
        /// 1 to [`Class::frame_bytes_max`] bytes.
        bytes: Vec<u8>,
    },
    /// A connection was refused or closed for what the other side did. Always
    /// told of a connection that was served; of others, while the lane is half
    /// empty and not more often than once a second, after the first few.
    Refused {
        /// Its identity, if it proved one.
        peer_id: Option<PeerId>,
        /// The other end.
        address: Multiaddr,
        /// What it did.
        reason: Fault,
    },
}

#[derive(Debug)]
struct Delivery {
    event: MeshEvent,
    /// Returns the frame's bytes to the budget when the event is taken.
    _held: Option<OwnedSemaphorePermit>,
}

/// The events of a mesh, in order. Not taking them pauses the peers.
#[derive(Debug)]
pub struct MeshEvents {
    first: mpsc::Receiver<Delivery>,
    bulk: mpsc::Receiver<Delivery>,
    in_a_row: u32,
}

impl MeshEvents {
    /// The next event; `None` once the mesh has stopped. Cancellation safe.
    pub async fn recv(&mut self) -> Option<MeshEvent> {
        if self.in_a_row >= FIRST_IN_A_ROW_MAX {
            self.in_a_row = 0;
            if let Ok(delivery) = self.bulk.try_recv() {
                return Some(delivery.event);
            }
        }
        tokio::select! {
            biased;
            Some(delivery) = self.first.recv() => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                Some(delivery.event)
            }
            Some(delivery) = self.bulk.recv() => {
                self.in_a_row = 0;
                Some(delivery.event)
            }
            else => None,
        }
    }
}

/// The owner no longer takes events: the mesh has to stop.
#[derive(Debug)]
pub(super) struct Unheard;

/// The mesh's end of [`MeshEvents`].
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    first: mpsc::Sender<Delivery>,
    bulk: mpsc::Sender<Delivery>,
    first_bytes: Arc<Semaphore>,
    bulk_bytes: Arc<Semaphore>,
}

/// Both ends of the event lanes.
pub(super) fn events(limits: &MeshLimits) -> (Reporter, MeshEvents) {
    let (first, first_receiver) = mpsc::channel(limits.events.max(2));
    let (bulk, bulk_receiver) = mpsc::channel(limits.events.max(2));
    let budget = |class: Class| {
        let bytes = limits
            .event_bytes
            .clamp(class.frame_bytes_max(), Semaphore::MAX_PERMITS);
        Arc::new(Semaphore::new(bytes))
    };
    let reporter = Reporter {
        first,
        bulk,
        first_bytes: budget(Class::Agreement),
        bulk_bytes: budget(Class::Bulk),
    };
    (
        reporter,
        MeshEvents {
            first: first_receiver,
            bulk: bulk_receiver,
            in_a_row: 0,
        },
    )
}

impl Reporter {
    /// Hands up a frame; waits while the owner is behind.
    pub(super) async fn frame(
        &self,
        peer: PeerId,
        class: Class,
        bytes: Vec<u8>,
    ) -> Result<(), Unheard> {
        let (lane, budget) = match class {
            Class::Agreement => (&self.first, &self.first_bytes),
            Class::Bulk => (&self.bulk, &self.bulk_bytes),
        };
        // Frames are at most 9 MiB, so their length fits.
        let permits = u32::try_from(bytes.len()).map_err(|_| Unheard)?;
        let held = Arc::clone(budget)
            .acquire_many_owned(permits)
            .await
            .map_err(|_| Unheard)?;
        let event = MeshEvent::Frame { peer, class, bytes };
        lane.send(Delivery {
            event,
            _held: Some(held),
        })
        .await
        .map_err(|_| Unheard)
    }

    /// Tells of a connection; waits while the owner is behind. If the future
    /// is dropped, either `told` was called and the event is on its way, or neither.
    pub(super) async fn tell(&self, event: MeshEvent, told: impl FnOnce()) -> Result<(), Unheard> {
        let slot = self.first.reserve().await.map_err(|_| Unheard)?;
        told();
        slot.send(Delivery { event, _held: None });
        Ok(())
    }

    /// Tells of a stranger, unless the owner has better things to read.
    pub(super) fn mention(&self, event: MeshEvent) {
        if self.first.capacity() > self.first.max_capacity() / 2 {
            // Losing the race for the last slots is what `mention` allows for.
            let _unheard = self.first.try_send(Delivery { event, _held: None });
        }
    }

    /// Waits until the owner has dropped its end.
    pub(super) async fn unheard(&self) {
        self.first.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vote_overtakes_a_transfer_and_a_flood_of_votes_does_not_starve_it() {
        let (reporter, mut events) = events(&MeshLimits::default());
        let peer = PeerId::random();
        assert!(reporter.frame(peer, Class::Bulk, vec![2]).await.is_ok());
        for _ in 0..FIRST_IN_A_ROW_MAX + 1 {
            assert!(
                reporter
                    .frame(peer, Class::Agreement, vec![1])
                    .await
                    .is_ok()
            );
        }
        let mut order = Vec::new();
        for _ in 0..FIRST_IN_A_ROW_MAX + 2 {
            let Some(MeshEvent::Frame { class, .. }) = events.recv().await else {
                panic!()
            };
            order.push(class);
        }
        let bulk_at = order
            .iter()
            .position(|class| *class == Class::Bulk)
            .unwrap();
        assert_eq!(bulk_at, 64);
    }

    #[tokio::test]
    async fn bytes_not_taken_pause_the_sender() {
        let limits = MeshLimits {
            event_bytes: 0,
            ..MeshLimits::default()
        };
        let (reporter, mut events) = events(&limits);
        let peer = PeerId::random();
        let largest = vec![1; Class::Agreement.frame_bytes_max()];
        assert!(
            reporter
                .frame(peer, Class::Agreement, largest)
                .await
                .is_ok()
        );
        let mut second = std::pin::pin!(reporter.frame(peer, Class::Agreement, vec![1]));
        assert!(futures::poll!(second.as_mut()).is_pending());
        events.recv().await.unwrap();
        assert!(second.await.is_ok());
    }
}
