//! The replica's [`Store`] on RocksDB: one column family per kind of data, one synced write
//! batch per step.
//!
//! ```text
//!   replica thread ──▶ RocksStore (the only writer) ──┐
//!                                                     ├──▶ one RocksDB
//!   HTTP tasks ──────▶ Reader (clones, read-only) ────┘
//! ```
//!
//! Invariants:
//! - [`Store::append`] and [`Store::commit`] are one write batch each, synced before they
//!   return: a crash leaves all of it or nothing;
//! - the batch that commits a height also drops what was logged and proposed for it;
//! - a database that does not open cleanly, ends before a write that was synced, or whose last
//!   block contradicts itself, is refused and never served or signed from.

mod check;
mod column;
mod fsck;
mod mark;
mod open;
#[cfg(test)]
pub(crate) mod peek;
mod places;
mod prune;
mod reader;
mod rebuild;
mod reindex;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jangbu_ledger::block::Block;
use jangbu_ledger::codec;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{BlockId, ChainId, EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_ledger::state::{StateError, StateReader};
use jangbu_ledger::state_tree::{StateKey, StateNodes, StateTreeError, Warm};
use jangbu_replica::store::{
    Append, Commit, FinalCheckpoint, Store, StoreError, StoredBlock, StreamSide, Tip,
};
use rocksdb::{WriteBatch, WriteOptions};

pub use fsck::Audited;
pub(crate) use open::OPEN_FILES_MAX;
pub use places::StreamPosition;
pub use reader::{Reader, StateAt, View};
pub use rebuild::Rebuilt;

use column::Column;
use mark::Mark;

/// The replica's disk. There is one per data directory; readers are cloned from it.
pub struct RocksStore {
    reader: Reader,
    /// Number of the next record of the running height's log.
    wal_next: u64,
    /// Blocks proposed at the running height.
    proposed: BTreeSet<BlockId>,
    /// Envelopes written by [`Store::append`] at the running height.
    appended: BTreeSet<EnvelopeId>,
    /// Where pruning of stale state stopped.
    pruned: Vec<u8>,
    /// Checked nodes of the state tree, near its root.
    warm: Warm,
    /// How far the database must reach; `None` for one that need not survive.
    mark: Option<Mark>,
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksStore").finish_non_exhaustive()
    }
}

impl RocksStore {
    /// Opens the database under `directory`, or makes an empty one for the ledger `chain`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if it is of another ledger or format, ends before a write that was
    /// synced, or its last block contradicts itself; [`StoreError::Failed`] if another process has
    /// it open.
    pub fn open(directory: &Path, chain: &ChainId) -> Result<Self, StoreError> {
        let mark = Mark::open(directory)?;
        let reader = Reader::new(open::open(directory)?);
        mark.check(reader.db().latest_sequence_number())?;
        if reader.disk_bytes()? <= check::READ_THROUGH_BYTES_MAX {
            check::read_everything(&reader)?;
        }
        Self::over(reader, chain, Some(mark))
    }

    /// An empty store that need not survive: nothing is synced.
    fn scratch(directory: &Path, chain: &ChainId) -> Result<Self, StoreError> {
        Self::over(Reader::new(open::open(directory)?), chain, None)
    }

    fn over(reader: Reader, chain: &ChainId, mark: Option<Mark>) -> Result<Self, StoreError> {
        open::check_identity(&reader, chain)?;
        check::check_whole(&reader)?;
        check::check_last_block(&reader)?;
        let mut store = Self::unread(reader, mark);
        store.read_running_height()?;
        Ok(store)
    }

    /// A store that has not looked at what is there: it may be damaged.
    fn unread(reader: Reader, mark: Option<Mark>) -> Self {
        Self {
            reader,
            wal_next: 0,
            proposed: BTreeSet::new(),
            appended: BTreeSet::new(),
            pruned: Vec::new(),
            warm: Warm::default(),
            mark,
        }
    }

    /// The last block that is stored.
    fn last_block(&self) -> Result<Height, StoreError> {
        let last = self.reader.last_key(Column::Blocks)?;
        let last = last.ok_or_else(|| StoreError::Corrupt("it has no block".into()))?;
        column::counter(&last).map(Height)
    }

