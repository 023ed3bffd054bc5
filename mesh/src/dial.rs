//! When to dial a member next, and where.
//!
//! For ever, with exponential back-off up to [`DELAY_MAX`] and jitter, so that
//! a member that returns is met within seconds and not by all at once.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    time::Duration,
};

use libp2p::{Multiaddr, multiaddr::Protocol};
use tokio::time::Instant;

/// The first retry's delay.
const DELAY_MIN: Duration = Duration::from_millis(100);

/// The longest delay between two attempts.
const DELAY_MAX: Duration = Duration::from_secs(2);

/// How much later than the smaller peer id the larger one dials, at each
/// attempt: most pairs then need no second connection. A few round trips of
/// our slowest link.
const SECOND_MOVER_DELAY: Duration = Duration::from_millis(500);

/// A connection that lasted this long was a good one: start anew at
/// [`DELAY_MIN`] after it.
pub(super) const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// Where a member is found and when to try next.
#[derive(Debug)]
pub(super) struct Contact {
    addresses: Vec<Multiaddr>,
    failures: u32,
    attempts: usize,
    /// Added to each delay.
    handicap: Duration,
    /// Not before this.
    pub(super) due: Instant,
    /// An attempt is under way.
    pub(super) dialing: bool,
}

impl Contact {
    /// A member to be dialled soon; `second` if our peer id is the larger.
    pub(super) fn new(addresses: Vec<Multiaddr>, second: bool, now: Instant) -> Self {
        let handicap = if second {
            SECOND_MOVER_DELAY
        } else {
            Duration::ZERO
        };
        let due = now + handicap;
        Self {
            addresses,
            failures: 0,
            attempts: 0,
            handicap,
            due,
            dialing: false,
        }
    }

    /// Takes over a changed configuration, and tries it at once.
    pub(super) fn readdress(&mut self, addresses: Vec<Multiaddr>, now: Instant) {
        if self.addresses != addresses {
            (self.addresses, self.failures, self.attempts) = (addresses, 0, 0);
            self.due = now;
        }
    }

    /// Whether there is anywhere to dial.
    pub(super) fn is_dialable(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Begins an attempt: the next address in turn, and how many were tried before.
    pub(super) fn begin(&mut self) -> Option<(Multiaddr, usize)> {
        let nth = self.attempts;
        let address = self
            .addresses
            .get(nth.checked_rem(self.addresses.len())?)?
            .clone();
        self.attempts = nth.wrapping_add(1);
        self.dialing = true;
        Some((address, nth))
    }

    /// Whether a further failure is worth the operator's attention: the first
    /// is, then ever fewer.
    pub(super) fn is_news(&self) -> bool {
        self.failures == 0 || self.failures.is_power_of_two()
    }

    /// Notes that an attempt, or a short-lived connection, came to nothing.
    pub(super) fn failed(&mut self, now: Instant) {
        self.due = now + self.handicap + delay(self.failures, random());
        self.failures = self.failures.saturating_add(1);
    }

    /// Notes that a good connection has ended.
    pub(super) fn ended_well(&mut self, now: Instant) {
        self.failures = 0;
        self.due = now + self.handicap + delay(0, random());
    }
}

/// The pause after `failures` earlier failures: doubling, at most
/// [`DELAY_MAX`], and of that between one half and the whole.
fn delay(failures: u32, random: u64) -> Duration {
    let full = DELAY_MIN
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(DELAY_MAX);
    let half = full / 2;
    let span = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(random % span)
}

/// A number good enough to spread retries; no secret depends on it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Replaces a leading DNS name by one of the IP addresses it has now, the
/// `nth` in turn.
///
/// # Errors
///
/// The resolver's, or `InvalidInput` if no TCP port follows the name.
pub(super) async fn resolve(address: Multiaddr, nth: usize) -> io::Result<Multiaddr> {
    let mut parts = address.iter();
    let (name, v4, v6) = match parts.next() {
        Some(Protocol::Dns(name)) => (name.into_owned(), true, true),
        Some(Protocol::Dns4(name)) => (name.into_owned(), true, false),
        Some(Protocol::Dns6(name)) => (name.into_owned(), false, true),
        _ => return Ok(address),
    };
    let Some(Protocol::Tcp(port)) = parts.next() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "no TCP port after the name",
        ));
    };
    let found: Vec<_> = tokio::net::lookup_host((name.as_str(), port))
        .await?
        .filter(|socket| if socket.is_ipv4() { v4 } else { v6 })
        .collect();
    let socket = nth
        .checked_rem(found.len())
        .and_then(|index| found.get(index))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
    Ok(Multiaddr::from(socket.ip()).with(Protocol::Tcp(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_with_jitter_and_never_exceed_the_cap() {
        for failures in 0..40 {
            let full = DELAY_MIN
                .saturating_mul(2_u32.saturating_pow(failures))
                .min(DELAY_MAX);
            for random in [0, 1, u64::MAX] {
                let delay = delay(failures, random);
                assert!(delay >= full / 2 && delay <= full, "{failures} {delay:?}");
            }
        }
    }

    #[test]
    fn addresses_are_tried_in_turn() {
        let addresses: Vec<Multiaddr> = ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"]
            .map(|a| a.parse().unwrap())
            .into();
        let mut contact = Contact::new(addresses.clone(), false, Instant::now());
        let tried: Vec<_> = (0..3).map(|_| contact.begin().unwrap().0).collect();
        assert_eq!(
            tried,
            [&addresses[0], &addresses[1], &addresses[0]].map(Clone::clone)
        );
        assert!(
            Contact::new(Vec::new(), true, Instant::now())
                .begin()
                .is_none()
        );
    }

    #[tokio::test]
    async fn a_name_is_resolved_before_it_is_dialled() {
        let resolved = resolve("/dns4/localhost/tcp/7".parse().unwrap(), 0)
            .await
            .unwrap();
        assert_eq!(resolved, "/ip4/127.0.0.1/tcp/7".parse().unwrap());
        assert!(
            resolve("/dns4/localhost/udp/7".parse().unwrap(), 0)
                .await
                .is_err()
        );
        let plain: Multiaddr = "/ip4/10.0.0.1/tcp/1".parse().unwrap();
        assert_eq!(resolve(plain.clone(), 3).await.unwrap(), plain);
    }
}
