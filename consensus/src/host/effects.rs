//! One match over the effects of Malachite's core.

use std::collections::BTreeSet;

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as types;
use core::{Effect as CoreEffect, LivenessMsg, Resumable, Resume, SignedConsensusMsg};
use jangbu_ledger::codec;
use jangbu_ledger::equivocation::Equivocation;
use jangbu_ledger::signature::Signature;
use types::{CertificateError, Timeout, TimeoutKind};

use super::Host;
use crate::certificate::CommitCertificate;
use crate::context::{self, Address, Context};
use crate::effect::{Effect, TimerId, TimerKind};
use crate::message::ConsensusMessage;
use crate::mutant::{self, Mutant};
use crate::record::Record;
use crate::validator_set::ValidatorSet;

/// Own messages of the running height kept for peers that reconnect.
const CURRENT_MAX: usize = 256;

impl Host {
    /// Performs one effect of the core. Never fails towards the core, which could not go on: a
    /// failure is kept in `fatal`, and what follows in this step is thrown away.
    #[expect(clippy::too_many_lines, reason = "one arm per effect of the core")]
    pub(super) fn perform(
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
                // Upon a decision the core may still want one for the decided height.
                if let Some(id) = self.timer(timeout).filter(|_| self.running) {
                    self.timers.insert(id);
                    let after_ms = self.timeouts.after_ms(id.kind, id.round);
                    self.effects.push(Effect::ScheduleTimer { id, after_ms });
                }
                r.resume_with(())
            }
            CoreEffect::StartRound(_, round, _, _, r) => {
                self.round = round.as_u32().unwrap_or(0);
                r.resume_with(())
            }
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
                if self.replaying.is_some() {
                    self.asked = Some(round);
                } else {
                    self.effects.push(Effect::GetValue {
                        height: height.into(),
                        round,
                    });
                }
                r.resume_with(())
            }
            CoreEffect::RestreamProposal(_, _, _, _, block_id, r) => {
                self.effects.push(Effect::Restream(block_id));
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
                if !mutant::is(Mutant::HeightReused) {
                    self.decided = self.height();
                }
                self.rest();
                for validator in (0..validators.count()).filter_map(|i| validators.at(i)) {
                    let votes = evidence.votes.get(&validator.address).into_iter().flatten();
                    self.effects.extend(votes.map(|(a, b)| {
                        let pair = (context::signed_vote(a), context::signed_vote(b));
                        Effect::Evidence(Equivocation::votes(pair.0, pair.1))
                    }));
                    let proposals = evidence.proposals.get(&validator.address);
                    self.effects
                        .extend(proposals.into_iter().flatten().map(|(a, b)| {
                            let pair = (context::signed_proposal(a), context::signed_proposal(b));
                            Effect::Evidence(Equivocation::proposals(pair.0, pair.1))
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
                match Record::of(&input) {
                    Some(record) => self.log(height, &record),
                    None => self.fail("the core asked to log an input it should not".into()),
                }
                r.resume_with(())
            }
        }
    }

    fn log(&mut self, height: context::Height, record: &Record) {
        let bytes = codec::encode(record);
        let on_the_log = self
            .replaying
            .as_ref()
            .is_some_and(|log| log.contains(&bytes));
        let forgotten = match record {
            Record::Vote(_) => mutant::is(Mutant::VotesNotLogged),
            Record::Timeout { .. } => mutant::is(Mutant::TimeoutsNotLogged),
            Record::Value { .. } => mutant::is(Mutant::ValuesNotLogged),
            Record::Proposal(_) | Record::Polka(_) => false,
        };
        if !on_the_log && !forgotten {
            self.dirty = true;
            self.effects.push(Effect::Persist(height.into(), bytes));
        }
    }

    /// Durable before sent: after a crash we must not sign this round again.
    fn send(&mut self, message: ConsensusMessage) {
        if self.dirty {
            self.effects.push(Effect::Sync);
            self.dirty = false;
        }
        if self.running && !self.current.contains(&message) {
            if self.current.len() >= CURRENT_MAX {
                self.current.pop_front();
            }
            self.current.push_back(message.clone());
        }
        self.effects.push(Effect::Send(message));
    }

    fn sign(&mut self, digest: &[u8; 32]) -> Signature {
        self.signed.insert(*digest);
        let signed = match &self.signer {
            Some(signer) => signer.sign(digest).map_err(|error| error.to_string()),
            None => Err("a replica without a signer was asked to vote".to_owned()),
        };
        signed.unwrap_or_else(|error| {
            self.fail(error);
            // Never leaves: the step is thrown away.
            Signature([0; 64])
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
            height: self.height(),
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
    let (mut seen, mut twice) = (BTreeSet::new(), 0);
    for address in signers {
        if set.find(&address.0).is_none() {
            return Err(CertificateError::UnknownValidator(address));
        }
        let again = !seen.insert(address);
        twice += usize::from(again);
        if again && !mutant::is(Mutant::VoteCountedTwice) {
            return Err(CertificateError::DuplicateVote(address));
        }
    }
    if seen.len() + twice < need {
        return Err(CertificateError::NotEnoughVotingPower {
            signed: seen.len() as u64,
            total: set.count() as u64,
            expected: need as u64,
        });
    }
    Ok(())
}
