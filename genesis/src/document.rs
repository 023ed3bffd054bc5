//! The genesis document: who founds the consortium, under which rules, with which keys.
//!
//! `genesis.json` is what people read; its canonical bytes make the chain id, so that nothing in
//! it can change without every signature on the ledger becoming void. The members' signatures
//! under the chain id stand beside the content and are not part of it.
//!
//! Source: `docs/format.md`, section 10.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use jangbu_ledger::checkpoint::check_key;
use jangbu_ledger::codec;
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::{ChainId, Digest, MemberId, TimeMs};
use jangbu_ledger::identifier::{Identifier, Prefix};
use jangbu_ledger::json;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::Role;
use serde::{Deserialize, Serialize};

use crate::ceremony;

/// The document format this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;
/// Largest `genesis.json` in bytes.
pub const GENESIS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most validators: the public proof format promises 16 signature lines.
pub const VALIDATORS_MAX: usize = 22;
/// Most members.
pub const MEMBERS_MAX: usize = 4096;

/// The founding document with its members' signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What is founded.
    pub content: Content,
    /// Each member's signature, by its admin key, over the chain id.
    pub signatures: Vec<MemberSignature>,
}

/// What is founded.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// [`FORMAT_VERSION`].
    pub format: u32,
    /// Name: 3 to 40 of `a-z`, `0-9`, `-`.
    pub consortium: String,
    /// When, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// The rules of agreement.
    pub parameters: Parameters,
    /// The founding members, sorted by name.
    pub members: Vec<Member>,
}

/// What every validator must do alike. Sizes in bytes, times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Start a height with nothing to record after so long a rest.
    pub max_idle_ms: u64,
    /// How far a first proposal's time may be from a validator's clock.
    pub max_drift_ms: u64,
    /// How long a round waits for its proposal.
    pub propose_ms: u64,
    /// How long it waits for prevotes that agree.
    pub prevote_ms: u64,
    /// How long it waits for precommits that agree.
    pub precommit_ms: u64,
    /// How long until the last votes are said again.
    pub rebroadcast_ms: u64,
    /// Added to each per round.
    pub round_delta_ms: u64,
    /// No round waits longer.
    pub round_max_ms: u64,
}

/// One founding member.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Name: 2 to 32 of `a-z`, `0-9`, `-`; unique.
    pub name: String,
    /// Name for people, at most 100 bytes.
    pub display_name: String,
    /// What it may do: `operator`, `participant`, `auditor`, `regulator`, `observer`.
    pub role: MemberRole,
    /// Who it is to others: BPN, LEI, GLN, DID…, each valid.
    pub identifiers: Vec<String>,
    /// Identifier prefixes that only it issues under.
    pub prefixes: Vec<Prefix>,
    /// Its public keys.
    pub keys: MemberKeys,
    /// What an operator's node needs; only operators have it.
    pub validator: Option<ValidatorKeys>,
    /// Proof that it holds each of the keys: see `ceremony`.
    pub possession: Vec<Signature>,
}

/// A member's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// Runs a validator.
    Operator,
    /// A company without a node.
    Participant,
    /// Endorses.
    Auditor,
    /// Supervises.
    Regulator,
    /// Reads.
    Observer,
}

/// Keys every member has.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberKeys {
    /// Changes its keys and signs the genesis.
    pub admin: PublicKey,
    /// Signs its statements.
    pub attestor: PublicKey,
    /// X25519: agrees on keys of sealed streams.
    pub encryption: Digest,
}

/// Keys and addresses of a validator.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorKeys {
    /// Signs votes and proposals.
    pub consensus: PublicKey,
    /// Cosigns checkpoints.
    pub witness: PublicKey,
    /// Signs its own copy of the log.
    pub log: PublicKey,
    /// Names its node to the peers.
    pub peer: PublicKey,
    /// Where peers reach it: libp2p multiaddresses, at most 8.
    pub addresses: Vec<String>,
}

/// One member's signature of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSignature {
    /// The member's name.
    pub member: String,
    /// By its admin key.
    pub signature: Signature,
}

