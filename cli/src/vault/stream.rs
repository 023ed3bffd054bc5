//! The streams that are remembered, and the lock that makes one process at a time speak in one.

use std::fs;
use std::path::PathBuf;

use super::Vault;
use super::name::{Name, STREAMS, encode};
use super::store::{list, make_directory};
use crate::error::CliError;

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
        let file = format!("{}.lock", encode(name));
        let path = self.streams_directory().join(file);
        let file = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|error| CliError::io(&path, &error))?;
        Ok(StreamLock { _file: file })
    }

    /// Whether something is remembered of a stream; the vault's secret is not needed to tell.
    #[must_use]
    pub fn has_stream(&self, name: &str) -> bool {
        self.has(&Name::Stream(name.to_owned()))
    }

    /// The names of the streams that are remembered.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the directory cannot be read.
    pub fn streams(&self) -> Result<Vec<String>, CliError> {
        let paths = list(&self.streams_directory())?;
        let names = paths.iter().filter_map(|path| match Name::of_stream(path) {
            Some(Name::Stream(name)) => Some(name),
            _ => None,
        });
        Ok(names.collect())
    }

    fn streams_directory(&self) -> PathBuf {
        self.directory().join(STREAMS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
