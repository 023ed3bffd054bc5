//! Whether this replica votes, and when one that lost its memory may again.
//!
//! What a validator signed is in its log before it is on the wire, so after a crash it never
//! contradicts itself. A validator that was restored from a backup, or whose log was lost, does
//! not know what it signed: it *follows*, executing and committing what the others decide, until
//! a height has become final that began after its return. How does it know of the loss, and
//! when such a height is there, without a clock?
//!
//! It knows because someone or something tells it:
//! - the operator, who restored it (`jangbu-node run --restored`), or a node that finds its
//!   database gone ([`super::Config::restored`]);
//! - its own signature, on a message of a height that runs or on the certificate of a block it
//!   catches up with, of which its log knows nothing. That also shows a second process with the
//!   same key.
//!
//! What cannot be told in general is an older copy of the whole machine that nobody speaks of and
//! whose lost votes nobody repeats: nothing inside the copy says that it is old. The certificates
//! of the heights it missed hold its signature more often than not, and it meets them before it
//! can vote.
//!
//! It waits for three heights more than any member claims after the return. Let `m` be the
//! greatest claim of a quorum of other validators. Whenever a block was decided before the
//! return, a quorum had precommitted it; at least one correct validator is in both quorums, and
//! it cannot claim less than one height below a block that it precommitted. So nobody had
//! decided block `m + 2` before the return, this replica included: height `m + 3` began after
//! it, and what was lost is of height `m + 2` at most. Once `m + 3` is final, it votes. A claim
//! counts only once our own copy has come that far: one who claims what does not exist keeps
//! nobody from voting, unless too few others are left to make a quorum.
//!
//! That it follows is on disk before anything else happens, so a crash does not end it. With
//! fewer than four validators all of them have to vote for every block: there the others cannot
//! go on and nobody can tell; the operators have to look at what each one has.

use std::collections::BTreeMap;

use jangbu_ledger::id::Height;

use super::{Effect, Fatal, PeerId, Replica, TimerId};
use crate::message::Message;
use crate::store::Store;

/// How many heights after the greatest claim have to be final.
const HEIGHTS_AFTER: u64 = 3;

/// What is known of the others' heights since this replica came up.
#[derive(Debug)]
pub(super) struct Standing {
    following: bool,
    /// The first height that each validator claimed.
    claims: BTreeMap<PeerId, Height>,
}

impl Standing {
    pub(super) const fn new(following: bool) -> Self {
        Self {
            following,
            claims: BTreeMap::new(),
        }
    }

    /// A validator says its height over a link of this life, hence after the return.
    pub(super) fn heard(&mut self, peer: PeerId, height: Height) {
        self.claims.entry(peer).or_insert(height);
    }

    /// Whether a replica that follows may vote in the height after `tip`.
    fn may_vote(&self, tip: Height, quorum: usize) -> bool {
        let reached: Vec<Height> = self
            .claims
            .values()
            .copied()
            .filter(|c| *c <= tip)
            .collect();
        let greatest = reached.iter().max().map_or(0, |height| height.0);
        self.following && reached.len() >= quorum && tip.0 >= greatest.saturating_add(HEIGHTS_AFTER)
    }
}

impl<S: Store> Replica<S> {
    /// Whether this replica votes; an observer never does.
    #[must_use]
    pub fn is_voting(&self) -> bool {
        self.consensus.own_address().is_some()
    }

    /// Whether this replica is a validator that follows without voting.
    #[must_use]
    pub const fn is_following(&self) -> bool {
        self.standing.following
    }

    /// Stops voting at once, for this reason. The running height is begun anew as a follower.
    pub(super) fn follow(&mut self, reason: &str) -> Result<(), Fatal> {
        self.store.set_following(true)?;
        self.standing.following = true;
        self.effects.push(Effect::Following(reason.to_owned()));
        for id in self.consensus.set_voting(false) {
            let id = TimerId::Consensus(id);
            self.effects.push(Effect::CancelTimer(id));
        }
        self.needed.clear();
        if self.running {
            self.start_height(Vec::new())?;
            // What the others said so far was for a voter that is no more.
            self.broadcast(&Message::Repeat(self.tip.height.next()));
        }
        Ok(())
    }

    /// After a block was committed: takes up voting if a height became final that began after
    /// our return.
    pub(super) fn take_up_voting(&mut self) -> Result<(), Fatal> {
        let (tip, quorum) = (self.tip.height, self.chain.validators.quorum());
        if !self.standing.may_vote(tip, quorum) {
            return Ok(());
        }
        self.store.set_following(false)?;
        self.standing.following = false;
        for id in self.consensus.set_voting(true) {
            let id = TimerId::Consensus(id);
            self.effects.push(Effect::CancelTimer(id));
        }
        self.effects.push(Effect::Voting(tip.next()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(claims: &[u64]) -> Standing {
        let mut standing = Standing::new(true);
        for (n, height) in (0..).zip(claims) {
            standing.heard(PeerId(n), Height(*height));
        }
        standing
    }

    #[test]
    fn it_votes_once_the_third_height_after_the_greatest_claim_is_final() {
        let standing = claimed(&[7, 9, 8]);
        assert!(!standing.may_vote(Height(11), 3));
        assert!(standing.may_vote(Height(12), 3));
    }

    #[test]
    fn it_waits_for_claims_of_a_quorum_and_only_first_claims_count() {
        assert!(!claimed(&[7, 9]).may_vote(Height(100), 3));
        let mut standing = claimed(&[7, 9, 8]);
        standing.heard(PeerId(0), Height(50));
        assert!(standing.may_vote(Height(12), 3));
    }

    #[test]
    fn a_claim_that_is_never_reached_counts_for_nothing() {
        assert!(!claimed(&[7, u64::MAX, 8]).may_vote(Height(100), 3));
        assert!(claimed(&[7, u64::MAX, 8, 8, 7, 6]).may_vote(Height(11), 5));
    }

    #[test]
    fn one_that_votes_has_nothing_to_take_up() {
        assert!(!Standing::new(false).may_vote(Height(100), 0));
    }
}
