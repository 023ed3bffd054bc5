//! Files of deliveries: written, checked, opened and searched for what is wrong, each in one pass
//! and a bounded amount of memory.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use jangbu_ledger::bundle::Blob;
use jangbu_ledger::content::{
    CHUNK_BYTES, ContentKey, MAGIC, RECORD_BYTES_MAX, Record, RecordFault, ShownChunk, WrongRecord,
    chunks, plain_leaf, plain_path, record_bytes,
};
use jangbu_ledger::id::Digest;
use jangbu_ledger::share::Sealing;
use jangbu_ledger::tree::{self, ListPath};

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

/// Records of the delivery with their paths, if it is the one with this root.
pub(super) fn records(
    ctx: &Context,
    file: &Path,
    sealing: &Sealing,
    root: &Digest,
    wanted: &[u64],
) -> Result<Vec<WrongRecord>, CliError> {
    let count = chunks(sealing.bytes);
    let mut paths = Vec::with_capacity(wanted.len());
    for index in wanted {
        let path = tree::DELIVERY
            .path_of(*index, count)
            .ok_or_else(|| no_chunk(*index, count))?;
        paths.push((*index, path, Vec::new()));
    }
    let mut all = tree::DELIVERY.frontier();
    each(ctx, file, sealing.bytes, "proving", &mut |at, bytes| {
        all.push(bytes);
        for (index, path, found) in &mut paths {
            path.push(bytes);
            if at == *index {
                *found = bytes.to_vec();
            }
        }
        Ok(())
    })?;
    if all.root() != *root {
        return Err(not_the_delivery(file));
    }
    let record = |(index, path, bytes): (u64, ListPath, Vec<u8>)| WrongRecord {
        index,
        bytes: Blob(bytes),
        path: path.path(),
    };
    Ok(paths.into_iter().map(record).collect())
}

/// Chunks of a file with their paths, if its BLAKE3 hash is this; and how many bytes it has. Keeps 32
/// bytes for each chunk of the file.
pub(super) fn plain(
    ctx: &Context,
    file: &Path,
    root: &Digest,
    wanted: &[u64],
) -> Result<(u64, Vec<ShownChunk>), CliError> {
    let mut reader = Reading::open(ctx, file, "proving")?;
    let (mut hasher, mut leaves) = (blake3::Hasher::new(), Vec::new());
    let (mut found, mut bytes) = (Vec::new(), 0u64);
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = reader.fill(&mut buffer)?;
        let chunk = buffer.get(..read).unwrap_or_default();
        let index = leaves.len() as u64;
        if let Some(leaf) = plain_leaf(index, chunk) {
            hasher.update(chunk);
            bytes += read as u64;
            leaves.push(leaf);
            if wanted.contains(&index) {
                found.push((index, chunk.to_vec()));
            }
        }
        if read < buffer.len() {
            break;
        }
    }
    if hasher.finalize().as_bytes() != &root.0 {
        return Err(CliError::file(
            file,
            "it is not what was sent: its BLAKE3 hash differs from the root",
        )
        .hint(format!("what was sent has the root {root}")));
    }
    let count = leaves.len() as u64;
    if let Some(index) = wanted.iter().find(|index| **index >= count) {
        return Err(no_chunk(*index, count));
    }
    let shown = |(index, chunk): (u64, Vec<u8>)| {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        Some(ShownChunk {
            index,
            key: None,
            bytes: Blob(chunk),
            path: plain_path(&leaves, place)?,
        })
    };
    let shown = found.into_iter().map(shown).collect::<Option<_>>();
    let shown = shown.ok_or_else(|| CliError::internal("a chunk has no place"))?;
    Ok((bytes, shown))
}

fn no_chunk(index: u64, count: u64) -> CliError {
    CliError::input(format!(
        "there is no chunk {index}: what was sent has {count}"
    ))
    .hint("chunks are counted from 0, 64 KiB each")
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
