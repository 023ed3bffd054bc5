//! Containers: a thing is in one at a time, and comes out of the one it is in.

use jangbu_ledger::id::MemberId;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{PackedRecord, key};
use jangbu_ledger::statement::{Granularity, Handed, Kind};

use crate::ground::{Ground, claims, id, issued, open};

const PALLET: u64 = 1;
const CRATE: u64 = 2;
const ITEM: u64 = 3;
const THEIRS: u64 = 4;

fn put_in(things: &[u64]) -> Kind {
    Kind::Aggregated {
        children: things.iter().map(|n| id(*n)).collect(),
    }
}

fn taken_out(things: &[u64]) -> Kind {
    Kind::Disaggregated {
        children: things.iter().map(|n| id(*n)).collect(),
    }
}

fn ground() -> Ground {
    let mut ground = Ground::new();
    for (member, n) in [
        ("maker", PALLET),
        ("maker", CRATE),
        ("maker", ITEM),
        ("rival", THEIRS),
    ] {
        ground
            .say(member, issued(Granularity::Item), open(n))
            .unwrap();
    }
    ground
}

fn packed(ground: &Ground, container: u64, thing: u64) -> Option<(bool, bool)> {
    let at = key::packed(&id(container).subject_id(), &id(thing).subject_id());
    let record: Option<PackedRecord> = ground.get(&at);
    record.map(|packed| (packed.agreed, packed.inside))
}

#[test]
fn a_thing_is_in_one_container_at_a_time() {
    let mut ground = ground();
    ground.say("maker", put_in(&[ITEM]), open(CRATE)).unwrap();
    assert_eq!(packed(&ground, CRATE, ITEM), Some((true, true)));
    for container in [CRATE, PALLET] {
        let refused = ground.say_again("maker", put_in(&[ITEM]), open(container), 1);
        assert_eq!(refused, Err(Rule::ContainerOnce));
    }
    ground.say("maker", put_in(&[CRATE]), open(PALLET)).unwrap();
    let refused = ground.say("maker", put_in(&[PALLET]), open(CRATE));
    assert_eq!(refused, Err(Rule::ContainerCycle));
    let refused = ground.say("maker", taken_out(&[CRATE, ITEM]), open(PALLET));
    assert_eq!(refused, Err(Rule::ContainerKnown));
    ground
        .say("maker", taken_out(&[ITEM]), open(CRATE))
        .unwrap();
    let refused = ground.say_again("maker", taken_out(&[ITEM]), open(CRATE), 1);
    assert_eq!(refused, Err(Rule::ContainerKnown));
    ground
        .say_again("maker", put_in(&[ITEM]), open(PALLET), 2)
        .unwrap();
}

#[test]
fn saying_that_another_s_thing_is_inside_binds_nobody() {
    let mut ground = ground();
    ground.say("maker", put_in(&[THEIRS]), open(CRATE)).unwrap();
    assert_eq!(packed(&ground, CRATE, THEIRS), Some((false, true)));
    ground
        .say("rival", issued(Granularity::Item), open(9))
        .unwrap();
    ground.say("rival", put_in(&[THEIRS]), open(9)).unwrap();
    assert_eq!(packed(&ground, 9, THEIRS), Some((true, true)));
}

#[test]
fn nor_does_it_once_the_thing_was_one_s_own_and_in_that_container() {
    let mut ground = ground();
    ground.say("maker", put_in(&[ITEM]), open(CRATE)).unwrap();
    ground
        .say("maker", taken_out(&[ITEM]), open(CRATE))
        .unwrap();
    // Who hands responsibility over still has the thing, until that is handed over, too.
    let offered = |of| Kind::HandoverOffered {
        of,
        to: MemberId::of("buyer"),
    };
    let offer = ground
        .say("maker", offered(Handed::Responsibility), open(ITEM))
        .unwrap();
    ground
        .say("buyer", Kind::HandoverAccepted { offer }, claims(ITEM))
        .unwrap();
    let offer = ground
        .say("maker", offered(Handed::Custody), claims(ITEM))
        .unwrap();
    ground
        .say("buyer", Kind::HandoverAccepted { offer }, open(ITEM))
        .unwrap();
    ground
        .say_again("maker", put_in(&[ITEM]), open(CRATE), 1)
        .unwrap();
    assert_eq!(packed(&ground, CRATE, ITEM), Some((false, true)));
    ground
        .say("buyer", issued(Granularity::Item), open(9))
        .unwrap();
    ground.say("buyer", put_in(&[ITEM]), open(9)).unwrap();
}

#[test]
fn only_the_company_of_a_container_fills_it_and_whoever_has_it_empties_it() {
    let mut ground = ground();
    let refused = ground.say("rival", put_in(&[THEIRS]), open(CRATE));
    assert_eq!(refused, Err(Rule::SubjectOwner));
    ground.say("maker", put_in(&[ITEM]), open(CRATE)).unwrap();
    let refused = ground.say("buyer", taken_out(&[ITEM]), claims(CRATE));
    assert_eq!(refused, Err(Rule::ContainerHolder));
    let hand_over = |ground: &mut Ground, thing: u64| {
        let offered = Kind::HandoverOffered {
            of: Handed::Custody,
            to: MemberId::of("buyer"),
        };
        let offer = ground.say("maker", offered, open(thing)).unwrap();
        let accepted = Kind::HandoverAccepted { offer };
        ground.say("buyer", accepted, claims(thing)).unwrap();
    };
    hand_over(&mut ground, CRATE);
    ground
        .say("buyer", taken_out(&[ITEM]), claims(CRATE))
        .unwrap();

    // Nor does who was handed a thing wait for who has its container.
    ground
        .say_again("maker", put_in(&[ITEM]), open(PALLET), 1)
        .unwrap();
    hand_over(&mut ground, ITEM);
    ground
        .say("buyer", taken_out(&[ITEM]), claims(PALLET))
        .unwrap();
    assert_eq!(packed(&ground, PALLET, ITEM), Some((true, false)));
}

#[test]
fn a_thing_is_inside_at_most_64_containers() {
    let mut ground = Ground::new();
    for n in 0..=65 {
        ground
            .say("maker", issued(Granularity::Item), open(n))
            .unwrap();
    }
    for n in (2..=65).rev() {
        ground
            .say("maker", put_in(&[n - 1]), open(n))
            .unwrap_or_else(|rule| panic!("{n}: {rule:?}"));
    }
    let refused = ground.say("maker", put_in(&[0]), open(1));
    assert_eq!(refused, Err(Rule::ContainerCycle));
}
