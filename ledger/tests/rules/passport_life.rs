//! Every step in every life by every member, in the open stream and in claims.

use jangbu_ledger::id::Digest;
use jangbu_ledger::passport::Life;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::statement::{Fate, Granularity, Kind, RevocationReason, SecondLife, Stream};

use crate::ground::{Ground, MEMBERS, claims, id, issued, open, superseded};

const PRODUCT: u64 = 1;
const MODEL: u64 = 2;
const OLD: u64 = 3;

/// How the product came to where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Unknown,
    Active,
    SuspendedByMaker,
    SuspendedByRegulator,
    Revoked,
    Ended,
}

const STANDS: [Stand; 6] = [
    Stand::Unknown,
    Stand::Active,
    Stand::SuspendedByMaker,
    Stand::SuspendedByRegulator,
    Stand::Revoked,
    Stand::Ended,
];

fn ground(stand: Stand) -> Ground {
    let mut ground = Ground::new();
    ground
        .say("maker", issued(Granularity::Model), open(MODEL))
        .unwrap();
    ground
        .say("rival", issued(Granularity::Item), open(OLD))
        .unwrap();
    if stand == Stand::Unknown {
        return ground;
    }
    ground
        .say("maker", issued(Granularity::Item), open(PRODUCT))
        .unwrap();
    let (member, kind, streams) = match stand {
        Stand::SuspendedByMaker => ("maker", Kind::PassportSuspended, open(PRODUCT)),
        Stand::SuspendedByRegulator => ("regulator", Kind::PassportSuspended, claims(PRODUCT)),
        Stand::Revoked => ("maker", revoked(), open(PRODUCT)),
        Stand::Ended => ("maker", ended(), open(PRODUCT)),
        Stand::Unknown | Stand::Active => return ground,
    };
    ground.say(member, kind, streams).unwrap();
    ground
}

fn revoked() -> Kind {
    Kind::PassportRevoked {
        reason: RevocationReason::Erroneous,
    }
}

fn ended() -> Kind {
    Kind::PassportEnded {
        fate: Fate::Recycled,
    }
}

/// One statement of each kind that touches a passport, with the streams it may stand in.
fn kinds() -> Vec<(Kind, bool, bool)> {
    let endorsed = Kind::PassportEndorsed {
        version: 1,
        scheme: Digest([2; 32]),
        expires_at_ms: None,
    };
    let registered = Kind::PassportRegistered {
        version: 1,
        registry: Digest([3; 32]),
    };
    let part_of = Kind::GranularityLinked { part_of: id(MODEL) };
    let derived = Kind::Derived {
        predecessors: vec![id(OLD)],
        by: SecondLife::Repurposed,
    };
    vec![
        (issued(Granularity::Item), true, false),
        (superseded(2), true, false),
        (Kind::PassportSuspended, true, true),
        (Kind::PassportReinstated, true, true),
        (revoked(), true, true),
        (ended(), true, false),
        (registered, true, false),
        (part_of, true, false),
        (derived, true, false),
        (endorsed, false, true),
    ]
}

/// The rules in words: nothing, or the rule that refuses.
fn expected(stand: Stand, member: &str, kind: &Kind, in_claims: bool) -> Option<Rule> {
    use Stand as S;
    let maker = member == "maker";
    if matches!(kind, Kind::PassportIssued { .. }) {
        return match (stand, maker, member) {
            (S::Unknown, _, "maker" | "rival" | "buyer") => None,
            (S::Unknown, ..) => Some(Rule::MemberRole),
            (_, true, _) => Some(Rule::PassportOnce),
            (_, false, _) => Some(Rule::SubjectOwner),
        };
    }
    if stand == S::Unknown {
        return Some(Rule::SubjectKnown);
    }
    match (in_claims, maker) {
        (false, false) => return Some(Rule::SubjectOwner),
        (true, true) => return Some(Rule::ClaimsByOthers),
        _ => {}
    }
    let endorses = matches!(kind, Kind::PassportEndorsed { .. });
    if in_claims && member != "regulator" && !(endorses && member == "auditor") {
        return Some(Rule::MemberRole);
    }
    let suspended = matches!(stand, S::SuspendedByMaker | S::SuspendedByRegulator);
    match (stand, kind) {
        (S::Revoked, _) => Some(Rule::PassportRevoked),
        (S::Ended, _) => Some(Rule::PassportEnded),
        (_, Kind::PassportReinstated) => match stand {
            S::Active => Some(Rule::PassportActive),
            S::SuspendedByMaker if maker => None,
            S::SuspendedByRegulator if !maker => None,
            _ => Some(Rule::PassportSuspender),
        },
        (
            _,
            Kind::PassportSuperseded { .. }
            | Kind::PassportRevoked { .. }
            | Kind::PassportEnded { .. },
        ) => None,
        _ if suspended => Some(Rule::PassportSuspended),
        // The model is older than the product; what it is made of is not.
        _ => None,
    }
}

