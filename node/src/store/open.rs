//! Opening the database: its tuning, whose it is, and what its errors mean.

use std::path::Path;

use jangbu_ledger::id::ChainId;
use jangbu_replica::store::StoreError;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBRecoveryMode,
    ErrorKind, LogLevel, Options, WriteBatch, WriteOptions,
};

use super::column::{COLUMNS, Column, META_CHAIN, META_FORMAT};
use super::reader::Reader;

/// The layout this code reads and writes; another one is refused.
const FORMAT: u32 = 1;
/// Uncompressed blocks kept in memory, in bytes, indexes and filters included.
const BLOCK_CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Unflushed writes of all columns together, in bytes.
const WRITE_BUFFERS_BYTES: usize = 64 * 1024 * 1024;
/// Unflushed writes of one column, in bytes.
const WRITE_BUFFER_BYTES: usize = 16 * 1024 * 1024;
/// Write-ahead log on disk, in bytes; beyond it the oldest columns are flushed. It is also what
/// a restart has to replay at most.
const WAL_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Table files open at once.
pub(crate) const OPEN_FILES_MAX: u16 = 512;
/// A piece of an index or a filter, in bytes.
const METADATA_BLOCK_BYTES: usize = 4096;
/// Bits per key of a filter: one wrong "maybe" in a hundred look-ups.
const FILTER_BITS: f64 = 10.0;
/// RocksDB's own text log, per file and in number.
const INFO_LOG_BYTES: usize = 4 * 1024 * 1024;
const INFO_LOG_FILES: usize = 4;

/// Opens or makes the database.
pub(super) fn open(directory: &Path) -> Result<DB, StoreError> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    let families = COLUMNS
        .iter()
        .map(|column| ColumnFamilyDescriptor::new(column.name(), family_options(*column, &cache)));
    DB::open_cf_descriptors(&database_options(), directory, families)
        .map_err(|error| open_error(directory, error))
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // A write that was cut off is dropped: it was never acknowledged. A hole is refused.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_max_open_files(i32::from(OPEN_FILES_MAX));
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(1024 * 1024);
    options.set_keep_log_file_num(INFO_LOG_FILES);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options
}

fn family_options(column: Column, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In pieces: a whole filter of a large table is some megabytes, which a cache of this size gives
    // up and reads again, checksum and all, for look-up after look-up.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(METADATA_BLOCK_BYTES);
    table.set_pin_top_level_index_and_filter(true);
    if is_looked_up_by_random_key(column) {
        table.set_bloom_filter(FILTER_BITS, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(2);
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}

/// Columns in which most look-ups are for a hash, often an absent one.
const fn is_looked_up_by_random_key(column: Column) -> bool {
    matches!(
        column,
        Column::Envelopes
            | Column::Outcomes
            | Column::Statements
            | Column::Records
            | Column::StateNodes
    )
}

/// Checks that the database is ours, or makes an empty one ours.
pub(super) fn check_identity(reader: &Reader, chain: &ChainId) -> Result<(), StoreError> {
    let format = reader.meta(META_FORMAT)?;
    let stored = reader.meta(META_CHAIN)?;
    match (format, stored) {
        (None, None) => {
            if reader.first_key(Column::Entries)?.is_some() {
                return Err(StoreError::Corrupt(
                    "it has entries, but no record of its format".into(),
                ));
            }
            let mut batch = WriteBatch::default();
            let meta = reader.family(Column::Meta)?;
            batch.put_cf(meta, META_FORMAT, FORMAT.to_be_bytes());
            batch.put_cf(meta, META_CHAIN, chain.0);
            let mut options = WriteOptions::default();
            options.set_sync(true);
            reader.db().write_opt(batch, &options).map_err(store_error)
        }
        (Some(format), Some(stored)) => {
            if format != FORMAT.to_be_bytes() {
                return Err(StoreError::Corrupt(format!(
                    "it has another format than version {FORMAT}, which this program reads"
                )));
            }
            if stored != chain.0 {
                let found = <[u8; 32]>::try_from(stored.as_slice()).map_or_else(
                    |_| "of no valid id".to_owned(),
                    |id| ChainId(id).to_string(),
                );
                return Err(StoreError::Corrupt(format!(
                    "it holds the ledger {found}, the genesis file founds {chain}"
                )));
            }
            Ok(())
        }
        _ => Err(StoreError::Corrupt(
            "it names its format or its ledger, but not both".into(),
        )),
    }
}

/// The write-ahead logs in the directory, for an error.
fn logs_of(directory: &Path) -> String {
    let mut logs: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".log"))
        .collect();
    logs.sort();
    match logs.is_empty() {
        true => "CURRENT".into(),
        false => format!("a write-ahead log, {}", logs.join(" or ")),
    }
}

/// What a failure of RocksDB means for us.
pub(super) fn store_error(error: rocksdb::Error) -> StoreError {
    let text = error.to_string();
    if text.contains("No space left") || text.contains("NoSpace") {
        return StoreError::Full(text);
    }
    match error.kind() {
        ErrorKind::Corruption => StoreError::Corrupt(text),
        _ => StoreError::Failed(text),
    }
}

fn open_error(directory: &Path, error: rocksdb::Error) -> StoreError {
    let text = error.to_string();
    if text.contains("lock") && text.contains("LOCK") {
        return StoreError::Failed(format!(
            "another process has {} open; stop it first, or set another data_dir",
            directory.display()
        ));
    }
    match store_error(error) {
        // Of tables and their table of contents RocksDB names the file, of logs it does not.
        StoreError::Corrupt(text) if !text.contains("MANIFEST") && !text.contains(".sst") => {
            StoreError::Corrupt(format!("{text} (probably in {})", logs_of(directory)))
        }
        // The directory was just made or found, so a file of the database is gone.
        StoreError::Failed(text) if text.contains("No such file") => StoreError::Corrupt(text),
        other => other,
    }
}
