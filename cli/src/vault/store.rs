//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// Most files of one directory that are looked at.
const FILES_MAX: usize = 1_000_000;

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

/// Writes a file unless it has these bytes already; says whether it wrote. Its name is on the
/// disk after [`sync_directory`].
pub(super) fn write_unless_same(path: &Path, bytes: &[u8]) -> Result<bool, CliError> {
    if read_if_there(path, bytes.len() as u64).is_ok_and(|there| there.as_deref() == Some(bytes)) {
        return Ok(false);
    }
    write(path, bytes, true).map_err(|error| CliError::io(path, &error))?;
    Ok(true)
}

/// Puts a directory's names on the disk.
pub(super) fn sync_directory(directory: &Path) -> Result<(), CliError> {
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
    fn the_same_bytes_are_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        assert!(write_unless_same(&path, b"x").unwrap());
        assert!(!write_unless_same(&path, b"x").unwrap());
        assert!(write_unless_same(&path, b"yy").unwrap());
        assert!(write_unless_same(&path, b"z").unwrap());
    }
}
