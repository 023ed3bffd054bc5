//! One data share: between whom, as whom, and where its steps stand.

use jangbu_genesis::document::Member;
use jangbu_ledger::hash::parse_hex;
use jangbu_ledger::id::MemberId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::sealed::{Granted, StreamKey};
use jangbu_ledger::share::Party;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::open;
use crate::context::Context;
use crate::error::CliError;
use crate::vault::{STREAM_NAME_BYTES_MAX, stream_name_bytes};

/// Longest name of a share in bytes.
const NAME_BYTES_MAX: usize = 200;

/// A data share as one member sees it.
#[derive(Debug)]
pub struct ShareStream {
    /// Its name, alike for everyone.
    pub name: String,
    /// Own role; `None` for who only reads it.
    pub role: Option<Party>,
    /// Where its steps stand.
    pub channel: Channel,
    provider: Side,
    consumer: Side,
    known: bool,
}

/// Where the steps of a share stand.
#[derive(Debug)]
pub enum Channel {
    /// In slots that only holders of the key find and read.
    Sealed(StreamKey),
    /// In the streams of an identifier, for everyone to read and for validators to judge.
    Open(Identifier),
}

/// A party.
#[derive(Debug, Clone)]
struct Side {
    name: String,
    id: MemberId,
}

/// How a share is named on the command line.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// The other party.
    pub with: Option<&'a str>,
    /// Own role.
    pub role: Option<Party>,
    /// Whether it is in the open; a share that is remembered is what it was.
    pub open: bool,
}

/// What the vault remembers of a share. Where it stands is never remembered: the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    name: String,
    with: String,
    role: Party,
    #[serde(default)]
    open: bool,
    /// The key of a sealed one: it reads the share even when a party has registered another
    /// encryption key since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    key: Option<StreamKey>,
}

fn write_key<S: Serializer>(key: &Option<StreamKey>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref()
        .map(|key| Zeroizing::new(hex::encode(key.expose())))
        .as_deref()
        .serialize(serializer)
}

fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StreamKey>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
    text.map(|text| parse_hex("stream key", &text).map(StreamKey::from_bytes))
        .transpose()
        .map_err(serde::de::Error::custom)
}

impl Side {
    fn of(member: &Member) -> Self {
        Self {
            name: member.name.clone(),
            id: member.id(),
        }
    }

    /// The member with this id; what is wrong with a share of anybody else's.
    fn find(
        ctx: &Context,
        id: MemberId,
        wrong: impl FnOnce(String) -> CliError,
    ) -> Result<Self, CliError> {
        ctx.anchor()?.member(&id).map(Self::of).ok_or_else(|| {
            wrong(format!(
                "a share of {id}, who is no member of this consortium"
            ))
        })
    }
}

impl ShareStream {
    /// The share as the vault remembers it, as the ledger shows it if it is in the open, or with
    /// this member in this role.
    ///
    /// # Errors
    ///
    /// [`CliError`] if something is missing or contradicts what is remembered.
    pub fn find(ctx: &Context, named: Named<'_>) -> Result<Self, CliError> {
        check_name(named.name)?;
        let memory: Option<Remembered> = if ctx.vault()?.has_stream(named.name) {
            ctx.open_vault()?.stream(named.name)?
        } else {
            None
        };
        if memory.is_none() && named.open {
            let identifier = identifier(named.name)?;
            if let Some(parties) = open::parties(ctx, &identifier)? {
                return Self::in_the_open(ctx, named, identifier, parties);
            }
        }
        let known = memory.is_some();
        let memory = match memory {
            Some(memory) => {
                agrees(&memory, named)?;
                memory
            }
            None => named.complete()?,
        };
        let (own, other) = (ctx.member()?, ctx.member_named(&memory.with)?);
        if own.name == other.name {
            return Err(
                CliError::input(format!("{} cannot share with itself", own.name))
                    .hint("name the other party: --with MEMBER"),
            );
        }
        let channel = match memory.key {
            _ if memory.open => Channel::Open(identifier(named.name)?),
            Some(key) => Channel::Sealed(key),
            None => Channel::Sealed(agree(ctx, other, named.name)?),
        };
        let (provider, consumer) = match memory.role {
            Party::Provider => (own, other),
            Party::Consumer => (other, own),
        };
        Ok(Self {
            name: memory.name,
            role: Some(memory.role),
            channel,
            provider: Side::of(provider),
            consumer: Side::of(consumer),
            known,
        })
    }

