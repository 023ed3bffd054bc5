//! A Byzantine member: the replica that ships, so that it knows what is going on, in the hands
//! of someone who perverts what it says and adds to it.
//!
//! ```text
//!   Input ──▶ hears ──▶ Replica::step ──▶ perverted (liar/speech.rs) ──▶ effects
//!               │                                                          ▲
//!               └──▶ made up (liar/extras.rs) ────────────────────────────┘
//! ```

mod extras;
mod speech;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jangbu_consensus::{ConsensusMessage, SignedVote, VoteType};
use jangbu_ledger::block::Block;
use jangbu_ledger::codec;
use jangbu_ledger::id::{BlockId, Height, TimeMs};
use jangbu_replica::chain::Chain;
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::message::Message;
use jangbu_replica::pool::{self, Verified};
use jangbu_replica::replica::{Effect, Input, PeerId, Replica, TimerId};
use jangbu_replica::store::Store;

use super::super::actor::Actor;
use super::super::consortium::Consortium;
use super::super::dice::Dice;
use super::blocks::Maker;
use super::forge::{Forge, Spot};
use super::lie::{Lie, Told};

/// Envelopes and own messages that it remembers.
const REMEMBERED: usize = 32;
/// Rounds ahead that it believes in.
const ROUNDS_AHEAD: u32 = 3;

/// A member that lies.
pub struct Liar {
    n: usize,
    consortium: Consortium,
    chain: Chain,
    forge: Forge,
    replica: Replica<MemoryStore>,
    /// Its store when the running height began.
    before: MemoryStore,
    dice: Dice,
    /// How often in a thousand opportunities it tells which lie.
    habits: BTreeMap<Lie, u64>,
    tally: Told,
    now: TimeMs,
    /// The last round that it heard or said anything of at the running height.
    round: u32,
    /// What was said at the running height: votes by others, blocks proposed, bodies.
    votes: Vec<SignedVote>,
    proposed: Vec<BlockId>,
    bodies: BTreeMap<BlockId, Block>,
    envelopes: VecDeque<Verified>,
    said: VecDeque<ConsensusMessage>,
    withheld: BTreeSet<BlockId>,
    /// Blocks that it keeps from being decided.
    hidden: BTreeSet<BlockId>,
    silent_until: TimeMs,
}

impl Liar {
    /// Member `n` of a consortium of so many, with the habits that its dice decide. `None` if
    /// there is no such member, or its replica does not start.
    #[must_use]
    pub fn new(validators: usize, n: usize, mut dice: Dice, tally: Told) -> Option<Self> {
        let habits = habits(&mut dice);
        Self::with_habits(validators, n, dice, tally, habits)
    }

    /// The same with these habits: how often in a thousand opportunities it tells which lie.
    #[must_use]
    pub fn with_habits(
        validators: usize,
        n: usize,
        dice: Dice,
        tally: Told,
        habits: BTreeMap<Lie, u64>,
    ) -> Option<Self> {
        let consortium = Consortium::new(validators);
        let config = consortium.config(n);
        let chain = config.chain.clone();
        let (replica, _) = Replica::new(config, MemoryStore::default(), TimeMs(0)).ok()?;
        Some(Self {
            n,
            forge: Forge::new(&consortium, n)?,
            consortium,
            chain,
            before: replica.store().clone(),
            replica,
            dice,
            habits,
            tally,
            now: TimeMs(0),
            round: 0,
            votes: Vec::new(),
            proposed: Vec::new(),
            bodies: BTreeMap::new(),
            envelopes: VecDeque::new(),
            said: VecDeque::new(),
            withheld: BTreeSet::new(),
            hidden: BTreeSet::new(),
            silent_until: TimeMs(0),
        })
    }

    /// Where agreement is.
    fn spot(&self) -> Spot {
        Spot {
            height: self.replica.tip().height.next(),
            round: self.round,
        }
    }

