//! The verified parts of a bundle, and which of them claims have used.

use std::collections::{BTreeMap, BTreeSet};

use super::{Anchor, Bundle, Failure, Leaf, SignedEntry};
use crate::block::{BlockHeader, Entry, EntryBody, PROTOCOL_VERSION, RecordedStatement};
use crate::checkpoint::{FinalCheckpoint, verify_quorum};
use crate::codec;
use crate::envelope::{ENVELOPE_VERSION, EnvelopeHeader, LIFETIME_MS_MAX, STATEMENTS_MAX};
use crate::id::{Height, Sequence, StatementId, TimeMs};
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::signature::Signature;
use crate::state::{KeyPurpose, KeyRecord, Record, decode_record, key};
use crate::state_tree::{StateKey, StateProof};
use crate::statement::Kind;
use crate::tree;

/// Largest encoding of an envelope's header, in bytes.
const HEADER_BYTES_MAX: usize = 256;

/// A statement that is in the log and signed by its author.
pub(super) struct Proved {
    pub(super) sequence: Sequence,
    pub(super) height: Height,
    pub(super) time_ms: TimeMs,
    pub(super) id: StatementId,
    pub(super) recorded: RecordedStatement,
}

/// Everything in a bundle that holds by itself, before any claim is looked at.
pub(super) struct Evidence<'a> {
    pub(super) anchor: &'a Anchor,
    pub(super) checkpoint: FinalCheckpoint,
    pub(super) seal: BlockHeader,
    entries: BTreeMap<Sequence, Proved>,
    state: BTreeMap<StateKey, Option<Vec<u8>>>,
    entries_used: BTreeSet<Sequence>,
    state_used: BTreeSet<StateKey>,
    blocks: BTreeMap<Height, (TimeMs, Sequence)>,
    blocks_used: BTreeSet<Height>,
    /// A header that no entry is of.
    header_unused: Option<usize>,
}

impl<'a> Evidence<'a> {
    /// Verifies checkpoint, seal, state proofs, entries and authors.
    pub(super) fn gather(bundle: &Bundle, anchor: &'a Anchor) -> Result<Self, Failure> {
        let checkpoint = verify_quorum(
            &bundle.checkpoint,
            &anchor.origin,
            &anchor.witnesses,
            anchor.quorum,
        )
        .map_err(Failure::Checkpoint)?;
        let seal = verify_seal(&bundle.seal, &checkpoint, anchor)?;
        let state = verify_state(bundle, &seal)?;
        let mut evidence = Self {
            anchor,
            checkpoint,
            seal,
            entries: BTreeMap::new(),
            state,
            entries_used: BTreeSet::new(),
            state_used: BTreeSet::new(),
            blocks: BTreeMap::new(),
            blocks_used: BTreeSet::new(),
            header_unused: None,
        };
        evidence.verify_blocks(bundle)?;
        evidence.verify_entries(bundle)?;
        Ok(evidence)
    }

    /// The statement at a position, for a claim that needs it.
    pub(super) fn entry(&mut self, sequence: Sequence) -> Result<&Proved, Failure> {
        let Some(proved) = self.entries.get(&sequence) else {
            return Err(Failure::Missing(format!(
                "entry {sequence} is not in the bundle"
            )));
        };
        self.entries_used.insert(sequence);
        Ok(proved)
    }

    /// Time and seal of an earlier block, for a claim that needs them.
    pub(super) fn block(&mut self, height: Height) -> Result<(TimeMs, Sequence), Failure> {
        let found = self.blocks.get(&height).copied().ok_or_else(|| {
            Failure::Missing(format!("the seal of block {height} is not in the bundle"))
        })?;
        self.blocks_used.insert(height);
        Ok(found)
    }

    /// A record of the state, for a claim that needs it; `what` names it for people.
    pub(super) fn record<T: Record>(
        &mut self,
        key: &StateKey,
        what: &dyn std::fmt::Display,
    ) -> Result<Option<T>, Failure> {
        let Some(value) = self.state.get(key) else {
            return Err(Failure::Missing(format!(
                "the bundle has no state proof of {what}"
            )));
        };
        self.state_used.insert(*key);
        value
            .as_ref()
            .map(|bytes| decode_record(bytes))
            .transpose()
            .map_err(|error| Failure::State {
                key: *key,
                reason: error.to_string(),
            })
    }

    /// All statements, by position.
    pub(super) fn statements(&self) -> impl Iterator<Item = &Proved> {
        self.entries.values()
    }

    /// Refuses what no claim has used.
    pub(super) fn check_all_used(&self) -> Result<(), Failure> {
        let unused = self
            .entries
            .keys()
            .find(|at| !self.entries_used.contains(at));
        if let Some(sequence) = unused {
            return Err(Failure::Order(format!("no claim uses entry {sequence}")));
        }
        if let Some(index) = self.header_unused {
            return Err(Failure::Order(format!(
                "no entry is of the envelope header number {index}"
            )));
        }
        let unused = self.blocks.keys().find(|at| !self.blocks_used.contains(at));
        if let Some(height) = unused {
            return Err(Failure::Order(format!(
                "no claim uses the seal of block {height}"
            )));
        }
        let unused = self.state.keys().find(|at| !self.state_used.contains(at));
        if let Some(key) = unused {
            return Err(Failure::Order(format!(
                "no claim uses the state proof for key {key}"
            )));
        }
        Ok(())
    }

