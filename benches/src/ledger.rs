//! A large ledger on disk, as a node leaves it: real envelopes, executed and committed by the
//! replica's own code into the node's own database, with certificates and final checkpoints.
//! Only agreement is left out: one process holds all keys.

use std::time::Duration;

use anyhow::Context as _;
use jangbu_consensus::CommitCertificate;
use jangbu_genesis::key_file::Purpose;
use jangbu_genesis::{Keystore, Passphrase};
use jangbu_ledger::checkpoint::Checkpoint;
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::TimeMs;
use jangbu_ledger::signature::{PublicKey, Signature, SigningKey};
use jangbu_ledger::statement::Statement;
use jangbu_ledger::vote::{Vote, VoteType};
use jangbu_node::consortium::Founded;
use jangbu_node::store::RocksStore;
use jangbu_replica::candidate;
use jangbu_replica::chain::Chain;
use jangbu_replica::founding::found;
use jangbu_replica::pool::{self, Verified};
use jangbu_replica::store::{FinalCheckpoint, Store as _, StoredBlock, Tip};
use jangbu_tests::cluster::{Author, Cluster, PASSPHRASE};

use crate::measure::thread_cpu;

/// A validator's keys.
struct Validator {
    consensus: SigningKey,
    witness: SigningKey,
}

/// The database of a cluster's first node, being filled.
pub struct Ledger {
    /// The rules of agreement.
    pub chain: Chain,
    /// The database.
    pub store: RocksStore,
    validators: Vec<Validator>,
    author: Author,
    tip: Tip,
    /// Processor time spent on execution, the state tree included.
    executing: Duration,
    /// Processor time spent on writing to the database.
    committing: Duration,
}

impl Ledger {
    /// The database of the cluster's first node, with the genesis block; none may be there yet.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    pub fn found(cluster: &Cluster) -> anyhow::Result<Self> {
        let consortium = &cluster.consortium;
        let node = cluster.nodes.first().context("a cluster has nodes")?;
        let founded = Founded::load(&consortium.genesis_file(), &node.name)?;
        let directory = node.data.join("ledger");
        std::fs::create_dir_all(&directory)?;
        let mut store = RocksStore::open(&directory, &founded.chain.chain_id)?;
        let tip = found(&mut store, founded.content.founding().genesis_block()?)?;
        let passphrase = Passphrase::new(PASSPHRASE.into());
        let validators = founded
            .validator_names()
            .values()
            .map(|name| {
                let keystore = Keystore::at(consortium.home(name).join("keys"));
                let key = |purpose| -> anyhow::Result<SigningKey> {
                    Ok(keystore.unlock(purpose, &passphrase)?.signing())
                };
                Ok(Validator {
                    consensus: key(Purpose::Consensus)?,
                    witness: key(Purpose::Witness)?,
                })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            chain: founded.chain,
            store,
            validators,
            author: cluster.author("cml1"),
            tip,
            executing: Duration::ZERO,
            committing: Duration::ZERO,
        })
    }

    /// Records statements in a block of their own, in one envelope.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; also if a statement is refused.
    pub fn record(&mut self, statements: Vec<Statement>) -> anyhow::Result<()> {
        let envelope = self.author.envelope(statements);
        let time = TimeMs(self.tip.time_ms.0 + 1);
        let begun = thread_cpu();
        let verified: Vec<Verified> =
            pool::verify(&self.chain.chain_id, time, &self.store, vec![envelope])?
                .into_iter()
                .collect::<Result<_, _>>()?;
        let proposer = self.chain.validators.0.first().context("a validator")?;
        let mut made = candidate::propose(
            &self.chain,
            &self.store,
            &self.tip,
            proposer.consensus.id(),
            time,
            usize::MAX,
            verified.iter(),
        )?;
        let outcomes = made.commit.outcomes.iter().flat_map(|(_, list)| list);
        for outcome in outcomes {
            if let Outcome::Refused(rule) = outcome {
                anyhow::bail!("a statement is refused: {}", rule.id());
            }
        }
        self.executing += thread_cpu().saturating_sub(begun);
        made.commit.block.certificate = Some(self.certificate(&made.commit.block)?);
        let begun = thread_cpu();
        self.store.commit(&made.commit)?;
        self.committing += thread_cpu().saturating_sub(begun);
        self.tip = made.commit.tip;
        let last = self.cosigned();
        self.store.put_final(&last)?;
        Ok(())
    }

    /// Precommits of a quorum.
    fn certificate(&self, stored: &StoredBlock) -> anyhow::Result<CommitCertificate> {
        let header = &stored.block.header;
        let mut certificate = CommitCertificate {
            height: header.height,
            round: 0,
            block_id: header.id(),
            signatures: Vec::new(),
        };
        for validator in self.validators.iter().take(self.chain.validators.quorum()) {
            let id = PublicKey::of(&validator.consensus).id();
            let vote = Vote {
                vote_type: VoteType::Precommit,
                height: certificate.height,
                round: certificate.round,
                block_id: Some(certificate.block_id),
                validator: id,
            };
            let digest = vote.signing_digest(&self.chain.chain_id);
            certificate
                .signatures
                .push((id, sign(&validator.consensus, &digest)));
        }
        certificate.verify(&self.chain.chain_id, &self.chain.validator_set)?;
        Ok(certificate)
    }

    /// The checkpoint after the last block, cosigned by a quorum.
    fn cosigned(&self) -> FinalCheckpoint {
        let checkpoint = Checkpoint {
            origin: self.chain.origin.clone(),
            size: self.tip.frontier.size(),
            root: self.tip.frontier.root(),
        };
        let timestamp = self.tip.time_ms.seconds();
        let mut signatures = Vec::new();
        for (position, listed) in (0u8..).zip(&self.chain.validators.0) {
            let key = self
                .validators
                .iter()
                .find(|validator| PublicKey::of(&validator.witness) == listed.witness);
            let name = self.chain.witness_names.get(usize::from(position));
            if let (Some(validator), Some(name)) = (key, name)
                && signatures.len() < self.chain.validators.quorum()
            {
                let cosigned = checkpoint.cosign(name.clone(), &validator.witness, timestamp);
                signatures.push((position, cosigned.signature));
            }
        }
        FinalCheckpoint {
            height: self.tip.height,
            size: checkpoint.size,
            root: checkpoint.root,
            timestamp,
            signatures,
        }
    }

    /// Entries of the log so far.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.tip.frontier.size()
    }

    /// Processor time spent so far: on executing blocks, on writing them.
    #[must_use]
    pub const fn spent(&self) -> (Duration, Duration) {
        (self.executing, self.committing)
    }
}

fn sign(key: &SigningKey, digest: &[u8; 32]) -> Signature {
    use ed25519_dalek::Signer as _;
    Signature(key.sign(digest).to_bytes())
}
