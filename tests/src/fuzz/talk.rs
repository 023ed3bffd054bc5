//! A whole replica that hears what its peers say: bytes, in an order that the input decides.
//!
//! ```text
//!   input := step*        step := how:u8 …       peer = how & 3, what = how >> 2 & 7
//!     0, 1  hears length:u16be bytes             2  link up      3  link down
//!     4  the timers that are set ring            5  so many seconds:u8 pass
//!     6  hears message number n:u8 of those the four validators really said
//! ```

use std::collections::{BTreeMap, BTreeSet};

use jangbu_consensus::{ConsensusMessage, Vote, VoteType};
use jangbu_ledger::codec;
use jangbu_ledger::id::{BlockId, Height, TimeMs};
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::message::Message;
use jangbu_replica::replica::{Effect, Input, PeerId, Replica, TimerId};

use super::meter::{Allowance, frugal};
use super::peers::{NOW, said};
use super::{Seed, Seen, refused};

/// Most steps of one input.
const STEPS_MAX: usize = 64;
/// Most effects that one message may have.
const EFFECTS_MAX: usize = 64;
/// Most bytes that one step may send: an answer with blocks, and what is said to all.
const SENT_MAX: usize = 64 * 1024;

/// A message is decoded, and what it says is looked into; the rest is what a step costs at the
/// most, with a block executed and committed.
const STEP: Allowance = Allowance {
    per_byte: 256,
    base: 2 * 1024 * 1024,
};

/// A replica, and what must hold of it.
struct Talk {
    replica: Replica<MemoryStore>,
    now: u64,
    timers: BTreeSet<TimerId>,
    /// What it voted, by height, round and type.
    voted: BTreeMap<(Height, u32, VoteType), Option<BlockId>>,
    seen: Seen,
}

impl Talk {
    fn new() -> Self {
        let said = said();
        let config = said.consortium.config(said.own);
        let (replica, effects) = Replica::new(config, MemoryStore::default(), TimeMs(NOW)).unwrap();
        let mut talk = Self {
            replica,
            now: NOW,
            timers: BTreeSet::new(),
            voted: BTreeMap::new(),
            seen: Seen::Refused,
        };
        talk.look_at(effects);
        talk
    }

    fn step(&mut self, len: usize, input: Input) {
        let now = TimeMs(self.now);
        // No peer can make a replica stop: that takes a quorum of keys.
        let effects = frugal(len, STEP, || self.replica.step(now, input).unwrap());
        self.look_at(effects);
        let tip = self.replica.tip();
        match tip.height.0 {
            0 => {}
            1 => {
                assert_eq!(tip.block_id, said().block.header.id());
                self.seen = Seen::Held;
            }
            other => panic!("block {other}, which nobody made"),
        }
        let (envelopes, _) = self.replica.pool_size();
        assert!(
            envelopes <= 1,
            "{envelopes} envelopes, of which only one was ever signed"
        );
        assert!(self.replica.bodies_kept() <= 3 * 8);
    }

    fn look_at(&mut self, effects: Vec<Effect>) {
        assert!(
            effects.len() <= EFFECTS_MAX,
            "{} effects of one step",
            effects.len()
        );
        let mut sent = 0;
        for effect in effects {
            match effect {
                Effect::Send(_, _, bytes) | Effect::Broadcast(_, bytes) => {
                    sent += bytes.len();
                    self.hear_itself(&Message::decode(&bytes).unwrap());
                }
                Effect::SetTimer(id, _) => drop(self.timers.insert(id)),
                Effect::CancelTimer(id) => drop(self.timers.remove(&id)),
                Effect::Misbehaved(_, reason) => drop(refused(reason)),
                Effect::Evidence(offence) => panic!("nobody contradicted itself: {offence:?}"),
                Effect::Following(reason) => panic!("it lost nothing: {reason}"),
                Effect::Quarantined(_, reason) => panic!("nothing panics: {reason}"),
                Effect::Committed(height, _) => assert_eq!(height, Height(1)),
                Effect::CutOff(..) | Effect::Final(_) | Effect::Voting(_) | Effect::Answer(..) => {}
            }
        }
        assert!(sent <= SENT_MAX, "{sent} bytes sent in one step");
    }

