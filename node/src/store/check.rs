//! What a start checks before anything is served or signed: every table's checksums, up to a
//! bound; then that the last block agrees with itself, with the log's tree and the state tree.

use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::id::Sequence;
use jangbu_ledger::merkle;
use jangbu_ledger::state_tree::{self, StateKey};
use jangbu_replica::store::StoreError;

use super::column::{COLUMNS, META_REINDEXING};
use super::open::store_error;
use super::reader::Reader;

/// Most bytes of tables that a start reads through. In a larger database, damage to what a start
/// does not need is found when it is read, for every block has a checksum, or by
/// `jangbu-node check`, which reads everything.
pub(super) const READ_THROUGH_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Reads every key and value once, which checks every checksum; RocksDB's complaint names the
/// damaged file.
pub(super) fn read_everything(reader: &Reader) -> Result<(), StoreError> {
    for column in COLUMNS {
        for item in reader.scan(column) {
            item?;
        }
    }
    // Filters are read by look-ups only.
    for file in reader.db().live_files().map_err(store_error)? {
        let family = COLUMNS
            .into_iter()
            .find(|column| column.name() == file.column_family_name);
        if let (Some(column), Some(key)) = (family, file.start_key) {
            reader.get(column, &key)?;
        }
    }
    Ok(())
}

/// Checks that no replacement of what follows from the blocks was cut off.
pub(super) fn check_whole(reader: &Reader) -> Result<(), StoreError> {
    match reader.meta(META_REINDEXING)? {
        None => Ok(()),
        Some(_) => Err(StoreError::Corrupt(
            "a `jangbu-node reindex` was cut off; run it again".into(),
        )),
    }
}

/// Checks tip, block, seal, log and state root against each other.
pub(super) fn check_last_block(reader: &Reader) -> Result<(), StoreError> {
    let Some(tip) = reader.tip()? else {
        return Ok(());
    };
    let damaged = |what: &str| {
        Err(StoreError::Corrupt(format!(
            "{what} of the last block, at height {}, is not what its tip says",
            tip.height
        )))
    };
    let Some(stored) = reader.block(tip.height)? else {
        return damaged("the body");
    };
    let header = &stored.block.header;
    if header.id() != tip.block_id || header.height != tip.height || header.time_ms != tip.time_ms {
        return damaged("the header");
    }
    let Some(position) = tip.frontier.size().checked_sub(1) else {
        return damaged("the log");
    };
    let Some(bytes) = reader.entry(Sequence(position))? else {
        return damaged("the seal");
    };
    let seal = Entry::decode(&bytes)
        .map_err(|error| StoreError::Corrupt(format!("the last seal does not decode: {error}")))?;
    match &seal.body {
        EntryBody::Seal(sealed) if **sealed == *header && seal.sequence == Sequence(position) => {}
        _ => return damaged("the seal"),
    }
    if reader.log_node(0, position)? != Some(merkle::leaf_hash(&bytes)) {
        return damaged("the seal's leaf");
    }
    if header.log_size != position || merkle::root(reader, position)? != header.log_root {
        return damaged("the log's root before the seal");
    }
    if merkle::root(reader, tip.frontier.size())? != tip.frontier.root() {
        return damaged("the log's root");
    }
    // Any key will do: its proof starts at the root that the header names.
    let any = StateKey([0; 32]);
    if state_tree::prove(reader, tip.height.0, &header.state_root, &any).is_err() {
        return damaged("the state's root");
    }
    if reader.entry(Sequence(tip.frontier.size()))?.is_some() {
        return damaged("the end of the log");
    }
    if reader.block(tip.height.next())?.is_some() {
        return damaged("the end of the chain");
    }
    Ok(())
}
