//! An encrypted copy of the vault in one file, written and read record by record.
//!
//! ```text
//!   head    magic 16 ‖ secret id 8 ‖ salt 24 ‖ bytes of the whole file 8 ‖ check 16
//!   record  length 4 ‖ XChaCha20-Poly1305(archive key, nonce = number of the record,
//!                                         length of name 2 ‖ name ‖ content)
//! ```
//!
//! The head is checked first: from then on a file that is shorter was cut, and a record that does
//! not open was altered. The archive's key comes from the vault's secret and the salt, so that no
//! two archives share one.
//!
//! Source: `docs/format.md`, section 15.

use std::io::{self, Read, Seek, SeekFrom, Write};

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use jangbu_genesis::key_file::SecretKey;
use jangbu_ledger::hash::Domain;
use zeroize::Zeroizing;

use super::contents::{CONTENT_BYTES_MAX, Content};
use super::name::Name;
use super::seal::{Plain, SealError, begins, random, secret_id};
use crate::error::CliError;

/// What an archive begins with.
const MAGIC: &[u8; 16] = b"jangbu-archive/1";
const KEY: Domain = Domain::new("jangbu/vault-archive-key/v1");
const CHECK: Domain = Domain::new("jangbu/vault-archive-head/v1");

const SALT_BYTES: usize = 24;
const NONCE_BYTES: usize = 24;
const CHECK_BYTES: usize = 16;
const TAG_BYTES: u64 = 16;
const HEAD_BYTES: usize = CHECKED_BYTES + CHECK_BYTES;
/// The head without its check.
const CHECKED_BYTES: usize = MAGIC.len() + 8 + SALT_BYTES + 8;
/// Longest name: a data share's, each byte as `%XX`, with its directory.
const NAME_BYTES_MAX: u64 = 1024;
const RECORD_BYTES_MAX: u64 = 2 + NAME_BYTES_MAX + CONTENT_BYTES_MAX + TAG_BYTES;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Something else.
    #[error("it is no archive of a vault")]
    Foreign,
    /// Its end is missing.
    #[error("it is cut: {there} bytes of {whole} are there")]
    Cut {
        /// Bytes there are.
        there: u64,
        /// Bytes there were.
        whole: u64,
    },
    /// Not even its head is whole.
    #[error("it is cut: it ends in its head")]
    CutHead,
    /// Something follows its end.
    #[error("it was altered: {0} bytes follow its end")]
    Longer(u64),
    /// Made with another secret.
    #[error("it was exported with another vault secret than the one in the keystore")]
    OtherSecret,
    /// A byte is not what was written.
    #[error("it was altered: {0}")]
    Altered(String),
    /// What the system says.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Writes an archive.
#[derive(Debug)]
pub(super) struct Writer<W> {
    out: W,
    key: Key,
    head: Vec<u8>,
    records: u64,
    bytes: u64,
}

/// Reads an archive.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    key: Key,
    whole: u64,
    at: u64,
    records: u64,
}

impl<W: Write + Seek> Writer<W> {
    /// Begins an archive.
    pub(super) fn new(secret: &SecretKey, mut out: W) -> Result<Self, ArchiveFailed> {
        let salt = random::<SALT_BYTES>()?;
        let head = [&MAGIC[..], &secret_id(secret), &salt].concat();
        // The head is written last: it says how long the whole is.
        out.write_all(&[0; HEAD_BYTES])?;
        Ok(Self {
            out,
            key: Key::derive(secret, &salt),
            head,
            records: 0,
            bytes: HEAD_BYTES as u64,
        })
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &Name, content: &[u8]) -> Result<(), ArchiveFailed> {
        let name = name.to_string();
        let too_long = |_| CliError::input(format!("{name}: its name is too long"));
        let length = u16::try_from(name.len()).map_err(too_long)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(2 + name.len() + content.len()));
        plain.extend_from_slice(&length.to_le_bytes());
        plain.extend_from_slice(name.as_bytes());
        plain.extend_from_slice(content);
        let record = self
            .key
            .cipher()
            .encrypt(&nonce(self.records), plain.as_slice())
            .map_err(|_| CliError::internal("the cipher refused a document"))?;
        let too_long = |_| CliError::input(format!("{name}: it is too long for an archive"));
        let length = u32::try_from(record.len()).map_err(too_long)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&record)?;
        self.records += 1;
        self.bytes += 4 + record.len() as u64;
        Ok(())
    }

    /// Ends it; the bytes it has, and what it was written to.
    pub(super) fn finish(mut self) -> Result<(u64, W), ArchiveFailed> {
        self.head.extend_from_slice(&self.bytes.to_le_bytes());
        let check = self.key.check(&self.head);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&self.head)?;
        self.out.write_all(&check)?;
        self.out.flush()?;
        Ok((self.bytes, self.out))
    }
}

