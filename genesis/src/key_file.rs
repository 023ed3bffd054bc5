//! One secret in one file: Argon2id makes a key of the passphrase, XChaCha20-Poly1305 locks the
//! secret with the file's public header as associated data.
//!
//! Sources: RFC 9106 (Argon2), draft-irtf-cfrg-xchacha-03.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use jangbu_ledger::hash::parse_hex;
use jangbu_ledger::{json, secret_newtype};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Largest key file in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 16 * 1024;
const FORMAT: &str = "jangbu-key/1";
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;

/// What a key is for. One key never serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Changes the member's keys and signs the genesis.
    Admin,
    /// Signs the member's statements.
    Attestor,
    /// X25519: agrees on keys of sealed streams.
    Encryption,
    /// Signs votes and proposals.
    Consensus,
    /// Cosigns checkpoints.
    Witness,
    /// Signs the node's own copy of the log.
    Log,
    /// Names the node to its peers.
    Peer,
    /// Salts the vault's commitments and encrypts its files: the one secret to back up.
    Vault,
}

/// How much work a passphrase costs to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::Attestor,
        Self::Encryption,
        Self::Consensus,
        Self::Witness,
        Self::Log,
        Self::Peer,
        Self::Vault,
    ];

    /// As it is written, and the start of its file's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Attestor => "attestor",
            Self::Encryption => "encryption",
            Self::Consensus => "consensus",
            Self::Witness => "witness",
            Self::Log => "log",
            Self::Peer => "peer",
            Self::Vault => "vault",
        }
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Purpose {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.name() == text)
            .ok_or_else(|| format!("the purposes are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

impl KdfParams {
    /// OWASP's recommendation of 2024: 19 MiB, two passes.
    pub const STANDARD: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
    };
    /// For throw-away consortia on one machine, whose passphrases stand beside the keys.
    pub const DEVNET: Self = Self {
        memory_kib: 64,
        passes: 1,
    };
}

secret_newtype! {
    /// 32 secret bytes.
    SecretKey
}

impl SecretKey {
    /// As an Ed25519 key.
    #[must_use]
    pub fn signing(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&self.0)
    }

    /// As an X25519 key.
    #[must_use]
    pub fn exchange(&self) -> x25519_dalek::StaticSecret {
        x25519_dalek::StaticSecret::from(self.0)
    }

    /// The public half for `purpose`; all zeros for the vault's secret, which has none.
    #[must_use]
    pub fn public(&self, purpose: Purpose) -> [u8; 32] {
        match purpose {
            Purpose::Encryption => *x25519_dalek::PublicKey::from(&self.exchange()).as_bytes(),
            Purpose::Vault => [0; 32],
            _ => self.signing().verifying_key().to_bytes(),
        }
    }
}

/// Why a key file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Nothing in it.
    #[error("it is empty; restore the key file from a backup")]
    Empty,
    /// It ends in the middle: a copy was cut off.
    #[error("it is truncated: it ends in the middle; restore the key file from a backup")]
    Truncated,
    /// Longer than any key file.
    #[error("it is no key file: it has more than {FILE_BYTES_MAX} bytes")]
    TooLong,
    /// Not JSON of this shape.
    #[error("it is no key file: {0}; restore it from a backup")]
    Malformed(String),
    /// Of a later version.
    #[error("its format {0:?} is unknown; this program reads {FORMAT:?}")]
    Format(String),
    /// It asks for absurd amounts of work.
    #[error("its Argon2 parameters are out of bounds; it was altered, restore it from a backup")]
    Parameters,
    /// The passphrase is wrong, or the file was altered: the cipher cannot tell which.
    #[error("the passphrase is wrong, or the file was altered")]
    Locked,
    /// It unlocks to another key than its header names.
    #[error("the key it holds is not the one its header names; it was altered")]
    OtherKey,
    /// It holds a key for something else.
    #[error("it holds the {found} key, not the {wanted} key; give each file its own name back")]
    OtherPurpose {
        /// What its header says.
        found: Purpose,
        /// What was looked for.
        wanted: Purpose,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(String),
}

/// A key file as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    format: String,
    /// What the key is for.
    pub purpose: Purpose,
    /// The public half, hexadecimal.
    pub public_key: String,
    kdf: KdfParams,
    salt: String,
    nonce: String,
    ciphertext: String,
}

