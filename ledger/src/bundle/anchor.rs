//! What a verifier trusts: taken from the genesis file, and nothing else.

use std::collections::BTreeMap;

use crate::checkpoint::Witness;
use crate::id::{ChainId, Digest, KeyId, MemberId};
use crate::note::KeyName;
use crate::signature::PublicKey;

/// Who must have cosigned, and who the members are.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// The ledger.
    pub chain_id: ChainId,
    /// The log's name.
    pub origin: KeyName,
    /// The validators' witness keys.
    pub witnesses: Vec<Witness>,
    /// How many of them make a checkpoint final.
    pub quorum: usize,
    /// The validators' log keys: each speaks for its own node only.
    pub log_keys: Vec<LogKey>,
    /// Hash of the validators, as seals carry it.
    pub validators_hash: Digest,
    /// The members.
    pub members: BTreeMap<MemberId, KnownMember>,
}

/// A node's log key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// The validator whose node it is, under its name as a witness.
    pub validator: KeyName,
    /// The key.
    pub key: PublicKey,
}

/// A member that the genesis file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMember {
    /// Its name.
    pub name: String,
    /// The keys it signs with.
    pub keys: Vec<PublicKey>,
}

impl Anchor {
    /// The member's key with this id.
    pub(super) fn key(&self, member: &MemberId, id: &KeyId) -> Option<PublicKey> {
        let keys = &self.members.get(member)?.keys;
        keys.iter().find(|key| key.id() == *id).copied()
    }

    /// The member's name, or its id if the genesis file does not name it.
    pub(super) fn name(&self, member: &MemberId) -> String {
        self.members
            .get(member)
            .map_or_else(|| member.to_string(), |known| known.name.clone())
    }
}
