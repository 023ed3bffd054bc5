//! Drives Malachite's core: one match over its effects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as types;
use core::{Effect as CoreEffect, Input as CoreInput, LivenessMsg, Resumable, Resume};
use core::{SignedConsensusMsg, process};
use jangbu_ledger::codec;
use jangbu_ledger::id::{BlockId, ChainId, Height, KeyId};
use types::{CertificateError, Timeout, TimeoutKind, Validity, ValueOrigin, VoteExtensionPolicy};

use crate::certificate::CommitCertificate;
use crate::context::{self, Address, Context, Value};
use crate::effect::{Effect, Equivocation, Fatal, Input, Signer, TimerId, TimerKind};
use crate::message::{ConsensusMessage, MessageError};
use crate::record::Record;
use crate::validator_set::ValidatorSet;

/// Messages of the next height kept per validator: two votes, a proposal and a certificate in
/// each of a few rounds.
const FUTURE_PER_VALIDATOR_MAX: usize = 16;
/// Own messages of the running height kept for peers that reconnect.
const CURRENT_MAX: usize = 256;
/// The core's queue for later heights is not used: this crate keeps its own, verified.
const CORE_QUEUE: usize = 1;

type State = core::State<Context>;

/// How long a round waits for what, in milliseconds; each later round a little longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal.
    pub propose_ms: u64,
    /// For prevotes that agree.
    pub prevote_ms: u64,
    /// For precommits that agree.
    pub precommit_ms: u64,
    /// Until the last votes are said again.
    pub rebroadcast_ms: u64,
    /// Added per round.
    pub delta_ms: u64,
    /// Never longer than this, whatever the round: a stalled quorum restarts by itself.
    pub max_ms: u64,
}

impl Timeouts {
    /// How long `kind` waits in `round`.
    #[must_use]
    pub fn after_ms(&self, kind: TimerKind, round: u32) -> u64 {
        let base = match kind {
            TimerKind::Propose => self.propose_ms,
            TimerKind::Prevote => self.prevote_ms,
            TimerKind::Precommit => self.precommit_ms,
            TimerKind::Rebroadcast => self.rebroadcast_ms,
        };
        base.saturating_add(self.delta_ms.saturating_mul(u64::from(round)))
            .min(self.max_ms)
    }
}

/// Agreement on one block id per height.
pub struct Consensus {
    context: Context,
    validators: ValidatorSet,
    host: Host,
    state: Option<State>,
    /// Verified messages of the height after the running (or last) one.
    future: BTreeMap<KeyId, Vec<ConsensusMessage>>,
    stopped: bool,
}

/// Everything the effect handler touches, apart from the core's own state.
struct Host {
    chain_id: ChainId,
    timeouts: Timeouts,
    signer: Option<Box<dyn Signer + Send>>,
    address: Address,
    height: Height,
    running: bool,
    replaying: bool,
    dirty: bool,
    effects: Vec<Effect>,
    timers: BTreeSet<TimerId>,
    /// What we said in the running height.
    current: VecDeque<ConsensusMessage>,
    asked: Option<u32>,
    own_block: Option<(u32, Option<u32>, BlockId)>,
    fatal: Option<String>,
}

impl Consensus {
    /// Consensus of a ledger among a fixed set; without a signer it follows and never votes.
    #[must_use]
    pub fn new(
        chain_id: ChainId,
        validators: ValidatorSet,
        timeouts: Timeouts,
        signer: Option<Box<dyn Signer + Send>>,
    ) -> Self {
        // An observer's address is nobody's.
        let address = signer
            .as_ref()
            .map_or(KeyId([0; 16]), |signer| signer.public_key().id());
        Self {
            context: Context { chain_id },
            validators,
            host: Host {
                chain_id,
                timeouts,
                signer,
                address: Address(address),
                height: Height(0),
                running: false,
                replaying: false,
                dirty: false,
                effects: Vec::new(),
                timers: BTreeSet::new(),
                current: VecDeque::new(),
                asked: None,
                own_block: None,
                fatal: None,
            },
            state: None,
            future: BTreeMap::new(),
            stopped: false,
        }
    }

    /// The id of our consensus key, if we vote.
    #[must_use]
    pub fn own_address(&self) -> Option<KeyId> {
        self.host.signer.as_ref().map(|_| self.host.address.0)
    }

