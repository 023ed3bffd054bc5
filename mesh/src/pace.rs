//! How much of something may come in a time. Pure: no clock.
//!
//! One instant is the whole state: when all that was taken would have been due at the sustained
//! rate. What comes is allowed while that instant is no further ahead than the burst takes.
//!
//! Source: the generic cell rate algorithm, ITU-T I.371, annex A, "virtual scheduling".

use std::time::Duration;

use tokio::time::Instant;

/// A sustained rate, and how much may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Sustained, in units per second; 0 counts as 1.
    pub per_second: u32,
    /// At once, in units.
    pub burst: u32,
}

impl Rate {
    /// How long so many units take at the sustained rate.
    fn time_for(self, units: u32) -> Duration {
        Duration::from_secs(1).saturating_mul(units) / self.per_second.max(1)
    }
}

/// What one source has taken of its rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(Instant);

impl Pace {
    /// A source that has taken nothing yet.
    pub(super) const fn new(now: Instant) -> Self {
        Self(now)
    }

    /// Takes so many units; false, and nothing taken, if that is more than `rate` allows now.
    pub(super) fn take(&mut self, rate: Rate, units: u32, now: Instant) -> bool {
        let due = self.0.max(now) + rate.time_for(units);
        let allowed = due.saturating_duration_since(now) <= rate.time_for(rate.burst);
        if allowed {
            self.0 = due;
        }
        allowed
    }

    /// Whether the whole burst is there again.
    pub(super) fn is_rested(&self, now: Instant) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_sustained_rate() {
        let rate = Rate {
            per_second: 10,
            burst: 5,
        };
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..5 {
            assert!(pace.take(rate, 1, start));
        }
        assert!(!pace.take(rate, 1, start));
        let later = start + Duration::from_millis(200);
        assert!(pace.take(rate, 2, later));
        assert!(!pace.take(rate, 1, later));
        assert!(!pace.is_rested(later));
        let rested = later + Duration::from_secs(1);
        assert!(pace.is_rested(rested));
        assert!(!pace.take(rate, 6, rested), "more than a burst");
        assert!(pace.take(rate, 5, rested));
    }
}
