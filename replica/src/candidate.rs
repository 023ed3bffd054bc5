//! A block that was executed but not decided: everything its commit will write.

use std::collections::BTreeSet;
use std::sync::Arc;

use jangbu_consensus::mutant::{self, Mutant};
use jangbu_ledger::block::{
    self, BLOCK_BYTES_MAX, BLOCK_ENVELOPES_MAX, Block, BlockHeader, Entry, EntryBody,
    PROTOCOL_VERSION,
};
use jangbu_ledger::codec;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::execute::{BlockContext, OrderError, execute, may_be_ordered};
use jangbu_ledger::id::{BlockId, EnvelopeId, Height, KeyId, Sequence, StateRoot, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::merkle::{NodeHash, leaf_hash};
use jangbu_ledger::share::Deed;
use jangbu_ledger::state::KeyPurpose;
use jangbu_ledger::state_tree;
use jangbu_ledger::statement::{Kind, Stream};

use crate::chain::Chain;
use crate::pool::Verified;
use crate::store::{Commit, Store, StoreError, StoredBlock, StreamSide, Tip};
use crate::total::{self, Panicked};

/// An executed block and what committing it will write, but for the certificate.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The block.
    pub block: Block,
    /// Its id.
    pub id: BlockId,
    /// What to write; its certificate is filled in when there is one.
    pub commit: Commit,
}

impl Candidate {
    /// Passes for this block, whatever it led to.
    fn take_for(&mut self, block: &Block) {
        self.block = block.clone();
        self.id = block.header.id();
        self.commit.tip.block_id = self.id;
        self.commit.block.block = block.clone();
    }
}

/// Why a body is not a valid block here and now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBlock {
    /// A field of the header does not fit the chain.
    #[error("the header's {0} does not fit")]
    Header(&'static str),
    /// Too many envelopes, or too many bytes of them.
    #[error("the block is too large")]
    TooLarge,
    /// An envelope stands in it twice, or in an earlier block.
    #[error("the block repeats envelope {0}")]
    Repeated(EnvelopeId),
    /// An envelope that may not be ordered.
    #[error("envelope {0} may not be ordered: {1}")]
    Envelope(EnvelopeId, OrderError),
    /// Executing it leads elsewhere than its header says.
    #[error("executing the block gives other roots than its header's")]
    Roots,
}