    /// A sealed share of two others, by the key that one of them handed over.
    ///
    /// # Errors
    ///
    /// [`CliError`] if a party is no member.
    pub fn granted(ctx: &Context, granted: Granted) -> Result<Self, CliError> {
        check_name(&granted.name)?;
        let side = |id| {
            Side::find(ctx, id, |no_member| {
                CliError::input(format!("the grant is of {no_member}"))
            })
        };
        Ok(Self {
            name: granted.name,
            role: None,
            channel: Channel::Sealed(granted.key),
            provider: side(granted.provider)?,
            consumer: side(granted.consumer)?,
            known: false,
        })
    }

    /// A share that stands on the ledger in the open, as anyone sees it.
    fn in_the_open(
        ctx: &Context,
        named: Named<'_>,
        identifier: Identifier,
        (provider, consumer): (MemberId, MemberId),
    ) -> Result<Self, CliError> {
        let side = |id| {
            Side::find(ctx, id, |no_member| {
                CliError::unreachable(format!("the node shows {no_member}"))
            })
        };
        let (provider, consumer) = (side(provider)?, side(consumer)?);
        let own = ctx.member()?.id();
        let role = if own == provider.id {
            Some(Party::Provider)
        } else if own == consumer.id {
            Some(Party::Consumer)
        } else {
            None
        };
        let found = Self {
            name: named.name.to_owned(),
            role,
            channel: Channel::Open(identifier),
            provider,
            consumer,
            known: false,
        };
        if let Some(with) = found.with().filter(|_| role.is_some()) {
            let memory = Remembered {
                name: named.name.to_owned(),
                with: with.to_owned(),
                role: role.unwrap_or(Party::Consumer),
                open: true,
                key: None,
            };
            agrees(&memory, named)?;
        }
        Ok(found)
    }

    /// What its documents are about: the identifier in the open, else a name that only holders
    /// of the key can tell.
    #[must_use]
    pub fn subject(&self) -> Identifier {
        match &self.channel {
            Channel::Sealed(key) => key.subject(),
            Channel::Open(identifier) => identifier.clone(),
        }
    }

    /// Own role, of who takes a step that only parties take.
    ///
    /// # Errors
    ///
    /// [`CliError`]: refused, if the member is no party.
    pub fn party(&self) -> Result<Party, CliError> {
        self.role.ok_or_else(|| {
            CliError::refused(format!(
                "share.party: the share {:?} is between {} and {}",
                self.name, self.provider.name, self.consumer.name
            ))
        })
    }

    /// The name of the other party; of who is none, nobody.
    #[must_use]
    pub fn with(&self) -> Option<&str> {
        self.role.map(|role| self.name_of(role.other()))
    }

    /// The member that is `party` here.
    #[must_use]
    pub const fn member_of(&self, party: Party) -> MemberId {
        match party {
            Party::Provider => self.provider.id,
            Party::Consumer => self.consumer.id,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name_of(&self, party: Party) -> &str {
        match party {
            Party::Provider => &self.provider.name,
            Party::Consumer => &self.consumer.name,
        }
    }

    /// Remembers with whom and as whom, once a step is to be taken.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn remember(&self, ctx: &Context) -> Result<(), CliError> {
        let Some(role) = self.role.filter(|_| !self.known) else {
            return Ok(());
        };
        let memory = Remembered {
            name: self.name.clone(),
            with: self.name_of(role.other()).to_owned(),
            role,
            open: matches!(self.channel, Channel::Open(_)),
            key: match &self.channel {
                Channel::Sealed(key) => Some(key.clone()),
                Channel::Open(_) => None,
            },
        };
        ctx.open_vault()?.keep_stream(&self.name, &memory)
    }
}

impl<'a> Named<'a> {
    /// A share that is remembered under this name.
    #[must_use]
    pub const fn remembered(name: &'a str) -> Self {
        Self {
            name,
            with: None,
            role: None,
            open: false,
        }
    }