/// Why a genesis document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Too long.
    #[error("the genesis file has {0} bytes; at most {GENESIS_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Not JSON of this shape.
    #[error("the genesis file is damaged: {0}; get it again from another member")]
    Malformed(String),
    /// A field breaks a rule.
    #[error("the genesis file's {field} is not acceptable: {reason}")]
    Field {
        /// Which field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A signature is missing or does not verify: the content was changed after it was signed.
    #[error("the genesis file was altered or is not signed by all: {0}")]
    Signature(String),
}

pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> GenesisError {
    GenesisError::Field {
        field: field.into(),
        reason: reason.into(),
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            max_idle_ms: 30_000,
            max_drift_ms: 5_000,
            propose_ms: 500,
            prevote_ms: 200,
            precommit_ms: 200,
            rebroadcast_ms: 500,
            round_delta_ms: 200,
            round_max_ms: 5_000,
        }
    }
}

impl Parameters {
    const DOMAIN: Domain = Domain::new("jangbu/parameters/v1");

    /// What headers carry.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest(Self::DOMAIN.hash_of(self))
    }
}

impl From<MemberRole> for Role {
    fn from(role: MemberRole) -> Self {
        match role {
            MemberRole::Operator => Self::Operator,
            MemberRole::Participant => Self::Participant,
            MemberRole::Auditor => Self::Auditor,
            MemberRole::Regulator => Self::Regulator,
            MemberRole::Observer => Self::Observer,
        }
    }
}

impl Member {
    /// Its id on the ledger.
    #[must_use]
    pub fn id(&self) -> MemberId {
        MemberId::of(&self.name)
    }

    /// Its Ed25519 keys with their names, in the order of its proofs of possession.
    #[must_use]
    pub fn signing_keys(&self) -> Vec<(&'static str, PublicKey)> {
        let mut keys = vec![("admin", self.keys.admin), ("attestor", self.keys.attestor)];
        if let Some(validator) = &self.validator {
            keys.extend([
                ("consensus", validator.consensus),
                ("witness", validator.witness),
                ("log", validator.log),
                ("peer", validator.peer),
            ]);
        }
        keys
    }
}

impl Content {
    const CHAIN_ID: Domain = Domain::new("jangbu/chain-id/v1");

    /// The ledger's identity.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        ChainId(Self::CHAIN_ID.hash_of(self))
    }

    /// The log's name: `jangbu/<consortium>/<first 16 hex digits of the chain id>`.
    #[must_use]
    pub fn origin(&self) -> String {
        let chain = self.chain_id().to_string();
        format!("jangbu/{}/{}", self.consortium, &chain[..16])
    }

    /// When it was founded.
    #[must_use]
    pub const fn time(&self) -> TimeMs {
        TimeMs(self.created_at_ms)
    }

    /// Checks everything but the members' signatures of the whole.
    ///
    /// # Errors
    ///
    /// [`GenesisError::Field`], the first found.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.format != FORMAT_VERSION {
            return Err(field(
                "format",
                format!("{}; this program reads {FORMAT_VERSION}", self.format),
            ));
        }
        check_name("consortium", &self.consortium, 3, 40)?;
        if self.members.len() > MEMBERS_MAX {
            return Err(field("members", format!("more than {MEMBERS_MAX}")));
        }
        if !self.members.is_sorted_by(|a, b| a.name < b.name) {
            return Err(field("members", "names must be unique and sorted"));
        }
        let validators = self
            .members
            .iter()
            .filter(|member| member.validator.is_some())
            .count();
        if !(1..=VALIDATORS_MAX).contains(&validators) {
            return Err(field(
                "members",
                format!("{validators} operators; 1 to {VALIDATORS_MAX} are allowed"),
            ));
        }
        let mut keys = BTreeSet::new();
        let mut prefixes: Vec<&Prefix> = Vec::new();
        for member in &self.members {
            member.check()?;
            let all = member.signing_keys().into_iter().map(|(_, key)| key.0);
            for key in all.chain([member.keys.encryption.0]) {
                if !keys.insert(key) {
                    return Err(field(
                        format!("members[{}].keys", member.name),
                        "a key stands twice in the document; each purpose needs its own",
                    ));
                }
            }
            for prefix in &member.prefixes {
                if let Some(other) = prefixes.iter().find(|other| other.overlaps(prefix)) {
                    return Err(field(
                        format!("members[{}].prefixes", member.name),
                        format!("{prefix} overlaps {other}"),
                    ));
                }
                prefixes.push(prefix);
            }
            ceremony::check_possession(&self.consortium, member)?;
        }
        Ok(())
    }
}

