//! The genesis document: who founds the consortium, under which rules, with which keys.
//!
//! `genesis.json` is what people read; its canonical bytes make the chain id, so that nothing in
//! it can change without every signature on the ledger becoming void. The members' signatures
//! under the chain id stand beside the content and are not part of it.
//!
//! Source: `docs/format.md`, section 10.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::{ChainId, TimeMs};
use jangbu_ledger::identifier::Prefix;
use jangbu_ledger::json;
use jangbu_ledger::signature::Signature;
use serde::{Deserialize, Serialize};

use crate::ceremony;
use crate::error::{check_name, field, parse_json};

pub use crate::error::GenesisError;
pub use crate::member::{Member, MemberKeys, MemberRole, ValidatorKeys};
pub use crate::parameters::Parameters;

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

/// One member's signature of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSignature {
    /// The member's name.
    pub member: String,
    /// By its admin key.
    pub signature: Signature,
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
                "content.format",
                format!("{}, but this program reads {FORMAT_VERSION}", self.format),
            ));
        }
        check_name("content.consortium", &self.consortium, 3, 40)?;
        self.parameters.check("content.parameters")?;
        let members = self.members.len();
        if members > MEMBERS_MAX {
            let reason = format!("{members} members; at most {MEMBERS_MAX} can found a ledger");
            return Err(field("content.members", reason));
        }
        for member in &self.members {
            member.check_name()?;
        }
        self.check_order()?;
        let validators = self
            .members
            .iter()
            .filter(|member| member.validator.is_some())
            .count();
        if !(1..=VALIDATORS_MAX).contains(&validators) {
            return Err(field(
                "content.members",
                format!("{validators} of them are operators; 1 to {VALIDATORS_MAX} may be"),
            ));
        }
        for member in &self.members {
            member.check()?;
        }
        self.check_sharing()?;
        for member in &self.members {
            ceremony::check_possession(&self.consortium, member)?;
        }
        Ok(())
    }

    fn check_order(&self) -> Result<(), GenesisError> {
        for pair in self.members.windows(2) {
            let [before, after] = pair else { continue };
            if before.name == after.name {
                return Err(field(
                    after.at("name"),
                    "two members have this name; one must join under another",
                ));
            }
            if before.name > after.name {
                return Err(field(
                    after.at("name"),
                    format!(
                        "it stands after {:?}; members are sorted by name",
                        before.name
                    ),
                ));
            }
        }
        Ok(())
    }

    /// No key, identifier or prefix belongs to two.
    fn check_sharing(&self) -> Result<(), GenesisError> {
        let mut keys = BTreeSet::new();
        let mut identifiers: BTreeMap<&str, &Member> = BTreeMap::new();
        let mut prefixes: Vec<(&Prefix, &Member)> = Vec::new();
        for member in &self.members {
            let signing = member.signing_keys();
            let all = signing.iter().map(|(name, key)| (*name, key.0));
            for (name, key) in all.chain([("encryption", member.keys.encryption.0)]) {
                if !keys.insert(key) {
                    return Err(field(
                        member.at(&format!("keys.{name}")),
                        "this key stands twice in the document; each purpose needs its own",
                    ));
                }
            }
            for identifier in &member.identifiers {
                if let Some(other) = identifiers.insert(identifier, member) {
                    return Err(field(
                        member.at("identifiers"),
                        format!("{identifier} is {}'s already", other.name),
                    ));
                }
            }
            for prefix in &member.prefixes {
                if let Some((taken, other)) =
                    prefixes.iter().find(|(taken, _)| taken.overlaps(prefix))
                {
                    return Err(field(
                        member.at("prefixes"),
                        format!(
                            "{prefix} overlaps {taken} of {}; one member issues under a prefix",
                            other.name
                        ),
                    ));
                }
                prefixes.push((prefix, member));
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
        let genesis: Self = parse_json(bytes)?;
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
        self.check_signers()?;
        for (member, signature) in self.content.members.iter().zip(&self.signatures) {
            member
                .keys
                .admin
                .verify(&digest, &signature.signature)
                .map_err(|_| {
                    GenesisError::Signature(format!(
                        "the signature of {} does not verify; the content was changed after it \
                         signed, or another signed in its place",
                        member.name
                    ))
                })?;
        }
        Ok(())
    }

    /// One signature of each member, sorted by name.
    fn check_signers(&self) -> Result<(), GenesisError> {
        let members = || {
            self.content
                .members
                .iter()
                .map(|member| member.name.as_str())
        };
        let signers = || {
            self.signatures
                .iter()
                .map(|signature| signature.member.as_str())
        };
        if signers().eq(members()) {
            return Ok(());
        }
        let names = |names: Vec<&str>| json::brief(&names.join(", "));
        let missing: Vec<&str> = members()
            .filter(|name| signers().all(|signer| signer != *name))
            .collect();
        let foreign: Vec<&str> = signers()
            .filter(|name| members().all(|member| member != *name))
            .collect();
        Err(GenesisError::Signature(
            match (missing.is_empty(), foreign.is_empty()) {
                (false, _) => format!("the signature of {} is missing", names(missing)),
                (_, false) => format!("{} signed, but is no member", names(foreign)),
                _ => "a signature stands twice or out of order; they are sorted by name".to_owned(),
            },
        ))
    }
}
