//! A small ledger in memory, the same in every run: fixed keys, fixed times, no network.
//!
//! Blocks are made and executed by the replica's own code, one for each envelope; only agreement
//! is left out. What it records can be proved like what a node records.

pub mod copied;
pub mod models;
pub mod passports;
mod source;
pub mod story;

use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use jangbu_consensus::ValidatorSet;
use jangbu_genesis::document::{
    Content, FORMAT_VERSION, Genesis, Member, MemberKeys, MemberRole, MemberSignature, Parameters,
    ValidatorKeys,
};
use jangbu_genesis::{GenesisError, TrustAnchor};
use jangbu_ledger::bundle::{BuildError, Builder};
use jangbu_ledger::checkpoint::{AssembleError, Checkpoint, SignedCheckpoint};
use jangbu_ledger::codec;
use jangbu_ledger::envelope::{ENVELOPE_VERSION, Envelope, STATEMENTS_MAX};
use jangbu_ledger::execute::Outcome;
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::{Digest, KeyId, MemberId, Sequence, StatementId, TimeMs};
use jangbu_ledger::identifier::{Prefix, PrefixError};
use jangbu_ledger::merkle::{ProveError, prove_inclusion};
use jangbu_ledger::receipt::Receipt;
use jangbu_ledger::receipt::cose::CoseReceipt;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::{KeyPurpose, StateError, StateReader as _};
use jangbu_ledger::state_tree::StateTreeError;
use jangbu_ledger::statement::Statement;
use jangbu_replica::candidate::{CandidateError, genesis_commit, propose};
use jangbu_replica::chain::Chain;
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::pool::Verified;
use jangbu_replica::store::{Store as _, StoreError};

/// When the ledger was founded: 2023-11-14T22:13:20Z.
pub const FOUNDED_MS: u64 = 1_700_000_000_000;
/// Time from block to block.
const BLOCK_MS: u64 = 1_000;
/// Signature of a member's record by each of its keys.
const POSSESSION: Domain = Domain::new("jangbu/genesis-possession/v1");
/// Signature of the chain id by each member's admin key.
const APPROVAL: Domain = Domain::new("jangbu/genesis-approval/v1");

/// Who is in it: name, role, first seed of its keys, prefixes.
const MEMBERS: [(&str, MemberRole, u8, &[&str]); 7] = [
    ("amperia", MemberRole::Operator, 10, &["gs1:9521234"]),
    (
        "cml1",
        MemberRole::Participant,
        20,
        &["bpn:BPNL00000003CML1"],
    ),
    ("hanbit", MemberRole::Operator, 30, &[]),
    ("marktamt", MemberRole::Regulator, 40, &[]),
    (
        "nordwind",
        MemberRole::Operator,
        50,
        &["domain:nordwind.example"],
    ),
    ("soyu", MemberRole::Operator, 60, &[]),
    ("veritas", MemberRole::Auditor, 70, &[]),
];

/// Which of a member's keys, as the offset from its first seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Changes of keys.
    Admin = 0,
    /// Statements.
    Attestor = 1,
    /// X25519.
    Encryption = 2,
    /// Votes.
    Consensus = 3,
    /// Cosignatures.
    Witness = 4,
    /// The log's line.
    Log = 5,
    /// The node's name.
    Peer = 6,
}

