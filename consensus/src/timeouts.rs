//! How long a round waits.

use crate::effect::TimerKind;
use crate::mutant::{self, Mutant};

/// How long a round waits for what, in milliseconds; each later round a little longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal.
    pub propose_ms: u64,
    /// For prevotes that agree.
    pub prevote_ms: u64,
    /// For precommits that agree.
    pub precommit_ms: u64,
    /// Until the last votes are said again.
    pub rebroadcast_ms: u64,
    /// Added per round.
    pub delta_ms: u64,
    /// Never longer than this, whatever the round: a stalled quorum restarts by itself.
    pub max_ms: u64,
}

impl Timeouts {
    /// How long `kind` waits in `round`.
    #[must_use]
    pub fn after_ms(&self, kind: TimerKind, round: u32) -> u64 {
        let base = match kind {
            TimerKind::Propose => self.propose_ms,
            TimerKind::Prevote => self.prevote_ms,
            TimerKind::Precommit => self.precommit_ms,
            TimerKind::Rebroadcast => self.rebroadcast_ms,
        };
        let grown = base.saturating_add(self.delta_ms.saturating_mul(u64::from(round)));
        if mutant::is(Mutant::TimeoutUncapped) {
            return grown;
        }
        grown.min(self.max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_never_waits_longer_than_the_cap() {
        let timeouts = Timeouts {
            propose_ms: 500,
            prevote_ms: 200,
            precommit_ms: 200,
            rebroadcast_ms: 500,
            delta_ms: 200,
            max_ms: 5_000,
        };
        assert_eq!(timeouts.after_ms(TimerKind::Propose, 0), 500);
        assert_eq!(timeouts.after_ms(TimerKind::Propose, 3), 1_100);
        assert_eq!(timeouts.after_ms(TimerKind::Prevote, u32::MAX), 5_000);
    }
}