/// Why an archive could not be written.
#[derive(Debug)]
pub(super) enum ArchiveFailed {
    /// What the system says.
    Io(io::Error),
    /// Anything else.
    Other(CliError),
}

impl From<io::Error> for ArchiveFailed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CliError> for ArchiveFailed {
    fn from(error: CliError) -> Self {
        Self::Other(error)
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Begins to read an archive: checks its head and its length.
    pub(super) fn open(secret: &SecretKey, mut input: R) -> Result<Self, ArchiveError> {
        let there = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        (&mut input)
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut head)?;
        begins(&head, MAGIC).map_err(|error| match error {
            SealError::Empty => ArchiveError::Empty,
            SealError::Cut => ArchiveError::CutHead,
            _ => ArchiveError::Foreign,
        })?;
        let (checked, check) = head
            .split_at_checked(CHECKED_BYTES)
            .filter(|(_, check)| check.len() == CHECK_BYTES)
            .ok_or(ArchiveError::CutHead)?;
        let (id, rest) = checked.split_at(MAGIC.len()).1.split_at(8);
        let (salt, whole) = rest.split_at(SALT_BYTES);
        if id != secret_id(secret) {
            return Err(ArchiveError::OtherSecret);
        }
        let altered = || ArchiveError::Altered("its head is not what was written".to_owned());
        let key = Key::derive(secret, salt);
        if key.check(checked) != *check {
            return Err(altered());
        }
        let whole = u64::from_le_bytes(whole.try_into().map_err(|_| altered())?);
        match there.checked_sub(whole) {
            None => Err(ArchiveError::Cut { there, whole }),
            Some(0) => Ok(Self {
                input,
                key,
                whole,
                at: HEAD_BYTES as u64,
                records: 0,
            }),
            Some(more) => Err(ArchiveError::Longer(more)),
        }
    }

    /// Back to the first record.
    pub(super) fn rewind(&mut self) -> Result<(), ArchiveError> {
        self.input.seek(SeekFrom::Start(HEAD_BYTES as u64))?;
        (self.at, self.records) = (HEAD_BYTES as u64, 0);
        Ok(())
    }

    /// The next file; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Content>, ArchiveError> {
        let left = self.whole.saturating_sub(self.at);
        if left == 0 {
            return Ok(None);
        }
        let number = self.records;
        let altered = || ArchiveError::Altered(format!("record {number} does not open"));
        let mut length = [0; 4];
        if left < 4 {
            return Err(altered());
        }
        self.input.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > RECORD_BYTES_MAX || length > left - 4 {
            return Err(altered());
        }
        let mut record = Vec::new();
        (&mut self.input).take(length).read_to_end(&mut record)?;
        let plain = self
            .key
            .cipher()
            .decrypt(&nonce(number), record.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| altered())?;
        self.at += 4 + length;
        self.records += 1;
        divided(&plain).map(Some).ok_or_else(altered)
    }
}

