//! Four real nodes agree; three suffice; the fourth catches up.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_tests::cluster::{Book, Cluster, Load, LoadPlan, issue, item};

#[test]
fn four_nodes_agree_and_the_same_envelope_twice_gives_the_same_receipt() {
    let cluster = Cluster::start();
    let clients = cluster.clients();
    let author = cluster.author("cml1");
    let envelope = author.envelope(vec![issue(item(1)), issue(item(2))]);

    let mut book = Book::default();
    let first = clients[0].submit(&envelope);
    assert!(book.note(&first), "{first}");
    assert_eq!(book.entries.len(), 2);

    // The same bytes, the same answer: at the same node and at every other.
    let size = cluster.checkpoint(0).size;
    cluster.wait_for_size(&[0, 1, 2, 3], size);
    for client in &clients {
        let again = client.submit(&envelope);
        assert_eq!(
            (again.status, again.json()["status"].as_str()),
            (200, Some("final"))
        );
        for (before, now) in pairs(&first.json(), &again.json()) {
            assert_eq!(now["statement_id"], before["statement_id"]);
            assert_eq!(now["sequence"], before["sequence"]);
            assert_eq!(
                now["duplicate"], false,
                "the envelope itself is known: {again}"
            );
        }
        // The same statement in another envelope is said to be a duplicate.
        let other = client.submit(&author.envelope(vec![issue(item(1))]));
        let outcome = &other.json()["outcomes"][0];
        assert_eq!(outcome["duplicate"], true, "{other}");
        assert_eq!(outcome["sequence"], first.json()["outcomes"][0]["sequence"]);
    }
    // At one node the receipt is the same, byte for byte.
    let again = clients[0].submit(&envelope);
    assert_eq!(again.json()["outcomes"], first.json()["outcomes"]);

    assert_eq!(
        cluster.checkpoint(0).size,
        size,
        "nothing was recorded twice"
    );
    let log = cluster.nothing_is_lost(&book);
    assert_eq!(log.entries.len(), usize::try_from(size).unwrap());
}

#[test]
fn three_of_four_suffice_and_the_fourth_catches_up_after_its_restart() {
    let mut cluster = Cluster::start();
    let author = cluster.author("lumina");
    let mut book = Book::default();
    let mut submit = |cluster: &Cluster, node: usize, number: u64| {
        let answer = cluster.nodes[node]
            .client()
            .submit(&author.envelope(vec![issue(item(number))]));
        assert!(book.note(&answer), "{answer}");
    };
    submit(&cluster, 3, 0);
    cluster.nodes[3].terminate();
    for number in 1..=40 {
        submit(&cluster, usize::try_from(number % 3).unwrap(), number);
    }
    let size = cluster.checkpoint(0).size;
    cluster.start_all();
    cluster.wait_for_size(&[0, 1, 2, 3], size);
    // The node that was away takes part again.
    submit(&cluster, 3, 41);

    cluster.nothing_is_lost(&book);
}

#[test]
fn a_node_that_stood_still_under_load_catches_up_without_a_restart() {
    let cluster = Cluster::start();
    let load = Load::start(
        &cluster,
        LoadPlan {
            // Not the one that stands still: its clients would stand still with it.
            nodes: &[0, 1, 3],
            clients: 6,
            statements: 2,
            first_item: 0,
        },
    );
    load.wait_for_more(20);
    cluster.nodes[2].pause();
    load.wait_for_more(60);
    cluster.nodes[2].resume();
    load.wait_for_more(40);
    let book = load.stop();

    cluster.nothing_is_lost(&book);
}

fn pairs<'a>(
    a: &'a serde_json::Value,
    b: &'a serde_json::Value,
) -> impl Iterator<Item = (&'a serde_json::Value, &'a serde_json::Value)> {
    let list = |value: &'a serde_json::Value| value["outcomes"].as_array().unwrap().iter();
    assert_eq!(list(a).count(), list(b).count());
    list(a).zip(list(b))
}
