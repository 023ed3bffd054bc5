//! Making bundles from what a node keeps. Whoever gets one verifies it: nothing here is trusted.

mod lineage;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Blob, Bundle, Claim, FORMAT, Leaf, SignedEntry, SignedHeader, StateItem, SubjectItem, UsesItem,
};
use crate::block::{BlockHeader, Entry, EntryBody, RecordedStatement};
use crate::codec;
use crate::envelope::Envelope;
use crate::id::{EnvelopeId, Height, MemberId, Sequence, Slot, StatementId};
use crate::identifier::Identifier;
use crate::merkle::{NodeReader, ProveError, prove_inclusion};
use crate::note::Note;
use crate::state::{
    LinkRecord, Record, SlotRecord, StreamSide, TransformationRecord, UseSide, decode_record, key,
};
use crate::state_tree::{self, StateKey, StateNodes, StateTreeError};
use crate::statement::Kind;
use crate::tree::{self, HashedList};

/// Most statements in one bundle.
pub const ENTRIES_MAX: usize = 8_192;
/// Most entries that are looked at for the uses of one thing: others may name it, too.
const LOOKED_AT_MAX: usize = 65_536;
/// Statements of one stream read at a time.
const CHUNK: usize = 1_000;

/// Where the parts of a bundle come from.
pub trait Source: NodeReader {
    /// The entry at a position.
    ///
    /// # Errors
    ///
    /// The storage's error; so do all methods below.
    fn entry(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, Self::Error>;
    /// An envelope's bytes.
    fn envelope(&self, id: &EnvelopeId) -> Result<Option<Vec<u8>>, Self::Error>;
    /// Where a statement is.
    fn statement(&self, id: &StatementId) -> Result<Option<Sequence>, Self::Error>;
    /// At most `limit` positions of one side of a subject's streams, after `after`, ascending.
    fn stream(
        &self,
        identifier: &Identifier,
        side: StreamSide,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Sequence>, Self::Error>;
    /// At most `limit` positions after `after`, ascending, of entries that may be uses of a thing:
    /// all that are, and perhaps others.
    fn uses(
        &self,
        identifier: &Identifier,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Sequence>, Self::Error>;
    /// Where the seal of a block is.
    fn seal(&self, height: Height) -> Result<Option<Sequence>, Self::Error>;
    /// Nodes and values of the state tree.
    fn state(&self) -> &dyn StateNodes;
}

/// Why a bundle cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError<E> {
    /// There is no such block.
    #[error("block {0} is not on the ledger of this node, or not final yet")]
    NoBlock(Height),
    /// There is no such statement.
    #[error("the statement {0} is not on the ledger of this node, or not final yet")]
    NoStatement(StatementId),
    /// More statements than one bundle may have.
    #[error("more than {ENTRIES_MAX} statements would be in the bundle; ask for less depth")]
    TooLarge,
    /// More statements name a thing than are looked through for its uses.
    #[error(
        "more than {LOOKED_AT_MAX} statements name {0}, most of them no uses of it: they are not all \
         looked through for a proof"
    )]
    Crowded(Identifier),
    /// What is stored contradicts itself.
    #[error("the ledger's data is damaged: {0}")]
    Damaged(String),
    /// The state at the checkpoint is not kept any more.
    #[error(transparent)]
    State(#[from] StateTreeError),
    /// The storage failed.
    #[error("the storage failed: {0}")]
    Source(E),
}

/// Puts one bundle together, under one checkpoint.
pub struct Builder<'a, S: Source> {
    source: &'a S,
    seal: BlockHeader,
    size: u64,
    bundle: Bundle,
    entries: BTreeMap<Sequence, Signed>,
    state: BTreeMap<StateKey, StateItem>,
    subjects: BTreeMap<Identifier, SubjectItem>,
    uses: BTreeMap<(Identifier, UseSide), UsesItem>,
    envelopes: BTreeMap<EnvelopeId, Opened>,
}

/// An entry that is in the bundle.
struct Signed {
    item: SignedEntry,
    statement: RecordedStatement,
    id: StatementId,
}

/// An envelope some of whose statements are in the bundle.
struct Opened {
    position: usize,
    envelope: Envelope,
    statements: HashedList,
}

