//! One member's copy of the ledger, as a state machine.
//!
//! ```text
//!   Input ──▶ step(now) ──▶ effects, to be performed in order
//!                │
//!                └──▶ Store: what must survive is on disk before `step` returns
//! ```
//!
//! Invariants:
//! - a block and its envelopes, and every vote, are synced before a message that rests on
//!   them is among the effects;
//! - only a block that this replica executed to the same roots is fed to consensus as valid;
//! - a checkpoint is cosigned only after its block is durably stored;
//! - a fatal error ends it: every later step refuses.

mod agreement;
mod allowance;
mod block_size;
mod bodies;
mod conduct;
mod intake;
mod links;
mod peers;
mod standing;

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use jangbu_consensus::{self as consensus, Consensus, Equivocation, Timeouts};
use jangbu_ledger::codec;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::founding::GenesisBlock;
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, KeyId, TimeMs};

use crate::candidate::Candidate;
use crate::catchup::{Ask, CatchUp};
use crate::chain::Chain;
use crate::cosign::Cosigner;
use crate::founding;
use crate::message::{Class, Message};
use crate::pool::{AdmissionError, Pool, PoolLimits};
use crate::store::{Append, FinalCheckpoint, Store, StoreError, Tip};
use allowance::Allowances;
use block_size::BlockSize;
use bodies::{Needed, PendingBody};
use conduct::Conduct;
use intake::Intake;
use links::Links;
use standing::Standing;

/// A link to another member, numbered by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u16);

/// Names an answer that the caller awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A timer that the caller keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerId {
    /// One of consensus.
    Consensus(consensus::TimerId),
    /// Time to say our tip again, look for stalls and expire the pool.
    Tick,
    /// Time to start the next height.
    Start,
    /// Catch-up has waited long enough.
    CatchUp,
    /// Envelopes have waited long enough for each other.
    Gather,
    /// Time to ask for what a proposed block lacks.
    Ask,
}

/// What happens to a replica.
#[derive(Debug, Clone)]
pub enum Input {
    /// Clients hand in envelopes.
    Submit(Vec<(Token, Vec<u8>)>),
    /// A link to a member is up.
    Connected(PeerId),
    /// A link is down.
    Disconnected(PeerId),
    /// A member sent bytes.
    Received(PeerId, Vec<u8>),
    /// A timer rang.
    Timer(TimerId),
}

/// What the caller must do, in order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send to one member.
    Send(PeerId, Class, Arc<[u8]>),
    /// Send to all members.
    Broadcast(Class, Arc<[u8]>),
    /// Ring after so many milliseconds; replaces a timer of the same id.
    SetTimer(TimerId, u64),
    /// Ring no more.
    CancelTimer(TimerId),
    /// Answer a client.
    Answer(Token, Result<Admission, AdmissionError>),
    /// These envelopes were decided at this height.
    Committed(Height, Vec<EnvelopeId>),
    /// The checkpoint after this height, hence every earlier one, is final.
    Final(Height),
    /// A member sent what no correct replica sends.
    Misbehaved(PeerId, String),
    /// It did so too often: close the link, and take no new one for so many milliseconds.
    CutOff(PeerId, u64),
    /// Executing this envelope panicked, for this reason: it is taken no more.
    Quarantined(EnvelopeId, String),
    /// A validator contradicted itself. After a restart it may be told of again.
    Evidence(Box<Equivocation>),
    /// This replica votes no more, for this reason, until a height is final that began now.
    Following(String),
    /// It votes again, from this height on.
    Voting(Height),
}

