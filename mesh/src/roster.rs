//! Which connection to a peer is in use. Pure: no socket, no clock.
//!
//! Two members may dial each other at the same moment and end up with two
//! connections. Both must keep the same one, without a word about it:
//!
//! - within [`RACE_WINDOW`], the one dialled by the smaller peer id wins, and
//!   of two dialled by the same side the younger;
//! - later the younger wins: a correct peer dials only if it has no connection,
//!   so ours must be a dead one that we have not noticed yet.
//!
//! A successor is admitted only when its predecessor has ended, so that
//! `Disconnected` of the one always precedes `Connected` of the other.

use std::{collections::BTreeMap, time::Duration};

use libp2p::PeerId;
use tokio::time::Instant;

/// How far apart two connections of one race may become ready: as long as the
/// slower of them may take for its handshake.
const RACE_WINDOW: Duration = super::HANDSHAKE_TIMEOUT;

/// Names one connection for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(pub(super) u64);

/// A connection whose streams are open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) link: LinkId,
    /// Which side dialled it.
    pub(super) dialer: PeerId,
}

/// What to do about connections after a change, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Use this connection.
    Admit(LinkId),
    /// Close this connection: another is used.
    Close(LinkId),
}

#[derive(Debug)]
struct Seat {
    current: Candidate,
    since: Instant,
    /// Closing, awaiting its end.
    leaving: bool,
    next: Option<Candidate>,
}

/// The connection in use for each peer, and at most one that waits for it.
#[derive(Debug, Default)]
pub(super) struct Roster(BTreeMap<PeerId, Seat>);

impl Roster {
    /// Takes in a connection to `peer` whose streams are open.
    pub(super) fn ready(
        &mut self,
        us: PeerId,
        peer: PeerId,
        new: Candidate,
        now: Instant,
    ) -> Vec<Verdict> {
        let Some(seat) = self.0.get_mut(&peer) else {
            let seat = Seat {
                current: new,
                since: now,
                leaving: false,
                next: None,
            };
            self.0.insert(peer, seat);
            return vec![Verdict::Admit(new.link)];
        };
        if seat.leaving {
            let displaced = seat.next.replace(new);
            return displaced
                .map(|old| Verdict::Close(old.link))
                .into_iter()
                .collect();
        }
        let racing = now.saturating_duration_since(seat.since) < RACE_WINDOW;
        let preferred = us.min(peer);
        if racing && seat.current.dialer == preferred && new.dialer != preferred {
            return vec![Verdict::Close(new.link)];
        }
        seat.leaving = true;
        seat.next = Some(new);
        vec![Verdict::Close(seat.current.link)]
    }

    /// Takes note that a connection has ended and been reported; admits the
    /// one that waited for it.
    pub(super) fn ended(&mut self, peer: PeerId, link: LinkId, now: Instant) -> Option<Verdict> {
        let seat = self.0.get_mut(&peer)?;
        if seat.next.is_some_and(|next| next.link == link) {
            seat.next = None;
            return None;
        }
        if seat.current.link != link {
            return None;
        }
        match seat.next.take() {
            Some(next) => {
                *seat = Seat {
                    current: next,
                    since: now,
                    leaving: false,
                    next: None,
                };
                Some(Verdict::Admit(next.link))
            }
            None => {
                self.0.remove(&peer);
                None
            }
        }
    }

    /// When the connection in use was admitted, if `link` is it.
    pub(super) fn admitted_at(&self, peer: PeerId, link: LinkId) -> Option<Instant> {
        self.0
            .get(&peer)
            .filter(|seat| seat.current.link == link)
            .map(|seat| seat.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (PeerId, PeerId) {
        let (a, b) = (PeerId::random(), PeerId::random());
        (a.min(b), a.max(b))
    }

    #[test]
    fn both_ends_of_a_race_keep_the_same_connection() {
        let (small, large) = pair();
        let now = Instant::now();
        let by_small = Candidate {
            link: LinkId(1),
            dialer: small,
        };
        let by_large = Candidate {
            link: LinkId(2),
            dialer: large,
        };
        for (us, peer) in [(small, large), (large, small)] {
            let mut roster = Roster::default();
            assert_eq!(
                roster.ready(us, peer, by_small, now),
                [Verdict::Admit(LinkId(1))]
            );
            assert_eq!(
                roster.ready(us, peer, by_large, now),
                [Verdict::Close(LinkId(2))]
            );

            let mut roster = Roster::default();
            assert_eq!(
                roster.ready(us, peer, by_large, now),
                [Verdict::Admit(LinkId(2))]
            );
            assert_eq!(
                roster.ready(us, peer, by_small, now),
                [Verdict::Close(LinkId(2))]
            );
            assert_eq!(
                roster.ended(peer, LinkId(2), now),
                Some(Verdict::Admit(LinkId(1)))
            );
        }
    }

    #[test]
    fn a_late_connection_replaces_one_that_the_peer_has_lost() {
        let (small, large) = pair();
        let start = Instant::now();
        let mut roster = Roster::default();
        let old = Candidate {
            link: LinkId(1),
            dialer: small,
        };
        let new = Candidate {
            link: LinkId(2),
            dialer: large,
        };
        roster.ready(small, large, old, start);
        let later = start + RACE_WINDOW;
        assert_eq!(
            roster.ready(small, large, new, later),
            [Verdict::Close(LinkId(1))]
        );
        assert_eq!(
            roster.ended(large, LinkId(1), later),
            Some(Verdict::Admit(LinkId(2)))
        );
        assert_eq!(roster.ended(large, LinkId(2), later), None);
        assert_eq!(roster.admitted_at(large, LinkId(2)), None);
    }

    #[test]
    fn of_two_that_wait_the_younger_stays() {
        let (small, large) = pair();
        let now = Instant::now();
        let mut roster = Roster::default();
        let link = |id| Candidate {
            link: LinkId(id),
            dialer: small,
        };
        roster.ready(large, small, link(1), now);
        assert_eq!(
            roster.ready(large, small, link(2), now),
            [Verdict::Close(LinkId(1))]
        );
        assert_eq!(
            roster.ready(large, small, link(3), now),
            [Verdict::Close(LinkId(2))]
        );
        assert_eq!(roster.ended(small, LinkId(2), now), None);
        assert_eq!(
            roster.ended(small, LinkId(1), now),
            Some(Verdict::Admit(LinkId(3)))
        );
    }
}
