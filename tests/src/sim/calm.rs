//! Replicas on a perfect network: what is said is heard at once and in order, and time passes
//! only from timer to timer. For scenes of which every step is known.

use std::collections::{BTreeMap, VecDeque};

use jangbu_consensus::{ConsensusMessage, Equivocation, Vote};
use jangbu_ledger::id::{EnvelopeId, Height, TimeMs};
use jangbu_replica::message::Message;
use jangbu_replica::pool::AdmissionError;
use jangbu_replica::replica::{Admission, Effect, Input, PeerId, Replica, TimerId, Token};

use super::consortium::{Consortium, START_MS};
use super::disk::Disk;

/// One member and all that it did that does not concern the others.
#[derive(Default)]
pub struct CalmMember {
    /// `None` while it is down.
    pub replica: Option<Replica<Disk>>,
    /// Its disk.
    pub disk: Disk,
    /// Envelopes it committed, in order.
    pub committed: Vec<EnvelopeId>,
    /// Envelopes it could not execute.
    pub quarantined: Vec<EnvelopeId>,
    /// Its answers to clients.
    pub answers: Vec<Result<Admission, AdmissionError>>,
    /// Why it stopped voting, each time.
    pub following: Vec<String>,
    /// From which heights on it took up voting.
    pub voting: Vec<Height>,
    /// What it saw others contradict.
    pub evidence: Vec<Equivocation>,
    /// Of whom it complained, and why.
    pub accused: Vec<(usize, String)>,
    /// Whom it cut off.
    pub cut_off: Vec<usize>,
    /// Its votes, in order.
    pub votes: Vec<Vote>,
    /// All that it said of agreement, in order.
    pub said: Vec<ConsensusMessage>,
    timers: BTreeMap<TimerId, (u64, u64)>,
}

/// A consortium on a perfect network.
pub struct Calm {
    /// Its keys.
    pub consortium: Consortium,
    /// Its members.
    pub members: Vec<CalmMember>,
    now_ms: u64,
    ticks: u64,
    waiting: VecDeque<(usize, Input)>,
}

impl std::fmt::Debug for Calm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calm")
            .field("members", &self.members.len())
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CalmMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CalmMember")
            .field("up", &self.replica.is_some())
            .finish_non_exhaustive()
    }
}

/// The member's number as a link's.
///
/// # Panics
///
/// If there are more members than links.
#[must_use]
pub fn peer(n: usize) -> PeerId {
    PeerId(u16::try_from(n).expect("a few members"))
}

impl Calm {
    /// So many validators, all down, with empty disks.
    #[must_use]
    pub fn new(validators: usize) -> Self {
        Self {
            consortium: Consortium::new(validators),
            members: (0..validators).map(|_| CalmMember::default()).collect(),
            now_ms: START_MS + 1_000,
            ticks: 0,
            waiting: VecDeque::new(),
        }
    }

    /// The same, all up.
    #[must_use]
    pub fn all_up(validators: usize) -> Self {
        let mut calm = Self::new(validators);
        for n in 0..validators {
            calm.start(n, false);
        }
        calm
    }

    /// Starts a member from its disk and connects it to all that are up.
    ///
    /// # Panics
    ///
    /// If it does not start; so do all below if a replica stops.
    pub fn start(&mut self, n: usize, restored: bool) {
        let mut config = self.consortium.config(n);
        config.restored = restored;
        let disk = self.members[n].disk.clone();
        disk.revive();
        let (replica, effects) =
            Replica::new(config, disk, TimeMs(self.now_ms)).expect("it starts");
        self.members[n].replica = Some(replica);
        self.members[n].timers.clear();
        self.perform(n, effects);
        for other in self.others_up(n) {
            self.waiting.push_back((n, Input::Connected(peer(other))));
            self.waiting.push_back((other, Input::Connected(peer(n))));
        }
        self.settle();
    }

    /// Takes a member down; its disk stays.
    pub fn stop(&mut self, n: usize) {
        self.members[n].replica = None;
        for other in self.others_up(n) {
            self.waiting
                .push_back((other, Input::Disconnected(peer(n))));
        }
        self.settle();
    }

