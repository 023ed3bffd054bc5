//! The one canonical encoding: what is hashed, signed, stored or sent between members.
//!
//! Canonical bytes are bincode 2 (standard configuration: little endian, variable-length
//! integers) of a type that holds no map and no float. Decoding is strict: a size limit first,
//! then decode, then re-encode and compare, so that every value has exactly one encoding and
//! trailing bytes are refused.
//!
//! Source: `docs/format.md`, section 1.

use bincode::error::DecodeError;
use bincode::{Decode, Encode, config};

/// What [`decode`] lets length prefixes claim before it refuses, whatever the caller's limit.
const CLAIM_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What they may claim for each byte of input: memory is set aside before the items are read, so
/// a claim must be one that the input could keep. The most that it can is a list of empty lists,
/// 24 bytes in memory for one.
const CLAIM_PER_BYTE: usize = 32;

/// Why bytes are not the canonical encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// More bytes than this kind of value may have.
    #[error("{len} bytes are more than the {max} allowed for {what}")]
    TooLong {
        /// The type that was expected.
        what: &'static str,
        /// Length of the input in bytes.
        len: usize,
        /// Largest length allowed in bytes.
        max: usize,
    },
    /// Not an encoding of the type at all: truncated, unknown variant, length out of bounds.
    #[error("not a valid encoding of {what}: {reason}")]
    Malformed {
        /// The type that was expected.
        what: &'static str,
        /// What the decoder stumbled over.
        reason: String,
    },
    /// Decodes, but is not the one canonical encoding (trailing bytes, padded integer).
    #[error("not the canonical encoding of {what} (trailing bytes or a padded integer)")]
    NotCanonical {
        /// The type that was expected.
        what: &'static str,
    },
}

/// Returns the canonical bytes of `value`.
#[must_use]
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    bincode::encode_to_vec(value, config::standard())
        .expect("writing to memory a type without fallible Encode cannot fail")
}

/// Decodes `bytes` strictly; at most `max` bytes are looked at.
///
/// # Errors
///
/// [`CodecError`] if there are more than `max` bytes, or they are not the canonical encoding.
pub fn decode<T: Decode<()> + Encode>(bytes: &[u8], max: usize) -> Result<T, CodecError> {
    let what = short_name::<T>();
    if bytes.len() > max {
        return Err(CodecError::TooLong {
            what,
            len: bytes.len(),
            max,
        });
    }
    let (value, read): (T, usize) =
        decode_credibly(bytes).map_err(|error| CodecError::Malformed {
            what,
            reason: error.to_string(),
        })?;
    if read != bytes.len() || encode(&value) != bytes {
        return Err(CodecError::NotCanonical { what });
    }
    Ok(value)
}

/// Decodes with a limit on claims that is proportionate to the input. The library takes limits as
/// types only, hence a few to choose from, each at most eight times the one before.
fn decode_credibly<T: Decode<()>>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    let claims = bytes.len().saturating_mul(CLAIM_PER_BYTE);
    macro_rules! within_the_least_of {
        ($($limit:literal),+) => {
            $(if claims <= $limit {
                let config = config::standard().with_limit::<$limit>();
                return bincode::decode_from_slice(bytes, config);
            })+
        };
    }
    within_the_least_of!(0x1000, 0x8000, 0x4_0000, 0x20_0000, 0x80_0000);
    bincode::decode_from_slice(bytes, config::standard().with_limit::<CLAIM_BYTES_MAX>())
}

/// `Envelope` for `jangbu_ledger::envelope::Envelope`.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let head = name.split('<').next().unwrap_or(name);
    let start = head.rfind("::").map_or(0, |at| at + 2);
    &name[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_a_round_trip() {
        let value = (7u64, vec![1u8, 2, 3], Some(300u32));
        assert_eq!(
            decode::<(u64, Vec<u8>, Option<u32>)>(&encode(&value), 64),
            Ok(value)
        );
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&5u64);
        bytes.push(0);
        assert!(matches!(
            decode::<u64>(&bytes, 64),
            Err(CodecError::NotCanonical { .. })
        ));
    }

    #[test]
    fn a_padded_integer_is_refused() {
        // 251 announces a u16: 5 fits in one byte, so this is a second encoding of 5.
        assert!(matches!(
            decode::<u64>(&[251, 5, 0], 64),
            Err(CodecError::NotCanonical { .. })
        ));
    }

    #[test]
    fn a_length_beyond_the_input_is_refused_without_allocating() {
        let bytes = encode(&u64::MAX);
        assert!(matches!(
            decode::<Vec<u8>>(&bytes, 64),
            Err(CodecError::Malformed { .. })
        ));
    }

    #[test]
    fn a_list_of_the_smallest_items_decodes_at_every_size() {
        for count in [0usize, 1, 41, 333, 2_700, 22_000, 88_000, 350_000] {
            let lists = vec![Vec::<u8>::new(); count];
            let bytes = encode(&lists);
            assert_eq!(decode(&bytes, bytes.len()), Ok(lists), "{count}");
            let names = vec![String::new(); count];
            assert_eq!(decode(&encode(&names), bytes.len()), Ok(names), "{count}");
        }
    }

    #[test]
    fn more_bytes_than_allowed_are_refused() {
        let bytes = encode(&vec![0u8; 100]);
        assert!(matches!(
            decode::<Vec<u8>>(&bytes, 64),
            Err(CodecError::TooLong {
                len: 101,
                max: 64,
                ..
            })
        ));
    }
}
