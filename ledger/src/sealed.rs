//! Sealed streams: what two members record so that only holders of a key can read, list or
//! count it.
//!
//! ```text
//!   stream key ─┬─ slot(party, n)  where the n-th statement of a party stands
//!               ├─ nonce ─┐
//!               ├─ seal ──┴─▶ payload, 512 bytes: nonce 24 ‖ XChaCha20-Poly1305 of 472
//!               └─ opening key ─▶ commitment: opens this one statement and no other
//! ```
//!
//! Everything is derived from key and content, so that a script run twice makes the same bytes.
//! The statement's commitment is a keyed hash of the plaintext: it commits to the key as well,
//! which the cipher by itself does not. Its key is the statement's own, so that one statement can
//! be shown to somebody who must not read the others.
//!
//! Source: `docs/format.md`, section 8.

mod grant;
mod history;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::commitment::Commitment;
use crate::hash::Domain;
use crate::id::{Slot, StatementId};
use crate::identifier::Identifier;
use crate::secret::{NONCE_BYTES, agreed, lock, unlock};
use crate::secret_newtype;
use crate::share::{Deed, Party};
use crate::statement::{Kind, PAYLOAD_BYTES_MAX, Statement, Stream};

pub use grant::{GRANT_BYTES_MAX, GRANT_FORMAT, Grant, GrantError, Granted};
pub use history::{Broken, Filled, History, Judged, OtherShares};

const TAG_BYTES: usize = 16;
/// Bytes of plaintext, padding included.
const PLAINTEXT_BYTES: usize = PAYLOAD_BYTES_MAX - NONCE_BYTES - TAG_BYTES;

secret_newtype! {
    /// The secret that names a sealed stream. Whoever holds it reads all of the stream.
    StreamKey
}

/// What a sealed statement says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SealedBody {
    /// Who says it, in the roles of the stream.
    pub party: Party,
    /// The step taken, and what it states.
    pub deed: Deed,
    /// 0, or which repetition this is (suspend, start, suspend again).
    pub occurrence: u32,
    /// Salted commitment to the step's document.
    pub document: Commitment,
    /// Earlier statements of the stream, at most 4.
    pub references: Vec<StatementId>,
}

/// One statement of a sealed stream, shown to somebody who does not get the stream's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Opens the commitment of this statement and of no other.
    #[serde(with = "hex::serde")]
    key: [u8; 32],
    /// The body's canonical bytes.
    #[serde(with = "hex::serde")]
    body: Vec<u8>,
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

impl StreamKey {
    const AGREE: Domain = Domain::new("jangbu/stream-key/v1");
    const SLOT: Domain = Domain::new("jangbu/slot/v1");
    const NONCE: Domain = Domain::new("jangbu/sealed-nonce/v1");
    const CIPHER: Domain = Domain::new("jangbu/sealed-cipher/v1");
    const COMMITMENT: Domain = Domain::new("jangbu/sealed-commitment/v1");
    const OPENING: Domain = Domain::new("jangbu/sealed-opening/v1");
    const SUBJECT: Domain = Domain::new("jangbu/sealed-subject/v1");

