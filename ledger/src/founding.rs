//! The genesis block: what a founding document makes true before anyone speaks.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::block::{self, Block, BlockHeader, Entry, EntryBody, PROTOCOL_VERSION};
use crate::codec;
use crate::hash::Domain;
use crate::id::{BlockId, ChainId, Digest, Height, KeyId, MemberId, Sequence, StateRoot, TimeMs};
use crate::merkle::Frontier;
use crate::signature::PublicKey;
use crate::state::{KeyPurpose, KeyRecord, MemberRecord, ValidatorRecord, key};
use crate::state_tree::{self, EMPTY_ROOT, MemoryNodes, StateKey, StateTreeError, StateUpdate};

/// A validator: whose it is and which keys decide and witness for it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ValidatorEntry {
    /// The member that runs it.
    pub member: MemberId,
    /// Signs votes and proposals.
    pub consensus: PublicKey,
    /// Cosigns checkpoints.
    pub witness: PublicKey,
}

/// The validators of a height, sorted by consensus key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ValidatorList(pub Vec<ValidatorEntry>);

impl ValidatorList {
    const DOMAIN: Domain = Domain::new("jangbu/validators/v1");

    /// What headers carry.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest(Self::DOMAIN.hash_of(self))
    }

    /// More than two thirds: `floor(2n / 3) + 1`.
    #[must_use]
    pub const fn quorum(&self) -> usize {
        self.0.len() * 2 / 3 + 1
    }
}

/// One founding member.
#[derive(Debug, Clone)]
pub struct FoundingMember {
    /// Its record.
    pub record: MemberRecord,
    /// Signs its statements.
    pub attestor: PublicKey,
    /// Signs changes of its keys.
    pub admin: PublicKey,
}

/// What the founding document says, as far as the ledger's rules go.
#[derive(Debug, Clone)]
pub struct Founding {
    /// Hash of the founding document.
    pub chain_id: ChainId,
    /// When it was made.
    pub time_ms: TimeMs,
    /// Hash of the parameters.
    pub parameters_hash: Digest,
    /// All members.
    pub members: Vec<FoundingMember>,
    /// The first validators.
    pub validators: ValidatorList,
}

/// The ledger's first block, its one entry, and the state it leaves.
#[derive(Debug, Clone)]
pub struct GenesisBlock {
    /// The block, without envelopes.
    pub block: Block,
    /// Its seal, the entry at position 0: canonical bytes.
    pub seal: Vec<u8>,
    /// The records.
    pub changes: BTreeMap<StateKey, Option<Vec<u8>>>,
    /// The state tree over them.
    pub state: StateUpdate,
}

impl Founding {
    /// Makes the genesis block.
    ///
    /// # Errors
    ///
    /// [`StateTreeError`] if the tree cannot be built, which nothing in a document causes.
    pub fn genesis_block(&self) -> Result<GenesisBlock, StateTreeError> {
        let mut changes = BTreeMap::new();
        for member in &self.members {
            let id = MemberId::of(&member.record.name);
            changes.insert(key::member(&id), Some(codec::encode(&member.record)));
            let keys = [
                (member.attestor, KeyPurpose::Attestor),
                (member.admin, KeyPurpose::Admin),
            ];
            for (public, purpose) in keys {
                let record = KeyRecord {
                    member: id,
                    purpose,
                    key: public,
                    active_from: Height(0),
                    revoked_at: None,
                };
                changes.insert(key::signing_key(&public.id()), Some(codec::encode(&record)));
            }
        }
        for validator in &self.validators.0 {
            let record = ValidatorRecord {
                member: validator.member,
                consensus: validator.consensus,
                witness: validator.witness,
                active_from: Height(0),
            };
            let at = key::validator(&validator.consensus.id());
            changes.insert(at, Some(codec::encode(&record)));
        }
        let state = state_tree::apply(&MemoryNodes::default(), 0, &EMPTY_ROOT, &changes)?;
        let validators = self.validators.hash();
        let header = BlockHeader {
            protocol_version: PROTOCOL_VERSION,
            chain_id: self.chain_id,
            height: Height(0),
            previous: BlockId([0; 32]),
            time_ms: self.time_ms,
            proposer: KeyId([0; 16]),
            envelopes_root: Block::envelopes_root(&[]),
            refusals_root: block::refusals_root(&[]),
            state_root: StateRoot(state.root.0),
            parameters_hash: self.parameters_hash,
            validators_hash: validators,
            next_validators_hash: validators,
            log_size: 0,
            log_root: Frontier::default().root(),
        };
        let seal = codec::encode(&Entry {
            sequence: Sequence(0),
            height: Height(0),
            time_ms: self.time_ms,
            body: EntryBody::Seal(Box::new(header.clone())),
        });
        Ok(GenesisBlock {
            block: Block {
                header,
                envelopes: Vec::new(),
            },
            seal,
            changes,
            state,
        })
    }
}
