//! A [`Store`] in memory that knows what a crash loses: the simulator's disk.
//!
//! Every write here is synced when it returns, as the trait demands; [`MemoryStore::crash`]
//! gives what a restart finds, which leaves out the unsynced final checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use jangbu_ledger::block::Block;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, Sequence, StatementId};
use jangbu_ledger::merkle::NodeHash;
use jangbu_ledger::state::{StateError, StateReader};
use jangbu_ledger::state_tree::{StateKey, StateNodes, StateTreeError};

use crate::store::{Append, Commit, FinalCheckpoint, Store, StoreError, StoredBlock, Tip};

/// All of a replica's data, in maps.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tip: Option<Tip>,
    blocks: BTreeMap<Height, StoredBlock>,
    proposed: BTreeMap<BlockId, Block>,
    envelopes: BTreeMap<EnvelopeId, Arc<[u8]>>,
    outcomes: BTreeMap<EnvelopeId, Vec<Outcome>>,
    entries: BTreeMap<Sequence, Vec<u8>>,
    statements: BTreeMap<StatementId, Sequence>,
    log_nodes: BTreeMap<(u8, u64), NodeHash>,
    records: BTreeMap<StateKey, Vec<u8>>,
    values: BTreeMap<(StateKey, u64), Option<Vec<u8>>>,
    nodes: BTreeMap<Vec<u8>, Vec<u8>>,
    log: Vec<Vec<u8>>,
    finals: BTreeMap<Height, FinalCheckpoint>,
    following: bool,
}

impl MemoryStore {
    /// What a restart finds after the power went.
    #[must_use]
    pub fn crash(mut self) -> Self {
        self.finals.clear();
        self
    }

    /// Every record of the state, in order.
    pub fn records(&self) -> impl Iterator<Item = (&StateKey, &Vec<u8>)> {
        self.records.iter()
    }
}

impl StateReader for MemoryStore {
    fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.records.get(key).cloned())
    }

    fn recorded(&self, id: &StatementId) -> Result<Option<Sequence>, StateError> {
        Ok(self.statements.get(id).copied())
    }
}

impl StateNodes for MemoryStore {
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateTreeError> {
        Ok(self.nodes.get(key).cloned())
    }

    fn value(&self, key: &StateKey, max_version: u64) -> Result<Option<Vec<u8>>, StateTreeError> {
        let versions = (*key, 0)..=(*key, max_version);
        Ok(self
            .values
            .range(versions)
            .next_back()
            .and_then(|(_, value)| value.clone()))
    }
}

impl Store for MemoryStore {
    fn tip(&self) -> Result<Option<Tip>, StoreError> {
        Ok(self.tip.clone())
    }

    fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        Ok(self.blocks.get(&height).cloned())
    }

    fn proposed_blocks(&self) -> Result<Vec<Block>, StoreError> {
        Ok(self.proposed.values().cloned().collect())
    }

    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Arc<[u8]>>, StoreError> {
        Ok(self.envelopes.get(id).cloned())
    }

    fn outcomes(&self, id: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError> {
        Ok(self.outcomes.get(id).cloned())
    }

    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.entries.get(&sequence).cloned())
    }

    fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError> {
        Ok(self.log_nodes.get(&(level, index)).copied())
    }

    fn log(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.log.clone())
    }

    fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError> {
        Ok(self
            .finals
            .range(height..)
            .next()
            .map(|(_, checkpoint)| checkpoint.clone()))
    }

    fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError> {
        Ok(self
            .finals
            .last_key_value()
            .map(|(_, checkpoint)| checkpoint.clone()))
    }

    fn is_following(&self) -> Result<bool, StoreError> {
        Ok(self.following)
    }

    fn append(&mut self, batch: &Append) -> Result<(), StoreError> {
        self.log.extend(batch.log.iter().cloned());
        self.proposed
            .extend(batch.blocks.iter().map(|b| (b.header.id(), b.clone())));
        self.envelopes.extend(batch.envelopes.iter().cloned());
        Ok(())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let height = commit.tip.height;
        self.tip = Some(commit.tip.clone());
        self.blocks.insert(height, commit.block.clone());
        self.envelopes.extend(commit.envelopes.iter().cloned());
        self.outcomes.extend(commit.outcomes.iter().cloned());
        for (sequence, statement, bytes) in &commit.entries {
            self.entries.insert(*sequence, bytes.clone());
            if let Some(statement) = statement {
                self.statements.insert(*statement, *sequence);
            }
        }
        self.log_nodes.extend(
            commit
                .log_nodes
                .iter()
                .map(|(level, index, hash)| ((*level, *index), *hash)),
        );
        for (key, value) in &commit.records {
            match value {
                Some(value) => self.records.insert(*key, value.clone()),
                None => self.records.remove(key),
            };
            self.values.insert((*key, height.0), value.clone());
        }
        self.nodes.extend(commit.state_nodes.iter().cloned());
        self.log.clear();
        self.proposed.clear();
        Ok(())
    }

    fn set_following(&mut self, following: bool) -> Result<(), StoreError> {
        self.following = following;
        Ok(())
    }

    fn put_final(&mut self, checkpoint: &FinalCheckpoint) -> Result<(), StoreError> {
        self.finals.insert(checkpoint.height, checkpoint.clone());
        Ok(())
    }
}
