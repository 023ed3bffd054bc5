//! What a walk will ask for next, looked up together: one look-up of many keys costs a fraction of
//! many look-ups, in the order of the keys above all, and two threads make two processors do it.
//!
//! Nothing depends on it but the time: what was not looked up ahead is looked up when it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use jangbu_ledger::block::{Entry, EntryBody, RecordedStatement};
use jangbu_ledger::id::{ChainId, Height, Sequence, StatementId, SubjectId};
use jangbu_ledger::state::{StateError, StateReader, SubjectRecord, decode_record, key};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::Kind;
use jangbu_replica::store::StoreError;

use super::item;
use super::problem::Problem;
use crate::store::{Reader, StateAt, View};

/// Entries looked up together.
const ENTRIES: usize = 1024;
/// Entries kept ahead, in bytes; the last [`ENTRIES`] may go beyond it.
const ENTRIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Fewer things than this are looked up by one thread.
const ALONE_MAX: usize = 64;

/// Which state is shown.
enum Shown<'a> {
    /// The last one.
    Now(View<'a>),
    /// That of a height.
    At(StateAt<'a>),
}

/// A statement where it was recorded.
pub(super) struct Said {
    /// Its id.
    pub(super) id: StatementId,
    /// What was said, and by whom.
    pub(super) recorded: RecordedStatement,
}

impl Said {
    fn in_entry(chain: &ChainId, entry: Entry) -> Option<Self> {
        match entry.body {
            EntryBody::Statement(recorded) => Some(Self {
                id: recorded.statement.id(chain, &recorded.member),
                recorded: *recorded,
            }),
            EntryBody::Seal(_) => None,
        }
    }
}

/// What was looked up of some things.
#[derive(Default)]
struct Found {
    positions: BTreeMap<SubjectId, Vec<Sequence>>,
    said: BTreeMap<Sequence, Arc<Said>>,
    records: BTreeMap<StateKey, Option<Vec<u8>>>,
}

/// A view of the ledger, and what was looked up of it.
pub(super) struct Ahead<'a> {
    reader: &'a Reader,
    chain: ChainId,
    height: Height,
    /// Entries in the log there.
    size: u64,
    shown: Shown<'a>,
    found: Found,
}

impl<'a> Ahead<'a> {
    /// The ledger as it is; `None` before its first block. Nothing was looked up yet.
    pub(super) fn now(reader: &'a Reader, chain: ChainId) -> Result<Option<Self>, StoreError> {
        let view = reader.view();
        Ok(view.tip()?.map(|tip| Self {
            reader,
            chain,
            height: tip.height,
            size: tip.frontier.size(),
            shown: Shown::Now(view),
            found: Found::default(),
        }))
    }

    /// The ledger as it was after the block at `height`, which `state` is of.
    pub(super) fn at(
        reader: &'a Reader,
        chain: ChainId,
        height: Height,
        state: StateAt<'a>,
    ) -> Self {
        Self {
            reader,
            chain,
            height,
            size: state.size(),
            shown: Shown::At(state),
            found: Found::default(),
        }
    }

    /// After which block.
    pub(super) const fn height(&self) -> Height {
        self.height
    }

    /// Looks up what following these things will ask for, and forgets what was looked up before:
    /// the statements at the places that `positions` finds for each, and how the component links
    /// and transformations in them stand. `positions` answers for each of what it is given.
    pub(super) fn look(
        &mut self,
        mut things: Vec<SubjectId>,
        positions: impl Fn(&[SubjectId]) -> Result<Vec<Vec<Sequence>>, StoreError> + Sync,
    ) -> Result<(), StoreError> {
        things.sort_unstable();
        things.dedup();
        let (low, high) = in_two(&things, |things| self.spoken(things, positions(things)?))?;
        self.found = low;
        self.found.positions.extend(high.positions);
        self.found.said.extend(high.said);
        self.found.records.extend(high.records);
        Ok(())
    }

