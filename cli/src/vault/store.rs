//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, Read as _, Write as _};
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

/// Writes files of one directory, those that have these bytes already excepted; on the disk when
/// this returns.
///
/// Many at a time: each waits for the disk, and a disk takes many writes in the time of one.
pub(super) fn write_all(directory: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), CliError> {
    let share = files.len().div_ceil(WRITERS).max(1);
    let written = thread::scope(|scope| {
        let writers: Vec<_> = files
            .chunks(share)
            .map(|files| {
                scope.spawn(move || {
                    files.iter().try_fold(false, |written, (path, bytes)| {
                        Ok::<bool, CliError>(write_unless_same(path, bytes)? || written)
                    })
                })
            })
            .collect();
        writers.into_iter().try_fold(false, |written, writer| {
            let result = writer
                .join()
                .unwrap_or_else(|_| Err(CliError::internal("a writer of the vault stopped")));
            Ok::<bool, CliError>(result? || written)
        })
    })?;
    if written {
        sync_directory(directory)?;
    }
    Ok(())
}

/// Writes a file unless it has these bytes already; says whether it wrote.
fn write_unless_same(path: &Path, bytes: &[u8]) -> Result<bool, CliError> {
    if read_if_there(path, bytes.len() as u64).is_ok_and(|there| there.as_deref() == Some(bytes)) {
        return Ok(false);
    }
    write(path, bytes, true).map_err(|error| CliError::io(path, &error))?;
    Ok(true)
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
    fn the_same_bytes_are_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        assert!(write_unless_same(&path, b"x").unwrap());
        assert!(!write_unless_same(&path, b"x").unwrap());
        assert!(write_unless_same(&path, b"yy").unwrap());
        assert!(write_unless_same(&path, b"z").unwrap());
    }

    #[test]
    fn many_files_are_all_written_and_a_failure_of_one_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("d");
        let mut files: Vec<(PathBuf, Vec<u8>)> = (0..100)
            .map(|n| (inside.join(n.to_string()), n.to_string().into_bytes()))
            .collect();
        write_all(&inside, &files).unwrap();
        write_all(&inside, &[]).unwrap();
        for (path, bytes) in &files {
            assert_eq!(fs::read(path).unwrap(), *bytes);
        }
        fs::create_dir(inside.join("x")).unwrap();
        fs::write(inside.join("x/y"), b"").unwrap();
        files.push((inside.join("x"), Vec::new()));
        let error = write_all(&inside, &files).unwrap_err();
        assert!(error.message.contains("/x"), "{error}");
    }
}
