//! A replica's disk that can lose power at a chosen write, run full, rot and lie.
//!
//! A write is one batch in RocksDB's write-ahead log: after a crash it is there as a whole or not
//! at all, and with it everything written before it. [`Store::append`] and [`Store::commit`] are
//! synced when they return; a final checkpoint need not be, so of those written since the last
//! synced write, some of the last are lost with the power.
//!
//! ```text
//!   write ──▶ full? ──▶ power? ──▶ MemoryStore           a crash finds:
//!               │         ├─ before: nothing of it, some unsynced lost
//!               ▼         ├─ torn:   nothing of it, everything before it
//!           refused       └─ after:  all of it, but nothing was said
//! ```
//!
//! A disk that lies says that it synced; after the crash everything since the lie began is gone.
//! As in production the number of the last synced write is marked in a second place, which no lie
//! takes back: [`Disk::open`] refuses a disk that ends before its mark.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Once};

use jangbu_ledger::block::Block;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_ledger::state::{StateError, StateReader};
use jangbu_ledger::state_tree::{StateKey, StateNodes, StateTreeError};
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::store::{Append, Commit, FinalCheckpoint, Store, StoreError, StoredBlock, Tip};

use super::faults::Rot;

/// At which write the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerCut {
    /// Writes that still succeed.
    pub after: u32,
    /// What becomes of the one that does not.
    pub at: Boundary,
}

/// Where in a write the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// Before it: nothing of it was written.
    Before,
    /// In it: what was written of it is dropped when the log is read again.
    Torn,
    /// After it: all of it is there.
    After,
}

/// Why the disk refuses everything since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The power went.
    Power(Boundary),
    /// The power went, and nothing was really written since the disk began to lie.
    Lied,
    /// It ends before its mark: what was synced is gone.
    Short,
    /// There was no room.
    Full,
    /// Something could not be read.
    Rot(Rot),
}

/// A copy of everything on a disk.
#[derive(Debug, Clone, Default)]
pub struct Image {
    store: MemoryStore,
    finals: BTreeMap<Height, FinalCheckpoint>,
    writes: u64,
}

#[derive(Debug, Default)]
struct Inner {
    store: MemoryStore,
    finals: BTreeMap<Height, FinalCheckpoint>,
    /// Synced writes that are on it, and how many were made.
    writes: u64,
    mark: u64,
    unsynced: Vec<Height>,
    power_cut: Option<PowerCut>,
    full: bool,
    rot: Option<Rot>,
    /// What will be found after the crash, and the writes until then.
    lie: Option<(Image, u32)>,
    trouble: Option<Trouble>,
    poison: BTreeSet<StateKey>,
}

/// A handle to a disk: the replica writes through one, the world keeps another.
#[derive(Debug, Clone, Default)]
pub struct Disk(Rc<RefCell<Inner>>);

impl Disk {
    /// Lets the power go at a later write.
    pub fn cut_power(&self, cut: PowerCut) {
        self.0.borrow_mut().power_cut = Some(cut);
    }

    /// Lets the disk only say that it syncs from now on, and the power go after so many writes.
    pub fn lie(&self, writes: u32) {
        let image = self.copy();
        self.0.borrow_mut().lie = Some((image, writes));
    }

    /// Whether what it holds will not be there after the next crash or read.
    #[must_use]
    pub fn will_forget(&self) -> bool {
        let inner = self.0.borrow();
        inner.lie.is_some() || inner.rot.is_some()
    }

    /// Whoever reads this record panics: stands for an envelope whose execution does, if only
    /// its rules read the record. It stays so whatever happens to the disk.
    pub fn poison(&self, key: StateKey) {
        keep_poison_quiet();
        self.0.borrow_mut().poison.insert(key);
    }

    /// Lets something be unreadable from now on.
    pub fn rot(&self, what: Rot) {
        self.0.borrow_mut().rot = Some(what);
    }

    /// Lets it have no room, or room again.
    pub fn fill(&self, full: bool) {
        self.0.borrow_mut().full = full;
    }

