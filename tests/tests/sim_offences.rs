//! What a replica makes of members that break the rules: evidence, and an end to it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_consensus::{ConsensusMessage, SignedVote, Vote, VoteType};
use jangbu_ledger::codec;
use jangbu_ledger::equivocation::SaidTwice;
use jangbu_ledger::id::{BlockId, Height};
use jangbu_replica::message::Message;
use jangbu_replica::replica::Input;
use jangbu_tests::sim::{Calm, peer};

/// Two of four, which cannot decide: the first height runs, and stays.
fn undecided() -> Calm {
    let mut calm = Calm::new(4);
    calm.start(0, false);
    calm.start(1, false);
    calm.submit(0, 1);
    calm
}

fn vote(calm: &Calm, by: usize, height: u64, round: u32, block: u8) -> Message {
    typed_vote(calm, VoteType::Prevote, by, height, round, block)
}

fn typed_vote(
    calm: &Calm,
    vote_type: VoteType,
    by: usize,
    height: u64,
    round: u32,
    block: u8,
) -> Message {
    let config = calm.consortium.config(by);
    let vote = Vote {
        vote_type,
        height: Height(height),
        round,
        block_id: Some(BlockId([block; 32])),
        validator: calm.consortium.key_id(by).unwrap(),
    };
    let digest = vote.signing_digest(&config.chain.chain_id);
    let signature = config.signer.unwrap().sign(&digest).unwrap();
    Message::Consensus(ConsensusMessage::Vote(SignedVote { vote, signature }))
}

fn hears(calm: &mut Calm, from: usize, message: &Message) {
    let input = Input::Received(peer(from), codec::encode(message));
    calm.step(0, input);
}

#[test]
fn two_votes_in_one_round_of_the_running_height_or_the_next_are_evidence_at_once() {
    for height in [1, 2] {
        let mut calm = undecided();
        for block in [7, 7, 8, 9] {
            let message = vote(&calm, 2, height, 0, block);
            hears(&mut calm, 2, &message);
        }
        let message = vote(&calm, 3, height, 0, 7);
        hears(&mut calm, 3, &message);
        let [equivocation] = calm.members[0].evidence.as_slice() else {
            panic!("{:?}", calm.members[0].evidence);
        };
        let chain = calm.consortium.config(0).chain;
        let offender = calm.consortium.key_id(2).unwrap();
        let key = chain.validator_set.find(&offender).unwrap().key();
        let offence = equivocation.verify(&chain.chain_id, key).unwrap();
        assert_eq!(
            (offence.height, offence.validator),
            (Height(height), offender)
        );
        assert!(calm.members[1].evidence.is_empty(), "it heard nothing");
    }
}

#[test]
fn a_vote_that_the_certificate_of_a_fetched_block_contradicts_is_evidence() {
    let mut calm = Calm::new(4);
    calm.start(0, false);
    // Another block than the one that member 2 is going to decide on, whatever the round.
    for round in 0..4 {
        let message = typed_vote(&calm, VoteType::Precommit, 2, 1, round, 9);
        hears(&mut calm, 2, &message);
    }
    let unreached = calm.members[0].replica.take();
    for n in 1..4 {
        calm.start(n, false);
    }
    calm.submit(1, 1);
    calm.live_for(20_000);
    assert!(calm.height(1) >= 1, "three of four decide");
    assert!(calm.members[0].evidence.is_empty());
    calm.members[0].replica = unreached;
    for (n, other) in [(0, 1), (1, 0)] {
        calm.step(n, Input::Connected(peer(other)));
    }
    calm.live_for(5_000);
    assert!(calm.height(0) >= 1, "it fetched what it missed");
    let [equivocation] = calm.members[0].evidence.as_slice() else {
        panic!("{:?}", calm.members[0].evidence);
    };
    let chain = calm.consortium.config(0).chain;
    let offender = calm.consortium.key_id(2).unwrap();
    let key = chain.validator_set.find(&offender).unwrap().key();
    let offence = equivocation.verify(&chain.chain_id, key).unwrap();
    assert_eq!(offence.said_twice, SaidTwice::Precommit);
}

#[test]
fn votes_of_several_rounds_are_no_evidence() {
    let mut calm = undecided();
    for round in 0..8 {
        let message = vote(&calm, 2, 1, round, u8::try_from(round).unwrap());
        hears(&mut calm, 2, &message);
    }
    assert!(calm.members[0].evidence.is_empty());
}

#[test]
fn a_member_that_asks_without_end_gets_no_answers_is_named_and_cut_off() {
    let mut calm = undecided();
    let request = Message::FetchBody(BlockId([1; 32]));
    for second in 0..20 {
        for _ in 0..5_000 {
            hears(&mut calm, 2, &request);
        }
        if second < 10 {
            assert!(calm.members[0].cut_off.is_empty(), "once is no habit");
        }
        calm.live_for(1_000);
    }
    let member = &calm.members[0];
    assert!(member.accused.len() <= 20, "named now and then");
    assert!(member.accused.iter().all(|(who, _)| *who == 2));
    assert_eq!(member.cut_off, [2]);
}

#[test]
fn a_member_that_sends_garbage_without_end_is_cut_off() {
    let mut calm = undecided();
    for _ in 0..100 {
        calm.step(0, Input::Received(peer(3), vec![0xff; 9]));
    }
    let member = &calm.members[0];
    assert_eq!(member.accused.len(), 100);
    assert!(!member.cut_off.is_empty() && member.cut_off.iter().all(|who| *who == 3));
}
