//! How often each member was refused or cut off, and for what.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use libp2p::PeerId;

use super::Fault;

/// One counter of [`super::MeshHandle::refusals`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who; `None` for everybody who is no member.
    pub peer: Option<PeerId>,
    /// For what: [`Fault::name`].
    pub reason: &'static str,
    /// How often since the start.
    pub count: u64,
}

/// The counters: members only, times the kinds of fault.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<(Option<PeerId>, &'static str), u64>>);

impl Refusals {
    pub(super) fn count(&self, member: Option<PeerId>, fault: &Fault) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((member, fault.name())).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn all(&self) -> Vec<Refusal> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = |(key, count): (&(Option<PeerId>, &'static str), &u64)| Refusal {
            peer: key.0,
            reason: key.1,
            count: *count,
        };
        counts.iter().map(refusal).collect()
    }
}
