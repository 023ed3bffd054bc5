//! The replica's own thread: carries inputs in, keeps its timers, performs its effects.
//!
//! ```text
//!   Inbox ──▶ take ──▶ Replica::step ──▶ effects ──▶ mesh, timers, waiters, answers
//! ```
//!
//! Writes to disk happen inside `step`, so they block this thread and no other. A fatal error
//! ends the thread; whoever waits for an answer then gets none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jangbu_ledger::equivocation::Equivocation;
use jangbu_ledger::id::{Height, KeyId, TimeMs};
use jangbu_replica::message;
use jangbu_replica::pool::AdmissionError;
use jangbu_replica::replica::{Admission, Effect, Fatal, Input, PeerId, Replica, TimerId, Token};
use jangbu_replica::store::Store;
use tokio::sync::oneshot;

use crate::evidence::{EvidenceFiles, Kept};
use crate::health::Health;
use crate::inbox::{Inbox, PeerEvent, Submission};
use crate::mesh::{self, MeshHandle, SendOutcome};
use crate::metrics::Metrics;
use crate::waiters::{FinalMark, Waiters};

/// Longest the thread sleeps when no timer is set.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// Complaints about members in the log: at most one in this time.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(1);

/// What the driver works with besides its replica.
#[derive(Debug)]
pub struct Surroundings {
    /// Where inputs come from.
    pub inbox: Arc<Inbox>,
    /// Who waits for blocks and finality.
    pub waiters: Arc<Waiters>,
    /// Who is connected.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The links to the other members.
    pub mesh: MeshHandle,
    /// The members' names on the mesh, by [`PeerId`].
    pub peers: Vec<mesh::PeerId>,
    /// Where evidence against validators is kept.
    pub evidence: EvidenceFiles,
    /// Whose consensus keys are whose.
    pub validators: BTreeMap<KeyId, String>,
}

/// A replica with its clock, timers and links.
pub struct Driver<S> {
    replica: Replica<S>,
    around: Surroundings,
    timers: BTreeMap<TimerId, Instant>,
    answers: BTreeMap<Token, oneshot::Sender<Result<Admission, AdmissionError>>>,
    tokens: u64,
    complained: Option<Instant>,
}

impl<S> std::fmt::Debug for Driver<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("timers", &self.timers.len())
            .finish_non_exhaustive()
    }
}

impl<S: Store> Driver<S> {
    /// A driver for a replica that was just opened.
    #[must_use]
    pub const fn new(replica: Replica<S>, around: Surroundings) -> Self {
        Self {
            replica,
            around,
            timers: BTreeMap::new(),
            answers: BTreeMap::new(),
            tokens: 0,
            complained: None,
        }
    }

    /// Runs until the inbox says stop. `first` are the effects of opening the replica.
    ///
    /// # Errors
    ///
    /// [`Fatal`] if the replica must not go on.
    pub fn run(mut self, first: Vec<Effect>) -> Result<(), Fatal> {
        self.perform_all(first)?;
        loop {
            self.update_gauges();
            let taken = self.around.inbox.take(self.until_next_timer());
            let began = Instant::now();
            for event in taken.peers {
                let input = self.peer_input(event);
                self.step(input)?;
            }
            if !taken.submissions.is_empty() {
                let input = self.submit(taken.submissions);
                self.step(input)?;
            }
            while let Some(id) = self.due_timer() {
                self.step(Input::Timer(id))?;
            }
            let busy = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.around.metrics.busy_us.add(busy);
            if taken.stop {
                return Ok(());
            }
        }
    }

    fn step(&mut self, input: Input) -> Result<(), Fatal> {
        let effects = self.replica.step(now(), input)?;
        self.perform_all(effects)
    }

    fn perform_all(&mut self, effects: Vec<Effect>) -> Result<(), Fatal> {
        for effect in effects {
            self.perform(effect)?;
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect) -> Result<(), Fatal> {
        let around = &self.around;
        match effect {
            Effect::Send(peer, class, bytes) => {
                around.metrics.messages_out.increment();
                if let Some(id) = around.peers.get(usize::from(peer.0)) {
                    let outcome = around.mesh.send(*id, mesh_class(class), bytes);
                    self.note_outcome(outcome);
                }
            }
            Effect::Broadcast(class, bytes) => {
                around.metrics.messages_out.increment();
                for (_, outcome) in around.mesh.broadcast(mesh_class(class), &bytes) {
                    self.note_outcome(outcome);
                }
            }
            Effect::SetTimer(id, after_ms) => {
                let due = Instant::now() + Duration::from_millis(after_ms);
                self.timers.insert(id, due);
            }
            Effect::CancelTimer(id) => {
                self.timers.remove(&id);
            }
            Effect::Answer(token, answer) => {
                if let Some(sender) = self.answers.remove(&token) {
                    // A client that went away meanwhile needs no answer.
                    let _gone = sender.send(answer);
                }
            }
            Effect::Committed(height, envelopes) => {
                let count = u64::try_from(envelopes.len()).unwrap_or(u64::MAX);
                around.metrics.blocks.increment();
                around.metrics.envelopes.add(count);
                around.waiters.committed(height, &envelopes);
                tracing::debug!(height = height.0, envelopes = count, "committed a block");
            }
            Effect::Final(height) => self.finalised(height)?,
            Effect::Misbehaved(peer, reason) => self.complain(peer, &reason),
            Effect::CutOff(peer, for_ms) => self.cut_off(peer, Duration::from_millis(for_ms)),
            Effect::Evidence(equivocation) => self.keep_evidence(*equivocation),
            Effect::Following(reason) => tracing::warn!(
                reason,
                "this node follows without voting, until a height is final that began after now"
            ),
            Effect::Voting(height) => {
                tracing::info!(
                    height = height.0,
                    "this node votes again, from this height on"
                );
            }
            Effect::Quarantined(envelope, reason) => {
                around.metrics.quarantined.increment();
                tracing::error!(
                    %envelope,
                    reason,
                    "executing an envelope panicked: it is not taken any more, and the ledger \
                     goes on without it; please report this defect"
                );
            }
        }
        Ok(())
    }

    fn finalised(&self, height: Height) -> Result<(), Fatal> {
        if let Some(stored) = self.replica.store().final_checkpoint(height)? {
            self.around.metrics.final_height.set(stored.height.0);
            self.around.waiters.finalised(FinalMark {
                height: stored.height,
                size: stored.size,
            });
        }
        Ok(())
    }

    /// Nothing is lost by a frame that was not taken: what is needed is said again upon the
    /// next connection, at the next tick, or when it is asked for.
    fn note_outcome(&self, outcome: SendOutcome) {
        if outcome != SendOutcome::Queued {
            self.around.metrics.messages_dropped.increment();
            tracing::debug!(?outcome, "a message was not sent");
        }
    }

    fn complain(&mut self, peer: PeerId, reason: &str) {
        self.around.metrics.misbehaviour.increment();
        if self
            .complained
            .is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL)
        {
            self.complained = Some(Instant::now());
            let member = self.around.health.peer_name(peer);
            tracing::warn!(%member, reason, "a member sent what no correct node sends");
        }
    }

