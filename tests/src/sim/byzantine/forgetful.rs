//! A view of a store that does not know what it has decided, to build blocks that repeat it.

use std::sync::Arc;

use jangbu_ledger::block::Block;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_ledger::state::{StateError, StateReader};
use jangbu_ledger::state_tree::{StateKey, StateNodes, StateTreeError};
use jangbu_replica::store::{Append, Commit, FinalCheckpoint, Store, StoreError, StoredBlock, Tip};

/// Reads through to a store, except for outcomes; writes nothing.
pub(super) struct Forgetful<'a>(pub(super) &'a dyn Store);

impl StateReader for Forgetful<'_> {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        self.0.record(key)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.0.recorded(id)
    }
}

impl StateNodes for Forgetful<'_> {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.0.node(key)
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.0.value(key, max_version)
    }
}

impl Store for Forgetful<'_> {
    fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.0.tip()
    }

    fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        self.0.block(height)
    }

    fn proposed_blocks(&self) -> Result<Vec<Block>, StoreError> {
        self.0.proposed_blocks()
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.0.envelope(id)
    }

    fn outcomes(&self, _: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError> {
        Ok(None)
    }

    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.entry(sequence)
    }

    fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError> {
        self.0.log_node(level, index)
    }

    fn log(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.0.log()
    }

    fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.0.final_checkpoint(height)
    }

    fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.0.last_final_checkpoint()
    }

    fn is_following(&self) -> Result<bool, StoreError> {
        self.0.is_following()
    }

    fn set_following(&mut self, _: bool) -> Result<(), StoreError> {
        Err(StoreError::Failed("a view writes nothing".into()))
    }

    fn append(&mut self, _: &Append) -> Result<(), StoreError> {
        Err(StoreError::Failed("a view writes nothing".into()))
    }

    fn commit(&mut self, _: &Commit) -> Result<(), StoreError> {
        Err(StoreError::Failed("a view writes nothing".into()))
    }

    fn put_final(&mut self, _: &FinalCheckpoint) -> Result<(), StoreError> {
        Err(StoreError::Failed("a view writes nothing".into()))
    }
}
