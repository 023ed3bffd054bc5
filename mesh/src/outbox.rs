//! What waits to be sent to one peer, by class, bounded in count and bytes.
//!
//! ```text
//!   MeshHandle::send ──▶ Lane (agreement) ──▶ writer ──▶ stream
//!                   └──▶ Lane (bulk)      ──▶ writer ──▶ stream
//! ```

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use super::{Class, SendOutcome};

/// Why we close a connection that the peer did nothing to lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The peer is no member any more.
    Removed,
    /// Another connection to the same peer is used instead.
    Duplicate,
    /// The peer does not take agreement messages as fast as we make them; it
    /// reconnects and is sent what it needs then.
    AgreementFull,
    /// Our owner keeps the peer out for a while.
    KeptOut,
    /// The node stops.
    Shutdown,
}

/// The queues towards one peer and the switch that closes its connection.
#[derive(Debug)]
pub(super) struct Outbox {
    agreement: Lane,
    bulk: Lane,
    cut: watch::Sender<Option<Cut>>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            agreement: Lane::new(Class::Agreement),
            bulk: Lane::new(Class::Bulk),
            cut: watch::Sender::new(None),
        }
    }

    /// The queue of `class`.
    pub(super) fn lane(&self, class: Class) -> &Lane {
        match class {
            Class::Agreement => &self.agreement,
            Class::Bulk => &self.bulk,
        }
    }

    /// Queues a frame; a full agreement queue closes the connection.
    pub(super) fn push(&self, class: Class, frame: Arc<[u8]>) -> SendOutcome {
        if self.is_cut() {
            return SendOutcome::NotConnected;
        }
        let outcome = self.lane(class).push(frame);
        if outcome == SendOutcome::Full && class == Class::Agreement {
            self.close(Cut::AgreementFull);
        }
        outcome
    }

    /// Asks for the connection to be closed; the first reason stands.
    pub(super) fn close(&self, reason: Cut) {
        self.cut
            .send_if_modified(|cut| cut.is_none() && cut.replace(reason).is_none());
    }

    /// Whether the connection is to be closed.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.borrow().is_some()
    }

    /// Waits until the connection is to be closed.
    pub(super) async fn closed(&self) -> Cut {
        let mut cut = self.cut.subscribe();
        // The sender lives in `self`, which outlives this future: no error.
        match cut.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            Ok(None) | Err(_) => Cut::Shutdown,
        }
    }
}

/// One class's queue. Many put in, one writer takes out.
#[derive(Debug)]
pub(super) struct Lane {
    class: Class,
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Lane {
    fn new(class: Class) -> Self {
        Self {
            class,
            waiting: Mutex::default(),
            filled: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, frame: Arc<[u8]>) -> SendOutcome {
        if frame.is_empty() || frame.len() > self.class.frame_bytes_max() {
            return SendOutcome::BadSize;
        }
        let mut waiting = self.waiting();
        let bytes = waiting.bytes.saturating_add(frame.len());
        if waiting.frames.len() >= self.class.queue_frames_max()
            || bytes > self.class.queue_bytes_max()
        {
            return SendOutcome::Full;
        }
        waiting.bytes = bytes;
        waiting.frames.push_back(frame);
        drop(waiting);
        self.filled.notify_one();
        SendOutcome::Queued
    }

    /// Takes the oldest frames: at least one, and no more than fit in
    /// `bytes_max` together. Waits while there is none.
    pub(super) async fn take(&self, bytes_max: usize) -> Vec<Arc<[u8]>> {
        loop {
            let batch = self.take_now(bytes_max);
            if !batch.is_empty() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    fn take_now(&self, bytes_max: usize) -> Vec<Arc<[u8]>> {
        let mut waiting = self.waiting();
        let mut batch = Vec::new();
        let mut taken = 0_usize;
        while let Some(frame) = waiting.frames.front() {
            let bytes = taken.saturating_add(frame.len());
            if !batch.is_empty() && bytes > bytes_max {
                break;
            }
            taken = bytes;
            batch.extend(waiting.frames.pop_front());
        }
        waiting.bytes = waiting.bytes.saturating_sub(taken);
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Arc<[u8]> {
        vec![1; bytes].into()
    }

    #[tokio::test]
    async fn frames_leave_in_the_order_they_came_and_in_batches() {
        let outbox = Outbox::new();
        for size in [1, 2, 3, 400] {
            assert_eq!(outbox.push(Class::Bulk, frame(size)), SendOutcome::Queued);
        }
        let sizes = |batch: Vec<Arc<[u8]>>| batch.iter().map(|f| f.len()).collect::<Vec<_>>();
        assert_eq!(sizes(outbox.lane(Class::Bulk).take(10).await), [1, 2, 3]);
        assert_eq!(sizes(outbox.lane(Class::Bulk).take(10).await), [400]);
    }

    #[test]
    fn a_full_bulk_queue_refuses_and_a_full_agreement_queue_cuts() {
        let outbox = Outbox::new();
        let fill = |class: Class| {
            let mut sent = 0;
            while outbox.push(class, frame(class.frame_bytes_max())) == SendOutcome::Queued {
                sent += 1;
            }
            sent
        };
        assert_eq!(
            fill(Class::Bulk),
            Class::Bulk.queue_bytes_max() / Class::Bulk.frame_bytes_max()
        );
        assert!(!outbox.is_cut());
        fill(Class::Agreement);
        assert!(outbox.is_cut());
        assert_eq!(
            outbox.push(Class::Bulk, frame(1)),
            SendOutcome::NotConnected
        );
    }

    #[test]
    fn a_frame_that_is_empty_or_over_the_limit_is_not_queued() {
        let outbox = Outbox::new();
        assert_eq!(
            outbox.push(Class::Agreement, frame(0)),
            SendOutcome::BadSize
        );
        let over = Class::Agreement.frame_bytes_max() + 1;
        assert_eq!(
            outbox.push(Class::Agreement, frame(over)),
            SendOutcome::BadSize
        );
        assert!(!outbox.is_cut());
    }
}
