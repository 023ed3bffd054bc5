//! The vault: what opens and proves a member's statements. What is secret in it is encrypted under
//! the keystore's vault key, the one secret to back up.
//!
//! ```text
//!   openings/<statement id>.sealed         what opens the commitment
//!   streams/<name>.sealed  .lock           a data share: with whom, its key; one writer at a time
//!   receipts/<statement id>.tlog-proof     verified proof that it is recorded
//!   envelopes/<envelope id>.bin            signed, and not known to be decided
//!   known                                  how much of the ledger was seen final
//! ```
//!
//! Invariants:
//! - a file is there whole or not at all, and readable by its owner only;
//! - an encrypted file opens under its own name and the vault's own secret only;
//! - nothing is asked to unlock the vault unless a file in it must be read or written.

mod archive;
mod check;
mod command;
mod contents;
mod name;
mod seal;
mod secret;
mod store;
mod stream;

use std::path::{Path, PathBuf};

use jangbu_genesis::key_file::SecretKey;
use jangbu_ledger::block::Entry;
use jangbu_ledger::envelope::{ENVELOPE_BYTES_MAX, Envelope};
use jangbu_ledger::extent::Extent;
use jangbu_ledger::id::{EnvelopeId, StatementId};
use jangbu_ledger::receipt::{RECEIPT_BYTES_MAX, Receipt};

use crate::error::CliError;
use crate::receipt::Verifier;

pub use command::{Command, run};
pub use contents::OpenVault;
pub(crate) use name::{STREAM_NAME_BYTES_MAX, stream_name_bytes};
pub use store::write_atomic;
pub use stream::StreamLock;

use name::{Name, OPENINGS};
use store::read_if_there;

/// Longest line that says how much of the ledger was seen.
const KNOWN_BYTES_MAX: u64 = 128;
/// Where vaults had their openings before they were encrypted.
const PLAIN: &str = "documents";

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

    /// The vault with its secret at hand.
    #[must_use]
    pub const fn open<'a>(&'a self, secret: &'a SecretKey) -> OpenVault<'a> {
        OpenVault {
            vault: self,
            secret,
        }
    }

    /// Refuses a vault whose files are plain.
    ///
    /// # Errors
    ///
    /// [`CliError`] saying what to do about it.
    pub fn refuse_plain(&self) -> Result<(), CliError> {
        let plain = self.directory.join(PLAIN);
        if !plain.exists() {
            return Ok(());
        }
        Err(
            CliError::file(&plain, "this vault is from before vaults were encrypted").hint(format!(
                "move {} away and run the same commands on the same documents: they make the same \
                 statements, and an encrypted vault",
                self.directory.display()
            )),
        )
    }

    fn has(&self, name: &Name) -> bool {
        name.path(&self.directory).exists()
    }

    /// Whether the vault has what opens a statement; its secret is not needed to tell.
    #[must_use]
    pub fn has_opening(&self, id: &StatementId) -> bool {
        self.has(&Name::Opening(*id))
    }

    /// The statements whose openings the vault has, in order of their ids.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the directory cannot be read.
    pub fn openings(&self) -> Result<Vec<StatementId>, CliError> {
        let names = store::list(&self.directory.join(OPENINGS))?;
        let ids = names
            .iter()
            .filter_map(|path| match Name::of_opening(path) {
                Some(Name::Opening(id)) => Some(id),
                _ => None,
            });
        Ok(ids.collect())
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

    /// How much of the ledger was seen final by whoever used this vault; `None` if nothing was, or
    /// a crash left nothing of it.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the file exists and cannot be read.
    pub fn known(&self) -> Result<Option<Extent>, CliError> {
        let line = read_if_there(&self.known_path(), KNOWN_BYTES_MAX)?;
        Ok(line.and_then(|line| str::from_utf8(&line).ok()?.trim_end().parse().ok()))
    }

    /// Keeps that this much of a ledger was seen final, and says how much ever was. It only keeps nodes that are behind from
    /// answering, so this does not wait for the disk, and of two at once either may stay.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn keep_known(&self, seen: Extent) -> Result<Extent, CliError> {
        let same = |before: &Extent| before.chain_id == seen.chain_id;
        match self.known()?.filter(same) {
            Some(before) if before.entries >= seen.entries => Ok(before),
            _ => {
                store::write_unsynced(&self.known_path(), format!("{seen}\n").as_bytes())?;
                Ok(seen)
            }
        }
    }

    fn known_path(&self) -> PathBuf {
        self.directory.join("known")
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

    /// Where an envelope is kept until its outcome is known.
    #[must_use]
    pub fn envelope_path(&self, id: &EnvelopeId) -> PathBuf {
        self.directory.join("envelopes").join(format!("{id}.bin"))
    }
}
