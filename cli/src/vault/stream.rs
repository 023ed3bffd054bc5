//! What a sealed stream needs to be remembered, and the lock that makes one process at a time
//! speak in it.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Vault;
use super::store::{list, make_directory, read_if_there, write_atomic};
use crate::error::CliError;

/// Largest stream file in bytes.
const STREAM_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Held by the one process that may speak in a stream; let go when dropped, or when the process
/// ends, however it ends.
#[derive(Debug)]
pub struct StreamLock {
    _file: fs::File,
}

impl Vault {
    /// Waits until no other process speaks in the stream.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the lock's file.
    pub fn lock_stream(&self, name: &str) -> Result<StreamLock, CliError> {
        make_directory(&self.streams_directory())?;
        let path = self.stream_path(name).with_extension("lock");
        let file = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|error| CliError::io(&path, &error))?;
        Ok(StreamLock { _file: file })
    }

    /// What is remembered of a stream.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the file is damaged.
    pub fn stream<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, CliError> {
        let path = self.stream_path(name);
        let Some(bytes) = read_if_there(&path, STREAM_BYTES_MAX)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            CliError::file(&path, format!("it is no stream of this program: {error}"))
                .hint("restore the vault from a backup")
        })
    }

    /// Remembers a stream; on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn keep_stream<T: Serialize>(&self, name: &str, stream: &T) -> Result<(), CliError> {
        let mut text = serde_json::to_vec_pretty(stream).map_err(CliError::internal)?;
        text.push(b'\n');
        write_atomic(&self.stream_path(name), &text)
    }

    /// The names of the streams that are remembered.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the directory cannot be read.
    pub fn streams(&self) -> Result<Vec<String>, CliError> {
        Ok(list(&self.streams_directory())?
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .filter_map(|path| path.file_stem()?.to_str().and_then(decode_name))
            .collect())
    }

    fn streams_directory(&self) -> PathBuf {
        self.directory().join("streams")
    }

    fn stream_path(&self, name: &str) -> PathBuf {
        // `with_extension` would cut a name at its last dot.
        let file = format!("{}.json", encode_name(name));
        self.streams_directory().join(file)
    }
}

/// A stream's name as a file's: all but letters, digits, `-` and `_` as `%XX`.
fn encode_name(name: &str) -> String {
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

fn decode_name(encoded: &str) -> Option<String> {
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
    fn streams_are_remembered_under_any_name() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::at(directory.path().join("vault"));
        for name in ["urn:uuid:1/2", "../evil.json", "장부", "a.b"] {
            vault.keep_stream(name, &name).unwrap();
            assert_eq!(vault.stream::<String>(name).unwrap().as_deref(), Some(name));
        }
        assert_eq!(vault.streams().unwrap().len(), 4);
        assert!(vault.streams().unwrap().contains(&"장부".to_owned()));
        assert_eq!(vault.stream::<String>("other").unwrap(), None);
    }

    #[test]
    fn only_one_at_a_time_speaks_in_a_stream() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::at(directory.path());
        let held = vault.lock_stream("s").unwrap();
        let path = directory.path().join("streams/s.lock");
        assert!(fs::File::open(&path).unwrap().try_lock().is_err());
        drop(held);
        assert!(fs::File::open(&path).unwrap().try_lock().is_ok());
    }
}
