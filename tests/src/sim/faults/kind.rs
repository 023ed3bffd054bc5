//! The faults by name, and how often each happened.

/// A kind of fault. Each is counted when it happens, not when it is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A full queue swallows a message while its link stays up.
    Loss,
    /// A message is late, and those behind it on the same queue.
    Delay,
    /// A message arrives twice.
    Duplicate,
    /// A message overtakes those before it on its queue.
    Reorder,
    /// A link breaks with everything under way on it, and comes back.
    LinkBreak,
    /// Links between two sides are cut.
    Partition,
    /// Links between two sides hold everything back.
    Stall,
    /// One side no longer reaches the other, which still reaches it.
    OneWay,
    /// Everything from and to one member takes longer.
    SlowMember,
    /// A member does nothing for a while, then everything at once (SIGSTOP, SIGCONT).
    Pause,
    /// The power goes between two steps.
    Crash,
    /// The power goes after some of a step's messages have left.
    CrashInSending,
    /// The power goes before a write.
    CrashBeforeWrite,
    /// The power goes in a write, of which nothing is found afterwards.
    TornWrite,
    /// The power goes after a write, before anything that rests on it is said.
    CrashAfterWrite,
    /// The power goes again while the member starts.
    CrashInStart,
    /// What need not be synced was not.
    UnsyncedLost,
    /// Everyone's power goes at once.
    CrashAll,
    /// A member is crashed again and again as soon as it is up.
    RestartStorm,
    /// The disk lied: its last synced writes are gone after a crash, and the start notices.
    LostSync,
    /// A block cannot be read any more.
    RotInBlock,
    /// The log of the running height cannot be read any more.
    RotInLog,
    /// An index cannot be read any more.
    RotInIndex,
    /// A write finds no room.
    FullDisk,
    /// A clock is set forward.
    ClockForward,
    /// A clock is set back.
    ClockBack,
    /// A clock runs too fast or too slow.
    Drift,
    /// A signer refuses in mid-step.
    SignerRefuses,
    /// Executing an envelope panics.
    Poison,
    /// A member is restored from an old copy of its disk.
    OldSnapshot,
    /// A member starts for the first time long after the others.
    LateJoin,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Loss,
        Self::Delay,
        Self::Duplicate,
        Self::Reorder,
        Self::LinkBreak,
        Self::Partition,
        Self::Stall,
        Self::OneWay,
        Self::SlowMember,
        Self::Pause,
        Self::Crash,
        Self::CrashInSending,
        Self::CrashBeforeWrite,
        Self::TornWrite,
        Self::CrashAfterWrite,
        Self::CrashInStart,
        Self::UnsyncedLost,
        Self::CrashAll,
        Self::RestartStorm,
        Self::LostSync,
        Self::RotInBlock,
        Self::RotInLog,
        Self::RotInIndex,
        Self::FullDisk,
        Self::ClockForward,
        Self::ClockBack,
        Self::Drift,
        Self::SignerRefuses,
        Self::Poison,
        Self::OldSnapshot,
        Self::LateJoin,
    ];

    /// Its name in summaries, traces and `WITHOUT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::LinkBreak => "link-break",
            Self::Partition => "partition",
            Self::Stall => "stall",
            Self::OneWay => "one-way",
            Self::SlowMember => "slow-member",
            Self::Pause => "pause",
            Self::Crash => "crash",
            Self::CrashInSending => "crash-in-sending",
            Self::CrashBeforeWrite => "crash-before-write",
            Self::TornWrite => "torn-write",
            Self::CrashAfterWrite => "crash-after-write",
            Self::CrashInStart => "crash-in-start",
            Self::UnsyncedLost => "unsynced-lost",
            Self::CrashAll => "crash-all",
            Self::RestartStorm => "restart-storm",
            Self::LostSync => "lost-sync",
            Self::RotInBlock => "rot-in-block",
            Self::RotInLog => "rot-in-log",
            Self::RotInIndex => "rot-in-index",
            Self::FullDisk => "full-disk",
            Self::ClockForward => "clock-forward",
            Self::ClockBack => "clock-back",
            Self::Drift => "drift",
            Self::SignerRefuses => "signer-refuses",
            Self::Poison => "poison",
            Self::OldSnapshot => "old-snapshot",
            Self::LateJoin => "late-join",
        }
    }
}

/// How often each kind of fault happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally([u64; Kind::ALL.len()]);

impl Tally {
    /// One more.
    pub const fn count(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// How often it happened.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    /// The kinds that never happened.
    pub fn missing(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(|kind| self.of(*kind) == 0)
    }
}

/// Names and counts, four to a line.
impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, kind) in Kind::ALL.into_iter().enumerate() {
            let end = if position % 4 == 3 { "\n" } else { "" };
            write!(f, "  {:<19}{:>8}{end}", kind.name(), self.of(kind))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_in_its_own_place() {
        for (position, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, position, "{}", kind.name());
        }
    }
}
