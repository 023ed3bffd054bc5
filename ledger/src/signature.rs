//! Public keys and signatures: Ed25519 under one validity rule, ZIP-215.
//!
//! RFC 8032 leaves cases in which single and batch verification disagree; on a ledger that is
//! a consensus split. ZIP-215 gives one answer for both: `A` and `R` may be any encoding of a
//! curve point, `s` must be below the group order, and `[8][s]B = [8]R + [8][k]A` must hold.
//!
//! Invariant: [`verify_batch`] answers for every item what [`PublicKey::verify`] answers.
//!
//! Source: <https://zips.z.cash/zip-0215>; edge cases from C2SP CCTV in `tests/ed25519_edge.rs`.

mod memo;

use std::convert::Infallible;

use ed25519_dalek::Signer;
/// A private key. Wiped when dropped; its `Debug` shows the public half only.
pub use ed25519_dalek::SigningKey;
use ed25519_zebra::{VerificationKey, VerificationKeyBytes, batch};

use crate::bytes_newtype;
use crate::hash::Domain;
use crate::id::KeyId;

pub use memo::Memory;
pub(crate) use memo::{Rule, Verdict, recalled};

bytes_newtype! {
    /// An Ed25519 public key as received: not yet known to decode to a curve point.
    PublicKey, 32
}
bytes_newtype! {
    /// An Ed25519 signature as received: not yet verified.
    Signature, 64
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The key's 32 bytes encode no point of the curve.
    #[error("public key {key} is not a point of the curve")]
    MalformedKey {
        /// The offending key.
        key: PublicKey,
    },
    /// The signature is not one of this message by this key.
    #[error("the signature does not hold for this message and public key {key}")]
    Invalid {
        /// The key it was checked against.
        key: PublicKey,
    },
}

impl PublicKey {
    const ID_DOMAIN: Domain = Domain::new("jangbu/key-id/v1");

    /// The public half of `key`.
    #[must_use]
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }

    /// The key's id on the ledger.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = Self::ID_DOMAIN.hash(&self.0);
        KeyId(hash[..16].try_into().expect("16 of 32 bytes"))
    }

    /// Checks that `signature` is this key's signature of `message`, by ZIP-215.
    ///
    /// # Errors
    ///
    /// [`SignatureError::MalformedKey`] if the key is no curve point, else
    /// [`SignatureError::Invalid`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let verdict = recalled(Rule::Zip215, (self, message, signature), || {
            self.judge(message, signature)
        });
        match verdict {
            Verdict::Holds => Ok(()),
            Verdict::UnfitKey => Err(SignatureError::MalformedKey { key: *self }),
            Verdict::Invalid => Err(SignatureError::Invalid { key: *self }),
        }
    }

    fn judge(&self, message: &[u8], signature: &Signature) -> Verdict {
        let Ok(key) = VerificationKey::try_from(VerificationKeyBytes::from(self.0)) else {
            return Verdict::UnfitKey;
        };
        match key.verify(&ed25519_zebra::Signature::from(signature.0), message) {
            Ok(()) => Verdict::Holds,
            Err(_) => Verdict::Invalid,
        }
    }
}

/// Signs `message`. Deterministic (RFC 8032): no randomness is involved.
#[must_use]
pub fn sign(key: &SigningKey, message: &[u8]) -> Signature {
    Signature(key.sign(message).to_bytes())
}

/// Checks many signatures at once; the answers are in the order of `items`.
///
/// One multi-scalar multiplication answers for all when all hold, which is the usual case (about
/// half the cost of checking each, less still when keys repeat). When it fails, each is checked
/// alone, so the answers equal those of [`PublicKey::verify`] in every case.
#[must_use]
pub fn verify_batch<M: AsRef<[u8]>>(items: &[(PublicKey, Signature, M)]) -> Vec<bool> {
    let single = |(key, signature, message): &(PublicKey, Signature, M)| {
        key.verify(message.as_ref(), signature).is_ok()
    };
    let open = memo::unknown(items);
    // Below two there is nothing to share.
    if open.len() > 1 && holds_as_batch(&open) && !memo::note_all_hold(&open) {
        return vec![true; items.len()];
    }
    items.iter().map(single).collect()
}

