//! What goes wrong, how often and for how long: the menu, and what a seed draws from it.

use super::dice::Dice;

/// How the world treats replicas. Times in microseconds; a pair is a range, both ends included.
#[derive(Debug, Clone)]
pub struct Faults {
    /// How long a message is under way.
    pub delay_us: (u64, u64),
    /// Messages in a thousand that take far longer, and those behind them on the same link.
    pub slow_per_mille: u64,
    /// How much longer.
    pub slow_us: (u64, u64),
    /// Messages in a thousand that a full queue swallows, while the link stays up.
    pub lose_per_mille: u64,
    /// Messages in a thousand upon which the link breaks: all under way on it is lost, both ends
    /// notice, and it comes back.
    pub break_per_mille: u64,
    /// How long a broken link stays down.
    pub reconnect_us: (u64, u64),
    /// Time between two crashes, if there are any.
    pub crash_every_us: Option<(u64, u64)>,
    /// Crashes in a thousand that come in the middle of a step, at a write.
    pub crash_at_write_per_mille: u64,
    /// How long a crashed replica stays down.
    pub down_us: (u64, u64),
    /// Crashes in a thousand that take all replicas at once.
    pub crash_all_per_mille: u64,
    /// Time between two partitions, if there are any.
    pub partition_every_us: Option<(u64, u64)>,
    /// How long a partition lasts.
    pub partition_us: (u64, u64),
    /// Partitions in a thousand that hold messages back instead of breaking links.
    pub stall_per_mille: u64,
    /// Clocks are off by at most this, in milliseconds.
    pub skew_ms: u64,
}

impl Faults {
    /// A network of one room in which nothing fails.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            delay_us: (200, 2_000),
            slow_per_mille: 0,
            slow_us: (0, 0),
            lose_per_mille: 0,
            break_per_mille: 0,
            reconnect_us: (20_000, 60_000),
            crash_every_us: None,
            crash_at_write_per_mille: 0,
            down_us: (50_000, 100_000),
            crash_all_per_mille: 0,
            partition_every_us: None,
            partition_us: (0, 0),
            stall_per_mille: 0,
            skew_ms: 0,
        }
    }

    /// What this seed draws: from a mild to a wild world, some without crashes, some without
    /// partitions, so that every fault is also met alone.
    #[must_use]
    pub fn drawn(dice: &mut Dice) -> Self {
        let mut faults = Self::none();
        faults.delay_us = (100, dice.between((1_000, 40_000)));
        faults.slow_per_mille = dice.below(20);
        faults.slow_us = (50_000, 1_500_000);
        faults.skew_ms = dice.below(1_500);
        if dice.chance(600) {
            faults.lose_per_mille = dice.below(40);
        }
        if dice.chance(600) {
            faults.break_per_mille = dice.below(8);
        }
        faults.reconnect_us = (10_000, dice.between((20_000, 1_000_000)));
        if dice.chance(700) {
            let every = dice.between((300_000, 6_000_000));
            faults.crash_every_us = Some((every / 4, every));
            faults.crash_at_write_per_mille = dice.below(1000);
            faults.crash_all_per_mille = dice.below(150);
            faults.down_us = (1_000, dice.between((50_000, 4_000_000)));
        }
        if dice.chance(600) {
            let every = dice.between((1_000_000, 10_000_000));
            faults.partition_every_us = Some((every / 4, every));
            faults.partition_us = (50_000, dice.between((100_000, 5_000_000)));
            faults.stall_per_mille = dice.below(1000);
        }
        faults
    }
}