    fn cut_off(&self, peer: PeerId, how_long: Duration) {
        self.around.metrics.cut_off.increment();
        let member = self.around.health.peer_name(peer);
        tracing::warn!(%member, ?how_long, "a member that keeps misbehaving is cut off");
        if let Some(id) = self.around.peers.get(usize::from(peer.0)) {
            self.around.mesh.disconnect(*id, how_long);
        }
    }

    /// Evidence that cannot be kept is still told of; nothing else depends on it.
    fn keep_evidence(&self, equivocation: Equivocation) {
        let around = &self.around;
        let offence = equivocation.offence();
        let member = around
            .validators
            .get(&offence.validator)
            .map_or("unknown", String::as_str);
        let (height, round) = (offence.height.0, offence.round);
        match around.evidence.keep(equivocation) {
            Ok(Kept::Known) => {}
            Ok(Kept::New(file)) => {
                around.metrics.equivocations.increment();
                tracing::warn!(
                    %member,
                    height,
                    round,
                    said_twice = ?offence.said_twice,
                    file = %file.display(),
                    "a validator contradicted itself; the file proves it to anyone, see \
                     `jangbu verify` and `jangbu evidence record`"
                );
            }
            Ok(Kept::TooMany) => {
                around.metrics.equivocations.increment();
                tracing::warn!(
                    %member, height, round,
                    "a validator contradicted itself; there are too many files of evidence \
                     already, so it is not kept: move some away"
                );
            }
            Err(error) => {
                around.metrics.equivocations.increment();
                tracing::error!(
                    %member, height, round, %error,
                    "a validator contradicted itself, and the evidence could not be kept"
                );
            }
        }
    }

    fn peer_input(&self, event: PeerEvent) -> Input {
        match event {
            PeerEvent::Connected(peer) => {
                let member = self.around.health.peer_name(peer);
                tracing::info!(%member, "connected");
                self.around.health.set_connected(peer, true);
                Input::Connected(peer)
            }
            PeerEvent::Disconnected(peer) => {
                let member = self.around.health.peer_name(peer);
                tracing::info!(%member, "disconnected");
                self.around.health.set_connected(peer, false);
                Input::Disconnected(peer)
            }
            PeerEvent::Received(peer, bytes) => {
                let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.around.metrics.messages_in.increment();
                self.around.metrics.bytes_in.add(len);
                Input::Received(peer, bytes)
            }
        }
    }

    fn submit(&mut self, submissions: Vec<Submission>) -> Input {
        let mut batch = Vec::with_capacity(submissions.len());
        for submission in submissions {
            self.tokens += 1;
            let token = Token(self.tokens);
            self.answers.insert(token, submission.answer);
            batch.push((token, submission.bytes));
        }
        Input::Submit(batch)
    }

    fn until_next_timer(&self) -> Duration {
        self.timers
            .values()
            .min()
            .map_or(SLEEP_MAX, |due| {
                due.saturating_duration_since(Instant::now())
            })
            .min(SLEEP_MAX)
    }

    /// Takes the earliest timer that is due.
    fn due_timer(&mut self) -> Option<TimerId> {
        let (id, due) = self.timers.iter().min_by_key(|(_, due)| **due)?;
        let id = (*due <= Instant::now()).then_some(*id)?;
        self.timers.remove(&id);
        Some(id)
    }

    fn update_gauges(&self) {
        let tip = self.replica.tip();
        let metrics = &self.around.metrics;
        metrics.height.set(tip.height.0);
        metrics.log_size.set(tip.frontier.size());
        metrics.voting.set(u64::from(self.replica.is_voting()));
        let (envelopes, bytes) = self.replica.pool_size();
        metrics
            .pool_envelopes
            .set(u64::try_from(envelopes).unwrap_or(u64::MAX));
        metrics
            .pool_bytes
            .set(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// The wall clock. Rules never see it: it becomes a block's time only by agreement.
#[must_use]
pub fn now() -> TimeMs {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

const fn mesh_class(class: message::Class) -> mesh::Class {
    match class {
        message::Class::Agreement => mesh::Class::Agreement,
        message::Class::Bulk => mesh::Class::Bulk,
    }
}
