//! A reader of the stream that never reads while the ledger grows: it is cut off, costs the node next
//! to nothing until then, takes nothing from the other readers, and goes on where it was.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use jangbu_ledger::statement::Statement;
use jangbu_tests::cluster::{Author, Cluster, issue, item, wait_until};
use serde_json::Value;

/// How long the node waits for a reader in this test, in seconds.
const PATIENCE_S: u64 = 2;
/// Readers that never read.
const STUCK: usize = 48;
/// Statements that are said before they come, and again as many after; each is an event of 3 kB.
const STATEMENTS: u64 = 6_000;
/// How many of them in one envelope.
const TOGETHER: u64 = 1_500;
/// Bytes that a stuck reader may cost the node, what the ledger's growth costs it included. All that
/// it does not read has five times as many.
const BYTES_PER_READER_MAX: u64 = 8 * 1024 * 1024;

/// A connection to the stream, of which nobody reads until it is asked to.
struct Stuck(TcpStream);

impl Stuck {
    fn open(cluster: &Cluster) -> Self {
        let mut stream = TcpStream::connect(cluster.nodes[0].api).unwrap();
        stream
            .write_all(b"GET /v1/stream?from=0 HTTP/1.1\r\nHost: node\r\n\r\n")
            .unwrap();
        Self(stream)
    }

    /// All that had been sent to it, without the marks of the transfer in chunks. It must have been
    /// cut off: the connection ends, and the answer does not.
    fn read(mut self) -> String {
        self.0
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("it was not cut off: {error}"),
        }
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            !text.ends_with("\r\n0\r\n\r\n"),
            "the answer came to its end"
        );
        let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        let mut said = String::new();
        while let Some((size, after)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap();
            said.push_str(&after[..size.min(after.len())]);
            rest = after.get(size + 2..).unwrap_or_default();
        }
        said
    }
}

/// The positions of the statements in whole events, and the last event's id.
fn positions(said: &str) -> (Vec<u64>, u64) {
    let (mut found, mut last) = (Vec::new(), 0);
    let whole = said.rfind("\n\n").map_or("", |end| &said[..end]);
    for event in whole.split("\n\n") {
        let line = |field: &str| event.lines().find_map(|line| line.strip_prefix(field));
        let Some(id) = line("id: ") else { continue };
        last = id.parse().unwrap();
        if let Some(data) = line("data: ") {
            let item: Value = serde_json::from_str(data).unwrap();
            assert_eq!(item["sequence"], last);
            found.push(last);
        }
    }
    (found, last)
}

/// Reads a stream until it has come to this position; the statements' positions.
fn follow(cluster: &Cluster, after: Option<u64>, until: u64) -> Vec<u64> {
    let client = reqwest::blocking::Client::new();
    let url = format!("http://{}/v1/stream?from=0", cluster.nodes[0].api);
    let mut request = client.get(url).timeout(Duration::from_secs(120));
    if let Some(after) = after {
        request = request.header("Last-Event-ID", after);
    }
    let mut found = Vec::new();
    let mut id = None;
    for line in BufReader::new(request.send().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(place) = line.strip_prefix("id: ") {
            id = Some(place.parse::<u64>().unwrap());
        } else if line.starts_with("data: ") {
            found.extend(id);
        } else if line.is_empty() && id.is_some_and(|id| id >= until) {
            return found;
        }
    }
    panic!("the stream ended at {id:?}, before {until}");
}

/// Says so much that no buffer between node and reader has room for it; the statements' positions.
fn say(cluster: &Cluster, author: &Author, items: Range<u64>) -> BTreeSet<u64> {
    let mut positions = BTreeSet::new();
    let statement = |number| Statement {
        payload: vec![7; 512],
        ..issue(item(number))
    };
    for first in items.step_by(usize::try_from(TOGETHER).unwrap()) {
        let said = (first..first + TOGETHER).map(statement).collect();
        let answer = cluster.nodes[0].client().submit(&author.envelope(said));
        assert_eq!(answer.status, 200, "{answer}");
        let answer = answer.json();
        let outcomes = answer["outcomes"].as_array().unwrap().iter();
        positions.extend(outcomes.map(|outcome| outcome["sequence"].as_u64().unwrap()));
    }
    positions
}

#[test]
fn a_reader_that_never_reads_is_cut_off_and_nobody_else_notices() {
    let mut cluster = Cluster::found();
    let config = &cluster.nodes[0].config;
    let text = fs::read_to_string(config).unwrap();
    let patience = format!("[api]\nstream_patience_s = {PATIENCE_S}\n");
    fs::write(config, text.replace("[api]\n", &patience)).unwrap();
    cluster.start_all();
    let number = |name: &str| cluster.nodes[0].metrics().number(name).unwrap();
    let author = cluster.author("cml1");
    let mut said = say(&cluster, &author, 0..STATEMENTS);
    let before = number("process_resident_memory_bytes");
    let files = number("process_open_fds");

    let began = Instant::now();
    let stuck: Vec<Stuck> = (0..STUCK).map(|_| Stuck::open(&cluster)).collect();
    said.append(&mut say(&cluster, &author, STATEMENTS..2 * STATEMENTS));
    let last = *said.last().unwrap();
    let read = thread::scope(|scope| {
        let reader = scope.spawn(|| follow(&cluster, None, last));
        let mut most = 0;
        wait_until("all are cut off", || {
            most = most.max(number("process_resident_memory_bytes"));
            match number("jangbu_stream_readers_cut_off_total") {
                cut if cut == u64::try_from(STUCK).unwrap() => Ok(()),
                cut => Err(format!("{cut} are")),
            }
        });
        assert!(began.elapsed() >= Duration::from_secs(PATIENCE_S));
        let cost = most.saturating_sub(before) / u64::try_from(STUCK).unwrap();
        println!("a stuck reader cost the node {cost} bytes");
        assert!(cost < BYTES_PER_READER_MAX, "{cost} bytes a reader");
        reader.join().unwrap()
    });
    assert!(
        read.into_iter().eq(said.iter().copied()),
        "who reads has all, in order"
    );
    wait_until("their connections are closed", || {
        match number("process_open_fds") {
            open if open < files + u64::try_from(STUCK / 2).unwrap() => Ok(()),
            open => Err(format!("{open} are open, {files} were")),
        }
    });

    // One that was cut off has a beginning of it all, and gets the rest, once.
    for reader in stuck.into_iter().take(3) {
        let (mut seen, place) = positions(&reader.read());
        assert!(place < last, "nothing was left to be sent");
        seen.extend(follow(&cluster, Some(place), last));
        assert!(
            seen.into_iter().eq(said.iter().copied()),
            "nothing lost, nothing twice"
        );
    }
}
