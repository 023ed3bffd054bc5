//! What a replica keeps on disk, as a trait: RocksDB in the node, memory in the simulator.
//!
//! Two kinds of write, both durable when they return:
//! - [`Store::append`] keeps what consensus must not forget before a message leaves: log
//!   records, proposed blocks, envelopes;
//! - [`Store::commit`] makes a decided block part of the ledger, in one atomic step, and drops
//!   the log of its height.

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use jangbu_consensus::CommitCertificate;
use jangbu_ledger::block::Block;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, Sequence, StatementId, SubjectId, TimeMs};
use jangbu_ledger::merkle::{Frontier, NodeHash};
use jangbu_ledger::state::StateReader;
pub use jangbu_ledger::state::StreamSide;
use jangbu_ledger::state_tree::{StateKey, StateNodes, Warmth};

/// Why the store failed. Always fatal for the replica: it stops and signs nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No space is left; nothing was written.
    #[error("the disk is full: {0}; free space and start the node again")]
    Full(String),
    /// What is on disk does not decode or contradicts itself.
    #[error("the database is damaged: {0}; restore it from a snapshot or from the peers")]
    Corrupt(String),
    /// Anything else the storage engine says.
    #[error("the database failed: {0}")]
    Failed(String),
}

/// The ledger after its last committed block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Tip {
    /// Height of the block.
    pub height: Height,
    /// Its id.
    pub block_id: BlockId,
    /// Its time.
    pub time_ms: TimeMs,
    /// The log's right edge, its seal included.
    pub frontier: Frontier,
}

/// A committed block with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StoredBlock {
    /// The block.
    pub block: Block,
    /// The votes that decided it; `None` only for the genesis block.
    pub certificate: Option<CommitCertificate>,
}

/// What must be on disk before the next message leaves.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// Consensus log records of the running height, in order.
    pub log: Vec<Vec<u8>>,
    /// Proposed blocks of the running height.
    pub blocks: Vec<Block>,
    /// Envelopes those blocks order.
    pub envelopes: Vec<(EnvelopeId, Arc<[u8]>)>,
}

impl Append {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.blocks.is_empty() && self.envelopes.is_empty()
    }
}

/// One block's worth of ledger, written in one piece.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The ledger afterwards.
    pub tip: Tip,
    /// The block and its certificate.
    pub block: StoredBlock,
    /// Envelopes not yet written by [`Store::append`].
    pub envelopes: Vec<(EnvelopeId, Arc<[u8]>)>,
    /// Outcomes per envelope.
    pub outcomes: Vec<(EnvelopeId, Vec<Outcome>)>,
    /// Entries in order, the seal last; the statement's id beside each but the seal.
    pub entries: Vec<(Sequence, Option<StatementId>, Vec<u8>)>,
    /// Log tree nodes completed by these entries: level, index, hash.
    pub log_nodes: Vec<(u8, u64, NodeHash)>,
    /// Changed records; `None` deletes.
    pub records: BTreeMap<StateKey, Option<Vec<u8>>>,
    /// New nodes of the state tree.
    pub state_nodes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Nodes of the state tree that this block made stale.
    pub stale_nodes: Vec<Vec<u8>>,
    /// What to keep at hand of the state tree, once this is written.
    pub warmth: Warmth,
    /// Streams the new entries belong to.
    pub streams: Vec<(SubjectId, StreamSide, Sequence)>,
    /// What a thing contains, is one of or was made of, for recalls; what a use names → the entry
    /// that says so.
    pub used_in: Vec<(SubjectId, Sequence)>,
}

/// A cosigned checkpoint of which a quorum is known.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FinalCheckpoint {
    /// The block it follows.
    pub height: Height,
    /// Size of the log.
    pub size: u64,
    /// Root of the log.
    pub root: NodeHash,
    /// Its time in seconds since the Unix epoch.
    pub timestamp: u64,
    /// Cosignatures, exactly a quorum: the validator's position in its set and the signature.
    pub signatures: Vec<(u8, jangbu_ledger::signature::Signature)>,
}

/// Durable storage of one replica.
pub trait Store: StateReader + StateNodes {
    /// The committed ledger, or `None` before the genesis block is committed.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; so do all methods below.
    fn tip(&self) -> Result<Option<Tip>, StoreError>;
    /// A committed block.
    fn block(&self, height: Height) -> Result<Option<StoredBlock>, StoreError>;
    /// The proposed blocks of the running height, kept by [`Store::append`].
    fn proposed_blocks(&self) -> Result<Vec<Block>, StoreError>;
    /// An envelope's bytes.
    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Arc<[u8]>>, StoreError>;
    /// What became of a committed envelope.
    fn outcomes(&self, id: &EnvelopeId) -> Result<Option<Vec<Outcome>>, StoreError>;
    /// An entry's bytes.
    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, StoreError>;
    /// A node of the log's tree.
    fn log_node(&self, level: u8, index: u64) -> Result<Option<NodeHash>, StoreError>;
    /// The consensus log of the running height, in order.
    fn log(&self) -> Result<Vec<Vec<u8>>, StoreError>;
    /// The first final checkpoint at or after `height`.
    fn final_checkpoint(&self, height: Height) -> Result<Option<FinalCheckpoint>, StoreError>;
    /// The last final checkpoint.
    fn last_final_checkpoint(&self) -> Result<Option<FinalCheckpoint>, StoreError>;

    /// Whether this copy follows without voting: see [`Store::set_following`].
    fn is_following(&self) -> Result<bool, StoreError>;

    /// Writes and syncs.
    fn append(&mut self, batch: &Append) -> Result<(), StoreError>;
    /// Writes a block atomically, syncs, drops the height's log and proposed blocks.
    fn commit(&mut self, commit: &Commit) -> Result<(), StoreError>;
    /// Keeps whether this copy, whose memory of what it signed was lost, follows without voting;
    /// syncs.
    fn set_following(&mut self, following: bool) -> Result<(), StoreError>;
    /// Keeps a final checkpoint. Need not be synced: it can be gathered again.
    fn put_final(&mut self, checkpoint: &FinalCheckpoint) -> Result<(), StoreError>;
}
