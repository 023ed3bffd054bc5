//! A log key as other tools read it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jangbu_ledger::signature::PublicKey;

/// DER of a `SubjectPublicKeyInfo` with an Ed25519 key, up to the key.
///
/// Source: RFC 8410, section 4.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The key as PEM: 44 bytes of DER, which take one line.
pub(super) fn pem(key: &PublicKey) -> String {
    let der = [&SPKI[..], &key.0].concat();
    let line = BASE64_STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard_is_written_as_the_standard_writes_it() {
        // RFC 8410, section 10.1.
        let text = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        assert_eq!(
            pem(&text.parse().unwrap()),
            "-----BEGIN PUBLIC KEY-----\n\
             MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
             -----END PUBLIC KEY-----\n"
        );
    }
}
