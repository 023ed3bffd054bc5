//! A member's key files in one directory.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::key_file::{
    FILE_BYTES_MAX, KdfParams, KeyFile, KeyFileError, Purpose, SecretKey, generate,
};

/// How a key file's name ends.
const FILE_SUFFIX: &str = ".key.json";
/// Who but the owner may do what with a key file: its group may read it, nobody else anything.
const MODE_REFUSED: u32 = 0o027;

/// What unlocks a keystore.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
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

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
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
    /// Others on the machine could read or change it.
    #[error(
        "{}: its permissions are {mode:03o}, so that others on this machine may read or change it; \
         run `chmod 600 {}`", path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
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
        let secret = generate().map_err(|source| KeystoreError::File { path, source })?;
        self.store(purpose, &secret, passphrase, kdf)?;
        Ok(secret.public(purpose))
    }

    /// Whether there is a key file for this purpose; whether it is right is not looked at.
    #[must_use]
    pub fn has(&self, purpose: Purpose) -> bool {
        self.path(purpose).exists()
    }

    /// Stores a key that exists already, from its backup.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`] if there is one, or what the system says.
    pub fn store(
        &self,
        purpose: Purpose,
        secret: &SecretKey,
        passphrase: &Passphrase,
        kdf: KdfParams,
    ) -> Result<(), KeystoreError> {
        let path = self.path(purpose);
        let file = KeyFile::lock(secret, purpose, &passphrase.0, kdf).map_err(|source| {
            KeystoreError::File {
                path: path.clone(),
                source,
            }
        })?;
        self.write(&path, &file)
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::AlreadyExists => KeystoreError::Exists(path.clone()),
                _ => KeystoreError::Io {
                    path: path.clone(),
                    source,
                },
            })
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
                source: KeyFileError::OtherPurpose {
                    found: file.purpose,
                    wanted: purpose,
                },
            });
        }
        file.unlock(&passphrase.0)
            .map_err(|source| KeystoreError::File { path, source })
    }

    /// The keys there are, with their public halves in hexadecimal; no passphrase is needed.
    /// None if the directory does not exist yet.
    ///
    /// # Errors
    ///
    /// [`KeystoreError`] if the directory or a key file cannot be read.
    pub fn list(&self) -> Result<Vec<(Purpose, String)>, KeystoreError> {
        let io = |source| KeystoreError::Io {
            path: self.directory.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let mut keys = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.to_string_lossy().ends_with(FILE_SUFFIX) {
                let file = read(&path)?;
                keys.push((file.purpose, file.public_key));
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, purpose: Purpose) -> PathBuf {
        self.directory.join(format!("{purpose}{FILE_SUFFIX}"))
    }

    /// Whole or not at all, readable by its owner only, never over another.
    fn write(&self, path: &Path, file: &KeyFile) -> std::io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
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
    let file = fs::File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & MODE_REFUSED != 0 {
        return Err(KeystoreError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    // One byte more than allowed, so that a longer file is noticed.
    file.take(FILE_BYTES_MAX + 1)
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

    fn store_with(purpose: Purpose) -> (tempfile::TempDir, Keystore, Passphrase) {
        let directory = tempfile::tempdir().unwrap();
        let store = Keystore::at(directory.path());
        let passphrase = Passphrase::new(b"pass".to_vec());
        store
            .create(purpose, &passphrase, KdfParams::DEVNET)
            .unwrap();
        (directory, store, passphrase)
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused_and_says_how_to_mend_it() {
        let (directory, store, passphrase) = store_with(Purpose::Admin);
        let file = directory.path().join("admin.key.json");
        for (mode, fine) in [(0o644, false), (0o660, false), (0o640, true), (0o600, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            match store.unlock(Purpose::Admin, &passphrase) {
                Ok(_) => assert!(fine, "{mode:o}"),
                Err(error) => {
                    assert!(!fine, "{mode:o}");
                    assert!(error.to_string().contains("chmod 600"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_renamed_key_file_is_named_as_such() {
        let (directory, store, passphrase) = store_with(Purpose::Admin);
        let file = |name: &str| directory.path().join(name);
        fs::rename(file("admin.key.json"), file("attestor.key.json")).unwrap();
        let error = store.unlock(Purpose::Attestor, &passphrase).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("attestor.key.json") && text.contains("the admin key"),
            "{text}"
        );
    }

    #[test]
    fn a_truncated_key_file_is_named_with_its_path() {
        let (directory, store, passphrase) = store_with(Purpose::Admin);
        let file = directory.path().join("admin.key.json");
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(40)
            .unwrap();
        for error in [
            store.unlock(Purpose::Admin, &passphrase).unwrap_err(),
            store.list().unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(
                text.contains("admin.key.json") && text.contains("truncated"),
                "{text}"
            );
        }
    }
}
