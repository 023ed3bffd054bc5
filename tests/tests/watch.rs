//! What becomes final is shown as it does, to whoever watches: once, in order, whatever happens to
//! the node that is watched.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use jangbu_tests::cluster::{Author, Book, Cluster, issue, item, wait_until};
use serde_json::Value;

/// `jangbu watch`, running.
struct Watching {
    child: Child,
    out: PathBuf,
}

impl Watching {
    fn start(cluster: &Cluster, nodes: &[usize], arguments: &[&str], out: &Path) -> Self {
        let child = cluster
            .reader(nodes)
            .arg("watch")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(File::create(out).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            out: out.to_owned(),
        }
    }

    /// The statements shown so far.
    fn shown(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.out).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn wait_for(&self, count: usize) {
        wait_until(&format!("{count} statements are shown"), || {
            match self.shown().len() {
                shown if shown >= count => Ok(()),
                shown => Err(format!("{shown} are")),
            }
        });
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn submit(cluster: &Cluster, node: usize, author: &Author, numbers: std::ops::Range<u64>) {
    let mut book = Book::default();
    for number in numbers {
        let statements = (0..3).map(|n| issue(item(3 * number + n))).collect();
        let answer = cluster.nodes[node]
            .client()
            .submit(&author.envelope(statements));
        assert!(book.note(&answer), "{answer}");
    }
}

/// The whole log's statements, as `jangbu list` shows them.
fn listed(cluster: &Cluster, node: usize) -> Vec<Value> {
    let ran = cluster.jangbu("vela", node, &["list", "--all"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.lines()
}

#[test]
fn a_watcher_misses_nothing_when_the_node_it_watches_is_killed() {
    let mut cluster = Cluster::start();
    let author = cluster.author("cml1");
    let directory = tempfile::tempdir().unwrap();
    let out = |name: &str| directory.path().join(name);
    submit(&cluster, 2, &author, 0..5);
    let from = ["--from", "0"];
    let whole = Watching::start(&cluster, &[0, 1], &from, &out("whole"));
    let news = Watching::start(&cluster, &[0, 1], &[], &out("news"));
    let others = ["--from", "0", "--by", "vela"];
    let others = Watching::start(&cluster, &[0, 1], &others, &out("others"));
    let one = ["--from", "0", "--subject", &item(16).to_string()];
    let one = Watching::start(&cluster, &[0, 1], &one, &out("one"));
    whole.wait_for(15);
    submit(&cluster, 2, &author, 5..10);
    news.wait_for(1);
    cluster.nodes[0].kill();
    submit(&cluster, 2, &author, 10..20);
    whole.wait_for(60);
    one.wait_for(1);

    // And back, when the other one is told to stop: that must not wait for its watchers.
    cluster.nodes[0].start();
    cluster.wait_until_ready();
    cluster.nodes[1].terminate();
    submit(&cluster, 2, &author, 20..25);
    whole.wait_for(75);
    let all = listed(&cluster, 2);
    assert_eq!(all.len(), 75);
    assert_eq!(whole.shown(), all);
    // It began with what became final first after it had come: before the node was killed.
    let first = news.shown().swap_remove(0);
    let begun = all.iter().position(|one| *one == first).unwrap();
    assert!(begun < 30, "{begun}");
    news.wait_for(75 - begun);
    assert_eq!(news.shown(), all[begun..]);
    assert_eq!(one.shown(), all[16..17]);
    assert_eq!(others.shown(), Vec::<Value>::new());
}

/// Lines of the node's stream until `count` blank ones came by.
fn events(cluster: &Cluster, query: &str, last: Option<&str>, count: usize) -> Vec<String> {
    let mut request = reqwest::blocking::Client::new()
        .get(format!("http://{}/v1/stream{query}", cluster.nodes[0].api));
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    let response = request.timeout(Duration::from_secs(60)).send().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut found = Vec::new();
    for line in BufReader::new(response).lines() {
        let line = line.unwrap();
        found.push(line.clone());
        if found.iter().filter(|line| line.is_empty()).count() == count {
            break;
        }
    }
    found
}

#[test]
fn events_have_places_and_go_on_after_the_last_one_seen() {
    let cluster = Cluster::start();
    let author = cluster.author("cml1");
    submit(&cluster, 0, &author, 0..2);
    let lines = events(&cluster, "?from=0", None, 7);
    assert_eq!(lines[0], "retry: 1000");
    let of = |lines: &[String], field: &str| -> Vec<String> {
        lines
            .iter()
            .filter_map(|line| line.strip_prefix(field).map(str::to_owned))
            .collect()
    };
    let ids = of(&lines, "id: ");
    assert_eq!(of(&lines, "event: "), ["statement"; 6]);
    for (id, data) in ids.iter().zip(of(&lines, "data: ")) {
        let item: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(item["sequence"].to_string(), *id);
        let page = cluster.nodes[0]
            .client()
            .json(&format!("/v1/entries?from={id}&limit=1"));
        assert_eq!(page["items"][0], item);
    }
    // `from` says where to begin, the header where a reader was: the reader's word is newer.
    let later = events(&cluster, "?from=0", Some(&ids[2]), 4);
    assert_eq!(of(&later, "id: ")[1..], ids[3..]);
    let one = format!(
        "?from=0&member=cml1&kind=passport_issued&subject={}",
        item(4)
    );
    assert_eq!(of(&events(&cluster, &one, None, 2), "data: ").len(), 1);
    for bad in [
        "?from=-1",
        "?kind=nothing",
        "?member=nobody",
        "?subject=x",
        "?where=1",
    ] {
        let answer = cluster.nodes[0].client().get(&format!("/v1/stream{bad}"));
        assert_eq!(answer.status, 400, "{bad}: {answer}");
    }
}

#[test]
fn a_node_has_a_bound_on_its_watchers() {
    let cluster = Cluster::start();
    let client = reqwest::blocking::Client::new();
    let open = || {
        let url = format!("http://{}/v1/stream", cluster.nodes[0].api);
        client.get(url).send().unwrap()
    };
    let mut watching: Vec<_> = (0..128).map(|_| open()).collect();
    assert!(watching.iter().all(|response| response.status() == 200));
    assert_eq!(open().status(), 429);
    watching.pop();
    wait_until("there is room again", || match open().status().as_u16() {
        200 => Ok(()),
        status => Err(status.to_string()),
    });
}
