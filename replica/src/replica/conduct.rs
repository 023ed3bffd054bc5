//! Members that send what no correct replica sends: named each time, cut off when they go on.
//!
//! Once may be an accident of two versions, or of a clock. Whoever keeps doing it costs this
//! replica work for nothing, so its link is closed for a while; agreement needs no more than
//! two thirds of the links.

use std::collections::BTreeMap;

use jangbu_ledger::id::TimeMs;

use super::{Effect, PeerId, Replica};
use crate::store::Store;

/// So many times within [`WITHIN_MS`] are too many.
const TIMES_MAX: u32 = 16;
/// How long the times are counted, in milliseconds.
const WITHIN_MS: u64 = 60_000;
/// How long a member is cut off, in milliseconds.
const CUT_OFF_MS: u64 = 60_000;

/// How often each member misbehaved, and since when that is counted.
#[derive(Debug, Default)]
pub(super) struct Conduct(BTreeMap<PeerId, (TimeMs, u32)>);

impl Conduct {
    /// Counts one more time; whether it is one too many.
    fn is_too_much(&mut self, peer: PeerId, now: TimeMs) -> bool {
        let (since, times) = self.0.entry(peer).or_insert((now, 0));
        if now.0.abs_diff(since.0) >= WITHIN_MS {
            (*since, *times) = (now, 0);
        }
        *times += 1;
        let too_much = *times >= TIMES_MAX;
        if too_much {
            self.0.remove(&peer);
        }
        too_much
    }
}

impl<S: Store> Replica<S> {
    /// A member sent what no correct replica sends.
    pub(super) fn accuse(&mut self, peer: PeerId, reason: String) {
        self.effects.push(Effect::Misbehaved(peer, reason));
        if self.conduct.is_too_much(peer, self.now) {
            self.effects.push(Effect::CutOff(peer, CUT_OFF_MS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_keeps_misbehaving_is_cut_off_and_counted_anew() {
        let mut conduct = Conduct::default();
        let mut cut_off = |peer, at: u64| conduct.is_too_much(PeerId(peer), TimeMs(at));
        for round in 0..2u64 {
            for time in 1..u64::from(TIMES_MAX) {
                assert!(!cut_off(1, round * 100 + time));
            }
            assert!(cut_off(1, round * 100 + 99));
        }
        assert!(!cut_off(2, 300), "another member");
    }

    #[test]
    fn a_slip_now_and_then_is_forgotten() {
        let mut conduct = Conduct::default();
        for n in 0..1_000 {
            assert!(!conduct.is_too_much(PeerId(1), TimeMs(n * WITHIN_MS / 8)));
        }
    }
}
