//! A full disk stops a node cleanly; with room again it goes on, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_tests::cluster::{Cluster, Load, LoadPlan, SmallDisk, wait_until};

/// Enough to start on, and soon full under load.
const SMALL_MIB: u32 = 24;
const LARGE_MIB: u32 = 512;
const ALL: [usize; 4] = [0, 1, 2, 3];

#[test]
fn a_node_whose_disk_is_full_stops_cleanly_and_goes_on_once_there_is_room() {
    let mut cluster = Cluster::found();
    let disk = match SmallDisk::mount(&cluster.nodes[3].data, SMALL_MIB) {
        Ok(disk) => disk,
        Err(reason) => {
            println!("skipped: {reason}; run as root, as CI does");
            return;
        }
    };
    cluster.start_all();
    let load = Load::start(
        &cluster,
        LoadPlan {
            nodes: &ALL,
            clients: 8,
            statements: 100,
            first_item: 0,
        },
    );
    let status = wait_until("the node stops for want of room", || {
        cluster.nodes[3]
            .ended()
            .ok_or_else(|| format!("{} envelopes are acknowledged", load.acknowledged()))
    });
    assert_eq!(status.code(), Some(1));
    let log = cluster.nodes[3].log_tail();
    let last = log.lines().last().unwrap();
    for part in [
        "jangbu-node: ",
        "soyu/data",
        "the disk is full",
        "free space",
    ] {
        assert!(last.contains(part), "{part:?} is not in {last:?}");
    }
    assert!(!cluster.nodes[3].log_text().contains("panicked"));
    // The others go on without it.
    load.wait_for_more(10);

    // Still no room: it refuses to start, and says why.
    let _ended = cluster.nodes[3].wait_until_ended();
    let (code, text) = cluster.nodes[3].run_to_end();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("the disk is full") && text.contains("soyu/data"),
        "{text}"
    );

    disk.resize(LARGE_MIB);
    cluster.start_all();
    load.wait_for_more(10);
    let book = load.stop();
    cluster.nothing_is_lost(&book);
    // The processes end before their disk does, and that before the directory it lies in.
    for node in &mut cluster.nodes {
        node.kill();
    }
    drop(disk);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let cluster = Cluster::found();
    let node = &cluster.nodes[0];
    let disk = match SmallDisk::mount(&node.data, 1) {
        Ok(disk) => disk,
        Err(reason) => {
            println!("skipped: {reason}; run as root, as CI does");
            return;
        }
    };
    disk.make_read_only();
    let (code, text) = node.run_to_end();
    assert_eq!(code, Some(1), "{text}");
    let error = text.lines().last().unwrap();
    for part in [
        "jangbu-node: ",
        "amperia/data",
        "Read-only",
        "may write there",
    ] {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}
