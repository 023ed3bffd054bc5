//! A stream key on its way to an auditor: a file that only that member opens.
//!
//! ```text
//!   granter's secret + auditor's public key ─▶ X25519 ─▶ key ─▶ XChaCha20-Poly1305 of
//!   { share's name, its parties, stream key, the step that records the grant }
//! ```
//!
//! Both know that the other made it: nobody else has the key. What it says of itself in the clear is
//! who grants to whom, and is authenticated with the rest.
//!
//! Source: `docs/format.md`, section 8.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::StreamKey;
use crate::bundle::Blob;
use crate::codec;
use crate::hash::Domain;
use crate::id::{ChainId, MemberId, StatementId};
use crate::json::{self, JsonError};
use crate::secret::{agreed, lock, unlock};

/// Format of the file.
pub const GRANT_FORMAT: &str = "jangbu-grant/1";
/// Largest file in bytes.
pub const GRANT_BYTES_MAX: usize = 16 * 1024;
/// Longest content in bytes: the name of a share has at most 200.
const CONTENT_BYTES_MAX: usize = 1024;

const KEY: Domain = Domain::new("jangbu/grant-key/v1");
const NONCE: Domain = Domain::new("jangbu/grant-nonce/v1");

/// A stream key for one member. Nothing in it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// [`GRANT_FORMAT`].
    pub format: String,
    /// Which ledger the stream is on.
    pub chain_id: ChainId,
    /// Who hands the key over.
    pub by: MemberId,
    /// Who may read the stream.
    pub to: MemberId,
    /// Nonce and ciphertext.
    sealed: Blob,
}

/// What a grant hands over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The key.
    pub key: StreamKey,
    /// The share's name.
    pub name: String,
    /// Who provides.
    pub provider: MemberId,
    /// Who consumes.
    pub consumer: MemberId,
    /// The step of the share that records this grant.
    pub recorded: StatementId,
}

/// What is encrypted.
#[derive(Encode, Decode)]
struct Content {
    key: [u8; 32],
    name: String,
    provider: MemberId,
    consumer: MemberId,
    recorded: StatementId,
}

/// Why a grant hands nothing over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// Not I-JSON, or too long.
    #[error("the grant is not readable JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON, but no grant of this format.
    #[error("the file is no grant: {0}")]
    Shape(String),
    /// Not made by these two members for each other, or changed.
    #[error("the grant does not open: it was changed, or it is not between these two members")]
    Key,
}

impl Grant {
    /// Seals what is handed over, for the member with this encryption key. `None` if that key is
    /// degenerate. The same again yields the same bytes.
    #[must_use]
    pub fn seal(
        granted: &Granted,
        chain_id: ChainId,
        (by, own): (MemberId, &x25519_dalek::StaticSecret),
        (to, other): (MemberId, &x25519_dalek::PublicKey),
    ) -> Option<Self> {
        let mut grant = Self {
            format: GRANT_FORMAT.to_owned(),
            chain_id,
            by,
            to,
            sealed: Blob(Vec::new()),
        };
        let key = grant.key(own, other)?;
        let content = codec::encode(&Content {
            key: *granted.key.expose(),
            name: granted.name.clone(),
            provider: granted.provider,
            consumer: granted.consumer,
            recorded: granted.recorded,
        });
        let hash = NONCE.keyed(&key, &content);
        grant.sealed = Blob(lock(key, &hash, &content, &grant.clear())?);
        Some(grant)
    }

