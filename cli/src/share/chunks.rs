//! Files of deliveries: written, checked, opened and searched for what is wrong, each in one pass
//! and a bounded amount of memory.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use jangbu_ledger::bundle::Blob;
use jangbu_ledger::content::{
    CHUNK_BYTES, ContentKey, MAGIC, RECORD_BYTES_MAX, Record, RecordFault, WrongRecord, chunks,
    record_bytes,
};
use jangbu_ledger::id::Digest;
use jangbu_ledger::share::Sealing;
use jangbu_ledger::tree;

use crate::context::Context;
use crate::error::CliError;

/// Bytes read or written at a time.
const BUFFER_BYTES: usize = 1024 * 1024;

/// What a delivery's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Roots {
    pub(super) root: Digest,
    pub(super) content_root: Digest,
}

/// A file's plain BLAKE3 hash and length.
pub(super) fn hash(ctx: &Context, file: &Path) -> Result<(Digest, u64), CliError> {
    let mut reader = Reading::open(ctx, file, "reading")?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let read = reader.fill(&mut buffer)?;
        hasher.update(&buffer[..read]);
        bytes += read as u64;
        if read < buffer.len() {
            return Ok((Digest(*hasher.finalize().as_bytes()), bytes));
        }
    }
}

/// Encrypts a file of known hash and length, chunk by chunk, into `to`; with no `to`, only finds
/// the roots.
pub(super) fn encrypt(
    ctx: &Context,
    file: &Path,
    (content, bytes): (Digest, u64),
    key: &ContentKey,
    to: Option<&Path>,
) -> Result<Roots, CliError> {
    let mut reader = Reading::open(ctx, file, "encrypting")?;
    let mut writer = to.map(Writing::to).transpose()?;
    let mut hasher = blake3::Hasher::new();
    let (mut records, mut contents) = (tree::DELIVERY.frontier(), tree::CONTENT.frontier());
    let mut buffer = vec![0; CHUNK_BYTES];
    if let Some(writer) = &mut writer {
        writer.write(MAGIC)?;
    }
    for index in 0..chunks(bytes) {
        let read = reader.fill(&mut buffer)?;
        let chunk = &buffer[..read];
        hasher.update(chunk);
        let record = key
            .chunk(index)
            .seal(chunk)
            .ok_or_else(|| CliError::internal("a chunk could not be encrypted"))?;
        records.push(&record);
        contents.push(&parsed(file, &record)?.content_hash.0);
        if let Some(writer) = &mut writer {
            writer.write(&record)?;
        }
    }
    if hasher.finalize().as_bytes() != &content.0 || reader.fill(&mut buffer[..1])? > 0 {
        return Err(CliError::file(file, "it changed while it was read")
            .hint("run the command again when nobody writes it"));
    }
    if let Some(writer) = writer {
        writer.finish()?;
    }
    Ok(Roots {
        root: records.root(),
        content_root: contents.root(),
    })
}

/// The roots of a delivery as it arrived, of a content of this many bytes.
pub(super) fn inspect(ctx: &Context, file: &Path, bytes: u64) -> Result<Roots, CliError> {
    let (mut records, mut contents) = (tree::DELIVERY.frontier(), tree::CONTENT.frontier());
    each(ctx, file, bytes, "checking", &mut |_, bytes| {
        records.push(bytes);
        contents.push(&parsed(file, bytes)?.content_hash.0);
        Ok(())
    })?;
    Ok(Roots {
        root: records.root(),
        content_root: contents.root(),
    })
}

/// Opens a delivery into `to`, which is there whole or not at all: the first chunk that is wrong,
/// if one is.
///
/// # Errors
///
/// [`CliError`] if the file is not the delivery with this root, or cannot be read or written.
pub(super) fn decrypt(
    ctx: &Context,
    file: &Path,
    sealing: &Sealing,
    root: Digest,
    key: &ContentKey,
    to: &Path,
) -> Result<Option<(u64, RecordFault)>, CliError> {
    let mut writer = Writing::to(to)?;
    let mut records = tree::DELIVERY.frontier();
    let mut wrong = None;
    each(
        ctx,
        file,
        sealing.bytes,
        "decrypting",
        &mut |index, bytes| {
            records.push(bytes);
            if wrong.is_some() {
                return Ok(());
            }
            match key.chunk(index).open(&parsed(file, bytes)?) {
                Ok(chunk) => writer.write(&chunk)?,
                Err(fault) => wrong = Some((index, fault)),
            }
            Ok(())
        },
    )?;
    if records.root() != root {
        return Err(not_the_delivery(file));
    }
    if wrong.is_none() {
        writer.finish()?;
    }
    Ok(wrong)
}

