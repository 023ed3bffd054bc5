//! A store that writes down what a replica asks of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use jangbu_ledger::block::Block;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_ledger::state::{StateError, StateReader};
use jangbu_ledger::state_tree::{StateKey, StateNodes, StateTreeError};
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::store::{Append, Commit, FinalCheckpoint, Store, StoreError, StoredBlock, Tip};

use super::script::Op;

/// A memory store and the list of its writes, in order.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    store: MemoryStore,
    ops: Rc<RefCell<Vec<Op>>>,
}

impl Recorder {
    /// A second handle to the list.
    pub(super) fn ops(&self) -> Rc<RefCell<Vec<Op>>> {
        Rc::clone(&self.ops)
    }
}

impl StateReader for Recorder {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        self.store.record(key)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.store.recorded(id)
    }
}

impl StateNodes for Recorder {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.store.node(key)
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.store.value(key, max_version)
    }
}

impl Store for Recorder {
    fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.store.tip()
    }

    fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        self.store.block(height)
    }

    fn proposed_blocks(&self) -> Result<Vec<Block>, StoreError> {
        self.store.proposed_blocks()
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.store.envelope(id)
    }

    fn outcomes(&self, id: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError> {
        self.store.outcomes(id)
    }

    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.entry(sequence)
    }

    fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError> {
        self.store.log_node(level, index)
    }

    fn log(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.store.log()
    }

    fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.store.final_checkpoint(height)
    }

    fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.store.last_final_checkpoint()
    }

    fn is_following(&self) -> Result<bool, StoreError> {
        self.store.is_following()
    }

    fn set_following(&mut self, following: bool) -> Result<(), StoreError> {
        self.ops.borrow_mut().push(Op::Following(following));
        self.store.set_following(following)
    }

    fn append(&mut self, batch: &Append) -> Result<(), StoreError> {
        self.ops.borrow_mut().push(Op::Append(batch.clone()));
        self.store.append(batch)
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let op = Op::Commit(Box::new(commit.clone()));
        self.ops.borrow_mut().push(op);
        self.store.commit(commit)
    }

    fn put_final(&mut self, checkpoint: &FinalCheckpoint) -> Result<(), StoreError> {
        self.ops.borrow_mut().push(Op::Final(checkpoint.clone()));
        self.store.put_final(checkpoint)
    }
}