impl<S: Source> std::fmt::Debug for Builder<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("height", &self.seal.height)
            .finish_non_exhaustive()
    }
}

type Built<T, S> = Result<T, BuildError<<S as NodeReader>::Error>>;

impl<'a, S: Source> Builder<'a, S> {
    /// Starts a bundle under a final checkpoint of `size` entries, the last of them a seal.
    ///
    /// # Errors
    ///
    /// [`BuildError::Damaged`] if the last entry is no seal, else the source's error.
    pub fn new(source: &'a S, checkpoint: &Note, size: u64) -> Built<Self, S> {
        let damaged = |what: String| BuildError::Damaged(what);
        let last = Sequence(
            size.checked_sub(1)
                .ok_or_else(|| damaged("the final log is empty".into()))?,
        );
        let bytes = read_entry(source, last)?;
        let entry =
            Entry::decode(&bytes).map_err(|error| damaged(format!("entry {last}: {error}")))?;
        let EntryBody::Seal(seal) = entry.body else {
            return Err(damaged(format!("entry {last} is no seal")));
        };
        let bundle = Bundle {
            format: FORMAT.into(),
            claims: Vec::new(),
            checkpoint: checkpoint.to_string(),
            seal: Leaf {
                entry: Blob(bytes),
                path: path(source, last, size)?,
            },
            envelopes: Vec::new(),
            entries: Vec::new(),
            state: Vec::new(),
            subjects: Vec::new(),
            documents: Vec::new(),
            uses: Vec::new(),
            blocks: Vec::new(),
        };
        Ok(Self {
            source,
            seal: *seal,
            size,
            bundle,
            entries: BTreeMap::new(),
            state: BTreeMap::new(),
            subjects: BTreeMap::new(),
            uses: BTreeMap::new(),
            envelopes: BTreeMap::new(),
        })
    }

    /// Claims that a statement is recorded.
    ///
    /// # Errors
    ///
    /// [`BuildError`]; so do all methods below.
    pub fn recorded(&mut self, statement: &StatementId) -> Built<(), S> {
        let found = self
            .source
            .statement(statement)
            .map_err(BuildError::Source)?;
        let sequence = found
            .filter(|sequence| sequence.0 < self.size)
            .ok_or(BuildError::NoStatement(*statement))?;
        self.add_entry(sequence)?;
        self.bundle.claims.push(Claim::Recorded {
            statement: *statement,
            sequence,
        });
        Ok(())
    }

    /// Claims that these are all statements about a subject, or that there are none.
    pub fn subject(&mut self, identifier: &Identifier) -> Built<(), S> {
        let identifier = identifier.clone();
        let known = self.add_subject(&identifier)?;
        self.bundle.claims.push(if known {
            Claim::Complete { identifier }
        } else {
            Claim::Absent { identifier }
        });
        Ok(())
    }

    /// Claims that a slot is empty, or which statement is in it.
    pub fn slot(&mut self, member: MemberId, slot: Slot) -> Built<(), S> {
        let record: Option<SlotRecord> = self.add_state(&key::slot(&member, &slot))?;
        let claim = match record {
            None => Claim::SlotEmpty { member, slot },
            Some(SlotRecord { sequence }) => {
                self.add_entry(sequence)?;
                Claim::SlotUsed {
                    member,
                    slot,
                    sequence,
                }
            }
        };
        self.bundle.claims.push(claim);
        Ok(())
    }

    /// Claims that the component tree below a product is whole, down to `depth` if given.
    pub fn composition(&mut self, root: &Identifier, depth: Option<u32>) -> Built<(), S> {
        let mut seen = BTreeSet::from([root.clone()]);
        let mut open = VecDeque::from([(root.clone(), 0u32)]);
        while let Some((identifier, level)) = open.pop_front() {
            self.add_subject(&identifier)?;
            let listed = self
                .subjects
                .get(&identifier)
                .map(|subject| subject.open.clone())
                .unwrap_or_default();
            for sequence in listed {
                for part in self.add_links(sequence)? {
                    if depth.is_none_or(|max| level < max) && seen.insert(part.clone()) {
                        open.push_back((part, level + 1));
                    }
                }
            }
        }
        self.bundle.claims.push(Claim::Composition {
            root: root.clone(),
            depth,
        });
        Ok(())
    }

