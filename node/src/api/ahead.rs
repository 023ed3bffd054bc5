//! What a walk will ask for next, looked up together: one look-up of many keys costs a fraction of
//! many look-ups.
//!
//! Nothing depends on it but the time: what was not looked up ahead is looked up when it is asked for.

use std::collections::BTreeMap;

use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::id::{ChainId, Sequence, StatementId, SubjectId};
use jangbu_ledger::state::{StateError, StateReader, key};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::Kind;
use jangbu_replica::store::StoreError;

use crate::store::{Reader, StateAt, View};

/// Most entries looked up ahead: some 64 MiB if all are as large as can be.
const ENTRIES_MAX: usize = 1024;

/// Which state is shown.
enum Shown<'a> {
    /// The last one.
    Now(View<'a>),
    /// That of a height.
    At(StateAt<'a>),
}

/// A view of the ledger, and what was looked up of it.
pub(super) struct Ahead<'a> {
    reader: &'a Reader,
    shown: Shown<'a>,
    positions: BTreeMap<SubjectId, Vec<Sequence>>,
    entries: BTreeMap<Sequence, Vec<u8>>,
    records: BTreeMap<StateKey, Option<Vec<u8>>>,
}

impl<'a> Ahead<'a> {
    /// The ledger as it is; nothing was looked up yet.
    pub(super) fn now(reader: &'a Reader) -> Self {
        Self::of(reader, Shown::Now(reader.view()))
    }

    /// The ledger as it was.
    pub(super) const fn at(reader: &'a Reader, state: StateAt<'a>) -> Self {
        Self::of(reader, Shown::At(state))
    }

    const fn of(reader: &'a Reader, shown: Shown<'a>) -> Self {
        Self {
            reader,
            shown,
            positions: BTreeMap::new(),
            entries: BTreeMap::new(),
            records: BTreeMap::new(),
        }
    }

    /// Looks up what following these things will ask for, and forgets what was looked up before:
    /// the things themselves, the entries at the places that `positions` finds for each, and how the
    /// component links and transformations in those entries stand.
    pub(super) fn look(
        &mut self,
        chain: &ChainId,
        things: &[SubjectId],
        positions: impl Fn(&SubjectId) -> Result<Vec<Sequence>, StoreError>,
    ) -> Result<(), StoreError> {
        self.positions.clear();
        self.entries.clear();
        self.records.clear();
        let mut keys: Vec<StateKey> = things.iter().map(key::subject).collect();
        let mut wanted = Vec::new();
        for thing in things {
            let found = positions(thing)?;
            let room = ENTRIES_MAX.saturating_sub(wanted.len());
            wanted.extend(found.iter().take(room));
            self.positions.insert(*thing, found);
        }
        wanted.sort_unstable();
        wanted.dedup();
        let found = self.reader.entries_at(&wanted)?;
        for (sequence, bytes) in wanted.into_iter().zip(found) {
            let Some(bytes) = bytes else { continue };
            // What does not decode is named when it is asked for.
            if let Ok(entry) = Entry::decode(&bytes)
                && let EntryBody::Statement(said) = &entry.body
            {
                let id = || said.statement.id(chain, &said.member);
                match said.statement.kind {
                    Kind::ComponentLinked { .. } => keys.push(key::link(&id())),
                    Kind::Transformed { .. } => keys.push(key::transformation(&id())),
                    _ => {}
                }
            }
            self.entries.insert(sequence, bytes);
        }
        if let Shown::Now(view) = &self.shown {
            keys.sort_unstable();
            keys.dedup();
            let records = view.records(&keys)?;
            self.records.extend(keys.into_iter().zip(records));
        }
        Ok(())
    }

    /// Whether an entry came after what is shown.
    pub(super) fn is_beyond(&self, sequence: Sequence) -> bool {
        match &self.shown {
            Shown::Now(_) => false,
            Shown::At(state) => sequence.0 >= state.size(),
        }
    }

    fn state(&self) -> &dyn StateReader {
        match &self.shown {
            Shown::Now(view) => view,
            Shown::At(state) => state,
        }
    }

    /// Where a thing's links may be, if that was looked up.
    pub(super) fn positions(&self, thing: &SubjectId) -> Option<Vec<Sequence>> {
        self.positions.get(thing).cloned()
    }

    /// An entry's bytes.
    pub(super) fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        match self.entries.get(&sequence) {
            Some(bytes) => Ok(Some(bytes.clone())),
            None => self.reader.entry(sequence),
        }
    }
}

impl StateReader for Ahead<'_> {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        match self.records.get(key) {
            Some(found) => Ok(found.clone()),
            None => self.state().record(key),
        }
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.state().recorded(id)
    }
}