    /// It never contradicts itself, whatever it hears.
    fn hear_itself(&mut self, message: &Message) {
        self.seen = self.seen.max(Seen::Read);
        let Message::Consensus(ConsensusMessage::Vote(signed)) = message else {
            return;
        };
        let Vote {
            vote_type,
            height,
            round,
            block_id,
            validator,
        } = signed.vote;
        if Some(validator) == said().consortium.key_id(said().own) {
            let before = self.voted.insert((height, round, vote_type), block_id);
            assert!(before.is_none_or(|before| before == block_id), "{signed:?}");
        }
    }
}

/// No bytes make a replica stop, contradict itself, commit what no quorum decided, or grow.
pub(super) fn body(bytes: &[u8]) -> Seen {
    let mut talk = Talk::new();
    let mut rest = bytes;
    for _ in 0..STEPS_MAX {
        let Some((how, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        let peers: Vec<u16> = (0..4).filter(|n| usize::from(*n) != said().own).collect();
        let peer = PeerId(peers[usize::from(how & 3) % peers.len()]);
        match how >> 2 & 7 {
            2 => talk.step(0, Input::Connected(peer)),
            3 => talk.step(0, Input::Disconnected(peer)),
            4 => {
                for id in std::mem::take(&mut talk.timers) {
                    talk.now += 100;
                    talk.step(0, Input::Timer(id));
                }
            }
            5 => {
                let seconds = rest.split_off_first().copied().unwrap_or_default();
                talk.now += 1_000 * u64::from(seconds);
            }
            6 => {
                let number = rest.split_off_first().copied().unwrap_or_default();
                let messages = said().messages();
                let (_, message) = &messages[usize::from(number) % messages.len()];
                let bytes = codec::encode(message);
                talk.step(bytes.len(), Input::Received(peer, bytes));
            }
            _ => {
                let (length, after) = match rest.split_first_chunk::<2>() {
                    Some((length, after)) => (usize::from(u16::from_be_bytes(*length)), after),
                    None => break,
                };
                let (message, after) = after.split_at(length.min(after.len()));
                rest = after;
                talk.step(message.len(), Input::Received(peer, message.to_vec()));
            }
        }
    }
    talk.seen
}

const HEARS: u8 = 0;
const UP: u8 = 2;
const RING: u8 = 4;
const KNOWN: u8 = 6;

fn how(what: u8, peer: u8) -> u8 {
    what << 2 | peer
}

fn hears(peer: u8, message: &Message) -> Vec<u8> {
    let bytes = codec::encode(message);
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[how(HEARS, peer)], &length[..], &bytes].concat()
}

pub(super) fn seeds() -> Vec<Seed> {
    let messages = said().messages();
    let number = |name: &str| {
        let at = messages.iter().position(|(other, _)| other == name);
        u8::try_from(at.unwrap()).unwrap()
    };
    let known = |peer: u8, name: &str| vec![how(KNOWN, peer), number(name)];
    let ahead = Message::Tip {
        height: Height(5),
        cosignature: None,
    };
    let mut seeds: Vec<Seed> = messages
        .iter()
        .map(|(name, message)| Seed::new(name, hears(1, message), Seen::Read))
        .collect();
    let talks = [
        ("catches-up", vec![hears(1, &ahead), known(1, "blocks")]),
        (
            "votes",
            vec![
                vec![how(UP, 0), how(UP, 1), how(UP, 2)],
                known(0, "envelopes"),
                known(0, "body"),
                known(0, "proposal"),
                known(1, "polka"),
                known(1, "precommit"),
            ],
        ),
        (
            "asks",
            vec![known(0, "proposal"), vec![how(RING, 0), how(RING, 0)]],
        ),
        (
            "garbage-sixteen-times",
            vec![[&[how(HEARS, 2), 0, 3][..], &[255; 3]].concat().repeat(17)],
        ),
        (
            "many-empty-envelopes",
            vec![hears(1, &Message::Envelopes(vec![Vec::new(); 4_000]))],
        ),
        (
            "rounds",
            vec![
                known(0, "round"),
                known(1, "skip"),
                vec![how(5, 0), 200, how(RING, 0), how(RING, 0)],
            ],
        ),
    ];
    seeds.extend(talks.map(|(name, steps)| {
        let seen = match name {
            "catches-up" => Seen::Held,
            _ => Seen::Read,
        };
        Seed::new(name, steps.concat(), seen)
    }));
    seeds
}
