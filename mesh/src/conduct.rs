//! Who is kept out for a while, and how often each may knock. Pure: no socket, no clock.
//!
//! ```text
//!   disconnect(peer, time) ──┐
//!   a fault, by its strikes ─┴──▶ away until … ──▶ gate, endpoint: refused
//!   connections of a member ──▶ pace ──▶ too often: a fault
//! ```
//!
//! Being kept out always ends by itself: a member's node that was repaired comes back without
//! anybody's help.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use libp2p::PeerId;
use tokio::time::Instant;

use super::pace::{Pace, Rate};

/// How long a member is kept out after its first fault; doubled by each further one.
const AWAY_MIN: Duration = Duration::from_secs(1);

/// The longest that faults keep a member out: its operator sees it return within a minute.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// The longest that the owner may keep a peer out at a time.
const AWAY_BY_ORDER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// So long without a fault, and the next one counts as the first.
const STRIKES_FORGOTTEN: Duration = Duration::from_secs(600);

/// Connections of one member. A correct one dials again after 100 ms at the soonest, doubling,
/// and both sides may dial at once; a restart or two within seconds are no offence.
const CONNECTIONS: Rate = Rate {
    per_second: 2,
    burst: 30,
};

/// Handshakes begun with one IP address (of IPv6, with one /64): members may share one.
const ARRIVALS: Rate = Rate {
    per_second: 20,
    burst: 128,
};

/// Addresses whose arrivals are counted each by itself; others share one count.
const ADDRESSES_MAX: usize = 1_024;

/// Refusals told to the owner, per member, and for all strangers together.
const NEWS: Rate = Rate {
    per_second: 1,
    burst: 16,
};

#[derive(Debug)]
struct Record {
    away_until: Option<Instant>,
    strikes: u32,
    last_strike: Instant,
    connections: Pace,
    news: Pace,
}

#[derive(Debug, Default)]
struct Records {
    peers: BTreeMap<Option<PeerId>, Record>,
    arrivals: BTreeMap<Option<IpAddr>, Pace>,
}

/// What is remembered of the peers' conduct. Holds members only, and one record for all others.
#[derive(Debug, Default)]
pub(super) struct Conduct(Mutex<Records>);

impl Conduct {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the peer out for so long from now on, or longer if it is already.
    pub(super) fn send_away(&self, peer: PeerId, for_how_long: Duration, now: Instant) {
        let until = now + for_how_long.min(AWAY_BY_ORDER_MAX);
        let mut records = self.lock();
        let record = records.of(Some(peer), now);
        record.away_until = record.away_until.max(Some(until));
    }

    /// Until when the peer is kept out, if it is.
    pub(super) fn away_until(&self, peer: &PeerId, now: Instant) -> Option<Instant> {
        let records = self.lock();
        let record = records.peers.get(&Some(*peer))?;
        record.away_until.filter(|until| *until > now)
    }

    /// Notes what no correct peer does; returns for how long that keeps it out.
    pub(super) fn strike(&self, peer: PeerId, now: Instant) -> Duration {
        let mut records = self.lock();
        let record = records.of(Some(peer), now);
        if now.saturating_duration_since(record.last_strike) >= STRIKES_FORGOTTEN {
            record.strikes = 0;
        }
        let away = AWAY_MIN
            .saturating_mul(2_u32.saturating_pow(record.strikes))
            .min(AWAY_MAX);
        record.strikes = record.strikes.saturating_add(1);
        record.last_strike = now;
        record.away_until = record.away_until.max(Some(now + away));
        away
    }

    /// Notes a connection; false if the peer connects too often.
    pub(super) fn may_connect(&self, peer: PeerId, now: Instant) -> bool {
        let mut records = self.lock();
        records
            .of(Some(peer), now)
            .connections
            .take(CONNECTIONS, 1, now)
    }

    /// Notes that somebody at this address wants a handshake; false if that is too often.
    pub(super) fn may_arrive(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let mut records = self.lock();
        let mut site = address.map(site_of);
        if !records.arrivals.contains_key(&site) && records.arrivals.len() >= ADDRESSES_MAX {
            records.arrivals.retain(|_, pace| !pace.is_rested(now));
            if records.arrivals.len() >= ADDRESSES_MAX {
                site = None;
            }
        }
        let pace = records.arrivals.entry(site).or_insert(Pace::new(now));
        pace.take(ARRIVALS, 1, now)
    }

    /// Whether one more refusal of this peer (of any stranger) is worth telling.
    pub(super) fn is_news(&self, peer: Option<PeerId>, now: Instant) -> bool {
        let mut records = self.lock();
        records.of(peer, now).news.take(NEWS, 1, now)
    }

    /// Forgets peers that are members no longer.
    pub(super) fn retain(&self, keep: impl Fn(&PeerId) -> bool) {
        let mut records = self.lock();
        records
            .peers
            .retain(|peer, _| peer.as_ref().is_none_or(&keep));
    }
}

impl Records {
    fn of(&mut self, peer: Option<PeerId>, now: Instant) -> &mut Record {
        self.peers.entry(peer).or_insert(Record {
            away_until: None,
            strikes: 0,
            last_strike: now,
            connections: Pace::new(now),
            news: Pace::new(now),
        })
    }
}

/// What one party controls: an IPv4 address, or an IPv6 network of 64 bits.
fn site_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_further_fault_keeps_a_peer_out_for_longer_up_to_a_minute() {
        let conduct = Conduct::default();
        let (peer, other) = (PeerId::random(), PeerId::random());
        let now = Instant::now();
        let seconds: Vec<u64> = (0..8)
            .map(|_| conduct.strike(peer, now).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(conduct.away_until(&peer, now + AWAY_MAX / 2).is_some());
        assert!(conduct.away_until(&peer, now + AWAY_MAX).is_none());
        assert!(conduct.away_until(&other, now).is_none());
        assert_eq!(conduct.strike(peer, now + STRIKES_FORGOTTEN), AWAY_MIN);
    }

    #[test]
    fn a_shorter_order_does_not_end_a_longer_one() {
        let conduct = Conduct::default();
        let (peer, now) = (PeerId::random(), Instant::now());
        conduct.send_away(peer, Duration::from_secs(9), now);
        conduct.send_away(peer, Duration::from_secs(1), now);
        assert!(
            conduct
                .away_until(&peer, now + Duration::from_secs(8))
                .is_some()
        );
        conduct.send_away(peer, Duration::MAX, now);
        assert!(conduct.away_until(&peer, now + AWAY_BY_ORDER_MAX).is_none());
    }

    #[test]
    fn a_crowd_of_addresses_is_counted_together_and_forgotten() {
        let conduct = Conduct::default();
        let now = Instant::now();
        let address = |n: u32| Some(IpAddr::from(n.to_be_bytes()));
        let crowd = u32::try_from(ADDRESSES_MAX).unwrap();
        assert!((0..crowd).all(|n| conduct.may_arrive(address(n), now)));
        let late = (crowd..2 * crowd).filter(|n| conduct.may_arrive(address(*n), now));
        assert_eq!(late.count(), usize::try_from(ARRIVALS.burst).unwrap());
        assert!(conduct.lock().arrivals.len() <= ADDRESSES_MAX + 1);
        let later = now + Duration::from_secs(60);
        assert!(conduct.may_arrive(address(3 * crowd), later));
        assert_eq!(conduct.lock().arrivals.len(), 1);
    }

    #[test]
    fn an_ipv6_network_is_one_site() {
        let at = |text: &str| site_of(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
    }
}
