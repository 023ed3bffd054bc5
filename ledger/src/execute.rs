//! Runs a block's envelopes against the state: which statements become entries, which are
//! refused, and what changes. The same everywhere, or the roots differ and nobody votes.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::block::{Entry, EntryBody, RecordedStatement, Refusal};
use crate::codec;
use crate::envelope::Envelope;
use crate::id::{ChainId, EnvelopeId, Height, Sequence, StatementId, TimeMs};
use crate::rules::{self, Author, Rule, RuleError};
use crate::state::{KeyPurpose, KeyRecord, Overlay, StateError, StateReader, key};
use crate::state_tree::StateKey;

/// What became of one statement of an agreed envelope. Final, and the same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// It is the entry at this position.
    Recorded(Sequence),
    /// The same member had recorded it before, at this position.
    Duplicate(Sequence),
    /// It broke this rule.
    Refused(Rule),
}

/// Where a block stands, as far as execution needs to know.
#[derive(Debug, Clone, Copy)]
pub struct BlockContext {
    /// The ledger.
    pub chain_id: ChainId,
    /// The block.
    pub height: Height,
    /// Its time.
    pub time_ms: TimeMs,
    /// Size of the log before it.
    pub first: Sequence,
}

/// A statement that became an entry.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The statement's id.
    pub statement: StatementId,
    /// The entry.
    pub entry: Entry,
    /// The entry's canonical bytes.
    pub bytes: Vec<u8>,
}

/// What a block does.
#[derive(Debug, Clone, Default)]
pub struct Execution {
    /// Outcomes per envelope, in the block's order.
    pub outcomes: Vec<Vec<Outcome>>,
    /// New entries, in order, without the seal.
    pub entries: Vec<NewEntry>,
    /// Statements refused, in order.
    pub refusals: Vec<Refusal>,
    /// Changes of the state.
    pub changes: BTreeMap<StateKey, Option<Vec<u8>>>,
}

/// Why an envelope may not be in a block, judged by the state before the block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// The key is not registered, or not to this member.
    #[error("the key {0} is not registered for the envelope's member")]
    UnknownKey(crate::id::KeyId),
    /// The key was revoked, or is not active yet.
    #[error("the key {0} is revoked; use another of your keys")]
    RevokedKey(crate::id::KeyId),
    /// The envelope's time is over.
    #[error("the envelope expired at {expired} ms, the block's time is {now} ms; sign it again")]
    Expired {
        /// When.
        expired: u64,
        /// The block's time.
        now: u64,
    },
    /// It would live too long.
    #[error("the envelope expires more than 24 h ahead; check the clock that signed it")]
    TooLongLived,
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The key that must have signed the envelope, if the envelope may be ordered at `now`.
///
/// # Errors
///
/// [`OrderError`], the first found.
pub fn may_be_ordered(
    envelope: &Envelope,
    now: TimeMs,
    state: &dyn StateReader,
) -> Result<KeyRecord, OrderError> {
    let id = envelope.key_id;
    let record = Overlay::new(state)
        .get::<KeyRecord>(&key::signing_key(&id))?
        .filter(|record| record.member == envelope.member)
        .ok_or(OrderError::UnknownKey(id))?;
    if record.revoked_at.is_some() {
        return Err(OrderError::RevokedKey(id));
    }
    let expires = envelope.expires_at_ms.0;
    if expires <= now.0 {
        return Err(OrderError::Expired {
            expired: expires,
            now: now.0,
        });
    }
    if expires - now.0 > crate::envelope::LIFETIME_MS_MAX {
        return Err(OrderError::TooLongLived);
    }
    Ok(record)
}

/// Executes envelopes that may be ordered, in order.
///
/// # Errors
///
/// [`StateError`] if the storage fails; nothing a member sends causes one.
pub fn execute(
    context: BlockContext,
    envelopes: &[(EnvelopeId, &Envelope, KeyPurpose)],
    state: &dyn StateReader,
) -> Result<Execution, StateError> {
    let mut overlay = Overlay::new(state);
    let mut recorded: BTreeMap<StatementId, Sequence> = BTreeMap::new();
    let mut execution = Execution::default();
    let mut next = context.first;
    for (envelope_id, envelope, purpose) in envelopes {
        let mut outcomes = Vec::with_capacity(envelope.statements.len());
        for (index, statement) in (0u32..).zip(&envelope.statements) {
            let id = statement.id(&context.chain_id, &envelope.member);
            let before = match recorded.get(&id) {
                Some(sequence) => Some(*sequence),
                None => state.recorded(&id)?,
            };
            if let Some(sequence) = before {
                outcomes.push(Outcome::Duplicate(sequence));
                continue;
            }
            let author = Author {
                chain_id: &context.chain_id,
                member: &envelope.member,
                purpose: *purpose,
                statement: &id,
                height: context.height,
                time_ms: context.time_ms,
                sequence: next,
            };
            let known =
                |id: &StatementId| Ok(recorded.contains_key(id) || state.recorded(id)?.is_some());
            match rules::judge(&mut overlay, &known, author, statement) {
                Ok(()) => {
                    overlay.accept();
                    recorded.insert(id, next);
                    let entry = Entry {
                        sequence: next,
                        height: context.height,
                        time_ms: context.time_ms,
                        body: EntryBody::Statement(Box::new(RecordedStatement {
                            member: envelope.member,
                            key_id: envelope.key_id,
                            envelope_id: *envelope_id,
                            index,
                            statement: statement.clone(),
                        })),
                    };
                    let bytes = codec::encode(&entry);
                    execution.entries.push(NewEntry {
                        statement: id,
                        entry,
                        bytes,
                    });
                    outcomes.push(Outcome::Recorded(next));
                    next = next.next();
                }
                Err(RuleError::Refused(rule)) => {
                    overlay.refuse();
                    let refusal = Refusal {
                        envelope_id: *envelope_id,
                        index,
                        rule,
                    };
                    execution.refusals.push(refusal);
                    outcomes.push(Outcome::Refused(rule));
                }
                Err(RuleError::State(error)) => return Err(error),
            }
        }
        execution.outcomes.push(outcomes);
    }
    execution.changes = overlay.into_changes();
    Ok(execution)
}
