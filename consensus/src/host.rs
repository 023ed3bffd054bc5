//! The host of Malachite's core: what comes in is checked, kept or fed to it.
//!
//! ```text
//!   Input ──▶ verify ──▶ running height? ──▶ core ──▶ effects (host/effects.rs)
//!                             │ no
//!                             └──▶ host/future.rs, until its height starts
//! ```

mod effects;
mod future;
mod named;
mod receive;
mod replay;
mod watch;

use std::collections::{BTreeSet, VecDeque};

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as types;
use core::{Input as CoreInput, process};
use jangbu_ledger::equivocation::Equivocation;
use jangbu_ledger::id::{BlockId, ChainId, Height, KeyId};
use jangbu_ledger::signature::Signature;
use jangbu_ledger::vote::SignedVote;
use types::{Timeout, TimeoutKind, Validity, ValueOrigin, VoteExtensionPolicy};

use crate::certificate::CommitCertificate;
use crate::context::{self, Address, Context, Value};
use crate::effect::{Effect, Fatal, Input, Signer, TimerId, TimerKind};
use crate::message::{ConsensusMessage, VoteType};
use crate::mutant::{self, Mutant};
use crate::record::Record;
use crate::timeouts::Timeouts;
use crate::validator_set::ValidatorSet;
use future::Future;
use named::Named;
use watch::Watch;

/// The core's queue for later heights is not used: this crate keeps its own, verified.
const CORE_QUEUE: usize = 1;

/// The address of who does not vote.
const NOBODY: KeyId = KeyId([0; 16]);

type State = core::State<Context>;

/// Agreement on one block id per height.
pub struct Consensus {
    context: Context,
    validators: ValidatorSet,
    host: Host,
    state: Option<State>,
    future: Future,
    /// Of the running height.
    named: Named,
    watch: Watch,
    stopped: bool,
}

/// Everything the effect handler touches, apart from the core's own state.
struct Host {
    chain_id: ChainId,
    timeouts: Timeouts,
    signer: Option<Box<dyn Signer + Send>>,
    address: Address,
    /// Whether the core is told that we are a validator.
    voting: bool,
    /// Digests of what our key signed in the running height, as far as we know.
    signed: BTreeSet<[u8; 32]>,
    /// The last round of the running height whose time-out was hurried.
    hurried: Option<u32>,
    /// The last height that is decided, here or elsewhere.
    decided: Height,
    running: bool,
    round: u32,
    /// While the log is replayed: its records, none of which is logged again.
    replaying: Option<BTreeSet<Vec<u8>>>,
    dirty: bool,
    effects: Vec<Effect>,
    timers: BTreeSet<TimerId>,
    /// What we said in the running height.
    current: VecDeque<ConsensusMessage>,
    /// The round for which the core asked for a block during replay.
    asked: Option<u32>,
    fatal: Option<String>,
}

impl Consensus {
    /// Consensus of a ledger among a fixed set, which decided up to `decided`; without a signer
    /// it follows and never votes.
    #[must_use]
    pub fn new(
        chain_id: ChainId,
        validators: ValidatorSet,
        timeouts: Timeouts,
        signer: Option<Box<dyn Signer + Send>>,
        decided: Height,
    ) -> Self {
        let address = signer
            .as_ref()
            .map_or(NOBODY, |signer| signer.public_key().id());
        Self {
            context: Context { chain_id },
            validators,
            host: Host {
                chain_id,
                timeouts,
                voting: signer.is_some(),
                signer,
                address: Address(address),
                signed: BTreeSet::new(),
                hurried: None,
                decided,
                running: false,
                round: 0,
                replaying: None,
                dirty: false,
                effects: Vec::new(),
                timers: BTreeSet::new(),
                current: VecDeque::new(),
                asked: None,
                fatal: None,
            },
            state: None,
            future: Future::default(),
            named: Named::default(),
            watch: Watch::default(),
            stopped: false,
        }
    }

    /// The id of our consensus key, if we vote.
    #[must_use]
    pub fn own_address(&self) -> Option<KeyId> {
        self.host.voting.then_some(self.host.address.0)
    }

    /// Ends voting, or takes it up again; without a signer there is none.
    ///
    /// The running height is dropped and nothing more is signed in it; returns its timers, which
    /// mean nothing now. [`Input::StartHeight`] begins it anew: without a log if voting ended,
    /// for there is nothing left to hold to. Voting must be taken up between heights only, and
    /// at a height in which this key never signed anything.
    pub fn set_voting(&mut self, voting: bool) -> Vec<TimerId> {
        self.host.voting = voting && self.host.signer.is_some();
        self.state = None;
        self.advance(self.host.decided)
    }

