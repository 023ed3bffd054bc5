//! What a member is granted at admission: the identifiers that only it issues.

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{IDENTIFIER_BYTES_MAX, IdentifierError, malformed};

/// A part of the identifier space: `gs1:9521234`, `bpn:BPNL…`, `domain:example.com`, `lei:…`.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Prefix(String);

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a prefix: {reason}")]
pub struct PrefixError {
    /// As given.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Prefix {
    /// Reads a prefix.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, PrefixError> {
        let error = |reason: String| PrefixError {
            text: text.chars().take(80).collect(),
            reason,
        };
        if text.len() > IDENTIFIER_BYTES_MAX {
            let reason = format!("it has more than {IDENTIFIER_BYTES_MAX} bytes");
            return Err(error(reason));
        }
        let Some((scheme, value)) = text.split_once(':') else {
            return Err(error("expected gs1:, bpn:, domain: or lei:".into()));
        };
        let checked = match scheme {
            "gs1"
                if (4..=12).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Ok(value.to_owned())
            }
            "gs1" => Err(malformed(
                "the GS1 company prefix",
                "expected 4 to 12 digits",
            )),
            "bpn" => bpn(value),
            "lei" => lei(value),
            "domain" => host(value),
            _ => return Err(error("expected gs1:, bpn:, domain: or lei:".into())),
        };
        checked
            .map(|value| Self(format!("{scheme}:{value}")))
            .map_err(|reason| error(reason.to_string()))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether some identifier lies under both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let gs1 = |p: &Self| p.0.starts_with("gs1:");
        self == other
            || (gs1(self)
                && gs1(other)
                && (self.0.starts_with(&other.0) || other.0.starts_with(&self.0)))
    }

    /// Whether a canonical identifier lies under it.
    pub(super) fn covers(&self, identifier: &str) -> bool {
        let Some((scheme, value)) = self.0.split_once(':') else {
            return false;
        };
        match scheme {
            "gs1" => gs1_company(identifier).is_some_and(|digits| digits.starts_with(value)),
            "domain" => host_of(identifier) == Some(value),
            _ => identifier == self.0,
        }
    }
}

/// The digits of a Digital Link from the company prefix on.
fn gs1_company(identifier: &str) -> Option<&str> {
    let (key, rest) = identifier
        .strip_prefix("https://id.gs1.org/")?
        .split_once('/')?;
    match key {
        // GTIN-14 and GRAI have one digit before the prefix, the SSCC its extension digit.
        "01" | "00" | "8003" => rest.get(1..),
        "414" | "417" | "8004" => Some(rest),
        _ => None,
    }
}

fn host_of(identifier: &str) -> Option<&str> {
    if identifier.starts_with("https://id.gs1.org/") {
        return None;
    }
    if let Some(rest) = identifier.strip_prefix("did:web:") {
        return rest.split([':', '%']).next();
    }
    let rest = ["https://", "dataset:", "model:"]
        .iter()
        .find_map(|scheme| identifier.strip_prefix(scheme))?;
    rest.split('/').next()
}

/// A lower-case host name of at least two labels.
pub(super) fn host(text: &str) -> Result<String, IdentifierError> {
    let lower = text.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if lower.len() <= 100 && lower.contains('.') && lower.split('.').all(label) {
        Ok(lower)
    } else {
        Err(malformed(
            "the host name",
            format!("{text:?} is not one such as example.com"),
        ))
    }
}

/// A Catena-X business partner number.
pub(super) fn bpn(text: &str) -> Result<String, IdentifierError> {
    let (head, tail) = text.split_at_checked(4).unwrap_or((text, ""));
    let head = head.to_ascii_uppercase();
    let fits = ["BPNL", "BPNS", "BPNA"].contains(&head.as_str())
        && tail.len() == 12
        && tail.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits {
        Ok(format!("{head}{tail}"))
    } else {
        Err(malformed(
            "the BPN",
            "expected BPNL, BPNS or BPNA and 12 letters or digits",
        ))
    }
}

/// A legal entity identifier with its ISO 7064 mod 97-10 check digits.
pub(super) fn lei(text: &str) -> Result<String, IdentifierError> {
    let upper = text.to_ascii_uppercase();
    if upper.len() != 20 || !upper.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(malformed("the LEI", "expected 20 letters or digits"));
    }
    let remainder = upper.bytes().fold(0u32, |remainder, byte| {
        if byte.is_ascii_digit() {
            (remainder * 10 + u32::from(byte - b'0')) % 97
        } else {
            (remainder * 100 + u32::from(byte - b'A') + 10) % 97
        }
    });
    if remainder == 1 {
        Ok(upper)
    } else {
        Err(malformed("the LEI", "its check digits are wrong"))
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Encode for Prefix {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<C> Decode<C> for Prefix {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let text = String::decode(decoder)?;
        match Self::parse(&text) {
            Ok(prefix) if prefix.0 == text => Ok(prefix),
            Ok(prefix) => Err(DecodeError::OtherString(format!(
                "{text:?} is not {prefix}"
            ))),
            Err(error) => Err(DecodeError::OtherString(error.to_string())),
        }
    }
}

impl<'de, C> bincode::BorrowDecode<'de, C> for Prefix {
    fn borrow_decode<D: bincode::de::BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
