//! Content that is delivered for a receipt: encrypted in chunks, each of which can be shown to be
//! wrong without showing the others.
//!
//! ```text
//!   content key ─▶ chunk key i ─┬─▶ H(key)          ┐
//!                               ├─▶ salted hash     ├ record i ─▶ delivery root
//!                               └─▶ XChaCha20-Poly1305 ┘  64 + 65,536 + 16 bytes
//!   delivery = 16 bytes "jangbu-content/1" ‖ record 0 ‖ record 1 ‖ …
//! ```
//!
//! Whoever holds a delivery can check that it is what the provider committed to, and learns
//! nothing of the content. Whoever has the content key as well reads the content, or finds the
//! first record that contradicts itself; that record, with its chunk's key, convicts the provider.
//!
//! Invariant: each key encrypts one message. The content key comes from the content's own hash.
//!
//! Source: `docs/format.md`, section 8.

mod plain;
mod rejection;
mod shown;
mod shows;

#[cfg(test)]
mod tests;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::codec;
use crate::hash::Domain;
use crate::id::{Digest, SubjectId};
use crate::secret::{NONCE_BYTES, agreed, lock, unlock};
use crate::secret_newtype;
use crate::share::WrappedKey;

pub use plain::{plain_leaf, plain_path, verify_plain};
pub use rejection::{
    Convicted, Fault, REJECTION_BYTES_MAX, REJECTION_FORMAT, RejectionError, RejectionProof,
    WrongRecord,
};
pub use shown::{
    CHUNK_PROOF_BYTES_MAX, CHUNKS_FORMAT, CHUNKS_SHOWN_MAX, ChunkProof, ChunkProofError,
    ProvedChunk, ProvedChunks, ProvedUse, ShownChunk,
};
pub use shows::Shows;

/// Bytes of content in a chunk; the last one may have fewer.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// What a delivery begins with.
pub const MAGIC: &[u8; 16] = b"jangbu-content/1";
/// Bytes of a record beside its chunk.
pub const RECORD_OVERHEAD: usize = 32 + 32 + TAG_BYTES;
/// Largest record.
pub const RECORD_BYTES_MAX: usize = CHUNK_BYTES + RECORD_OVERHEAD;

const TAG_BYTES: usize = 16;
/// The nonce of a key that encrypts one message only.
const ONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];

secret_newtype! {
    /// The secret that opens a delivery.
    ContentKey
}

secret_newtype! {
    /// The secret that opens one chunk of a delivery.
    ChunkKey
}

secret_newtype! {
    /// The secret that a content key is wrapped in, which only the two parties derive.
    WrappingKey
}

/// A record of a delivery, as its bytes stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Hash of the chunk's key.
    pub key_hash: Digest,
    /// Salted hash of the chunk.
    pub content_hash: Digest,
    ciphertext: &'a [u8],
}

/// Why a record does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The key is not the one whose hash stands there.
    #[error("its key is not the one that was committed to")]
    Key,
    /// The right key does not decrypt it.
    #[error("it does not decrypt with the key that was committed to")]
    Cipher,
    /// It decrypts to something else than the hash that stands there.
    #[error("it decrypts to other content than was committed to")]
    Content,
}

/// Number of chunks of a content.
#[must_use]
pub const fn chunks(bytes: u64) -> u64 {
    bytes.div_ceil(CHUNK_BYTES as u64)
}

/// Bytes of the record of chunk `index`; `None` if there is no such chunk.
#[must_use]
pub fn record_bytes(bytes: u64, index: u64) -> Option<usize> {
    let before = index.checked_mul(CHUNK_BYTES as u64)?;
    let left = bytes.checked_sub(before).filter(|left| *left > 0)?;
    let chunk = usize::try_from(left)
        .unwrap_or(CHUNK_BYTES)
        .min(CHUNK_BYTES);
    Some(chunk + RECORD_OVERHEAD)
}

impl ContentKey {
    const DERIVE: Domain = Domain::new("jangbu/content-key/v1");
    const CHUNK: Domain = Domain::new("jangbu/chunk-key/v1");

    /// The key of the content with this plain BLAKE3 hash, in the share about `subject`, from the
    /// vault with this secret.
    #[must_use]
    pub fn derive(vault_secret: &[u8; 32], subject: &SubjectId, content: &Digest) -> Self {
        Self(Self::DERIVE.keyed(vault_secret, &codec::encode(&(subject, content))))
    }

