//! The first block of a replica's copy.

use jangbu_ledger::founding::GenesisBlock;
use jangbu_ledger::id::Height;

use crate::candidate::genesis_commit;
use crate::store::{Store, StoreError, Tip};

/// Commits the genesis block to an empty store; checks that one that is not empty has it.
/// Returns how far the store is.
///
/// # Errors
///
/// [`StoreError::Corrupt`] if it holds another ledger; the store's own.
pub fn found(store: &mut impl Store, genesis: GenesisBlock) -> Result<Tip, StoreError> {
    let Some(tip) = store.tip()? else {
        let commit = genesis_commit(genesis)?;
        store.commit(&commit)?;
        return Ok(commit.tip);
    };
    let first = store.block(Height(0))?;
    if first.is_some_and(|first| first.block.header == genesis.block.header) {
        Ok(tip)
    } else {
        Err(StoreError::Corrupt(
            "its first block is not the one that the genesis file founds".into(),
        ))
    }
}
