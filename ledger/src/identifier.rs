//! Identifiers of open subjects in their one canonical form, and the prefixes members hold.
//!
//! Every identifier that reaches a hash is canonical: validators parse it again and refuse any
//! other spelling, or one thing could have two streams.
//!
//! Sources: GS1 General Specifications 7.9 (check digits), GS1 Digital Link URI 1.4, EPC Tag
//! Data Standard 2.0 (EPC URNs), RFC 9562 (UUID), Catena-X CX-0010 (BPN), ISO 17442 (LEI).

mod gs1;
mod prefix;

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::hash::Domain;
use crate::id::SubjectId;

pub use prefix::{Prefix, PrefixError};

/// Longest identifier in bytes.
pub const IDENTIFIER_BYTES_MAX: usize = 128;

/// The canonical name of a product, batch, item, dataset, model or place.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Identifier(
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX)))] String,
);

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// Empty or longer than [`IDENTIFIER_BYTES_MAX`].
    #[error("an identifier has 1 to {IDENTIFIER_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// No known scheme.
    #[error(
        "{0:?} is no identifier this ledger knows: use a GS1 Digital Link or EPC URN, a UUID, \
         a BPN, lei:, did:web:, did:key:, https:// of your own domain, dataset:, model: or profile:"
    )]
    UnknownScheme(String),
    /// A part is malformed.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A wrong check digit.
    #[error("the check digit of {what} {digits} is wrong: expected {expected}")]
    CheckDigit {
        /// Which number.
        what: &'static str,
        /// The number as given.
        digits: String,
        /// What the last digit should be.
        expected: char,
    },
    /// A valid identifier, but not in canonical form.
    #[error("{got:?} is not canonical; write {canonical:?}")]
    NotCanonical {
        /// As given.
        got: String,
        /// As it should be.
        canonical: String,
    },
}

pub(crate) fn malformed(what: &'static str, reason: impl Into<String>) -> IdentifierError {
    IdentifierError::Malformed {
        what,
        reason: reason.into(),
    }
}

impl Identifier {
    const DOMAIN: Domain = Domain::new("jangbu/subject-id/v1");

