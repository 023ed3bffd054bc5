//! How far the database must reach at least: a second place that knows of the last synced write.
//!
//! ```text
//!   SYNCED := slot(0) … slot(512) …          slot := number:u64be, its complement:u64be
//! ```
//!
//! RocksDB takes a write-ahead log that was cut off for one whose last write was torn, and
//! forgets what is missing. A node that has forgotten its votes may contradict them. So after
//! every synced write its number goes here, into the two slots in turn, unsynced: a write that
//! is recorded here is on disk already, so that a crash can never raise a false alarm, and the
//! system writes the page back within its usual half minute. What a loss of power takes from
//! here only weakens the check by that time.
//!
//! Found are: a log that was cut or removed, an older table of contents, tables without their
//! log, a database that was emptied. Not found is a whole directory put back to an earlier time:
//! its mark is of that time too.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use jangbu_replica::store::StoreError;

/// The file's name, in the database's directory. RocksDB leaves alone what it does not know.
const NAME: &str = "SYNCED";
/// RocksDB's file that a database has from its first moment on.
const CURRENT: &str = "CURRENT";
/// Distance of the slots: no write of one sector touches both.
const SLOT_BYTES: u64 = 512;
/// Slots.
const SLOTS: u64 = 2;

/// The mark of an open database.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    last: u64,
    slot: u64,
}

impl Mark {
    /// Opens the mark beside a database that is not open yet; makes it if there is no database.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if the one is there without the other, or the mark is unreadable.
    pub(super) fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(NAME);
        let failed = |error: io::Error| failed(&path, &error);
        let has_database = directory.join(CURRENT).exists();
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if has_database {
                    return Err(StoreError::Corrupt(format!(
                        "{} is missing, without which nobody knows whether the rest is complete",
                        path.display()
                    )));
                }
                return make(directory, &path).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.by_ref()
            .take(SLOTS * SLOT_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let slots = (0..SLOTS).filter_map(|slot| Some((number_in(&bytes, slot)?, slot)));
        let Some((last, slot)) = slots.max() else {
            if has_database {
                return Err(StoreError::Corrupt(format!(
                    "{} holds no valid number",
                    path.display()
                )));
            }
            // The power went while it was made; nothing was written that it could know of.
            std::fs::remove_file(&path).map_err(failed)?;
            return make(directory, &path).map_err(failed);
        };
        if last > 0 && !has_database {
            return Err(StoreError::Corrupt(format!(
                "{} is missing, but {} knows of {last} writes",
                directory.join(CURRENT).display(),
                path.display()
            )));
        }
        Ok(Self { file, last, slot })
    }

    /// Checks that an opened database, whose last write has this number, reaches the mark.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if it does not.
    pub(super) fn check(&self, reached: u64) -> Result<(), StoreError> {
        if reached >= self.last {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!(
            "it ends at write {reached}, but write {} was synced: the end of a write-ahead log, \
             or all of one, is gone",
            self.last
        )))
    }

    /// Notes that the write of this number is synced.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] if it cannot be written.
    pub(super) fn advance(&mut self, number: u64) -> Result<(), StoreError> {
        let slot = (self.slot + 1) % SLOTS;
        self.file
            .write_all_at(&encode(number), slot * SLOT_BYTES)
            .map_err(|error| failed(Path::new(NAME), &error))?;
        (self.last, self.slot) = (number, slot);
        Ok(())
    }
}

/// Makes the file, of its full size and synced with its directory: later writes need no space.
fn make(directory: &Path, path: &Path) -> io::Result<Mark> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    let mut bytes = vec![0; usize::try_from(SLOTS * SLOT_BYTES).unwrap_or_default()];
    if let Some(first) = bytes.get_mut(..16) {
        first.copy_from_slice(&encode(0));
    }
    file.write_all_at(&bytes, 0)?;
    file.sync_all()?;
    File::open(directory)?.sync_all()?;
    Ok(Mark {
        file,
        last: 0,
        slot: 0,
    })
}

fn encode(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&(!number).to_be_bytes());
    bytes
}

/// The number in a slot, if that is whole.
fn number_in(bytes: &[u8], slot: u64) -> Option<u64> {
    let start = usize::try_from(slot * SLOT_BYTES).ok()?;
    let (number, rest) = bytes.get(start..)?.split_first_chunk::<8>()?;
    let number = u64::from_be_bytes(*number);
    let complement = u64::from_be_bytes(*rest.first_chunk::<8>()?);
    (number == !complement).then_some(number)
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull => StoreError::Full(text),
        _ => StoreError::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_survives_and_a_torn_slot_yields_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let mut mark = Mark::open(directory.path()).unwrap();
        for number in [3, 4, 9] {
            mark.advance(number).unwrap();
        }
        drop(mark);
        std::fs::write(directory.path().join(CURRENT), b"").unwrap();
        let mark = Mark::open(directory.path()).unwrap();
        assert_eq!(mark.last, 9);
        assert!(mark.check(9).is_ok() && mark.check(10).is_ok());
        assert!(matches!(mark.check(8), Err(StoreError::Corrupt(_))));
        let torn = mark.slot * SLOT_BYTES + 7;
        mark.file.write_all_at(&[0xff], torn).unwrap();
        assert_eq!(Mark::open(directory.path()).unwrap().last, 4);
    }

    #[test]
    fn a_mark_without_its_database_and_a_database_without_its_mark_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        Mark::open(directory.path()).unwrap().advance(1).unwrap();
        let error = Mark::open(directory.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(text) if text.contains(CURRENT)));
        std::fs::write(directory.path().join(CURRENT), b"").unwrap();
        std::fs::write(&path, b"").unwrap();
        let error = Mark::open(directory.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("no valid number")));
        std::fs::remove_file(&path).unwrap();
        let error = Mark::open(directory.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt(text) if text.contains(NAME)));
    }
}
