//! What the founding document says, as the node's parts need it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jangbu_consensus::{Timeouts, ValidatorSet};
use jangbu_genesis::document::{Content, GENESIS_BYTES_MAX, Member, Parameters, ValidatorKeys};
use jangbu_genesis::{Genesis, GenesisError, TrustAnchor};
use jangbu_ledger::checkpoint::Witness;
use jangbu_ledger::id::{ChainId, Digest, KeyId, MemberId};
use jangbu_ledger::identifier::Prefix;
use jangbu_ledger::note::KeyName;
use jangbu_ledger::signature::PublicKey;
use jangbu_ledger::state::Role;
use jangbu_replica::chain::Chain;
use schemars::JsonSchema;
use serde::Serialize;

/// A consortium and this node's place in it.
#[derive(Debug, Clone)]
pub struct Consortium {
    /// The ledger.
    pub chain_id: ChainId,
    /// Its name in checkpoints.
    pub origin: KeyName,
    /// The consortium's name.
    pub name: String,
    /// Name of the member whose node this is.
    pub own_name: String,
    /// Whether this node decides and cosigns.
    pub is_validator: bool,
    /// The validators' witness keys, in the order of the validator list.
    pub witnesses: Vec<Witness>,
    /// How many of them make a checkpoint final.
    pub quorum: usize,
    /// The log keys of all nodes.
    pub log_keys: Vec<PublicKey>,
    /// All members, as the API shows them.
    pub members: Vec<MemberInfo>,
    /// The founding document's bytes.
    pub genesis: Vec<u8>,
}

/// A member, as the API shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MemberInfo {
    /// Its id on the ledger.
    pub id: MemberId,
    /// The name it was admitted under.
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// What it may do.
    pub role: Role,
    /// Its own identifiers: LEI, BPN, business numbers.
    pub identifiers: Vec<String>,
    /// Identifier prefixes that only it issues under.
    pub prefixes: Vec<Prefix>,
    /// Signs its statements.
    pub attestor: PublicKey,
    /// X25519 key that others seal to.
    pub encryption: Digest,
}

/// Why a founding document does not let this node run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoundingError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The document is refused.
    #[error("{file}: {source}")]
    Genesis {
        /// The file.
        file: PathBuf,
        /// Why.
        source: GenesisError,
    },
    /// Its validators do not make a set.
    #[error("{file}: the validators do not make a set: {reason}")]
    Validators {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The configured member may not run a node.
    #[error("{file}: {member} is no operator of this consortium; its operators are {operators}")]
    NotAnOperator {
        /// The file.
        file: PathBuf,
        /// The configured name.
        member: String,
        /// Who may.
        operators: String,
    },
}

/// A founding document that was read, and what the node takes from it.
#[derive(Debug, Clone)]
pub struct Founded {
    /// The document's content.
    pub content: Content,
    /// For the API and the notary.
    pub consortium: Consortium,
    /// For the replica.
    pub chain: Chain,
    /// The own member's public keys.
    pub own_keys: ValidatorKeys,
}

impl Founded {
    /// Reads and checks a founding document for the node of `member`.
    ///
    /// # Errors
    ///
    /// [`FoundingError`], the first found.
    pub fn load(file: &Path, member: &str) -> Result<Self, FoundingError> {
        let unreadable = |source| FoundingError::Unreadable {
            file: file.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        std::fs::File::open(file)
            .and_then(|opened| {
                let limit = u64::try_from(GENESIS_BYTES_MAX).unwrap_or(u64::MAX);
                opened.take(limit + 1).read_to_end(&mut bytes)
            })
            .map_err(unreadable)?;
        let refused = |source| FoundingError::Genesis {
            file: file.to_owned(),
            source,
        };
        let genesis = Genesis::parse(&bytes).map_err(refused)?;
        let anchor = TrustAnchor::of(&genesis).map_err(refused)?;
        let content = genesis.content;
        let own_keys = content
            .members
            .iter()
            .find(|found| found.name == member)
            .and_then(|found| found.validator.clone())
            .ok_or_else(|| FoundingError::NotAnOperator {
                file: file.to_owned(),
                member: member.to_owned(),
                operators: operators(&content),
            })?;
        let founding = content.founding();
        let keys = founding.validators.0.iter().map(|entry| entry.consensus);
        let validator_set = ValidatorSet::new(keys).map_err(|error| FoundingError::Validators {
            file: file.to_owned(),
            reason: error.to_string(),
        })?;
        let chain = Chain {
            chain_id: anchor.chain_id,
            origin: anchor.origin.clone(),
            parameters_hash: founding.parameters_hash,
            validators: founding.validators,
            validator_set,
            witness_names: anchor.witnesses.iter().map(|w| w.name.clone()).collect(),
        };
        let consortium = Consortium {
            chain_id: anchor.chain_id,
            origin: anchor.origin,
            name: content.consortium.clone(),
            own_name: member.to_owned(),
            is_validator: true,
            witnesses: anchor.witnesses,
            quorum: anchor.quorum,
            log_keys: anchor.log_keys,
            members: content.members.iter().map(MemberInfo::of).collect(),
            genesis: bytes,
        };
        Ok(Self {
            content,
            consortium,
            chain,
            own_keys,
        })
    }

    /// The other operators, by name: the peers, in the order of their numbers.
    pub fn peers(&self) -> impl Iterator<Item = (&str, &ValidatorKeys)> {
        self.content
            .members
            .iter()
            .filter(|member| member.name != self.consortium.own_name)
            .filter_map(|member| Some((member.name.as_str(), member.validator.as_ref()?)))
    }

    /// The operators' names by the ids of their consensus keys.
    #[must_use]
    pub fn validator_names(&self) -> BTreeMap<KeyId, String> {
        let members = self.content.members.iter();
        members
            .filter_map(|member| {
                let keys = member.validator.as_ref()?;
                Some((keys.consensus.id(), member.name.clone()))
            })
            .collect()
    }

    /// This node's position among the validators.
    #[must_use]
    pub fn own_position(&self) -> Option<u8> {
        let own = |entry: &jangbu_ledger::founding::ValidatorEntry| {
            entry.consensus == self.own_keys.consensus
        };
        let position = self.chain.validators.0.iter().position(own)?;
        u8::try_from(position).ok()
    }
}

fn operators(content: &Content) -> String {
    let names: Vec<&str> = content
        .members
        .iter()
        .filter(|member| member.validator.is_some())
        .map(|member| member.name.as_str())
        .collect();
    names.join(", ")
}

/// The time-outs of agreement that the document sets.
#[must_use]
pub const fn timeouts(parameters: &Parameters) -> Timeouts {
    Timeouts {
        propose_ms: parameters.propose_ms,
        prevote_ms: parameters.prevote_ms,
        precommit_ms: parameters.precommit_ms,
        rebroadcast_ms: parameters.rebroadcast_ms,
        delta_ms: parameters.round_delta_ms,
        max_ms: parameters.round_max_ms,
    }
}

impl MemberInfo {
    fn of(member: &Member) -> Self {
        Self {
            id: member.id(),
            name: member.name.clone(),
            display_name: member.display_name.clone(),
            role: member.role.into(),
            identifiers: member.identifiers.clone(),
            prefixes: member.prefixes.clone(),
            attestor: member.keys.attestor,
            encryption: member.keys.encryption,
        }
    }
}

impl Consortium {
    /// The name of a member, if it is one.
    #[must_use]
    pub fn member_name(&self, id: &MemberId) -> Option<&str> {
        self.members
            .iter()
            .find(|member| member.id == *id)
            .map(|member| member.name.as_str())
    }
}
