//! The vault with its secret at hand: what is in its encrypted files.

use std::path::PathBuf;

use jangbu_genesis::key_file::SecretKey;
use jangbu_ledger::id::StatementId;
use jangbu_ledger::json::{self, DOCUMENT_BYTES_MAX};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Vault;
use super::name::{Name, OPENINGS};
use super::seal::{OVERHEAD, Plain, SealError, seal, unseal};
use super::store::{read_if_there, write_atomic, write_each, write_new, write_synced};
use crate::document::Opening;
use crate::error::CliError;

/// Openings hold a document and little else; escapes may make the file longer than its source.
pub(super) const CONTENT_BYTES_MAX: u64 = 4 * DOCUMENT_BYTES_MAX as u64;

/// A vault that is unlocked.
#[derive(Debug, Clone, Copy)]
pub struct OpenVault<'a> {
    pub(super) vault: &'a Vault,
    pub(super) secret: &'a SecretKey,
}

/// What an encrypted file holds, to be written.
pub(super) type Content = (Name, Plain);

impl OpenVault<'_> {
    /// Keeps openings; on the disk when this returns. What is kept already is not written again.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn keep_openings<'o>(
        &self,
        openings: impl IntoIterator<Item = (&'o StatementId, &'o Opening)>,
    ) -> Result<(), CliError> {
        let contents = openings
            .into_iter()
            .map(|(id, opening)| Ok((Name::Opening(*id), text_of(opening)?)))
            .collect::<Result<Vec<Content>, CliError>>()?;
        let directory = self.vault.directory().join(OPENINGS);
        write_each(&directory, &contents, |(name, content)| {
            // A damaged file is mended by what is there to be kept.
            if matches!(self.read(name), Ok(Some(there)) if there == *content) {
                return Ok(false);
            }
            write_synced(&self.path(name), &self.seal(name, content)?).map(|()| true)
        })
        .map(|_| ())
    }

    /// What opens a statement, if the vault has it.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the file is damaged, or of another secret.
    pub fn opening(&self, id: &StatementId) -> Result<Option<Opening>, CliError> {
        let name = Name::Opening(*id);
        self.read(&name)?
            .map(|content| self.parsed(&name, &content, "no opening"))
            .transpose()
    }

    /// What is remembered of a data share.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the file is damaged, or of another secret.
    pub fn stream<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, CliError> {
        let name = Name::Stream(name.to_owned());
        self.read(&name)?
            .map(|content| self.parsed(&name, &content, "no stream of this program"))
            .transpose()
    }

    /// Remembers a data share; on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file that could not be written.
    pub fn keep_stream<T: Serialize>(&self, name: &str, stream: &T) -> Result<(), CliError> {
        let name = Name::Stream(name.to_owned());
        write_atomic(&self.path(&name), &self.seal(&name, &text_of(stream)?)?)
    }

    /// What a file holds, decrypted.
    pub(super) fn read(&self, name: &Name) -> Result<Option<Plain>, CliError> {
        let path = self.path(name);
        let Some(file) = read_if_there(&path, CONTENT_BYTES_MAX + OVERHEAD)? else {
            return Ok(None);
        };
        unseal(self.secret, &name.to_string(), &file)
            .map(Some)
            .map_err(|error| {
                let reason = CliError::file(&path, error);
                match error {
                    SealError::OtherSecret => reason.hint(
                        "name the keystore with the vault key that it was made with: --keystore DIR",
                    ),
                    _ => reason.hint(self.mended(name)),
                }
            })
    }

    /// Writes a file unless there is one; says whether it did.
    pub(super) fn write_new(&self, name: &Name, content: &[u8]) -> Result<bool, CliError> {
        write_new(&self.path(name), &self.seal(name, content)?)
    }

    /// How what an import would write stands to what is there.
    pub(super) fn standing(&self, name: &Name, content: &[u8]) -> Standing {
        match self.read(name) {
            Ok(None) => Standing::New,
            Ok(Some(there)) if same(&there, content) => Standing::Same,
            Ok(Some(_)) => Standing::Conflict(format!(
                "{}: the vault has something else under this name",
                self.path(name).display()
            )),
            Err(error) => Standing::Conflict(error.message),
        }
    }

    /// How a damaged file is mended.
    pub(super) fn mended(&self, name: &Name) -> String {
        let again = match name {
            Name::Opening(_) => "; or run the same command on the document",
            Name::Stream(_) => "",
        };
        format!(
            "remove {} and bring it back: jangbu vault import BACKUP{again}",
            self.path(name).display()
        )
    }

    fn parsed<T: DeserializeOwned>(
        &self,
        name: &Name,
        content: &[u8],
        what: &str,
    ) -> Result<T, CliError> {
        serde_json::from_slice(content).map_err(|error| {
            CliError::file(&self.path(name), format!("it is {what}: {error}"))
                .hint(self.mended(name))
        })
    }

    fn seal(&self, name: &Name, content: &[u8]) -> Result<Vec<u8>, CliError> {
        seal(self.secret, &name.to_string(), content)
    }

    pub(super) fn path(&self, name: &Name) -> PathBuf {
        name.path(self.vault.directory())
    }
}