    /// Lets something happen to a member, and all that follows at once.
    pub fn step(&mut self, n: usize, input: Input) {
        self.waiting.push_back((n, input));
        self.settle();
    }

    /// A client hands the envelope of this number in.
    pub fn submit(&mut self, n: usize, number: u64) {
        let (_, bytes) = self.consortium.envelope(number);
        self.step(n, Input::Submit(vec![(Token(number), bytes)]));
    }

    /// Lets so much time pass.
    pub fn live_for(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some((due, n, id)) = self.next_timer().filter(|(due, ..)| *due <= until) {
            self.now_ms = self.now_ms.max(due);
            self.members[n].timers.remove(&id);
            self.step(n, Input::Timer(id));
        }
        self.now_ms = until;
    }

    /// The member's height; 0 while it is down.
    #[must_use]
    pub fn height(&self, n: usize) -> u64 {
        let replica = self.members[n].replica.as_ref();
        replica.map_or(0, |replica| replica.tip().height.0)
    }

    fn others_up(&self, n: usize) -> Vec<usize> {
        let up = |other: &usize| *other != n && self.members[*other].replica.is_some();
        (0..self.members.len()).filter(up).collect()
    }

    fn next_timer(&self) -> Option<(u64, usize, TimerId)> {
        let up = self.members.iter().enumerate();
        let all = up.filter(|(_, member)| member.replica.is_some());
        all.flat_map(|(n, member)| {
            let timers = member.timers.iter();
            timers.map(move |(id, (due, tick))| ((*due, *tick), n, *id))
        })
        .min()
        .map(|((due, _), n, id)| (due, n, id))
    }

    fn settle(&mut self) {
        while let Some((n, input)) = self.waiting.pop_front() {
            let now = TimeMs(self.now_ms);
            if let Some(replica) = &mut self.members[n].replica {
                let effects = replica.step(now, input).expect("it goes on");
                self.perform(n, effects);
            }
        }
    }

    fn perform(&mut self, n: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(to, _, bytes) => {
                    let input = Input::Received(peer(n), bytes.to_vec());
                    self.waiting.push_back((usize::from(to.0), input));
                }
                Effect::Broadcast(_, bytes) => {
                    self.note_said(n, &bytes);
                    for to in self.others_up(n) {
                        let input = Input::Received(peer(n), bytes.to_vec());
                        self.waiting.push_back((to, input));
                    }
                }
                Effect::SetTimer(id, after_ms) => {
                    self.ticks += 1;
                    let due = (self.now_ms + after_ms, self.ticks);
                    self.members[n].timers.insert(id, due);
                }
                Effect::CancelTimer(id) => {
                    self.members[n].timers.remove(&id);
                }
                other => self.members[n].note(other),
            }
        }
    }

    fn note_said(&mut self, n: usize, bytes: &[u8]) {
        if let Ok(Message::Consensus(message)) = Message::decode(bytes) {
            let member = &mut self.members[n];
            if let ConsensusMessage::Vote(signed) = &message {
                member.votes.push(signed.vote.clone());
            }
            member.said.push(message);
        }
    }
}

impl CalmMember {
    fn note(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(_, answer) => self.answers.push(answer),
            Effect::Committed(_, envelopes) => self.committed.extend(envelopes),
            Effect::Quarantined(id, _) => self.quarantined.push(id),
            Effect::Following(reason) => self.following.push(reason),
            Effect::Voting(height) => self.voting.push(height),
            Effect::Evidence(equivocation) => self.evidence.push(*equivocation),
            Effect::Misbehaved(who, reason) => self.accused.push((usize::from(who.0), reason)),
            Effect::CutOff(who, _) => self.cut_off.push(usize::from(who.0)),
            Effect::Send(..)
            | Effect::Broadcast(..)
            | Effect::SetTimer(..)
            | Effect::CancelTimer(_)
            | Effect::Final(_) => {}
        }
    }
}
