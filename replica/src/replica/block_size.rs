//! How many statements a proposal has: what the validators manage to execute within a round.
//!
//! A proposer's own choice, no rule of validity. Without it, a backlog would make blocks that
//! take longer to execute than a round lasts, and every round would propose the same again: the
//! ledger would stop just when there is most to do. So each later round proposes half as much,
//! and later heights learn from how long the last ones took. Rounds whose proposer is down say
//! nothing about size and do not count.

/// Where a replica starts.
const START: usize = 1024;
/// Never less, however slow the validators are.
const MIN: usize = 32;
/// Never more: eight of the largest envelopes.
const MAX: usize = 32 * 1024;
/// A full block that was agreed upon faster than this lets the next one be larger.
const FAST_MS: u64 = 250;
/// One that took longer than this makes the next one smaller.
const SLOW_MS: u64 = 750;

/// The size of the next proposal.
#[derive(Debug)]
pub(super) struct BlockSize {
    statements: usize,
}

impl Default for BlockSize {
    fn default() -> Self {
        Self { statements: START }
    }
}

impl BlockSize {
    /// Most statements of a proposal after so many failed rounds; one envelope may exceed it.
    pub(super) fn after(&self, failed_rounds: u32) -> usize {
        self.statements
            .checked_shr(failed_rounds)
            .unwrap_or(0)
            .max(1)
    }

    /// A block of so many statements was agreed upon after so many failed rounds, so long after
    /// its height began.
    pub(super) fn decided(&mut self, failed_rounds: u32, statements: usize, took_ms: u64) {
        let size = self.statements;
        let full = statements >= size / 2;
        let next = if failed_rounds > 0 {
            size / 2
        } else if full && took_ms > SLOW_MS {
            size - size / 8
        } else if full && took_ms < FAST_MS {
            size + size / 8
        } else {
            size
        };
        self.statements = next.clamp(MIN, MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_proposes_half_as_much_down_to_one_envelope() {
        let size = BlockSize::default();
        assert_eq!(size.after(0), START);
        assert_eq!(size.after(3), START / 8);
        assert_eq!(size.after(u32::MAX), 1);
    }

    #[test]
    fn full_blocks_that_are_fast_grow_and_slow_or_failed_ones_shrink_within_bounds() {
        let mut size = BlockSize::default();
        for _ in 0..100 {
            size.decided(0, usize::MAX, 10);
        }
        assert_eq!(size.after(0), MAX);
        size.decided(0, 1, 10_000);
        assert_eq!(size.after(0), MAX, "a small block says nothing");
        size.decided(0, MAX, 10_000);
        assert!(size.after(0) < MAX);
        for _ in 0..100 {
            size.decided(1, MAX, 10);
        }
        assert_eq!(size.after(0), MIN);
    }
}
