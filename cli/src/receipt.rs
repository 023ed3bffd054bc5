//! Receipts, believed when they are verified with the genesis file and not before.

mod command;
mod log_key;

use std::cell::RefCell;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::block::Entry;
use jangbu_ledger::checkpoint::{FinalCheckpoint, verify_quorum_of};
use jangbu_ledger::id::StatementId;
use jangbu_ledger::note::Note;
use jangbu_ledger::receipt::Receipt;

use crate::client::recorded;

pub use command::{Args, run};

/// Verifies receipts. The last checkpoint is remembered: the receipts of one envelope share it,
/// and its signatures are most of the work.
#[derive(Debug)]
pub struct Verifier {
    anchor: TrustAnchor,
    last: RefCell<Option<(Note, FinalCheckpoint)>>,
}

impl Verifier {
    /// A verifier that trusts what the genesis file says.
    #[must_use]
    pub const fn new(anchor: TrustAnchor) -> Self {
        Self {
            anchor,
            last: RefCell::new(None),
        }
    }

    /// Verifies a receipt, and reads its entry.
    ///
    /// # Errors
    ///
    /// What does not hold, in words.
    pub fn entry(&self, receipt: &Receipt) -> Result<Entry, String> {
        let mut last = self.last.borrow_mut();
        let checkpoint = match &*last {
            Some((note, verified)) if *note == receipt.checkpoint => verified,
            _ => {
                let TrustAnchor {
                    origin,
                    witnesses,
                    quorum,
                    ..
                } = &self.anchor;
                let verified = verify_quorum_of(&receipt.checkpoint, origin, witnesses, *quorum)
                    .map_err(|error| error.to_string())?;
                &last.insert((receipt.checkpoint.clone(), verified)).1
            }
        };
        receipt
            .verify_path(checkpoint)
            .map_err(|error| error.to_string())?;
        let entry = Entry::decode(&receipt.entry).map_err(|error| error.to_string())?;
        if entry.sequence.0 != receipt.index {
            return Err(format!(
                "the entry names position {}, its place in the log is {}",
                entry.sequence, receipt.index
            ));
        }
        Ok(entry)
    }

    /// Verifies that a receipt is of this statement, and reads its entry.
    ///
    /// # Errors
    ///
    /// What does not hold, in words.
    pub fn entry_of(&self, id: &StatementId, receipt: &Receipt) -> Result<Entry, String> {
        let entry = self.entry(receipt)?;
        match recorded(&entry) {
            Some(said) if said.statement.id(&self.anchor.chain_id, &said.member) == *id => {
                Ok(entry)
            }
            Some(_) => Err("the receipt is of another statement".into()),
            None => Err("the receipt is of a seal".into()),
        }
    }
}