    /// Whether our key signed this certificate and we know nothing of it, though we vote.
    #[must_use]
    pub fn has_forgotten(&self, certificate: &CommitCertificate) -> bool {
        let own = self.host.address.0;
        let signers = certificate.signatures.iter().filter(|(id, _)| *id == own);
        self.host.voting
            && signers
                .map(|_| certificate.vote(own).signing_digest(&self.host.chain_id))
                .any(|digest| !self.host.signed.contains(&digest))
    }

    /// What the verified certificate of a fetched block shows: precommits that contradict what
    /// their validators told us, and of which nobody was told yet.
    pub fn contradictions_in(&mut self, certificate: &CommitCertificate) -> Vec<Equivocation> {
        let vote = |(validator, signature): &(KeyId, Signature)| SignedVote {
            vote: certificate.vote(*validator),
            signature: *signature,
        };
        let votes = certificate.signatures.iter().map(vote);
        let mut found: Vec<Equivocation> = votes
            .filter_map(|vote| self.watch.contradicted_by(&vote))
            .collect();
        found.retain(|equivocation| self.watch.is_news(equivocation));
        found
    }

    /// What we said in the running height, in order, for a peer that reconnects.
    pub fn current_messages(&self) -> impl Iterator<Item = &ConsensusMessage> {
        self.host.current.iter()
    }

    /// Whether verified messages of `height` wait for it to start.
    #[must_use]
    pub fn has_messages_for(&self, height: Height) -> bool {
        self.future.has(height)
    }

    /// Whether a quorum prevoted for a block at the running height: so many vouch for its time
    /// that our own clock need not.
    #[must_use]
    pub fn is_vouched_for(&self, id: &BlockId) -> bool {
        self.named.support(id) >= self.validators.quorum() && !mutant::is(Mutant::DriftOfReproposal)
    }

    /// Heights up to `decided` were decided elsewhere; returns the timers that mean nothing now.
    pub fn advance(&mut self, decided: Height) -> Vec<TimerId> {
        self.host.decided = decided;
        self.host.rest();
        std::mem::take(&mut self.host.timers).into_iter().collect()
    }

    /// Handles one input; returns what the caller must do, in order.
    ///
    /// # Errors
    ///
    /// [`Fatal`] if the core or the signer failed; every later step then fails too.
    pub fn step(&mut self, input: Input) -> Result<Vec<Effect>, Fatal> {
        if self.stopped {
            return Err(Fatal("agreement has stopped after an earlier error".into()));
        }
        let result = self.handle(input);
        self.hurry();
        if let Err(fatal) = result {
            self.stopped = true;
            self.host.effects.clear();
            return Err(fatal);
        }
        let mut effects = std::mem::take(&mut self.host.effects);
        effects.retain(|effect| match effect {
            Effect::Evidence(equivocation) => self.watch.is_news(equivocation),
            _ => true,
        });
        Ok(effects)
    }

    fn handle(&mut self, input: Input) -> Result<(), Fatal> {
        match input {
            Input::StartHeight { log } => self.start(&log),
            Input::Message(message) => self.receive(message),
            Input::Value {
                height,
                block_id,
                valid,
            } => self.value(height, block_id, valid),
            Input::ProposeValue {
                height,
                round,
                block_id,
            } => {
                if !self.is_running(height) {
                    return Ok(());
                }
                self.named.is_known(block_id);
                self.feed(CoreInput::Propose(core::LocallyProposedValue::new(
                    height.into(),
                    context::round(round),
                    Value(block_id),
                )))
            }
            Input::Timeout(id) => {
                if !self.is_running(id.height) || !self.host.timers.remove(&id) {
                    return Ok(());
                }
                let kind = match id.kind {
                    TimerKind::Propose => TimeoutKind::Propose,
                    TimerKind::Prevote => TimeoutKind::Prevote,
                    TimerKind::Precommit => TimeoutKind::Precommit,
                    TimerKind::Rebroadcast => TimeoutKind::Rebroadcast,
                };
                self.feed(CoreInput::TimeoutElapsed(Timeout::new(
                    context::round(id.round),
                    kind,
                )))
            }
        }
    }

    fn is_running(&self, height: Height) -> bool {
        self.host.running && self.host.height() == height
    }

