//! What waits for the replica's thread: two bounded queues and one bell.
//!
//! ```text
//!   mesh ──▶ peer events (the sender waits for room) ──┐
//!   HTTP ──▶ submissions (refused when full) ──────────┴──▶ take(), one thread
//! ```
//!
//! Peer events go first: agreement must not wait behind clients. Submissions are taken in
//! batches, so that signatures are verified together.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jangbu_replica::pool::AdmissionError;
use jangbu_replica::replica::{Admission, PeerId};
use tokio::sync::oneshot;

/// Most peer events that wait.
const PEER_EVENTS_MAX: usize = 1024;
/// Most bytes of peer events that wait; one event may exceed it.
const PEER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most submissions that wait.
const SUBMISSIONS_MAX: usize = 4096;
/// Most bytes of submissions that wait.
const SUBMISSION_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most peer events handed over at once.
const PEER_BATCH_MAX: usize = 64;
/// Most submissions handed over at once: what is verified in about 10 ms.
const SUBMISSION_BATCH_MAX: usize = 256;

/// What the mesh reports.
#[derive(Debug)]
pub enum PeerEvent {
    /// A link is up.
    Connected(PeerId),
    /// A link is down.
    Disconnected(PeerId),
    /// A member sent bytes.
    Received(PeerId, Vec<u8>),
}

/// An envelope that a client handed in, and where its answer goes.
#[derive(Debug)]
pub struct Submission {
    /// The envelope.
    pub bytes: Vec<u8>,
    /// Takes the replica's first answer.
    pub answer: oneshot::Sender<Result<Admission, AdmissionError>>,
}

/// What [`Inbox::take`] hands over.
#[derive(Debug, Default)]
pub struct Taken {
    /// In the order they came.
    pub peers: Vec<PeerEvent>,
    /// In the order they came.
    pub submissions: Vec<Submission>,
    /// Whether to stop, once these are handled.
    pub stop: bool,
}

/// Why a submission was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No room now.
    Full,
    /// The replica has stopped, or is stopping.
    Stopped,
}

/// The two queues.
#[derive(Debug, Default)]
pub struct Inbox {
    queues: Mutex<Queues>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Queues {
    peers: VecDeque<PeerEvent>,
    peer_bytes: usize,
    submissions: VecDeque<Submission>,
    submission_bytes: usize,
    stop: bool,
}

impl Inbox {
    /// Hands in a submission.
    ///
    /// # Errors
    ///
    /// [`Refused`] if there is no room or nobody to take it.
    pub fn offer(&self, submission: Submission) -> Result<(), Refused> {
        let mut queues = self.lock();
        if queues.stop {
            return Err(Refused::Stopped);
        }
        let bytes = queues.submission_bytes + submission.bytes.len();
        if queues.submissions.len() >= SUBMISSIONS_MAX || bytes > SUBMISSION_BYTES_MAX {
            return Err(Refused::Full);
        }
        queues.submission_bytes = bytes;
        queues.submissions.push_back(submission);
        self.filled.notify_one();
        Ok(())
    }

    /// Hands in a peer's event, waiting for room. Blocks: never call it from async code.
    ///
    /// # Errors
    ///
    /// [`Refused::Stopped`] once nobody takes it any more.
    pub fn push_peer(&self, event: PeerEvent) -> Result<(), Refused> {
        let bytes = event.bytes();
        let mut queues = self.lock();
        loop {
            if queues.stop {
                return Err(Refused::Stopped);
            }
            let fits = queues.peer_bytes == 0 || queues.peer_bytes + bytes <= PEER_BYTES_MAX;
            if queues.peers.len() < PEER_EVENTS_MAX && fits {
                break;
            }
            queues = self
                .drained
                .wait(queues)
                .unwrap_or_else(PoisonError::into_inner);
        }
        queues.peer_bytes += bytes;
        queues.peers.push_back(event);
        self.filled.notify_one();
        Ok(())
    }

    /// Asks the replica's thread to stop; nothing more is taken in.
    pub fn stop(&self) {
        self.lock().stop = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Waits until there is something, or `timeout` is over, and takes a bounded part of it.
    #[must_use]
    pub fn take(&self, timeout: Duration) -> Taken {
        let queues = self.lock();
        let (mut queues, _) = self
            .filled
            .wait_timeout_while(queues, timeout, |queues| {
                queues.peers.is_empty() && queues.submissions.is_empty() && !queues.stop
            })
            .unwrap_or_else(PoisonError::into_inner);
        let count = queues.peers.len().min(PEER_BATCH_MAX);
        let peers: Vec<PeerEvent> = queues.peers.drain(..count).collect();
        queues.peer_bytes -= peers.iter().map(PeerEvent::bytes).sum::<usize>();
        let count = queues.submissions.len().min(SUBMISSION_BATCH_MAX);
        let submissions: Vec<Submission> = queues.submissions.drain(..count).collect();
        queues.submission_bytes -= submissions.iter().map(|s| s.bytes.len()).sum::<usize>();
        let drained = queues.peers.is_empty() && queues.submissions.is_empty();
        let stop = queues.stop && drained;
        drop(queues);
        self.drained.notify_all();
        Taken {
            peers,
            submissions,
            stop,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        // A panic in another thread cannot leave the queues half changed.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerEvent {
    const fn bytes(&self) -> usize {
        match self {
            Self::Connected(_) | Self::Disconnected(_) => 0,
            Self::Received(_, bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(len: usize) -> Submission {
        Submission {
            bytes: vec![0; len],
            answer: oneshot::channel().0,
        }
    }

    #[test]
    fn submissions_are_refused_when_there_is_no_room() {
        let inbox = Inbox::default();
        for _ in 0..SUBMISSIONS_MAX {
            assert_eq!(inbox.offer(submission(1)), Ok(()));
        }
        assert_eq!(inbox.offer(submission(1)), Err(Refused::Full));
        assert_eq!(
            inbox.take(Duration::ZERO).submissions.len(),
            SUBMISSION_BATCH_MAX
        );
        assert_eq!(inbox.offer(submission(1)), Ok(()));
    }

    #[test]
    fn the_bytes_that_wait_are_bounded() {
        let inbox = Inbox::default();
        assert_eq!(inbox.offer(submission(SUBMISSION_BYTES_MAX)), Ok(()));
        assert_eq!(inbox.offer(submission(1)), Err(Refused::Full));
    }

    #[test]
    fn what_waits_is_handed_over_before_the_stop() {
        let inbox = Inbox::default();
        for _ in 0..=SUBMISSION_BATCH_MAX {
            inbox.offer(submission(1)).unwrap();
        }
        inbox.stop();
        assert_eq!(inbox.offer(submission(1)), Err(Refused::Stopped));
        assert!(!inbox.take(Duration::from_secs(9)).stop);
        let last = inbox.take(Duration::from_secs(9));
        assert!(last.stop && last.submissions.len() == 1);
    }

    #[test]
    fn a_peers_event_waits_for_room() {
        let inbox = Inbox::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..=PEER_EVENTS_MAX {
                    inbox
                        .push_peer(PeerEvent::Received(PeerId(0), vec![0; n % 7]))
                        .unwrap();
                }
            });
            let mut taken = 0;
            while taken <= PEER_EVENTS_MAX {
                taken += inbox.take(Duration::from_millis(10)).peers.len();
            }
        });
    }
}
