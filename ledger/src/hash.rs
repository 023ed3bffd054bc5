//! Domain-separated BLAKE3, and the macro that makes a named type of 32 (or fewer) bytes.
//!
//! Every hash the ledger takes is BLAKE3 in key-derivation mode under a context string of its
//! own, so that no two kinds of hash can ever collide. The log's RFC 6962 tree, which is
//! SHA-256 by its standard, is the one exception (`merkle`).
//!
//! Source: BLAKE3 specification, section 2.3 (`derive_key`).

use bincode::Encode;

use crate::codec;

/// The context under which a hash is taken: globally unique, hard-coded, never user input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// Names a domain. By convention `jangbu/<thing>/v<version>`.
    #[must_use]
    pub const fn new(context: &'static str) -> Self {
        Self(context)
    }

    /// The context string, as `docs/format.md` lists it.
    #[must_use]
    pub const fn context(self) -> &'static str {
        self.0
    }

    /// Hashes `bytes` in this domain.
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> [u8; 32] {
        blake3::derive_key(self.0, bytes)
    }

    /// Hashes the canonical encoding of `value` in this domain.
    #[must_use]
    pub fn hash_of<T: Encode>(self, value: &T) -> [u8; 32] {
        self.hash(&codec::encode(value))
    }

    /// Starts an incremental hash in this domain.
    #[must_use]
    pub fn hasher(self) -> blake3::Hasher {
        blake3::Hasher::new_derive_key(self.0)
    }

    /// Keyed hash in this domain: the key is first bound to the domain, then keys BLAKE3.
    #[must_use]
    pub fn keyed(self, key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.hash(key), bytes).as_bytes()
    }
}

/// Why a text is not the hexadecimal form of a fixed-size value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} lower-case hexadecimal digits for a {what}, got {got:?}")]
pub struct ParseHexError {
    /// The type that was expected.
    pub what: &'static str,
    /// Number of digits expected.
    pub expected: usize,
    /// The offending text, cut after 80 characters.
    pub got: String,
}

/// Reads exactly `N` bytes of lower-case hexadecimal.
///
/// # Errors
///
/// [`ParseHexError`] if the length differs or a character is not a lower-case digit.
pub fn parse_hex<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], ParseHexError> {
    let error = || ParseHexError {
        what,
        expected: 2 * N,
        got: text.chars().take(80).collect::<String>(),
    };
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(error());
    }
    let mut bytes = [0u8; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| error())?;
    Ok(bytes)
}

/// The regular expression of that many bytes in lower-case hexadecimal.
#[cfg(feature = "schema")]
#[must_use]
pub fn hex_pattern(bytes: usize) -> String {
    format!("^[0-9a-f]{{{}}}$", 2 * bytes)
}

/// Makes a newtype over a byte array that shows, parses and serialises as lower-case hex.
#[macro_export]
macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[cfg_attr(
            feature = "schema",
            derive(::schemars::JsonSchema),
            schemars(extend("pattern" = $crate::hash::hex_pattern($len)))
        )]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::bincode::Encode, ::bincode::Decode)]
        pub struct $name(#[cfg_attr(feature = "schema", schemars(with = "String"))] pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(&::hex::encode(self.0))
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::hash::ParseHexError;
            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                $crate::hash::parse_hex(stringify!($name), text).map(Self)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, s: S) -> ::core::result::Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(d: D) -> ::core::result::Result<Self, D::Error> {
                let text = <::std::string::String as ::serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_domains_never_agree() {
        let (a, b) = (Domain::new("jangbu/a/v1"), Domain::new("jangbu/b/v1"));
        assert_ne!(a.hash(b"x"), b.hash(b"x"));
        assert_ne!(a.keyed(&[1; 32], b"x"), b.keyed(&[1; 32], b"x"));
    }

    #[test]
    fn upper_case_hex_is_refused() {
        assert!(parse_hex::<1>("byte", "AB").is_err());
        assert_eq!(parse_hex::<1>("byte", "ab"), Ok([0xab]));
    }
}
