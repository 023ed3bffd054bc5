//! Reading the database: what the replica and the HTTP tasks ask of it.

use std::sync::Arc;

use jangbu_ledger::codec;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{ChainId, EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::merkle::{NodeHash, NodeReader};
use jangbu_ledger::state::{StateError, StateReader};
use jangbu_ledger::state_tree::{StateKey, StateNodes, StateTreeError};
use jangbu_replica::message::MESSAGE_BYTES_MAX;
use jangbu_replica::store::{FinalCheckpoint, StoreError, StoredBlock, Tip};
use rocksdb::{ColumnFamily, DB, Direction, IteratorMode, ReadOptions, Snapshot};

use super::column::{self, Column, StoredOutcomes, undecodable};
use super::open::store_error;
use super::prune;

/// Largest encoding of a tip or of a final checkpoint, in bytes; both have a few hashes or
/// signatures.
pub(super) const SMALL_BYTES_MAX: usize = 64 * 1024;

/// Bytes read at once by [`Reader::scan`].
const SCAN_READAHEAD_BYTES: usize = 2 * 1024 * 1024;

/// A key and its value.
pub(super) type Item = (Box<[u8]>, Box<[u8]>);

/// Read access for many threads; clones share one database.
#[derive(Clone)]
pub struct Reader {
    db: Arc<DB>,
}

/// All reads through it see the ledger after the same block.
pub struct View<'a> {
    reader: &'a Reader,
    snapshot: Snapshot<'a>,
}