    /// Reads a grant strictly.
    ///
    /// # Errors
    ///
    /// [`GrantError`] if the bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, GrantError> {
        if bytes.len() > GRANT_BYTES_MAX {
            let most = format!("it has more than {GRANT_BYTES_MAX} bytes");
            return Err(GrantError::Shape(most));
        }
        let grant: Self = serde_json::from_value(json::parse(bytes)?)
            .map_err(|error| GrantError::Shape(json::brief(&error)))?;
        if grant.format != GRANT_FORMAT {
            return Err(GrantError::Shape(format!(
                "its format is not {GRANT_FORMAT}"
            )));
        }
        Ok(grant)
    }

    /// Opens it, as the one of the two members whose secret this is.
    ///
    /// # Errors
    ///
    /// [`GrantError::Key`] if it was changed, or is not between these two.
    pub fn open(
        &self,
        own: &x25519_dalek::StaticSecret,
        other: &x25519_dalek::PublicKey,
    ) -> Result<Granted, GrantError> {
        let key = self.key(own, other).ok_or(GrantError::Key)?;
        let content = unlock(key, &self.sealed.0, &self.clear()).ok_or(GrantError::Key)?;
        let content: Content =
            codec::decode(&content, CONTENT_BYTES_MAX).map_err(|_| GrantError::Key)?;
        Ok(Granted {
            key: StreamKey::from_bytes(content.key),
            name: content.name,
            provider: content.provider,
            consumer: content.consumer,
            recorded: content.recorded,
        })
    }

    fn key(
        &self,
        own: &x25519_dalek::StaticSecret,
        other: &x25519_dalek::PublicKey,
    ) -> Option<[u8; 32]> {
        let (shared, keys) = agreed(own, other)?;
        Some(KEY.hash_of(&(shared.as_bytes(), keys)))
    }

    /// What stands in the clear, as it is authenticated.
    fn clear(&self) -> Vec<u8> {
        codec::encode(&(&self.format, self.chain_id, self.by, self.to))
    }
}

#[cfg(test)]
mod tests {
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::*;

    fn parties() -> [(MemberId, StaticSecret, PublicKey); 3] {
        [("hanbit", 1), ("marktamt", 2), ("nordwind", 3)].map(|(name, seed)| {
            let secret = StaticSecret::from([seed; 32]);
            let public = PublicKey::from(&secret);
            (MemberId::of(name), secret, public)
        })
    }

    fn granted() -> Granted {
        Granted {
            key: StreamKey::from_bytes([7; 32]),
            name: "agreement 12".into(),
            provider: MemberId::of("hanbit"),
            consumer: MemberId::of("soyu"),
            recorded: StatementId([9; 32]),
        }
    }

    fn grant() -> Grant {
        let [hanbit, marktamt, _] = parties();
        Grant::seal(
            &granted(),
            ChainId([5; 32]),
            (hanbit.0, &hanbit.1),
            (marktamt.0, &marktamt.2),
        )
        .unwrap()
    }

    #[test]
    fn the_two_members_open_it_and_a_third_does_not() {
        let [hanbit, marktamt, nordwind] = parties();
        let text = serde_json::to_vec(&grant()).unwrap();
        let grant = Grant::parse(&text).unwrap();
        assert_eq!(grant.open(&marktamt.1, &hanbit.2), Ok(granted()));
        assert_eq!(grant.open(&hanbit.1, &marktamt.2), Ok(granted()));
        assert_eq!(grant.open(&nordwind.1, &hanbit.2), Err(GrantError::Key));
        assert!(!String::from_utf8(text).unwrap().contains("agreement"));
    }

    #[test]
    fn nothing_of_it_can_be_changed() {
        let [hanbit, marktamt, nordwind] = parties();
        let good = grant();
        let mut mutants = Vec::new();
        for at in 0..good.sealed.0.len() {
            let mut mutant = good.clone();
            mutant.sealed.0[at] ^= 1;
            mutants.push(mutant);
        }
        for length in 0..good.sealed.0.len() {
            let mut mutant = good.clone();
            mutant.sealed.0.truncate(length);
            mutants.push(mutant);
        }
        let (to, by, chain_id) = (nordwind.0, nordwind.0, ChainId([6; 32]));
        mutants.push(Grant { to, ..good.clone() });
        mutants.push(Grant { by, ..good.clone() });
        mutants.push(Grant { chain_id, ..good });
        for mutant in mutants {
            assert_eq!(mutant.open(&marktamt.1, &hanbit.2), Err(GrantError::Key));
        }
    }

    #[test]
    fn another_format_or_more_fields_are_no_grant() {
        let good = serde_json::to_value(grant()).unwrap();
        let mut later = good.clone();
        later["format"] = "jangbu-grant/2".into();
        let mut more = good;
        more["more"] = 1.into();
        for bad in [later, more] {
            let parsed = Grant::parse(bad.to_string().as_bytes());
            assert!(matches!(parsed, Err(GrantError::Shape(_))), "{parsed:?}");
        }
        let long = vec![b' '; GRANT_BYTES_MAX + 1];
        assert!(matches!(Grant::parse(&long), Err(GrantError::Shape(_))));
    }
}