    fn maker(&self) -> Maker<'_> {
        Maker {
            chain: &self.chain,
            replica: &self.replica,
            by: self.forge.own,
            now: self.now,
        }
    }

    /// Whether it tells this lie at this opportunity; one that is told is counted by `told`.
    fn dares(&mut self, lie: Lie) -> bool {
        let habit = self.habits.get(&lie).copied().unwrap_or(0);
        self.dice.chance(habit)
    }

    fn told(&self, lie: Lie) {
        self.tally.told(lie);
    }

    fn peers(&self) -> Vec<PeerId> {
        let others = (0..self.consortium.size()).filter(|other| *other != self.n);
        others.map(peer).collect()
    }

    /// The others in two camps, neither empty.
    fn camps(&mut self) -> (Vec<PeerId>, Vec<PeerId>) {
        let mut peers = self.peers();
        let turn = self.dice.index(peers.len());
        peers.rotate_left(turn);
        let size = 1 + self.dice.index(peers.len().saturating_sub(1));
        let rest = peers.split_off(size);
        (peers, rest)
    }

    /// Its replica anew, on this store.
    fn reborn(&mut self, store: MemoryStore) -> Vec<Effect> {
        let config = self.consortium.config(self.n);
        match Replica::new(config, store, self.now) {
            Ok((replica, effects)) => {
                self.replica = replica;
                self.forget_height();
                effects
            }
            Err(_) => Vec::new(),
        }
    }

    fn forget_height(&mut self) {
        self.round = 0;
        self.votes.clear();
        self.proposed.clear();
        self.bodies.clear();
        self.withheld.clear();
        self.hidden.clear();
    }

    /// Another liar may speak of rounds that nobody will come to.
    fn hears_of_round(&mut self, round: u32) {
        if (self.round..self.round + ROUNDS_AHEAD).contains(&round) {
            self.round = round;
        }
    }

    /// Takes note of what others say.
    fn hears(&mut self, message: &Message) {
        match message {
            Message::Consensus(said) if said.height() == self.spot().height => match said {
                ConsensusMessage::Vote(signed) => {
                    self.hears_of_round(signed.vote.round);
                    self.votes.push(signed.clone());
                }
                ConsensusMessage::Proposal(signed) => {
                    self.hears_of_round(signed.proposal.round);
                    self.proposed.push(signed.proposal.block_id);
                }
                _ => {}
            },
            Message::Body(block) => {
                self.bodies.insert(block.header.id(), (**block).clone());
            }
            Message::Envelopes(list) => {
                let (chain, store) = (&self.chain.chain_id, self.replica.store());
                let verified = pool::verify(chain, self.now, store, list.clone());
                for verified in verified.into_iter().flatten().flatten() {
                    if self.envelopes.len() >= REMEMBERED {
                        self.envelopes.pop_front();
                    }
                    self.envelopes.push_back(verified);
                }
            }
            _ => {}
        }
    }

    /// Precommits by others for a block at the running height.
    fn precommits_for(&self, id: BlockId, round: u32) -> impl Iterator<Item = &SignedVote> {
        self.votes.iter().filter(move |signed| {
            let vote = &signed.vote;
            vote.vote_type == VoteType::Precommit
                && vote.round == round
                && vote.block_id == Some(id)
        })
    }

    /// Envelopes that are not on the ledger, and those that are.
    fn sorted_envelopes(&self) -> (Vec<Verified>, Vec<Verified>) {
        let store = self.replica.store();
        let all = self.envelopes.iter().cloned();
        all.partition(|verified| matches!(store.outcomes(&verified.id), Ok(None)))
    }
}

impl Actor for Liar {
    fn start(&mut self, now: TimeMs) -> Vec<Effect> {
        self.now = now;
        let store = if self.dares(Lie::Amnesia) {
            self.told(Lie::Amnesia);
            self.before.clone()
        } else {
            self.replica.store().clone()
        };
        let effects = self.reborn(store);
        self.perverted(effects)
    }

    fn step(&mut self, now: TimeMs, input: Input) -> Vec<Effect> {
        self.now = now;
        let mut made_up = Vec::new();
        let message = match &input {
            Input::Received(from, bytes) => Message::decode(bytes).ok().map(|m| (*from, m)),
            _ => None,
        };
        if let Some((from, message)) = &message {
            self.hears(message);
            if self.evades(*from, message, &mut made_up) {
                return made_up;
            }
            self.adds_to(message, &mut made_up);
        }
        let ticks = matches!(input, Input::Timer(TimerId::Tick));
        let height = self.replica.tip().height;
        let effects = match self.replica.step(now, input) {
            Ok(effects) => effects,
            // It got lost in its own lies: begin again from the disk.
            Err(_) => self.reborn(self.replica.store().clone()),
        };
        if self.replica.tip().height != height {
            self.forget_height();
            if self.habits.contains_key(&Lie::Amnesia) {
                self.before = self.replica.store().clone();
            }
        }
        let mut effects = self.perverted(effects);
        if ticks {
            self.ticks(&mut made_up);
        }
        effects.append(&mut made_up);
        if now < self.silent_until {
            effects.retain(|effect| !matches!(effect, Effect::Send(..) | Effect::Broadcast(..)));
        }
        effects
    }
}

/// What a seed draws: about half of all lies, each with its own frequency.
fn habits(dice: &mut Dice) -> BTreeMap<Lie, u64> {
    let mut habits = BTreeMap::new();
    for lie in Lie::ALL {
        // Rare where an opportunity is every message, or a lie costs everyone much.
        let most = match lie {
            Lie::ManyEnvelopes => 40,
            Lie::Amnesia | Lie::Silence | Lie::ManyBodies | Lie::ManyQuestions => 100,
            Lie::OthersVotes
            | Lie::OthersFutureVotes
            | Lie::UncastPolka
            | Lie::RepeatedPolka
            | Lie::UncastRound
            | Lie::SkipAlone
            | Lie::PrevotesAsPrecommits
            | Lie::OutOfTurn
            | Lie::OthersCosignature => 60,
            Lie::FalseTip
            | Lie::SmallCertificate
            | Lie::RepeatedCertificate
            | Lie::UnsignedCertificate
            | Lie::BorrowedCertificate
            | Lie::CaughtUpOtherwise => 900,
            _ => 400,
        };
        if dice.chance(500) {
            habits.insert(*lie, dice.between((most / 10, most)));
        }
    }
    habits
}

fn peer(n: usize) -> PeerId {
    PeerId(u16::try_from(n).unwrap_or(u16::MAX))
}

fn send(to: PeerId, message: &Message) -> Effect {
    Effect::Send(to, message.class(), codec::encode(message).into())
}

fn send_all(to: &[PeerId], messages: &[Message]) -> Vec<Effect> {
    let each = |peer: &PeerId| messages.iter().map(|m| send(*peer, m)).collect::<Vec<_>>();
    to.iter().flat_map(each).collect()
}

fn height_after(height: Height, more: u64) -> Height {
    Height(height.0.saturating_add(more))
}