    /// Reads what was logged, proposed and pruned before.
    fn read_running_height(&mut self) -> Result<(), StoreError> {
        let reader = &self.reader;
        let mut wal_next = 0;
        for item in reader.all(Column::Wal) {
            let (key, _) = item?;
            wal_next = column::counter(&key)? + 1;
        }
        let (mut proposed, mut appended) = (BTreeSet::new(), BTreeSet::new());
        for item in reader.all(Column::Proposed) {
            let (_, bytes) = item?;
            let block = Block::decode(&bytes).map_err(column::undecodable("a proposed block"))?;
            proposed.insert(block.header.id());
            for id in block.envelopes {
                if reader.outcomes(&id)?.is_none() {
                    appended.insert(id);
                }
            }
        }
        self.pruned = reader.meta(column::META_PRUNED)?.unwrap_or_default();
        (self.wal_next, self.proposed, self.appended) = (wal_next, proposed, appended);
        Ok(())
    }

    /// A handle for tasks that only read.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Writes a batch that must survive from now on.
    fn write_synced(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        self.write(batch, self.mark.is_some())?;
        match &mut self.mark {
            Some(mark) => mark.advance(self.reader.db().latest_sequence_number()),
            None => Ok(()),
        }
    }

    fn write(&self, batch: WriteBatch, sync: bool) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.reader
            .db()
            .write_opt(batch, &options)
            .map_err(open::store_error)
    }
}

impl StateReader for RocksStore {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        self.reader.record(key)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.reader.recorded(id)
    }
}

impl StateNodes for RocksStore {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        StateNodes::node(&self.reader, key)
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.reader.value(key, max_version)
    }

    fn warm(&self) -> Option<&Warm> {
        Some(&self.warm)
    }
}

impl Store for RocksStore {
    fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.reader.tip()
    }

    fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        self.reader.block(height)
    }

    fn proposed_blocks(&self) -> Result<Vec<Block>, StoreError> {
        self.reader
            .all(Column::Proposed)
            .map(|item| {
                let (_, bytes) = item?;
                Block::decode(&bytes).map_err(column::undecodable("a proposed block"))
            })
            .collect()
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Arc<[u8]>>, StoreError> {
        Ok(self.reader.get(Column::Envelopes, &id.0)?.map(Arc::from))
    }

    fn outcomes(&self, id: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError> {
        self.reader.outcomes(id)
    }

    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.entry(sequence)
    }

    fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError> {
        self.reader.log_node(level, index)
    }

    fn log(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.reader
            .all(Column::Wal)
            .map(|item| item.map(|(_, value)| value.into_vec()))
            .collect()
    }

    fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.reader.final_checkpoint(height)
    }

    fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.reader.last_final_checkpoint()
    }

    fn is_following(&self) -> Result<bool, StoreError> {
        match self.reader.meta(column::META_FOLLOWING)?.as_deref() {
            None | Some([0]) => Ok(false),
            Some([1]) => Ok(true),
            Some(_) => Err(StoreError::Corrupt(
                "whether it follows without voting does not decode".into(),
            )),
        }
    }

    fn append(&mut self, append: &Append) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        let mut wal_next = self.wal_next;
        let wal = self.reader.family(Column::Wal)?;
        for record in &append.log {
            batch.put_cf(wal, wal_next.to_be_bytes(), record);
            wal_next += 1;
        }
        let proposed = self.reader.family(Column::Proposed)?;
        for block in &append.blocks {
            batch.put_cf(proposed, block.header.id().0, codec::encode(block));
        }
        let envelopes = self.reader.family(Column::Envelopes)?;
        for (id, bytes) in &append.envelopes {
            if !self.appended.contains(id) {
                batch.put_cf(envelopes, id.0, bytes);
            }
        }
        self.write_synced(batch)?;
        self.wal_next = wal_next;
        self.proposed
            .extend(append.blocks.iter().map(|block| block.header.id()));
        self.appended
            .extend(append.envelopes.iter().map(|(id, _)| *id));
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        self.put_block(&mut batch, commit)?;
        self.put_log(&mut batch, commit)?;
        self.put_state(&mut batch, commit)?;
        self.drop_running_height(&mut batch, commit)?;
        let pruned = prune::prune(&self.reader, &mut batch, commit, &self.pruned)?;
        self.write_synced(batch)?;
        self.warm.absorb(&commit.warmth);
        self.wal_next = 0;
        self.proposed.clear();
        self.appended.clear();
        self.pruned = pruned;
        Ok(())
    }

    fn set_following(&mut self, following: bool) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        let meta = self.reader.family(Column::Meta)?;
        batch.put_cf(meta, column::META_FOLLOWING, [u8::from(following)]);
        self.write_synced(batch)
    }

    fn put_final(&mut self, checkpoint: &FinalCheckpoint) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        batch.put_cf(
            self.reader.family(Column::Finals)?,
            checkpoint.height.0.to_be_bytes(),
            codec::encode(checkpoint),
        );
        self.write(batch, false)
    }
}