    /// Whether it has no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.borrow().full
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        let mut inner = self.0.borrow_mut();
        inner.power_cut = None;
        inner.lie = None;
        inner.full = false;
        inner.rot = None;
    }

    /// Why it refuses, if it does.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.borrow().trouble
    }

    /// Everything on it.
    #[must_use]
    pub fn copy(&self) -> Image {
        let inner = self.0.borrow();
        Image {
            store: inner.store.clone(),
            finals: inner.finals.clone(),
            writes: inner.writes,
        }
    }

    /// Replaces everything on it, its mark included.
    pub fn restore(&self, image: Image) {
        let mut inner = self.0.borrow_mut();
        *inner = Inner {
            store: image.store,
            finals: image.finals,
            writes: image.writes,
            mark: image.writes,
            full: inner.full,
            poison: std::mem::take(&mut inner.poison),
            ..Inner::default()
        };
    }

    /// Another disk with the same content: a backup.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let copy = Self::default();
        copy.restore(self.copy());
        copy
    }

    /// The power is back, and nothing that was not synced is there.
    pub fn revive(&self) {
        self.revive_without(usize::MAX);
    }

    /// The power is back. Of the checkpoints that were not synced, all but `lost` are there, the
    /// last missing first, unless they lay before a write that was found torn. Returns how many
    /// are gone.
    pub fn revive_without(&self, lost: usize) -> usize {
        let mut inner = self.0.borrow_mut();
        let trouble = inner.trouble.take();
        inner.power_cut = None;
        if let Some((image, _)) = inner.lie.take() {
            inner.store = image.store;
            inner.finals = image.finals;
            inner.writes = image.writes;
            inner.unsynced.clear();
            return 0;
        }
        let unsynced = std::mem::take(&mut inner.unsynced);
        let lost = match trouble {
            Some(Trouble::Power(Boundary::Torn)) => 0,
            _ => lost.min(unsynced.len()),
        };
        for height in unsynced.iter().rev().take(lost) {
            inner.finals.remove(height);
        }
        lost
    }

    /// What a node does before anything else.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if what was synced is not all there.
    pub fn open(&self) -> Result<(), StoreError> {
        let inner = &mut *self.0.borrow_mut();
        if inner.writes >= inner.mark {
            return Ok(());
        }
        inner.trouble = Some(Trouble::Short);
        Err(StoreError::Corrupt(format!(
            "it ends at write {}, but write {} was synced",
            inner.writes, inner.mark
        )))
    }

    /// Everything in it but the final checkpoints.
    #[must_use]
    pub fn contents(&self) -> Ref<'_, MemoryStore> {
        Ref::map(self.0.borrow(), |inner| &inner.store)
    }

    fn write(
        &self,
        write: impl FnOnce(&mut MemoryStore) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let inner = &mut *self.0.borrow_mut();
        if inner.trouble.is_some() {
            return Err(StoreError::Failed("it failed before".into()));
        }
        if inner.full {
            inner.trouble = Some(Trouble::Full);
            return Err(StoreError::Full("no space left on the device".into()));
        }
        if let Some(cut) = &mut inner.power_cut {
            if cut.after == 0 {
                let at = cut.at;
                inner.trouble = Some(Trouble::Power(at));
                if at == Boundary::After {
                    inner.write(write)?;
                }
                return Err(StoreError::Failed("the power went".into()));
            }
            cut.after -= 1;
        }
        if let Some((_, writes)) = &mut inner.lie {
            if *writes == 0 {
                inner.trouble = Some(Trouble::Lied);
                return Err(StoreError::Failed("the power went".into()));
            }
            *writes -= 1;
        }
        inner.write(write)
    }

    /// Reads something, unless that has rotted.
    fn read<T, E>(
        &self,
        part: Rot,
        read: impl FnOnce(&MemoryStore) -> Result<T, E>,
        error: impl FnOnce(String) -> E,
    ) -> Result<T, E> {
        if self.0.borrow().rot == Some(part) {
            self.0.borrow_mut().trouble = Some(Trouble::Rot(part));
            return Err(error(format!("{part:?}: checksum mismatch")));
        }
        read(&self.0.borrow().store)
    }
}

impl Inner {
    /// A write that is synced, and marked as such.
    fn write(
        &mut self,
        write: impl FnOnce(&mut MemoryStore) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.unsynced.clear();
        write(&mut self.store)?;
        self.writes += 1;
        self.mark = self.writes;
        Ok(())
    }
}

/// What a panic over a poisoned record says.
const POISON: &str = "poisoned record";

/// These panics are meant to be caught: nobody need read of them.
fn keep_poison_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload_as_str() != Some(POISON) {
                usual(panic);
            }
        }));
    });
}

impl StateReader for Disk {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        let poisoned = self.0.borrow().poison.contains(key);
        assert!(!poisoned, "{POISON}");
        self.read(Rot::Index, |store| store.record(key), StateError)
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        self.read(Rot::Index, |store| store.recorded(id), StateError)
    }
}

impl StateNodes for Disk {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.read(Rot::Index, |store| store.node(key), StateTreeError)
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        self.read(
            Rot::Index,
            |store| store.value(key, max_version),
            StateTreeError,
        )
    }
}

impl Store for Disk {
    fn tip(&self) -> Result<Option<Tip>, StoreError> {
        self.contents().tip()
    }

    fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        self.read(Rot::Block, |store| store.block(height), StoreError::Corrupt)
    }

    fn proposed_blocks(&self) -> Result<Vec<Block>, StoreError> {
        self.contents().proposed_blocks()
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.contents().envelope(id)
    }

    fn outcomes(&self, id: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError> {
        self.read(Rot::Index, |store| store.outcomes(id), StoreError::Corrupt)
    }

    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        self.contents().entry(sequence)
    }

    fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError> {
        self.contents().log_node(level, index)
    }

    fn log(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(Rot::Log, MemoryStore::log, StoreError::Corrupt)
    }

    fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError> {
        let inner = self.0.borrow();
        let mut from = inner.finals.range(height..);
        Ok(from.next().map(|(_, checkpoint)| checkpoint.clone()))
    }

    fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError> {
        let inner = self.0.borrow();
        let last = inner.finals.last_key_value();
        Ok(last.map(|(_, checkpoint)| checkpoint.clone()))
    }

    fn is_following(&self) -> Result<bool, StoreError> {
        self.contents().is_following()
    }

    fn append(&mut self, batch: &Append) -> Result<(), StoreError> {
        self.write(|store| store.append(batch))
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.write(|store| store.commit(commit))
    }

    fn set_following(&mut self, following: bool) -> Result<(), StoreError> {
        self.write(|store| store.set_following(following))
    }

    fn put_final(&mut self, checkpoint: &FinalCheckpoint) -> Result<(), StoreError> {
        let mut inner = self.0.borrow_mut();
        inner.unsynced.push(checkpoint.height);
        inner.finals.insert(checkpoint.height, checkpoint.clone());
        Ok(())
    }
}
