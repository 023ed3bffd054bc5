//! One sealed stream: with whom, as whom, under which key.

use jangbu_genesis::document::Member;
use jangbu_ledger::id::MemberId;
use jangbu_ledger::sealed::StreamKey;
use jangbu_ledger::share::Party;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::CliError;

/// Longest name of a share in bytes.
const NAME_BYTES_MAX: usize = 200;

/// A data share with another member, from one party's side.
#[derive(Debug)]
pub struct ShareStream {
    /// Its name, alike for both.
    pub name: String,
    /// The other party's name.
    pub with: String,
    /// Own role.
    pub role: Party,
    /// What opens it.
    pub key: StreamKey,
    own: MemberId,
    other: MemberId,
    known: bool,
}

/// What the vault remembers of a share. Where it stands is never remembered: the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    name: String,
    with: String,
    role: Party,
}

impl ShareStream {
    /// The share `name`: as the vault remembers it, or with this member in this role.
    ///
    /// # Errors
    ///
    /// [`CliError`] if something is missing or contradicts what is remembered.
    pub fn open(
        ctx: &Context,
        name: &str,
        with: Option<&str>,
        role: Option<Party>,
    ) -> Result<Self, CliError> {
        check_name(name)?;
        let remembered: Option<Remembered> = ctx.vault()?.stream(name)?;
        let known = remembered.is_some();
        let Remembered { with, role, .. } = match remembered {
            Some(memory) => {
                agrees(name, &memory, with, role)?;
                memory
            }
            None => Remembered {
                name: name.to_owned(),
                with: with
                    .ok_or_else(|| {
                        CliError::input(format!("with whom is the share {name:?}?"))
                            .hint("name the other party once: --with MEMBER")
                    })?
                    .to_owned(),
                role: role.ok_or_else(|| {
                    CliError::input(format!("what are you in the share {name:?}?"))
                        .hint("say --as provider, or --as consumer")
                })?,
            },
        };
        let (own, other) = (ctx.member()?, ctx.member_named(&with)?);
        if own.name == other.name {
            return Err(
                CliError::input(format!("{} cannot share with itself", own.name))
                    .hint("name the other party: --with MEMBER"),
            );
        }
        let key = StreamKey::agree(ctx.encryption_key()?, &encryption_key(other), name)
            .ok_or_else(|| {
                CliError::input(format!(
                    "the encryption key of {} in the genesis file is no usable key",
                    other.name
                ))
            })?;
        Ok(Self {
            name: name.to_owned(),
            role,
            key,
            own: own.id(),
            other: other.id(),
            with,
            known,
        })
    }

    /// The member that is `party` here.
    #[must_use]
    pub fn member_of(&self, party: Party) -> MemberId {
        if party == self.role {
            self.own
        } else {
            self.other
        }
    }

    /// Remembers with whom and as whom, once a step is to be taken.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn remember(&self, ctx: &Context) -> Result<(), CliError> {
        if self.known {
            return Ok(());
        }
        let memory = Remembered {
            name: self.name.clone(),
            with: self.with.clone(),
            role: self.role,
        };
        ctx.vault()?.keep_stream(&self.name, &memory)
    }
}

/// What was said once is not said otherwise later.
fn agrees(
    name: &str,
    memory: &Remembered,
    with: Option<&str>,
    role: Option<Party>,
) -> Result<(), CliError> {
    if let Some(with) = with.filter(|with| *with != memory.with) {
        return Err(CliError::input(format!(
            "the share {name:?} is with {}, not with {with}",
            memory.with
        ))
        .hint("give the other share another name"));
    }
    match role {
        Some(role) if role != memory.role => Err(CliError::refused(format!(
            "share.order: you are the {} of the share {name:?}; this is the {}'s step",
            memory.role.name(),
            role.name()
        ))),
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), CliError> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(CliError::input(format!(
            "a share's name has 1 to {NAME_BYTES_MAX} bytes and no control characters"
        )))
    }
}

fn encryption_key(member: &Member) -> x25519_dalek::PublicKey {
    x25519_dalek::PublicKey::from(*member.keys.encryption.as_bytes())
}