    /// Claims that a block is sealed, unless it is the checkpoint's own, whose seal is there.
    /// Several are to be claimed from the lowest up.
    pub fn block(&mut self, height: Height) -> Built<(), S> {
        if height == self.seal.height {
            return Ok(());
        }
        let found = self.source.seal(height).map_err(BuildError::Source)?;
        let sequence = found
            .filter(|sequence| sequence.0 < self.size)
            .ok_or(BuildError::NoBlock(height))?;
        self.bundle.blocks.push(Leaf {
            entry: Blob(read_entry(self.source, sequence)?),
            path: path(self.source, sequence, self.size)?,
        });
        self.bundle.claims.push(Claim::Block { height });
        Ok(())
    }

    /// Claims that these are all statements about a thing and about the batch and the model it
    /// is of, as far as its owners say so.
    pub fn up_to_model(&mut self, identifier: &Identifier) -> Built<(), S> {
        let mut next = Some(identifier.clone());
        // An item, its batch, its model.
        for _ in 0..3 {
            let Some(identifier) = next.take() else {
                break;
            };
            self.subject(&identifier)?;
            let listed = self.subjects.get(&identifier);
            next = listed.and_then(|subject| {
                let mut statements = subject.open.iter().filter_map(|at| self.entries.get(at));
                statements.find_map(|signed| match &signed.statement.statement.kind {
                    Kind::GranularityLinked { part_of } => Some(part_of.clone()),
                    _ => None,
                })
            });
        }
        Ok(())
    }

    /// The bundle.
    #[must_use]
    pub fn finish(mut self) -> Bundle {
        self.bundle.entries = self
            .entries
            .into_values()
            .map(|signed| signed.item)
            .collect();
        self.bundle.state = self.state.into_values().collect();
        self.bundle.subjects = self.subjects.into_values().collect();
        self.bundle.uses = self.uses.into_values().collect();
        self.bundle
    }

    /// What an entry of the bundle says that its subjects are made of; adds how that stands.
    fn add_links(&mut self, sequence: Sequence) -> Built<Vec<Identifier>, S> {
        let Some(signed) = self.entries.get(&sequence) else {
            return Ok(Vec::new());
        };
        let (id, kind) = (signed.id, &signed.statement.statement.kind);
        let parts: Vec<Identifier> = kind.made_of().cloned().collect();
        match kind {
            Kind::ComponentLinked { .. } => {
                self.add_state::<LinkRecord>(&key::link(&id))?;
            }
            Kind::Transformed { .. } => {
                self.add_state::<TransformationRecord>(&key::transformation(&id))?;
            }
            _ => {}
        }
        Ok(parts)
    }

    /// Adds all statements of a subject; says whether it is known.
    fn add_subject(&mut self, identifier: &Identifier) -> Built<bool, S> {
        let id = identifier.subject_id();
        let record: Option<crate::state::SubjectRecord> = self.add_state(&key::subject(&id))?;
        self.add_state::<crate::state::StreamRecord>(&key::claims(&id))?;
        if !self.subjects.contains_key(identifier) {
            let open = self.add_stream(identifier, StreamSide::Open)?;
            let claims = self.add_stream(identifier, StreamSide::Claims)?;
            let item = SubjectItem {
                identifier: identifier.clone(),
                open,
                claims,
            };
            self.subjects.insert(identifier.clone(), item);
        }
        Ok(record.is_some())
    }

    fn add_stream(&mut self, identifier: &Identifier, side: StreamSide) -> Built<Vec<Sequence>, S> {
        let mut all = Vec::new();
        loop {
            let chunk = self
                .source
                .stream(identifier, side, all.last().copied(), CHUNK)
                .map_err(BuildError::Source)?;
            let more = chunk.len() == CHUNK;
            // What came after the checkpoint is not in its state either.
            let size = self.size;
            let covered = chunk.into_iter().take_while(|at| at.0 < size);
            let before = all.len();
            for sequence in covered {
                self.add_entry(sequence)?;
                all.push(sequence);
            }
            if !more || all.len() - before < CHUNK {
                return Ok(all);
            }
        }
    }

