//! The ledger as it is, or was after a block, read many things at a time: one look-up of many keys
//! costs a fraction of many look-ups, in the order of the keys above all, and two threads make two
//! processors do it.

use std::thread;

use jangbu_ledger::block::{Entry, EntryBody, RecordedStatement};
use jangbu_ledger::id::{Height, Sequence, StatementId};
use jangbu_ledger::state::{
    LinkRecord, StateError, StateReader, SubjectRecord, TransformationRecord, decode_record, key,
};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::Kind;
use jangbu_replica::store::StoreError;

use super::super::Node;
use super::super::item;
use super::super::problem::Problem;
use super::walk::Reached;
use crate::store::{StateAt, View};

/// Entries looked up together.
const ENTRIES: usize = 1024;
/// Entries that one thread reads at once, in bytes; the last [`ENTRIES`] may go beyond it.
const ENTRIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// So many things, or fewer, are looked up by one thread.
const ALONE_MAX: usize = 64;

/// Which state is read.
enum State<'a> {
    /// The last one.
    Now(View<'a>),
    /// That of a height.
    At(StateAt<'a>),
}

/// A statement where it was recorded.
pub(super) struct Said {
    /// Where.
    pub(super) at: Sequence,
    /// Its id.
    pub(super) id: StatementId,
    /// What was said, and by whom.
    pub(super) recorded: RecordedStatement,
    /// The record of [`standing_key`], if that was looked up.
    stands: Option<Option<Vec<u8>>>,
}

/// How what a statement states stands, as rules have it.
pub(super) enum Stands {
    /// A component link.
    Link(LinkRecord),
    /// A transformation.
    Transformation(TransformationRecord),
    /// There is no record of it.
    AsSaid,
}

/// The ledger as it is, or was after a block.
pub(super) struct AsOf<'a> {
    node: &'a Node,
    height: Height,
    /// Entries in the log there.
    size: u64,
    state: State<'a>,
}

impl<'a> AsOf<'a> {
    /// The ledger as it is; `None` before its first block.
    pub(super) fn now(node: &'a Node) -> Result<Option<Self>, StoreError> {
        let view = node.reader.view();
        Ok(view.tip()?.map(|tip| Self {
            node,
            height: tip.height,
            size: tip.frontier.size(),
            state: State::Now(view),
        }))
    }

    /// The ledger as it was after the block at `height`, which `state` is of.
    pub(super) const fn at(node: &'a Node, height: Height, state: StateAt<'a>) -> Self {
        Self {
            node,
            height,
            size: state.size(),
            state: State::At(state),
        }
    }

