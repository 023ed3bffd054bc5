//! Makes what leaves the consortium: signed checkpoints and receipts.
//!
//! The quorum's cosignatures come from the store; the log line, which the format requires, is
//! this node's own. Ed25519 is deterministic, so the same checkpoint always gives the same
//! bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::SigningKey;
use jangbu_ledger::block::Entry;
use jangbu_ledger::checkpoint::{
    AssembleError, Checkpoint, Cosignature, SignedCheckpoint, Witness,
};
use jangbu_ledger::id::{Height, Sequence, StatementId};
use jangbu_ledger::merkle::{NodeHash, NodeReader, ProveError, prove_inclusion};
use jangbu_ledger::note::KeyName;
use jangbu_ledger::receipt::Receipt;
use jangbu_ledger::receipt::cose::CoseReceipt;
use jangbu_replica::store::{FinalCheckpoint, StoreError};

use crate::consortium::Consortium;
use crate::store::Reader;

/// Signs checkpoints and COSE receipts with the node's log key.
pub struct Notary {
    reader: Reader,
    origin: KeyName,
    witnesses: Vec<Witness>,
    quorum: usize,
    log_key: SigningKey,
    last: Mutex<Option<(Height, Arc<SignedCheckpoint>)>>,
}

/// Why there is no receipt or checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotaryError {
    /// There is no such entry.
    #[error("the log has no entry {0}")]
    NoEntry(Sequence),
    /// The entry is in the log, but no final checkpoint covers it yet.
    #[error("no final checkpoint covers it yet; try again in a moment")]
    NotFinal,
    /// What is stored does not make a checkpoint.
    #[error("a stored checkpoint cannot be assembled: {0}")]
    Assemble(#[from] AssembleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl std::fmt::Debug for Notary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notary")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Notary {
    /// A notary for a consortium's log.
    #[must_use]
    pub fn new(reader: Reader, consortium: &Consortium, log_key: SigningKey) -> Self {
        Self {
            reader,
            origin: consortium.origin.clone(),
            witnesses: consortium.witnesses.clone(),
            quorum: consortium.quorum,
            log_key,
            last: Mutex::default(),
        }
    }

    /// The database it reads from.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The last final checkpoint.
    ///
    /// # Errors
    ///
    /// [`NotaryError::NotFinal`] before the first.
    pub fn last_checkpoint(&self) -> Result<Arc<SignedCheckpoint>, NotaryError> {
        let last = self
            .reader
            .last_final_checkpoint()?
            .ok_or(NotaryError::NotFinal)?;
        self.sign(&last)
    }

    /// The receipt of an entry, under the first final checkpoint that covers it.
    ///
    /// # Errors
    ///
    /// [`NotaryError`] if there is no such entry or it is not final.
    pub fn receipt(&self, sequence: Sequence) -> Result<Receipt, NotaryError> {
        self.batch().receipt(sequence)
    }

    /// The COSE receipt of the statement in an entry: this node's word that the entry is in the
    /// log of the first final checkpoint that covers it.
    ///
    /// # Errors
    ///
    /// [`NotaryError`] if there is no such entry or it is not final.
    pub fn cose(
        &self,
        sequence: Sequence,
        statement: StatementId,
    ) -> Result<CoseReceipt, NotaryError> {
        let (receipt, stored) = self.batch().covered(sequence)?;
        let checkpoint = self.checkpoint(&stored);
        let signed = CoseReceipt::sign(
            &receipt,
            &checkpoint,
            statement,
            stored.timestamp,
            &self.log_key,
        );
        // What is stored makes no proof: nothing is signed.
        signed.map_err(|error| StoreError::Corrupt(format!("entry {sequence}: {error}")).into())
    }

    /// For many receipts: what they have in common is read once.
    #[must_use]
    pub fn batch(&self) -> ReceiptBatch<'_> {
        ReceiptBatch {
            notary: self,
            nodes: CachedNodes {
                reader: &self.reader,
                cache: RefCell::default(),
            },
        }
    }

    fn checkpoint(&self, stored: &FinalCheckpoint) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size: stored.size,
            root: stored.root,
        }
    }

    fn sign(&self, stored: &FinalCheckpoint) -> Result<Arc<SignedCheckpoint>, NotaryError> {
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((height, signed)) = last.as_ref()
                && *height == stored.height
            {
                return Ok(Arc::clone(signed));
            }
        }
        let checkpoint = self.checkpoint(stored);
        let mut cosignatures = Vec::with_capacity(stored.signatures.len());
        for (position, signature) in &stored.signatures {
            let Some(witness) = self.witnesses.get(usize::from(*position)) else {
                return Err(StoreError::Corrupt(
                    "a final checkpoint is cosigned by somebody who is no validator".into(),
                )
                .into());
            };
            cosignatures.push(Cosignature {
                name: witness.name.clone(),
                key: witness.key,
                timestamp_s: stored.timestamp,
                signature: *signature,
            });
        }
        let line = checkpoint.sign(&self.log_key);
        let signed = Arc::new(SignedCheckpoint::assemble(
            checkpoint,
            line,
            &cosignatures,
            self.quorum,
        )?);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((stored.height, Arc::clone(&signed)));
        Ok(signed)
    }
}

/// Makes receipts that share nodes of the log.
#[derive(Debug)]
pub struct ReceiptBatch<'a> {
    notary: &'a Notary,
    nodes: CachedNodes<'a>,
}

impl ReceiptBatch<'_> {
    /// See [`Notary::receipt`].
    ///
    /// # Errors
    ///
    /// [`NotaryError`] if there is no such entry or it is not final.
    pub fn receipt(&self, sequence: Sequence) -> Result<Receipt, NotaryError> {
        self.covered(sequence).map(|(receipt, _)| receipt)
    }

    /// The receipt, and the final checkpoint that it is under.
    fn covered(&self, sequence: Sequence) -> Result<(Receipt, FinalCheckpoint), NotaryError> {
        let reader = &self.notary.reader;
        let entry = reader
            .entry(sequence)?
            .ok_or(NotaryError::NoEntry(sequence))?;
        let height = Entry::decode(&entry)
            .map_err(|error| StoreError::Corrupt(format!("entry {sequence}: {error}")))?
            .height;
        let stored = reader
            .final_checkpoint(height)?
            .ok_or(NotaryError::NotFinal)?;
        let path =
            prove_inclusion(&self.nodes, sequence.0, stored.size).map_err(|error| match error {
                ProveError::Read(error) => error,
                other => StoreError::Corrupt(format!("entry {sequence}: {other}")),
            })?;
        let receipt = Receipt {
            entry,
            index: sequence.0,
            path,
            checkpoint: self.notary.sign(&stored)?.note().clone(),
        };
        Ok((receipt, stored))
    }
}

/// Nodes of the log, each read once; as many as the batch's paths have.
#[derive(Debug)]
struct CachedNodes<'a> {
    reader: &'a Reader,
    cache: RefCell<BTreeMap<(u8, u64), NodeHash>>,
}

impl NodeReader for CachedNodes<'_> {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<NodeHash, StoreError> {
        if let Some(hash) = self.cache.borrow().get(&(level, index)) {
            return Ok(*hash);
        }
        let hash = NodeReader::node(self.reader, level, index)?;
        self.cache.borrow_mut().insert((level, index), hash);
        Ok(hash)
    }
}
