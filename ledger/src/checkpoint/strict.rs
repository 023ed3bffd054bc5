//! Strict Ed25519: for signatures that tools other than ours must judge the same way.
//!
//! Envelopes and votes follow ZIP-215 ([`crate::signature`]); a checkpoint is verified by
//! programs whose libraries differ in exactly the cases that ZIP-215 admits. Here those cases
//! are refused.

use ed25519_dalek::VerifyingKey;

use crate::signature::{PublicKey, Rule, Signature, Verdict, recalled};

/// Why a strict check failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrictError {
    /// No curve point, or not its canonical encoding, or with a component of small order.
    #[error("the public key is not a canonical encoding of a point of prime order")]
    Key,
    /// The signature is not by that key over that message, or not canonical.
    #[error("the signature does not verify")]
    Signature,
}

/// Checks that every Ed25519 library agrees about `key`: canonical, of prime order.
///
/// # Errors
///
/// [`StrictError::Key`] if not.
pub fn check_key(key: &PublicKey) -> Result<(), StrictError> {
    checked(key).map(|_| ())
}

/// Checks `signature` over `message` under `key`, admitting no case that libraries disagree on.
///
/// # Errors
///
/// [`StrictError`] if the key is unfit or the signature does not verify.
pub fn verify_strict(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), StrictError> {
    let verdict = recalled(Rule::Strict, (key, message, signature), || {
        judge(key, message, signature)
    });
    match verdict {
        Verdict::Holds => Ok(()),
        Verdict::UnfitKey => Err(StrictError::Key),
        Verdict::Invalid => Err(StrictError::Signature),
    }
}

fn judge(key: &PublicKey, message: &[u8], signature: &Signature) -> Verdict {
    let Ok(key) = checked(key) else {
        return Verdict::UnfitKey;
    };
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    match key.verify_strict(message, &signature) {
        Ok(()) => Verdict::Holds,
        Err(_) => Verdict::Invalid,
    }
}

fn checked(key: &PublicKey) -> Result<VerifyingKey, StrictError> {
    let decoded = VerifyingKey::from_bytes(&key.0).map_err(|_| StrictError::Key)?;
    let point = decoded.to_edwards();
    // A point of small order is refused before: the neutral element is free of torsion.
    if point.is_small_order() || !point.is_torsion_free() || point.compress().to_bytes() != key.0 {
        return Err(StrictError::Key);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    /// The eight points of small order, and non-canonical spellings of some.
    const UNFIT: [&str; 11] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    #[test]
    fn a_weak_or_non_canonical_key_is_refused() {
        for text in UNFIT {
            assert_eq!(
                check_key(&text.parse().unwrap()),
                Err(StrictError::Key),
                "{text}"
            );
        }
    }

    #[test]
    fn a_key_with_a_small_order_component_is_refused() {
        let small = UNFIT[4].parse::<PublicKey>().unwrap();
        let small = VerifyingKey::from_bytes(&small.0).unwrap().to_edwards();
        let honest = SigningKey::from_bytes(&[7; 32]).verifying_key();
        assert_eq!(check_key(&PublicKey(honest.to_bytes())), Ok(()));
        let mixed = PublicKey((honest.to_edwards() + small).compress().to_bytes());
        assert!(!VerifyingKey::from_bytes(&mixed.0).unwrap().is_weak());
        assert_eq!(check_key(&mixed), Err(StrictError::Key));
    }

    #[test]
    fn a_signature_verifies_only_over_its_message() {
        let secret = SigningKey::from_bytes(&[7; 32]);
        let key = PublicKey(secret.verifying_key().to_bytes());
        let signature = Signature(secret.sign(b"yes").to_bytes());
        assert_eq!(verify_strict(&key, b"yes", &signature), Ok(()));
        assert_eq!(
            verify_strict(&key, b"no", &signature),
            Err(StrictError::Signature)
        );
    }
}