    /// Reads what people and documents write, and makes it canonical.
    ///
    /// # Errors
    ///
    /// [`IdentifierError`] naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        if !(1..=IDENTIFIER_BYTES_MAX).contains(&text.len()) {
            return Err(IdentifierError::Length(text.len()));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(malformed(
                "the identifier",
                "it holds blanks or control characters",
            ));
        }
        let canonical = if let Some(link) = gs1_link(text) {
            gs1::digital_link(link)?
        } else if let Some(urn) = text.strip_prefix("urn:epc:") {
            gs1::epc_urn(urn)?
        } else if let Some(uuid) = text.strip_prefix("urn:uuid:").or_else(|| bare_uuid(text)) {
            uuid_urn(uuid)?
        } else if let Some(bpn) = text.strip_prefix("bpn:").or_else(|| bare_bpn(text)) {
            format!("bpn:{}", prefix::bpn(bpn)?)
        } else if let Some(lei) = text.strip_prefix("lei:") {
            format!("lei:{}", prefix::lei(lei)?)
        } else if let Some(rest) = text.strip_prefix("did:") {
            did(rest)?
        } else if let Some(link) = foreign_link(text)? {
            link
        } else if let Some(rest) = text.strip_prefix("https://") {
            format!("https://{}", host_and_path("the address", rest, false)?)
        } else if let Some(rest) = text.strip_prefix("dataset:") {
            format!("dataset:{}", host_and_path("the dataset", rest, true)?)
        } else if let Some(name) = text.strip_prefix("profile:") {
            format!("profile:{}", profile_name(name)?)
        } else if let Some(rest) = text.strip_prefix("model:") {
            format!("model:{}", host_and_path("the model", rest, true)?)
        } else {
            return Err(IdentifierError::UnknownScheme(
                text.chars().take(80).collect(),
            ));
        };
        if canonical.len() > IDENTIFIER_BYTES_MAX {
            return Err(IdentifierError::Length(canonical.len()));
        }
        Ok(Self(canonical))
    }

    /// Reads an identifier that must be canonical already.
    ///
    /// # Errors
    ///
    /// [`IdentifierError::NotCanonical`] if it is valid but spelled otherwise.
    pub fn parse_canonical(text: &str) -> Result<Self, IdentifierError> {
        let identifier = Self::parse(text)?;
        if identifier.0 == text {
            Ok(identifier)
        } else {
            Err(IdentifierError::NotCanonical {
                got: text.to_owned(),
                canonical: identifier.0,
            })
        }
    }

    /// The URN of these 16 bytes, marked as a UUID of one's own making (RFC 9562, version 8).
    #[must_use]
    pub fn uuid(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let digits = hex::encode(bytes);
        let groups = [
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..],
        ];
        Self(format!("urn:uuid:{}", groups.join("-")))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its open stream.
    #[must_use]
    pub fn subject_id(&self) -> SubjectId {
        SubjectId(Self::DOMAIN.hash(self.0.as_bytes()))
    }

    /// Whether it lies under a prefix that one member holds. A UUID and a `did:key` do not:
    /// they belong to whoever issues them first.
    #[must_use]
    pub fn is_registrable(&self) -> bool {
        !["urn:uuid:", "did:key:", "profile:"]
            .iter()
            .any(|scheme| self.0.starts_with(scheme))
    }

    /// Whether it names a compliance profile.
    #[must_use]
    pub fn is_profile(&self) -> bool {
        self.0.starts_with("profile:")
    }

    /// Whether the holder of `prefix` may issue it.
    #[must_use]
    pub fn required_prefix_matches(&self, prefix: &Prefix) -> bool {
        prefix.covers(&self.0)
    }
}

impl std::fmt::Display for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Identifier {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        Self::parse(text)
    }
}

impl Encode for Identifier {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<C> Decode<C> for Identifier {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let text = String::decode(decoder)?;
        Self::parse_canonical(&text).map_err(|error| DecodeError::OtherString(error.to_string()))
    }
}

impl<'de, C> bincode::BorrowDecode<'de, C> for Identifier {
    fn borrow_decode<D: bincode::de::BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// What follows GS1's own host, in whatever case that is written.
fn gs1_link(text: &str) -> Option<&str> {
    let (host, link) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?
        .split_once('/')?;
    host.eq_ignore_ascii_case("id.gs1.org").then_some(link)
}

/// A Digital Link under another host than GS1's, or below a path of that host's own: the same
/// thing as under `id.gs1.org`, so it must have the same name.
///
/// A key with a wrong check digit is refused: as an address of its own it would give a mistyped
/// product a second name.
fn foreign_link(text: &str) -> Result<Option<String>, IdentifierError> {
    let Some(rest) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return Ok(None);
    };
    let Some((host, path)) = rest.split_once('/') else {
        return Ok(None);
    };
    let mut mistyped = None;
    let starts = path.match_indices('/').map(|(at, _)| at + 1);
    let links = std::iter::once(0)
        .chain(starts)
        .filter_map(|start| path.get(start..))
        .filter(|link| gs1::begins(link));
    for link in links {
        match gs1::digital_link(link) {
            Ok(link) => return prefix::host(host).map(|_| Some(link)),
            Err(error @ IdentifierError::CheckDigit { .. }) => {
                mistyped.get_or_insert(error);
            }
            Err(_) => {}
        }
    }
    mistyped.map_or(Ok(None), Err)
}

fn bare_uuid(text: &str) -> Option<&str> {
    (text.len() == 36 && text.bytes().filter(|b| *b == b'-').count() == 4).then_some(text)
}

