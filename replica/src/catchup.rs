//! Catching up: who is ahead, and whom we asked.
//!
//! One request at a time, to the peer that claims the greatest height; a peer that does not
//! answer in time, or answers with nothing of use, is passed over until it says its tip again.
//! A peer one block ahead is asked only if we do not get there by ourselves in a moment: the
//! votes that decided it there are mostly on their way to us. Nothing ever waits for an answer,
//! so a peer that claims what it does not have holds nobody up.

use std::collections::BTreeMap;

use jangbu_ledger::id::{Height, TimeMs};

use crate::replica::PeerId;

/// Bytes of blocks in one answer; one block may exceed it.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Blocks in one answer.
pub(crate) const ANSWER_BLOCKS_MAX: usize = 64;
/// How long to be one block behind before asking for it.
const GRACE_MS: u64 = 200;

/// What we know of the peers' heights.
#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    tips: BTreeMap<PeerId, Height>,
    asked: Option<PeerId>,
    /// Since when someone is known to have this height, which is our next.
    behind: Option<(Height, TimeMs)>,
}

/// What to do about being behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing.
    No,
    /// Ask this peer now.
    Now(PeerId),
    /// Look again after so many milliseconds.
    After(u64),
}

impl CatchUp {
    pub(crate) fn heard(&mut self, peer: PeerId, height: Height) {
        let known = self.tips.entry(peer).or_insert(height);
        *known = (*known).max(height);
    }

    /// The peer is gone, or of no use.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.tips.remove(&peer);
        if self.asked == Some(peer) {
            self.asked = None;
        }
    }

    /// Whom to ask for blocks from `next` on, if anyone is ahead and no answer is awaited.
    pub(crate) fn ask(&mut self, next: Height, now: TimeMs) -> Ask {
        if self.asked.is_some() {
            return Ask::No;
        }
        let ahead = self.tips.iter().filter(|(_, height)| **height >= next);
        let best = ahead.max_by_key(|(peer, height)| (**height, std::cmp::Reverse(**peer)));
        let Some((peer, height)) = best.map(|(peer, height)| (*peer, *height)) else {
            return Ask::No;
        };
        if height == next {
            match self.behind {
                Some((behind, since)) if behind == next => {
                    // A clock that was set back must not hold the question up.
                    if now.0.abs_diff(since.0) < GRACE_MS {
                        return Ask::No;
                    }
                }
                _ => {
                    self.behind = Some((next, now));
                    return Ask::After(GRACE_MS);
                }
            }
        }
        self.asked = Some(peer);
        Ask::Now(peer)
    }

    /// Whether an answer from this peer is awaited; it no longer is.
    pub(crate) fn answered(&mut self, peer: PeerId) -> bool {
        let awaited = self.asked == Some(peer);
        if awaited {
            self.asked = None;
        }
        awaited
    }

    /// The awaited answer did not come: pass the peer over.
    pub(crate) fn timed_out(&mut self) {
        if let Some(peer) = self.asked.take() {
            self.tips.remove(&peer);
        }
    }

    /// Whether a peer is known to have `height`.
    pub(crate) fn anyone_at(&self, height: Height) -> bool {
        self.tips.values().any(|tip| *tip >= height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_one_block_ahead_is_asked_after_a_moment_and_one_far_ahead_at_once() {
        let mut catch_up = CatchUp::default();
        let next = Height(8);
        catch_up.heard(PeerId(1), next);
        assert_eq!(catch_up.ask(next, TimeMs(0)), Ask::After(GRACE_MS));
        assert_eq!(catch_up.ask(next, TimeMs(GRACE_MS - 1)), Ask::No);
        let later = TimeMs(GRACE_MS);
        assert_eq!(catch_up.ask(next, later), Ask::Now(PeerId(1)));
        assert_eq!(catch_up.ask(next, later), Ask::No);
        assert!(catch_up.answered(PeerId(1)));
        catch_up.heard(PeerId(2), Height(20));
        assert_eq!(catch_up.ask(next, later), Ask::Now(PeerId(2)));
    }

    #[test]
    fn a_peer_that_does_not_answer_is_passed_over_until_it_says_its_tip_again() {
        let mut catch_up = CatchUp::default();
        catch_up.heard(PeerId(1), Height(20));
        catch_up.heard(PeerId(2), Height(10));
        assert_eq!(catch_up.ask(Height(5), TimeMs(0)), Ask::Now(PeerId(1)));
        catch_up.timed_out();
        assert_eq!(catch_up.ask(Height(5), TimeMs(0)), Ask::Now(PeerId(2)));
        catch_up.forget(PeerId(2));
        assert_eq!(catch_up.ask(Height(5), TimeMs(0)), Ask::No);
        catch_up.heard(PeerId(1), Height(20));
        assert_eq!(catch_up.ask(Height(5), TimeMs(0)), Ask::Now(PeerId(1)));
    }
}
