//! A proposer that is known to be down is not waited for.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_replica::replica::{Input, Token};
use jangbu_tests::sim::Calm;

/// Virtual milliseconds that 40 blocks take, one after the other, with this member down.
fn forty_blocks(down: Option<usize>) -> u64 {
    let mut calm = Calm::all_up(4);
    if let Some(n) = down {
        calm.stop(n);
    }
    calm.live_for(3_000);
    let mut took = 0;
    for number in 0..40 {
        let before = calm.height(0);
        calm.submit(0, number);
        while calm.height(0) == before {
            calm.live_for(10);
            took += 10;
            assert!(took < 60_000, "it stands still");
        }
        calm.live_for(60);
    }
    took
}

#[test]
fn a_quarter_of_the_heights_without_their_proposer_costs_a_moment_each() {
    let all_up = forty_blocks(None);
    let one_down = forty_blocks(Some(2));
    println!("40 blocks took {all_up} ms of time-outs with all up, {one_down} ms with one down");
    // Ten of the forty heights begin with the proposer that is down. A full time-out of 500 ms
    // and one of 200 ms for precommits would make these 7,000 ms.
    let each = one_down.saturating_sub(all_up) / 10;
    assert!(
        each <= 80,
        "{each} ms for each height that it would propose"
    );
}

#[test]
fn blocks_stay_as_large_as_they_were() {
    let mut calm = Calm::all_up(4);
    calm.stop(2);
    calm.live_for(3_000);
    let (batches, of) = (24, 300);
    for batch in 0..batches {
        let numbers = batch * of..(batch + 1) * of;
        let envelope = |number| (Token(number), calm.consortium.envelope(number).1);
        let submission = Input::Submit(numbers.map(envelope).collect());
        calm.step(0, submission);
        calm.live_for(1_500);
    }
    let recorded = calm.members[0].committed.len();
    assert_eq!(recorded, usize::try_from(batches * of).unwrap());
    // The first envelopes of a batch do not wait for the others.
    let blocks = calm.height(0);
    assert!(blocks <= 2 * batches, "{blocks} blocks");
}
