//! A member with real keys that breaks the rules, among real nodes: an end to its link.
//!
//! One that contradicts itself: `equivocation.rs`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use futures::AsyncWriteExt as _;
use jangbu_tests::cluster::{Cluster, OPERATORS, issue, item, wait_until};
use jangbu_tests::peer::{Impostor, Wire};

/// Longer than the node waits for the rest of a frame.
const PATIENCE: Duration = Duration::from_secs(40);

/// The member whose node gives way to this test.
const FAITHLESS: usize = 3;

/// How often the mesh of the first node refused that member for a reason.
fn refused(cluster: &Cluster, reason: &str) -> u64 {
    let text = cluster.nodes[0].client().get("/metrics").text();
    let member = OPERATORS[FAITHLESS];
    let name = format!("jangbu_mesh_refused_total{{member=\"{member}\",reason=\"{reason}\"}} ");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name.as_str()));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

#[test]
fn what_a_hostile_member_does_to_its_streams_is_named_and_counted_and_the_others_go_on() {
    let mut cluster = Cluster::start();
    cluster.nodes[FAITHLESS].terminate();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bulk = format!("/jangbu/1/{}/bulk", cluster.consortium.anchor.chain_id);
    runtime.block_on(async {
        let mut oversize = Wire::of_member(&cluster, FAITHLESS, 0).await;
        let mut streams = oversize.open_both().await;
        streams[1].write_all(&[255; 4]).await.unwrap();
        oversize.closed().await;

        let mut garbage = Wire::of_member(&cluster, FAITHLESS, 0).await;
        let _stream = garbage.open("GET / HTTP/1.1").await;
        garbage.closed().await;

        let mut endless = Wire::of_member(&cluster, FAITHLESS, 0).await;
        let mut streams = endless.open_both().await;
        streams.push(endless.open(&bulk).await);
        endless.closed().await;

        let mut flood = Wire::of_member(&cluster, FAITHLESS, 0).await;
        let mut streams = flood.open_both().await;
        let signs_of_life = vec![0; 4 * 4_096];
        while streams[0].write_all(&signs_of_life).await.is_ok() {}
        flood.closed().await;

        // The node waits its full 30 s for the rest of this frame, and no longer.
        let mut stall = Wire::of_member(&cluster, FAITHLESS, 0).await;
        let mut streams = stall.open_both().await;
        let stalling = async {
            let mut begun = vec![0, 0, 0, 9, 1];
            // Signs of life on the other stream: it is not silence that ends this.
            while streams[1].write_all(&begun).await.is_ok()
                && streams[0].write_all(&[0; 4]).await.is_ok()
                && streams[0].flush().await.is_ok()
            {
                begun.clear();
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        };
        tokio::time::timeout(2 * PATIENCE, stalling).await.unwrap();
        stall.closed().await;
    });
    let reasons = [
        ("oversize", "bytes announced"),
        ("unknown_protocol", "GET / HTTP/1.1"),
        ("too_many_streams", "more streams"),
        ("flood", "flood"),
        ("stalled", "stalled within a frame"),
    ];
    for (reason, words) in reasons {
        wait_until("it is counted", || match refused(&cluster, reason) {
            1 => Ok(()),
            other => Err(format!("{reason}: {other}")),
        });
        let log = cluster.nodes[0].log_text();
        let is_it = |line: &&str| line.contains("closed a connection") && line.contains(words);
        let line = log.lines().find(is_it);
        let line = line.unwrap_or_else(|| panic!("no line in the log says {words:?}"));
        assert!(line.contains(OPERATORS[FAITHLESS]), "{line}");
    }
    let author = cluster.author("cml1");
    let answer = cluster.nodes[0]
        .client()
        .submit(&author.envelope(vec![issue(item(1))]));
    assert_eq!(answer.json()["status"], "final", "{answer}");
}

#[test]
fn a_member_that_sends_garbage_is_cut_off_named_and_counted_and_the_others_go_on() {
    let mut cluster = Cluster::start();
    cluster.nodes[FAITHLESS].terminate();
    let mut impostor = Impostor::of(&cluster, FAITHLESS, &[0]);
    for _ in 0..16 {
        impostor.send(0, &[0xff; 9]);
    }
    impostor.until_cut_off(0);
    wait_until("it is counted", || {
        match cluster.nodes[0].metrics().number("jangbu_cut_off_total")? {
            1 => Ok(()),
            other => Err(format!("{other} are")),
        }
    });
    let log = cluster.nodes[0].log_text();
    let line = log.lines().find(|line| line.contains("is cut off"));
    assert!(
        line.is_some_and(|line| line.contains(OPERATORS[FAITHLESS])),
        "{line:?}"
    );
    let author = cluster.author("cml1");
    let answer = cluster.nodes[0]
        .client()
        .submit(&author.envelope(vec![issue(item(1))]));
    assert_eq!(answer.json()["status"], "final", "{answer}");
}
