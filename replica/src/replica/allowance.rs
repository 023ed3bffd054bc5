//! How much a member may ask for: whoever asks for more is not answered, and named.
//!
//! One bucket of bytes per member: requests and the answers to them are taken out, time fills
//! it. What a correct member asks for, even one that catches up over a fast link, is far below;
//! without a bound one member could keep this replica reading and sending for it alone.

use std::collections::BTreeMap;

use jangbu_ledger::id::TimeMs;

use super::PeerId;

/// Most bytes a member can have saved up.
const SAVED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes a member is given per millisecond: 32 MiB a second, more than a replica executes.
const BYTES_PER_MS: u64 = 32 * 1024;
/// What a request costs whatever is answered, in bytes: 2,000 a second are many.
const REQUEST_BYTES: u64 = 16 * 1024;
/// What looking for one more thing costs, in bytes.
const ITEM_BYTES: u64 = 64;
/// A member that goes on is named again after so long, in milliseconds.
const NAMED_AGAIN_MS: u64 = 1_000;

/// What every member has left.
#[derive(Debug, Default)]
pub(super) struct Allowances(BTreeMap<PeerId, Allowance>);

#[derive(Debug)]
struct Allowance {
    left: u64,
    filled: TimeMs,
    named: Option<TimeMs>,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer it.
    Answer,
    /// Do not.
    Drop,
    /// Do not, and say who asks too much.
    DropAndName,
}

impl Allowances {
    /// A member asks for so many things.
    pub(super) fn asks(&mut self, peer: PeerId, items: usize, now: TimeMs) -> Verdict {
        let allowance = self.0.entry(peer).or_insert(Allowance {
            left: SAVED_BYTES_MAX,
            filled: now,
            named: None,
        });
        // A clock that was set back gives nothing, and what follows counts from there.
        let since = now.0.saturating_sub(allowance.filled.0);
        let given = since.saturating_mul(BYTES_PER_MS);
        allowance.left = allowance.left.saturating_add(given).min(SAVED_BYTES_MAX);
        allowance.filled = now;
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        let cost = REQUEST_BYTES.saturating_add(items.saturating_mul(ITEM_BYTES));
        if let Some(left) = allowance.left.checked_sub(cost) {
            allowance.left = left;
            return Verdict::Answer;
        }
        let again = |named: TimeMs| now.0.abs_diff(named.0) >= NAMED_AGAIN_MS;
        if allowance.named.is_none_or(again) {
            allowance.named = Some(now);
            Verdict::DropAndName
        } else {
            Verdict::Drop
        }
    }

    /// A member was sent an answer of so many bytes.
    pub(super) fn was_sent(&mut self, peer: PeerId, bytes: usize) {
        if let Some(allowance) = self.0.get_mut(&peer) {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            allowance.left = allowance.left.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: PeerId = PeerId(1);

    #[test]
    fn small_requests_without_end_are_dropped_and_time_gives_back() {
        let mut allowances = Allowances::default();
        let mut answered = 0;
        while allowances.asks(WHO, 1, TimeMs(5)) == Verdict::Answer {
            answered += 1;
        }
        assert!((4_000..4_100).contains(&answered), "{answered}");
        assert_eq!(allowances.asks(WHO, 1, TimeMs(5)), Verdict::Drop);
        assert_eq!(allowances.asks(PeerId(2), 1, TimeMs(5)), Verdict::Answer);
        assert_eq!(allowances.asks(WHO, 1, TimeMs(10)), Verdict::Answer);
    }

    #[test]
    fn what_was_sent_counts_and_whoever_goes_on_is_named_once_a_second() {
        let mut allowances = Allowances::default();
        assert_eq!(allowances.asks(WHO, 4_096, TimeMs(0)), Verdict::Answer);
        allowances.was_sent(WHO, usize::MAX);
        let named = (0..3_000u64)
            .map(|n| {
                allowances.was_sent(WHO, usize::MAX);
                allowances.asks(WHO, usize::MAX, TimeMs(n))
            })
            .filter(|verdict| *verdict == Verdict::DropAndName);
        assert_eq!(named.count(), 3);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody_for_good() {
        let mut allowances = Allowances::default();
        assert_eq!(allowances.asks(WHO, 0, TimeMs(1_000_000)), Verdict::Answer);
        allowances.was_sent(WHO, usize::MAX);
        assert_eq!(allowances.asks(WHO, 0, TimeMs(0)), Verdict::DropAndName);
        assert_eq!(allowances.asks(WHO, 0, TimeMs(10)), Verdict::Answer);
    }
}
