//! Dropping old state: nodes and values that no proof within the retention window needs.

use jangbu_ledger::id::Height;
use jangbu_ledger::state_tree::StateKey;
use jangbu_replica::store::{Commit, StoreError};
use rocksdb::WriteBatch;

use super::column::{self, Column, META_PRUNED, STALE_NODE, STALE_VALUE};
use super::reader::Reader;

/// Heights, counted back from the tip, whose state can be proved.
pub(super) const RETENTION_BLOCKS: u64 = 100_000;
/// Heights at the old end of the window that are not read any more: a read takes less time than
/// so many blocks.
const MARGIN_BLOCKS: u64 = 1_000;
/// Fewest stale things removed by one commit, if there are as many. A commit may always remove
/// twice as many as it adds, so pruning keeps up with any load.
const PRUNED_MIN: usize = 4096;

/// The oldest height whose state may be read while the block after `tip` is written.
pub(super) const fn kept_from(tip: Height) -> Height {
    Height(tip.0.saturating_sub(RETENTION_BLOCKS - MARGIN_BLOCKS))
}

/// Adds removals to the batch; returns the last stale key removed.
pub(super) fn prune(
    reader: &Reader,
    batch: &mut WriteBatch,
    commit: &Commit,
    after: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let Some(oldest) = commit.tip.height.0.checked_sub(RETENTION_BLOCKS) else {
        return Ok(after.to_vec());
    };
    prune_up_to(reader, batch, commit, after, Height(oldest))
}

/// Removes what became stale at `oldest` or before: no state from `oldest` on needs it.
pub(super) fn prune_up_to(
    reader: &Reader,
    batch: &mut WriteBatch,
    commit: &Commit,
    after: &[u8],
    oldest: Height,
) -> Result<Vec<u8>, StoreError> {
    let bound = PRUNED_MIN.max(2 * (commit.stale_nodes.len() + commit.records.len()));
    let stale = reader.family(Column::StaleNodes)?;
    let nodes = reader.family(Column::StateNodes)?;
    let values = reader.family(Column::RecordValues)?;
    let mut last = after.to_vec();
    // From the last removed key on: everything before it is a tombstone.
    for item in reader.from(Column::StaleNodes, after).take(bound) {
        let (key, _) = item?;
        let corrupt = || StoreError::Corrupt("a key of stale state is malformed".into());
        let (height, rest) = key.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let height = u64::from_be_bytes(*height);
        if height > oldest.0 {
            break;
        }
        match rest.split_first() {
            Some((&STALE_NODE, node)) => batch.delete_cf(nodes, node),
            Some((&STALE_VALUE, state_key)) => {
                let state_key = StateKey(state_key.try_into().map_err(|_| corrupt())?);
                drop_value_before(reader, batch, values, &state_key, height)?;
            }
            _ => return Err(corrupt()),
        }
        batch.delete_cf(stale, &key);
        last = key.into_vec();
    }
    if last != after {
        batch.put_cf(reader.family(Column::Meta)?, META_PRUNED, &last);
    }
    Ok(last)
}

/// Removes the value that the one of `height` replaced.
fn drop_value_before(
    reader: &Reader,
    batch: &mut WriteBatch,
    values: &rocksdb::ColumnFamily,
    key: &StateKey,
    height: u64,
) -> Result<(), StoreError> {
    let Some(before) = height.checked_sub(1) else {
        return Ok(());
    };
    if let Some((old, _)) = reader.last_value(key, before)? {
        batch.delete_cf(values, column::value_key(key, old));
    }
    Ok(())
}