    fn add_state<T: Record>(&mut self, at: &StateKey) -> Built<Option<T>, S> {
        if !self.state.contains_key(at) {
            let height = self.seal.height.0;
            let root = &self.seal.state_root;
            let (value, proof) = state_tree::prove(self.source.state(), height, root, at)?;
            let item = StateItem {
                key: *at,
                value: value.map(Blob),
                proof: Blob(proof.to_bytes()),
            };
            self.state.insert(*at, item);
        }
        self.state
            .get(at)
            .and_then(|item| item.value.as_ref())
            .map(|value| decode_record(&value.0))
            .transpose()
            .map_err(|error| BuildError::Damaged(error.to_string()))
    }

    fn add_entry(&mut self, sequence: Sequence) -> Built<(), S> {
        if self.entries.contains_key(&sequence) {
            return Ok(());
        }
        if self.entries.len() >= ENTRIES_MAX {
            return Err(BuildError::TooLarge);
        }
        let damaged = |what: String| BuildError::Damaged(format!("entry {sequence}: {what}"));
        let bytes = read_entry(self.source, sequence)?;
        let entry = Entry::decode(&bytes).map_err(|error| damaged(error.to_string()))?;
        let EntryBody::Statement(recorded) = entry.body else {
            return Err(damaged("it is a seal".into()));
        };
        let recorded = *recorded;
        self.add_state::<crate::state::KeyRecord>(&key::signing_key(&recorded.key_id))?;
        let opened = self.open_envelope(&recorded.envelope_id)?;
        let index = usize::try_from(recorded.index).unwrap_or(usize::MAX);
        let statement_path = opened
            .statements
            .path(index)
            .ok_or_else(|| damaged("its envelope has no such statement".into()))?;
        let (envelope, chain) = (opened.position, opened.envelope.chain_id);
        let id = recorded.statement.id(&chain, &recorded.member);
        let item = SignedEntry {
            path: path(self.source, sequence, self.size)?,
            entry: Blob(bytes),
            envelope,
            statement_path,
        };
        let signed = Signed {
            item,
            statement: recorded,
            id,
        };
        self.entries.insert(sequence, signed);
        Ok(())
    }

    fn open_envelope(&mut self, id: &EnvelopeId) -> Built<&Opened, S> {
        if !self.envelopes.contains_key(id) {
            let damaged = |what: &str| BuildError::Damaged(format!("envelope {id} {what}"));
            let bytes = self
                .source
                .envelope(id)
                .map_err(BuildError::Source)?
                .ok_or_else(|| damaged("is missing"))?;
            let envelope = Envelope::decode(&bytes, &self.seal.chain_id)
                .map_err(|_| damaged("does not decode"))?;
            let position = self.bundle.envelopes.len();
            self.bundle.envelopes.push(SignedHeader {
                header: Blob(codec::encode(&envelope.header())),
                signature: envelope.signature,
            });
            let leaves: Vec<Vec<u8>> = envelope.statements.iter().map(codec::encode).collect();
            let statements = tree::STATEMENTS.hash(leaves.iter().map(Vec::as_slice));
            let opened = Opened {
                position,
                envelope,
                statements,
            };
            self.envelopes.insert(*id, opened);
        }
        self.envelopes
            .get(id)
            .ok_or_else(|| BuildError::Damaged(format!("envelope {id} is missing")))
    }
}

fn read_entry<S: Source>(source: &S, sequence: Sequence) -> Built<Vec<u8>, S> {
    source
        .entry(sequence)
        .map_err(BuildError::Source)?
        .ok_or_else(|| BuildError::Damaged(format!("entry {sequence} is missing")))
}

fn path<S: Source>(
    source: &S,
    sequence: Sequence,
    size: u64,
) -> Built<Vec<crate::merkle::NodeHash>, S> {
    prove_inclusion(source, sequence.0, size).map_err(|error| match error {
        ProveError::Read(error) => BuildError::Source(error),
        _ => BuildError::Damaged(format!("entry {sequence} is beyond the checkpoint")),
    })
}
