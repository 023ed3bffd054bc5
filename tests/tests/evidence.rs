//! Evidence against a validator: recorded once, by anyone, and only if it holds.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_ledger::bundle::verify_receipt;
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::equivocation::Equivocation;
use jangbu_ledger::id::{BlockId, ChainId, Height};
use jangbu_ledger::signature::{PublicKey, sign};
use jangbu_ledger::statement::{Kind, ShapeError, Statement};
use jangbu_ledger::vote::{Proposal, SignedProposal, SignedVote, Vote, VoteType};
use jangbu_tests::world::{Key, World, WorldError, signing_key};

/// Two votes of a round that a member's key signed.
fn two_votes(chain: ChainId, member: &str, key: Key, round: u32) -> Equivocation {
    let key = signing_key(member, key).unwrap();
    let [one, other] = [1, 2].map(|block| {
        let vote = Vote {
            vote_type: VoteType::Prevote,
            height: Height(4),
            round,
            block_id: Some(BlockId([block; 32])),
            validator: PublicKey::of(&key).id(),
        };
        let signature = sign(&key, &vote.signing_digest(&chain));
        SignedVote { vote, signature }
    });
    Equivocation::votes(one, other)
}

fn two_proposals(chain: ChainId, member: &str) -> Equivocation {
    let key = signing_key(member, Key::Consensus).unwrap();
    let [one, other] = [1, 2].map(|block| {
        let proposal = Proposal {
            height: Height(4),
            round: 0,
            block_id: BlockId([block; 32]),
            pol_round: None,
            proposer: PublicKey::of(&key).id(),
        };
        let signature = sign(&key, &proposal.signing_digest(&chain));
        SignedProposal {
            proposal,
            signature,
        }
    });
    Equivocation::proposals(one, other)
}

fn statement(equivocation: Equivocation) -> Statement {
    Statement {
        kind: Kind::EvidenceRecorded {
            equivocation: Box::new(equivocation),
        },
        occurrence: 0,
        streams: Vec::new(),
        commitment: Commitment::NOTHING,
        references: Vec::new(),
        payload: Vec::new(),
    }
}

fn refusal(world: &mut World, member: &str, equivocation: Equivocation) -> String {
    match world.say(member, vec![statement(equivocation)]) {
        Err(WorldError::Refused(rule)) => rule,
        other => panic!("it was not refused: {other:?}"),
    }
}

#[test]
fn any_member_records_an_offence_once_and_its_receipt_holds() {
    let mut world = World::found().unwrap();
    let chain = world.anchor.chain_id;
    let prevotes = two_votes(chain, "hanbit", Key::Consensus, 0);
    let ids = world
        .say("cml1", vec![statement(prevotes.clone())])
        .unwrap();
    let receipt = world.receipt(&ids[0]).unwrap();
    verify_receipt(&receipt, &world.anchor.verifier()).unwrap();

    assert_eq!(refusal(&mut world, "amperia", prevotes), "evidence.once");
    let another_round = two_votes(chain, "hanbit", Key::Consensus, 1);
    let proposals = two_proposals(chain, "hanbit");
    world
        .say(
            "amperia",
            vec![statement(another_round), statement(proposals)],
        )
        .unwrap();
}

#[test]
fn what_proves_nothing_on_this_ledger_is_refused() {
    let mut world = World::found().unwrap();
    let chain = world.anchor.chain_id;
    let of_another_ledger = two_votes(ChainId([9; 32]), "hanbit", Key::Consensus, 0);
    let of_no_validator = two_votes(chain, "hanbit", Key::Witness, 0);
    let Equivocation::Votes { first, mut second } = two_votes(chain, "soyu", Key::Consensus, 0)
    else {
        panic!("made of votes")
    };
    second.signature = first.signature;
    let forged = Equivocation::votes(first, second);
    for equivocation in [of_another_ledger, of_no_validator, forged] {
        assert_eq!(refusal(&mut world, "cml1", equivocation), "evidence.holds");
    }
}

#[test]
fn two_messages_that_do_not_contradict_each_other_are_not_even_well_formed() {
    let chain = ChainId([7; 32]);
    let Equivocation::Votes { first, second } = two_votes(chain, "soyu", Key::Consensus, 0) else {
        panic!("made of votes")
    };
    for equivocation in [
        Equivocation::votes(first.clone(), first.clone()),
        Equivocation::Votes {
            first: second.clone(),
            second: first,
        },
    ] {
        let checked = statement(equivocation).check_shape();
        assert!(
            matches!(checked, Err(ShapeError::Evidence(_))),
            "{checked:?}"
        );
    }
}