    fn value(&mut self, height: Height, block_id: BlockId, valid: bool) -> Result<(), Fatal> {
        if !self.is_running(height) {
            return Ok(());
        }
        // Asked for by no proposal, so of no use.
        let Some(round) = self.named.round_of(&block_id) else {
            return Ok(());
        };
        self.named.is_known(block_id);
        let proposer = self.validators.proposer(height, round).id();
        let value = core::ProposedValue {
            height: height.into(),
            round: context::round(round),
            // Only a label: proposals and values meet by the block's id.
            valid_round: types::Round::Nil,
            proposer: Address(proposer),
            value: Value(block_id),
            validity: Validity::from_bool(valid),
        };
        self.feed(CoreInput::ProposedValue(value, ValueOrigin::Consensus))
    }

    fn start(&mut self, log: &[Vec<u8>]) -> Result<(), Fatal> {
        let height = self.host.decided.next();
        self.host.rest();
        self.host.running = true;
        self.named = Named::default();
        self.watch.forget_before(height);
        let records: Vec<Record> = log
            .iter()
            .map(|bytes| Record::decode(bytes))
            .collect::<Result<_, _>>()
            .map_err(|error| Fatal(format!("the log of height {height} is damaged: {error}")))?;
        if self.state.is_none() {
            let address = if self.host.voting {
                self.host.address
            } else {
                Address(NOBODY)
            };
            let params = core::Params {
                address,
                threshold_params: thresholds(),
                value_payload: core::ValuePayload::ProposalAndParts,
                enabled: true,
            };
            self.state = Some(State::new(
                self.context.clone(),
                height.into(),
                self.validators.clone(),
                params,
                CORE_QUEUE,
                CORE_QUEUE,
            ));
        }
        let restarts = !records.is_empty();
        self.host.replaying = restarts.then(|| log.iter().cloned().collect());
        self.feed(CoreInput::StartHeight(
            height.into(),
            self.validators.clone(),
            restarts,
            None,
            VoteExtensionPolicy::Disabled,
        ))?;
        if restarts {
            self.replay(height, records)?;
        }
        self.host.replaying = None;
        if let Some(round) = self.host.asked.take() {
            self.host.effects.push(Effect::GetValue { height, round });
        }
        for block_id in self.named.unknown() {
            self.host
                .effects
                .push(Effect::NeedBlock { height, block_id });
        }
        for message in self.future.take(height) {
            self.take_in(message)?;
        }
        Ok(())
    }

    /// Once a quorum precommitted nil nothing can be decided in the round: waiting for more
    /// precommits is of no use.
    fn hurry(&mut self) {
        let host = &mut self.host;
        let id = TimerId {
            height: host.height(),
            round: host.round,
            kind: TimerKind::Precommit,
        };
        if !host.running || host.hurried == Some(id.round) || !host.timers.contains(&id) {
            return;
        }
        let own = host.current.iter().any(|message| {
            matches!(message, ConsensusMessage::Vote(signed)
                if signed.vote.vote_type == VoteType::Precommit
                    && signed.vote.round == id.round
                    && signed.vote.block_id.is_none())
        });
        let nil = self.named.nil_precommits(id.round, host.address.0) + usize::from(own);
        if nil >= self.validators.quorum() {
            host.hurried = Some(id.round);
            host.effects.push(Effect::ScheduleTimer { id, after_ms: 0 });
        }
    }

    fn feed(&mut self, input: CoreInput<Context>) -> Result<(), Fatal> {
        let Some(state) = &mut self.state else {
            return Err(Fatal("no height was started".into()));
        };
        let host = &mut self.host;
        let validators = &self.validators;
        let result: Result<(), core::Error<Context>> = process!(
            input: input,
            state: state,
            metrics: &(),
            with: effect => Ok::<_, core::Error<Context>>(host.perform(effect, validators))
        );
        if let Some(fatal) = self.host.fatal.take() {
            return Err(Fatal(fatal));
        }
        result.map_err(|error| Fatal(error.to_string()))
    }
}

impl Host {
    /// The running height, or the next one to run.
    const fn height(&self) -> Height {
        self.decided.next()
    }

    /// Nothing runs any more.
    fn rest(&mut self) {
        self.running = false;
        self.round = 0;
        self.dirty = false;
        self.asked = None;
        self.hurried = None;
        self.current.clear();
        self.signed.clear();
    }
}

/// What the core calls a quorum and an honest minority.
fn thresholds() -> core::ThresholdParams {
    let mut thresholds = core::ThresholdParams::default();
    if mutant::is(Mutant::QuorumMinusOne) {
        thresholds.quorum = thresholds.honest;
    }
    if mutant::is(Mutant::SkipByOne) {
        thresholds.honest.numerator = 0;
    }
    thresholds
}