impl Effect {
    /// Bytes of the message that it sends, if it sends one.
    fn bytes_sent(&self) -> usize {
        match self {
            Self::Send(_, _, bytes) | Self::Broadcast(_, bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// What became of a submission at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Verified, kept and passed on; its outcome comes with a block.
    Pending(EnvelopeId),
    /// All of it is decided already.
    Known(EnvelopeId, Vec<Outcome>),
}

/// Why a replica stopped for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fatal {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Consensus stopped.
    #[error("agreement stopped: {0}")]
    Consensus(String),
    /// A quorum decided a block that is invalid here: this node or the quorum is broken.
    #[error("block {block} at height {height} is certified but invalid here: {reason}")]
    CertifiedButInvalid {
        /// Its height.
        height: Height,
        /// Its id.
        block: BlockId,
        /// What is wrong with it.
        reason: String,
    },
    /// An earlier step failed.
    #[error("the replica has stopped after an earlier error")]
    Stopped,
}

/// What a replica needs to know at its start.
pub struct Config {
    /// The ledger.
    pub chain: Chain,
    /// Its first block.
    pub genesis: GenesisBlock,
    /// Signs votes; `None` for an observer.
    pub signer: Option<Box<dyn consensus::Signer + Send>>,
    /// Whether what it signed may have been lost: restored from a backup, or its log is gone.
    /// It then follows without voting until a height is final that began after its return, also
    /// through later restarts without this.
    pub restored: bool,
    /// Which validators' consensus keys are behind which links.
    pub peers: BTreeMap<PeerId, KeyId>,
    /// Cosigns checkpoints: position among the validators, witness key.
    pub witness: Option<(u8, SigningKey)>,
    /// Round time-outs.
    pub timeouts: Timeouts,
    /// Start a height with nothing to record after so many milliseconds of rest.
    pub max_idle_ms: u64,
    /// How far a first proposal's time may be from our clock, in milliseconds.
    pub max_drift_ms: u64,
    /// Under load, start a height at most so often: many envelopes share a block's cost.
    pub block_interval_ms: u64,
    /// How much waits for a block.
    pub pool: PoolLimits,
}

/// How often a replica says its tip.
const TICK_MS: u64 = 1000;
/// Longest a peer may take to answer with blocks.
const CATCH_UP_TIMEOUT_MS: u64 = 5_000;
/// How long a client's envelope waits here before it is passed on once more.
const PASS_ON_AGAIN_MS: u64 = 3_000;
/// Most effects consensus may cause in one step before we call it broken.
const CONSENSUS_STEPS_MAX: usize = 10_000;

/// One member's copy of the ledger.
pub struct Replica<S> {
    chain: Chain,
    store: S,
    tip: Tip,
    consensus: Consensus,
    /// Whether the height after the tip is running.
    running: bool,
    pool: Pool,
    intake: Intake,
    cosigner: Cosigner,
    catch_up: CatchUp,
    candidates: BTreeMap<BlockId, Candidate>,
    bodies: Vec<PendingBody>,
    /// Blocks that proposals of the running height name and consensus knows nothing of.
    needed: BTreeMap<BlockId, Needed>,
    /// Whose message is being handled.
    speaker: Option<PeerId>,
    append: Append,
    /// Whether `append` must be on disk before this step's effects are performed.
    sync_due: bool,
    block_size: BlockSize,
    standing: Standing,
    links: Links,
    allowances: Allowances,
    conduct: Conduct,
    /// Whether our own forgotten signature was met in this step.
    forgotten: bool,
    /// When the running height was started.
    started_at: TimeMs,
    committed_at: TimeMs,
    now: TimeMs,
    effects: Vec<Effect>,
    settings: Settings,
    stopped: bool,
}

struct Settings {
    max_idle_ms: u64,
    max_drift_ms: u64,
    block_interval_ms: u64,
}

impl<S: Store> Replica<S> {
    /// Opens a replica over its store, committing the genesis block if the store is empty, and
    /// takes up the running height where its log left off.
    ///
    /// # Errors
    ///
    /// [`Fatal`] if the store fails, is of another ledger, or its log cannot be replayed.
    pub fn new(config: Config, mut store: S, now: TimeMs) -> Result<(Self, Vec<Effect>), Fatal> {
        let tip = founding::found(&mut store, config.genesis)?;
        if config.restored && config.signer.is_some() {
            store.set_following(true)?;
        }
        let following = config.signer.is_some() && store.is_following()?;
        let mut consensus = Consensus::new(
            config.chain.chain_id,
            config.chain.validator_set.clone(),
            config.timeouts,
            config.signer,
            tip.height,
        );
        if following {
            consensus.set_voting(false);
        }
        let mut replica = Self {
            cosigner: Cosigner::new(config.witness),
            chain: config.chain,
            store,
            tip,
            consensus,
            running: false,
            pool: Pool::new(config.pool),
            intake: Intake::default(),
            catch_up: CatchUp::default(),
            candidates: BTreeMap::new(),
            bodies: Vec::new(),
            needed: BTreeMap::new(),
            speaker: None,
            append: Append::default(),
            sync_due: false,
            block_size: BlockSize::default(),
            standing: Standing::new(following),
            links: Links::new(config.peers, now),
            allowances: Allowances::default(),
            conduct: Conduct::default(),
            forgotten: false,
            started_at: now,
            committed_at: TimeMs(0),
            now,
            effects: Vec::new(),
            settings: Settings {
                max_idle_ms: config.max_idle_ms,
                max_drift_ms: config.max_drift_ms,
                block_interval_ms: config.block_interval_ms,
            },
            stopped: false,
        };
        replica.committed_at = now;
        if following {
            let reason = "what this validator signed may be lost".to_owned();
            replica.effects.push(Effect::Following(reason));
        }
        replica.cosign()?;
        replica.set_timer(TimerId::Tick, TICK_MS);
        replica.resume()?;
        replica.judge_needed()?;
        replica.sync()?;
        let effects = std::mem::take(&mut replica.effects);
        Ok((replica, effects))
    }

    /// Handles one input at `now`; returns what the caller must do, in order.
    ///
    /// # Errors
    ///
    /// [`Fatal`] once something is wrong that this replica must not go on with.
    pub fn step(&mut self, now: TimeMs, input: Input) -> Result<Vec<Effect>, Fatal> {
        if self.stopped {
            return Err(Fatal::Stopped);
        }
        self.now = now;
        match self.handle(input) {
            Ok(()) => Ok(std::mem::take(&mut self.effects)),
            Err(fatal) => {
                self.stopped = true;
                self.effects.clear();
                Err(fatal)
            }
        }
    }

    /// The committed ledger.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Envelopes waiting, and their bytes.
    #[must_use]
    pub fn pool_size(&self) -> (usize, usize) {
        (self.pool.len(), self.pool.bytes())
    }

    /// Bodies of proposed blocks kept for their proposals: a few for each member.
    #[must_use]
    pub fn bodies_kept(&self) -> usize {
        self.bodies.len()
    }

    fn handle(&mut self, input: Input) -> Result<(), Fatal> {
        self.speaker = match &input {
            Input::Received(peer, _) => Some(*peer),
            _ => None,
        };
        match input {
            Input::Submit(submissions) => self.submit(submissions)?,
            Input::Connected(peer) => {
                self.links.connected(peer);
                self.greet(peer);
            }
            Input::Disconnected(peer) => {
                self.links.disconnected(peer, self.now);
                self.catch_up.forget(peer);
            }
            Input::Received(peer, bytes) => match Message::decode(&bytes) {
                Ok(message) => self.receive(peer, message)?,
                Err(error) => self.accuse(peer, error.to_string()),
            },
            Input::Timer(TimerId::Consensus(id)) => {
                self.drive(consensus::Input::Timeout(id))?;
            }
            Input::Timer(TimerId::Tick) => self.tick()?,
            // What they are for is looked at below.
            Input::Timer(TimerId::Start | TimerId::Ask) => {}
            Input::Timer(TimerId::Gather) => self.verify_gathered()?,
            Input::Timer(TimerId::CatchUp) => self.catch_up.timed_out(),
        }
        self.start_if_due()?;
        self.judge_needed()?;
        self.ask_for_blocks();
        self.sync()
    }

    fn tick(&mut self) -> Result<(), Fatal> {
        self.pool
            .expire(self.now, &self.store)
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        // The news of it may have been lost: in a full queue, with a link, with the peers.
        let overdue =
            self.pool
                .overdue(self.now, PASS_ON_AGAIN_MS, crate::catchup::ANSWER_BYTES_MAX);
        self.pass_on(overdue);
        let tip = self.tip_message();
        self.broadcast(&tip);
        self.set_timer(TimerId::Tick, TICK_MS);
        Ok(())
    }

    fn tip_message(&self) -> Message {
        Message::Tip {
            height: self.tip.height,
            cosignature: self.cosigner.own(),
        }
    }

    /// Says to a member that just connected all it may have missed: of the running height, and of
    /// what our own clients handed in.
    fn greet(&mut self, peer: PeerId) {
        let tip = self.tip_message();
        self.send(peer, &tip);
        self.resend_to(peer);
        let waiting = self.pool.own(crate::catchup::ANSWER_BYTES_MAX);
        if !waiting.is_empty() {
            self.send(peer, &Message::Envelopes(waiting));
        }
    }

    fn cosign(&mut self) -> Result<(), Fatal> {
        let (own, complete) = self.cosigner.committed(&self.chain, &self.tip);
        if let Some(own) = own {
            self.broadcast(&Message::Cosignature(own));
        }
        self.finalise(complete)
    }

    fn finalise(&mut self, complete: Option<FinalCheckpoint>) -> Result<(), Fatal> {
        if let Some(complete) = complete {
            self.store.put_final(&complete)?;
            self.effects.push(Effect::Final(complete.height));
        }
        Ok(())
    }

    fn ask_for_blocks(&mut self) {
        let next = self.tip.height.next();
        match self.catch_up.ask(next, self.now) {
            Ask::No => {}
            Ask::Now(peer) => {
                self.send(peer, &Message::FetchBlocks(next));
                self.set_timer(TimerId::CatchUp, CATCH_UP_TIMEOUT_MS);
            }
            Ask::After(ms) => self.set_timer(TimerId::CatchUp, ms),
        }
    }

    fn send(&mut self, peer: PeerId, message: &Message) {
        let bytes = codec::encode(message).into();
        self.effects
            .push(Effect::Send(peer, message.class(), bytes));
    }

    fn broadcast(&mut self, message: &Message) {
        let bytes = codec::encode(message).into();
        self.effects.push(Effect::Broadcast(message.class(), bytes));
    }

    fn set_timer(&mut self, id: TimerId, after_ms: u64) {
        self.effects.push(Effect::SetTimer(id, after_ms));
    }
}
