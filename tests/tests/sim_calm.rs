//! Four replicas on a network on which nothing fails.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_ledger::id::Height;
use jangbu_tests::sim::{Dice, Faults, World};

/// Four replicas whose links are up.
fn world() -> World {
    let mut world = World::new(4, Dice::new(1), Faults::none()).unwrap();
    run_for(&mut world, 100);
    world
}

fn run_for(world: &mut World, ms: u64) {
    let until = world.now_us() + ms * 1000;
    while world.now_us() < until {
        assert!(world.happen().unwrap(), "nothing is left to happen");
    }
}

#[test]
fn envelopes_become_final_entries_on_every_replica() {
    let mut world = world();
    for number in 0..20 {
        world
            .submit_to(usize::try_from(number % 4).unwrap(), number)
            .unwrap();
        run_for(&mut world, 300);
    }
    assert!(world.is_settled(), "{}", world.describe());
    world.check_settled().unwrap();
    let height = world.oracle().top();
    assert!(height >= Height(10), "height {}", height.0);
    // 20 statements, a seal per block, the genesis seal.
    assert_eq!(world.log_size(), 20 + height.0 + 1);
}

#[test]
fn an_envelope_handed_in_again_needs_no_block() {
    let mut world = world();
    world.submit_to(0, 1).unwrap();
    run_for(&mut world, 500);
    let height = world.oracle().top();
    world.submit_to(2, 1).unwrap();
    assert!(world.is_settled(), "{}", world.describe());
    run_for(&mut world, 500);
    assert_eq!(world.oracle().top(), height);
}

#[test]
fn nothing_to_record_starts_no_height() {
    let mut world = world();
    run_for(&mut world, 20_000);
    assert_eq!(world.oracle().top(), Height(0));
}
