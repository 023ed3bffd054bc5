//! Where documents come from: files, directories, standard input.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jangbu_ledger::json::{self, DOCUMENT_BYTES_MAX};

use crate::context::read_bounded;
use crate::error::CliError;
use crate::ingest::lines::LINE_BYTES_MAX;
use crate::ingest::said::Reading;
use crate::ingest::{self, Speaker};

/// Most documents of one run.
const SOURCES_MAX: usize = 100_000;
/// Deepest directory that is entered.
const DEPTH_MAX: usize = 16;
/// Endings of files that are taken from a directory.
const ENDINGS: [&str; 4] = ["json", "jsonld", "ndjson", "jsonl"];

/// One document, or many lines.
#[derive(Debug)]
pub(super) struct Source {
    name: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    File(PathBuf),
    /// Standard input, kept on disk: it is read more than once.
    Spool(File),
}

/// What a reading is told to.
pub(super) type Each<'a> = dyn FnMut(Reading) -> Result<ControlFlow<()>, CliError> + 'a;

/// Finds all documents, directories' in the order of their names.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            sources.push(Source {
                name: "standard input".to_owned(),
                content: Content::Spool(spool()?),
            });
            continue;
        }
        let about = fs::metadata(path).map_err(|error| CliError::io(path, &error))?;
        if about.is_dir() {
            let before = sources.len();
            enter(path, 0, &mut sources)?;
            if sources.len() == before {
                return Err(CliError::file(
                    path,
                    format!("no document in there; looked for .{}", ENDINGS.join(", .")),
                ));
            }
        } else {
            sources.push(Source::file(path));
        }
    }
    Ok(sources)
}

fn enter(directory: &Path, depth: usize, sources: &mut Vec<Source>) -> Result<(), CliError> {
    if depth > DEPTH_MAX {
        return Err(CliError::file(
            directory,
            format!("directories are nested more than {DEPTH_MAX} deep"),
        ));
    }
    let fails = |error: io::Error| CliError::io(directory, &error);
    let mut paths = fs::read_dir(directory)
        .map_err(fails)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fails)?;
    paths.sort();
    for path in paths {
        // A link to a directory could lead back to where it is.
        let about = fs::symlink_metadata(&path).map_err(|error| CliError::io(&path, &error))?;
        let ending = path.extension().and_then(|ending| ending.to_str());
        if about.is_dir() {
            enter(&path, depth + 1, sources)?;
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending)) && path.is_file() {
            sources.push(Source::file(&path));
        }
        if sources.len() > SOURCES_MAX {
            return Err(CliError::file(
                directory,
                format!("more than {SOURCES_MAX} documents; anchor fewer at a time"),
            ));
        }
    }
    Ok(())
}

/// Copies standard input to a file without a name.
fn spool() -> Result<File, CliError> {
    let fails = |error: io::Error| CliError::input(format!("standard input: {error}"));
    let mut file = tempfile::tempfile().map_err(fails)?;
    io::copy(&mut io::stdin().lock(), &mut file).map_err(fails)?;
    Ok(file)
}