    fn verify_blocks(&mut self, bundle: &Bundle) -> Result<(), Failure> {
        for leaf in &bundle.blocks {
            let sequence = Entry::decode(&leaf.entry.0)
                .map_err(|error| Failure::Seal(error.to_string()))?
                .sequence;
            let header = seal_at(leaf, sequence.0, &self.checkpoint, self.anchor)?;
            let before = self.blocks.last_key_value();
            if before.is_some_and(|(last, _)| *last >= header.height) {
                return Err(Failure::Order(format!(
                    "the seal of block {} stands twice or in the wrong place",
                    header.height
                )));
            }
            self.blocks
                .insert(header.height, (header.time_ms, sequence));
        }
        Ok(())
    }

    fn verify_entries(&mut self, bundle: &Bundle) -> Result<(), Failure> {
        let mut headers: Vec<EnvelopeHeader> = Vec::with_capacity(bundle.envelopes.len());
        let mut headers_used = BTreeSet::new();
        for (index, signed) in bundle.envelopes.iter().enumerate() {
            let header = codec::decode(&signed.header.0, HEADER_BYTES_MAX).map_err(|error| {
                Failure::Order(format!("the envelope header number {index}: {error}"))
            })?;
            self.verify_signature(index, &header, &signed.signature)?;
            headers.push(header);
        }
        for (index, signed) in bundle.entries.iter().enumerate() {
            let (entry, recorded) = statement_entry(index, &signed.entry.0)?;
            let sequence = entry.sequence;
            if let Some((last, _)) = self.entries.last_key_value()
                && *last >= sequence
            {
                return Err(Failure::Order(format!(
                    "entry {sequence} comes after entry {last}: it stands twice or in the wrong place"
                )));
            }
            self.verify_in_log(sequence, &signed.entry.0, &signed.path)?;
            let header = headers
                .get(signed.envelope)
                .ok_or_else(|| Failure::Author {
                    sequence,
                    reason: format!("there is no envelope number {}", signed.envelope),
                })?;
            headers_used.insert(signed.envelope);
            let purpose = self.verify_author(&entry, &recorded, header, signed)?;
            let administrative = matches!(recorded.statement.kind, Kind::KeyRevoked { .. });
            if administrative != (purpose == KeyPurpose::Admin) {
                return Err(Failure::Author {
                    sequence,
                    reason: "the key may not sign such a statement".into(),
                });
            }
            self.entries.insert(
                sequence,
                Proved {
                    sequence,
                    height: entry.height,
                    time_ms: entry.time_ms,
                    id: recorded
                        .statement
                        .id(&self.anchor.chain_id, &recorded.member),
                    recorded,
                },
            );
        }
        self.header_unused = (0..headers.len()).find(|index| !headers_used.contains(index));
        Ok(())
    }

    fn verify_in_log(
        &self,
        sequence: Sequence,
        entry: &[u8],
        path: &[crate::merkle::NodeHash],
    ) -> Result<(), Failure> {
        let (size, root) = (
            self.checkpoint.checkpoint.size,
            &self.checkpoint.checkpoint.root,
        );
        verify_inclusion(&leaf_hash(entry), sequence.0, size, path, root).map_err(|error| {
            Failure::Entry {
                sequence,
                reason: format!("it is not shown to be in the log: {error}"),
            }
        })
    }

    fn verify_signature(
        &self,
        index: usize,
        header: &EnvelopeHeader,
        signature: &Signature,
    ) -> Result<(), Failure> {
        let fault = |reason: String| {
            Failure::Order(format!("the envelope header number {index}: {reason}"))
        };
        if header.version != ENVELOPE_VERSION {
            return Err(fault(format!("unknown version {}", header.version)));
        }
        if header.chain_id != self.anchor.chain_id {
            return Err(fault(format!("it is for the ledger {}", header.chain_id)));
        }
        let key = self
            .anchor
            .key(&header.member, &header.key_id)
            .ok_or_else(|| {
                Failure::Missing(format!(
                    "the genesis file has no key {} of {}",
                    header.key_id,
                    self.anchor.name(&header.member)
                ))
            })?;
        key.verify(&header.signing_digest(), signature)
            .map_err(|error| fault(error.to_string()))
    }

