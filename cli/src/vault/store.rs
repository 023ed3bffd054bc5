//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::thread;

use crate::error::CliError;

/// Most files of one directory that are looked at.
const FILES_MAX: usize = 1_000_000;
/// Files that are written at the same time.
const WRITERS: usize = 16;

/// Replaces a file: whole, readable by its owner only, on the disk when this returns.
///
/// # Errors
///
/// [`CliError`] naming the file; what was there before is untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write(path, bytes, true).map_err(|error| CliError::io(path, &error))?;
    sync_directory(directory_of(path))
}

/// Replaces a file whole, without waiting for the disk.
pub(super) fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write(path, bytes, false).map_err(|error| CliError::io(path, &error))
}

/// Writes a file that must not be there yet: whole, readable by its owner only, on the disk when
/// this returns. Says whether it did: false if there is one.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, CliError> {
    let mut file = NewFile::create(path)?;
    file.write_all(bytes)
        .map_err(|error| CliError::io(path, &error))?;
    file.keep()
}

/// Does `write` for each item, and says of how many it wrote; on the disk when this returns, if
/// the items' files are in `directory` and each is written to the disk.
///
/// Many at a time: each waits for the disk, and a disk takes many writes in the time of one.
pub(super) fn write_each<T: Sync>(
    directory: &Path,
    items: &[T],
    write: impl Fn(&T) -> Result<bool, CliError> + Sync,
) -> Result<usize, CliError> {
    let share = items.len().div_ceil(WRITERS).max(1);
    let write = &write;
    let written = thread::scope(|scope| {
        let writers: Vec<_> = items
            .chunks(share)
            .map(|items| {
                scope.spawn(move || {
                    items.iter().try_fold(0, |written, item| {
                        Ok::<usize, CliError>(written + usize::from(write(item)?))
                    })
                })
            })
            .collect();
        writers.into_iter().try_fold(0, |written, writer| {
            let result = writer
                .join()
                .unwrap_or_else(|_| Err(CliError::internal("a writer of the vault stopped")));
            Ok::<usize, CliError>(written + result?)
        })
    })?;
    if written > 0 {
        sync_directory(directory)?;
    }
    Ok(written)
}

/// Replaces a file whole, on the disk but for its directory's name of it.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write(path, bytes, true).map_err(|error| CliError::io(path, &error))
}

/// A file that is being written beside its place, and gone unless it is kept.
#[derive(Debug)]
pub(super) struct NewFile<'p> {
    path: &'p Path,
    temporary: BufWriter<tempfile::NamedTempFile>,
}

impl<'p> NewFile<'p> {
    /// Begins a file for `path`.
    pub(super) fn create(path: &'p Path) -> Result<Self, CliError> {
        let directory = directory_of(path);
        // Made with mode 0600.
        let temporary = create_private(directory)
            .and_then(|()| tempfile::NamedTempFile::new_in(directory))
            .map_err(|error| CliError::io(path, &error))?;
        Ok(Self {
            path,
            temporary: BufWriter::new(temporary),
        })
    }

    /// Puts it in its place, on the disk when this returns; false if there is a file already,
    /// which stays as it is.
    pub(super) fn keep(self) -> Result<bool, CliError> {
        let failed = |error: &io::Error| CliError::io(self.path, error);
        let temporary = self
            .temporary
            .into_inner()
            .map_err(|error| failed(error.error()))?;
        temporary.as_file().sync_all().map_err(|e| failed(&e))?;
        match temporary.persist_noclobber(self.path) {
            Ok(_) => sync_directory(directory_of(self.path)).map(|()| true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed(&error.error)),
        }
    }
}

impl Write for NewFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

impl io::Seek for NewFile<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.temporary.seek(to)
    }
}

/// Puts a directory's names on the disk.
fn sync_directory(directory: &Path) -> Result<(), CliError> {
    fs::File::open(directory)
        .and_then(|open| open.sync_all())
        .map_err(|error| CliError::io(directory, &error))
}

/// Reads a file of at most `max` bytes; `None` if there is none.
pub(super) fn read_if_there(path: &Path, max: u64) -> Result<Option<Vec<u8>>, CliError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CliError::io(path, &error)),
    };
    let mut bytes = Vec::new();
    file.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::io(path, &error))?;
    if bytes.len() as u64 > max {
        return Err(CliError::file(
            path,
            format!("it is longer than {max} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// The files of a directory by name; none if there is no directory.
pub(super) fn list(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CliError::io(directory, &error)),
    };
    let mut paths = entries
        .take(FILES_MAX)
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CliError::io(directory, &error))?;
    paths.sort();
    Ok(paths)
}

/// Makes a directory that only its owner may enter, with what leads to it.
pub(super) fn make_directory(directory: &Path) -> Result<(), CliError> {
    create_private(directory).map_err(|error| CliError::io(directory, &error))
}

fn create_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

fn write(path: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
    let directory = directory_of(path);
    create_private(directory)?;
    // Made with mode 0600.
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    temporary.write_all(bytes)?;
    if synced {
        temporary.as_file().sync_all()?;
    }
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(list(&directory.path().join("a")).unwrap().len(), 1);
    }

    #[test]
    fn a_new_file_never_takes_the_place_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        assert!(write_new(&path, b"one").unwrap());
        assert!(!write_new(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        drop(NewFile::create(&directory.path().join("g")).unwrap());
        assert_eq!(list(directory.path()).unwrap(), [path]);
    }

    #[test]
    fn many_files_are_all_written_and_a_failure_of_one_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("d");
        let write = |(path, bytes): &(PathBuf, Vec<u8>)| match path.exists() {
            true => Ok(false),
            false => write_synced(path, bytes).map(|()| true),
        };
        let mut files: Vec<(PathBuf, Vec<u8>)> = (0..100)
            .map(|n| (inside.join(n.to_string()), n.to_string().into_bytes()))
            .collect();
        assert_eq!(write_each(&inside, &files, write).unwrap(), 100);
        assert_eq!(write_each(&inside, &files, write).unwrap(), 0);
        assert_eq!(write_each(&inside, &[], write).unwrap(), 0);
        for (path, bytes) in &files {
            assert_eq!(fs::read(path).unwrap(), *bytes);
        }
        files.push((inside.join("7/x"), Vec::new()));
        let error = write_each(&inside, &files, write).unwrap_err();
        assert!(error.message.contains("/7/x"), "{error}");
    }
}
