//! A client that hands in envelopes and, as a real one does, hands one in again when the node
//! that took it went away before the envelope was on the ledger. While that node lives, it
//! trusts it.

use std::collections::{BTreeMap, BTreeSet};

use jangbu_ledger::id::EnvelopeId;

/// What the client knows of its envelopes.
#[derive(Debug, Default)]
pub(super) struct Client {
    numbers: BTreeMap<EnvelopeId, u64>,
    /// Handed to this member, not known to be on the ledger.
    waiting: BTreeMap<u64, usize>,
    on_the_ledger: BTreeSet<u64>,
    accepted: BTreeSet<EnvelopeId>,
}

impl Client {
    /// An envelope is handed to a member.
    pub(super) fn hands_in(&mut self, number: u64, id: EnvelopeId, member: usize) {
        self.numbers.insert(id, number);
        // The member may not know yet what another has committed.
        if !self.on_the_ledger.contains(&number) {
            self.waiting.insert(number, member);
        }
    }

    /// The member said that it keeps it.
    pub(super) fn accepted(&mut self, id: EnvelopeId) {
        // Not one whose execution panics: it is promised to nobody.
        if self.numbers.contains_key(&id) {
            self.accepted.insert(id);
        }
    }

    /// A block orders these envelopes.
    pub(super) fn committed(&mut self, ids: &[EnvelopeId]) {
        for number in ids.iter().filter_map(|id| self.numbers.get(id)) {
            self.waiting.remove(number);
            self.on_the_ledger.insert(*number);
        }
    }

    /// What the member that went away held; it must be handed in again.
    pub(super) fn lost_with(&mut self, member: usize) -> Vec<u64> {
        let lost: Vec<u64> = self
            .waiting
            .iter()
            .filter(|(_, holder)| **holder == member)
            .map(|(number, _)| *number)
            .collect();
        for number in &lost {
            self.waiting.insert(*number, usize::MAX);
        }
        lost
    }

    /// Envelopes that are not on the ledger yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Every envelope that some member said it keeps.
    pub(super) fn all_accepted(&self) -> impl Iterator<Item = &EnvelopeId> {
        self.accepted.iter()
    }
}
