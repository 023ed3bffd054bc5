//! What peers say: verified, watched for contradictions, and fed to the core or kept.

use super::{Consensus, CoreInput, context};
use crate::effect::{Effect, Fatal};
use crate::message::{ConsensusMessage, MessageError};
use crate::mutant::{self, Mutant};

impl Consensus {
    /// Takes a message from a peer in, keeps it for its height, or drops it.
    pub(super) fn receive(&mut self, message: ConsensusMessage) -> Result<(), Fatal> {
        let (got, next) = (message.height(), self.host.height());
        let accepted = if got < next || got > next.next() {
            Err(MessageError::Height {
                got,
                current: self.host.decided,
            })
        } else if self.watch.knows(&message) || got > next && mutant::is(Mutant::FutureUnverified) {
            Ok(())
        } else {
            message.verify(&self.host.chain_id, &self.validators)
        };
        let running = self.is_running(got);
        if accepted.is_ok() {
            if self.is_forgotten(&message) {
                self.host.effects.push(Effect::Forgotten(got));
                return Ok(());
            }
            let round = if running { self.host.round } else { 0 };
            let found = self.watch.note(&message, round);
            self.host
                .effects
                .extend(found.into_iter().map(Effect::Evidence));
        }
        match accepted {
            Ok(()) if running => return self.take_in(message),
            Ok(()) => self.future.keep(message),
            Err(error) => Err(error),
        }
        .unwrap_or_else(|error| self.host.effects.push(Effect::Reject(error)));
        Ok(())
    }

    /// Whether our key signed something in this verified message that we know nothing of.
    fn is_forgotten(&self, message: &ConsensusMessage) -> bool {
        let (host, own) = (&self.host, self.host.address.0);
        if !host.voting {
            return false;
        }
        let unknown = |digest: [u8; 32]| !host.signed.contains(&digest);
        let proposed = match message {
            ConsensusMessage::Proposal(signed) if signed.proposal.proposer == own => {
                unknown(signed.proposal.signing_digest(&host.chain_id))
            }
            _ => false,
        };
        proposed
            || message.votes().iter().any(|signed| {
                signed.vote.validator == own && unknown(signed.vote.signing_digest(&host.chain_id))
            })
    }

    /// Feeds a verified message of the running height to the core.
    pub(super) fn take_in(&mut self, message: ConsensusMessage) -> Result<(), Fatal> {
        let height = message.height();
        if !self.is_running(height) {
            return Ok(());
        }
        self.named.note(&message, self.host.round);
        let proposed = match &message {
            ConsensusMessage::Proposal(signed) => Some(signed.proposal.block_id),
            _ => None,
        };
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
        })?;
        if let Some(block_id) = proposed
            && self.named.unknown().any(|id| id == block_id)
        {
            self.host
                .effects
                .push(Effect::NeedBlock { height, block_id });
        }
        Ok(())
    }
}
