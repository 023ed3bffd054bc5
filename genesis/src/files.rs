//! The files that members hand each other during the ceremony.
//!
//! ```text
//!   template.json ─▶ <member>.join.json ─▶ content.json ─▶ <member>.approval.json ─▶ genesis.json
//! ```
//!
//! None holds a secret; each can go by mail. What is wrong with one is found by whoever reads it
//! next, and named with its field.

use jangbu_ledger::id::ChainId;
use jangbu_ledger::json;
use serde::{Deserialize, Serialize};

use crate::ceremony::{self, Template};
use crate::document::{Content, GenesisError, Member, MemberRole, MemberSignature, Parameters};
use crate::error::{check_name, field, parse_json};

/// What one member fixes before the others join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateFile {
    /// Name of the consortium.
    pub consortium: String,
    /// When, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// The rules of agreement.
    pub parameters: Parameters,
    /// Who joins, sorted by name.
    pub invited: Vec<Invitation>,
}

/// A member that is expected to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: MemberRole,
}

/// What a member hands in: its entry, signed by each of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinFile {
    /// The consortium it joins.
    pub consortium: String,
    /// Its entry.
    pub member: Member,
}

/// A member's signature of the assembled content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalFile {
    /// The ledger that was approved: the hash of the content.
    pub chain_id: ChainId,
    /// The member's signature of it.
    pub approval: MemberSignature,
}

impl TemplateFile {
    /// Reads and checks a template.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] naming the field.
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        let template: Self = parse_json(bytes)?;
        template.check()?;
        Ok(template)
    }

    /// Checks it.
    ///
    /// # Errors
    ///
    /// [`GenesisError::Field`], the first found.
    pub fn check(&self) -> Result<(), GenesisError> {
        check_name("consortium", &self.consortium, 3, 40)?;
        self.parameters.check("parameters")?;
        for (index, invited) in self.invited.iter().enumerate() {
            check_name(&format!("invited[{index}].name"), &invited.name, 2, 32)?;
        }
        if let Some(pair) = self.invited.windows(2).find(|pair| match pair {
            [before, after] => before.name >= after.name,
            _ => false,
        }) {
            let name = pair
                .last()
                .map(|invited| invited.name.as_str())
                .unwrap_or_default();
            return Err(field(
                "invited",
                format!("{name:?} stands twice or out of order; sort by name, each once"),
            ));
        }
        if !self
            .invited
            .iter()
            .any(|invited| invited.role == MemberRole::Operator)
        {
            let reason = "nobody is invited as operator; somebody must run a validator";
            return Err(field("invited", reason));
        }
        Ok(())
    }

    /// The role in which `name` is invited.
    ///
    /// # Errors
    ///
    /// [`GenesisError::Field`] if it is not.
    pub fn role_of(&self, name: &str) -> Result<MemberRole, GenesisError> {
        self.invited
            .iter()
            .find(|invited| invited.name == name)
            .map(|invited| invited.role)
            .ok_or_else(|| {
                let names: Vec<&str> = self.invited.iter().map(|i| i.name.as_str()).collect();
                field(
                    "invited",
                    format!("{name:?} is not invited; invited are {}", names.join(", ")),
                )
            })
    }

    /// Puts the entries of exactly the invited members together.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] naming the member that is missing, not invited or not acceptable.
    pub fn assemble(self, joined: Vec<JoinFile>) -> Result<Content, GenesisError> {
        for join in &joined {
            let role = self.role_of(&join.member.name)?;
            if join.member.role != role {
                let reason = format!("{}, but it is invited as {role}", join.member.role);
                return Err(field(join.member.at("role"), reason));
            }
            if join.consortium != self.consortium {
                let reason = format!(
                    "{} joined the consortium {:?}, not {:?}; it must join again",
                    join.member.name, join.consortium, self.consortium
                );
                return Err(field("consortium", reason));
            }
        }
        let missing: Vec<&str> = self
            .invited
            .iter()
            .map(|invited| invited.name.as_str())
            .filter(|name| joined.iter().all(|join| join.member.name != *name))
            .collect();
        if !missing.is_empty() {
            let reason = format!("{} did not join yet", missing.join(", "));
            return Err(field("invited", reason));
        }
        let template = Template {
            consortium: self.consortium,
            created_at_ms: self.created_at_ms,
            parameters: self.parameters,
        };
        ceremony::assemble(
            template,
            joined.into_iter().map(|join| join.member).collect(),
        )
    }
}

impl JoinFile {
    /// Reads a member's entry and checks it, with its proofs.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] naming the field.
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        let join: Self = parse_json(bytes)?;
        join.member.check()?;
        ceremony::check_possession(&join.consortium, &join.member)?;
        Ok(join)
    }
}

impl ApprovalFile {
    /// Reads an approval.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] naming the field.
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        parse_json(bytes)
    }

    /// The signature, if it is of this content.
    ///
    /// # Errors
    ///
    /// [`GenesisError::Signature`] if another content was approved.
    pub fn of(self, content: &Content) -> Result<MemberSignature, GenesisError> {
        if self.chain_id == content.chain_id() {
            Ok(self.approval)
        } else {
            Err(GenesisError::Signature(format!(
                "{} approved another content, with the chain id {}; ask it to approve this one, {}",
                json::brief(&self.approval.member),
                self.chain_id,
                content.chain_id()
            )))
        }
    }
}

impl Content {
    /// Reads and checks the assembled content that members approve.
    ///
    /// # Errors
    ///
    /// [`GenesisError`] naming the field.
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        let content: Self = parse_json(bytes)?;
        content.check()?;
        Ok(content)
    }
}