    /// The node whose ledger it is.
    pub(super) const fn node(&self) -> &'a Node {
        self.node
    }

    /// After which block.
    pub(super) const fn height(&self) -> Height {
        self.height
    }

    /// Whether an entry came after what is shown.
    pub(super) const fn is_beyond(&self, sequence: Sequence) -> bool {
        sequence.0 >= self.size
    }

    /// What is said at these places, in ascending order, as far as there is room, with how it
    /// stands.
    pub(super) fn said_at(&self, wanted: &[Sequence]) -> Result<Vec<Said>, StoreError> {
        let (mut said, mut room) = (Vec::with_capacity(wanted.len()), ENTRIES_BYTES_MAX);
        for wanted in wanted.chunks(ENTRIES) {
            if room == 0 {
                break;
            }
            let found = self.node.reader.entries_at(wanted)?;
            for (at, bytes) in wanted.iter().zip(found) {
                room = room.saturating_sub(bytes.as_ref().map_or(0, Vec::len));
                // What is missing or does not decode is named when it is asked for.
                let entry = bytes.and_then(|bytes| Entry::decode(&bytes).ok());
                said.extend(entry.and_then(|entry| self.said_in(*at, entry)));
            }
        }
        if let State::Now(view) = &self.state {
            let stands = said.iter_mut().filter_map(|said| {
                let key = standing_key(&said.recorded, &said.id)?;
                Some((key, &mut said.stands))
            });
            let mut stands: Vec<_> = stands.collect();
            stands.sort_unstable_by_key(|(key, _)| *key);
            let keys: Vec<StateKey> = stands.iter().map(|(key, _)| *key).collect();
            for ((_, stands), record) in stands.into_iter().zip(view.records(&keys)?) {
                *stands = Some(record);
            }
        }
        Ok(said)
    }

    fn said_in(&self, at: Sequence, entry: Entry) -> Option<Said> {
        match entry.body {
            EntryBody::Statement(recorded) => Some(Said {
                at,
                id: recorded
                    .statement
                    .id(&self.node.consortium.chain_id, &recorded.member),
                recorded: *recorded,
                stands: None,
            }),
            EntryBody::Seal(_) => None,
        }
    }

    /// The statement at a place that an index names.
    pub(super) fn said(&self, at: Sequence) -> Result<Said, Problem> {
        let missing = || item::missing(at);
        let bytes = self.node.reader.entry(at)?.ok_or_else(missing)?;
        let entry = item::decode(at, &bytes)?;
        self.said_in(at, entry).ok_or_else(missing)
    }

    /// How the component link or the transformation that a statement states stands.
    pub(super) fn stands(&self, said: &Said) -> Result<Stands, Problem> {
        let Some(key) = standing_key(&said.recorded, &said.id) else {
            return Ok(Stands::AsSaid);
        };
        let looked_up;
        let bytes = match &said.stands {
            Some(bytes) => bytes.as_deref(),
            None => {
                looked_up = self.state().record(&key)?;
                looked_up.as_deref()
            }
        };
        Ok(match (bytes, &said.recorded.statement.kind) {
            (None, _) => Stands::AsSaid,
            (Some(bytes), Kind::Transformed { .. }) => {
                Stands::Transformation(decode_record(bytes)?)
            }
            (Some(bytes), _) => Stands::Link(decode_record(bytes)?),
        })
    }

    /// What is made of these things and what they are; for each, in their order.
    pub(super) fn subjects<T: Send>(
        &self,
        things: &[Reached],
        make: impl Fn(&Reached, Option<SubjectRecord>) -> Result<T, Problem> + Sync,
    ) -> Result<Vec<T>, Problem> {
        in_two(things, |things| {
            let (keys, order) = sorted(things.iter().map(|thing| key::subject(&thing.id)));
            let records = match &self.state {
                State::Now(view) => view.records(&keys)?,
                State::At(state) => {
                    let each = keys.iter().map(|key| state.record(key));
                    each.collect::<Result<_, StateError>>()?
                }
            };
            let records = in_their_order(order, records);
            let each = things.iter().zip(records);
            each.map(|(thing, record)| {
                make(thing, record.as_deref().map(decode_record).transpose()?)
            })
            .collect()
        })
    }

    /// The state that is shown.
    pub(super) fn state(&self) -> &dyn StateReader {
        match &self.state {
            State::Now(view) => view,
            State::At(state) => state,
        }
    }
}

/// Where the record is that says how what is stated here stands.
fn standing_key(recorded: &RecordedStatement, id: &StatementId) -> Option<StateKey> {
    match recorded.statement.kind {
        Kind::ComponentLinked { .. } => Some(key::link(id)),
        Kind::Transformed { .. } => Some(key::transformation(id)),
        _ => None,
    }
}

/// Keys in ascending order, and for each its number before.
pub(super) fn sorted<K: Ord>(keys: impl Iterator<Item = K>) -> (Vec<K>, Vec<usize>) {
    let mut numbered: Vec<(K, usize)> = keys.zip(0..).collect();
    numbered.sort_unstable();
    numbered.into_iter().unzip()
}

/// What was found for sorted keys, in the order that they had before.
pub(super) fn in_their_order<T>(order: Vec<usize>, found: Vec<T>) -> Vec<T> {
    let mut numbered: Vec<(usize, T)> = order.into_iter().zip(found).collect();
    numbered.sort_unstable_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, found)| found).collect()
}

/// Makes something of each of a list, in its order, on two processors if it is worth it.
pub(super) fn in_two<T, R, E>(
    list: &[T],
    make: impl Fn(&[T]) -> Result<Vec<R>, E> + Sync,
) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    if list.len() <= ALONE_MAX {
        return make(list);
    }
    let (low, high) = list.split_at(list.len() / 2);
    thread::scope(|scope| {
        // A system without room for another thread has this one.
        let beside = thread::Builder::new().spawn_scoped(scope, || make(high));
        let mut made = make(low)?;
        made.extend(match beside {
            Ok(beside) => match beside.join() {
                Ok(made) => made?,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Err(_) => make(high)?,
        });
        Ok(made)
    })
}
