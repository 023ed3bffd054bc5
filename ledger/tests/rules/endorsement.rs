//! Assessors vouch for a version, until they withdraw.

use jangbu_ledger::id::{Digest, TimeMs};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{EndorsementRecord, key};
use jangbu_ledger::statement::Kind;

use crate::ground::{BLOCK_MS, Ground, START_MS, claims, superseded};

fn endorsed(version: u32, expires_at_ms: Option<u64>) -> Kind {
    Kind::PassportEndorsed {
        version,
        scheme: Digest([2; 32]),
        expires_at_ms: expires_at_ms.map(TimeMs),
    }
}

#[test]
fn the_current_version_is_endorsed_until_a_time_to_come() {
    let mut ground = Ground::with_product(1);
    let mut say = |kind| ground.say("auditor", kind, claims(1));
    assert_eq!(say(endorsed(2, None)), Err(Rule::PassportVersion));
    let now = START_MS + 4 * BLOCK_MS;
    assert_eq!(
        say(endorsed(1, Some(now - BLOCK_MS))),
        Err(Rule::EndorsementExpired)
    );
    assert_eq!(say(endorsed(1, Some(now))), Err(Rule::EndorsementExpired));
    say(endorsed(1, Some(now + BLOCK_MS + 1))).unwrap();
    ground
        .say("maker", superseded(2), crate::ground::open(1))
        .unwrap();
    let refused = ground.say("regulator", endorsed(1, None), claims(1));
    assert_eq!(refused, Err(Rule::PassportVersion));
}

#[test]
fn only_the_assessor_withdraws_its_endorsement_and_only_once() {
    let mut ground = Ground::with_product(1);
    ground
        .say(
            "maker",
            crate::ground::issued(jangbu_ledger::statement::Granularity::Item),
            crate::ground::open(2),
        )
        .unwrap();
    let endorsement = ground.say("auditor", endorsed(1, None), claims(1)).unwrap();
    let withdrawn = Kind::EndorsementWithdrawn { endorsement };
    let mut say =
        |member, n, occurrence| ground.say_again(member, withdrawn.clone(), claims(n), occurrence);
    assert_eq!(say("regulator", 1, 0), Err(Rule::EndorsementKnown));
    assert_eq!(say("auditor", 2, 0), Err(Rule::EndorsementKnown));
    say("auditor", 1, 0).unwrap();
    assert_eq!(say("auditor", 1, 1), Err(Rule::EndorsementOnce));
    let record: EndorsementRecord = ground.get(&key::endorsement(&endorsement)).unwrap();
    assert!(record.withdrawn);
}
