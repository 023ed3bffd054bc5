//! Secrets of 32 bytes, and the one that two members have in common.

use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};

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
