//! Catching up: who is ahead, and whom we asked.
//!
//! One request at a time, to the peer that claims the greatest height; a peer that does not
//! answer in time, or answers with what does not verify, is passed over until it says its tip
//! again.

use std::collections::BTreeMap;

use jangbu_ledger::id::Height;

use crate::replica::PeerId;

/// Bytes of blocks in one answer; one block may exceed it.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Blocks in one answer.
pub(crate) const ANSWER_BLOCKS_MAX: usize = 64;

/// What we know of the peers' heights.
#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    tips: BTreeMap<PeerId, Height>,
    asked: Option<(PeerId, Height)>,
}

impl CatchUp {
    pub(crate) fn heard(&mut self, peer: PeerId, height: Height) {
        let known = self.tips.entry(peer).or_insert(height);
        *known = (*known).max(height);
    }

    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.tips.remove(&peer);
        if self.asked.is_some_and(|(asked, _)| asked == peer) {
            self.asked = None;
        }
    }

    /// Whom to ask for blocks from `next` on, if anyone is ahead and no answer is awaited.
    pub(crate) fn ask(&mut self, next: Height) -> Option<PeerId> {
        if self.asked.is_some() {
            return None;
        }
        let (peer, _) = self
            .tips
            .iter()
            .filter(|(_, height)| **height >= next)
            .max_by_key(|(peer, height)| (**height, std::cmp::Reverse(**peer)))?;
        self.asked = Some((*peer, next));
        Some(*peer)
    }

    /// Whether an answer from this peer is awaited; it no longer is.
    pub(crate) fn answered(&mut self, peer: PeerId) -> bool {
        let awaited = self.asked.is_some_and(|(asked, _)| asked == peer);
        if awaited {
            self.asked = None;
        }
        awaited
    }

    /// The awaited answer did not come: pass the peer over.
    pub(crate) fn timed_out(&mut self) {
        if let Some((peer, _)) = self.asked.take() {
            self.tips.remove(&peer);
        }
    }

    pub(crate) const fn waiting(&self) -> bool {
        self.asked.is_some()
    }
}
