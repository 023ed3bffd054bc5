//! `kill -9` at any moment, of any node or of all at once, loses nothing and needs no hand.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use jangbu_tests::cluster::{Cluster, Load, LoadPlan};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Nodes of the cluster.
const ALL: [usize; 4] = [0, 1, 2, 3];
/// How long after the load is at work again a kill may come.
const MOMENT_MS_MAX: u64 = 400;

/// When to kill: from a seed that is printed, and may be set to see a failure again.
fn moments(test: &str) -> ChaCha8Rng {
    let seed = match std::env::var("JANGBU_TEST_SEED") {
        Ok(text) => text.parse().expect("JANGBU_TEST_SEED is a number"),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    println!("{test}: JANGBU_TEST_SEED={seed}");
    ChaCha8Rng::seed_from_u64(seed)
}

/// Lets some time pass: when a kill comes must not depend on what the nodes do.
fn pass_a_moment(random: &mut ChaCha8Rng) {
    std::thread::sleep(Duration::from_millis(random.next_u64() % MOMENT_MS_MAX));
}

fn load(cluster: &Cluster) -> Load {
    Load::start(
        cluster,
        LoadPlan {
            nodes: &ALL,
            clients: 8,
            statements: 2,
            first_item: 0,
        },
    )
}

#[test]
fn each_node_killed_in_turn_under_load_loses_nothing() {
    let mut random = moments("each node in turn");
    let mut cluster = Cluster::start();
    let load = load(&cluster);
    for node in ALL {
        load.wait_for_more(10);
        pass_a_moment(&mut random);
        cluster.nodes[node].kill();
        // Three of four go on.
        load.wait_for_more(10);
        cluster.nodes[node].start();
        cluster.nodes[node].wait_until_ready();
    }
    let book = load.stop();
    cluster.nothing_is_lost(&book);
}

#[test]
fn all_four_killed_at_once_under_load_lose_nothing() {
    let mut random = moments("all four at once");
    let mut cluster = Cluster::start();
    let load = load(&cluster);
    for _ in 0..3 {
        load.wait_for_more(20);
        pass_a_moment(&mut random);
        for node in &mut cluster.nodes {
            node.kill();
        }
        cluster.start_all();
    }
    load.wait_for_more(20);
    let book = load.stop();
    cluster.nothing_is_lost(&book);
}

#[test]
fn a_node_killed_again_and_again_while_it_catches_up_loses_nothing() {
    let mut random = moments("again and again");
    let mut cluster = Cluster::start();
    let load = load(&cluster);
    load.wait_for_more(10);
    cluster.nodes[1].kill();
    load.wait_for_more(40);
    for _ in 0..5 {
        cluster.nodes[1].start();
        pass_a_moment(&mut random);
        cluster.nodes[1].kill();
    }
    cluster.nodes[1].start();
    cluster.nodes[1].wait_until_ready();
    load.wait_for_more(20);
    let book = load.stop();
    cluster.nothing_is_lost(&book);
}
