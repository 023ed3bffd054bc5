//! Deliveries in files, as they are written, read and searched.

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
