//! Blocks that a Byzantine proposer may come up with.

use jangbu_ledger::block::Block;
use jangbu_ledger::id::{KeyId, StateRoot, TimeMs};
use jangbu_ledger::merkle::NodeHash;
use jangbu_replica::candidate;
use jangbu_replica::chain::Chain;
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::pool::Verified;
use jangbu_replica::replica::Replica;

use super::forgetful::Forgetful;
use super::lie::Lie;

/// How far ahead of every clock a block claims to be.
const AHEAD_MS: u64 = 60_000;

/// Makes blocks on what a replica has.
pub(super) struct Maker<'a> {
    pub(super) chain: &'a Chain,
    pub(super) replica: &'a Replica<MemoryStore>,
    pub(super) by: KeyId,
    pub(super) now: TimeMs,
}

impl Maker<'_> {
    /// A valid block of these envelopes, or of as many of them as may be ordered.
    pub(super) fn valid(&self, time: TimeMs, envelopes: &[Verified]) -> Option<Block> {
        let tip = self.replica.tip();
        let time = TimeMs(time.0.max(tip.time_ms.0 + 1));
        self.at(time, envelopes)
    }

    fn at(&self, time: TimeMs, envelopes: &[Verified]) -> Option<Block> {
        let store = Forgetful(self.replica.store());
        let (tip, waiting) = (self.replica.tip(), envelopes.iter());
        let made = candidate::propose(self.chain, &store, tip, self.by, time, usize::MAX, waiting);
        Some(made.ok()?.block)
    }

    /// An invalid block with a valid id, in this way; nothing if this is no such lie, or there
    /// is nothing to do it with.
    pub(super) fn invalid(
        &self,
        lie: Lie,
        fresh: &[Verified],
        decided: &[Verified],
    ) -> Option<Block> {
        match lie {
            Lie::WrongState => {
                let mut block = self.valid(self.now, fresh)?;
                block.header.state_root = StateRoot([7; 32]);
                Some(block)
            }
            Lie::WrongLog => {
                let mut block = self.valid(self.now, fresh)?;
                block.header.log_root = NodeHash([7; 32]);
                Some(block)
            }
            Lie::RepeatedEnvelope => {
                let block = self.valid(self.now, decided)?;
                (!block.envelopes.is_empty()).then_some(block)
            }
            Lie::TimeBack => self.at(self.replica.tip().time_ms, fresh),
            Lie::TimeAhead => self.valid(TimeMs(self.now.0 + AHEAD_MS), fresh),
            _ => None,
        }
    }
}
