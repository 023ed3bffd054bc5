//! Real nodes that lost their database: they follow, and vote again once they may.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use jangbu_tests::cluster::{Author, Book, Client, Cluster, Metrics, issue, item, wait_until};

/// Whether the node votes, by its own metrics.
fn votes(client: &Client) -> bool {
    let metrics = Metrics::of(client.get("/metrics").text());
    metrics.number("jangbu_voting").unwrap() == 1
}

fn record(cluster: &Cluster, author: &Author, number: u64, book: &mut Book) {
    let envelope = author.envelope(vec![issue(item(number))]);
    let answer = cluster.nodes[0].client().submit(&envelope);
    assert!(book.note(&answer), "{answer}");
}

/// Node 3 loses its database after some blocks and comes back by `start`.
fn comes_back(start: impl FnOnce(&mut Cluster)) {
    let mut cluster = Cluster::start();
    let author = cluster.author("cml1");
    let mut book = Book::default();
    for number in 0..4 {
        record(&cluster, &author, number, &mut book);
    }
    let client = cluster.nodes[3].client();
    wait_until("node 3 votes", || {
        votes(&client).then_some(()).ok_or("no".into())
    });
    cluster.nodes[3].kill();
    fs::remove_dir_all(&cluster.nodes[3].data).unwrap();
    start(&mut cluster);
    cluster.nodes[3].wait_until_ready();
    assert!(!votes(&client));
    assert!(
        cluster.nodes[3]
            .log_text()
            .contains("follows without voting")
    );

    let mut number = 10;
    while !votes(&client) {
        assert!(number < 60, "node 3 never votes again");
        record(&cluster, &author, number, &mut book);
        number += 1;
    }
    // It is needed now, and there.
    cluster.nodes[1].terminate();
    record(&cluster, &author, 100, &mut book);
    cluster.start_all();
    cluster.nothing_is_lost(&book);
}

#[test]
fn a_node_that_finds_no_database_follows_until_it_may_vote() {
    comes_back(|cluster| cluster.nodes[3].start_as_it_is(&[]));
}

#[test]
fn a_node_that_is_said_to_be_restored_follows_although_it_was_founded_anew() {
    comes_back(|cluster| {
        cluster.nodes[3].found();
        cluster.nodes[3].start_as_it_is(&["--restored"]);
    });
}