impl KeyFile {
    /// Locks a secret.
    ///
    /// # Errors
    ///
    /// [`KeyFileError::Randomness`] or [`KeyFileError::Parameters`].
    pub fn lock(
        secret: &SecretKey,
        purpose: Purpose,
        passphrase: &[u8],
        kdf: KdfParams,
    ) -> Result<Self, KeyFileError> {
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        fill(&mut salt)?;
        fill(&mut nonce)?;
        let mut file = Self {
            format: FORMAT.to_owned(),
            purpose,
            public_key: hex::encode(secret.public(purpose)),
            kdf,
            salt: hex::encode(salt),
            nonce: hex::encode(nonce),
            ciphertext: String::new(),
        };
        let key = derive(passphrase, &salt, kdf)?;
        let header = file.header();
        let payload = Payload {
            msg: &secret.0,
            aad: &header,
        };
        let ciphertext = cipher(&key)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| KeyFileError::Locked)?;
        file.ciphertext = hex::encode(ciphertext);
        Ok(file)
    }

    /// Reads a key file's text.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] naming what is wrong with the file's form.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyFileError> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(KeyFileError::TooLong);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(KeyFileError::Empty);
        }
        let file: Self = serde_json::from_slice(bytes).map_err(|error| match error.is_eof() {
            true => KeyFileError::Truncated,
            false => KeyFileError::Malformed(json::brief(&error)),
        })?;
        if file.format != FORMAT {
            return Err(KeyFileError::Format(file.format.chars().take(40).collect()));
        }
        Ok(file)
    }

    /// Unlocks the secret.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] naming what is wrong.
    pub fn unlock(&self, passphrase: &[u8]) -> Result<SecretKey, KeyFileError> {
        let malformed =
            |error: jangbu_ledger::hash::ParseHexError| KeyFileError::Malformed(error.to_string());
        let salt: [u8; 16] = parse_hex("salt", &self.salt).map_err(malformed)?;
        let nonce: [u8; 24] = parse_hex("nonce", &self.nonce).map_err(malformed)?;
        let ciphertext: [u8; 48] = parse_hex("ciphertext", &self.ciphertext).map_err(malformed)?;
        let key = derive(passphrase, &salt, self.kdf)?;
        let header = self.header();
        let payload = Payload {
            msg: &ciphertext,
            aad: &header,
        };
        let plain = Zeroizing::new(
            cipher(&key)
                .decrypt(&XNonce::from(nonce), payload)
                .map_err(|_| KeyFileError::Locked)?,
        );
        let bytes: [u8; 32] = plain
            .as_slice()
            .try_into()
            .map_err(|_| KeyFileError::Locked)?;
        let secret = SecretKey(bytes);
        if hex::encode(secret.public(self.purpose)) != self.public_key {
            return Err(KeyFileError::OtherKey);
        }
        Ok(secret)
    }

    fn header(&self) -> Vec<u8> {
        let Self {
            format,
            purpose,
            public_key,
            kdf,
            salt,
            nonce,
            ..
        } = self;
        format!(
            "{format} {purpose:?} {public_key} {} {} {salt} {nonce}",
            kdf.memory_kib, kdf.passes
        )
        .into_bytes()
    }
}

/// 32 fresh secret bytes.
///
/// # Errors
///
/// [`KeyFileError::Randomness`] if the operating system gives none.
pub fn generate() -> Result<SecretKey, KeyFileError> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(bytes.as_mut_slice())?;
    Ok(SecretKey(*bytes))
}

fn fill(bytes: &mut [u8]) -> Result<(), KeyFileError> {
    getrandom::fill(bytes).map_err(|error| KeyFileError::Randomness(error.to_string()))
}

fn derive(
    passphrase: &[u8],
    salt: &[u8; 16],
    kdf: KdfParams,
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    if kdf.memory_kib > MEMORY_KIB_MAX || kdf.passes > PASSES_MAX {
        return Err(KeyFileError::Parameters);
    }
    let params = Params::new(kdf.memory_kib, kdf.passes, 1, Some(32))
        .map_err(|_| KeyFileError::Parameters)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut_slice())
        .map_err(|_| KeyFileError::Parameters)?;
    Ok(key)
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> (SecretKey, KeyFile) {
        let secret = generate().unwrap();
        let file = KeyFile::lock(&secret, Purpose::Attestor, b"pass", KdfParams::DEVNET).unwrap();
        (secret, file)
    }

    #[test]
    fn a_locked_key_unlocks_with_its_passphrase_only() {
        let (secret, file) = locked();
        assert_eq!(file.unlock(b"pass"), Ok(secret));
        assert_eq!(file.unlock(b"other"), Err(KeyFileError::Locked));
    }

    #[test]
    fn an_altered_file_does_not_unlock() {
        let (_, file) = locked();
        let changes: [fn(&mut KeyFile); 4] = [
            |f| f.purpose = Purpose::Admin,
            |f| f.public_key = hex::encode([1; 32]),
            |f| {
                f.ciphertext.replace_range(
                    0..1,
                    if f.ciphertext.starts_with('0') {
                        "1"
                    } else {
                        "0"
                    },
                );
            },
            |f| f.kdf.passes = 2,
        ];
        for change in changes {
            let mut altered = file.clone();
            change(&mut altered);
            assert_eq!(altered.unlock(b"pass"), Err(KeyFileError::Locked));
        }
        let mut absurd = file;
        absurd.kdf.memory_kib = u32::MAX;
        assert_eq!(absurd.unlock(b"pass"), Err(KeyFileError::Parameters));
    }

    #[test]
    fn a_truncated_file_is_named_as_such() {
        let (_, file) = locked();
        let text = serde_json::to_vec(&file).unwrap();
        for cut in [1, text.len() / 2, text.len() - 1] {
            assert_eq!(KeyFile::parse(&text[..cut]), Err(KeyFileError::Truncated));
        }
        assert_eq!(KeyFile::parse(b"\n"), Err(KeyFileError::Empty));
        let long = vec![b' '; 17 * 1024];
        assert_eq!(KeyFile::parse(&long), Err(KeyFileError::TooLong));
        for garbage in [
            &b"\xff\xfe"[..],
            b"{}",
            b"[1]",
            b"-----BEGIN PRIVATE KEY-----",
        ] {
            let error = KeyFile::parse(garbage).unwrap_err();
            assert!(matches!(error, KeyFileError::Malformed(_)), "{error}");
        }
    }

    #[test]
    fn a_secret_never_shows_in_debug() {
        let (secret, _) = locked();
        assert_eq!(format!("{secret:?}"), "SecretKey(..)");
    }
}
