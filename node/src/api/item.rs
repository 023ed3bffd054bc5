//! An entry of the log as the API shows it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::id::{Height, MemberId, Sequence, StatementId, TimeMs};
use jangbu_replica::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use super::Node;
use super::problem::Problem;

/// An entry with what a reader would otherwise derive from it. A seal has no statement and no
/// member.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Item {
    /// Its position in the log.
    pub(super) sequence: Sequence,
    /// The block that recorded it.
    pub(super) height: Height,
    /// That block's time.
    pub(super) time_ms: TimeMs,
    /// The statement's id.
    pub(super) statement_id: Option<StatementId>,
    /// Who said it.
    pub(super) member: Option<MemberId>,
    /// The name of who said it.
    pub(super) member_name: Option<String>,
    /// The entry, as its bytes say.
    pub(super) entry: Entry,
    /// The bytes that the log commits to, in base64.
    #[schemars(extend("contentEncoding" = "base64"))]
    pub(super) entry_bytes: String,
}

impl Item {
    pub(super) fn new(node: &Node, sequence: Sequence, bytes: &[u8]) -> Result<Self, Problem> {
        let entry = decode(sequence, bytes)?;
        let (statement_id, member) = match &entry.body {
            EntryBody::Statement(recorded) => (
                Some(
                    recorded
                        .statement
                        .id(&node.consortium.chain_id, &recorded.member),
                ),
                Some(recorded.member),
            ),
            EntryBody::Seal(_) => (None, None),
        };
        Ok(Self {
            sequence,
            height: entry.height,
            time_ms: entry.time_ms,
            statement_id,
            member,
            member_name: member
                .and_then(|id| node.consortium.member_name(&id))
                .map(str::to_owned),
            entry,
            entry_bytes: BASE64_STANDARD.encode(bytes),
        })
    }

    /// Reads the entry at a position that an index names.
    pub(super) fn at(node: &Node, sequence: Sequence) -> Result<Self, Problem> {
        let bytes = node
            .reader
            .entry(sequence)?
            .ok_or_else(|| missing(sequence))?;
        Self::new(node, sequence, &bytes)
    }
}

/// Decodes a stored entry.
pub(super) fn decode(sequence: Sequence, bytes: &[u8]) -> Result<Entry, Problem> {
    Entry::decode(bytes)
        .map_err(|error| StoreError::Corrupt(format!("entry {sequence}: {error}")).into())
}

/// An index names an entry that is not there.
pub(super) fn missing(sequence: Sequence) -> Problem {
    StoreError::Corrupt(format!("entry {sequence} is missing")).into()
}
