//! Making everything again that follows from the blocks: log, indexes, state, both trees.
//!
//! ```text
//!   blocks, envelopes ──▶ certificates, signatures, rules ──▶ a second database
//!   ours: dropped, column by column ◀── copied ◀──────────────┘
//! ```
//!
//! Nothing is dropped before the second database is whole. From then on until the last column is
//! copied the database says that it is not to be used; one that was left there is made again from
//! its blocks, which are never touched.

use std::path::Path;

use jangbu_ledger::founding::GenesisBlock;
use jangbu_replica::chain::Chain;
use jangbu_replica::store::{Store as _, StoreError};
use rocksdb::WriteBatch;

use super::column::{self, Column, EXECUTED};
use super::mark::Mark;
use super::open::{self, store_error};
use super::reader::Reader;
use super::{Rebuilt, RocksStore};

/// Beyond every key of the columns that are made again.
const KEYS_END: [u8; 64] = [0xff; 64];
/// Bytes written at once.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

impl RocksStore {
    /// Executes every block of the database under `directory` again, in one under `scratch`, an
    /// empty directory with as much room, and replaces what is there by what that gives. `keys` of
    /// the answer are the keys written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if a block, an envelope or a certificate is damaged or missing: then
    /// nothing is changed.
    pub fn reindex(
        directory: &Path,
        chain: &Chain,
        genesis: GenesisBlock,
        scratch: &Path,
    ) -> Result<Rebuilt, StoreError> {
        let mark = Mark::open(directory)?;
        let reader = Reader::new(open::open(directory)?);
        mark.check(reader.db().latest_sequence_number())?;
        open::check_identity(&reader, &chain.chain_id)?;
        let mut ours = Self::unread(reader, Some(mark));
        let last = ours.last_block()?;
        let second = ours.execute_all(chain, genesis, scratch, last)?;
        let finals = ours.check_finals(chain, &second)?;

        let mut batch = WriteBatch::default();
        let meta = ours.reader.family(Column::Meta)?;
        batch.put_cf(meta, column::META_REINDEXING, [1]);
        ours.write_synced(batch)?;
        let mut keys = 0;
        for column in EXECUTED {
            ours.drop_all(column)?;
            keys += ours.copy_from(&second.reader, column)?;
        }
        let mut batch = WriteBatch::default();
        let meta = ours.reader.family(Column::Meta)?;
        for key in [column::META_TIP, column::META_PRUNED] {
            match second.reader.meta(key)? {
                Some(value) => batch.put_cf(meta, key, value),
                None => batch.delete_cf(meta, key),
            }
        }
        batch.delete_cf(meta, column::META_REINDEXING);
        // Synced, and with it all that was written before it.
        ours.write_synced(batch)?;
        Ok(Rebuilt {
            blocks: last.0 + 1,
            entries: second.tip()?.map_or(0, |tip| tip.frontier.size()),
            keys,
            finals,
        })
    }

    /// Removes everything in a column, without reading it: it may be damaged.
    fn drop_all(&self, column: Column) -> Result<(), StoreError> {
        let family = self.reader.family(column)?;
        let db = self.reader.db();
        db.delete_file_in_range_cf(family, &[] as &[u8], &KEYS_END[..])
            .map_err(store_error)?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(family, &[] as &[u8], &KEYS_END[..]);
        self.write(batch, false)
    }

    /// Copies a column; returns how many keys it has.
    fn copy_from(&self, second: &Reader, column: Column) -> Result<u64, StoreError> {
        let family = self.reader.family(column)?;
        let (mut batch, mut keys) = (WriteBatch::default(), 0);
        for item in second.scan(column) {
            let (key, value) = item?;
            batch.put_cf(family, key, value);
            keys += 1;
            if batch.size_in_bytes() > BATCH_BYTES {
                self.write(std::mem::take(&mut batch), false)?;
            }
        }
        self.write(batch, false)?;
        Ok(keys)
    }
}
