//! A replica's disk that can lose power at a chosen write.
//!
//! A write is durable when it returns, as [`Store`] demands; what need not be synced, the final
//! checkpoints, is lost with the power. A fault fails one write, either leaving nothing of it or
//! all of it, for a write is one atomic batch; the replica then stops with the step half done
//! and none of its messages sent.

use std::cell::{Cell, Ref, RefCell};
use std::collections::BTreeSet;
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

/// At which write the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteFault {
    /// Writes that still succeed.
    pub after: u32,
    /// Whether the failing write reaches the disk.
    pub written: bool,
}

/// A handle to a disk: the replica writes through one, the world keeps another.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    store: Rc<RefCell<MemoryStore>>,
    fault: Rc<Cell<Option<WriteFault>>>,
    dead: Rc<Cell<bool>>,
    poison: Rc<RefCell<BTreeSet<StateKey>>>,
}

impl Disk {
    /// Lets the power go at a later write.
    pub fn arm(&self, fault: WriteFault) {
        self.fault.set(Some(fault));
    }

    /// The power stays.
    pub fn disarm(&self) {
        self.fault.set(None);
    }

    /// Whether the power went at a write.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// The power is back: what was not synced is gone.
    pub fn revive(&self) {
        self.fault.set(None);
        self.dead.set(false);
        let store = self.store.take();
        self.store.replace(store.crash());
    }

    /// Whoever reads this record panics: stands for an envelope whose execution does, if only
    /// its rules read the record.
    pub fn poison(&self, key: StateKey) {
        self.poison.borrow_mut().insert(key);
    }

    /// Everything in it.
    #[must_use]
    pub fn contents(&self) -> Ref<'_, MemoryStore> {
        self.store.borrow()
    }

    fn write(
        &self,
        write: impl FnOnce(&mut MemoryStore) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self.fault.get() {
            _ if self.dead.get() => {}
            None => return write(&mut self.store.borrow_mut()),
            Some(fault) if fault.after > 0 => {
                self.arm(WriteFault {
                    after: fault.after - 1,
                    ..fault
                });
                return write(&mut self.store.borrow_mut());
            }
            Some(fault) => {
                self.dead.set(true);
                if fault.written {
                    write(&mut self.store.borrow_mut())?;
                }
            }
        }
        Err(StoreError::Failed("the power went".into()))
    }
}

impl StateReader for Disk {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        assert!(!self.poison.borrow().contains(key), "poisoned record");
        self.contents().record(key)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.contents().recorded(id)
    }
}

impl StateNodes for Disk {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.contents().node(key)
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.contents().value(key, max_version)
    }
}

impl Store for Disk {
    fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.contents().tip()
    }

    fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        self.contents().block(height)
    }

    fn proposed_blocks(&self) -> Result<Vec<Block>, StoreError> {
        self.contents().proposed_blocks()
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.contents().envelope(id)
    }

    fn outcomes(&self, id: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError> {
        self.contents().outcomes(id)
    }

    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        self.contents().entry(sequence)
    }

    fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError> {
        self.contents().log_node(level, index)
    }

    fn log(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.contents().log()
    }

    fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.contents().final_checkpoint(height)
    }

    fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError> {
        self.contents().last_final_checkpoint()
    }

    fn append(&mut self, batch: &Append) -> Result<(), StoreError> {
        self.write(|store| store.append(batch))
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.write(|store| store.commit(commit))
    }

    fn put_final(&mut self, checkpoint: &FinalCheckpoint) -> Result<(), StoreError> {
        self.store.borrow_mut().put_final(checkpoint)
    }
}