/// Why the world could not go on. A test stops at the first.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// No such member.
    #[error("there is no member {0}")]
    Member(String),
    /// A statement was refused.
    #[error("a statement was refused: {0}")]
    Refused(String),
    /// No such entry.
    #[error("there is no entry {0}")]
    NoEntry(Sequence),
    /// The genesis document.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block.
    #[error(transparent)]
    Block(#[from] CandidateError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state tree.
    #[error(transparent)]
    StateTree(#[from] StateTreeError),
    /// The checkpoint.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// A path.
    #[error(transparent)]
    Path(#[from] ProveError<StoreError>),
    /// A bundle.
    #[error(transparent)]
    Build(#[from] BuildError<StoreError>),
    /// Anything that is not as it was made.
    #[error("{0}")]
    Made(String),
}

/// A ledger in memory.
#[derive(Debug)]
pub struct World {
    /// Its founding document.
    pub genesis: Genesis,
    /// What a verifier takes from it.
    pub anchor: TrustAnchor,
    chain: Chain,
    store: MemoryStore,
    nonce: u64,
}

/// A member's key.
///
/// # Errors
///
/// [`WorldError::Member`] if there is no such member.
pub fn seed(member: &str, key: Key) -> Result<[u8; 32], WorldError> {
    let (_, _, first, _) = MEMBERS
        .iter()
        .find(|(name, ..)| *name == member)
        .ok_or_else(|| WorldError::Member(member.into()))?;
    Ok([first + key as u8; 32])
}

/// A member's Ed25519 key.
///
/// # Errors
///
/// [`WorldError::Member`] if there is no such member.
pub fn signing_key(member: &str, key: Key) -> Result<SigningKey, WorldError> {
    Ok(SigningKey::from_bytes(&seed(member, key)?))
}

fn public(member: &str, key: Key) -> Result<PublicKey, WorldError> {
    Ok(PublicKey::of(&signing_key(member, key)?))
}

/// The founding document of this world.
///
/// # Errors
///
/// [`WorldError`] if it is not acceptable.
pub fn genesis() -> Result<Genesis, WorldError> {
    let mut members = Vec::new();
    for (name, role, _, prefixes) in MEMBERS {
        let exchange = x25519_dalek::StaticSecret::from(seed(name, Key::Encryption)?);
        let validator = if role == MemberRole::Operator {
            Some(ValidatorKeys {
                consensus: public(name, Key::Consensus)?,
                witness: public(name, Key::Witness)?,
                log: public(name, Key::Log)?,
                peer: public(name, Key::Peer)?,
                addresses: vec!["/ip4/127.0.0.1/tcp/1".into()],
            })
        } else {
            None
        };
        let mut member = Member {
            name: name.into(),
            display_name: format!("{name} AG"),
            role,
            identifiers: Vec::new(),
            prefixes: prefixes
                .iter()
                .map(|prefix| Prefix::parse(prefix))
                .collect::<Result<_, _>>()?,
            keys: MemberKeys {
                admin: public(name, Key::Admin)?,
                attestor: public(name, Key::Attestor)?,
                encryption: Digest(*x25519_dalek::PublicKey::from(&exchange).as_bytes()),
            },
            validator,
            possession: Vec::new(),
        };
        let digest = POSSESSION.hash(&codec::encode(&("test", &member)));
        let mut keys = vec![Key::Admin, Key::Attestor];
        if role == MemberRole::Operator {
            keys.extend([Key::Consensus, Key::Witness, Key::Log, Key::Peer]);
        }
        for key in keys {
            let signature = signing_key(name, key)?.sign(&digest);
            member.possession.push(Signature(signature.to_bytes()));
        }
        members.push(member);
    }
    let content = Content {
        format: FORMAT_VERSION,
        consortium: "test".into(),
        created_at_ms: FOUNDED_MS,
        parameters: Parameters::default(),
        members,
    };
    let digest = APPROVAL.hash_of(&content.chain_id());
    let mut signatures = Vec::new();
    for (name, ..) in MEMBERS {
        let signature = signing_key(name, Key::Admin)?.sign(&digest);
        signatures.push(MemberSignature {
            member: name.into(),
            signature: Signature(signature.to_bytes()),
        });
    }
    let genesis = Genesis {
        content,
        signatures,
    };
    genesis.check()?;
    Ok(genesis)
}

impl World {
    /// The ledger after its genesis block.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if it cannot be founded.
    pub fn found() -> Result<Self, WorldError> {
        let genesis = genesis()?;
        let anchor = TrustAnchor::of(&genesis)?;
        let founding = genesis.content.founding();
        let consensus = founding.validators.0.iter().map(|v| v.consensus);
        let chain = Chain {
            chain_id: founding.chain_id,
            origin: anchor.origin.clone(),
            parameters_hash: founding.parameters_hash,
            validator_set: ValidatorSet::new(consensus)
                .map_err(|error| WorldError::Made(error.to_string()))?,
            validators: founding.validators.clone(),
            witness_names: anchor.witnesses.iter().map(|w| w.name.clone()).collect(),
        };
        let mut store = MemoryStore::default();
        store.commit(&genesis_commit(founding.genesis_block()?)?)?;
        Ok(Self {
            genesis,
            anchor,
            chain,
            store,
            nonce: 0,
        })
    }

    /// An envelope of these statements, signed by the member's attestor key, for the next block.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if there is no such member.
    pub fn envelope(
        &mut self,
        member: &str,
        statements: Vec<Statement>,
    ) -> Result<Envelope, WorldError> {
        self.nonce += 1;
        let mut envelope = Envelope {
            version: ENVELOPE_VERSION,
            chain_id: self.chain.chain_id,
            member: MemberId::of(member),
            key_id: KeyId([0; 16]),
            nonce: self.nonce,
            expires_at_ms: TimeMs(self.next_time()?.0 + 3_600_000),
            statements,
            signature: Signature([0; 64]),
        };
        envelope.sign(&signing_key(member, Key::Attestor)?);
        Ok(envelope)
    }

    /// Records statements of a member in a block of their own; their ids, in order.
    ///
    /// # Errors
    ///
    /// [`WorldError::Refused`] if one breaks a rule.
    pub fn say(
        &mut self,
        member: &str,
        statements: Vec<Statement>,
    ) -> Result<Vec<StatementId>, WorldError> {
        let envelope = self.envelope(member, statements)?;
        self.record(envelope, KeyPurpose::Attestor)
    }

    /// Records an envelope in a block of its own.
    ///
    /// # Errors
    ///
    /// [`WorldError::Refused`] if one of its statements breaks a rule.
    pub fn record(
        &mut self,
        envelope: Envelope,
        purpose: KeyPurpose,
    ) -> Result<Vec<StatementId>, WorldError> {
        let ids = envelope.statement_ids();
        let bytes = codec::encode(&envelope);
        let verified = Verified {
            id: Envelope::id_of(&bytes),
            bytes: Arc::from(bytes),
            envelope: Arc::new(envelope),
            purpose,
        };
        let tip = self
            .store
            .tip()?
            .ok_or_else(|| WorldError::Made("there is no block".into()))?;
        let time = self.next_time()?;
        let proposer = self.chain.validators.0[0].consensus.id();
        let candidate = propose(
            &self.chain,
            &self.store,
            &tip,
            proposer,
            time,
            STATEMENTS_MAX,
            std::iter::once(&verified),
        )?;
        for (_, outcomes) in &candidate.commit.outcomes {
            for outcome in outcomes {
                if let Outcome::Refused(rule) = outcome {
                    return Err(WorldError::Refused(rule.id().into()));
                }
            }
        }
        if candidate.block.envelopes.is_empty() {
            return Err(WorldError::Refused(
                "the envelope may not be ordered".into(),
            ));
        }
        self.store.commit(&candidate.commit)?;
        Ok(ids)
    }

    /// The final checkpoint after the last block: the first quorum of validators cosigned it.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if it cannot be assembled.
    pub fn checkpoint(&self) -> Result<SignedCheckpoint, WorldError> {
        let tip = self
            .store
            .tip()?
            .ok_or_else(|| WorldError::Made("there is no block".into()))?;
        let checkpoint = Checkpoint {
            origin: self.anchor.origin.clone(),
            size: tip.frontier.size(),
            root: tip.frontier.root(),
        };
        let mut cosignatures = Vec::new();
        for witness in &self.anchor.witnesses {
            let member = witness.name.as_str().rsplit('/').next().unwrap_or_default();
            let key = signing_key(member, Key::Witness)?;
            cosignatures.push(checkpoint.cosign(witness.name.clone(), &key, tip.time_ms.seconds()));
        }
        let line = checkpoint.sign(&signing_key("amperia", Key::Log)?);
        Ok(SignedCheckpoint::assemble(
            checkpoint,
            line,
            &cosignatures,
            self.anchor.quorum,
        )?)
    }

    /// A bundle under the last checkpoint.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if the checkpoint cannot be assembled.
    pub fn builder(&self) -> Result<Builder<'_, Self>, WorldError> {
        let checkpoint = self.checkpoint()?;
        let size = checkpoint.checkpoint().size;
        Ok(Builder::new(self, checkpoint.note(), size)?)
    }

    /// The receipt of a statement.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if the statement is not recorded.
    pub fn receipt(&self, id: &StatementId) -> Result<Receipt, WorldError> {
        let sequence = self
            .store
            .recorded(id)?
            .ok_or_else(|| WorldError::Made(format!("{id} is not recorded")))?;
        let checkpoint = self.checkpoint()?;
        Ok(Receipt {
            entry: self.entry_bytes(sequence)?,
            index: sequence.0,
            path: prove_inclusion(self, sequence.0, checkpoint.checkpoint().size)?,
            checkpoint: checkpoint.note().clone(),
        })
    }

    /// The COSE receipt of a statement, on the word of amperia's node.
    ///
    /// # Errors
    ///
    /// [`WorldError`] if the statement is not recorded.
    pub fn cose(&self, id: &StatementId) -> Result<CoseReceipt, WorldError> {
        let (receipt, checkpoint) = (self.receipt(id)?, self.checkpoint()?);
        let time_s = self.store.tip()?.map_or(0, |tip| tip.time_ms.seconds());
        let log_key = signing_key("amperia", Key::Log)?;
        CoseReceipt::sign(&receipt, checkpoint.checkpoint(), *id, time_s, &log_key)
            .map_err(|error| WorldError::Made(error.to_string()))
    }

    /// An entry's bytes.
    ///
    /// # Errors
    ///
    /// [`WorldError::NoEntry`] if there is none.
    pub fn entry_bytes(&self, sequence: Sequence) -> Result<Vec<u8>, WorldError> {
        self.store
            .entry(sequence)?
            .ok_or(WorldError::NoEntry(sequence))
    }

    fn next_time(&self) -> Result<TimeMs, WorldError> {
        let last = self.store.tip()?.map_or(FOUNDED_MS, |tip| tip.time_ms.0);
        Ok(TimeMs(last + BLOCK_MS))
    }
}
