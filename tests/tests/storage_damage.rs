//! Damaged database files are found at the start, named, and never served.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use jangbu_tests::cluster::{Book, Cluster, NodeProcess, issue, item};

/// A cluster whose first node was stopped with some blocks in tables and some in the write-ahead
/// log, and a copy of its database.
struct Stopped {
    cluster: Cluster,
    copy: tempfile::TempDir,
}

impl Stopped {
    fn new() -> Self {
        let mut cluster = Cluster::start();
        let mut book = Book::default();
        let author = cluster.author("cml1");
        let mut submit = |cluster: &Cluster, numbers: std::ops::Range<u64>| {
            for number in numbers {
                let statements = (0..20).map(|n| issue(item(number * 20 + n))).collect();
                let answer = cluster.nodes[0]
                    .client()
                    .submit(&author.envelope(statements));
                assert!(book.note(&answer), "{answer}");
            }
        };
        submit(&cluster, 0..30);
        // A start writes what was in the log into tables.
        cluster.nodes[0].terminate();
        cluster.start_all();
        submit(&cluster, 30..60);
        cluster.nodes[0].terminate();
        let copy = tempfile::tempdir().unwrap();
        copy_files(&database(&cluster.nodes[0]), copy.path());
        Self { cluster, copy }
    }

    fn node(&self) -> &NodeProcess {
        &self.cluster.nodes[0]
    }

    /// The files with this ending (or this name), as the node left them.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = fs::read_dir(database(self.node()))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_str().unwrap().ends_with(ending))
            .filter(|path| fs::metadata(path).unwrap().len() > 0)
            .collect();
        found.sort();
        found
    }

    /// Damages one file; the node must refuse to start, with all of `parts` in its error. Then
    /// puts everything back.
    fn refuses(&self, file: &Path, damage: impl FnOnce(&mut Vec<u8>), parts: &[&str]) {
        let mut bytes = fs::read(file).unwrap();
        damage(&mut bytes);
        fs::write(file, bytes).unwrap();
        self.refuses_as_it_is(&file.display().to_string(), parts);
    }

    fn refuses_as_it_is(&self, what: &str, parts: &[&str]) {
        let (code, text) = self.node().run_to_end();
        assert_eq!(code, Some(1), "{what}: {text}");
        let error = text.lines().last().unwrap();
        for part in ["jangbu-node: ", "amperia/data"].iter().chain(parts) {
            assert!(error.contains(part), "{what}: {part:?} is not in {error:?}");
        }
        assert!(!text.contains("panicked"), "{what}: {text}");
        assert!(!text.contains("the node runs"), "{what}: {text}");
        let database = database(self.node());
        fs::remove_dir_all(&database).unwrap();
        fs::create_dir(&database).unwrap();
        copy_files(self.copy.path(), &database);
    }

    /// The undamaged node goes on where it was.
    fn goes_on(mut self) {
        self.cluster.start_all();
        let size = self.cluster.checkpoint(1).size;
        self.cluster.wait_for_size(&[0, 1, 2, 3], size);
        let _log = self.cluster.one_log(&[0, 1, 2, 3]);
    }
}

fn database(node: &NodeProcess) -> PathBuf {
    node.data.join("ledger")
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

/// Changes one byte at that fraction of a file.
fn flip(numerator: usize, denominator: usize) -> impl Fn(&mut Vec<u8>) {
    move |bytes| {
        let at = (bytes.len() - 1) * numerator / denominator;
        bytes[at] ^= 0x40;
    }
}

#[test]
fn a_table_with_a_changed_byte_or_a_missing_end_is_refused() {
    let stopped = Stopped::new();
    let tables = stopped.files(".sst");
    assert!(tables.len() >= 10, "{tables:?}");
    for table in &tables {
        stopped.refuses(table, flip(0, 8), &["damaged", name(table)]);
        // In a small table these may fall into its own table of contents, for which RocksDB
        // blames the database's.
        for (part, parts) in [(1, 3), (1, 2), (4, 5)] {
            stopped.refuses(table, flip(part, parts), &["damaged"]);
        }
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
        stopped.refuses(table, cut, &["damaged"]);
    }
    fs::remove_file(&tables[0]).unwrap();
    stopped.refuses_as_it_is("a missing table", &["damaged", name(&tables[0])]);
    stopped.goes_on();
}

#[test]
fn a_write_ahead_log_with_a_changed_byte_is_refused() {
    let stopped = Stopped::new();
    let logs = stopped.files(".log");
    assert!(!logs.is_empty());
    for log in &logs {
        for (part, parts) in [(0, 8), (1, 3), (1, 2), (9, 10), (1, 1)] {
            stopped.refuses(log, flip(part, parts), &["damaged"]);
        }
    }
    stopped.goes_on();
}

#[test]
fn a_write_ahead_log_without_its_end_or_gone_is_refused() {
    let stopped = Stopped::new();
    let logs = stopped.files(".log");
    let last = logs.last().unwrap();
    // The very last write is a final checkpoint of some hundred bytes, which is not synced and may
    // be lost; what came before it was.
    for cut in [1_000, 10_000] {
        let short = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len().saturating_sub(cut));
        stopped.refuses(last, short, &["damaged", "was synced"]);
    }
    stopped.refuses(last, |bytes| bytes.truncate(bytes.len() / 2), &["damaged"]);
    stopped.refuses(last, Vec::clear, &["damaged"]);
    fs::remove_file(last).unwrap();
    stopped.refuses_as_it_is("a missing log", &["damaged"]);
    stopped.goes_on();
}

#[test]
fn a_database_without_its_start_or_its_mark_is_refused_and_not_begun_anew() {
    let stopped = Stopped::new();
    let database = database(stopped.node());
    for file in ["CURRENT", "SYNCED"] {
        fs::remove_file(database.join(file)).unwrap();
        stopped.refuses_as_it_is(file, &["damaged", file]);
    }
    stopped.refuses(&database.join("SYNCED"), Vec::clear, &["damaged", "SYNCED"]);
    stopped.goes_on();
}

#[test]
fn a_table_of_contents_that_is_damaged_is_refused() {
    let stopped = Stopped::new();
    let manifest = stopped
        .files("")
        .into_iter()
        .find(|path| name(path).starts_with("MANIFEST-"))
        .unwrap();
    for (part, parts) in [(0, 8), (1, 2), (9, 10)] {
        stopped.refuses(&manifest, flip(part, parts), &["damaged"]);
    }
    let current = database(stopped.node()).join("CURRENT");
    stopped.refuses(&current, flip(1, 2), &["damaged"]);
    stopped.refuses(&current, |bytes| bytes.clear(), &["damaged"]);
    stopped.goes_on();
}
