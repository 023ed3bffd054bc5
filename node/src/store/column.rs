//! The column families, and the bytes of their keys.
//!
//! Numbers in keys are big endian, so that keys sort as numbers do.

use bincode::{Decode, Encode};
use jangbu_ledger::codec::CodecError;
use jangbu_ledger::envelope::STATEMENTS_MAX;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{Height, Sequence, SubjectId};
use jangbu_ledger::state_tree::StateKey;
use jangbu_replica::store::{StoreError, StreamSide};

/// One kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Format, chain, tip, how far pruning went; by name.
    Meta,
    /// Committed blocks with their certificates; by height.
    Blocks,
    /// Proposed blocks of the running height; by id.
    Proposed,
    /// Envelopes; by id.
    Envelopes,
    /// What became of committed envelopes; by id.
    Outcomes,
    /// Entries; by sequence.
    Entries,
    /// Sequence of a recorded statement; by id.
    Statements,
    /// Complete subtrees of the log; by level and index.
    LogNodes,
    /// Current records of the state; by state key.
    Records,
    /// All values of records within the retention window; by state key and height.
    RecordValues,
    /// Nodes of the state tree; by the tree's own keys.
    StateNodes,
    /// What became stale; by height.
    StaleNodes,
    /// Entries of a subject's two streams; by subject, side and sequence.
    Streams,
    /// Entries that put a component into a product; by component and sequence.
    UsedIn,
    /// The consensus log of the running height; by number.
    Wal,
    /// Final checkpoints; by height.
    Finals,
}

/// Every column, in the order in which they are opened.
pub(super) const COLUMNS: [Column; 16] = [
    Column::Meta,
    Column::Blocks,
    Column::Proposed,
    Column::Envelopes,
    Column::Outcomes,
    Column::Entries,
    Column::Statements,
    Column::LogNodes,
    Column::Records,
    Column::RecordValues,
    Column::StateNodes,
    Column::StaleNodes,
    Column::Streams,
    Column::UsedIn,
    Column::Wal,
    Column::Finals,
];

/// What executing the blocks makes, and can make again. Blocks and envelopes are what it is made
/// from; final checkpoints and the running height's log have no other source.
pub(super) const EXECUTED: [Column; 10] = [
    Column::Outcomes,
    Column::Entries,
    Column::Statements,
    Column::LogNodes,
    Column::Records,
    Column::RecordValues,
    Column::StateNodes,
    Column::StaleNodes,
    Column::Streams,
    Column::UsedIn,
];

/// Key in [`Column::Meta`] of the format's version.
pub(super) const META_FORMAT: &[u8] = b"format";
/// Key in [`Column::Meta`] of the ledger's id.
pub(super) const META_CHAIN: &[u8] = b"chain";
/// Key in [`Column::Meta`] of the tip.
pub(super) const META_TIP: &[u8] = b"tip";
/// Key in [`Column::Meta`] of one byte: whether this copy follows without voting.
pub(super) const META_FOLLOWING: &[u8] = b"following";
/// Key in [`Column::Meta`] of the last key that pruning removed from [`Column::StaleNodes`].
pub(super) const META_PRUNED: &[u8] = b"pruned";
/// Key in [`Column::Meta`] that is there while what follows from the blocks is replaced.
pub(super) const META_REINDEXING: &[u8] = b"reindexing";

/// What a stale key names: a node of the state tree.
pub(super) const STALE_NODE: u8 = 0;
/// What a stale key names: the value before the one written at that height.
pub(super) const STALE_VALUE: u8 = 1;

impl Column {
    /// The family's name on disk.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Blocks => "blocks",
            Self::Proposed => "proposed",
            Self::Envelopes => "envelopes",
            Self::Outcomes => "outcomes",
            Self::Entries => "entries",
            Self::Statements => "statements",
            Self::LogNodes => "log_nodes",
            Self::Records => "records",
            Self::RecordValues => "record_values",
            Self::StateNodes => "state_nodes",
            Self::StaleNodes => "stale_nodes",
            Self::Streams => "streams",
            Self::UsedIn => "used_in",
            Self::Wal => "wal",
            Self::Finals => "finals",
        }
    }
}

/// What became of a committed envelope, and in which block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredOutcomes {
    /// The block that ordered it.
    pub(super) height: Height,
    /// Per statement.
    pub(super) outcomes: Vec<Outcome>,
}

impl StoredOutcomes {
    /// Largest encoding: a height and ten bytes per statement, with room.
    pub(super) const BYTES_MAX: usize = 64 + 16 * STATEMENTS_MAX;
}

pub(super) fn log_node_key(level: u8, index: u64) -> [u8; 9] {
    let mut key = [level; 9];
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Start of the keys of one side of a subject's stream.
pub(super) fn stream_prefix(subject: &SubjectId, side: StreamSide) -> Vec<u8> {
    [&subject.0[..], &[super::side_byte(side)]].concat()
}

pub(super) fn stream_key(subject: &SubjectId, side: StreamSide, sequence: Sequence) -> Vec<u8> {
    [&stream_prefix(subject, side)[..], &sequence.0.to_be_bytes()].concat()
}

pub(super) fn used_in_key(component: &SubjectId, sequence: Sequence) -> Vec<u8> {
    [&component.0[..], &sequence.0.to_be_bytes()].concat()
}

pub(super) fn value_key(key: &StateKey, version: u64) -> Vec<u8> {
    [&key.0[..], &version.to_be_bytes()].concat()
}

pub(super) fn stale_node_key(height: Height, node: &[u8]) -> Vec<u8> {
    [&height.0.to_be_bytes()[..], &[STALE_NODE], node].concat()
}

pub(super) fn stale_value_key(height: Height, key: &StateKey) -> Vec<u8> {
    [&height.0.to_be_bytes()[..], &[STALE_VALUE], &key.0].concat()
}

/// A value as stored: one byte that says whether it exists, then its bytes.
pub(super) fn encode_value(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        Some(bytes) => [&[1], bytes].concat(),
        None => vec![0],
    }
}

/// Reads what [`encode_value`] wrote.
pub(super) fn decode_value(stored: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    match stored.split_first() {
        Some((1, bytes)) => Ok(Some(bytes.to_vec())),
        Some((0, [])) => Ok(None),
        _ => Err(StoreError::Corrupt(
            "a value of the state does not decode".into(),
        )),
    }
}

/// The number at the end of a key.
pub(super) fn counter(key: &[u8]) -> Result<u64, StoreError> {
    key.last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
        .ok_or_else(|| StoreError::Corrupt("a key is too short".into()))
}

/// For `map_err`: what is on disk does not decode.
pub(super) fn undecodable(what: &'static str) -> impl FnOnce(CodecError) -> StoreError {
    move |error| StoreError::Corrupt(format!("{what} does not decode: {error}"))
}
