//! Who a member is to others: the numbers that registers give to legal entities.
//!
//! | written | who gives it | checked |
//! |---|---|---|
//! | `lei:` | GLEIF, ISO 17442 | ISO 7064 mod 97-10 |
//! | `gln:` | GS1, General Specifications 7.9 | mod 10 |
//! | `bpn:` | Catena-X, CX-0010 | ISO 7064 mod 1271-36 |
//! | `eori:` | customs, (EU) 952/2013 | country and length: it has no check digit |
//! | `kr-brn:` | Korea's tax office, 사업자등록번호 | weighted mod 10 |
//! | `jp-cn:` | Japan's tax agency, 法人番号 | weighted mod 9 |
//! | `did:web:`, `did:key:` | its holder, W3C DID | form |
//!
//! Blanks and hyphens that people write in numbers do not count; letters become upper case.

use jangbu_ledger::identifier::{Identifier, Prefix};

/// A member's identifier in its one canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartyIdentifier(String);

/// Why a text is not a member's identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartyError {
    /// No scheme that is known for members.
    #[error(
        "{0:?} names no register; write lei:, gln:, bpn:, eori:, kr-brn:, jp-cn:, did:web: or \
         did:key: and the number"
    )]
    UnknownScheme(String),
    /// The number has another form.
    #[error("{value:?} is no {what}: expected {expected}")]
    Form {
        /// Which number.
        what: &'static str,
        /// As given, without its scheme.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
    /// A check digit is wrong: somebody mistyped.
    #[error("{value:?} is no {what}: its check digit is wrong, compare it with the original")]
    CheckDigit {
        /// Which number.
        what: &'static str,
        /// As given, without its scheme.
        value: String,
    },
    /// Right, but not in canonical form.
    #[error("{got:?} is not canonical; write {canonical:?}")]
    NotCanonical {
        /// As given.
        got: String,
        /// As it should be.
        canonical: String,
    },
}

/// Longest identifier that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 128;

/// A register of legal entities and the form of its numbers.
struct Register {
    scheme: &'static str,
    what: &'static str,
    expected: &'static str,
    fits: fn(&str) -> bool,
    /// Whether the check digits agree with the others; only asked if the form fits.
    checks: fn(&str) -> bool,
}

const REGISTERS: [Register; 6] = [
    Register {
        scheme: "lei",
        what: "LEI",
        expected: "20 letters or digits",
        fits: |n| n.len() == 20 && alphanumeric(n),
        checks: |n| Prefix::parse(&format!("lei:{n}")).is_ok(),
    },
    Register {
        scheme: "gln",
        what: "GLN",
        expected: "13 digits",
        fits: |n| n.len() == 13 && decimal(n),
        checks: gs1,
    },
    Register {
        scheme: "bpn",
        what: "BPN",
        expected: "BPNL and 12 letters or digits",
        fits: |n| n.len() == 16 && n.starts_with("BPNL") && alphanumeric(n),
        checks: catena_x,
    },
    Register {
        scheme: "eori",
        what: "EORI",
        expected: "the country's two letters (EU, GB or XI) and up to 15 letters or digits",
        fits: eori,
        checks: |_| true,
    },
    Register {
        scheme: "kr-brn",
        what: "Korean business number",
        expected: "10 digits",
        fits: |n| n.len() == 10 && decimal(n),
        checks: korean,
    },
    Register {
        scheme: "jp-cn",
        what: "Japanese corporate number",
        expected: "13 digits",
        fits: |n| n.len() == 13 && decimal(n),
        checks: japanese,
    },
];

