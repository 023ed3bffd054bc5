//! Sends one envelope and finds out what became of it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use jangbu_ledger::block::Entry;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::extent::Extent;
use jangbu_ledger::id::{EnvelopeId, StatementId};
use jangbu_ledger::receipt::Receipt;

use super::SubmitOptions;
use super::outcome::{Outcome, Status};
use super::pack::now_ms;
use crate::client::{
    Client, EnvelopeAnswer, Finality, OutcomeAnswer, Sent, Wait, printable, recorded,
};
use crate::context::Context;
use crate::error::{CliError, Code};
use crate::receipt::Verifier;
use crate::vault::Vault;

/// How long to ask around after an envelope that was sent and not answered.
const LOST_ASK_MAX: Duration = Duration::from_secs(5);
/// Pause between two rounds of asking.
const ASK_PAUSE: Duration = Duration::from_millis(250);
/// A kept envelope this long after its end is of no use to anyone.
const FORGET_AFTER_MS: u64 = 24 * 60 * 60 * 1000;

/// Sends envelopes and believes only what is proved.
pub(super) struct Settler<'a> {
    client: &'a Client,
    vault: &'a Vault,
    verifier: &'a Verifier,
    options: &'a SubmitOptions,
}

impl<'a> Settler<'a> {
    pub(super) fn new(ctx: &'a Context, options: &'a SubmitOptions) -> Result<Self, CliError> {
        Ok(Self {
            client: ctx.client()?,
            vault: ctx.vault()?,
            verifier: ctx.verifier()?,
            options,
        })
    }

    /// Sends an envelope that the vault keeps, and says what became of its statements.
    pub(super) fn settle(
        &self,
        id: EnvelopeId,
        bytes: &[u8],
        envelope: &Envelope,
    ) -> Result<Vec<Outcome>, CliError> {
        self.send(id, bytes, envelope, true)
    }

    /// Finds out what became of an envelope of an earlier run; `None` if it came to nothing or
    /// is none of our business, so that its statements may be said anew.
    pub(super) fn resume(
        &self,
        id: EnvelopeId,
        bytes: &[u8],
        envelope: &Envelope,
        concerns_us: bool,
    ) -> Result<Option<Vec<Outcome>>, CliError> {
        let (now, end) = (now_ms()?, envelope.expires_at_ms.0);
        if !concerns_us {
            if now > end.saturating_add(FORGET_AFTER_MS) {
                self.vault.forget_envelope(&id)?;
            }
            return Ok(None);
        }
        let (mut heard, mut silent) = (false, None);
        for node in self.client.nodes() {
            match self.client.envelope_at(node, &id) {
                Ok(answer) if answer.status == Finality::Final => {
                    return self.believe(id, envelope, answer).map(Some);
                }
                Ok(_) => heard = true,
                Err(error) => silent = Some(error),
            }
        }
        if now > end {
            // No block takes it any more, and none has.
            return match silent {
                Some(error) if !heard => Err(error),
                _ => self.vault.forget_envelope(&id).map(|()| None),
            };
        }
        match self.send(id, bytes, envelope, false) {
            // It is not wanted as it is; perhaps it is when signed anew.
            Err(error) if matches!(error.code, Code::Input | Code::Unauthorised) => Ok(None),
            sent => sent.map(Some),
        }
    }

    fn send(
        &self,
        id: EnvelopeId,
        bytes: &[u8],
        envelope: &Envelope,
        first_time: bool,
    ) -> Result<Vec<Outcome>, CliError> {
        let deadline = self.options.deadline();
        let wait = if self.options.no_wait {
            Wait::Accepted
        } else {
            Wait::Final
        };
        loop {
            let answer = match self.client.post_envelope(bytes, wait, deadline) {
                Sent::Answer(answer) => *answer,
                Sent::NotTaken(error) => {
                    if first_time || error.code != Code::Unreachable {
                        self.vault.forget_envelope(&id)?;
                    }
                    return Err(error);
                }
                Sent::Lost(error) => self
                    .ask_around(&id, deadline)
                    .ok_or_else(|| self.unknown(&id, envelope, &error.message))?,
            };
            if answer.status == Finality::Final {
                return self.believe(id, envelope, answer);
            }
            if answer.envelope_id != id {
                return Err(self.unknown(&id, envelope, "the node speaks of another envelope"));
            }
            if self.options.no_wait {
                let pending = |id| Outcome::bare(id, Status::Pending);
                return Ok(envelope.statement_ids().into_iter().map(pending).collect());
            }
            if Instant::now() >= deadline {
                let reason = format!("it was not final within {} s", self.options.timeout);
                return Err(self.unknown(&id, envelope, &reason));
            }
            thread::sleep(ASK_PAUSE);
        }
    }