fn holds_as_batch<M: AsRef<[u8]>>(items: &[&(PublicKey, Signature, M)]) -> bool {
    let mut verifier = batch::Verifier::new();
    for (key, signature, message) in items {
        let key = VerificationKeyBytes::from(key.0);
        let signature = ed25519_zebra::Signature::from(signature.0);
        verifier.queue((key, signature, message.as_ref()));
    }
    verifier.verify(Coefficients::of(items)).is_ok()
}

/// The random 128-bit coefficients `z` of the batch equation, drawn from a hash of the batch.
///
/// Why this is sound: a batch holding an invalid signature satisfies the equation for at most
/// one in 2^128 choices of any one coefficient, provided that whoever chose the batch could not
/// first see the coefficients. Here they are the output of a hash function (modelled as a
/// random oracle) of *everything* that enters the equation: every key, every signature (`R` and
/// `s`) and every message, each message with its length, and the number of items. Changing any
/// of them draws all coefficients anew, so the only attack is to try batches, each with a chance
/// of 2^-128 — the Fiat-Shamir argument; the verifier's own randomness would give the same bound
/// per try. What it buys: the ledger needs no source of randomness, and a replay takes the same
/// path every time.
struct Coefficients(blake3::OutputReader);

impl Coefficients {
    const DOMAIN: Domain = Domain::new("jangbu/signature-batch-coefficients/v1");

    fn of<M: AsRef<[u8]>>(items: &[&(PublicKey, Signature, M)]) -> Self {
        let mut hasher = Self::DOMAIN.hasher();
        hasher.update(&(items.len() as u64).to_le_bytes());
        for (key, signature, message) in items {
            let message = message.as_ref();
            hasher.update(&key.0).update(&signature.0);
            hasher
                .update(&(message.len() as u64).to_le_bytes())
                .update(message);
        }
        Self(hasher.finalize_xof())
    }
}

impl rand_core::TryRng for Coefficients {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

// An extensible-output hash of inputs fixed beforehand: see `Coefficients`.
impl rand_core::TryCryptoRng for Coefficients {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signed(seed: u8, message: &[u8]) -> (PublicKey, Signature, Vec<u8>) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        (PublicKey::of(&key), sign(&key, message), message.to_vec())
    }

    #[test]
    fn a_signature_holds_for_its_own_message_and_key_only() {
        let (key, signature, message) = signed(1, b"hello");
        assert_eq!(key.verify(&message, &signature), Ok(()));
        assert_eq!(
            key.verify(b"hallo", &signature),
            Err(SignatureError::Invalid { key })
        );
        let other = signed(2, b"hello").0;
        assert!(other.verify(&message, &signature).is_err());
    }

    #[test]
    fn a_key_that_is_no_point_is_named() {
        let key = PublicKey([2; 32]);
        let error = key.verify(b"", &Signature([0; 64])).unwrap_err();
        assert_eq!(error, SignatureError::MalformedKey { key });
    }

    #[test]
    fn an_empty_batch_has_no_answers() {
        assert!(verify_batch::<&[u8]>(&[]).is_empty());
    }

    proptest! {
        // Curve arithmetic without optimisation: a case takes a fifth of a second.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_batch_answers_what_single_checks_answer(
            seeds in prop::collection::vec((0u8..6, any::<bool>(), 0usize..96), 0..20),
        ) {
            let items: Vec<_> = seeds.iter().enumerate().map(|(at, (seed, spoil, byte))| {
                let mut item = signed(*seed, format!("message {at}").as_bytes());
                if *spoil {
                    match byte {
                        0..64 => item.1.0[*byte] ^= 1,
                        _ => item.0.0[*byte - 64] ^= 1,
                    }
                }
                item
            }).collect();
            let expected: Vec<bool> = items.iter().map(|i| i.0.verify(&i.2, &i.1).is_ok()).collect();
            prop_assert_eq!(verify_batch(&items), expected);
        }
    }
}