impl PartyIdentifier {
    /// Reads what people write, and makes it canonical.
    ///
    /// # Errors
    ///
    /// [`PartyError`] naming the number and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PartyError> {
        let unknown = || PartyError::UnknownScheme(text.chars().take(80).collect());
        if text.len() > TEXT_BYTES_MAX {
            return Err(unknown());
        }
        let (scheme, value) = text.split_once(':').ok_or_else(unknown)?;
        if scheme == "did" {
            let did = Identifier::parse(text).map_err(|_| PartyError::Form {
                what: "DID",
                value: text.to_owned(),
                expected: "did:web: with a host name, or did:key: with an Ed25519 key",
            })?;
            return Ok(Self(did.to_string()));
        }
        let register = REGISTERS
            .iter()
            .find(|register| register.scheme == scheme)
            .ok_or_else(unknown)?;
        let number: String = value
            .chars()
            .filter(|c| !matches!(c, ' ' | '-'))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let (what, value) = (register.what, value.to_owned());
        if !(register.fits)(&number) {
            return Err(PartyError::Form {
                what,
                value,
                expected: register.expected,
            });
        }
        if !(register.checks)(&number) {
            return Err(PartyError::CheckDigit { what, value });
        }
        Ok(Self(format!("{scheme}:{number}")))
    }

    /// Reads an identifier that must be canonical already.
    ///
    /// # Errors
    ///
    /// [`PartyError`]; [`PartyError::NotCanonical`] if it is right but spelled otherwise.
    pub fn parse_canonical(text: &str) -> Result<Self, PartyError> {
        let party = Self::parse(text)?;
        if party.0 == text {
            Ok(party)
        } else {
            Err(PartyError::NotCanonical {
                got: text.to_owned(),
                canonical: party.0,
            })
        }
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PartyIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn alphanumeric(number: &str) -> bool {
    number.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn decimal(number: &str) -> bool {
    number.bytes().all(|b| b.is_ascii_digit())
}

fn digits(number: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    number.bytes().map(|b| u32::from(b.saturating_sub(b'0')))
}

/// GS1 mod 10: weights 1 and 3 in turn from the right, the check digit included.
fn gs1(number: &str) -> bool {
    let sum: u32 = digits(number)
        .rev()
        .zip([1, 3].into_iter().cycle())
        .map(|(d, w)| d * w)
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 mod 1271-36 over the 12 characters after `BPNL`: the last two are the check.
fn catena_x(number: &str) -> bool {
    let value = |b: u8| match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        _ => u32::from(b.saturating_sub(b'A')) + 10,
    };
    number
        .bytes()
        .skip(4)
        .fold(0, |rest, b| (rest * 36 + value(b)) % 1271)
        == 1
}

/// The countries whose customs give EORI numbers.
const EORI_COUNTRIES: [&str; 29] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE",
    "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
];

fn eori(number: &str) -> bool {
    number.split_at_checked(2).is_some_and(|(country, rest)| {
        EORI_COUNTRIES.contains(&country) && (1..=15).contains(&rest.len()) && alphanumeric(rest)
    })
}

/// 국세청: weights over nine digits, and the tens of the ninth's product.
fn korean(number: &str) -> bool {
    let weighted: u32 = digits(number)
        .zip([1, 3, 7, 1, 3, 7, 1, 3, 5, 1])
        .map(|(digit, weight)| digit * weight)
        .sum();
    let tens = digits(number).nth(8).unwrap_or(0) * 5 / 10;
    (weighted + tens).is_multiple_of(10)
}

/// 国税庁: the first digit is nine less the weighted sum of the others modulo nine, with weights
/// 1 and 2 in turn from the right.
fn japanese(number: &str) -> bool {
    let (check, rest) = number.split_at_checked(1).unwrap_or_default();
    let sum: u32 = digits(rest)
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(d, w)| d * w)
        .sum();
    digits(check).next() == Some(9 - sum % 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One right number each, written as people do, and its canonical form. From the registers'
    /// own documents: GLEIF's LEI, GS1's example prefix, Catena-X test data, the Korean and
    /// Japanese tax offices' published examples.
    const RIGHT: [(&str, &str); 8] = [
        ("lei:5067 00ge 1g29 325q x363", "lei:506700GE1G29325QX363"),
        ("gln:9521234000006", "gln:9521234000006"),
        ("bpn:bpnl00000003cml1", "bpn:BPNL00000003CML1"),
        ("eori:de 123456789012345", "eori:DE123456789012345"),
        ("kr-brn:124-81-00998", "kr-brn:1248100998"),
        ("jp-cn:7000012050002", "jp-cn:7000012050002"),
        ("jp-cn:5-8356-7825-6246", "jp-cn:5835678256246"),
        ("did:web:Example.com", "did:web:example.com"),
    ];

    #[test]
    fn each_registers_numbers_are_read_as_people_write_them() {
        for (text, canonical) in RIGHT {
            let party = PartyIdentifier::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(party.as_str(), canonical);
            assert!(PartyIdentifier::parse_canonical(canonical).is_ok());
        }
        assert!(matches!(
            PartyIdentifier::parse_canonical("kr-brn:124-81-00998"),
            Err(PartyError::NotCanonical { canonical, .. }) if canonical == "kr-brn:1248100998"
        ));
    }

    #[test]
    fn any_mistyped_digit_is_noticed() {
        for canonical in [
            "lei:506700GE1G29325QX363",
            "gln:9521234000006",
            "kr-brn:1248100998",
        ] {
            let start = canonical.find(':').unwrap() + 1;
            for at in start..canonical.len() {
                let mut bytes = canonical.as_bytes().to_vec();
                if !bytes[at].is_ascii_digit() {
                    continue;
                }
                bytes[at] = if bytes[at] == b'9' {
                    b'0'
                } else {
                    bytes[at] + 1
                };
                let mistyped = String::from_utf8(bytes).unwrap();
                let error = PartyIdentifier::parse(&mistyped).unwrap_err();
                assert!(
                    matches!(error, PartyError::CheckDigit { .. }),
                    "{mistyped}: {error}"
                );
            }
        }
        for mistyped in [
            "bpn:BPNL00000003CML2",
            "jp-cn:7000012050003",
            "bpn:BPNL00000004CML1",
        ] {
            let error = PartyIdentifier::parse(mistyped).unwrap_err().to_string();
            assert!(error.contains("check digit"), "{mistyped}: {error}");
        }
    }

    #[test]
    fn what_is_no_members_number_names_what_was_expected() {
        for (text, part) in [
            ("506700GE1G29325QX363", "names no register"),
            ("duns:123456789", "names no register"),
            ("gln:123", "13 digits"),
            ("kr-brn:12345", "10 digits"),
            ("eori:US123", "EU, GB or XI"),
            ("bpn:BPNS00000003CML1", "BPNL"),
            ("did:example:1", "did:web:"),
            ("lei:", "20 letters"),
            ("jp-cn:日本", "13 digits"),
        ] {
            let error = PartyIdentifier::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(PartyIdentifier::parse(&"lei:".repeat(100)).is_err());
    }
}
