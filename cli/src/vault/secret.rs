//! The vault's secret on paper or in a file of its own: one line, with a check of what was typed.

use jangbu_genesis::key_file::SecretKey;
use jangbu_ledger::hash::{Domain, parse_hex};
use zeroize::Zeroizing;

/// What the line begins with.
const FORMAT: &str = "jangbu-vault-secret/1";
const CHECK: Domain = Domain::new("jangbu/vault-secret-check/v1");
const CHECK_BYTES: usize = 4;
/// Largest file in bytes.
pub(super) const SECRET_BYTES_MAX: u64 = 1024;

/// Why a line is no vault secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SecretError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Something else.
    #[error("it is no vault secret: one begins with {FORMAT}")]
    Foreign,
    /// Its end is missing.
    #[error("it is cut: the secret has 64 hexadecimal digits, its check 8")]
    Cut,
    /// A digit is not what was written.
    #[error("it was altered or mistyped: the check at its end does not fit")]
    Altered,
}

/// The line.
pub(super) fn line_of(secret: &SecretKey) -> Zeroizing<String> {
    let digits = Zeroizing::new(hex::encode(secret.expose()));
    Zeroizing::new(format!(
        "{FORMAT} {} {}\n",
        digits.as_str(),
        hex::encode(check(secret))
    ))
}

/// Reads the line.
pub(super) fn parse(bytes: &[u8]) -> Result<SecretKey, SecretError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SecretError::Foreign)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(SecretError::Empty);
    }
    let Some(rest) = text.strip_prefix(FORMAT) else {
        return Err(match FORMAT.starts_with(text) {
            true => SecretError::Cut,
            false => SecretError::Foreign,
        });
    };
    let mut words = rest.split_ascii_whitespace();
    let (digits, sum) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if digits.len() < 64 || sum.len() < 2 * CHECK_BYTES {
        return Err(SecretError::Cut);
    }
    let secret = parse_hex("secret", digits).map_err(|_| SecretError::Altered)?;
    let secret = SecretKey::from_bytes(secret);
    if sum != hex::encode(check(&secret)) || words.next().is_some() {
        return Err(SecretError::Altered);
    }
    Ok(secret)
}

fn check(secret: &SecretKey) -> [u8; CHECK_BYTES] {
    let [a, b, c, d, ..] = CHECK.keyed(secret.expose(), b"");
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_it_was_written_and_a_slip_is_noticed() {
        let secret = SecretKey::from_bytes([0xa7; 32]);
        let line = line_of(&secret);
        assert!(parse(line.as_bytes()).is_ok_and(|read| read == secret));
        let typed = line.replace(' ', "\n  ");
        assert!(parse(typed.as_bytes()).is_ok_and(|read| read == secret));
        let line = line.trim_end();
        assert_eq!(parse(b"\n").err(), Some(SecretError::Empty));
        for length in 1..line.len() {
            let error = parse(&line.as_bytes()[..length]).err();
            assert_eq!(error, Some(SecretError::Cut), "{length}");
        }
        for at in 0..line.len() {
            let mut altered = line.as_bytes().to_vec();
            altered[at] ^= 1;
            let error = parse(&altered).err();
            assert!(error.is_some(), "{at}");
            if at < FORMAT.len() {
                assert_eq!(error, Some(SecretError::Foreign), "{at}");
            } else if line.as_bytes()[at] != b' ' {
                assert_eq!(error, Some(SecretError::Altered), "{at}");
            }
        }
    }
}
