//! What an offline verifier takes from the genesis file, and nothing else.

use jangbu_ledger::bundle::{Anchor, KnownMember, LogKey};
use jangbu_ledger::checkpoint::Witness;
use jangbu_ledger::id::{ChainId, KeyId, MemberId};
use jangbu_ledger::note::KeyName;
use jangbu_ledger::signature::PublicKey;

use crate::document::{Genesis, GenesisError, Member};
use crate::error::field;

/// Who must have cosigned, and who the members are.
#[derive(Debug, Clone)]
pub struct TrustAnchor {
    /// The ledger.
    pub chain_id: ChainId,
    /// The log's name.
    pub origin: KeyName,
    /// The first validators' witness keys, in the order of their consensus keys.
    pub witnesses: Vec<Witness>,
    /// How many of them make a checkpoint final.
    pub quorum: usize,
    /// Every node's log key, in the same order.
    pub log_keys: Vec<PublicKey>,
    validators_hash: jangbu_ledger::id::Digest,
    members: Vec<Member>,
}

impl TrustAnchor {
    /// What a verifier of bundles and receipts needs.
    #[must_use]
    pub fn verifier(&self) -> Anchor {
        let known = |member: &Member| KnownMember {
            name: member.name.clone(),
            keys: vec![member.keys.attestor, member.keys.admin],
        };
        Anchor {
            chain_id: self.chain_id,
            origin: self.origin.clone(),
            witnesses: self.witnesses.clone(),
            quorum: self.quorum,
            log_keys: std::iter::zip(&self.witnesses, &self.log_keys)
                .map(|(witness, key)| LogKey {
                    validator: witness.name.clone(),
                    key: *key,
                })
                .collect(),
            validators_hash: self.validators_hash,
            members: self
                .members
                .iter()
                .map(|member| (member.id(), known(member)))
                .collect(),
        }
    }

    /// The anchor of a checked genesis.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] if a name cannot stand in a checkpoint, which a checked genesis excludes.
    pub fn of(genesis: &Genesis) -> Result<Self, GenesisError> {
        let content = &genesis.content;
        let name = |text: String| -> Result<KeyName, GenesisError> {
            text.parse()
                .map_err(|_| field("name", format!("{text:?} cannot name a key")))
        };
        let mut validators: Vec<_> = content
            .members
            .iter()
            .filter_map(|member| member.validator.as_ref().map(|keys| (member, keys)))
            .collect();
        validators.sort_by_key(|(_, keys)| keys.consensus);
        let mut witnesses = Vec::new();
        for (member, keys) in &validators {
            let name = name(format!("{}/{}", content.consortium, member.name))?;
            witnesses.push(Witness {
                name,
                key: keys.witness,
            });
        }
        Ok(Self {
            chain_id: content.chain_id(),
            origin: name(content.origin())?,
            quorum: validators.len() * 2 / 3 + 1,
            witnesses,
            log_keys: validators.iter().map(|(_, keys)| keys.log).collect(),
            validators_hash: content.founding().validators.hash(),
            members: content.members.clone(),
        })
    }

    /// The founding member with this id.
    #[must_use]
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id() == *id)
    }

    /// What a member is called; its id, if it is none of the founding members.
    #[must_use]
    pub fn name_of(&self, id: &MemberId) -> String {
        self.member(id)
            .map_or_else(|| id.to_string(), |member| member.name.clone())
    }

    /// The founding member with this name.
    #[must_use]
    pub fn member_named(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// All founding members, sorted by name.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The founding validator with this consensus key, and that key.
    #[must_use]
    pub fn validator(&self, id: &KeyId) -> Option<(&Member, PublicKey)> {
        self.members.iter().find_map(|member| {
            let key = member.validator.as_ref()?.consensus;
            (key.id() == *id).then_some((member, key))
        })
    }

    /// The founding member's key with this id, if it signs statements or changes of keys.
    #[must_use]
    pub fn signing_key(&self, member: &MemberId, key: &KeyId) -> Option<PublicKey> {
        let keys = &self.member(member)?.keys;
        [keys.attestor, keys.admin]
            .into_iter()
            .find(|public| public.id() == *key)
    }
}
