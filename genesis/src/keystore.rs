//! A member's key files in one directory.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::key_file::{
    FILE_BYTES_MAX, KdfParams, KeyFile, KeyFileError, Purpose, SecretKey, generate,
};

/// What unlocks a keystore.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(Vec<u8>);

impl Passphrase {
    /// Wraps a passphrase; line ends after it do not count.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        Self(bytes)
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Key files `<purpose>.key.json` in one directory.
#[derive(Debug, Clone)]
pub struct Keystore {
    directory: PathBuf,
}

/// Why a keystore could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// There is no such key.
    #[error("{}: there is no such key file; make it with `jangbu key new`", .0.display())]
    Missing(PathBuf),
    /// The key exists and is never overwritten.
    #[error("{}: this key exists already and is never overwritten", .0.display())]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no usable key file.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyFileError,
    },
}

impl Keystore {
    /// The keystore in `directory`, which need not exist yet.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Makes and stores a new key; returns its public half.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`] if there is one, or what the system says.
    pub fn create(
        &self,
        purpose: Purpose,
        passphrase: &Passphrase,
        kdf: KdfParams,
    ) -> Result<[u8; 32], KeystoreError> {
        let path = self.path(purpose);
        if path.exists() {
            return Err(KeystoreError::Exists(path));
        }
        let in_file = |source| KeystoreError::File {
            path: path.clone(),
            source,
        };
        let secret = generate().map_err(in_file)?;
        let file = KeyFile::lock(&secret, purpose, &passphrase.0, kdf).map_err(in_file)?;
        self.write(&path, &file)
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::AlreadyExists => KeystoreError::Exists(path.clone()),
                _ => KeystoreError::Io {
                    path: path.clone(),
                    source,
                },
            })?;
        Ok(secret.public(purpose))
    }

    /// Unlocks a key.
    ///
    /// # Errors
    ///
    /// [`KeystoreError`] naming the file and what is wrong with it.
    pub fn unlock(
        &self,
        purpose: Purpose,
        passphrase: &Passphrase,
    ) -> Result<SecretKey, KeystoreError> {
        let path = self.path(purpose);
        let file = read(&path)?;
        if file.purpose != purpose {
            return Err(KeystoreError::File {
                path,
                source: KeyFileError::OtherKey,
            });
        }
        file.unlock(&passphrase.0)
            .map_err(|source| KeystoreError::File { path, source })
    }

    /// The keys there are, with their public halves in hexadecimal; no passphrase is needed.
    ///
    /// # Errors
    ///
    /// [`KeystoreError`] if the directory or a key file cannot be read.
    pub fn list(&self) -> Result<Vec<(Purpose, String)>, KeystoreError> {
        let io = |source| KeystoreError::Io {
            path: self.directory.clone(),
            source,
        };
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.to_string_lossy().ends_with(".key.json") {
                let file = read(&path)?;
                keys.push((file.purpose, file.public_key));
            }
        }
        keys.sort();
        Ok(keys)
    }

    fn path(&self, purpose: Purpose) -> PathBuf {
        self.directory.join(format!(
            "{}.key.json",
            format!("{purpose:?}").to_lowercase()
        ))
    }

    /// Whole or not at all, readable by its owner only, never over another.
    fn write(&self, path: &Path, file: &KeyFile) -> std::io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        // tempfile makes files of mode 0600.
        let mut temporary = tempfile::NamedTempFile::new_in(&self.directory)?;
        temporary.write_all(&serde_json::to_vec_pretty(file)?)?;
        temporary.write_all(b"\n")?;
        temporary.as_file().sync_all()?;
        temporary
            .persist_noclobber(path)
            .map_err(|error| error.error)?;
        fs::File::open(&self.directory)?.sync_all()
    }
}

fn read(path: &Path) -> Result<KeyFile, KeystoreError> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => KeystoreError::Missing(path.to_owned()),
        _ => KeystoreError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .map_err(io)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    KeyFile::parse(&bytes).map_err(|source| KeystoreError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_listed_without_and_unlocked_with_the_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let store = Keystore::at(directory.path().join("keys"));
        let passphrase = Passphrase::new(b"pass\n".to_vec());
        let public = store
            .create(Purpose::Attestor, &passphrase, KdfParams::DEVNET)
            .unwrap();
        assert!(matches!(
            store.create(Purpose::Attestor, &passphrase, KdfParams::DEVNET),
            Err(KeystoreError::Exists(_))
        ));
        assert_eq!(
            store.list().unwrap(),
            vec![(Purpose::Attestor, hex::encode(public))]
        );
        let same = Passphrase::new(b"pass".to_vec());
        let secret = store.unlock(Purpose::Attestor, &same).unwrap();
        assert_eq!(secret.public(Purpose::Attestor), public);
        let error = store
            .unlock(Purpose::Attestor, &Passphrase::new(b"no".to_vec()))
            .unwrap_err();
        assert!(
            error.to_string().contains("the passphrase is wrong"),
            "{error}"
        );
        let error = store.unlock(Purpose::Admin, &same).unwrap_err();
        assert!(matches!(error, KeystoreError::Missing(_)));
    }
}
