//! Sealed streams: what two members record so that only holders of a key can read, list or
//! count it.
//!
//! ```text
//!   stream key ─┬─ slot(party, n)  where the n-th statement of a party stands
//!               ├─ nonce ─┐
//!               └─ seal ──┴─▶ payload, 512 bytes: nonce 24 ‖ XChaCha20-Poly1305 of 472
//! ```
//!
//! Everything is derived from key and content, so that a script run twice makes the same bytes.
//! The statement's commitment is a keyed hash of the plaintext: it commits to the key as well,
//! which the cipher by itself does not.
//!
//! Source: `docs/format.md`, section 8.

use bincode::{Decode, Encode};
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::codec;
use crate::commitment::Commitment;
use crate::hash::Domain;
use crate::id::{Digest, Slot, StatementId};
use crate::identifier::Identifier;
use crate::share::{Party, Step};
use crate::statement::{Kind, PAYLOAD_BYTES_MAX, Statement, Stream};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Bytes of plaintext, padding included.
const PLAINTEXT_BYTES: usize = PAYLOAD_BYTES_MAX - NONCE_BYTES - TAG_BYTES;

/// The secret that names a sealed stream. Whoever holds it reads all of the stream.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct StreamKey([u8; 32]);

/// What a sealed statement says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SealedBody {
    /// Who says it, in the roles of the stream.
    pub party: Party,
    /// The step taken.
    pub step: Step,
    /// 0, or which repetition this is (suspend, start, suspend again).
    pub occurrence: u32,
    /// Salted commitment to the step's document.
    pub document: Commitment,
    /// BLAKE3 root of the ciphertext, for `Started` and `Received`.
    pub ciphertext_root: Option<Digest>,
    /// Earlier statements of the stream, at most 4.
    pub references: Vec<StatementId>,
}

/// Why a sealed statement does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Not a sealed statement of the fixed shape.
    #[error("not a sealed statement")]
    NotSealed,
    /// The key does not fit, or the bytes were changed.
    #[error("the sealed statement does not open with this key")]
    WrongKey,
    /// It opens, but to something else than its commitment says.
    #[error("the sealed statement's content does not match its commitment")]
    Commitment,
    /// It opens to something that is not a body.
    #[error("the sealed statement's content is malformed")]
    Malformed,
    /// The body does not fit the fixed size.
    #[error("the body is too long to be sealed")]
    TooLong,
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamKey(..)")
    }
}

impl StreamKey {
    const AGREE: Domain = Domain::new("jangbu/stream-key/v1");
    const SLOT: Domain = Domain::new("jangbu/slot/v1");
    const NONCE: Domain = Domain::new("jangbu/sealed-nonce/v1");
    const CIPHER: Domain = Domain::new("jangbu/sealed-cipher/v1");
    const COMMITMENT: Domain = Domain::new("jangbu/sealed-commitment/v1");
    const SUBJECT: Domain = Domain::new("jangbu/sealed-subject/v1");

    /// A key handed over by other means.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret itself, for storing it encrypted or handing it to an auditor.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key both parties of the stream `name` derive, each from its own secret and the
    /// other's registered encryption key. `None` if the other's key is degenerate.
    #[must_use]
    pub fn agree(
        own: &x25519_dalek::StaticSecret,
        other: &x25519_dalek::PublicKey,
        name: &str,
    ) -> Option<Self> {
        let shared = own.diffie_hellman(other);
        if !shared.was_contributory() {
            return None;
        }
        let mut keys = [
            *x25519_dalek::PublicKey::from(own).as_bytes(),
            *other.as_bytes(),
        ];
        keys.sort_unstable();
        Some(Self(Self::AGREE.hash_of(&(shared.as_bytes(), keys, name))))
    }

    /// Where a party's statement number `n`, from 0, stands.
    #[must_use]
    pub fn slot(&self, party: Party, n: u64) -> Slot {
        Slot(Self::SLOT.keyed(&self.0, &codec::encode(&(party, n))))
    }

