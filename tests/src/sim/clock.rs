//! A member's clock: off, set and drifting.

use jangbu_ledger::id::TimeMs;

use super::consortium::START_MS;

/// What a member takes for the time.
#[derive(Debug)]
pub(super) struct Clock {
    /// Where it starts and to where it is set right.
    skew_ms: i64,
    ahead_us: i64,
    /// Millionths of the time that passes.
    drift: i64,
    /// Until when the drift is in `ahead_us` already.
    until_us: u64,
}

/// How far off a clock may be before its member counts as out of order.
const SOUND_MS: i64 = 2_400;

impl Clock {
    pub(super) fn new(skew_ms: u64) -> Self {
        let skew_ms = i64::try_from(skew_ms).unwrap_or(0);
        Self {
            skew_ms,
            ahead_us: skew_ms * 1000,
            drift: 0,
            until_us: 0,
        }
    }

    pub(super) fn now(&self, now_us: u64) -> TimeMs {
        let true_us = i64::try_from(START_MS * 1000 + 1_000_000 + now_us).unwrap_or(0);
        let shown_ms = (true_us + self.ahead_at(now_us)) / 1000;
        TimeMs(u64::try_from(shown_ms).unwrap_or(0).max(START_MS + 1))
    }

    fn ahead_at(&self, now_us: u64) -> i64 {
        let passed = i64::try_from(now_us.saturating_sub(self.until_us)).unwrap_or(0);
        self.ahead_us + passed * self.drift / 1_000_000
    }

    /// Sets it by so much.
    pub(super) fn set_by(&mut self, now_us: u64, by_ms: i64) {
        self.ahead_us = self.ahead_at(now_us) + by_ms * 1000;
        self.until_us = now_us;
    }

    /// Lets it run so much too fast.
    pub(super) fn drift(&mut self, now_us: u64, millionths: i64) {
        self.set_by(now_us, 0);
        self.drift = millionths;
    }

    /// Whether it is within what the others put up with, and would be when set by so much.
    pub(super) fn is_sound(&self, now_us: u64, by_ms: i64) -> bool {
        (self.ahead_at(now_us) / 1000 + by_ms).abs() <= SOUND_MS
    }

    /// Sets it right.
    pub(super) fn set_right(&mut self, now_us: u64) {
        self.ahead_us = self.skew_ms * 1000;
        self.drift = 0;
        self.until_us = now_us;
    }
}