    /// What we said in the running height, for a peer that reconnects.
    #[must_use]
    pub fn current_messages(&self) -> Vec<ConsensusMessage> {
        self.host.current.iter().cloned().collect()
    }

    /// The block we last proposed in the running height: round, valid round, id.
    #[must_use]
    pub const fn current_proposal(&self) -> Option<(u32, Option<u32>, BlockId)> {
        self.host.own_block
    }

    /// Whether verified messages of `height` wait for it to start.
    #[must_use]
    pub fn has_messages_for(&self, height: Height) -> bool {
        self.future
            .values()
            .flatten()
            .any(|message| message.height() == height)
    }

    /// The running height was decided elsewhere; returns the timers that mean nothing now.
    pub fn abandon(&mut self) -> Vec<TimerId> {
        self.host.running = false;
        self.host.current.clear();
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
        if let Err(fatal) = result {
            self.stopped = true;
            self.host.effects.clear();
            return Err(fatal);
        }
        Ok(std::mem::take(&mut self.host.effects))
    }

    fn handle(&mut self, input: Input) -> Result<(), Fatal> {
        match input {
            Input::StartHeight { height, log } => self.start(height, log),
            Input::Message(message) => self.receive(message),
            Input::Value {
                height,
                round,
                valid_round,
                block_id,
                valid,
            } => {
                if !self.is_running(height) {
                    return Ok(());
                }
                let proposer = self.validators.proposer(height, round).id();
                let value = core::ProposedValue {
                    height: height.into(),
                    round: context::round(round),
                    valid_round: context::optional_round(valid_round),
                    proposer: Address(proposer),
                    value: Value(block_id),
                    validity: Validity::from_bool(valid),
                };
                self.feed(CoreInput::ProposedValue(value, ValueOrigin::Consensus))
            }
            Input::ProposeValue {
                height,
                round,
                block_id,
            } => {
                if !self.is_running(height) {
                    return Ok(());
                }
                self.host.own_block = Some((round, None, block_id));
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
        self.host.running && self.host.height == height
    }

    fn start(&mut self, height: Height, log: Vec<Vec<u8>>) -> Result<(), Fatal> {
        self.host.height = height;
        self.host.running = true;
        self.host.dirty = false;
        self.host.current.clear();
        self.host.asked = None;
        self.host.own_block = None;
        let records: Vec<Record> = log
            .iter()
            .map(|bytes| Record::decode(bytes))
            .collect::<Result<_, _>>()
            .map_err(|error| Fatal(format!("the log of height {height} is damaged: {error}")))?;
        let inputs: Vec<CoreInput<Context>> = records
            .iter()
            .cloned()
            .map(|record| {
                record.into_input().ok_or_else(|| {
                    Fatal(format!(
                        "the log of height {height} holds an unknown record"
                    ))
                })
            })
            .collect::<Result<_, _>>()?;

        if self.state.is_none() {
            let params = core::Params {
                address: self.host.address,
                threshold_params: core::ThresholdParams::default(),
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
        self.host.replaying = !inputs.is_empty();
        self.feed(CoreInput::StartHeight(
            height.into(),
            self.validators.clone(),
            !inputs.is_empty(),
            None,
            VoteExtensionPolicy::Disabled,
        ))?;
        if !inputs.is_empty() {
            self.replay(&records, inputs)?;
        }
        self.host.replaying = false;
        if let Some(round) = self.host.asked.take() {
            self.host.effects.push(Effect::GetValue { height, round });
        }
        let waiting = std::mem::take(&mut self.future);
        for message in waiting.into_values().flatten() {
            self.receive(message)?;
        }
        Ok(())
    }

    /// Feeds the log back. What the core asks for meanwhile is dropped if it was done before the
    /// crash, and a block asked for is the one that was proposed then.
    fn replay(&mut self, records: &[Record], inputs: Vec<CoreInput<Context>>) -> Result<(), Fatal> {
        if let Some(state) = &mut self.state {
            state.record_recovered_own_precommit_extensions(&inputs);
            state.index_wal_entries(&inputs);
        }
        for input in inputs {
            self.feed(input)?;
            self.propose_as_before(records)?;
        }
        self.propose_as_before(records)?;
        if let Some(state) = &mut self.state {
            state.reset_entries_index();
        }
        Ok(())
    }

    fn propose_as_before(&mut self, records: &[Record]) -> Result<(), Fatal> {
        let Some(asked) = self.host.asked else {
            return Ok(());
        };
        let own = self.host.address.0;
        let proposed = records.iter().find_map(|record| match record {
            Record::Value {
                round,
                proposer,
                block_id,
                valid_round: None,
                ..
            } if *round == asked && *proposer == own => Some(*block_id),
            _ => None,
        });
        let Some(block_id) = proposed else {
            return Ok(());
        };
        self.host.asked = None;
        self.host.own_block = Some((asked, None, block_id));
        self.feed(CoreInput::Propose(core::LocallyProposedValue::new(
            self.host.height.into(),
            context::round(asked),
            Value(block_id),
        )))
    }

    fn receive(&mut self, message: ConsensusMessage) -> Result<(), Fatal> {
        let (got, current) = (message.height(), self.host.height);
        let next = if self.host.running {
            current
        } else {
            current.next()
        };
        let reject = if got < next || got > next.next() {
            Some(MessageError::Height { got, current })
        } else {
            message.verify(&self.host.chain_id, &self.validators).err()
        };
        if let Some(reason) = reject {
            self.host.effects.push(Effect::Reject(reason));
            return Ok(());
        }
        if !self.is_running(got) {
            self.keep_for_later(message);
            return Ok(());
        }
        self.feed(match message {
            ConsensusMessage::Vote(vote) => CoreInput::Vote(context::core_vote(vote)),
            ConsensusMessage::Proposal(proposal) => {
                CoreInput::Proposal(context::core_proposal(proposal))
            }
            ConsensusMessage::Polka(certificate) => {
                CoreInput::PolkaCertificate(context::core_polka(certificate))
            }
            ConsensusMessage::Round(certificate) => {
                CoreInput::RoundCertificate(context::core_round_certificate(certificate))
            }
        })
    }

    fn keep_for_later(&mut self, message: ConsensusMessage) {
        // A certificate is kept on its first signer's account: it is verified, so that signer
        // exists, and nobody can fill another's with what that other did not sign.
        let account = match &message {
            ConsensusMessage::Vote(signed) => Some(signed.vote.validator),
            ConsensusMessage::Proposal(signed) => Some(signed.proposal.proposer),
            ConsensusMessage::Polka(certificate) => certificate
                .signatures
                .first()
                .map(|(validator, _)| *validator),
            ConsensusMessage::Round(certificate) => {
                certificate.votes.first().map(|vote| vote.validator)
            }
        };
        let Some(account) = account else { return };
        let kept = self.future.entry(account).or_default();
        if kept.contains(&message) {
            return;
        }
        if kept.len() >= FUTURE_PER_VALIDATOR_MAX {
            self.host
                .effects
                .push(Effect::Reject(MessageError::TooMany));
            return;
        }
        kept.push(message);
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
    /// Performs one effect of the core. Never fails towards the core, which could not go on: a
    /// failure is kept in `fatal`, and what follows in this step is thrown away.
    #[expect(clippy::too_many_lines, reason = "one arm per effect of the core")]
    fn perform(
        &mut self,
        effect: CoreEffect<Context>,
        validators: &ValidatorSet,
    ) -> Resume<Context> {
        match effect {
            CoreEffect::CancelAllTimeouts(r) => {
                for id in std::mem::take(&mut self.timers) {
                    self.effects.push(Effect::CancelTimer(id));
                }
                r.resume_with(())
            }
            CoreEffect::CancelTimeout(timeout, r) => {
                if let Some(id) = self.timer(timeout)
                    && self.timers.remove(&id)
                {
                    self.effects.push(Effect::CancelTimer(id));
                }
                r.resume_with(())
            }
            CoreEffect::ScheduleTimeout(timeout, r) => {
                if let Some(id) = self.timer(timeout) {
                    self.timers.insert(id);
                    let after_ms = self.timeouts.after_ms(id.kind, id.round);
                    self.effects.push(Effect::ScheduleTimer { id, after_ms });
                }
                r.resume_with(())
            }
            CoreEffect::StartRound(_, _, _, _, r) => r.resume_with(()),
            CoreEffect::PublishConsensusMsg(message, r) => {
                self.send(match message {
                    SignedConsensusMsg::Vote(vote) => {
                        ConsensusMessage::Vote(context::signed_vote(&vote))
                    }
                    SignedConsensusMsg::Proposal(proposal) => {
                        ConsensusMessage::Proposal(context::signed_proposal(&proposal))
                    }
                });
                r.resume_with(())
            }
            CoreEffect::PublishLivenessMsg(message, r) => {
                self.send(match message {
                    LivenessMsg::Vote(vote) => ConsensusMessage::Vote(context::signed_vote(&vote)),
                    LivenessMsg::PolkaCertificate(certificate) => {
                        ConsensusMessage::Polka(context::polka(&certificate))
                    }
                    LivenessMsg::SkipRoundCertificate(certificate) => {
                        ConsensusMessage::Round(context::round_certificate(&certificate))
                    }
                });
                r.resume_with(())
            }
            CoreEffect::RepublishVote(vote, r) => {
                self.send(ConsensusMessage::Vote(context::signed_vote(&vote)));
                r.resume_with(())
            }
            CoreEffect::RepublishRoundCertificate(certificate, r) => {
                self.send(ConsensusMessage::Round(context::round_certificate(
                    &certificate,
                )));
                r.resume_with(())
            }
            CoreEffect::GetValue(height, round, _, r) => {
                let round = round.as_u32().unwrap_or(0);
                if self.replaying {
                    self.asked = Some(round);
                } else {
                    self.effects.push(Effect::GetValue {
                        height: height.into(),
                        round,
                    });
                }
                r.resume_with(())
            }
            CoreEffect::RestreamProposal(height, round, valid_round, _, block_id, r) => {
                let (round, valid_round) = (round.as_u32().unwrap_or(0), valid_round.as_u32());
                self.own_block = Some((round, valid_round, block_id));
                self.effects.push(Effect::Restream {
                    height: height.into(),
                    round,
                    valid_round,
                    block_id,
                });
                r.resume_with(())
            }
            CoreEffect::Decide(certificate, _, r) => {
                self.effects.push(Effect::Decide(CommitCertificate {
                    height: certificate.height.into(),
                    round: certificate.round.as_u32().unwrap_or(0),
                    block_id: certificate.value_id,
                    signatures: certificate
                        .commit_signatures
                        .into_iter()
                        .map(|signature| (signature.address.0, signature.signature))
                        .collect(),
                }));
                r.resume_with(())
            }
            CoreEffect::Finalize(_, _, evidence, r) => {
                self.running = false;
                self.current.clear();
                for validator in (0..validators.count()).filter_map(|i| validators.at(i)) {
                    let votes = evidence.votes.get(&validator.address).into_iter().flatten();
                    self.effects.extend(votes.map(|(a, b)| {
                        let pair = (context::signed_vote(a), context::signed_vote(b));
                        Effect::Evidence(Equivocation::Votes(pair.0, pair.1))
                    }));
                    let proposals = evidence.proposals.get(&validator.address);
                    self.effects
                        .extend(proposals.into_iter().flatten().map(|(a, b)| {
                            let pair = (context::signed_proposal(a), context::signed_proposal(b));
                            Effect::Evidence(Equivocation::Proposals(pair.0, pair.1))
                        }));
                }
                for id in std::mem::take(&mut self.timers) {
                    self.effects.push(Effect::CancelTimer(id));
                }
                r.resume_with(())
            }
            CoreEffect::SignVote(vote, r) => {
                let signature = self.sign(&vote.vote.signing_digest(&self.chain_id));
                r.resume_with(types::SignedMessage::new(vote, signature))
            }
            CoreEffect::SignProposal(proposal, r) => {
                let signature = self.sign(&proposal.proposal.signing_digest(&self.chain_id));
                r.resume_with(types::SignedMessage::new(proposal, signature))
            }
            // Whatever reaches the core was verified in `receive`, signed by us, or logged after
            // it was verified.
            CoreEffect::VerifySignature(_, _, r) => r.resume_with(true),
            CoreEffect::VerifyPolkaCertificate(certificate, set, _, r) => {
                let signers = certificate.polka_signatures.iter().map(|s| s.address);
                r.resume_with(enough(signers, &set, set.quorum()))
            }
            CoreEffect::VerifyRoundCertificate(certificate, set, _, r) => {
                let signers = certificate.round_signatures.iter().map(|s| s.address);
                let need = match certificate.cert_type {
                    types::RoundCertificateType::Skip => set.count() / 3 + 1,
                    types::RoundCertificateType::Precommit => set.quorum(),
                };
                let precommits = certificate.round_signatures.iter().all(|signature| {
                    matches!(certificate.cert_type, types::RoundCertificateType::Skip)
                        || signature.vote_type == types::VoteType::Precommit
                });
                r.resume_with(if precommits {
                    enough(signers, &set, need)
                } else {
                    Err(CertificateError::VerificationError(None))
                })
            }
            // The core asks this of the certificate it has just put together itself.
            CoreEffect::VerifyCommitCertificate(certificate, set, _, r) => {
                let signers = certificate.commit_signatures.iter().map(|s| s.address);
                r.resume_with(enough(signers, &set, set.quorum()))
            }
            // Catching up does not pass through the core, and votes carry no extensions.
            CoreEffect::VerifyExtendedCommitCertificate(_, _, _, _, r) => {
                r.resume_with(Err(CertificateError::VerificationError(None)))
            }
            CoreEffect::CertVerifiedSyncValue(_, _, r) => r.resume_with(()),
            CoreEffect::CertRejectedSyncValue(_, _, _, r) => r.resume_with(()),
            CoreEffect::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            CoreEffect::VerifyVoteExtension(_, _, _, _, _, _, r) => r.resume_with(Ok(())),
            CoreEffect::WalAppend(height, input, r) => {
                if !self.replaying {
                    match Record::of(&input) {
                        Some(record) => {
                            self.dirty = true;
                            let bytes = codec::encode(&record);
                            self.effects.push(Effect::Persist(height.into(), bytes));
                        }
                        None => self.fail("the core asked to log an input it should not".into()),
                    }
                }
                r.resume_with(())
            }
        }
    }

    /// Durable before sent: after a crash we must not sign this round again.
    fn send(&mut self, message: ConsensusMessage) {
        if self.dirty {
            self.effects.push(Effect::Sync);
            self.dirty = false;
        }
        if !self.current.contains(&message) {
            if self.current.len() >= CURRENT_MAX {
                self.current.pop_front();
            }
            self.current.push_back(message.clone());
        }
        self.effects.push(Effect::Send(message));
    }

    fn sign(&mut self, digest: &[u8; 32]) -> jangbu_ledger::signature::Signature {
        let signed = match &self.signer {
            Some(signer) => signer.sign(digest).map_err(|error| error.to_string()),
            None => Err("a replica without a signer was asked to vote".to_owned()),
        };
        signed.unwrap_or_else(|error| {
            self.fail(error);
            // Never leaves: the step is thrown away.
            jangbu_ledger::signature::Signature([0; 64])
        })
    }

    fn fail(&mut self, reason: String) {
        self.fatal.get_or_insert(reason);
    }

    fn timer(&self, timeout: Timeout) -> Option<TimerId> {
        let kind = match timeout.kind {
            TimeoutKind::Propose => TimerKind::Propose,
            TimeoutKind::Prevote => TimerKind::Prevote,
            TimeoutKind::Precommit => TimerKind::Precommit,
            TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
            // Only with a target time, which is never set.
            TimeoutKind::FinalizeHeight(_) => return None,
        };
        Some(TimerId {
            height: self.height,
            round: timeout.round.as_u32()?,
            kind,
        })
    }
}

/// Whether enough distinct validators signed; the signatures were verified before.
fn enough(
    signers: impl Iterator<Item = Address>,
    set: &ValidatorSet,
    need: usize,
) -> Result<(), CertificateError<Context>> {
    let mut seen = BTreeSet::new();
    for address in signers {
        if set.find(&address.0).is_none() {
            return Err(CertificateError::UnknownValidator(address));
        }
        if !seen.insert(address) {
            return Err(CertificateError::DuplicateVote(address));
        }
    }
    if seen.len() < need {
        return Err(CertificateError::NotEnoughVotingPower {
            signed: seen.len() as u64,
            total: set.count() as u64,
            expected: need as u64,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_never_waits_longer_than_the_cap() {
        let timeouts = Timeouts {
            propose_ms: 500,
            prevote_ms: 200,
            precommit_ms: 200,
            rebroadcast_ms: 500,
            delta_ms: 200,
            max_ms: 5_000,
        };
        assert_eq!(timeouts.after_ms(TimerKind::Propose, 0), 500);
        assert_eq!(timeouts.after_ms(TimerKind::Propose, 3), 1_100);
        assert_eq!(timeouts.after_ms(TimerKind::Prevote, u32::MAX), 5_000);
    }
}