impl Source {
    fn file(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            content: Content::File(path.to_owned()),
        }
    }

    /// Reads the document, or one line after another, and tells `each` what it says.
    pub(super) fn read(&self, speaker: &Speaker, each: &mut Each<'_>) -> Result<(), CliError> {
        if self.is_lines()? {
            return self.read_lines(speaker, each);
        }
        let bytes = match &self.content {
            Content::File(path) => read_bounded(path, DOCUMENT_BYTES_MAX as u64)?,
            Content::Spool(_) => {
                let mut bytes = Vec::new();
                self.open()?
                    .take(DOCUMENT_BYTES_MAX as u64 + 1)
                    .read_to_end(&mut bytes)
                    .map_err(|error| self.fails(&error))?;
                bytes
            }
        };
        let label = self.label();
        let reading = ingest::read(label, &bytes, speaker).map_err(|error| self.bad(error))?;
        each(reading).map(|_| ())
    }

    fn read_lines(&self, speaker: &Speaker, each: &mut Each<'_>) -> Result<(), CliError> {
        let mut reader = BufReader::new(self.open()?);
        let mut line = Vec::new();
        for number in 1u64.. {
            line.clear();
            let read = reader
                .by_ref()
                .take(LINE_BYTES_MAX as u64 + 2)
                .read_until(b'\n', &mut line)
                .map_err(|error| self.fails(&error))?;
            if read == 0 {
                break;
            }
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let label = format!("{}:{number}", self.label());
            let said = ingest::read_line(label, text, speaker)
                .map_err(|error| self.bad(error.in_line(number)))?;
            let reading = Reading {
                said: vec![said],
                ..Reading::default()
            };
            if each(reading)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Whether this is one statement a line: by its ending, or because its first line is one.
    pub(super) fn is_lines(&self) -> Result<bool, CliError> {
        if let Content::File(path) = &self.content {
            let ending = path.extension().and_then(|ending| ending.to_str());
            if matches!(ending, Some("ndjson" | "jsonl")) {
                return Ok(true);
            }
        }
        let mut first = Vec::new();
        BufReader::new(self.open()?)
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut first)
            .map_err(|error| self.fails(&error))?;
        Ok(json::parse(first.trim_ascii()).is_ok_and(|value| value.get("kind").is_some()))
    }

    fn open(&self) -> Result<File, CliError> {
        let opened = match &self.content {
            Content::File(path) => File::open(path),
            Content::Spool(file) => file.try_clone().and_then(|mut file| {
                file.rewind()?;
                Ok(file)
            }),
        };
        opened.map_err(|error| self.fails(&error))
    }

    /// The file's own name: the same document makes the same labels from any directory.
    fn label(&self) -> &str {
        match &self.content {
            Content::File(path) => path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or(&self.name),
            Content::Spool(_) => "-",
        }
    }

    fn bad(&self, error: ingest::ReadError) -> CliError {
        CliError::input(format!("{}: {error}", self.name))
    }

    fn fails(&self, error: &io::Error) -> CliError {
        match &self.content {
            Content::File(path) => CliError::io(path, error),
            Content::Spool(_) => CliError::input(format!("standard input: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Company;

    fn speaker() -> Speaker {
        let own = Company {
            name: "acme".to_owned(),
            identifiers: Vec::new(),
            prefixes: Vec::new(),
        };
        Speaker::new(own, Vec::new())
    }

    fn count(source: &Source) -> Result<usize, CliError> {
        let mut count = 0;
        source.read(&speaker(), &mut |reading| {
            count += reading.said.len();
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    const LINE: &str = "{\"kind\":\"passport_issued\",\"granularity\":\"item\",\
        \"subject\":\"urn:uuid:6b2296cc-26c0-4f38-8a22-092338c36e22\"}\n";

    #[test]
    fn a_directory_is_read_in_the_order_of_names_and_only_documents_are() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir(root.join("b")).unwrap();
        for name in ["c.json", "b/x.jsonld", "a.ndjson", "README.md"] {
            fs::write(root.join(name), LINE).unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("loop")).unwrap();
        let sources = find(&[root.to_owned()]).unwrap();
        let names: Vec<&str> = sources.iter().map(Source::label).collect();
        assert_eq!(names, ["a.ndjson", "x.jsonld", "c.json"]);
    }

    #[test]
    fn lines_are_known_by_ending_or_first_line_and_a_bad_one_by_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("statements.json");
        fs::write(&path, format!("{LINE}\n{LINE}")).unwrap();
        assert_eq!(count(&Source::file(&path)).unwrap(), 2);
        fs::write(&path, format!("{LINE}\n{{\"kind\":\"what\"}}\n")).unwrap();
        let error = count(&Source::file(&path)).unwrap_err().message;
        assert!(error.contains("statements.json: line 3: "), "{error}");
    }

    #[test]
    fn a_line_without_end_is_refused_and_not_kept_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("long.ndjson");
        fs::write(&path, vec![b'x'; 3 * LINE_BYTES_MAX]).unwrap();
        let error = count(&Source::file(&path)).unwrap_err().message;
        assert!(error.contains("line 1: the line has"), "{error}");
    }

    #[test]
    fn a_missing_file_and_an_empty_directory_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = find(&[directory.path().to_owned()]).unwrap_err().message;
        assert!(error.contains("no document in there"), "{error}");
        let error = find(&[directory.path().join("gone.json")]).unwrap_err();
        assert!(error.message.contains("gone.json: there is no such file"));
    }
}
