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
    /// Counts so many more times; whether that is too many.
    fn is_too_much(&mut self, peer: PeerId, more: u32, now: TimeMs) -> bool {
        let (since, times) = self.0.entry(peer).or_insert((now, 0));
        if now.0.abs_diff(since.0) >= WITHIN_MS {
            (*since, *times) = (now, 0);
        }
        *times = times.saturating_add(more);
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
        self.accuse_often(peer, 1, reason);
    }

    /// A member did so many times what no correct replica does: the first of them is told, so that
    /// one message full of faults makes one line in a log.
    pub(super) fn accuse_often(&mut self, peer: PeerId, times: u32, first: String) {
        self.effects.push(Effect::Misbehaved(peer, first));
        if self.conduct.is_too_much(peer, times, self.now) {
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
        let mut cut_off = |peer, at: u64| conduct.is_too_much(PeerId(peer), 1, TimeMs(at));
        for round in 0..2u64 {
            for time in 1..u64::from(TIMES_MAX) {
                assert!(!cut_off(1, round * 100 + time));
            }
            assert!(cut_off(1, round * 100 + 99));
        }
        assert!(!cut_off(2, 300), "another member");
    }

    #[test]
    fn many_faults_of_one_message_count_as_many() {
        let mut conduct = Conduct::default();
        assert!(!conduct.is_too_much(PeerId(1), TIMES_MAX - 1, TimeMs(0)));
        assert!(conduct.is_too_much(PeerId(1), 1, TimeMs(1)));
        assert!(conduct.is_too_much(PeerId(1), u32::MAX, TimeMs(2)));
    }

    #[test]
    fn a_slip_now_and_then_is_forgotten() {
        let mut conduct = Conduct::default();
        for n in 0..1_000 {
            assert!(!conduct.is_too_much(PeerId(1), 1, TimeMs(n * WITHIN_MS / 8)));
        }
    }
}