    /// What is said at these places, as far as there is room, and how it stands.
    fn spoken(
        &self,
        things: &[SubjectId],
        positions: Vec<Vec<Sequence>>,
    ) -> Result<Found, StoreError> {
        let mut wanted: Vec<Sequence> = positions.iter().flatten().copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let (mut said, mut keys, mut room) = (BTreeMap::new(), Vec::new(), ENTRIES_BYTES_MAX);
        for wanted in wanted.chunks(ENTRIES) {
            if room == 0 {
                break;
            }
            let found = self.reader.entries_at(wanted)?;
            for (sequence, bytes) in wanted.iter().zip(found) {
                room = room.saturating_sub(bytes.as_ref().map_or(0, Vec::len));
                // What is missing or does not decode is named when it is asked for.
                let decoded = bytes.and_then(|bytes| Entry::decode(&bytes).ok());
                let Some(found) = decoded.and_then(|entry| Said::in_entry(&self.chain, entry))
                else {
                    continue;
                };
                match found.recorded.statement.kind {
                    Kind::ComponentLinked { .. } => keys.push(key::link(&found.id)),
                    Kind::Transformed { .. } => keys.push(key::transformation(&found.id)),
                    _ => {}
                }
                said.insert(*sequence, Arc::new(found));
            }
        }
        let records = match &self.shown {
            Shown::Now(view) => {
                keys.sort_unstable();
                let records = view.records(&keys)?;
                keys.into_iter().zip(records).collect()
            }
            Shown::At(_) => BTreeMap::new(),
        };
        Ok(Found {
            positions: things.iter().copied().zip(positions).collect(),
            said,
            records,
        })
    }

    /// What these things are; for each, in their order.
    pub(super) fn subjects(
        &self,
        things: &[SubjectId],
    ) -> Result<Vec<Option<SubjectRecord>>, StateError> {
        let mut keys: Vec<StateKey> = things.iter().map(key::subject).collect();
        keys.sort_unstable();
        let (mut records, more) = in_two(&keys, |keys| {
            let records = match &self.shown {
                Shown::Now(view) => view
                    .records(keys)
                    .map_err(|error| StateError(error.to_string()))?,
                Shown::At(state) => {
                    let each = keys.iter().map(|key| state.record(key));
                    each.collect::<Result<_, _>>()?
                }
            };
            let decoded = keys.iter().zip(records).map(|(key, record)| {
                let record = record.map(|bytes| decode_record(&bytes)).transpose()?;
                Ok((*key, record))
            });
            decoded.collect::<Result<BTreeMap<StateKey, Option<SubjectRecord>>, StateError>>()
        })?;
        records.extend(more);
        let each = things.iter().map(|thing| records.get(&key::subject(thing)));
        Ok(each.map(|record| record.cloned().flatten()).collect())
    }

    /// Whether an entry came after what is shown.
    pub(super) const fn is_beyond(&self, sequence: Sequence) -> bool {
        sequence.0 >= self.size
    }

    fn state(&self) -> &dyn StateReader {
        match &self.shown {
            Shown::Now(view) => view,
            Shown::At(state) => state,
        }
    }

    /// Where a thing's links may be, if that was looked up.
    pub(super) fn positions(&self, thing: &SubjectId) -> Option<Vec<Sequence>> {
        self.found.positions.get(thing).cloned()
    }

    /// The statement at a place that an index names.
    pub(super) fn said(&self, sequence: Sequence) -> Result<Arc<Said>, Problem> {
        if let Some(said) = self.found.said.get(&sequence) {
            return Ok(Arc::clone(said));
        }
        let missing = || item::missing(sequence);
        let bytes = self.reader.entry(sequence)?.ok_or_else(missing)?;
        let entry = item::decode(sequence, &bytes)?;
        let said = Said::in_entry(&self.chain, entry).ok_or_else(missing)?;
        Ok(Arc::new(said))
    }
}

impl StateReader for Ahead<'_> {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        match self.found.records.get(key) {
            Some(found) => Ok(found.clone()),
            None => self.state().record(key),
        }
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.state().recorded(id)
    }
}

/// Does something for each half of a list, sorted or not, on two processors if it is worth it.
fn in_two<T, R, E>(list: &[T], make: impl Fn(&[T]) -> Result<R, E> + Sync) -> Result<(R, R), E>
where
    T: Sync,
    R: Default + Send,
    E: Send,
{
    if list.len() <= ALONE_MAX {
        return Ok((make(list)?, R::default()));
    }
    let (low, high) = list.split_at(list.len() / 2);
    thread::scope(|scope| {
        // A system without room for another thread has this one.
        let beside = thread::Builder::new().spawn_scoped(scope, || make(high));
        let low = make(low)?;
        let high = match beside {
            Ok(beside) => match beside.join() {
                Ok(made) => made?,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Err(_) => make(high)?,
        };
        Ok((low, high))
    })
}
