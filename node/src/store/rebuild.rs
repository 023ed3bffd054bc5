//! Whether everything in the database is what its blocks say: they are executed again into an
//! empty database, and both are compared key by key.
//!
//! ```text
//!   blocks, envelopes ──▶ certificates, signatures, rules ──▶ a second database
//!   ours ═══════════════ equal, column by column ═══════════ the second
//! ```
//!
//! Nothing that we derived from the blocks is believed: statements, streams, components, records,
//! nodes of both trees, outcomes, what pruning left. Final checkpoints are checked against the
//! rebuilt log and their signatures. Not compared is what has no source here: the running
//! height's log and proposals.

use std::collections::BTreeSet;
use std::path::Path;

use jangbu_ledger::block::Block;
use jangbu_ledger::checkpoint::{Checkpoint, Cosignature};
use jangbu_ledger::codec;
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::founding::GenesisBlock;
use jangbu_ledger::id::{EnvelopeId, Height};
use jangbu_ledger::merkle;
use jangbu_replica::candidate::{self, CandidateError};
use jangbu_replica::chain::Chain;
use jangbu_replica::pool::{self, Verified};
use jangbu_replica::store::{FinalCheckpoint, Store as _, StoreError, StoredBlock, Tip};

use super::column::{self, Column, EXECUTED, undecodable};
use super::reader::{Reader, SMALL_BYTES_MAX};
use super::{RocksStore, check};

/// What was found in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Blocks executed again, the genesis block included.
    pub blocks: u64,
    /// Entries of the log.
    pub entries: u64,
    /// Keys compared.
    pub keys: u64,
    /// Final checkpoints verified.
    pub finals: u64,
}

impl RocksStore {
    /// Reads everything, executes every block again into a database under `scratch`, an empty
    /// directory with as much room as this database has, and compares.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] naming the first thing that is not what the blocks say.
    pub fn rebuild(
        &self,
        chain: &Chain,
        genesis: GenesisBlock,
        scratch: &Path,
    ) -> Result<Rebuilt, StoreError> {
        check::read_everything(&self.reader)?;
        let Some(tip) = self.tip()? else {
            return corrupt("not even its first block is there");
        };
        let second = self.execute_all(chain, genesis, scratch, tip.height)?;
        if second.tip()?.as_ref() != Some(&tip) {
            return corrupt("its tip is not where its blocks lead");
        }
        let mut keys = 0;
        // What the blocks are made of, and all that follows from them.
        let given = [Column::Blocks, Column::Envelopes];
        for column in given.into_iter().chain(EXECUTED) {
            keys += self.compare(&second.reader, column)?;
        }
        for key in [column::META_TIP, column::META_PRUNED] {
            if self.reader.meta(key)? != second.reader.meta(key)? {
                return differs(Column::Meta, key);
            }
        }
        Ok(Rebuilt {
            blocks: tip.height.0 + 1,
            entries: tip.frontier.size(),
            keys,
            finals: self.check_finals(chain, &second)?,
        })
    }

    /// Executes every block up to `last` again, into a database under `scratch`.
    pub(super) fn execute_all(
        &self,
        chain: &Chain,
        genesis: GenesisBlock,
        scratch: &Path,
        last: Height,
    ) -> Result<Self, StoreError> {
        let mut second = Self::scratch(scratch, &chain.chain_id)?;
        let first = candidate::genesis_commit(genesis)?;
        if self.block(Height(0))?.as_ref() != Some(&first.block) {
            return corrupt("its first block is not the one that the genesis file founds");
        }
        second.commit(&first)?;
        let mut reached = first.tip;
        while reached.height < last {
            reached = self.execute_again(chain, &reached, &mut second)?;
        }
        Ok(second)
    }