fn bare_bpn(text: &str) -> Option<&str> {
    (text.len() == 16 && ["BPNL", "BPNS", "BPNA"].iter().any(|p| text.starts_with(p)))
        .then_some(text)
}

fn uuid_urn(uuid: &str) -> Result<String, IdentifierError> {
    let groups: Vec<&str> = uuid.split('-').collect();
    let fits = groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12])
        && uuid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    if fits {
        Ok(format!("urn:uuid:{}", uuid.to_ascii_lowercase()))
    } else {
        Err(malformed(
            "the UUID",
            "expected 8-4-4-4-12 hexadecimal digits",
        ))
    }
}

fn did(rest: &str) -> Result<String, IdentifierError> {
    if let Some(key) = rest.strip_prefix("key:") {
        let base58 = |b: u8| b.is_ascii_alphanumeric() && !b"0OIl".contains(&b);
        return if key.starts_with("z6Mk") && key.len() == 48 && key.bytes().all(base58) {
            Ok(format!("did:key:{key}"))
        } else {
            Err(malformed(
                "the did:key",
                "expected an Ed25519 key: z6Mk and 44 more characters",
            ))
        };
    }
    let Some(web) = rest.strip_prefix("web:") else {
        return Err(malformed("the DID", "only did:web and did:key are known"));
    };
    let (host, path) = web
        .split_once(':')
        .map_or((web, None), |(h, p)| (h, Some(p)));
    let (name, port) = match host.split_once("%3A").or_else(|| host.split_once("%3a")) {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let mut canonical = format!("did:web:{}", prefix::host(name)?);
    if let Some(port) = port {
        if port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed("the did:web port", "expected a number"));
        }
        canonical.push_str("%3A");
        canonical.push_str(port);
    }
    if let Some(path) = path {
        for segment in path.split(':') {
            check_segment("the did:web path", segment)?;
        }
        canonical.push(':');
        canonical.push_str(path);
    }
    Ok(canonical)
}

fn host_and_path(
    what: &'static str,
    rest: &str,
    needs_path: bool,
) -> Result<String, IdentifierError> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = prefix::host(host)?;
    if path.is_empty() {
        return if needs_path {
            Err(malformed(what, "expected host/name"))
        } else {
            Ok(host)
        };
    }
    for segment in path.split('/') {
        check_segment(what, segment)?;
    }
    Ok(format!("{host}/{path}"))
}

/// A profile's name: 1 to 4 parts of lower-case letters, digits, dots and hyphens.
fn profile_name(name: &str) -> Result<&str, IdentifierError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    let part = |part: &str| !part.is_empty() && part.bytes().all(plain);
    if name.split('/').count() <= 4 && name.split('/').all(part) {
        Ok(name)
    } else {
        Err(malformed(
            "the profile's name",
            "expected up to 4 parts of lower-case letters, digits, dots and hyphens, as \
             eu-battery/ev",
        ))
    }
}