/// The state as it was after some block.
#[derive(Debug)]
pub struct StateAt<'a> {
    reader: &'a Reader,
    height: Height,
    /// Entries in the log there.
    size: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(db: DB) -> Self {
        Self { db: Arc::new(db) }
    }

    pub(super) fn db(&self) -> &DB {
        &self.db
    }

    pub(super) fn family(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        self.db.cf_handle(column.name()).ok_or_else(|| {
            StoreError::Corrupt(format!("the column family {} is missing", column.name()))
        })
    }

    pub(super) fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db
            .get_cf(self.family(column)?, key)
            .map_err(store_error)
    }

    pub(super) fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Column::Meta, key)
    }

    /// Everything in a column, in the order of its keys.
    pub(super) fn all(
        &self,
        column: Column,
    ) -> impl Iterator<Item = Result<Item, StoreError>> + '_ {
        self.iterate(column, IteratorMode::Start)
    }

    /// Everything in a column, read from the tables once and not kept in memory.
    pub(super) fn scan(
        &self,
        column: Column,
    ) -> impl Iterator<Item = Result<Item, StoreError>> + '_ {
        self.iterate_with(column, scan_options(), IteratorMode::Start)
    }

    /// The same from `start` on.
    pub(super) fn scan_from<'a>(
        &'a self,
        column: Column,
        start: &[u8],
    ) -> impl Iterator<Item = Result<Item, StoreError>> + use<'a> {
        let mode = IteratorMode::From(start, Direction::Forward);
        self.iterate_with(column, scan_options(), mode)
    }

    /// What is at `start` or after it.
    pub(super) fn from<'a>(
        &'a self,
        column: Column,
        start: &[u8],
    ) -> impl Iterator<Item = Result<Item, StoreError>> + use<'a> {
        self.iterate(column, IteratorMode::From(start, Direction::Forward))
    }

    /// What is at `start` or before it, last first.
    fn back_from<'a>(
        &'a self,
        column: Column,
        start: &[u8],
    ) -> impl Iterator<Item = Result<Item, StoreError>> + use<'a> {
        self.iterate(column, IteratorMode::From(start, Direction::Reverse))
    }

    fn iterate<'a>(
        &'a self,
        column: Column,
        mode: IteratorMode<'_>,
    ) -> impl Iterator<Item = Result<Item, StoreError>> + use<'a> {
        self.iterate_with(column, ReadOptions::default(), mode)
    }

    fn iterate_with<'a>(
        &'a self,
        column: Column,
        options: ReadOptions,
        mode: IteratorMode<'_>,
    ) -> impl Iterator<Item = Result<Item, StoreError>> + use<'a> {
        let (missing, found) = match self.family(column) {
            Ok(family) => (None, Some(self.db.iterator_cf_opt(family, options, mode))),
            Err(error) => (Some(Err(error)), None),
        };
        let found = found
            .into_iter()
            .flatten()
            .map(|item| item.map_err(store_error));
        missing.into_iter().chain(found)
    }

    pub(super) fn first_key(&self, column: Column) -> Result<Option<Box<[u8]>>, StoreError> {
        self.all(column)
            .next()
            .map(|item| item.map(|(key, _)| key))
            .transpose()
    }

    pub(super) fn last_key(&self, column: Column) -> Result<Option<Box<[u8]>>, StoreError> {
        let mut found = self.iterate(column, IteratorMode::End);
        found
            .next()
            .map(|item| item.map(|(key, _)| key))
            .transpose()
    }

    /// Which ledger this is, as it was recorded when the database was made.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read; so do all methods below.
    pub fn chain(&self) -> Result<ChainId, StoreError> {
        self.meta(column::META_CHAIN)?
            .and_then(|bytes| bytes.try_into().ok())
            .map(ChainId)
            .ok_or_else(|| StoreError::Corrupt("it does not say which ledger it is of".into()))
    }

    /// The committed ledger, or `None` before the genesis block.
    pub fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.meta(column::META_TIP)?
            .map(|bytes| decode_tip(&bytes))
            .transpose()
    }

    /// A committed block.
    pub fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        self.get(Column::Blocks, &height.0.to_be_bytes())?
            .map(|bytes| codec::decode(&bytes, MESSAGE_BYTES_MAX).map_err(undecodable("a block")))
            .transpose()
    }

    /// What became of a committed envelope, and in which block.
    pub fn decided(&self, id: &EnvelopeId) -> Result<Option<(Height, Vec<Outcome>)>, StoreError> {
        let Some(bytes) = self.get(Column::Outcomes, &id.0)? else {
            return Ok(None);
        };
        let stored: StoredOutcomes = codec::decode(&bytes, StoredOutcomes::BYTES_MAX)
            .map_err(undecodable("an envelope's outcome"))?;
        Ok(Some((stored.height, stored.outcomes)))
    }

    /// What became of a committed envelope.
    pub fn outcomes(&self, id: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError> {
        Ok(self.decided(id)?.map(|(_, outcomes)| outcomes))
    }

    /// An envelope's bytes, committed or proposed.
    pub fn envelope(&self, id: &EnvelopeId) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Column::Envelopes, &id.0)
    }

    /// An entry's bytes.
    pub fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Column::Entries, &sequence.0.to_be_bytes())
    }

    /// Entries in the log after the block at `height`; `None` if there is no such block yet.
    pub fn size_at(&self, height: Height) -> Result<Option<u64>, StoreError> {
        let block = self.block(height)?;
        Ok(block.map(|stored| stored.block.header.log_size + 1))
    }

    /// The state after the block at `height`; `None` if it is not kept: not yet, or no more.
    pub fn state_at(&self, height: Height) -> Result<Option<StateAt<'_>>, StoreError> {
        let kept_from = self.tip()?.map_or(0, |tip| prune::kept_from(tip.height).0);
        let size = self.size_at(height)?;
        Ok(size.filter(|_| height.0 >= kept_from).map(|size| StateAt {
            reader: self,
            height,
            size,
        }))
    }

    /// At most `limit` entries from `from` on, with their positions.
    pub fn entries(
        &self,
        from: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Vec<u8>)>, StoreError> {
        self.from(Column::Entries, &from.0.to_be_bytes())
            .take(limit)
            .map(|item| {
                let (key, bytes) = item?;
                Ok((Sequence(column::counter(&key)?), bytes.into_vec()))
            })
            .collect()
    }

    /// Several entries' bytes, in one look-up; `sequences` in ascending order.
    pub fn entries_at(&self, sequences: &[Sequence]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let keys: Vec<[u8; 8]> = sequences.iter().map(|at| at.0.to_be_bytes()).collect();
        self.many(Column::Entries, &keys, &ReadOptions::default())
    }

    /// Values at several keys, in ascending order.
    fn many<K: AsRef<[u8]>>(
        &self,
        column: Column,
        keys: &[K],
        options: &ReadOptions,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let family = self.family(column)?;
        self.db
            .batched_multi_get_cf_opt(family, keys, true, options)
            .into_iter()
            .map(|found| match found {
                Ok(value) => Ok(value.map(|value| value.to_vec())),
                Err(error) => Err(store_error(error)),
            })
            .collect()
    }

    /// A complete subtree of the log.
    pub fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError> {
        self.get(Column::LogNodes, &column::log_node_key(level, index))?
            .map(|bytes| {
                bytes
                    .try_into()
                    .map(NodeHash)
                    .map_err(|_| StoreError::Corrupt("a node of the log has no 32 bytes".into()))
            })
            .transpose()
    }

    /// Where a statement is in the log.
    pub fn statement(&self, id: &StatementId) -> Result<Option<Sequence>, StoreError> {
        self.get(Column::Statements, &id.0)?
            .map(|bytes| column::counter(&bytes).map(Sequence))
            .transpose()
    }

    /// The first final checkpoint at or after `height`.
    pub fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.from(Column::Finals, &height.0.to_be_bytes())
            .next()
            .map(|item| decode_final(&item?.1))
            .transpose()
    }

    /// The last final checkpoint.
    pub fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.iterate(Column::Finals, IteratorMode::End)
            .next()
            .map(|item| decode_final(&item?.1))
            .transpose()
    }

    /// Reads that all see the same block.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            reader: self,
            snapshot: self.db.snapshot(),
        }
    }

    /// Bytes of the tables on disk, for the metrics.
    pub fn disk_bytes(&self) -> Result<u64, StoreError> {
        let mut sum = 0u64;
        for column in column::COLUMNS {
            let size = self
                .db
                .property_int_value_cf(
                    self.family(column)?,
                    rocksdb::properties::TOTAL_SST_FILES_SIZE,
                )
                .map_err(store_error)?;
            sum = sum.saturating_add(size.unwrap_or(0));
        }
        Ok(sum)
    }

    /// The last value of a record at `max_version` or before, with its version.
    pub(super) fn last_value(
        &self,
        key: &StateKey,
        max_version: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let start = column::value_key(key, max_version);
        match self.back_from(Column::RecordValues, &start).next() {
            None => Ok(None),
            Some(item) => {
                let (found, value) = item?;
                if !found.starts_with(&key.0) {
                    return Ok(None);
                }
                Ok(Some((column::counter(&found)?, value.into_vec())))
            }
        }
    }
}