impl Member {
    fn check(&self) -> Result<(), GenesisError> {
        let at = |name: &str| format!("members[{}].{name}", self.name);
        check_name("members[].name", &self.name, 2, 32)?;
        let shown = &self.display_name;
        if !(1..=100).contains(&shown.len()) || shown.chars().any(char::is_control) {
            return Err(field(
                at("display_name"),
                "expected 1 to 100 bytes without control characters",
            ));
        }
        if (self.role == MemberRole::Operator) != self.validator.is_some() {
            return Err(field(
                at("validator"),
                "operators have one, others have none",
            ));
        }
        if self.identifiers.len() > 16 || self.prefixes.len() > 16 {
            return Err(field(
                at("identifiers"),
                "at most 16 identifiers and 16 prefixes",
            ));
        }
        for identifier in &self.identifiers {
            Identifier::parse_canonical(identifier)
                .map_err(|error| field(at("identifiers"), error.to_string()))?;
        }
        for (name, key) in self.signing_keys() {
            check_key(&key)
                .map_err(|error| field(at(&format!("keys.{name}")), error.to_string()))?;
        }
        if let Some(validator) = &self.validator {
            let fits = |a: &String| a.len() <= 200 && a.starts_with('/') && a.is_ascii();
            if !(1..=8).contains(&validator.addresses.len())
                || !validator.addresses.iter().all(fits)
            {
                return Err(field(
                    at("validator.addresses"),
                    "expected 1 to 8 multiaddresses",
                ));
            }
        }
        Ok(())
    }
}

impl Genesis {
    /// Reads and fully checks a `genesis.json`.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] naming the field and what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        if bytes.len() > GENESIS_BYTES_MAX {
            return Err(GenesisError::TooLong(bytes.len()));
        }
        let malformed = |reason: String| GenesisError::Malformed(reason);
        let value = json::parse(bytes).map_err(|error| malformed(error.to_string()))?;
        let genesis: Self =
            serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
        genesis.check()?;
        Ok(genesis)
    }

    /// The text of `genesis.json`.
    ///
    /// # Errors
    ///
    /// [`GenesisError::Malformed`] if it cannot be written, which nothing in it causes.
    pub fn to_json(&self) -> Result<String, GenesisError> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| GenesisError::Malformed(error.to_string()))
    }

    /// Checks the content and that every member signed it.
    ///
    /// # Errors
    ///
    /// [`GenesisError`], the first found.
    pub fn check(&self) -> Result<(), GenesisError> {
        self.content.check()?;
        let digest = ceremony::approval_digest(&self.content.chain_id());
        let signed = self.signatures.iter().map(|signature| &signature.member);
        if !signed.eq(self.content.members.iter().map(|member| &member.name)) {
            return Err(GenesisError::Signature(
                "expected one signature of each member, sorted by name".into(),
            ));
        }
        for (member, signature) in self.content.members.iter().zip(&self.signatures) {
            member
                .keys
                .admin
                .verify(&digest, &signature.signature)
                .map_err(|_| {
                    GenesisError::Signature(format!(
                        "the signature of {} does not verify",
                        member.name
                    ))
                })?;
        }
        Ok(())
    }

    /// Size of the canonical content in bytes.
    #[must_use]
    pub fn canonical_len(&self) -> usize {
        codec::encode(&self.content).len()
    }
}

pub(crate) fn check_name(
    what: &str,
    name: &str,
    min: usize,
    max: usize,
) -> Result<(), GenesisError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (min..=max).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(field(
            what,
            format!("{name:?}: expected {min} to {max} of a-z, 0-9 and -"),
        ))
    }
}