/// A path segment without anything that two readers could take for two things.
fn check_segment(what: &'static str, segment: &str) -> Result<(), IdentifierError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@+=,".contains(&b);
    if segment.is_empty() || segment == "." || segment == ".." || !segment.bytes().all(plain) {
        return Err(malformed(
            what,
            "its path has empty or dot segments, a query, a fragment or characters other than \
             letters, digits and -._~@+=,",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_one_thing_becomes_one() {
        for (text, canonical) in [
            (
                "https://id.gs1.org/01/09521234002000",
                "https://id.gs1.org/01/09521234002000",
            ),
            (
                "https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001",
                "https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001",
            ),
            (
                "urn:epc:id:sgtin:9521234.000200.STAX1",
                "https://id.gs1.org/01/09521234002000/21/STAX1",
            ),
            (
                "https://id.gs1.org/8004/95212340BMS26001",
                "https://id.gs1.org/8004/95212340BMS26001",
            ),
            (
                "7EEEAC86-7b69-444d-81e6-655d0f1513bd",
                "urn:uuid:7eeeac86-7b69-444d-81e6-655d0f1513bd",
            ),
            (
                "http://ID.gs1.org/01/09521234002000",
                "https://id.gs1.org/01/09521234002000",
            ),
            ("BPNL00000003CML1", "bpn:BPNL00000003CML1"),
            ("profile:eu-battery/ev", "profile:eu-battery/ev"),
            ("https://Example.com/Parts/7", "https://example.com/Parts/7"),
            // GS1 Digital Link URI 1.4 lets any host serve one, below a path of its own.
            (
                "https://example.com/01/09521234002000/21/STAX1",
                "https://id.gs1.org/01/09521234002000/21/STAX1",
            ),
            (
                "http://shop.example.com/de/p/01/9521234002000",
                "https://id.gs1.org/01/09521234002000",
            ),
            // Not a key: an address of the host's own.
            (
                "https://example.com/01/part-7",
                "https://example.com/01/part-7",
            ),
        ] {
            let identifier = Identifier::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(identifier.as_str(), canonical);
            assert!(Identifier::parse_canonical(canonical).is_ok());
        }
    }

    #[test]
    fn a_wrong_check_digit_names_the_right_one() {
        assert_eq!(
            Identifier::parse("https://id.gs1.org/01/09521234002001"),
            Err(IdentifierError::CheckDigit {
                what: "GTIN",
                digits: "09521234002001".into(),
                expected: '0'
            })
        );
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for bad in [
            "",
            "hello",
            "https://id.gs1.org/01/123",
            "https://id.gs1.org/99/123",
            "https://example.com/01/09521234002001",
            "https://not a host/01/09521234002000",
            "https://Id.gs1.org/01/09521234002000/21.STAX1",
            "http://example.com/parts/7",
            "https://example.com/a/../b",
            "https://example.com/a?b",
            "https://user@example.com/a",
            "urn:uuid:1-2-3-4-5",
            "profile:",
            "profile:EU/ev",
            "profile:a//b",
            "profile:a/b/c/d/e",
            "lei:529900T8BM49AURSDO56",
            "a b",
        ] {
            assert!(Identifier::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_made_uuid_is_canonical() {
        let made = Identifier::uuid([0xff; 16]);
        assert_eq!(
            made.as_str(),
            "urn:uuid:ffffffff-ffff-8fff-bfff-ffffffffffff"
        );
        assert_eq!(Identifier::parse_canonical(made.as_str()), Ok(made));
    }

    #[test]
    fn another_spelling_does_not_decode() {
        let bytes = crate::codec::encode(&String::from("BPNL00000003CML1"));
        assert!(crate::codec::decode::<Identifier>(&bytes, 200).is_err());
    }

    #[test]
    fn a_prefix_covers_its_own_identifiers_only() {
        let covers = |prefix: &str, id: &str| {
            Identifier::parse(id)
                .unwrap()
                .required_prefix_matches(&Prefix::parse(prefix).unwrap())
        };
        assert!(covers(
            "gs1:9521234",
            "https://id.gs1.org/01/09521234002000"
        ));
        assert!(covers(
            "gs1:9521234",
            "https://id.gs1.org/00/095212340000000174"
        ));
        assert!(covers(
            "gs1:9521234",
            "https://id.gs1.org/8004/95212340BMS26001"
        ));
        assert!(covers(
            "gs1:9521234",
            "https://id.gs1.org/414/9521234000112"
        ));
        assert!(!covers(
            "gs1:9521235",
            "https://id.gs1.org/01/09521234002000"
        ));
        assert!(covers("domain:example.com", "https://example.com/x"));
        assert!(!covers("domain:example.com", "https://notexample.com/x"));
        assert!(covers("domain:example.com", "dataset:example.com/x"));
        assert!(covers("domain:example.com", "did:web:example.com:x"));
    }
}
