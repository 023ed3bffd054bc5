//! How the vault's files are encrypted: each under a key of its own, which comes from the vault's
//! one secret and the file's name.
//!
//! ```text
//!   vault secret ─┬─ secret id              tells whose file it is
//!                 └─ name ─▶ file key ─▶ magic ‖ secret id ‖ nonce ‖ length ‖ ciphertext
//!                                        └───── associated data, with the name ┘
//! ```
//!
//! Invariant: a file opens under its own name and its own secret only, and whole.
//!
//! Sources: draft-irtf-cfrg-xchacha-03; `docs/format.md`, section 15.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use jangbu_genesis::key_file::SecretKey;
use jangbu_ledger::hash::Domain;
use zeroize::Zeroizing;

use crate::error::CliError;

/// What a sealed file begins with.
const MAGIC: &[u8; 16] = b"jangbu-sealed/1\n";
const SECRET_ID: Domain = Domain::new("jangbu/vault-secret-id/v1");
const FILE_KEY: Domain = Domain::new("jangbu/vault-file-key/v1");

const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = MAGIC.len() + ID_BYTES + NONCE_BYTES + 4;
/// Bytes of a sealed file beside its content.
pub(super) const OVERHEAD: u64 = (HEADER_BYTES + TAG_BYTES) as u64;

/// Names a secret without telling anything of it.
pub(super) type SecretId = [u8; ID_BYTES];

/// Content that is wiped when it is dropped.
pub(super) type Plain = Zeroizing<Vec<u8>>;

/// Why a file of the vault does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SealError {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// It ends in the middle.
    #[error("it is cut: it ends in the middle")]
    Cut,
    /// Something else.
    #[error("it is no encrypted file of a vault")]
    Foreign,
    /// Made with another secret.
    #[error("it was encrypted with another vault secret than the one in the keystore")]
    OtherSecret,
    /// Some byte is not what was written, or it has another's name.
    #[error("it was altered, or it is another file's content under this name")]
    Altered,
}

/// The name of a secret.
pub(super) fn secret_id(secret: &SecretKey) -> SecretId {
    let hash = SECRET_ID.keyed(secret.expose(), b"");
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&hash[..ID_BYTES]);
    id
}

/// Fresh random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], CliError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        CliError::internal(format!(
            "the operating system gave no random bytes: {error}"
        ))
    })?;
    Ok(bytes)
}

/// Encrypts what the file `name` holds.
pub(super) fn seal(secret: &SecretKey, name: &str, content: &[u8]) -> Result<Vec<u8>, CliError> {
    let too_long = |_| CliError::input("the document is too long for the vault");
    let length = u32::try_from(content.len()).map_err(too_long)?;
    let nonce = random::<NONCE_BYTES>()?;
    let mut file = Vec::with_capacity(HEADER_BYTES + content.len() + TAG_BYTES);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&secret_id(secret));
    file.extend_from_slice(&nonce);
    file.extend_from_slice(&length.to_le_bytes());
    let header = associated(&file, name);
    let payload = Payload {
        msg: content,
        aad: &header,
    };
    let ciphertext = cipher(secret, name)
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| CliError::internal("the cipher refused a document"))?;
    file.extend_from_slice(&ciphertext);
    Ok(file)
}

/// Decrypts the file `name`.
pub(super) fn unseal(secret: &SecretKey, name: &str, file: &[u8]) -> Result<Plain, SealError> {
    begins(file, MAGIC)?;
    let (header, ciphertext) = file.split_at_checked(HEADER_BYTES).ok_or(SealError::Cut)?;
    let after_magic = header.get(MAGIC.len()..).ok_or(SealError::Cut)?;
    let (id, rest) = after_magic
        .split_first_chunk::<ID_BYTES>()
        .ok_or(SealError::Cut)?;
    let (nonce, rest) = rest
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(SealError::Cut)?;
    let length: [u8; 4] = rest.try_into().map_err(|_| SealError::Cut)?;
    if *id != secret_id(secret) {
        return Err(SealError::OtherSecret);
    }
    let whole = u64::from(u32::from_le_bytes(length)) + TAG_BYTES as u64;
    if (ciphertext.len() as u64) < whole {
        return Err(SealError::Cut);
    }
    let header = associated(header, name);
    let payload = Payload {
        msg: ciphertext,
        aad: &header,
    };
    cipher(secret, name)
        .decrypt(&XNonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| SealError::Altered)
}

/// Whether a file begins as one of this kind.
pub(super) fn begins(file: &[u8], magic: &[u8; 16]) -> Result<(), SealError> {
    match file {
        [] => Err(SealError::Empty),
        file if file.starts_with(magic) => Ok(()),
        file if magic.starts_with(file) => Err(SealError::Cut),
        _ => Err(SealError::Foreign),
    }
}

fn associated(header: &[u8], name: &str) -> Vec<u8> {
    [header, name.as_bytes()].concat()
}

fn cipher(secret: &SecretKey, name: &str) -> XChaCha20Poly1305 {
    let key = Zeroizing::new(FILE_KEY.keyed(secret.expose(), name.as_bytes()));
    XChaCha20Poly1305::new((&*key).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: SecretKey = SecretKey::from_bytes([7; 32]);

    #[test]
    fn a_file_opens_under_its_name_and_secret_only() {
        let file = seal(&SECRET, "openings/a", b"112 kg of secrets").unwrap();
        assert_eq!(
            unseal(&SECRET, "openings/a", &file).unwrap().as_slice(),
            b"112 kg of secrets"
        );
        assert_eq!(
            unseal(&SECRET, "openings/b", &file).unwrap_err(),
            SealError::Altered
        );
        let other = SecretKey::from_bytes([8; 32]);
        assert_eq!(
            unseal(&other, "openings/a", &file).unwrap_err(),
            SealError::OtherSecret
        );
        let text = String::from_utf8_lossy(&file);
        assert!(!text.contains("secrets"));
        assert_ne!(
            file,
            seal(&SECRET, "openings/a", b"112 kg of secrets").unwrap()
        );
        assert!(unseal(&SECRET, "x", &seal(&SECRET, "x", b"").unwrap()).is_ok());
    }

    #[test]
    fn a_cut_or_altered_file_does_not_open_and_says_which() {
        let file = seal(&SECRET, "x", b"content").unwrap();
        for length in 0..file.len() {
            let error = unseal(&SECRET, "x", &file[..length]).unwrap_err();
            let expected = if length == 0 {
                SealError::Empty
            } else {
                SealError::Cut
            };
            assert_eq!(error, expected, "{length}");
        }
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1;
            let error = unseal(&SECRET, "x", &altered).unwrap_err();
            match at {
                0..16 => assert_eq!(error, SealError::Foreign, "{at}"),
                16..24 => assert_eq!(error, SealError::OtherSecret, "{at}"),
                48..52 => assert_ne!(error, SealError::OtherSecret, "{at}"),
                _ => assert_eq!(error, SealError::Altered, "{at}"),
            }
        }
        let longer = [&file[..], b"x"].concat();
        assert_eq!(
            unseal(&SECRET, "x", &longer).unwrap_err(),
            SealError::Altered
        );
    }
}