/// A record of the delivery with its path.
pub(super) fn record(
    ctx: &Context,
    file: &Path,
    bytes: u64,
    index: u64,
) -> Result<WrongRecord, CliError> {
    let count = chunks(bytes);
    let mut path = tree::DELIVERY
        .path_of(index, count)
        .ok_or_else(|| CliError::internal("there is no such chunk"))?;
    let mut found = Vec::new();
    each(ctx, file, bytes, "proving", &mut |at, bytes| {
        path.push(bytes);
        if at == index {
            found = bytes.to_vec();
        }
        Ok(())
    })?;
    Ok(WrongRecord {
        index,
        bytes: Blob(found),
        path: path.path(),
    })
}

/// The file is another one than was received.
pub(super) fn not_the_delivery(file: &Path) -> CliError {
    CliError::file(
        file,
        "it is not the delivery that was started: its root differs",
    )
    .hint(
        "name the file as it was handed over; if that is it, say so: jangbu share reject NAME \
         --reason differs --root HEX",
    )
}

/// What is done with a record: its place and its bytes.
type TakeRecord<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), CliError>;

/// Reads the records of a delivery one by one.
fn each(
    ctx: &Context,
    file: &Path,
    bytes: u64,
    doing: &'static str,
    take: TakeRecord<'_>,
) -> Result<(), CliError> {
    let mut reader = Reading::open(ctx, file, doing)?;
    let mut magic = [0; MAGIC.len()];
    if reader.fill(&mut magic)? != magic.len() || &magic != MAGIC {
        return Err(CliError::file(
            file,
            "it is no delivery of jangbu share start",
        ));
    }
    let mut buffer = vec![0; RECORD_BYTES_MAX];
    for index in 0..chunks(bytes) {
        let length = record_bytes(bytes, index).unwrap_or(0);
        let record = buffer
            .get_mut(..length)
            .ok_or_else(|| CliError::internal("a record is longer than any"))?;
        let read = reader.fill(record)?;
        if read != length {
            return Err(CliError::file(
                file,
                format!(
                    "it is cut short: chunk {index} of {} has {read} of {length} bytes",
                    chunks(bytes)
                ),
            )
            .hint("ask for the file again"));
        }
        take(index, record)?;
    }
    if reader.fill(&mut buffer[..1])? > 0 {
        return Err(CliError::file(file, "it is longer than what was started")
            .hint("ask for the file again"));
    }
    Ok(())
}

fn parsed<'r>(file: &Path, bytes: &'r [u8]) -> Result<Record<'r>, CliError> {
    Record::parse(bytes).ok_or_else(|| CliError::file(file, "it holds a record that is too short"))
}

/// A file that is read from its beginning, with a bar on a terminal.
struct Reading<'a> {
    path: &'a Path,
    file: BufReader<File>,
    bar: ProgressBar,
}

impl<'a> Reading<'a> {
    fn open(ctx: &Context, path: &'a Path, doing: &'static str) -> Result<Self, CliError> {
        let file = File::open(path).map_err(|error| CliError::io(path, &error))?;
        let metadata = file
            .metadata()
            .map_err(|error| CliError::io(path, &error))?;
        if !metadata.is_file() {
            return Err(
                CliError::file(path, "it is no regular file; it is read twice")
                    .hint("write it to a file first"),
            );
        }
        Ok(Self {
            path,
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            bar: bar(ctx, metadata.len(), doing),
        })
    }

    /// Reads until the buffer is full or the file ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, CliError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CliError::io(self.path, &error)),
            }
        }
        self.bar.inc(filled as u64);
        Ok(filled)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn bar(ctx: &Context, bytes: u64, doing: &'static str) -> ProgressBar {
    if !ctx.output.progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes).with_message(doing);
    let template = "{msg} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A file that is there whole or not at all, readable by its owner only.
struct Writing {
    path: PathBuf,
    file: BufWriter<tempfile::NamedTempFile>,
}

