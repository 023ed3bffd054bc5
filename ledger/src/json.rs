//! JSON documents: strict I-JSON in, RFC 8785 canonical bytes out.
//!
//! Two parsers that read one document differently would commit to two documents. So what
//! parsers disagree about is refused: duplicate keys, integers that a double cannot hold, lone
//! surrogates, a byte order mark, anything after the document.
//!
//! Sources: RFC 7493 (I-JSON), RFC 8785 (JSON Canonicalization Scheme).

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest document in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest integer that every reader holds exactly: 2^53 − 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;
/// The next integer, 2^53: from here on every double is an integer.
const INTEGER_BOUND: f64 = 9_007_199_254_740_992.0;
/// From here on RFC 8785 writes a number with an exponent, which no reader takes for an integer.
const PLAIN_BOUND: f64 = 1e21;

/// Longest reason that is told, in characters.
const REASON_CHARS_MAX: usize = 300;
/// Longest part of a key that is told, in characters.
const KEY_CHARS_MAX: usize = 80;

/// Why a text is not an I-JSON document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// More than [`DOCUMENT_BYTES_MAX`] bytes.
    #[error("the document has {0} bytes; at most {DOCUMENT_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("the document is not UTF-8: byte {offset} starts no character; save it as UTF-8")]
    NotUtf8 {
        /// Position of the first bad byte, from 0.
        offset: usize,
    },
    /// A byte order mark.
    #[error("the document starts with a byte order mark; save it without")]
    ByteOrderMark,
    /// Not JSON, or JSON that readers disagree about.
    #[error("line {line}, column {column}: {reason}")]
    Invalid {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A number that RFC 8785 cannot write.
    #[error("the document cannot be made canonical: {0}")]
    NotCanonicalizable(String),
}

/// A reason, cut to a length fit for a message or a log: a parser's repeats what it stumbled over,
/// which may be all of a document.
#[must_use]
pub fn brief(reason: &impl fmt::Display) -> String {
    let reason = reason.to_string();
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", reason.get(..end).unwrap_or_default()),
        None => reason,
    }
}

/// One step of an RFC 6901 pointer as it is written.
#[must_use]
pub fn escape_pointer(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// Parses a document strictly.
///
/// # Errors
///
/// [`JsonError`] with line and column where there is one.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(JsonError::TooLong(bytes.len()));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    let invalid = |error: serde_json::Error| JsonError::Invalid {
        line: error.line(),
        column: error.column(),
        // serde_json appends " at line L column C", which the fields already say.
        reason: brief(
            &error
                .to_string()
                .split(" at line ")
                .next()
                .unwrap_or_default(),
        ),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut deserializer).map_err(invalid)?;
    deserializer.end().map_err(invalid)?;
    Ok(value)
}

/// The canonical bytes of a parsed document.
///
/// # Errors
///
/// [`JsonError::NotCanonicalizable`] if a number is out of range.
pub fn canonicalize(value: &Value) -> Result<Vec<u8>, JsonError> {
    serde_json_canonicalizer::to_vec(value)
        .map_err(|error| JsonError::NotCanonicalizable(brief(&error)))
}

/// A value in which no key stands twice and no integer is too large.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > INTEGER_MAX {
            return Err(E::custom(too_large(&value.to_string())));
        }
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        if value > INTEGER_MAX {
            return Err(E::custom(too_large(&value.to_string())));
        }
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // 1e20 and 9007199254740992.0 are integers in all but notation: written canonically they
        // are digits only, and a reader that holds integers apart would then round them.
        if (INTEGER_BOUND..PLAIN_BOUND).contains(&value.abs()) {
            return Err(E::custom(too_large(&value.to_string())));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number beyond the range of a double"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if map.contains_key(&key) {
                let shown: String = key.chars().take(KEY_CHARS_MAX).collect();
                return Err(de::Error::custom(format!(
                    "the key {shown:?} stands twice in one object; keep one of them"
                )));
            }
            let value = entries.next_value_seed(Self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;
    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}

fn too_large(number: &str) -> String {
    format!("the integer {number} is beyond ±(2^53 − 1); write it as a string")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_disagree_about_is_refused() {
        for (text, part) in [
            (&b"{\"a\":1,\n \"a\":2}"[..], "stands twice"),
            (b"[9007199254740992]", "beyond"),
            (b"[-9007199254740993]", "beyond"),
            (b"[9007199254740992.0]", "beyond"),
            (b"[1e20]", "beyond"),
            (b"[-123456789012345680000]", "beyond"),
            (b"[9.99e20]", "beyond"),
            (b"\"\\ud800\"", "hex escape"),
            (b"{} {}", "trailing"),
            (b"[1e999]", "range"),
            (b"{\"a\":", "EOF"),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (b"{\"a\":\"\xff\"}", "not UTF-8"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error:?} does not say {part:?}");
        }
        assert_eq!(
            parse(b"{\"a\":1,\n \"a\":2}").map_err(|e| e.to_string().starts_with("line 2")),
            Err(true)
        );
    }

    #[test]
    fn a_number_written_canonically_is_read_again() {
        for text in [
            "9007199254740991",
            "-9007199254740991",
            "9007199254740991.0",
            "1e15",
            "1e21",
            "1.5e300",
            "0.1",
            "-0.0",
        ] {
            let value = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            let canonical = canonicalize(&value).unwrap();
            let again = canonicalize(&parse(&canonical).unwrap()).unwrap();
            assert_eq!(again, canonical, "{text}");
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_the_document() {
        let long = "é".repeat(100_000);
        let twice = parse(format!("{{\"{long}\":1,\"{long}\":2}}").as_bytes()).unwrap_err();
        let text = twice.to_string();
        assert!(
            text.len() < 300 && text.ends_with("keep one of them"),
            "{text}"
        );
        assert_eq!(brief(&long).chars().count(), REASON_CHARS_MAX + 1);
        assert_eq!(brief(&"short"), "short");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
        assert!(parse(&deep).is_err());
    }
}
