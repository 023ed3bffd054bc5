//! A founding member: who it is, what it may do, its public keys.

use std::net::{Ipv4Addr, Ipv6Addr};

use bincode::{Decode, Encode};
use jangbu_ledger::checkpoint::check_key;
use jangbu_ledger::id::{Digest, MemberId};
use jangbu_ledger::identifier::Prefix;
use jangbu_ledger::signature::{PublicKey, Signature};
use jangbu_ledger::state::Role;
use serde::{Deserialize, Serialize};

use crate::error::{GenesisError, check_name, field};
use crate::party::PartyIdentifier;

/// Longest name for people in bytes.
const DISPLAY_NAME_BYTES_MAX: usize = 100;
/// Most identifiers of a member, and most prefixes.
const IDENTIFIERS_MAX: usize = 16;
/// Longest host name in bytes.
const HOST_BYTES_MAX: usize = 253;
/// Most addresses of a node.
const ADDRESSES_MAX: usize = 8;

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

impl MemberRole {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::Operator,
        Self::Participant,
        Self::Auditor,
        Self::Regulator,
        Self::Observer,
    ];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Participant => "participant",
            Self::Auditor => "auditor",
            Self::Regulator => "regulator",
            Self::Observer => "observer",
        }
    }
}

impl std::fmt::Display for MemberRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for MemberRole {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("the roles are {}", Self::ALL.map(Self::name).join(", ")))
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

impl Member {
    /// A field of this member, as errors name it.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("content.members[{}].{name}", self.name)
    }

    /// Checks its name, by which all other faults are told.
    pub(crate) fn check_name(&self) -> Result<(), GenesisError> {
        check_name("content.members[].name", &self.name, 2, 32)
    }

    /// Checks each field by itself.
    pub(crate) fn check(&self) -> Result<(), GenesisError> {
        self.check_name()?;
        let shown = &self.display_name;
        if !(1..=DISPLAY_NAME_BYTES_MAX).contains(&shown.len())
            || shown.chars().any(char::is_control)
        {
            return Err(field(
                self.at("display_name"),
                format!(
                    "{:?} is no name for people; write 1 to {DISPLAY_NAME_BYTES_MAX} bytes without \
                     control characters",
                    shown.chars().take(40).collect::<String>()
                ),
            ));
        }
        match (self.role, self.validator.is_some()) {
            (MemberRole::Operator, false) => {
                return Err(field(
                    self.at("validator"),
                    "missing; an operator names its node's keys and addresses",
                ));
            }
            (MemberRole::Operator, true) | (_, false) => {}
            (role, true) => {
                return Err(field(
                    self.at("validator"),
                    format!("a member of role {role} runs no validator; leave it null"),
                ));
            }
        }
        for (name, count) in [
            ("identifiers", self.identifiers.len()),
            ("prefixes", self.prefixes.len()),
        ] {
            if count > IDENTIFIERS_MAX {
                let reason = format!("{count} of them; at most {IDENTIFIERS_MAX} are allowed");
                return Err(field(self.at(name), reason));
            }
        }
        for (index, identifier) in self.identifiers.iter().enumerate() {
            PartyIdentifier::parse_canonical(identifier).map_err(|error| {
                field(self.at(&format!("identifiers[{index}]")), error.to_string())
            })?;
        }
        for (name, key) in self.signing_keys() {
            check_key(&key)
                .map_err(|error| field(self.at(&format!("keys.{name}")), error.to_string()))?;
        }
        match &self.validator {
            Some(validator) => self.check_addresses(&validator.addresses),
            None => Ok(()),
        }
    }

    fn check_addresses(&self, addresses: &[String]) -> Result<(), GenesisError> {
        if !(1..=ADDRESSES_MAX).contains(&addresses.len()) {
            let reason = format!(
                "{} addresses; write 1 to {ADDRESSES_MAX} where peers reach the node",
                addresses.len()
            );
            return Err(field(self.at("validator.addresses"), reason));
        }
        for (index, address) in addresses.iter().enumerate() {
            if !is_address(address) {
                return Err(field(
                    self.at(&format!("validator.addresses[{index}]")),
                    format!(
                        "{:?} is no multiaddress; write it like /dns4/node.example.com/tcp/7401",
                        address.chars().take(80).collect::<String>()
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Whether it is a multiaddress that a node can dial: `/ip4/10.0.0.7/tcp/7401` or with `ip6`,
/// `dns`, `dns4`, `dns6`.
fn is_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let ["", protocol, host, "tcp", port] = parts.as_slice() else {
        return false;
    };
    let host_fits = match *protocol {
        "ip4" => host.parse::<Ipv4Addr>().is_ok(),
        "ip6" => host.parse::<Ipv6Addr>().is_ok(),
        "dns" | "dns4" | "dns6" => {
            (1..=HOST_BYTES_MAX).contains(&host.len())
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        }
        _ => false,
    };
    // One spelling: no sign, no leading zero, not 0.
    host_fits
        && port
            .parse::<u16>()
            .is_ok_and(|p| p > 0 && p.to_string() == *port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_no_node_can_dial_is_noticed() {
        for good in [
            "/ip4/10.0.0.7/tcp/7401",
            "/ip6/::1/tcp/1",
            "/dns4/node.acme.example/tcp/7401",
            "/dns/localhost/tcp/65535",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "node.acme.example:7401",
            "/ip4/10.0.0/tcp/7401",
            "/ip4/10.0.0.7/udp/7401",
            "/ip4/10.0.0.7/tcp/0",
            "/ip4/10.0.0.7/tcp/+1",
            "/ip4/10.0.0.7/tcp/70000",
            "/ip4/10.0.0.7/tcp/7401/",
            "/dns4//tcp/7401",
            "/dns4/a b/tcp/7401",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