/// Name and content of a record.
fn divided(plain: &[u8]) -> Option<(Name, Plain)> {
    let (length, rest) = plain.split_first_chunk::<2>()?;
    let (name, content) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let name = Name::parse(std::str::from_utf8(name).ok()?)?;
    Some((name, Zeroizing::new(content.to_vec())))
}

/// The key of one archive.
struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    fn derive(secret: &SecretKey, salt: &[u8]) -> Self {
        Self(Zeroizing::new(KEY.keyed(secret.expose(), salt)))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }

    fn check(&self, head: &[u8]) -> [u8; CHECK_BYTES] {
        let hash = CHECK.keyed(&self.0, head);
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&hash[..CHECK_BYTES]);
        check
    }
}

/// Each number encrypts one record of one archive.
fn nonce(number: u64) -> XNonce {
    let mut nonce = [0; NONCE_BYTES];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    XNonce::from(nonce)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const SECRET: SecretKey = SecretKey::from_bytes([7; 32]);

    fn archive(contents: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(&SECRET, Cursor::new(Vec::new())).unwrap();
        for (name, content) in contents {
            writer
                .add(&Name::Stream((*name).to_owned()), content)
                .unwrap();
        }
        let (bytes, out) = writer.finish().unwrap();
        let out = out.into_inner();
        assert_eq!(out.len() as u64, bytes);
        out
    }

    fn read(bytes: &[u8], secret: &SecretKey) -> Result<Vec<Content>, ArchiveError> {
        let mut reader = Reader::open(secret, Cursor::new(bytes))?;
        let mut contents = Vec::new();
        while let Some(content) = reader.next()? {
            contents.push(content);
        }
        reader.rewind()?;
        let first = reader.next()?;
        assert_eq!(first.as_ref(), contents.first());
        Ok(contents)
    }

    #[test]
    fn what_was_written_is_read_with_the_same_secret_only() {
        let bytes = archive(&[("a", b"one"), ("장부", b""), ("b", &[5; 100_000])]);
        let contents = read(&bytes, &SECRET).unwrap();
        assert_eq!(contents.len(), 3);
        assert_eq!(contents[1].0, Name::Stream("장부".to_owned()));
        assert_eq!(contents[2].1.as_slice(), &[5; 100_000]);
        let other = SecretKey::from_bytes([8; 32]);
        assert!(matches!(
            read(&bytes, &other),
            Err(ArchiveError::OtherSecret)
        ));
        assert!(read(&archive(&[]), &SECRET).unwrap().is_empty());
    }

    #[test]
    fn an_archive_that_was_cut_anywhere_is_named_as_cut() {
        let bytes = archive(&[("a", b"one"), ("b", b"two")]);
        assert!(matches!(read(b"", &SECRET), Err(ArchiveError::Empty)));
        for length in 1..bytes.len() {
            let error = read(&bytes[..length], &SECRET).unwrap_err();
            let cut = matches!(error, ArchiveError::CutHead | ArchiveError::Cut { .. });
            assert!(cut, "{length}: {error}");
        }
    }

    #[test]
    fn an_archive_with_any_byte_altered_is_refused_and_never_named_as_cut() {
        let bytes = archive(&[("a", b"one"), ("b", b"two")]);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let error = read(&altered, &SECRET).unwrap_err();
            match at {
                0..16 => assert!(matches!(error, ArchiveError::Foreign), "{at}: {error}"),
                16..24 => assert!(matches!(error, ArchiveError::OtherSecret), "{at}: {error}"),
                _ => assert!(matches!(error, ArchiveError::Altered(_)), "{at}: {error}"),
            }
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(
            read(&longer, &SECRET),
            Err(ArchiveError::Longer(1))
        ));
        // The same records the other way round.
        let (head, records) = bytes.split_at(HEAD_BYTES);
        let (first, second) = records.split_at(records.len() / 2);
        let swapped = [head, second, first].concat();
        assert!(matches!(
            read(&swapped, &SECRET),
            Err(ArchiveError::Altered(_))
        ));
    }
}
