//! The verifier's side of finality as a file that C2SP tools read.
//!
//! ```text
//!   log <vkey>                       one line for each node's log key, all under one origin
//!   witness <name> <vkey>            one line for each validator
//!   group validators <k> <name> …
//!   quorum validators
//! ```
//!
//! Source: c2sp.org/tlog-policy.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::checkpoint::{Witness, check_key};
use crate::note::{KeyKind, KeyName, VerifierKey};
use crate::signature::PublicKey;

/// Name of the one group.
const GROUP: &str = "validators";

/// Why no policy can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The quorum is 0 or more than there are witnesses.
    #[error("a quorum of {quorum} among {witnesses} witnesses makes no sense")]
    Quorum {
        /// Quorum asked for.
        quorum: usize,
        /// Number of witnesses.
        witnesses: usize,
    },
    /// No log key: tools would accept no checkpoint.
    #[error("a policy names at least one log key")]
    NoLogKey,
    /// Two entries have one name or one key, or a name is reserved by the format.
    #[error("{name} is reserved or stands in the policy twice, by name or by key")]
    Ambiguous {
        /// Name of the witness, or of the log.
        name: KeyName,
    },
    /// A key that libraries disagree on.
    #[error("the key of {name} is not a canonical point of prime order")]
    Key {
        /// Name of the witness, or of the log.
        name: KeyName,
    },
}

/// Writes the policy: any of `log_keys` under `origin`, and `quorum` of `witnesses`.
///
/// # Errors
///
/// [`PolicyError`] if the outcome would demand nothing, or be read differently by two tools.
pub fn policy_text(
    origin: &KeyName,
    log_keys: &[PublicKey],
    witnesses: &[Witness],
    quorum: usize,
) -> Result<String, PolicyError> {
    if quorum == 0 || quorum > witnesses.len() {
        return Err(PolicyError::Quorum {
            quorum,
            witnesses: witnesses.len(),
        });
    }
    if log_keys.is_empty() {
        return Err(PolicyError::NoLogKey);
    }
    // "none" is the group of nobody, "any" and "all" stand where a group's number stands.
    let mut names: BTreeSet<&str> = BTreeSet::from([GROUP, "none", "any", "all"]);
    let mut keys = BTreeSet::new();
    let mut text = String::new();
    for key in log_keys {
        let log = VerifierKey {
            name: origin.clone(),
            kind: KeyKind::Ed25519,
            key: *key,
        };
        check_key(key).map_err(|_| PolicyError::Key {
            name: origin.clone(),
        })?;
        if !keys.insert(*key) {
            return Err(PolicyError::Ambiguous {
                name: origin.clone(),
            });
        }
        push(&mut text, format_args!("log {log}\n"));
    }
    for witness in witnesses {
        let name = &witness.name;
        check_key(&witness.key).map_err(|_| PolicyError::Key { name: name.clone() })?;
        if !names.insert(name.as_str()) || !keys.insert(witness.key) {
            return Err(PolicyError::Ambiguous { name: name.clone() });
        }
        push(
            &mut text,
            format_args!("witness {name} {}\n", witness.verifier_key()),
        );
    }
    push(&mut text, format_args!("group {GROUP} {quorum}"));
    for witness in witnesses {
        push(&mut text, format_args!(" {}", witness.name));
    }
    push(&mut text, format_args!("\nquorum {GROUP}\n"));
    Ok(text)
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece)
        .expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey(SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes())
    }

    fn witness(n: u8) -> Witness {
        Witness {
            name: format!("v{n}").parse().unwrap(),
            key: key(n),
        }
    }

    fn write(logs: &[PublicKey], witnesses: &[Witness], k: usize) -> Result<String, PolicyError> {
        policy_text(&"jangbu/acme/00".parse().unwrap(), logs, witnesses, k)
    }

    #[test]
    fn a_policy_names_every_log_key_and_the_quorum() {
        let witnesses = [witness(1), witness(2), witness(3), witness(4)];
        let text = write(&[key(8), key(9)], &witnesses, 3).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 8);
        for (line, n) in [(lines[0], 8), (lines[1], 9)] {
            let vkey: VerifierKey = line.strip_prefix("log ").unwrap().parse().unwrap();
            assert_eq!((vkey.key, vkey.kind), (key(n), KeyKind::Ed25519));
        }
        let vkey = lines[2].strip_prefix("witness v1 ").unwrap();
        assert_eq!(vkey.parse(), Ok(witness(1).verifier_key()));
        assert_eq!(
            lines[6..],
            ["group validators 3 v1 v2 v3 v4", "quorum validators"]
        );
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_policy_that_two_tools_could_read_differently_is_not_written() {
        let (log, two) = ([key(9)], [witness(1), witness(2)]);
        assert!(matches!(
            write(&log, &two, 0),
            Err(PolicyError::Quorum { .. })
        ));
        assert!(matches!(
            write(&log, &two, 3),
            Err(PolicyError::Quorum { .. })
        ));
        assert_eq!(write(&[], &two, 1), Err(PolicyError::NoLogKey));
        let same_key = Witness {
            key: key(1),
            ..witness(2)
        };
        let same_name = Witness {
            name: witness(1).name,
            ..witness(2)
        };
        let reserved = Witness {
            name: "none".parse().unwrap(),
            ..witness(2)
        };
        let the_log = Witness {
            key: key(9),
            ..witness(2)
        };
        for second in [same_key, same_name, reserved, the_log] {
            let got = write(&log, &[witness(1), second], 1);
            assert!(matches!(got, Err(PolicyError::Ambiguous { .. })));
        }
        let weak = Witness {
            key: PublicKey([0; 32]),
            ..witness(2)
        };
        assert!(matches!(
            write(&log, &[weak], 1),
            Err(PolicyError::Key { .. })
        ));
    }
}