    /// Checks that the statement is one of the signed envelope's, and that its key was in force.
    fn verify_author(
        &mut self,
        entry: &Entry,
        recorded: &RecordedStatement,
        header: &EnvelopeHeader,
        signed: &SignedEntry,
    ) -> Result<KeyPurpose, Failure> {
        let sequence = entry.sequence;
        let fault = |reason: String| Failure::Author { sequence, reason };
        if header.member != recorded.member || header.key_id != recorded.key_id {
            return Err(fault("the envelope is of another member or key".into()));
        }
        let (index, count) = (
            usize::try_from(recorded.index).unwrap_or(usize::MAX),
            usize::try_from(header.count).unwrap_or(usize::MAX),
        );
        let leaf = codec::encode(&recorded.statement);
        if count > STATEMENTS_MAX
            || !tree::STATEMENTS.verify(
                &leaf,
                index,
                count,
                &signed.statement_path,
                &header.statements_root,
            )
        {
            return Err(fault(
                "the statement is not one of the signed envelope's".into(),
            ));
        }
        let (expires, now) = (header.expires_at_ms.0, entry.time_ms.0);
        if expires <= now || expires - now > LIFETIME_MS_MAX {
            return Err(fault(
                "the envelope was not valid at the entry's time".into(),
            ));
        }
        let what = format!("the key {}", recorded.key_id);
        let record: KeyRecord = self
            .record(&key::signing_key(&recorded.key_id), &what)?
            .ok_or_else(|| fault(format!("the state has no key {}", recorded.key_id)))?;
        let known = self.anchor.key(&recorded.member, &recorded.key_id);
        if record.member != recorded.member || known != Some(record.key) {
            return Err(fault(format!("{what} is not the author's")));
        }
        let in_force = record.active_from <= entry.height
            && record
                .revoked_at
                .is_none_or(|revoked| entry.height <= revoked);
        if in_force {
            Ok(record.purpose)
        } else {
            Err(fault(format!(
                "{what} was not in force at height {}",
                entry.height
            )))
        }
    }
}

/// An entry that holds a statement.
pub(super) fn statement_entry(
    index: usize,
    bytes: &[u8],
) -> Result<(Entry, RecordedStatement), Failure> {
    let fault = |reason: String| Failure::NoEntry { index, reason };
    let entry = Entry::decode(bytes).map_err(|error| fault(error.to_string()))?;
    match &entry.body {
        EntryBody::Statement(recorded) => {
            let recorded = recorded.as_ref().clone();
            Ok((entry, recorded))
        }
        EntryBody::Seal(_) => Err(fault("it is a seal".into())),
    }
}

/// The seal at a position of the log.
fn seal_at(
    leaf: &Leaf,
    position: u64,
    checkpoint: &FinalCheckpoint,
    anchor: &Anchor,
) -> Result<BlockHeader, Failure> {
    let fault = |reason: &str| Failure::Seal(reason.into());
    let (size, root) = (checkpoint.checkpoint.size, &checkpoint.checkpoint.root);
    verify_inclusion(&leaf_hash(&leaf.entry.0), position, size, &leaf.path, root)
        .map_err(|error| Failure::Seal(error.to_string()))?;
    let entry = Entry::decode(&leaf.entry.0).map_err(|error| Failure::Seal(error.to_string()))?;
    let EntryBody::Seal(header) = entry.body else {
        return Err(fault("the entry is no seal"));
    };
    if entry.sequence.0 != position || header.log_size != position {
        return Err(fault("it names another position than its own"));
    }
    if header.height != entry.height || header.time_ms != entry.time_ms {
        return Err(fault("it names another block than its entry"));
    }
    if header.chain_id != anchor.chain_id {
        return Err(fault("it is of another ledger"));
    }
    Ok(*header)
}

fn verify_seal(
    leaf: &Leaf,
    checkpoint: &FinalCheckpoint,
    anchor: &Anchor,
) -> Result<BlockHeader, Failure> {
    let Some(last) = checkpoint.checkpoint.size.checked_sub(1) else {
        return Err(Failure::Seal("the log is empty".into()));
    };
    let header = seal_at(leaf, last, checkpoint, anchor)?;
    if header.protocol_version != PROTOCOL_VERSION {
        return Err(Failure::Missing(format!(
            "the ledger speaks protocol version {}, this program knows {PROTOCOL_VERSION}",
            header.protocol_version
        )));
    }
    if header.validators_hash != anchor.validators_hash {
        return Err(Failure::Missing(
            "the validators are no longer the genesis file's, and the bundle does not show how \
             they changed"
                .into(),
        ));
    }
    Ok(header)
}

fn verify_state(
    bundle: &Bundle,
    seal: &BlockHeader,
) -> Result<BTreeMap<StateKey, Option<Vec<u8>>>, Failure> {
    let mut state = BTreeMap::new();
    for item in &bundle.state {
        let fault = |reason: String| Failure::State {
            key: item.key,
            reason,
        };
        if let Some((last, _)) = state.last_key_value()
            && *last >= item.key
        {
            return Err(Failure::Order(format!(
                "the state proof for key {} stands twice or in the wrong place",
                item.key
            )));
        }
        let value = item.value.as_ref().map(|value| value.0.clone());
        StateProof::from_bytes(&item.proof.0)
            .and_then(|proof| proof.verify(&seal.state_root, &item.key, value.as_deref()))
            .map_err(|error| fault(error.to_string()))?;
        state.insert(item.key, value);
    }
    Ok(state)
}