/// What judging a body may end in.
#[derive(Debug, thiserror::Error)]
pub enum CandidateError {
    /// The block is invalid: vote against it.
    #[error(transparent)]
    Invalid(#[from] InvalidBlock),
    /// The store failed: stop.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Executing it panicked: a defect of this program.
    #[error(transparent)]
    Panicked(#[from] ExecutionPanicked),
}

/// Execution panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("executing the block panicked: {reason}")]
pub struct ExecutionPanicked {
    /// The envelope without which it would not; `None` if it would even without any.
    pub envelope: Option<EnvelopeId>,
    /// What the panic said.
    pub reason: String,
}

/// Makes the next block from the oldest envelopes that may be ordered, with at most
/// `statements_max` statements unless the first envelope has more.
///
/// # Errors
///
/// [`CandidateError::Store`] if the state cannot be read, [`CandidateError::Panicked`] if the
/// block cannot be executed: try again without the envelope that it names.
pub fn propose<'a>(
    chain: &Chain,
    store: &dyn Store,
    tip: &Tip,
    proposer: KeyId,
    time_ms: TimeMs,
    statements_max: usize,
    waiting: impl Iterator<Item = &'a Verified>,
) -> Result<Candidate, CandidateError> {
    let mut chosen: Vec<&Verified> = Vec::new();
    let (mut bytes, mut statements) = (0, 0);
    for verified in waiting {
        let count = verified.envelope.statements.len();
        if chosen.len() >= BLOCK_ENVELOPES_MAX
            || bytes + verified.bytes.len() > BLOCK_BYTES_MAX
            || (!chosen.is_empty() && statements + count > statements_max)
        {
            break;
        }
        match may_be_ordered(&verified.envelope, time_ms, store_reader(store)) {
            Ok(_) if store.outcomes(&verified.id)?.is_none() => {
                bytes += verified.bytes.len();
                statements += count;
                chosen.push(verified);
            }
            Ok(_) => {}
            Err(OrderError::State(error)) => {
                return Err(StoreError::Failed(error.to_string()).into());
            }
            Err(_) => {}
        }
    }
    let made_by = (proposer, time_ms);
    run_guarded(chain, store, tip, made_by, &chosen)
}

/// Executes a block that someone proposed, and checks that it leads where its header says.
///
/// `envelopes` are the block's, in order, each verified.
///
/// # Errors
///
/// [`CandidateError::Invalid`] if the block breaks a rule of blocks,
/// [`CandidateError::Panicked`] if it cannot be executed.
pub fn check(
    chain: &Chain,
    store: &dyn Store,
    tip: &Tip,
    block: &Block,
    envelopes: &[&Verified],
) -> Result<Candidate, CandidateError> {
    let header = &block.header;
    let expected = tip.height.next();
    let fits = [
        (
            "protocol version",
            header.protocol_version == PROTOCOL_VERSION,
        ),
        ("chain", header.chain_id == chain.chain_id),
        ("height", header.height == expected),
        ("previous block", header.previous == tip.block_id),
        (
            "time",
            header.time_ms > tip.time_ms || mutant::is(Mutant::TimeGoesBack),
        ),
        ("proposer", chain.is_validator(&header.proposer)),
        (
            "envelopes root",
            header.envelopes_root == Block::envelopes_root(&block.envelopes),
        ),
    ];
    if let Some((field, _)) = fits.iter().find(|(_, holds)| !holds) {
        return Err(InvalidBlock::Header(field).into());
    }
    let bytes: usize = envelopes.iter().map(|verified| verified.bytes.len()).sum();
    if block.envelopes.len() > BLOCK_ENVELOPES_MAX
        || bytes > BLOCK_BYTES_MAX
        || envelopes.len() != block.envelopes.len()
    {
        return Err(InvalidBlock::TooLarge.into());
    }
    let mut seen = BTreeSet::new();
    for verified in envelopes {
        let again = !seen.insert(verified.id) || store.outcomes(&verified.id)?.is_some();
        if again && !mutant::is(Mutant::EnvelopeRepeated) {
            return Err(InvalidBlock::Repeated(verified.id).into());
        }
        match may_be_ordered(&verified.envelope, header.time_ms, store_reader(store)) {
            Ok(_) => {}
            Err(OrderError::State(error)) => {
                return Err(StoreError::Failed(error.to_string()).into());
            }
            Err(error) => return Err(InvalidBlock::Envelope(verified.id, error).into()),
        }
    }
    let made_by = (header.proposer, header.time_ms);
    let mut candidate = run_guarded(chain, store, tip, made_by, envelopes)?;
    if mutant::is(Mutant::RootsUnchecked) {
        candidate.take_for(block);
    }
    if candidate.block.header != *header {
        return Err(InvalidBlock::Roots.into());
    }
    Ok(candidate)
}

/// Executes the block of these envelopes; a panic is traced to the envelope that causes it.
fn run_guarded(
    chain: &Chain,
    store: &dyn Store,
    tip: &Tip,
    made_by: (KeyId, TimeMs),
    envelopes: &[&Verified],
) -> Result<Candidate, CandidateError> {
    let attempt = |list: &[&Verified]| total::guarded(|| run(chain, store, tip, made_by, list));
    match attempt(envelopes) {
        Ok(result) => Ok(result?),
        Err(Panicked(reason)) => {
            let panics = |n| attempt(envelopes.get(..n).unwrap_or(envelopes)).is_err();
            let envelope = total::culprit(envelopes.len(), panics)
                .and_then(|position| envelopes.get(position))
                .map(|verified| verified.id);
            Err(ExecutionPanicked { envelope, reason }.into())
        }
    }
}

fn run(
    chain: &Chain,
    store: &dyn Store,
    tip: &Tip,
    (proposer, time_ms): (KeyId, TimeMs),
    envelopes: &[&Verified],
) -> Result<Candidate, StoreError> {
    let height = tip.height.next();
    let ids: Vec<EnvelopeId> = envelopes.iter().map(|verified| verified.id).collect();
    let context = BlockContext {
        chain_id: chain.chain_id,
        height,
        time_ms,
        first: Sequence(tip.frontier.size()),
    };
    let list: Vec<(EnvelopeId, &Envelope, KeyPurpose)> = envelopes
        .iter()
        .map(|v| (v.id, v.envelope.as_ref(), v.purpose))
        .collect();
    let execution = execute(context, &list, store_reader(store))
        .map_err(|error| StoreError::Failed(error.to_string()))?;
    let before = store
        .block(tip.height)?
        .ok_or_else(|| {
            StoreError::Corrupt(format!("the block at height {} is missing", tip.height))
        })?
        .block
        .header
        .state_root;
    let state = state_tree::apply(store_nodes(store), height.0, &before, &execution.changes)
        .map_err(|error| StoreError::Failed(error.to_string()))?;

    let mut frontier = tip.frontier.clone();
    let mut log_nodes = Vec::new();
    let mut entries = Vec::with_capacity(execution.entries.len() + 1);
    let mut streams = Vec::new();
    let mut used_in = Vec::new();
    for new in &execution.entries {
        append_leaf(&mut frontier, &new.bytes, &mut log_nodes)?;
        index(&new.entry, &mut streams, &mut used_in);
        entries.push((new.entry.sequence, Some(new.statement), new.bytes.clone()));
    }
    let validators = chain.validators.hash();
    let header = BlockHeader {
        protocol_version: PROTOCOL_VERSION,
        chain_id: chain.chain_id,
        height,
        previous: tip.block_id,
        time_ms,
        proposer,
        envelopes_root: Block::envelopes_root(&ids),
        refusals_root: block::refusals_root(&execution.refusals),
        state_root: StateRoot(state.root.0),
        parameters_hash: chain.parameters_hash,
        validators_hash: validators,
        next_validators_hash: validators,
        log_size: frontier.size(),
        log_root: frontier.root(),
    };
    let seal = Entry {
        sequence: Sequence(frontier.size()),
        height,
        time_ms,
        body: EntryBody::Seal(Box::new(header.clone())),
    };
    let bytes = codec::encode(&seal);
    append_leaf(&mut frontier, &bytes, &mut log_nodes)?;
    entries.push((seal.sequence, None, bytes));

    let block = Block {
        header,
        envelopes: ids,
    };
    let id = block.header.id();
    let commit = Commit {
        tip: Tip {
            height,
            block_id: id,
            time_ms,
            frontier,
        },
        block: StoredBlock {
            block: block.clone(),
            certificate: None,
        },
        envelopes: envelopes
            .iter()
            .map(|v| (v.id, Arc::clone(&v.bytes)))
            .collect(),
        outcomes: block
            .envelopes
            .iter()
            .copied()
            .zip(execution.outcomes)
            .collect(),
        entries,
        log_nodes,
        records: execution.changes,
        state_nodes: state.nodes,
        stale_nodes: state.stale,
        warmth: state.warmth,
        streams,
        used_in,
    };
    Ok(Candidate { block, id, commit })
}

fn append_leaf(
    frontier: &mut jangbu_ledger::merkle::Frontier,
    entry: &[u8],
    nodes: &mut Vec<(u8, u64, NodeHash)>,
) -> Result<(), StoreError> {
    let completed = frontier
        .append(leaf_hash(entry))
        .map_err(|error| StoreError::Failed(error.to_string()))?;
    nodes.extend(
        completed
            .iter()
            .map(|node| (node.level, node.index, node.hash)),
    );
    Ok(())
}

/// Which streams an entry belongs to, and which other things it is found by: what it says its
/// subject contains, holds, is one of or was made of, from where a recall goes to the subject; and what a
/// use names.
fn index(
    entry: &Entry,
    streams: &mut Vec<(jangbu_ledger::id::SubjectId, StreamSide, Sequence)>,
    used_in: &mut Vec<(jangbu_ledger::id::SubjectId, Sequence)>,
) {
    let EntryBody::Statement(recorded) = &entry.body else {
        return;
    };
    for stream in &recorded.statement.streams {
        match stream {
            Stream::Open(id) => streams.push((id.subject_id(), StreamSide::Open, entry.sequence)),
            Stream::Claims(id) => {
                streams.push((id.subject_id(), StreamSide::Claims, entry.sequence));
            }
            Stream::Sealed(_) => {}
        }
    }
    let parts: BTreeSet<&Identifier> = match &recorded.statement.kind {
        Kind::GranularityLinked { part_of } => BTreeSet::from([part_of]),
        Kind::Derived { predecessors, .. } => predecessors.iter().collect(),
        Kind::Aggregated { children } => children.iter().collect(),
        Kind::ShareStep { deed, .. } => match deed.as_ref() {
            Deed::Used(usage) => usage.named().collect(),
            _ => BTreeSet::new(),
        },
        kind => kind.made_of().collect(),
    };
    for part in parts {
        used_in.push((part.subject_id(), entry.sequence));
    }
}

/// The genesis block's commit.
///
/// # Errors
///
/// [`StoreError`] if the log is full, which it is not.
pub fn genesis_commit(
    genesis: jangbu_ledger::founding::GenesisBlock,
) -> Result<Commit, StoreError> {
    let mut frontier = jangbu_ledger::merkle::Frontier::default();
    let mut log_nodes = Vec::new();
    append_leaf(&mut frontier, &genesis.seal, &mut log_nodes)?;
    let header = &genesis.block.header;
    Ok(Commit {
        tip: Tip {
            height: Height(0),
            block_id: header.id(),
            time_ms: header.time_ms,
            frontier,
        },
        block: StoredBlock {
            block: genesis.block,
            certificate: None,
        },
        envelopes: Vec::new(),
        outcomes: Vec::new(),
        entries: vec![(Sequence(0), None, genesis.seal)],
        log_nodes,
        records: genesis.changes,
        state_nodes: genesis.state.nodes,
        stale_nodes: genesis.state.stale,
        warmth: genesis.state.warmth,
        streams: Vec::new(),
        used_in: Vec::new(),
    })
}

fn store_reader(store: &dyn Store) -> &dyn jangbu_ledger::state::StateReader {
    store
}

fn store_nodes(store: &dyn Store) -> &dyn state_tree::StateNodes {
    store
}
