//! Messages of a height that has not started: verified, and so many per validator, before
//! anything remembers them.

use std::collections::BTreeMap;

use jangbu_ledger::id::{Height, KeyId};

use crate::message::{ConsensusMessage, MessageError};

/// Messages of coming heights kept per validator: two votes, a proposal and a certificate in
/// each of a few rounds.
const PER_VALIDATOR_MAX: usize = 16;

/// Messages that wait for their height.
#[derive(Debug, Default)]
pub(super) struct Future(BTreeMap<KeyId, Vec<ConsensusMessage>>);

impl Future {
    /// Keeps a verified message.
    pub(super) fn keep(&mut self, message: ConsensusMessage) -> Result<(), MessageError> {
        // A certificate is kept on its first signer's account: it is verified, so that signer
        // exists, and nobody can fill another's with what that other did not sign.
        let account = match &message {
            ConsensusMessage::Vote(signed) => Some(signed.vote.validator),
            ConsensusMessage::Proposal(signed) => Some(signed.proposal.proposer),
            ConsensusMessage::Polka(certificate) => {
                certificate.signatures.first().map(|(signer, _)| *signer)
            }
            ConsensusMessage::Round(certificate) => {
                certificate.votes.first().map(|vote| vote.validator)
            }
        };
        let Some(account) = account else {
            return Ok(());
        };
        let kept = self.0.entry(account).or_default();
        if kept.contains(&message) {
            return Ok(());
        }
        if kept.len() >= PER_VALIDATOR_MAX {
            return Err(MessageError::TooMany);
        }
        kept.push(message);
        Ok(())
    }

    /// Whether a message of `height` waits.
    pub(super) fn has(&self, height: Height) -> bool {
        self.0.values().flatten().any(|m| m.height() == height)
    }

    /// Takes the messages of `height`; those of earlier ones are forgotten.
    pub(super) fn take(&mut self, height: Height) -> Vec<ConsensusMessage> {
        let mut taken = Vec::new();
        self.0.retain(|_, kept| {
            kept.retain(|message| message.height() >= height);
            taken.extend(kept.extract_if(.., |message| message.height() == height));
            !kept.is_empty()
        });
        taken
    }
}