impl RocksStore {
    fn put_block(&self, batch: &mut WriteBatch, commit: &Commit) -> Result<(), StoreError> {
        let height = commit.tip.height.0.to_be_bytes();
        batch.put_cf(
            self.reader.family(Column::Meta)?,
            column::META_TIP,
            codec::encode(&commit.tip),
        );
        batch.put_cf(
            self.reader.family(Column::Blocks)?,
            height,
            codec::encode(&commit.block),
        );
        let envelopes = self.reader.family(Column::Envelopes)?;
        for (id, bytes) in &commit.envelopes {
            if !self.appended.contains(id) {
                batch.put_cf(envelopes, id.0, bytes);
            }
        }
        let outcomes = self.reader.family(Column::Outcomes)?;
        for (id, list) in &commit.outcomes {
            let stored = column::StoredOutcomes {
                height: commit.tip.height,
                outcomes: list.clone(),
            };
            batch.put_cf(outcomes, id.0, codec::encode(&stored));
        }
        Ok(())
    }

    fn put_log(&self, batch: &mut WriteBatch, commit: &Commit) -> Result<(), StoreError> {
        let entries = self.reader.family(Column::Entries)?;
        let statements = self.reader.family(Column::Statements)?;
        for (sequence, statement, bytes) in &commit.entries {
            batch.put_cf(entries, sequence.0.to_be_bytes(), bytes);
            if let Some(id) = statement {
                batch.put_cf(statements, id.0, sequence.0.to_be_bytes());
            }
        }
        let nodes = self.reader.family(Column::LogNodes)?;
        for (level, index, hash) in &commit.log_nodes {
            batch.put_cf(nodes, column::log_node_key(*level, *index), hash.0);
        }
        let streams = self.reader.family(Column::Streams)?;
        for (subject, side, sequence) in &commit.streams {
            batch.put_cf(streams, column::stream_key(subject, *side, *sequence), []);
        }
        let used_in = self.reader.family(Column::UsedIn)?;
        for (component, sequence) in &commit.used_in {
            batch.put_cf(used_in, column::used_in_key(component, *sequence), []);
        }
        Ok(())
    }

    fn put_state(&self, batch: &mut WriteBatch, commit: &Commit) -> Result<(), StoreError> {
        let height = commit.tip.height;
        let records = self.reader.family(Column::Records)?;
        let values = self.reader.family(Column::RecordValues)?;
        let stale = self.reader.family(Column::StaleNodes)?;
        for (key, value) in &commit.records {
            match value {
                Some(value) => batch.put_cf(records, key.0, value),
                None => batch.delete_cf(records, key.0),
            }
            batch.put_cf(
                values,
                column::value_key(key, height.0),
                column::encode_value(value.as_deref()),
            );
            // The value before this one is stale from here on.
            batch.put_cf(stale, column::stale_value_key(height, key), []);
        }
        let nodes = self.reader.family(Column::StateNodes)?;
        for (key, node) in &commit.state_nodes {
            batch.put_cf(nodes, key, node);
        }
        for key in &commit.stale_nodes {
            batch.put_cf(stale, column::stale_node_key(height, key), []);
        }
        Ok(())
    }

    /// Drops the running height's log and proposals, and envelopes that were written for a
    /// proposal which lost: whoever orders them again writes them again.
    fn drop_running_height(
        &self,
        batch: &mut WriteBatch,
        commit: &Commit,
    ) -> Result<(), StoreError> {
        let wal = self.reader.family(Column::Wal)?;
        for number in 0..self.wal_next {
            batch.delete_cf(wal, number.to_be_bytes());
        }
        let proposed = self.reader.family(Column::Proposed)?;
        for id in &self.proposed {
            batch.delete_cf(proposed, id.0);
        }
        let envelopes = self.reader.family(Column::Envelopes)?;
        let ordered: BTreeSet<&EnvelopeId> = commit.block.block.envelopes.iter().collect();
        for id in self.appended.iter().filter(|id| !ordered.contains(id)) {
            batch.delete_cf(envelopes, id.0);
        }
        Ok(())
    }
}

/// The byte that names a stream's side in keys.
const fn side_byte(side: StreamSide) -> u8 {
    match side {
        StreamSide::Open => 0,
        StreamSide::Claims => 1,
    }
}
