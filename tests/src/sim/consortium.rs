//! A consortium to simulate: its keys, its genesis, what each of its replicas is told.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use jangbu_consensus::{Signer, SignerError, Timeouts, ValidatorSet};
use jangbu_ledger::codec;
use jangbu_ledger::commitment::{Commitment, schema_digest};
use jangbu_ledger::envelope::Envelope;
use jangbu_ledger::founding::{
    Founding, FoundingMember, GenesisBlock, ValidatorEntry, ValidatorList,
};
use jangbu_ledger::id::{ChainId, Digest, EnvelopeId, KeyId, MemberId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::{self, MemberRecord, Role};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::{Granularity, Kind, Statement, Stream};
use jangbu_replica::chain::Chain;
use jangbu_replica::pool::PoolLimits;
use jangbu_replica::replica::{Config, PeerId};

use super::conduct::Validators;

/// When the genesis block was made.
pub const START_MS: u64 = 1_700_000_000_000;
/// Seed of the attestor's key; validators' keys come below, witnesses' and others above.
const ATTESTOR: u8 = 200;
const WITNESS: u8 = 100;
const POOL_MAX: usize = 1_000;
const TIMEOUT_MAX_MS: u64 = 5_000;
const DRIFT_MAX_MS: u64 = 5_000;
const MEMBER: &str = "member";

/// A founded consortium.
#[derive(Debug)]
pub struct Consortium {
    /// Seeds of the validators' keys, in the order of the validator list.
    seeds: Vec<u8>,
    chain: Chain,
    genesis: GenesisBlock,
    /// Signs the envelopes.
    attestor: SigningKey,
}

struct Key(SigningKey);

impl Signer for Key {
    fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError> {
        Ok(Signature(self.0.sign(digest).to_bytes()))
    }

    fn public_key(&self) -> PublicKey {
        public(&self.0)
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn product(number: u64) -> Identifier {
    let uuid = format!("urn:uuid:00000000-0000-4000-8000-{number:012x}");
    Identifier::parse(&uuid).expect("a UUID")
}

impl Consortium {
    /// Founds a consortium of so many validators, at most 22.
    ///
    /// # Panics
    ///
    /// If the numbers or names above make no consortium.
    #[must_use]
    pub fn new(validators: usize) -> Self {
        let count = u8::try_from(validators).expect("at most 22 validators");
        // Sorted by consensus key, as the ledger wants them.
        let mut seeds: Vec<u8> = (1..=count).collect();
        seeds.sort_by_key(|seed| public(&key(*seed)));
        let entry = |seed: &u8| ValidatorEntry {
            member: MemberId::of(MEMBER),
            consensus: public(&key(*seed)),
            witness: public(&key(*seed + WITNESS)),
        };
        let list = ValidatorList(seeds.iter().map(entry).collect());
        let founding = Founding {
            chain_id: ChainId([7; 32]),
            time_ms: TimeMs(START_MS),
            parameters_hash: Digest([0; 32]),
            members: vec![FoundingMember {
                record: MemberRecord {
                    name: MEMBER.into(),
                    role: Role::Operator,
                    prefixes: Vec::new(),
                },
                attestor: public(&key(ATTESTOR)),
                admin: public(&key(ATTESTOR + 1)),
            }],
            validators: list.clone(),
        };
        let name = |n: u8| format!("test/v{n}").parse().expect("a key name");
        let chain = Chain {
            chain_id: founding.chain_id,
            origin: "jangbu/test/0707070707070707".parse().expect("a key name"),
            parameters_hash: founding.parameters_hash,
            validator_set: ValidatorSet::new(list.0.iter().map(|entry| entry.consensus))
                .expect("1 to 22 distinct keys"),
            validators: list,
            witness_names: (0..count).map(name).collect(),
        };
        Self {
            seeds,
            chain,
            genesis: founding.genesis_block().expect("a genesis block"),
            attestor: key(ATTESTOR),
        }
    }

    /// Number of validators.
    #[must_use]
    pub fn size(&self) -> usize {
        self.seeds.len()
    }

    /// More than two thirds of them.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.size() * 2 / 3 + 1
    }

    /// The id of a validator's consensus key.
    #[must_use]
    pub fn key_id(&self, n: usize) -> Option<KeyId> {
        self.chain.validators.0.get(n).map(|v| v.consensus.id())
    }

    fn peers_of(&self, n: usize) -> BTreeMap<PeerId, KeyId> {
        let others = (0..self.size()).filter(|other| *other != n);
        others
            .filter_map(|other| Some((PeerId(u16::try_from(other).ok()?), self.key_id(other)?)))
            .collect()
    }

    /// What the replica of validator `n` is told at its start.
    ///
    /// # Panics
    ///
    /// If there is no such validator.
    #[must_use]
    pub fn config(&self, n: usize) -> Config {
        let seed = self.seeds[n];
        Config {
            chain: self.chain.clone(),
            genesis: self.genesis.clone(),
            signer: Some(Box::new(Key(key(seed)))),
            restored: false,
            peers: self.peers_of(n),
            witness: Some((u8::try_from(n).expect("at most 22"), key(seed + WITNESS))),
            timeouts: Timeouts {
                propose_ms: 500,
                prevote_ms: 200,
                precommit_ms: 200,
                rebroadcast_ms: 500,
                delta_ms: 200,
                max_ms: TIMEOUT_MAX_MS,
            },
            max_idle_ms: 30_000,
            max_drift_ms: DRIFT_MAX_MS,
            block_interval_ms: 50,
            pool: PoolLimits {
                envelopes: POOL_MAX,
                bytes: 1 << 24,
                envelopes_per_member: POOL_MAX,
            },
        }
    }

    /// A record that only the rules for the envelope of this number read.
    #[must_use]
    pub fn record_of(&self, number: u64) -> StateKey {
        state::key::subject(&product(number).subject_id())
    }

    /// Who validates, as the rules of conduct know them.
    #[must_use]
    pub fn validators(&self) -> Validators {
        let entries = self.chain.validators.0.iter();
        Validators {
            chain: self.chain.chain_id,
            origin: self.chain.origin.to_string(),
            keys: entries.map(|v| (v.consensus, v.witness)).collect(),
        }
    }

    /// Whether these are the bytes of an envelope that the member's key signed.
    #[must_use]
    pub fn is_attested(&self, bytes: &[u8]) -> bool {
        Envelope::decode(bytes, &self.chain.chain_id).is_ok_and(|envelope| {
            let signature = ed25519_dalek::Signature::from_bytes(&envelope.signature.0);
            let digest = envelope.header().signing_digest();
            let key = self.attestor.verifying_key();
            key.verify_strict(&digest, &signature).is_ok()
        })
    }

    /// No round's time-out is longer.
    #[must_use]
    pub const fn max_ms(&self) -> u64 {
        TIMEOUT_MAX_MS
    }

    /// Most envelopes that wait in a replica.
    #[must_use]
    pub const fn pool_max(&self) -> usize {
        POOL_MAX
    }

    /// How far a proposal's time may be from a clock.
    #[must_use]
    pub const fn max_drift_ms(&self) -> u64 {
        DRIFT_MAX_MS
    }

    /// The envelope of this number: one statement about one new product.
    ///
    /// # Panics
    ///
    /// If the number makes no identifier.
    #[must_use]
    pub fn envelope(&self, number: u64) -> (EnvelopeId, Vec<u8>) {
        let product = product(number);
        let statement = Statement {
            kind: Kind::PassportIssued {
                granularity: Granularity::Item,
                schema: schema_digest("test"),
            },
            occurrence: 0,
            streams: vec![Stream::Open(product)],
            commitment: Commitment::keyed([1; 32]),
            references: Vec::new(),
            payload: Vec::new(),
        };
        let mut envelope = Envelope {
            version: 1,
            chain_id: self.chain.chain_id,
            member: MemberId::of(MEMBER),
            key_id: KeyId([0; 16]),
            nonce: 0,
            expires_at_ms: TimeMs(START_MS + 3_600_000),
            statements: vec![statement],
            signature: Signature([0; 64]),
        };
        envelope.sign(&self.attestor);
        let bytes = codec::encode(&envelope);
        (Envelope::id_of(&bytes), bytes)
    }
}
