//! Who waits for which envelope, and how far finality has come.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jangbu_ledger::id::{EnvelopeId, Height};
use tokio::sync::{oneshot, watch};

/// How far finality has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FinalMark {
    /// Everything up to this height is final.
    pub height: Height,
    /// Entries in the log there.
    pub size: u64,
}

/// Requests that wait for a block or for finality.
#[derive(Debug)]
pub struct Waiters {
    waiting: Mutex<Waiting>,
    finality: watch::Sender<Option<FinalMark>>,
}

#[derive(Debug, Default)]
struct Waiting {
    tickets: u64,
    by_envelope: BTreeMap<EnvelopeId, Vec<(u64, oneshot::Sender<Height>)>>,
}

/// A place in the queue for one envelope; leaves it when dropped.
#[derive(Debug)]
pub struct Ticket<'a> {
    waiters: &'a Waiters,
    envelope: EnvelopeId,
    number: u64,
    committed: oneshot::Receiver<Height>,
}

impl Waiters {
    /// Nobody waits; `last` is final already.
    #[must_use]
    pub fn new(last: Option<FinalMark>) -> Self {
        Self {
            waiting: Mutex::default(),
            finality: watch::Sender::new(last),
        }
    }

    /// Waits for an envelope's block. Call it before the envelope is handed in.
    #[must_use]
    pub fn wait_for(&self, envelope: EnvelopeId) -> Ticket<'_> {
        let (sender, committed) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.tickets += 1;
        let number = waiting.tickets;
        let queue = waiting.by_envelope.entry(envelope).or_default();
        queue.push((number, sender));
        drop(waiting);
        Ticket {
            waiters: self,
            envelope,
            number,
            committed,
        }
    }

    /// These envelopes were decided at this height.
    pub fn committed(&self, height: Height, envelopes: &[EnvelopeId]) {
        let mut waiting = self.lock();
        for id in envelopes {
            for (_, sender) in waiting.by_envelope.remove(id).unwrap_or_default() {
                // A request that went away meanwhile needs no answer.
                let _gone = sender.send(height);
            }
        }
    }

    /// Everything up to this mark is final. An earlier mark than the last changes nothing.
    pub fn finalised(&self, mark: FinalMark) {
        self.finality.send_if_modified(|last| {
            let news = last.is_none_or(|last| last < mark);
            if news {
                *last = Some(mark);
            }
            news
        });
    }

    /// How far finality has come.
    #[must_use]
    pub fn last_final(&self) -> Option<FinalMark> {
        *self.finality.borrow()
    }

    /// How far finality has come, and whatever comes.
    #[must_use]
    pub fn finality(&self) -> watch::Receiver<Option<FinalMark>> {
        self.finality.subscribe()
    }

    /// Returns once `height` is final.
    pub async fn until_final(&self, height: Height) {
        let mut finality = self.finality.subscribe();
        let reached = finality
            .wait_for(|last| last.is_some_and(|mark| mark.height >= height))
            .await;
        // The sender is in `self`, so the channel cannot close while we wait.
        debug_assert!(reached.is_ok(), "the channel closed");
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// The height of the envelope's block, once there is one; `None` if there never will be.
    pub async fn committed(&mut self) -> Option<Height> {
        (&mut self.committed).await.ok()
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiters.lock();
        if let Some(queue) = waiting.by_envelope.get_mut(&self.envelope) {
            queue.retain(|(number, _)| *number != self.number);
            if queue.is_empty() {
                waiting.by_envelope.remove(&self.envelope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: EnvelopeId = EnvelopeId([1; 32]);

    #[tokio::test]
    async fn every_request_for_an_envelope_learns_its_height() {
        let waiters = Waiters::new(None);
        let (mut first, mut second) = (waiters.wait_for(ID), waiters.wait_for(ID));
        waiters.committed(Height(7), &[ID]);
        assert_eq!(first.committed().await, Some(Height(7)));
        assert_eq!(second.committed().await, Some(Height(7)));
    }

    #[test]
    fn a_request_that_goes_away_leaves_nothing_behind() {
        let waiters = Waiters::new(None);
        let kept = waiters.wait_for(ID);
        drop(waiters.wait_for(ID));
        assert_eq!(waiters.lock().by_envelope.get(&ID).map(Vec::len), Some(1));
        drop(kept);
        assert!(waiters.lock().by_envelope.is_empty());
    }

    #[tokio::test]
    async fn finality_never_goes_back() {
        let waiters = Waiters::new(None);
        let mark = |height, size| FinalMark {
            height: Height(height),
            size,
        };
        waiters.finalised(mark(5, 50));
        waiters.finalised(mark(4, 40));
        assert_eq!(waiters.last_final(), Some(mark(5, 50)));
        waiters.until_final(Height(5)).await;
    }
}
