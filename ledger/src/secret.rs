//! Secrets of 32 bytes, the one that two members have in common, and what is locked under one.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};

/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 24;

/// A 32-byte secret that is wiped when dropped and never printed. Who uses it needs `zeroize`.
#[macro_export]
macro_rules! secret_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, ::zeroize::Zeroize, ::zeroize::ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// A key that was stored, handed over or shown.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The secret itself, for storing it or showing what it opens.
            #[must_use]
            pub const fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

/// What two members have in common, each by its own secret and the other's registered encryption
/// key, and the two public keys, sorted: alike for both. `None` if the other's key is degenerate.
///
/// Source: RFC 7748, section 6.1.
pub(crate) fn agreed(
    own: &StaticSecret,
    other: &PublicKey,
) -> Option<(SharedSecret, [[u8; 32]; 2])> {
    let shared = own.diffie_hellman(other);
    if !shared.was_contributory() {
        return None;
    }
    let mut keys = [PublicKey::from(own).to_bytes(), other.to_bytes()];
    keys.sort_unstable();
    Some((shared, keys))
}

/// Nonce and ciphertext of `plain`, with `associated` data. The nonce is the beginning of a hash of
/// the key and all of this, so that no two messages share one and the same again yields the same
/// bytes. `None` only if the cipher fails.
///
/// Source: draft-irtf-cfrg-xchacha-03.
pub(crate) fn lock(
    key: [u8; 32],
    hash: &[u8; 32],
    plain: &[u8],
    associated: &[u8],
) -> Option<Vec<u8>> {
    let (nonce, _) = hash.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: plain,
        aad: associated,
    };
    let sealed = XChaCha20Poly1305::new(&key.into())
        .encrypt(&XNonce::from(*nonce), payload)
        .ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// What was [`lock`]ed, if this is the key and nothing was changed.
pub(crate) fn unlock(key: [u8; 32], locked: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = locked.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload {
        msg: sealed,
        aad: associated,
    };
    XChaCha20Poly1305::new(&key.into())
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
}
