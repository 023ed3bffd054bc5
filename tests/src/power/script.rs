//! Two hundred writes as a replica makes them: four replicas agree on blocks in virtual time, one
//! of them cut off now and then, and the first one's writes are the script.

use std::collections::BTreeMap;

use jangbu_ledger::founding::GenesisBlock;
use jangbu_ledger::id::TimeMs;
use jangbu_replica::chain::Chain;
use jangbu_replica::founding;
use jangbu_replica::replica::{Effect, Input, PeerId, Replica, TimerId, Token};
use jangbu_replica::store::{Append, Commit, FinalCheckpoint, Store, StoreError};

use super::recorder::Recorder;
use crate::sim::{Consortium, START_MS};

/// Replicas that agree.
const REPLICAS: usize = 4;
/// Virtual milliseconds that a message takes.
const LATENCY_MS: u64 = 5;
/// A client hands in an envelope so often.
const SUBMIT_EVERY_MS: u64 = 30;
/// The last replica hears and says nothing in every other stretch of this length: its turns to
/// propose end in time-outs, and their blocks in further rounds.
const CUT_OFF_MS: u64 = 700;
/// Nothing here takes longer.
const VIRTUAL_MS_MAX: u64 = 10 * 60 * 1000;

/// One write.
#[derive(Debug, Clone)]
pub enum Op {
    /// Synced.
    Append(Append),
    /// Synced.
    Commit(Box<Commit>),
    /// Synced.
    Following(bool),
    /// Not synced: it survives once a later write is synced.
    Final(FinalCheckpoint),
}

impl Op {
    /// Carries it out.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn apply(&self, store: &mut impl Store) -> Result<(), StoreError> {
        match self {
            Self::Append(append) => store.append(append),
            Self::Commit(commit) => store.commit(commit),
            Self::Following(following) => store.set_following(*following),
            Self::Final(checkpoint) => store.put_final(checkpoint),
        }
    }

    /// Whether it is on disk when it returns.
    #[must_use]
    pub const fn is_synced(&self) -> bool {
        !matches!(self, Self::Final(_))
    }
}

/// A ledger's first writes.
#[derive(Debug)]
pub struct Script {
    /// The ledger.
    pub chain: Chain,
    /// Its first block.
    pub genesis: GenesisBlock,
    /// The writes, in order.
    pub ops: Vec<Op>,
}

impl Script {
    /// The first so many writes; the same ones each time.
    ///
    /// # Panics
    ///
    /// If the replicas do not get there.
    #[must_use]
    pub fn of(length: usize) -> Self {
        let consortium = Consortium::new(REPLICAS);
        let config = consortium.config(0);
        let store = Recorder::default();
        let ops = store.ops();
        let mut world = World::new(&consortium, store);
        let mut submitted = 0;
        while ops.borrow().len() < length {
            world.happen();
            while START_MS + submitted * SUBMIT_EVERY_MS <= world.now {
                let (_, bytes) = consortium.envelope(submitted);
                let to = usize::try_from(submitted).unwrap() % REPLICAS;
                world.step(to, Input::Submit(vec![(Token(submitted), bytes)]));
                submitted += 1;
            }
        }
        let ops = ops.borrow().iter().take(length).cloned().collect();
        Self {
            chain: config.chain,
            genesis: config.genesis,
            ops,
        }
    }
}

/// What waits for its time: to whom, and what.
type Agenda = BTreeMap<(u64, u64), (usize, Input)>;

/// Replicas, their messages and timers.
struct World {
    replicas: Vec<Replica<Recorder>>,
    now: u64,
    /// By time, then in the order they were put in.
    agenda: Agenda,
    timers: BTreeMap<(usize, TimerId), (u64, u64)>,
    count: u64,
}

impl World {
    fn new(consortium: &Consortium, first: Recorder) -> Self {
        let mut world = Self {
            replicas: Vec::new(),
            now: START_MS,
            agenda: Agenda::new(),
            timers: BTreeMap::new(),
            count: 0,
        };
        let stores = std::iter::once(first).chain(std::iter::repeat_with(Recorder::default));
        let mut first_effects = Vec::new();
        for (n, mut store) in stores.take(REPLICAS).enumerate() {
            founding::found(&mut store, consortium.config(n).genesis).unwrap();
            let (replica, effects) =
                Replica::new(consortium.config(n), store, TimeMs(START_MS)).unwrap();
            world.replicas.push(replica);
            first_effects.push(effects);
        }
        for (n, effects) in first_effects.into_iter().enumerate() {
            world.perform(n, effects);
            for peer in 0..REPLICAS - 1 {
                world.step(n, Input::Connected(PeerId(u16::try_from(peer).unwrap())));
            }
        }
        world
    }

    /// Lets the next thing happen.
    fn happen(&mut self) {
        let ((time, _), (to, input)) = self.agenda.pop_first().unwrap();
        assert!(time < START_MS + VIRTUAL_MS_MAX, "agreement takes for ever");
        self.now = time;
        if let Input::Timer(id) = &input {
            self.timers.remove(&(to, *id));
        }
        self.step(to, input);
    }

    fn step(&mut self, to: usize, input: Input) {
        let effects = self.replicas[to].step(TimeMs(self.now), input).unwrap();
        self.perform(to, effects);
    }

    fn perform(&mut self, of: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(peer, _, bytes) => self.post(of, usize::from(peer.0), &bytes),
                Effect::Broadcast(_, bytes) => {
                    for peer in 0..REPLICAS - 1 {
                        self.post(of, peer, &bytes);
                    }
                }
                Effect::SetTimer(id, after) => {
                    self.cancel(of, id);
                    let at = self.put(self.now + after, of, Input::Timer(id));
                    self.timers.insert((of, id), at);
                }
                Effect::CancelTimer(id) => self.cancel(of, id),
                Effect::Misbehaved(_, reason) => panic!("replica {of} complains: {reason}"),
                _ => {}
            }
        }
    }

    /// Each replica numbers the others, itself left out.
    fn post(&mut self, from: usize, peer: usize, bytes: &[u8]) {
        let to = if peer < from { peer } else { peer + 1 };
        let sender = if from < to { from } else { from - 1 };
        let is_cut_off = ((self.now - START_MS) / CUT_OFF_MS) % 2 == 1;
        if is_cut_off && (from == REPLICAS - 1 || to == REPLICAS - 1) {
            return;
        }
        let sender = PeerId(u16::try_from(sender).unwrap());
        let input = Input::Received(sender, bytes.to_vec());
        self.put(self.now + LATENCY_MS, to, input);
    }

    fn put(&mut self, time: u64, to: usize, input: Input) -> (u64, u64) {
        self.count += 1;
        self.agenda.insert((time, self.count), (to, input));
        (time, self.count)
    }

    fn cancel(&mut self, of: usize, id: TimerId) {
        if let Some(at) = self.timers.remove(&(of, id)) {
            self.agenda.remove(&at);
        }
    }
}