    /// What must be said of a share that is not known yet.
    fn complete(&self) -> Result<Remembered, CliError> {
        let name = self.name;
        Ok(Remembered {
            name: name.to_owned(),
            with: self
                .with
                .ok_or_else(|| {
                    CliError::input(format!("with whom is the share {name:?}?"))
                        .hint("name the other party once: --with MEMBER")
                })?
                .to_owned(),
            role: self.role.ok_or_else(|| {
                CliError::input(format!("what are you in the share {name:?}?"))
                    .hint("say --as provider, or --as consumer")
            })?,
            open: self.open,
            key: None,
        })
    }
}

/// What was said once is not said otherwise later.
fn agrees(memory: &Remembered, named: Named<'_>) -> Result<(), CliError> {
    let name = named.name;
    if let Some(with) = named.with.filter(|with| *with != memory.with) {
        return Err(CliError::input(format!(
            "the share {name:?} is with {}, not with {with}",
            memory.with
        ))
        .hint("give the other share another name"));
    }
    if named.open && !memory.open {
        return Err(CliError::input(format!("the share {name:?} is sealed"))
            .hint("give the open share another name"));
    }
    match named.role {
        Some(role) if role != memory.role => Err(CliError::refused(format!(
            "share.party: you are the {} of the share {name:?}; this is the {}'s step",
            memory.role.name(),
            role.name()
        ))),
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), CliError> {
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || name.chars().any(char::is_control) {
        return Err(CliError::input(format!(
            "a share's name has 1 to {NAME_BYTES_MAX} bytes and no control characters"
        )));
    }
    let bytes = stream_name_bytes(name);
    if bytes > STREAM_NAME_BYTES_MAX {
        return Err(CliError::input(format!(
            "the share's name {name:?} is too long for a file in the vault: there it has {bytes} \
             characters, {STREAM_NAME_BYTES_MAX} at most; a byte that is no letter, digit, - or _ \
             takes three"
        ))
        .hint("agree on a shorter name with the other party"));
    }
    Ok(())
}

/// The name of an open share, which is what everyone finds it by.
fn identifier(name: &str) -> Result<Identifier, CliError> {
    name.parse().map_err(|error| {
        CliError::input(format!("an open share's name is an identifier: {error}"))
            .hint("an agreement's URL under your own domain, or urn:uuid:…")
    })
}

fn agree(ctx: &Context, other: &Member, name: &str) -> Result<StreamKey, CliError> {
    StreamKey::agree(ctx.encryption_key()?, &encryption_key(other), name)
        .ok_or_else(|| unusable(other))
}

/// A member's registered encryption key.
pub(super) fn encryption_key(member: &Member) -> x25519_dalek::PublicKey {
    x25519_dalek::PublicKey::from(*member.keys.encryption.as_bytes())
}

/// What a registered key is that agrees with none.
pub(super) fn unusable(member: &Member) -> CliError {
    CliError::input(format!(
        "the encryption key of {} in the genesis file is no usable key",
        member.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_into_no_file_s_name_is_refused_with_what_to_do() {
        // Each byte of theirs takes three characters.
        let longest = format!("{}{}ab", "장".repeat(27), "é");
        assert_eq!(stream_name_bytes(&longest), 251);
        for (name, fits) in [
            ("agreement-31".to_owned(), true),
            ("a".repeat(NAME_BYTES_MAX), true),
            ("장".repeat(27), true),
            (longest, false),
            ("é".repeat(100), false),
            ("a".repeat(NAME_BYTES_MAX + 1), false),
            (String::new(), false),
            ("a\nb".to_owned(), false),
        ] {
            let checked = check_name(&name);
            assert_eq!(checked.is_ok(), fits, "{name:?}: {checked:?}");
            let file = format!("{}.sealed", "x".repeat(stream_name_bytes(&name)));
            assert!(!fits || file.len() <= 255, "{name:?}");
        }
        let error = check_name(&"é".repeat(100)).unwrap_err().to_text();
        assert!(
            error.contains("248 at most") && error.contains("shorter"),
            "{error}"
        );
    }
}
