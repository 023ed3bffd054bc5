//! After a crash: the running height once more, from its log.

use arc_malachitebft_core_consensus as core;
use core::Input as CoreInput;
use jangbu_ledger::id::Height;

use super::Consensus;
use crate::context::{self, Context, Value};
use crate::effect::{Effect, Fatal};
use crate::message::ConsensusMessage;
use crate::mutant::{self, Mutant};
use crate::record::Record;

impl Consensus {
    /// Feeds the log back. What the core derives again is signed as before, or the core stops;
    /// a block that it asks for is proposed exactly where it was proposed before the crash.
    pub(super) fn replay(&mut self, height: Height, records: Vec<Record>) -> Result<(), Fatal> {
        let inputs: Vec<CoreInput<Context>> = records
            .iter()
            .cloned()
            .map(|record| record.into_input().ok_or_else(|| unknown(height)))
            .collect::<Result<_, _>>()?;
        if let Some(state) = &mut self.state {
            state.record_recovered_own_precommit_extensions(&inputs);
            state.index_wal_entries(&inputs);
        }
        for (record, input) in records.into_iter().zip(inputs) {
            self.note_record(&record);
            let input = self.as_proposed_before(&record).unwrap_or(input);
            self.feed(input)?;
        }
        if let Some(state) = &mut self.state {
            state.reset_entries_index();
        }
        Ok(())
    }

    fn as_proposed_before(&mut self, record: &Record) -> Option<CoreInput<Context>> {
        let asked = self
            .host
            .asked
            .filter(|_| !mutant::is(Mutant::ProposedAnew))?;
        match record {
            Record::Value {
                height,
                round,
                valid_round: None,
                proposer,
                block_id,
                ..
            } if *round == asked && *proposer == self.host.address.0 => {
                self.host.asked = None;
                Some(CoreInput::Propose(core::LocallyProposedValue::new(
                    (*height).into(),
                    context::round(*round),
                    Value(*block_id),
                )))
            }
            _ => None,
        }
    }

    /// What our key signed before the crash, we know of.
    fn note_own(&mut self, message: &ConsensusMessage) {
        let own = self.host.address.0;
        let chain = &self.host.chain_id;
        let digest = match message {
            ConsensusMessage::Vote(signed) if signed.vote.validator == own => {
                signed.vote.signing_digest(chain)
            }
            ConsensusMessage::Proposal(signed) if signed.proposal.proposer == own => {
                signed.proposal.signing_digest(chain)
            }
            _ => return,
        };
        self.host.signed.insert(digest);
    }

    fn note_record(&mut self, record: &Record) {
        if let Record::Value { block_id, .. } = record {
            self.named.is_known(*block_id);
        }
        if let Some(message) = record.message() {
            self.note_own(&message);
            // The core took it in then, so it was not too far ahead.
            self.named.note(&message, u32::MAX);
            let found = self.watch.note(&message, u32::MAX);
            let effects = &mut self.host.effects;
            effects.extend(found.into_iter().map(Effect::Evidence));
        }
    }
}

fn unknown(height: Height) -> Fatal {
    Fatal(format!(
        "the log of height {height} holds an unknown record"
    ))
}
