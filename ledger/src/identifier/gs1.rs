//! GS1 keys: Digital Links and EPC URNs to one canonical Digital Link.

use super::{IdentifierError, malformed};

const ROOT: &str = "https://id.gs1.org/";
/// Longest serial, lot or asset reference, by the application identifiers' definitions.
const SERIAL_MAX: usize = 20;
const GIAI_MAX: usize = 30;

/// The application identifiers that a link may begin with.
const KEYS: [&str; 6] = ["01", "00", "414", "417", "8003", "8004"];

/// Whether a path begins like a Digital Link's.
pub(super) fn begins(path: &str) -> bool {
    path.split_once('/')
        .is_some_and(|(first, _)| KEYS.contains(&first))
}

/// The canonical form of what follows `https://id.gs1.org/`.
pub(super) fn digital_link(link: &str) -> Result<String, IdentifierError> {
    // None has more than four parts; the fifth is the rest.
    let parts: Vec<&str> = link.splitn(5, '/').collect();
    let fits = match parts.as_slice() {
        ["01", gtin] => {
            let gtin = gtin14(gtin)?;
            return Ok(format!("{ROOT}01/{gtin}"));
        }
        ["01", gtin, key @ ("10" | "21"), value] => {
            let gtin = gtin14(gtin)?;
            let what = if *key == "10" {
                "the lot"
            } else {
                "the serial number"
            };
            serial(what, value, SERIAL_MAX)?;
            return Ok(format!("{ROOT}01/{gtin}/{key}/{value}"));
        }
        ["00", sscc] => digits("SSCC", sscc, 18).and_then(|()| check_digit("SSCC", sscc)),
        ["414" | "417", gln] => digits("GLN", gln, 13).and_then(|()| check_digit("GLN", gln)),
        ["414", gln, "254", extension] => digits("GLN", gln, 13)
            .and_then(|()| check_digit("GLN", gln))
            .and_then(|()| serial("the GLN extension", extension, SERIAL_MAX)),
        ["8003", grai] => grai_fits(grai),
        ["8004", giai] => serial("the GIAI", giai, GIAI_MAX).and_then(|()| {
            if giai.bytes().take(4).filter(u8::is_ascii_digit).count() == 4 {
                Ok(())
            } else {
                Err(malformed(
                    "the GIAI",
                    "it starts with the company prefix's digits",
                ))
            }
        }),
        _ => Err(malformed(
            "the GS1 Digital Link",
            "expected /01/GTIN with /10/lot or /21/serial, /00/SSCC, /414/GLN, /417/GLN, \
             /8003/GRAI or /8004/GIAI",
        )),
    };
    fits.map(|()| format!("{ROOT}{link}"))
}

/// The Digital Link of an EPC or class URN, given without `urn:epc:`.
pub(super) fn epc_urn(urn: &str) -> Result<String, IdentifierError> {
    let unknown = || {
        malformed(
            "the EPC URN",
            "known are id:sgtin, id:sscc, id:sgln, id:giai, \
         class:lgtin and idpat:sgtin",
        )
    };
    let Some((scheme, rest)) = urn.rsplit_once(':') else {
        return Err(unknown());
    };
    let mut parts = rest.splitn(3, '.');
    let (Some(company), Some(reference)) = (parts.next(), parts.next()) else {
        return Err(malformed(
            "the EPC URN",
            "expected company prefix and reference",
        ));
    };
    let last = parts.next();
    if !(6..=12).contains(&company.len()) || !company.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed(
            "the EPC URN's company prefix",
            "expected 6 to 12 digits",
        ));
    }
    match (scheme, last) {
        ("id:sgtin" | "class:lgtin", Some(last)) => {
            let gtin = gtin_of(company, reference)?;
            let key = if scheme == "id:sgtin" { "21" } else { "10" };
            digital_link(&format!("01/{gtin}/{key}/{last}"))
        }
        ("idpat:sgtin", Some("*")) => digital_link(&format!("01/{}", gtin_of(company, reference)?)),
        ("id:sscc", None) => {
            let body = indicator_first(company, reference, 17, "SSCC")?;
            digital_link(&format!("00/{}", with_check_digit(&body)))
        }
        ("id:sgln", Some(extension)) => {
            let body = format!("{company}{reference}");
            digits("GLN", &body, 12)?;
            let gln = with_check_digit(&body);
            if extension == "0" {
                digital_link(&format!("414/{gln}"))
            } else {
                digital_link(&format!("414/{gln}/254/{extension}"))
            }
        }
        ("id:giai", None) => digital_link(&format!("8004/{company}{reference}")),
        _ => Err(unknown()),
    }
}

fn gtin_of(company: &str, reference: &str) -> Result<String, IdentifierError> {
    Ok(with_check_digit(&indicator_first(
        company, reference, 13, "GTIN",
    )?))
}

/// The reference's first digit goes before the company prefix.
fn indicator_first(
    company: &str,
    reference: &str,
    length: usize,
    what: &'static str,
) -> Result<String, IdentifierError> {
    digits(what, reference, length - company.len())?;
    let (indicator, item) = reference.split_at(1);
    Ok(format!("{indicator}{company}{item}"))
}

fn grai_fits(grai: &str) -> Result<(), IdentifierError> {
    // The 0 that fills the GTIN-14 layout, 13 digits with a check digit, an optional serial.
    let Some((number, rest)) = grai.split_at_checked(14) else {
        return Err(malformed("the GRAI", "expected at least 14 digits"));
    };
    digits("GRAI", number, 14)?;
    check_digit("GRAI", number)?;
    if rest.is_empty() {
        Ok(())
    } else {
        serial("the GRAI's serial", rest, 16)
    }
}

fn gtin14(text: &str) -> Result<String, IdentifierError> {
    if ![8, 12, 13, 14].contains(&text.len()) {
        return Err(malformed(
            "the GTIN",
            format!("{} digits; expected 8, 12, 13 or 14", text.len()),
        ));
    }
    let padded = format!("{text:0>14}");
    digits("GTIN", &padded, 14)?;
    check_digit("GTIN", &padded)?;
    Ok(padded)
}

fn digits(what: &'static str, text: &str, count: usize) -> Result<(), IdentifierError> {
    if text.len() == count && count > 0 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(())
    } else {
        Err(malformed(
            what,
            format!("expected {count} digits, got {text:?}"),
        ))
    }
}

fn serial(what: &'static str, text: &str, max: usize) -> Result<(), IdentifierError> {
    // GS1's character set 82 without what a URL would have to escape.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._!'()*+,:;=&$@~".contains(&b);
    if (1..=max).contains(&text.len()) && text.bytes().all(plain) {
        Ok(())
    } else {
        Err(malformed(
            what,
            format!("expected 1 to {max} unescaped characters, got {text:?}"),
        ))
    }
}

fn check_digit(what: &'static str, number: &str) -> Result<(), IdentifierError> {
    let (body, _) = number.split_at(number.len().saturating_sub(1));
    let expected = with_check_digit(body);
    if expected == number {
        Ok(())
    } else {
        let expected = expected.chars().next_back().unwrap_or('0');
        Err(IdentifierError::CheckDigit {
            what,
            digits: number.to_owned(),
            expected,
        })
    }
}

/// Appends the modulo-10 check digit: weights 3 and 1 from the right.
fn with_check_digit(body: &str) -> String {
    let sum: u32 = body
        .bytes()
        .rev()
        .zip([3, 1].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}
