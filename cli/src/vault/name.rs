//! What the vault's encrypted files are called: what is in them is secret, their names are not.

use std::path::{Path, PathBuf};

use jangbu_ledger::id::StatementId;

/// How an encrypted file's name ends.
pub(super) const SUFFIX: &str = "sealed";
/// Directory of what opens statements.
pub(super) const OPENINGS: &str = "openings";
/// Directory of what is remembered of data shares.
pub(super) const STREAMS: &str = "streams";

/// Longest name of a file, in bytes: what file systems take.
const FILE_NAME_BYTES_MAX: usize = 255;
/// Longest name of a data share as a file's ([`encode`]), in bytes: its ending comes after it.
pub(crate) const STREAM_NAME_BYTES_MAX: usize = FILE_NAME_BYTES_MAX - SUFFIX.len() - 1;

/// How many bytes a data share's name has as a file's.
pub(crate) fn stream_name_bytes(name: &str) -> usize {
    encode(name).len()
}

/// One encrypted file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// What opens a statement.
    Opening(StatementId),
    /// What is remembered of a data share of this name.
    Stream(String),
}

impl Name {
    /// Where it is in a vault.
    pub(super) fn path(&self, vault: &Path) -> PathBuf {
        vault.join(format!("{self}.{SUFFIX}"))
    }

    /// The name of a file in the directory of openings; `None` for any other file.
    pub(super) fn of_opening(path: &Path) -> Option<Self> {
        Self::stem(path)?.parse().ok().map(Self::Opening)
    }

    /// The name of a file in the directory of data shares; `None` for any other file.
    pub(super) fn of_stream(path: &Path) -> Option<Self> {
        Self::stem(path).and_then(decode).map(Self::Stream)
    }

    fn stem(path: &Path) -> Option<&str> {
        let sealed = path.extension().is_some_and(|end| end == SUFFIX);
        path.file_stem()?.to_str().filter(|_| sealed)
    }

    /// Reads what [`std::fmt::Display`] writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (directory, file) = text.split_once('/')?;
        let name = match directory {
            OPENINGS => Self::Opening(file.parse().ok()?),
            STREAMS => Self::Stream(decode(file)?),
            _ => return None,
        };
        (name.to_string() == text).then_some(name)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opening(id) => write!(f, "{OPENINGS}/{id}"),
            Self::Stream(name) => write!(f, "{STREAMS}/{}", encode(name)),
        }
    }
}

/// A data share's name as a file's: all but letters, digits, `-` and `_` as `%XX`.
pub(super) fn encode(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written_and_leads_nowhere_else() {
        let id = StatementId([9; 32]);
        let names = ["urn:uuid:1/2", "../evil", "장부", "a.b", "%"];
        let names = names.map(|name| Name::Stream(name.to_owned()));
        for name in names.into_iter().chain([Name::Opening(id)]) {
            let text = name.to_string();
            assert_eq!(Name::parse(&text), Some(name.clone()), "{text}");
            let path = name.path(Path::new("v"));
            assert_eq!(path.components().count(), 3, "{path:?}");
            let read = match name {
                Name::Opening(_) => Name::of_opening(&path),
                Name::Stream(_) => Name::of_stream(&path),
            };
            assert_eq!(read, Some(name));
        }
        for text in [
            "streams/../x",
            "streams/a.b",
            "openings/x",
            "other/x",
            "streams",
            "streams/%6",
        ] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
        assert_eq!(Name::of_stream(Path::new("v/streams/s.lock")), None);
    }
}
