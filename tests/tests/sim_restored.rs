//! A validator that lost what it signed follows without voting until it can contradict nothing.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_consensus::Vote;
use jangbu_ledger::codec;
use jangbu_replica::message::Message;
use jangbu_replica::replica::Input;
use jangbu_tests::sim::{Calm, Disk, Image, peer};

/// Four validators and so many blocks.
fn at_height(blocks: u64) -> Calm {
    let mut calm = Calm::all_up(4);
    grow(&mut calm, 0, 0, blocks);
    calm
}

/// Lets `blocks` envelopes from number `first` on become blocks, handed in at `n`.
fn grow(calm: &mut Calm, n: usize, first: u64, blocks: u64) {
    for number in first..first + blocks {
        calm.submit(n, number);
        calm.live_for(2_000);
    }
}

/// No two votes of a kind in one round.
fn contradicts_itself(votes: &[Vote]) -> bool {
    let place = |v: &Vote| (v.height, v.round, v.vote_type);
    votes.iter().any(|a| {
        let mut others = votes.iter();
        others.any(|b| place(a) == place(b) && a.block_id != b.block_id)
    })
}

#[test]
fn one_restored_from_a_backup_votes_only_from_a_height_that_began_after_its_return() {
    let mut calm = at_height(3);
    let backup = calm.members[3].disk.snapshot();
    grow(&mut calm, 0, 10, 4);
    calm.stop(3);
    grow(&mut calm, 0, 20, 2);
    let at_return = calm.height(0);
    calm.members[3].disk = backup;
    calm.members[3].votes.clear();
    calm.start(3, true);
    calm.live_for(3_000);
    assert_eq!(calm.height(3), at_return, "it catches up");
    assert_eq!(calm.members[3].following.len(), 1);

    // Also through a restart that nobody says anything about.
    calm.stop(3);
    calm.start(3, false);
    let mut number = 100;
    while calm.members[3].voting.is_empty() {
        assert!(number < 110, "it never votes again");
        assert!(calm.members[3].votes.is_empty());
        grow(&mut calm, 0, number, 1);
        number += 1;
    }
    let from = calm.members[3].voting[0].0;
    assert!(from > at_return + 2, "{from}, back at {at_return}");
    grow(&mut calm, 0, number, 3);
    let votes = &calm.members[3].votes;
    assert!(votes.iter().all(|vote| vote.height.0 >= from));
    assert!(!votes.is_empty());
    // It is a voter like the others again: one of them may go.
    calm.stop(0);
    let before = calm.height(1);
    grow(&mut calm, 1, number + 10, 2);
    assert!(calm.height(1) > before);
}

#[test]
fn an_old_copy_that_nobody_told_of_is_found_out_by_its_own_signature() {
    let mut calm = at_height(3);
    let backup = calm.members[3].disk.snapshot();
    // Only these three sign, so every certificate has its signature.
    calm.stop(2);
    grow(&mut calm, 0, 10, 4);
    calm.stop(3);
    calm.members[3].disk = backup;
    calm.start(3, false);
    calm.live_for(3_000);
    let member = &calm.members[3];
    assert_eq!(member.following.len(), 1, "{:?}", member.following);
    assert!(member.following[0].contains("not in our log"));
    assert!(!contradicts_itself(&member.votes));
    // Now it stands still like one that is down, until the one that is down returns.
    calm.submit(0, 50);
    calm.live_for(10_000);
    let height = calm.height(0);
    assert_eq!(calm.height(3), height);
    calm.start(2, false);
    grow(&mut calm, 0, 60, 6);
    assert!(calm.height(3) > height);
    assert_eq!(calm.members[3].voting.len(), 1);
    assert!(!contradicts_itself(&calm.members[3].votes));
}

#[test]
fn one_that_lost_its_log_stops_voting_when_it_meets_its_own_vote() {
    // Two of four vote and get nowhere: what the third said before it lost its disk is known
    // to them alone.
    let mut calm = Calm::new(4);
    for n in [0, 1, 3] {
        calm.start(n, false);
    }
    calm.stop(1);
    calm.submit(3, 1);
    calm.live_for(5_000);
    let lost: Vec<Vote> = calm.members[3].votes.clone();
    assert!(!lost.is_empty());
    let said = calm.members[3].said.last().cloned().unwrap();
    calm.stop(3);
    calm.members[3].disk = Disk::default();
    calm.start(3, false);
    assert!(calm.members[3].following.is_empty(), "nobody told it");
    let again = codec::encode(&Message::Consensus(said));
    calm.step(3, Input::Received(peer(0), again));
    assert_eq!(calm.members[3].following.len(), 1);
    calm.members[3].votes.clear();
    calm.live_for(10_000);
    assert!(calm.members[3].votes.is_empty());
}

#[test]
fn a_validator_that_only_crashed_goes_on_voting() {
    let mut calm = Calm::all_up(4);
    for round in 0..12 {
        calm.submit(0, round);
        calm.live_for(20 * (round % 5));
        let n = usize::try_from(1 + round % 3).unwrap();
        calm.stop(n);
        calm.live_for(500);
        calm.start(n, false);
    }
    calm.live_for(5_000);
    for member in &calm.members {
        assert!(member.following.is_empty(), "{:?}", member.following);
        assert!(!contradicts_itself(&member.votes));
        assert_eq!(member.committed.len(), 12);
    }
}

#[test]
fn a_disk_that_lost_what_it_said_it_synced_is_refused_until_it_is_replaced() {
    let mut calm = at_height(3);
    calm.members[3].disk.lie(u32::MAX);
    grow(&mut calm, 0, 10, 2);
    calm.stop(3);
    let disk = calm.members[3].disk.clone();
    assert!(disk.open().is_ok());
    disk.revive();
    let refusal = disk.open().unwrap_err().to_string();
    assert!(refusal.contains("was synced"), "{refusal}");
    disk.restore(Image::default());
    assert!(disk.open().is_ok());
}
