//! The same ledger, made again of what a newcomer need trust nobody for: the entries of its log, the
//! envelopes that its blocks name, and bare records of its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use jangbu_ledger::block::{Block, BlockHeader, Entry, EntryBody};
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StateRoot, StatementId};
use jangbu_ledger::merkle::{Frontier, NodeHash, leaf_hash};
use jangbu_ledger::state_tree::{self, EMPTY_ROOT, MemoryNodes, StateKey, Warmth};
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::store::{Commit, Store as _, StoredBlock, Tip};

use super::{World, WorldError};

/// Records by their keys, as anybody may hand them over.
pub type Records = BTreeMap<StateKey, Option<Vec<u8>>>;
/// Envelopes by their ids.
type Envelopes = Vec<(EnvelopeId, Arc<[u8]>)>;
/// Entries of the log, with the id of each statement.
type Entries = Vec<(Sequence, Option<StatementId>, Vec<u8>)>;
/// Nodes of the log's tree: level, index, hash.
type LogNodes = Vec<(u8, u64, NodeHash)>;

fn wrong(what: &str) -> WorldError {
    WorldError::Made(format!("the copy is refused: {what}"))
}

impl World {
    /// The bare records of the state.
    #[must_use]
    pub fn records(&self) -> Records {
        let records = self.store.records();
        records
            .map(|(key, value)| (*key, Some(value.clone())))
            .collect()
    }

    /// A ledger that was made of this one's log and of `records`, which may come from anybody.
    ///
    /// The log's root is what a quorum cosigned; its last entry is a seal, which names the state's
    /// root. That these two are this ledger's is for the caller to check ([`World::checkpoint`]).
    ///
    /// # Errors
    ///
    /// [`WorldError::Made`] if the records are not those that the seal names.
    pub fn copied(&self, records: &Records) -> Result<Self, WorldError> {
        let (entries, log_nodes, frontier) = self.log()?;
        let mut seals: Vec<BlockHeader> = Vec::new();
        for (_, _, bytes) in &entries {
            let entry = Entry::decode(bytes).map_err(|error| wrong(&error.to_string()))?;
            if let EntryBody::Seal(header) = entry.body {
                seals.push(*header);
            }
        }
        let last = seals.last().ok_or_else(|| wrong("there is no seal"))?;

        // All records at once are the first version; each block after it copies the root.
        let mut nodes = MemoryNodes::default();
        let mut update = state_tree::apply(&nodes, 0, &EMPTY_ROOT, records)?;
        if update.root != last.state_root {
            return Err(wrong("these records have another root than the seal names"));
        }
        nodes.extend(0, records, &update);
        let mut state_nodes = update.nodes.clone();
        for version in 1..=last.height.0 {
            update = state_tree::apply(&nodes, version, &last.state_root, &Records::new())?;
            nodes.extend(version, &Records::new(), &update);
            state_nodes.extend(update.nodes.clone());
        }

        let mut store = MemoryStore::default();
        for (number, header) in seals.iter().enumerate() {
            let is_last = number + 1 == seals.len();
            store.commit(&Commit {
                tip: Tip {
                    height: header.height,
                    block_id: header.id(),
                    time_ms: header.time_ms,
                    frontier: frontier.clone(),
                },
                block: StoredBlock {
                    block: self.body(header)?,
                    certificate: None,
                },
                envelopes: self.envelopes(header)?,
                outcomes: Vec::new(),
                entries: if is_last { entries.clone() } else { Vec::new() },
                log_nodes: if is_last {
                    log_nodes.clone()
                } else {
                    Vec::new()
                },
                // The first version is the genesis block's.
                records: if number == 0 {
                    records.clone()
                } else {
                    Records::new()
                },
                state_nodes: if is_last {
                    state_nodes.clone()
                } else {
                    Vec::new()
                },
                stale_nodes: Vec::new(),
                warmth: Warmth::default(),
                streams: Vec::new(),
                used_in: Vec::new(),
            })?;
        }
        Ok(Self {
            genesis: self.genesis.clone(),
            anchor: self.anchor.clone(),
            chain: self.chain.clone(),
            store,
            nonce: self.nonce,
        })
    }

    /// The block of a seal: the list of its envelopes must be the one that the header names.
    fn body(&self, header: &BlockHeader) -> Result<Block, WorldError> {
        let stored = self.store.block(header.height)?;
        let stored = stored.ok_or_else(|| wrong("a block is missing"))?.block;
        if Block::envelopes_root(&stored.envelopes) != header.envelopes_root {
            return Err(wrong("a block has other envelopes"));
        }
        Ok(Block {
            header: header.clone(),
            envelopes: stored.envelopes,
        })
    }

    /// The envelopes of a block, each of which has the id that the list names.
    fn envelopes(&self, header: &BlockHeader) -> Result<Envelopes, WorldError> {
        let mut envelopes = Vec::new();
        for id in self.body(header)?.envelopes {
            let bytes = self.store.envelope(&id)?;
            let bytes = bytes.ok_or_else(|| wrong("an envelope is missing"))?;
            if Envelope::id_of(&bytes) != id {
                return Err(wrong("an envelope has another id"));
            }
            envelopes.push((id, bytes));
        }
        Ok(envelopes)
    }

    /// The entries, with the id of each statement; the tree over them.
    fn log(&self) -> Result<(Entries, LogNodes, Frontier), WorldError> {
        let (mut frontier, mut entries, mut nodes) = (Frontier::new(), Vec::new(), Vec::new());
        while let Some(bytes) = self.store.entry(Sequence(frontier.size()))? {
            let sequence = Sequence(frontier.size());
            let entry = Entry::decode(&bytes).map_err(|error| wrong(&error.to_string()))?;
            let id = match entry.body {
                EntryBody::Statement(recorded) => Some(
                    recorded
                        .statement
                        .id(&self.anchor.chain_id, &recorded.member),
                ),
                EntryBody::Seal(_) => None,
            };
            let completed = frontier
                .append(leaf_hash(&bytes))
                .map_err(|error| wrong(&error.to_string()))?;
            nodes.extend(completed.iter().map(|n| (n.level, n.index, n.hash)));
            entries.push((sequence, id, bytes));
        }
        Ok((entries, nodes, frontier))
    }

    /// The state root that the last seal names.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if there is no block.
    pub fn state_root(&self) -> Result<StateRoot, WorldError> {
        let height = self.store.tip()?.map_or(Height(0), |tip| tip.height);
        let stored = self.store.block(height)?;
        let stored = stored.ok_or_else(|| wrong("there is no block"))?;
        Ok(stored.block.header.state_root)
    }
}