    /// What documents of the stream are about: a name that only holders of the key can tell.
    #[must_use]
    pub fn subject(&self) -> Identifier {
        let hash = Self::SUBJECT.keyed(&self.0, &[]);
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&hash[..16]);
        Identifier::uuid(uuid)
    }

    /// Makes the statement that says `body` in slot `n` of its party.
    ///
    /// # Errors
    ///
    /// [`SealedError::TooLong`] if the body has too many references.
    pub fn seal(&self, body: &SealedBody, n: u64) -> Result<Statement, SealedError> {
        let plaintext = padded(body)?;
        let nonce_hash = Self::NONCE.keyed(&self.0, &plaintext);
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&nonce_hash[..NONCE_BYTES]);
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), plaintext.as_slice())
            .map_err(|_| SealedError::TooLong)?;
        let mut payload = nonce.to_vec();
        payload.extend_from_slice(&ciphertext);
        Ok(Statement {
            kind: Kind::Sealed,
            occurrence: 0,
            streams: vec![Stream::Sealed(self.slot(body.party, n))],
            commitment: self.commitment(&plaintext),
            references: Vec::new(),
            payload,
        })
    }

    /// Reads a sealed statement of this stream.
    ///
    /// # Errors
    ///
    /// [`SealedError`] if it is not one, was changed, or is of another stream.
    pub fn open(&self, statement: &Statement) -> Result<SealedBody, SealedError> {
        if !matches!(statement.kind, Kind::Sealed) {
            return Err(SealedError::NotSealed);
        }
        let (nonce, ciphertext) = statement
            .payload
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealedError::NotSealed)?;
        let plaintext = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), ciphertext)
            .map_err(|_| SealedError::WrongKey)?;
        if self.commitment(&plaintext) != statement.commitment {
            return Err(SealedError::Commitment);
        }
        let (length, rest) = plaintext
            .split_first_chunk::<2>()
            .ok_or(SealedError::Malformed)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (bytes, padding) = rest
            .split_at_checked(length)
            .ok_or(SealedError::Malformed)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(SealedError::Malformed);
        }
        codec::decode(bytes, PLAINTEXT_BYTES).map_err(|_| SealedError::Malformed)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Self::CIPHER.hash(&self.0).into())
    }

    fn commitment(&self, plaintext: &[u8]) -> Commitment {
        Commitment::keyed(Self::COMMITMENT.keyed(&self.0, plaintext))
    }
}

/// Length, body, zeros: always the same size.
fn padded(body: &SealedBody) -> Result<Vec<u8>, SealedError> {
    let bytes = codec::encode(body);
    if bytes.len() + 2 > PLAINTEXT_BYTES {
        return Err(SealedError::TooLong);
    }
    let length = u16::try_from(bytes.len()).map_err(|_| SealedError::TooLong)?;
    let mut plaintext = length.to_le_bytes().to_vec();
    plaintext.extend_from_slice(&bytes);
    plaintext.resize(PLAINTEXT_BYTES, 0);
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ChainId, MemberId};

    fn body(step: Step) -> SealedBody {
        SealedBody {
            party: Party::Provider,
            step,
            occurrence: 0,
            document: Commitment::keyed([7; 32]),
            ciphertext_root: Some(Digest([9; 32])),
            references: vec![StatementId([3; 32])],
        }
    }

    #[test]
    fn both_parties_derive_the_same_key_and_a_third_does_not() {
        let [a, b, c] = [1u8, 2, 3].map(|i| x25519_dalek::StaticSecret::from([i; 32]));
        let public = |s: &x25519_dalek::StaticSecret| x25519_dalek::PublicKey::from(s);
        let ab = StreamKey::agree(&a, &public(&b), "urn:uuid:1");
        assert_eq!(ab, StreamKey::agree(&b, &public(&a), "urn:uuid:1"));
        assert_ne!(ab, StreamKey::agree(&a, &public(&b), "urn:uuid:2"));
        assert_ne!(ab, StreamKey::agree(&c, &public(&b), "urn:uuid:1"));
        assert!(StreamKey::agree(&a, &x25519_dalek::PublicKey::from([0; 32]), "x").is_none());
    }

    #[test]
    fn sealing_is_deterministic_of_one_size_and_slots_do_not_change_the_id() {
        let key = StreamKey::from_bytes([5; 32]);
        let first = key.seal(&body(Step::TransferStarted), 0).unwrap();
        assert_eq!(first, key.seal(&body(Step::TransferStarted), 0).unwrap());
        assert_eq!(first.check_shape(), Ok(()));
        let moved = key.seal(&body(Step::TransferStarted), 1).unwrap();
        assert_ne!(first.streams, moved.streams);
        let (chain, member) = (ChainId([0; 32]), MemberId([1; 32]));
        assert_eq!(first.id(&chain, &member), moved.id(&chain, &member));
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let key = StreamKey::from_bytes([5; 32]);
        let statement = key.seal(&body(Step::Offered), 0).unwrap();
        assert_eq!(key.open(&statement), Ok(body(Step::Offered)));
        for at in 0..statement.payload.len() {
            let mut changed = statement.clone();
            changed.payload[at] ^= 1;
            assert!(key.open(&changed).is_err(), "byte {at}");
        }
        assert_eq!(
            StreamKey::from_bytes([6; 32]).open(&statement),
            Err(SealedError::WrongKey)
        );
    }
}