    /// Executes the block after `tip` again; returns the tip after it.
    fn execute_again(
        &self,
        chain: &Chain,
        tip: &Tip,
        second: &mut Self,
    ) -> Result<Tip, StoreError> {
        let height = tip.height.next();
        let wrong = |what: String| {
            Err(StoreError::Corrupt(format!(
                "the block at height {height}: {what}"
            )))
        };
        let Some(StoredBlock { block, certificate }) = self.block(height)? else {
            return wrong("it is missing".into());
        };
        let Some(certificate) = certificate else {
            return wrong("it has no certificate".into());
        };
        if certificate.height != height || certificate.block_id != block.header.id() {
            return wrong("its certificate is another block's".into());
        }
        if let Err(error) = certificate.verify(&chain.chain_id, &chain.validator_set) {
            return wrong(error.to_string());
        }
        let mut envelopes = Vec::with_capacity(block.envelopes.len());
        for id in &block.envelopes {
            match self.envelope(id)? {
                Some(bytes) if Envelope::id_of(&bytes) == *id => envelopes.push(bytes.to_vec()),
                Some(_) => return wrong(format!("envelope {id} has other bytes")),
                None => return wrong(format!("envelope {id} is missing")),
            }
        }
        let time = block.header.time_ms;
        let verified: Result<Vec<Verified>, _> =
            pool::verify(&chain.chain_id, time, second, envelopes)?
                .into_iter()
                .collect();
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return wrong(error.to_string()),
        };
        let list: Vec<&Verified> = verified.iter().collect();
        let mut candidate = match candidate::check(chain, second, tip, &block, &list) {
            Ok(candidate) => candidate,
            Err(CandidateError::Store(error)) => return Err(error),
            Err(error) => return wrong(error.to_string()),
        };
        candidate.commit.block.certificate = Some(certificate);
        second.commit(&candidate.commit)?;
        Ok(candidate.commit.tip)
    }

    /// Compares a column with the rebuilt one; returns how many keys it has.
    fn compare(&self, second: &Reader, column: Column) -> Result<u64, StoreError> {
        let unordered = match column {
            Column::Envelopes => self.proposed_envelopes()?,
            _ => BTreeSet::new(),
        };
        let mut rebuilt = second.scan(column);
        let mut keys = 0;
        for item in self.reader.scan(column) {
            let (key, value) = item?;
            let only_proposed =
                <[u8; 32]>::try_from(&key[..]).is_ok_and(|id| unordered.contains(&EnvelopeId(id)));
            if only_proposed {
                continue;
            }
            keys += 1;
            match rebuilt.next().transpose()? {
                Some((same, as_well)) if same == key && as_well == value => {}
                // The smaller key is the one that only one of the two has.
                Some((other, _)) => return differs(column, &key.min(other)),
                None => return differs(column, &key),
            }
        }
        match rebuilt.next().transpose()? {
            None => Ok(keys),
            Some((key, _)) => differs(column, &key),
        }
    }

    /// Envelopes of proposed blocks that no block has ordered.
    fn proposed_envelopes(&self) -> Result<BTreeSet<EnvelopeId>, StoreError> {
        let mut found = BTreeSet::new();
        for block in self.proposed_blocks()? {
            let Block { envelopes, .. } = block;
            for id in envelopes {
                if self.outcomes(&id)?.is_none() {
                    found.insert(id);
                }
            }
        }
        Ok(found)
    }

    /// Checks every final checkpoint against the rebuilt log; returns how many there are.
    pub(super) fn check_finals(&self, chain: &Chain, second: &Self) -> Result<u64, StoreError> {
        let mut count = 0;
        for item in self.reader.scan(Column::Finals) {
            let (key, bytes) = item?;
            let stored: FinalCheckpoint = codec::decode(&bytes, SMALL_BYTES_MAX)
                .map_err(undecodable("a final checkpoint"))?;
            let height = stored.height;
            let wrong = |what: &str| {
                Err(StoreError::Corrupt(format!(
                    "the final checkpoint of height {height}: {what}"
                )))
            };
            let Some(block) = second.block(height)? else {
                return wrong("there is no such block");
            };
            let header = &block.block.header;
            if column::counter(&key)? != height.0
                || stored.size != header.log_size + 1
                || stored.timestamp != header.time_ms.seconds()
                || merkle::root(&second.reader, stored.size)? != stored.root
            {
                return wrong("it is not of the log that the blocks make");
            }
            if !is_cosigned(chain, &stored) {
                return wrong("its signatures do not make a quorum");
            }
            count += 1;
        }
        Ok(count)
    }
}

/// Whether a quorum of distinct validators cosigned it.
pub(super) fn is_cosigned(chain: &Chain, stored: &FinalCheckpoint) -> bool {
    let checkpoint = Checkpoint {
        origin: chain.origin.clone(),
        size: stored.size,
        root: stored.root,
    };
    let signers: BTreeSet<u8> = stored
        .signatures
        .iter()
        .filter(|(position, signature)| {
            let position = usize::from(*position);
            let validator = chain.validators.0.get(position);
            let name = chain.witness_names.get(position);
            validator.zip(name).is_some_and(|(validator, name)| {
                let cosignature = Cosignature {
                    name: name.clone(),
                    key: validator.witness,
                    timestamp_s: stored.timestamp,
                    signature: *signature,
                };
                cosignature.verify(&checkpoint).is_ok()
            })
        })
        .map(|(position, _)| *position)
        .collect();
    signers.len() >= chain.validators.quorum()
}

fn corrupt<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::Corrupt(what.into()))
}

fn differs<T>(column: Column, key: &[u8]) -> Result<T, StoreError> {
    use std::fmt::Write as _;
    let mut shown = String::new();
    for byte in key {
        // Writing to memory cannot fail.
        let _written = write!(shown, "{byte:02x}");
    }
    Err(StoreError::Corrupt(format!(
        "what {} has at {shown} is not what the blocks say",
        column.name()
    )))
}
