//! What a start checks before anything is served or signed: the last block agrees with itself,
//! with the log's tree and with the state tree.

use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::id::Sequence;
use jangbu_ledger::merkle;
use jangbu_ledger::state_tree::{self, StateKey};
use jangbu_replica::store::StoreError;

use super::reader::Reader;

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