    /// Asks all nodes after an envelope that may have reached one of them.
    fn ask_around(&self, id: &EnvelopeId, deadline: Instant) -> Option<EnvelopeAnswer> {
        let end = deadline.min(Instant::now() + LOST_ASK_MAX);
        loop {
            let answers = self
                .client
                .nodes()
                .iter()
                .filter_map(|node| self.client.envelope_at(node, id).ok());
            for answer in answers {
                if answer.status == Finality::Final {
                    return Some(answer);
                }
            }
            if Instant::now() >= end {
                return None;
            }
            thread::sleep(ASK_PAUSE);
        }
    }

    /// Checks a final answer against the envelope, receipt by receipt, and keeps the receipts.
    fn believe(
        &self,
        id: EnvelopeId,
        envelope: &Envelope,
        answer: EnvelopeAnswer,
    ) -> Result<Vec<Outcome>, CliError> {
        let wrong = |reason: &str| {
            self.unknown(
                &id,
                envelope,
                &format!("the node's answer is not to be believed: {reason}"),
            )
        };
        let answers = answer.outcomes.unwrap_or_default();
        let ids = envelope.statement_ids();
        if answer.envelope_id != id || !answers.iter().map(|a| a.statement_id).eq(ids) {
            return Err(wrong("it speaks of other statements"));
        }
        // All or nothing: one bad receipt and none is kept.
        let mut verified: BTreeMap<StatementId, (Receipt, Entry)> = BTreeMap::new();
        for answer in &answers {
            if answer.status == Finality::Final {
                let checked = self.check(&id, answer).map_err(|reason| {
                    wrong(&format!("statement {}: {reason}", answer.statement_id))
                })?;
                verified.insert(answer.statement_id, checked);
            } else if answer.status != Finality::Refused {
                return Err(wrong("a statement is neither recorded nor refused"));
            }
        }
        self.remember(envelope, verified.values().map(|(_, entry)| entry))?;
        let mut outcomes = Vec::with_capacity(answers.len());
        for answer in answers {
            let statement = answer.statement_id;
            outcomes.push(match verified.remove(&statement) {
                Some((receipt, entry)) => {
                    let path = match self.vault.receipt(&statement, self.verifier)? {
                        Some((path, _)) => path,
                        None => self.vault.keep_receipt(&statement, &receipt)?,
                    };
                    Outcome::recorded(statement, &entry, path, answer.duplicate)
                }
                None => Outcome {
                    height: answer.height,
                    rule: answer.rule.as_deref().map(printable),
                    message: answer.message.as_deref().map(printable),
                    ..Outcome::bare(statement, Status::Refused)
                },
            });
        }
        self.vault.forget_envelope(&id)?;
        Ok(outcomes)
    }

    /// From now on, only nodes that have these entries are asked for what there is.
    fn remember<'e>(
        &self,
        envelope: &Envelope,
        entries: impl Iterator<Item = &'e Entry>,
    ) -> Result<(), CliError> {
        let Some(last) = entries.map(|entry| entry.sequence.0).max() else {
            return Ok(());
        };
        let known = self.vault.keep_known(Extent {
            chain_id: envelope.chain_id,
            entries: last.saturating_add(1),
        })?;
        self.client.knows(known);
        Ok(())
    }

    /// Verifies one receipt: it holds, and it is of this statement.
    fn check(&self, id: &EnvelopeId, answer: &OutcomeAnswer) -> Result<(Receipt, Entry), String> {
        let text = answer.receipt.as_deref().ok_or("there is no receipt")?;
        let receipt = Receipt::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        let entry = self
            .verifier
            .entry_of(&answer.statement_id, &receipt)
            .map_err(|reason| format!("the receipt does not hold: {reason}"))?;
        let of_this = recorded(&entry).is_some_and(|said| said.envelope_id == *id);
        if !answer.duplicate && !of_this {
            return Err("the receipt is of another envelope".into());
        }
        Ok((receipt, entry))
    }

    fn unknown(&self, id: &EnvelopeId, envelope: &Envelope, reason: &str) -> CliError {
        let mut statements: Vec<String> = envelope
            .statement_ids()
            .iter()
            .take(3)
            .map(ToString::to_string)
            .collect();
        if envelope.statements.len() > statements.len() {
            statements.push(format!(
                "{} more",
                envelope.statements.len() - statements.len()
            ));
        }
        CliError::unknown(format!(
            "it is not known what became of envelope {id} (statements {}): {reason}",
            statements.join(", ")
        ))
        .about(id)
        .hint(format!(
            "run the same command again: it is safe, nothing is recorded twice; the envelope is \
             kept in {}",
            self.vault.envelope_path(id).display()
        ))
    }
}
