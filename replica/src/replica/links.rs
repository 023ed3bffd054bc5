//! Which validators are connected: a proposer known to be down is not waited for.
//!
//! Who proposes stays a function of height and round. Only how long *this* replica waits for
//! the proposal depends on its links, as it may on anything: a validator that waits too short
//! votes nil in a round that might have succeeded, and the next round has another proposer.

use std::collections::BTreeMap;

use jangbu_consensus::{self as consensus, TimerKind};
use jangbu_ledger::id::{Height, KeyId, TimeMs};

use super::{PeerId, Replica};
use crate::store::Store;

/// How long a link has to be down before its member counts as down: longer than a reconnection
/// takes, and than the first connections at a start.
const DOWN_AFTER_MS: u64 = 1_000;
/// How long to wait for the proposal of a member that is down, in milliseconds. It cannot come
/// but over a link of its own, so this only lets a link that is just coming up deliver it.
const PROPOSE_DOWN_MS: u64 = 50;

/// The links to the validators.
#[derive(Debug)]
pub(super) struct Links {
    keys: BTreeMap<PeerId, KeyId>,
    /// Who is not connected, and since when.
    down: BTreeMap<KeyId, TimeMs>,
}

impl Links {
    /// None is up yet.
    pub(super) fn new(keys: BTreeMap<PeerId, KeyId>, now: TimeMs) -> Self {
        let down = keys.values().map(|key| (*key, now)).collect();
        Self { keys, down }
    }

    pub(super) fn connected(&mut self, peer: PeerId) {
        if let Some(key) = self.keys.get(&peer) {
            self.down.remove(key);
        }
    }

    pub(super) fn disconnected(&mut self, peer: PeerId, now: TimeMs) {
        if let Some(key) = self.keys.get(&peer) {
            self.down.insert(*key, now);
        }
    }

    /// Whether a validator is behind this link.
    pub(super) fn is_validator(&self, peer: PeerId) -> bool {
        self.keys.contains_key(&peer)
    }

    /// Whether the validator has been down for longer than a moment.
    fn is_down(&self, key: &KeyId, now: TimeMs) -> bool {
        // A clock that was set back makes nobody down.
        let down_for = |since: &TimeMs| now.0.saturating_sub(since.0);
        self.down
            .get(key)
            .is_some_and(|since| down_for(since) >= DOWN_AFTER_MS)
    }
}

impl<S: Store> Replica<S> {
    /// Of the rounds before `round`, those that failed although their proposer is up: what says
    /// that blocks are too large. At most the validators' number is looked at.
    pub(super) fn failed_rounds(&self, height: Height, round: u32) -> u32 {
        let set = &self.chain.validator_set;
        let turn = u32::try_from(set.count()).unwrap_or(u32::MAX);
        let first = round.saturating_sub(turn);
        let is_up = |round: &u32| {
            let proposer = set.proposer(height, *round).id();
            !self.links.is_down(&proposer, self.now)
        };
        let failed = (first..round).filter(is_up).count();
        first.saturating_add(u32::try_from(failed).unwrap_or(u32::MAX))
    }

    /// How long a timer of consensus is to wait that should wait `after_ms`.
    pub(super) fn wait_of(&self, id: consensus::TimerId, after_ms: u64) -> u64 {
        let proposer = self.chain.validator_set.proposer(id.height, id.round).id();
        if id.kind == TimerKind::Propose && self.links.is_down(&proposer, self.now) {
            after_ms.min(PROPOSE_DOWN_MS)
        } else {
            after_ms
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_is_down_a_moment_after_its_link_and_up_with_it() {
        let (peer, key) = (PeerId(3), KeyId([3; 16]));
        let mut links = Links::new(BTreeMap::from([(peer, key)]), TimeMs(10_000));
        assert!(!links.is_down(&key, TimeMs(10_000 + DOWN_AFTER_MS - 1)));
        assert!(links.is_down(&key, TimeMs(10_000 + DOWN_AFTER_MS)));
        links.connected(peer);
        assert!(!links.is_down(&key, TimeMs(99_000)));
        links.disconnected(peer, TimeMs(99_000));
        assert!(
            !links.is_down(&key, TimeMs(5_000)),
            "the clock was set back"
        );
        assert!(links.is_down(&key, TimeMs(100_000)));
        links.disconnected(PeerId(9), TimeMs(0));
        assert!(
            !links.is_down(&KeyId([9; 16]), TimeMs(100_000)),
            "nobody's link"
        );
    }
}