#[test]
fn every_step_in_every_life_by_every_member_is_judged_as_said() {
    let mut judged = 0;
    for stand in STANDS {
        let ground = ground(stand);
        for (member, _) in MEMBERS {
            for (kind, own, others) in kinds() {
                for in_claims in [false, true] {
                    if !(if in_claims { others } else { own }) {
                        continue;
                    }
                    let streams: Vec<Stream> = if in_claims {
                        claims(PRODUCT)
                    } else {
                        open(PRODUCT)
                    };
                    // Another occurrence, or it would be the statement that led here.
                    let result = ground
                        .clone()
                        .say_again(member, kind.clone(), streams, 9)
                        .err();
                    let rule = expected(stand, member, &kind, in_claims);
                    assert_eq!(result, rule, "{stand:?} {member} {kind:?} {in_claims}");
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, 6 * 6 * 13);
}

#[test]
fn where_a_passport_stands_is_what_was_last_said() {
    let life = |ground: &Ground| ground.subject(PRODUCT).unwrap().passport.unwrap().life;
    let mut ground = ground(Stand::Active);
    let mut say = |member: &str, kind: Kind, streams| {
        ground.say(member, kind, streams).unwrap();
        life(&ground)
    };
    let suspended = say("regulator", Kind::PassportSuspended, claims(PRODUCT));
    assert_eq!(suspended, Life::Suspended);
    assert_eq!(say("maker", superseded(2), open(PRODUCT)), Life::Suspended);
    let reinstated = say("regulator", Kind::PassportReinstated, claims(PRODUCT));
    assert_eq!(reinstated, Life::Active);
    assert_eq!(say("maker", ended(), open(PRODUCT)), Life::Ended);
}

#[test]
fn a_version_is_the_next_one_and_what_is_registered_is_the_current_one() {
    let mut ground = ground(Stand::Active);
    for version in [0, 1, 3] {
        let refused = ground.say("maker", superseded(version), open(PRODUCT));
        assert_eq!(refused, Err(Rule::PassportVersion));
    }
    ground.say("maker", superseded(2), open(PRODUCT)).unwrap();
    let registered = |version| Kind::PassportRegistered {
        version,
        registry: Digest([3; 32]),
    };
    let refused = ground.say("maker", registered(1), open(PRODUCT));
    assert_eq!(refused, Err(Rule::PassportVersion));
    ground.say("maker", registered(2), open(PRODUCT)).unwrap();
}

#[test]
fn a_product_is_made_of_older_ones_that_were_not_revoked() {
    let derived = |predecessors: &[u64]| Kind::Derived {
        predecessors: predecessors.iter().map(|n| id(*n)).collect(),
        by: SecondLife::Remanufactured,
    };
    let mut ground = ground(Stand::Active);
    ground
        .say("buyer", issued(Granularity::Item), open(8))
        .unwrap();
    for young_or_unknown in [&[8u64][..], &[OLD, 9]] {
        let refused = ground.say("maker", derived(young_or_unknown), open(PRODUCT));
        assert_eq!(refused, Err(Rule::DerivedPredecessor));
    }
    ground
        .say("buyer", derived(&[PRODUCT, OLD]), open(8))
        .unwrap();
    ground.say("rival", revoked(), open(OLD)).unwrap();
    let refused = ground.say("maker", derived(&[OLD]), open(PRODUCT));
    assert_eq!(refused, Err(Rule::DerivedPredecessor));
}