impl View<'_> {
    /// Several records, in one look-up; `keys` in ascending order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they cannot be read.
    pub fn records(&self, keys: &[StateKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        let keys: Vec<[u8; 32]> = keys.iter().map(|key| key.0).collect();
        self.reader.many(Column::Records, &keys, &options)
    }

    /// The committed ledger, or `None` before the genesis block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.get(Column::Meta, column::META_TIP)?
            .map(|bytes| decode_tip(&bytes))
            .transpose()
    }

    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot
            .get_cf(self.reader.family(column)?, key)
            .map_err(store_error)
    }
}

impl StateReader for View<'_> {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        self.get(Column::Records, &key.0).map_err(state_error)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.get(Column::Statements, &id.0)
            .and_then(|bytes| {
                bytes
                    .map(|bytes| column::counter(&bytes).map(Sequence))
                    .transpose()
            })
            .map_err(state_error)
    }
}

impl StateAt<'_> {
    /// Entries in the log there.
    pub const fn size(&self) -> u64 {
        self.size
    }
}

impl StateReader for StateAt<'_> {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        match self.reader.last_value(key, self.height.0) {
            Ok(None) => Ok(None),
            Ok(Some((_, value))) => column::decode_value(&value).map_err(state_error),
            Err(error) => Err(state_error(error)),
        }
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        let found = self.reader.statement(id).map_err(state_error)?;
        Ok(found.filter(|sequence| sequence.0 < self.size))
    }
}

impl StateReader for Reader {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        self.get(Column::Records, &key.0).map_err(state_error)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.statement(id).map_err(state_error)
    }
}

impl StateNodes for Reader {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.get(Column::StateNodes, key).map_err(tree_error)
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        match self.last_value(key, max_version).map_err(tree_error)? {
            Some((_, value)) => column::decode_value(&value).map_err(tree_error),
            None => Ok(None),
        }
    }
}

/// The log's nodes, for roots and proofs. A node that is missing is a damaged database.
impl NodeReader for Reader {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<NodeHash, StoreError> {
        self.log_node(level, index)?.ok_or_else(|| {
            StoreError::Corrupt(format!(
                "node {index} of level {level} of the log is missing"
            ))
        })
    }
}

fn scan_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_readahead_size(SCAN_READAHEAD_BYTES);
    options
}

fn decode_tip(bytes: &[u8]) -> Result<Tip, StoreError> {
    codec::decode(bytes, SMALL_BYTES_MAX).map_err(undecodable("the tip"))
}

fn decode_final(bytes: &[u8]) -> Result<FinalCheckpoint, StoreError> {
    codec::decode(bytes, SMALL_BYTES_MAX).map_err(undecodable("a final checkpoint"))
}

fn state_error(error: StoreError) -> StateError {
    StateError(error.to_string())
}

fn tree_error(error: StoreError) -> StateTreeError {
    StateTreeError(error.to_string())
}