    /// The key of one chunk.
    #[must_use]
    pub fn chunk(&self, index: u64) -> ChunkKey {
        ChunkKey(Self::CHUNK.keyed(&self.0, &codec::encode(&index)))
    }
}

impl ChunkKey {
    const HASH: Domain = Domain::new("jangbu/chunk-key-hash/v1");
    const CIPHER: Domain = Domain::new("jangbu/chunk-cipher/v1");
    const CONTENT: Domain = Domain::new("jangbu/chunk-content/v1");

    /// The record of a chunk of at most [`CHUNK_BYTES`]; `None` if it is longer.
    #[must_use]
    pub fn seal(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        if chunk.len() > CHUNK_BYTES {
            return None;
        }
        let ciphertext = self.cipher().encrypt(&XNonce::from(ONCE), chunk).ok()?;
        let mut record = Vec::with_capacity(chunk.len() + RECORD_OVERHEAD);
        record.extend_from_slice(&self.hash().0);
        record.extend_from_slice(&self.content_hash(chunk).0);
        record.extend_from_slice(&ciphertext);
        Some(record)
    }

    /// The chunk of a record.
    ///
    /// # Errors
    ///
    /// [`RecordFault`], the first found; all but [`RecordFault::Key`] are the provider's.
    pub fn open(&self, record: &Record<'_>) -> Result<Vec<u8>, RecordFault> {
        if self.hash() != record.key_hash {
            return Err(RecordFault::Key);
        }
        let chunk = self
            .cipher()
            .decrypt(&XNonce::from(ONCE), record.ciphertext)
            .map_err(|_| RecordFault::Cipher)?;
        if self.content_hash(&chunk) == record.content_hash {
            Ok(chunk)
        } else {
            Err(RecordFault::Content)
        }
    }

    /// What stands in its chunk's record.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest(Self::HASH.hash(&self.0))
    }

    fn content_hash(&self, chunk: &[u8]) -> Digest {
        Digest(Self::CONTENT.keyed(&self.0, chunk))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Self::CIPHER.hash(&self.0).into())
    }
}

impl WrappingKey {
    const AGREE: Domain = Domain::new("jangbu/wrapping-key/v1");
    const HASH: Domain = Domain::new("jangbu/wrapping-key-hash/v1");
    const NONCE: Domain = Domain::new("jangbu/wrapping-nonce/v1");
    const CIPHER: Domain = Domain::new("jangbu/wrapping-cipher/v1");

    /// The key that both parties derive for one delivery of the share about `subject`, each from
    /// its own secret and the other's registered encryption key. `None` if that is degenerate.
    #[must_use]
    pub fn agree(
        own: &x25519_dalek::StaticSecret,
        other: &x25519_dalek::PublicKey,
        subject: &SubjectId,
        delivery: &Digest,
    ) -> Option<Self> {
        let (shared, keys) = agreed(own, other)?;
        let bound = (shared.as_bytes(), keys, subject, delivery);
        Some(Self(Self::AGREE.hash_of(&bound)))
    }

    /// What the provider commits to before anything is received.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest(Self::HASH.hash(&self.0))
    }

    /// Wraps a content key; the same again yields the same bytes. `None` only if the cipher fails.
    #[must_use]
    pub fn wrap(&self, key: &ContentKey) -> Option<WrappedKey> {
        let hash = Self::NONCE.keyed(&self.0, &key.0);
        let bytes = lock(Self::CIPHER.hash(&self.0), &hash, &key.0, &[])?;
        bytes.try_into().ok().map(WrappedKey)
    }

    /// The content key, if this is what it was wrapped in.
    #[must_use]
    pub fn unwrap(&self, wrapped: &WrappedKey) -> Option<ContentKey> {
        let key = unlock(Self::CIPHER.hash(&self.0), &wrapped.0, &[])?;
        key.try_into().ok().map(ContentKey)
    }
}

impl<'a> Record<'a> {
    /// Reads a record; `None` if it is too short.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (key_hash, rest) = bytes.split_first_chunk::<32>()?;
        let (content_hash, ciphertext) = rest.split_first_chunk::<32>()?;
        Some(Self {
            key_hash: Digest(*key_hash),
            content_hash: Digest(*content_hash),
            ciphertext,
        })
    }
}
