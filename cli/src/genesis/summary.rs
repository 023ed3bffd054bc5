//! What a founding document says, for people who must agree with it.

use std::fmt;

use jangbu_genesis::document::{Content, Member, MemberRole, Parameters};
use jangbu_ledger::id::ChainId;
use jangbu_ledger::identifier::Prefix;
use serde::Serialize;

/// A founding document, shortened to what a person compares.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    consortium: &'a str,
    chain_id: ChainId,
    origin: String,
    created_at_ms: u64,
    validators: usize,
    quorum: usize,
    parameters: &'a Parameters,
    members: Vec<MemberSummary<'a>>,
}

#[derive(Serialize)]
struct MemberSummary<'a> {
    name: &'a str,
    display_name: &'a str,
    role: MemberRole,
    identifiers: &'a [String],
    prefixes: &'a [Prefix],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    addresses: &'a [String],
    keys: Vec<KeySummary>,
}

#[derive(Serialize)]
struct KeySummary {
    purpose: &'static str,
    fingerprint: String,
}

impl<'a> Summary<'a> {
    pub(super) fn of(content: &'a Content) -> Self {
        let validators = content
            .members
            .iter()
            .filter(|m| m.validator.is_some())
            .count();
        Self {
            consortium: &content.consortium,
            chain_id: content.chain_id(),
            origin: content.origin(),
            created_at_ms: content.created_at_ms,
            validators,
            quorum: content.founding().validators.quorum(),
            parameters: &content.parameters,
            members: content.members.iter().map(MemberSummary::of).collect(),
        }
    }
}

impl<'a> MemberSummary<'a> {
    fn of(member: &'a Member) -> Self {
        Self {
            name: &member.name,
            display_name: &member.display_name,
            role: member.role,
            identifiers: &member.identifiers,
            prefixes: &member.prefixes,
            addresses: member
                .validator
                .as_ref()
                .map_or(&[], |keys| &keys.addresses),
            keys: member
                .signing_keys()
                .into_iter()
                .map(|(purpose, key)| KeySummary {
                    purpose,
                    fingerprint: key.id().to_string(),
                })
                .collect(),
        }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "consortium  {}", self.consortium)?;
        writeln!(f, "chain id    {}", self.chain_id)?;
        writeln!(f, "log         {}", self.origin)?;
        writeln!(
            f,
            "validators  {}; {} of them decide, so that {} may fail",
            self.validators,
            self.quorum,
            self.validators.saturating_sub(self.quorum)
        )?;
        let rules = self.parameters;
        writeln!(
            f,
            "rules       propose {} ms, prevote {} ms, precommit {} ms, +{} ms a round up to {} ms",
            rules.propose_ms,
            rules.prevote_ms,
            rules.precommit_ms,
            rules.round_delta_ms,
            rules.round_max_ms
        )?;
        writeln!(
            f,
            "            repeat votes after {} ms, idle at most {} ms, clocks within {} ms",
            rules.rebroadcast_ms, rules.max_idle_ms, rules.max_drift_ms
        )?;
        writeln!(f, "members     {}", self.members.len())?;
        for member in &self.members {
            write!(f, "{member}")?;
        }
        Ok(())
    }
}

impl fmt::Display for MemberSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n  {} ({}): {}",
            self.name, self.role, self.display_name
        )?;
        let prefixes: Vec<&str> = self.prefixes.iter().map(Prefix::as_str).collect();
        for (what, list) in [
            ("is", self.identifiers.join(", ")),
            ("issues", prefixes.join(", ")),
            ("node at", self.addresses.join(", ")),
        ] {
            if !list.is_empty() {
                writeln!(f, "    {what:<10} {list}")?;
            }
        }
        for key in &self.keys {
            writeln!(f, "    {:<10} {}", key.purpose, key.fingerprint)?;
        }
        Ok(())
    }
}
