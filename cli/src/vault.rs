//! The vault: what opens and proves a member's statements, in plain files that its owner can
//! read, copy and back up.
//!
//! ```text
//!   documents/<statement id>.json          what opens the commitment; secret
//!   receipts/<statement id>.tlog-proof     verified proof that it is recorded
//!   envelopes/<envelope id>.bin            signed, and not known to be decided
//!   streams/<name>.json  .lock             what a sealed stream needs; one writer at a time
//! ```
//!
//! Invariant: a file is there whole or not at all, and readable by its owner only.

mod store;
mod stream;

use std::path::{Path, PathBuf};

use jangbu_ledger::block::Entry;
use jangbu_ledger::envelope::{ENVELOPE_BYTES_MAX, Envelope};
use jangbu_ledger::id::{EnvelopeId, StatementId};
use jangbu_ledger::json::DOCUMENT_BYTES_MAX;
use jangbu_ledger::receipt::{RECEIPT_BYTES_MAX, Receipt};

use crate::document::Opening;
use crate::error::CliError;
use crate::receipt::Verifier;

pub use store::write_atomic;
pub use stream::StreamLock;

use store::read_if_there;

/// Openings hold a document and little else; escapes may make the file longer than its source.
const OPENING_BYTES_MAX: u64 = 4 * DOCUMENT_BYTES_MAX as u64;

/// A member's vault.
#[derive(Debug, Clone)]
pub struct Vault {
    directory: PathBuf,
}

impl Vault {
    /// The vault in `directory`, which need not exist yet.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Keeps openings; on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn keep_openings<'a>(
        &self,
        openings: impl IntoIterator<Item = (&'a StatementId, &'a Opening)>,
    ) -> Result<(), CliError> {
        let mut files = Vec::new();
        for (id, opening) in openings {
            let mut text = serde_json::to_vec_pretty(opening).map_err(CliError::internal)?;
            text.push(b'\n');
            files.push((self.opening_path(id), text));
        }
        store::write_all(&self.directory.join("documents"), &files)
    }

    /// What opens a statement, if the vault has it.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the file is damaged.
    pub fn opening(&self, id: &StatementId) -> Result<Option<Opening>, CliError> {
        let path = self.opening_path(id);
        let Some(bytes) = read_if_there(&path, OPENING_BYTES_MAX)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            CliError::file(&path, format!("it is no opening: {error}"))
                .hint("restore the vault from a backup, or run the same command on the document")
        })
    }

    /// Keeps a receipt that was verified. It can be had again from any node, so this does not
    /// wait for the disk; what a crash leaves of it does not verify and is fetched anew.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn keep_receipt(&self, id: &StatementId, receipt: &Receipt) -> Result<PathBuf, CliError> {
        let path = self.receipt_path(id);
        store::write_unsynced(&path, receipt.to_string().as_bytes())?;
        Ok(path)
    }

    /// The receipt of a statement, if the vault has one that holds, with its entry.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the file exists and cannot be read.
    pub fn receipt(
        &self,
        id: &StatementId,
        verifier: &Verifier,
    ) -> Result<Option<(PathBuf, Entry)>, CliError> {
        let path = self.receipt_path(id);
        let Some(bytes) = read_if_there(&path, RECEIPT_BYTES_MAX as u64)? else {
            return Ok(None);
        };
        let entry = Receipt::parse(&bytes)
            .ok()
            .and_then(|receipt| verifier.entry_of(id, &receipt).ok());
        Ok(entry.map(|entry| (path, entry)))
    }

    /// Where a statement's receipt is kept.
    #[must_use]
    pub fn receipt_path(&self, id: &StatementId) -> PathBuf {
        self.directory
            .join("receipts")
            .join(format!("{id}.tlog-proof"))
    }

    /// Keeps an envelope that is about to be sent; on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn keep_envelope(&self, bytes: &[u8]) -> Result<PathBuf, CliError> {
        let path = self.envelope_path(&Envelope::id_of(bytes));
        write_atomic(&path, bytes)?;
        Ok(path)
    }

    /// Forgets an envelope whose outcome is known, or that no block takes any more.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be removed.
    pub fn forget_envelope(&self, id: &EnvelopeId) -> Result<(), CliError> {
        let path = self.envelope_path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CliError::io(&path, &error))
            }
            _ => Ok(()),
        }
    }

    /// The envelopes that were signed and are not known to be decided, oldest name first.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the directory or a file cannot be read. A file that is no envelope's
    /// bytes under its own id is not one of ours and is passed over.
    pub fn envelopes(&self) -> Result<Vec<(EnvelopeId, Vec<u8>)>, CliError> {
        let mut kept = Vec::new();
        for path in store::list(&self.directory.join("envelopes"))? {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let Some(id) = stem.and_then(|stem| stem.parse::<EnvelopeId>().ok()) else {
                continue;
            };
            if let Some(bytes) = read_if_there(&path, ENVELOPE_BYTES_MAX as u64)?
                && Envelope::id_of(&bytes) == id
            {
                kept.push((id, bytes));
            }
        }
        Ok(kept)
    }

    fn opening_path(&self, id: &StatementId) -> PathBuf {
        self.directory.join("documents").join(format!("{id}.json"))
    }

    /// Where an envelope is kept until its outcome is known.
    #[must_use]
    pub fn envelope_path(&self, id: &EnvelopeId) -> PathBuf {
        self.directory.join("envelopes").join(format!("{id}.bin"))
    }
}
