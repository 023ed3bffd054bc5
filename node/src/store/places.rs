//! Where entries are that belong to a stream or speak of a thing: the indexes' keys, in order.

use jangbu_ledger::id::{Sequence, SubjectId};
use jangbu_replica::store::{StoreError, StreamSide};
use rocksdb::DBRawIterator;

use super::column::{self, Column};
use super::open::store_error;
use super::reader::Reader;

/// Where to go on in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPosition {
    /// The subject.
    pub subject: SubjectId,
    /// Which of its streams.
    pub side: StreamSide,
    /// Only entries after this one.
    pub after: Option<Sequence>,
}

impl Reader {
    /// At most `limit` positions of a stream's entries, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they cannot be read; so do all methods below.
    pub fn stream(
        &self,
        position: StreamPosition,
        limit: usize,
    ) -> Result<Vec<Sequence>, StoreError> {
        let prefix = column::stream_prefix(&position.subject, position.side);
        let first = match position.after {
            None => Sequence(0),
            Some(Sequence(u64::MAX)) => return Ok(Vec::new()),
            Some(after) => after.next(),
        };
        let start = column::stream_key(&position.subject, position.side, first);
        self.positions(Column::Streams, &prefix, &start, limit)
    }

    /// At most `limit` positions of entries after `after` that say of another subject that it
    /// contains this one, is one of it or was made of it; or of a use that it went in, came out or
    /// covered it.
    pub fn used_in(
        &self,
        component: &SubjectId,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Sequence>, StoreError> {
        let first = match after {
            None => Sequence(0),
            Some(Sequence(u64::MAX)) => return Ok(Vec::new()),
            Some(after) => after.next(),
        };
        let start = column::used_in_key(component, first);
        self.positions(Column::UsedIn, &component.0, &start, limit)
    }

    /// The first positions, at most `limit`, of each of these subjects' streams; `subjects` best in
    /// ascending order.
    pub fn streams(
        &self,
        subjects: &[SubjectId],
        side: StreamSide,
        limit: usize,
    ) -> Result<Vec<Vec<Sequence>>, StoreError> {
        let prefixes = subjects
            .iter()
            .map(|subject| column::stream_prefix(subject, side));
        self.positions_of_each(Column::Streams, prefixes, limit)
    }

    /// The first positions, at most `limit`, that [`Reader::used_in`] finds for each of these;
    /// `components` best in ascending order.
    pub fn used_in_each(
        &self,
        components: &[SubjectId],
        limit: usize,
    ) -> Result<Vec<Vec<Sequence>>, StoreError> {
        let prefixes = components.iter().map(|component| component.0);
        self.positions_of_each(Column::UsedIn, prefixes, limit)
    }

    /// With one iterator for all: making one costs more than moving it.
    fn positions_of_each(
        &self,
        column: Column,
        prefixes: impl Iterator<Item = impl AsRef<[u8]>>,
        limit: usize,
    ) -> Result<Vec<Vec<Sequence>>, StoreError> {
        let mut at = self.db().raw_iterator_cf(self.family(column)?);
        prefixes
            .map(|prefix| positions(&mut at, prefix.as_ref(), prefix.as_ref(), limit))
            .collect()
    }

    fn positions(
        &self,
        column: Column,
        prefix: &[u8],
        start: &[u8],
        limit: usize,
    ) -> Result<Vec<Sequence>, StoreError> {
        let mut at = self.db().raw_iterator_cf(self.family(column)?);
        positions(&mut at, prefix, start, limit)
    }
}

/// At most `limit` numbers at the ends of the keys that begin with `prefix`, from `start` on.
fn positions(
    at: &mut DBRawIterator<'_>,
    prefix: &[u8],
    start: &[u8],
    limit: usize,
) -> Result<Vec<Sequence>, StoreError> {
    let mut found = Vec::new();
    at.seek(start);
    while let Some(key) = at.key().filter(|key| key.starts_with(prefix)) {
        if found.len() >= limit {
            break;
        }
        found.push(Sequence(column::counter(key)?));
        at.next();
    }
    at.status().map_err(store_error)?;
    Ok(found)
}