/// How what an import would write stands to what is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is there.
    New,
    /// The same is there.
    Same,
    /// Something else is there, as it says.
    Conflict(String),
}

/// Whether two contents say the same: the order of a document's fields does not count.
fn same(a: &[u8], b: &[u8]) -> bool {
    let canonical = |bytes: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        json::canonicalize(&value).ok()
    };
    a == b || canonical(a).is_some_and(|text| Some(text) == canonical(b))
}

/// A value as the vault's files hold it.
pub(super) fn text_of<T: Serialize>(value: &T) -> Result<Plain, CliError> {
    let mut text = Zeroizing::new(serde_json::to_vec_pretty(value).map_err(CliError::internal)?);
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    static SECRET: SecretKey = SecretKey::from_bytes([3; 32]);

    #[test]
    fn streams_are_remembered_under_any_name() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::at(directory.path().join("vault"));
        let open = vault.open(&SECRET);
        for name in ["urn:uuid:1/2", "../evil.json", "장부", "a.b"] {
            open.keep_stream(name, &name).unwrap();
            assert_eq!(open.stream::<String>(name).unwrap().as_deref(), Some(name));
        }
        assert_eq!(vault.streams().unwrap().len(), 4);
        assert!(vault.streams().unwrap().contains(&"장부".to_owned()));
        assert_eq!(open.stream::<String>("other").unwrap(), None);
    }

    #[test]
    fn a_file_under_another_name_or_of_another_secret_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::at(directory.path());
        vault.open(&SECRET).keep_stream("a", &1).unwrap();
        let file = |name: &str| directory.path().join("streams").join(name);
        std::fs::copy(file("a.sealed"), file("b.sealed")).unwrap();
        let error = vault.open(&SECRET).stream::<u8>("b").unwrap_err();
        assert_eq!(error.code, Code::Input);
        assert!(error.message.contains("b.sealed"), "{error}");
        assert!(error.hint.unwrap().contains("vault import"));
        let other = SecretKey::from_bytes([4; 32]);
        let error = vault.open(&other).stream::<u8>("a").unwrap_err();
        assert!(error.message.contains("another vault secret"), "{error}");
    }

    #[test]
    fn what_an_import_brings_is_new_the_same_or_a_conflict() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::at(directory.path());
        let open = vault.open(&SECRET);
        let name = Name::Stream("s".to_owned());
        assert_eq!(open.standing(&name, b"{}"), Standing::New);
        assert!(open.write_new(&name, br#"{"a": 1, "b": 2}"#).unwrap());
        assert!(!open.write_new(&name, b"{}").unwrap());
        assert_eq!(open.standing(&name, br#"{"b":2,"a":1}"#), Standing::Same);
        for other in [&b"{}"[..], b"", b"{\"a\":1"] {
            let Standing::Conflict(reason) = open.standing(&name, other) else {
                panic!("{other:?}");
            };
            assert!(reason.contains("streams/s.sealed"), "{reason}");
        }
    }
}