    /// The key both parties of the stream `name` derive, each from its own secret and the
    /// other's registered encryption key. `None` if the other's key is degenerate.
    #[must_use]
    pub fn agree(
        own: &x25519_dalek::StaticSecret,
        other: &x25519_dalek::PublicKey,
        name: &str,
    ) -> Option<Self> {
        let (shared, keys) = agreed(own, other)?;
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
    /// [`SealedError::TooLong`] if the body does not fit the fixed size, [`SealedError::Malformed`] if
    /// its deed is none, so that nobody could open what was sealed.
    pub fn seal(&self, body: &SealedBody, n: u64) -> Result<Statement, SealedError> {
        body.deed.check().map_err(|_| SealedError::Malformed)?;
        self.seal_unchecked(body, n)
    }

    fn seal_unchecked(&self, body: &SealedBody, n: u64) -> Result<Statement, SealedError> {
        let plaintext = padded(&codec::encode(body))?;
        let hash = Self::NONCE.keyed(&self.0, &plaintext);
        let payload =
            lock(self.cipher_key(), &hash, &plaintext, &[]).ok_or(SealedError::TooLong)?;
        Ok(Statement {
            kind: Kind::Sealed,
            occurrence: 0,
            streams: vec![Stream::Sealed(self.slot(body.party, n))],
            commitment: commitment(&self.opening_key(&hash[..NONCE_BYTES]), &plaintext),
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
        self.opened(statement).map(|(_, body, _)| body)
    }

    /// What shows this statement to somebody who does not get the stream's key.
    ///
    /// # Errors
    ///
    /// [`SealedError`] as for [`Self::open`].
    pub fn show(&self, statement: &Statement) -> Result<Shown, SealedError> {
        self.opened(statement)
            .map(|(key, _, body)| Shown { key, body })
    }

    /// Opening key, body, and the body's bytes.
    fn opened(
        &self,
        statement: &Statement,
    ) -> Result<([u8; 32], SealedBody, Vec<u8>), SealedError> {
        if !matches!(statement.kind, Kind::Sealed) {
            return Err(SealedError::NotSealed);
        }
        let nonce = statement.payload.get(..NONCE_BYTES);
        let nonce = nonce.ok_or(SealedError::NotSealed)?;
        let plaintext =
            unlock(self.cipher_key(), &statement.payload, &[]).ok_or(SealedError::WrongKey)?;
        let key = self.opening_key(nonce);
        if commitment(&key, &plaintext) != statement.commitment {
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
        Ok((key, decoded(bytes)?, bytes.to_vec()))
    }

    fn opening_key(&self, nonce: &[u8]) -> [u8; 32] {
        Self::OPENING.keyed(&self.0, nonce)
    }

    fn cipher_key(&self) -> [u8; 32] {
        Self::CIPHER.hash(&self.0)
    }
}

impl Shown {
    /// What the statement says, if this shows it.
    ///
    /// # Errors
    ///
    /// [`SealedError`] if it shows another statement, or something else.
    pub fn verify(&self, statement: &Statement) -> Result<SealedBody, SealedError> {
        if !matches!(statement.kind, Kind::Sealed) {
            return Err(SealedError::NotSealed);
        }
        if commitment(&self.key, &padded(&self.body)?) != statement.commitment {
            return Err(SealedError::Commitment);
        }
        decoded(&self.body)
    }
}

fn commitment(opening_key: &[u8; 32], plaintext: &[u8]) -> Commitment {
    Commitment::keyed(StreamKey::COMMITMENT.keyed(opening_key, plaintext))
}

fn decoded(bytes: &[u8]) -> Result<SealedBody, SealedError> {
    let body: SealedBody =
        codec::decode(bytes, PLAINTEXT_BYTES).map_err(|_| SealedError::Malformed)?;
    body.deed.check().map_err(|_| SealedError::Malformed)?;
    Ok(body)
}

/// Length, body, zeros: always the same size.
fn padded(bytes: &[u8]) -> Result<Vec<u8>, SealedError> {
    if bytes.len() + 2 > PLAINTEXT_BYTES {
        return Err(SealedError::TooLong);
    }
    let length = u16::try_from(bytes.len()).map_err(|_| SealedError::TooLong)?;
    let mut plaintext = length.to_le_bytes().to_vec();
    plaintext.extend_from_slice(bytes);
    plaintext.resize(PLAINTEXT_BYTES, 0);
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ChainId, Digest, MemberId};
    use crate::identifier::Identifier;
    use crate::share::{
        Fingerprint, GitCommit, Input, Output, Part, Sealing, Sent, Span, Usage, UseCode,
        WrappedKey,
    };

    fn body(deed: Deed) -> SealedBody {
        SealedBody {
            party: Party::Provider,
            deed,
            occurrence: 0,
            document: Commitment::keyed([7; 32]),
            references: vec![StatementId([3; 32])],
        }
    }

    fn started() -> Deed {
        let (root, wrap) = (Digest([9; 32]), Digest([8; 32]));
        let sealing = Some(Sealing {
            content_root: root,
            wrap,
            bytes: u64::MAX,
        });
        Deed::TransferStarted {
            sent: Some(Sent { root, sealing }),
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
        let first = key.seal(&body(started()), 0).unwrap();
        assert_eq!(first, key.seal(&body(started()), 0).unwrap());
        assert_eq!(first.check_shape(), Ok(()));
        let moved = key.seal(&body(started()), 1).unwrap();
        assert_ne!(first.streams, moved.streams);
        let (chain, member) = (ChainId([0; 32]), MemberId([1; 32]));
        assert_eq!(first.id(&chain, &member), moved.id(&chain, &member));
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let key = StreamKey::from_bytes([5; 32]);
        let statement = key.seal(&body(started()), 0).unwrap();
        assert_eq!(key.open(&statement), Ok(body(started())));
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

    #[test]
    fn every_step_fits_and_a_use_with_all_it_can_state_of_an_input_and_an_output() {
        let key = StreamKey::from_bytes([5; 32]);
        let name = |text: &str| Identifier::parse(text).unwrap();
        let digest = Digest([6; 32]);
        let chunks = [(0, 811), (900, 1 << 20)].map(|(first, last)| Span { first, last });
        let first = Input {
            data: name("dataset:hanbit.example/cell-ageing/2026.11"),
            agreement: Some(Identifier::uuid([1; 16])),
            part: Some(Part {
                root: digest,
                chunks: chunks.to_vec(),
            }),
        };
        let model = Output {
            made: name("model:research.example.com/battery-ageing/2026.11"),
            content: Some(Fingerprint::Sha256(digest)),
        };
        let mut usage = Usage::new(
            UseCode::parse(UseCode::AI_TRAINING).unwrap(),
            vec![first],
            vec![model],
        );
        usage.code = Some(Fingerprint::GitCommit(GitCommit([7; 20])));
        usage.environment = Some(Fingerprint::Sha256(digest));
        let wrapped = WrappedKey([1; 72]);
        for deed in [started(), Deed::KeyReleased { wrapped }, Deed::Used(usage)] {
            let body = body(deed);
            let statement = key.seal(&body, u64::MAX).unwrap();
            assert_eq!(statement.check_shape(), Ok(()));
            assert_eq!(key.open(&statement), Ok(body));
        }
        let mut long = body(started());
        long.references = vec![StatementId([3; 32]); 16];
        assert_eq!(key.seal(&long, 0), Err(SealedError::TooLong));
    }

    #[test]
    fn one_statement_is_shown_without_the_stream_and_shows_no_other() {
        let key = StreamKey::from_bytes([5; 32]);
        let first = key.seal(&body(started()), 0).unwrap();
        let second = key.seal(&body(Deed::Finalized), 1).unwrap();
        let shown = key.show(&first).unwrap();
        assert_eq!(shown.verify(&first), Ok(body(started())));
        assert_eq!(shown.verify(&second), Err(SealedError::Commitment));
        let as_stream_key = StreamKey::from_bytes(shown.key);
        assert_eq!(as_stream_key.open(&second), Err(SealedError::WrongKey));
        let mut other = shown.clone();
        other.body = key.show(&second).unwrap().body;
        assert_eq!(other.verify(&first), Err(SealedError::Commitment));
        assert_eq!(other.verify(&second), Err(SealedError::Commitment));
    }

    #[test]
    fn what_is_not_well_formed_is_neither_sealed_nor_opened() {
        let key = StreamKey::from_bytes([5; 32]);
        let code = |text: &str| UseCode::parse(text).unwrap();
        let (permits, data) = (vec![code("b"), code("a")], Vec::new());
        let body = body(Deed::Agreed { permits, data });
        assert_eq!(key.seal(&body, 0), Err(SealedError::Malformed));
        let statement = key.seal_unchecked(&body, 0).unwrap();
        assert_eq!(key.open(&statement), Err(SealedError::Malformed));
    }
}