impl Writing {
    fn to(path: &Path) -> Result<Self, CliError> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = tempfile::NamedTempFile::new_in(directory)
            .map_err(|error| CliError::io(directory, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.file
            .write_all(bytes)
            .map_err(|error| CliError::io(&self.path, &error))
    }

    fn finish(self) -> Result<(), CliError> {
        let path = self.path;
        let failed = |error: &std::io::Error| CliError::io(&path, error);
        let file = self
            .file
            .into_inner()
            .map_err(|error| failed(error.error()))?;
        file.as_file().sync_all().map_err(|error| failed(&error))?;
        file.persist(&path)
            .map(|_| ())
            .map_err(|error| failed(&error.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Globals;

    fn context() -> Context {
        Context::new(Globals {
            quiet: true,
            ..Globals::default()
        })
    }

    /// A delivery of a content, and what it was started as.
    struct Sent {
        directory: tempfile::TempDir,
        key: ContentKey,
        roots: Roots,
        sealing: Sealing,
    }

    impl Sent {
        fn of(content: &[u8]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("content");
            std::fs::write(&path, content).unwrap();
            let (ctx, key) = (context(), ContentKey::from_bytes([3; 32]));
            let hashed = hash(&ctx, &path).unwrap();
            assert_eq!(hashed.0.as_bytes(), blake3::hash(content).as_bytes());
            let to = directory.path().join("delivery");
            let roots = encrypt(&ctx, &path, hashed, &key, Some(&to)).unwrap();
            assert_eq!(encrypt(&ctx, &path, hashed, &key, None).unwrap(), roots);
            let sealing = Sealing {
                content_root: roots.content_root,
                wrap: Digest([0; 32]),
                bytes: hashed.1,
            };
            Self {
                directory,
                key,
                roots,
                sealing,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn changed(&self, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
            let mut bytes = std::fs::read(self.path("delivery")).unwrap();
            change(&mut bytes);
            let path = self.path("changed");
            std::fs::write(&path, bytes).unwrap();
            path
        }

        fn open(&self, file: &Path) -> Result<Option<(u64, RecordFault)>, CliError> {
            let to = self.path("opened");
            decrypt(
                &context(),
                file,
                &self.sealing,
                self.roots.root,
                &self.key,
                &to,
            )
        }
    }

    fn content(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[test]
    fn files_of_any_length_come_back_whole() {
        for length in [
            0,
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            3 * CHUNK_BYTES,
        ] {
            let content = content(length);
            let sent = Sent::of(&content);
            let delivery = sent.path("delivery");
            let inspected = inspect(&context(), &delivery, sent.sealing.bytes);
            assert_eq!(inspected.unwrap(), sent.roots);
            assert_eq!(sent.open(&delivery).unwrap(), None);
            assert_eq!(std::fs::read(sent.path("opened")).unwrap(), content);
        }
    }

    #[test]
    fn a_cut_a_longer_and_a_changed_file_are_named_and_leave_nothing() {
        let sent = Sent::of(&content(2 * CHUNK_BYTES + 7));
        let fails = |file: &Path, what: &str| {
            let error = sent.open(file).unwrap_err();
            assert!(error.message.contains(what), "{error}");
            assert!(!sent.path("opened").exists());
        };
        let cut = sent.changed(|bytes| bytes.truncate(bytes.len() - 1));
        fails(&cut, "cut short: chunk 2 of 3");
        let longer = sent.changed(|bytes| bytes.push(0));
        fails(&longer, "longer than what was started");
        fails(&sent.changed(|bytes| bytes[0] ^= 1), "no delivery");
        fails(&sent.changed(|bytes| bytes[200] ^= 1), "root differs");
        let swapped = sent.changed(|bytes| {
            let (first, rest) = bytes[MAGIC.len()..].split_at_mut(RECORD_BYTES_MAX);
            first.swap_with_slice(&mut rest[..RECORD_BYTES_MAX]);
        });
        fails(&swapped, "root differs");
        fails(&sent.path("nothing"), "no such file");
        fails(sent.directory.path(), "no regular file");
    }

    #[test]
    fn a_chunk_that_the_provider_got_wrong_is_found_with_its_path() {
        let mut sent = Sent::of(&content(4 * CHUNK_BYTES));
        // A provider that sends noise in chunk 2 and commits to it.
        let at = MAGIC.len() + 2 * RECORD_BYTES_MAX + 100;
        let lying = sent.changed(|bytes| bytes[at] ^= 1);
        sent.roots = inspect(&context(), &lying, sent.sealing.bytes).unwrap();
        assert_eq!(sent.open(&lying).unwrap(), Some((2, RecordFault::Cipher)));
        assert!(!sent.path("opened").exists());
        let record = record(&context(), &lying, sent.sealing.bytes, 2).unwrap();
        let root = &sent.roots.root;
        assert!(tree::DELIVERY.verify(&record.bytes.0, 2, 4, &record.path, root));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        let sent = Sent::of(b"one");
        let path = sent.path("content");
        let hashed = hash(&context(), &path).unwrap();
        for other in [&b"two"[..], b"ones", b"on"] {
            std::fs::write(&path, other).unwrap();
            let error = encrypt(&context(), &path, hashed, &sent.key, None).unwrap_err();
            assert!(error.message.contains("it changed"), "{error}");
        }
    }
}
