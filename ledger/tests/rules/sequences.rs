//! Any sequence of statements whatever: no illegal state, replays change nothing, and the order
//! of statements about different things does not matter.

use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{Digest, MemberId, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::passport::Life;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{
    BalanceRecord, LinkRecord, PackedRecord, SubjectRecord, TransformationRecord, key,
};
use jangbu_ledger::statement::{
    Amount, Basis, Fate, Granularity, Handed, Kind, NoticeSort, Portion, Quantity,
    RevocationReason, SecondLife, Stream,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::ground::{Ground, MEMBERS, id, issued, superseded, under};

/// How many things there are. The last one is the maker's before anything is recorded about it.
const THINGS: u64 = 4;
/// Who speaks how often: companies more than those that only judge or read.
const SPEAKERS: [usize; 9] = [0, 0, 0, 0, 1, 2, 3, 4, 5];

/// Something that a member says about a thing. `nth` names an earlier statement.
#[derive(Debug, Clone)]
struct Said {
    member: usize,
    thing: u64,
    other: u64,
    in_claims: bool,
    what: u8,
    nth: usize,
    version: u32,
}

fn said() -> impl Strategy<Value = Said> {
    (
        prop::sample::select(&SPEAKERS[..]),
        0..THINGS,
        0..THINGS,
        any::<bool>(),
        0u8..24,
        0usize..8,
        1u32..4,
    )
        .prop_map(
            |(member, thing, other, in_claims, what, nth, version)| Said {
                member,
                thing,
                other,
                in_claims,
                what,
                nth,
                version,
            },
        )
}

/// The name of a thing.
fn name_of(thing: u64) -> Identifier {
    if thing + 1 == THINGS {
        under("maker", thing)
    } else {
        id(thing)
    }
}

/// What was recorded: its id, which sort of statement, about which thing.
type Recorded = (StatementId, u8, u64);

/// Kind and stream; `None` if such a statement is not even well formed.
fn statement(said: &Said, recorded: &[Recorded]) -> Option<(Kind, Vec<Stream>)> {
    // The last statement of one of these sorts, or one before it.
    let answered: &[u8] = match said.what {
        8 => &[7],
        11 | 12 => &[9, 10],
        14 | 15 => &[13],
        20 | 21 => &[18],
        _ => &[],
    };
    let candidates: Vec<&Recorded> = recorded
        .iter()
        .rev()
        .filter(|(_, what, _)| answered.contains(what))
        .collect();
    let earlier = candidates.get(said.nth % candidates.len().max(1));
    let thing = earlier.map_or(said.thing, |(.., thing)| *thing);
    let earlier = || earlier.map(|(id, ..)| *id);
    let (name, other) = (name_of(thing), name_of(said.other));
    let distinct = (thing != said.other).then_some(());
    let to = MemberId::of(MEMBERS[said.nth % MEMBERS.len()].0);
    let version = said.version;
    let (kind, sides) = match said.what {
        0 => (issued(Granularity::Item), "open"),
        1 => (issued(Granularity::Batch), "open"),
        2 => (superseded(version), "open"),
        3 => (Kind::PassportSuspended, "any"),
        4 => (Kind::PassportReinstated, "any"),
        5 => (
            Kind::PassportRevoked {
                reason: RevocationReason::Erroneous,
            },
            "any",
        ),
        6 => (Kind::PassportEnded { fate: Fate::Lost }, "open"),
        7 => (
            Kind::PassportEndorsed {
                version,
                scheme: Digest([1; 32]),
                expires_at_ms: None,
            },
            "claims",
        ),
        8 => (
            Kind::EndorsementWithdrawn {
                endorsement: earlier()?,
            },
            "claims",
        ),
        9 => (
            Kind::HandoverOffered {
                of: Handed::Responsibility,
                to,
            },
            "any",
        ),
        10 => (
            Kind::HandoverOffered {
                of: Handed::Custody,
                to,
            },
            "any",
        ),
        11 => (Kind::HandoverAccepted { offer: earlier()? }, "any"),
        12 => (Kind::HandoverEnded { offer: earlier()? }, "any"),
        13 => {
            distinct?;
            let kind = Kind::ComponentLinked {
                child: other,
                basis: Basis::AsBuilt,
                quantity: None,
            };
            (kind, "open")
        }
        14 => (Kind::ComponentConfirmed { link: earlier()? }, "claims"),
        15 => (Kind::ComponentContested { link: earlier()? }, "claims"),
        16 => {
            distinct?;
            let kind = Kind::Derived {
                predecessors: vec![other],
                by: SecondLife::Reused,
            };
            (kind, "open")
        }
        18 => {
            distinct?;
            let kind = Kind::Transformed {
                inputs: vec![portion(&other, version)],
                outputs: vec![portion(&name, version)],
            };
            (kind, "open")
        }
        19 => {
            let kind = Kind::Transformed {
                inputs: vec![],
                outputs: vec![portion(&name, version)],
            };
            (kind, "open")
        }
        20 => (
            Kind::InputConfirmed {
                transformation: earlier()?,
                input: other,
            },
            "any",
        ),
        21 => (
            Kind::InputContested {
                transformation: earlier()?,
                input: other,
            },
            "any",
        ),
        22 => {
            distinct?;
            let children = vec![other];
            (Kind::Aggregated { children }, "open")
        }
        23 => {
            distinct?;
            let children = vec![other];
            (Kind::Disaggregated { children }, "any")
        }
        _ => (
            Kind::NoticeIssued {
                sort: NoticeSort::Safety,
            },
            "any",
        ),
    };
    let in_claims = match sides {
        "open" => false,
        "claims" => true,
        _ => said.in_claims,
    };
    let stream = if in_claims {
        Stream::Claims(name)
    } else {
        Stream::Open(name)
    };
    Some((kind, vec![stream]))
}

fn portion(of: &Identifier, pieces: u32) -> Portion {
    Portion {
        of: of.clone(),
        quantity: Quantity::parse(&pieces.to_string(), "unit:piece"),
    }
}

/// Lets them be said in order; what came of each.
fn run(ground: &mut Ground, all: &[Said]) -> Vec<Option<Outcome>> {
    let mut recorded = Vec::new();
    let mut outcomes = Vec::new();
    for (n, said) in (0u32..).zip(all) {
        let Some((kind, streams)) = statement(said, &recorded) else {
            outcomes.push(None);
            continue;
        };
        let before = things(ground);
        let member = MEMBERS[said.member].0;
        let (id, outcome) = ground.judge(member, kind, streams, n);
        if matches!(outcome, Outcome::Recorded(_)) {
            recorded.push((id, said.what, said.thing));
            check_standing(ground, said, &before, &id);
        }
        check(&before, &things(ground));
        check_balances(ground);
        outcomes.push(Some(outcome));
    }
    outcomes
}

fn things(ground: &Ground) -> Vec<Option<SubjectRecord>> {
    (0..THINGS).map(|n| thing(ground, n)).collect()
}

fn thing(ground: &Ground, n: u64) -> Option<SubjectRecord> {
    ground.get(&key::subject(&name_of(n).subject_id()))
}

/// What one says of another thing binds it at once only if it is one's own or, where that is enough,
/// in one's custody.
fn check_standing(
    ground: &Ground,
    said: &Said,
    before: &[Option<SubjectRecord>],
    statement: &StatementId,
) {
    let member = MemberId::of(MEMBERS[said.member].0);
    let other = name_of(said.other).subject_id();
    let (owns, holds) = match &before[usize::try_from(said.other).unwrap()] {
        Some(known) => (known.owner == member, known.custodian == Some(member)),
        None => {
            let is_maker_s = said.other + 1 == THINGS && MEMBERS[said.member].0 == "maker";
            (is_maker_s, false)
        }
    };
    let (binds, expected) = match said.what {
        13 => {
            let link: LinkRecord = ground.get(&key::link(statement)).unwrap();
            (link.confirmed_by == Some(member), owns)
        }
        18 => {
            let all: TransformationRecord = ground.get(&key::transformation(statement)).unwrap();
            let by = all.inputs[0].confirmed_by;
            (by == Some(member), owns || holds)
        }
        22 => {
            let at = key::packed(&name_of(said.thing).subject_id(), &other);
            let packed: PackedRecord = ground.get(&at).unwrap();
            (packed.agreed, owns || holds)
        }
        _ => return,
    };
    assert_eq!(binds, expected, "{said:?}");
}

/// What no statement whatever may bring about.
fn check(before: &[Option<SubjectRecord>], after: &[Option<SubjectRecord>]) {
    let companies: Vec<MemberId> = MEMBERS[..3].iter().map(|(n, _)| MemberId::of(n)).collect();
    for (before, after) in before.iter().zip(after) {
        let Some(after) = after else {
            assert!(before.is_none(), "a subject vanished");
            continue;
        };
        assert!(companies.contains(&after.owner), "not a company's");
        assert!(
            after
                .custodian
                .is_none_or(|c| c != after.owner && companies.contains(&c))
        );
        assert!(after.components <= after.links);
        let Some(before) = before else { continue };
        assert!(after.stream.count >= before.stream.count);
        let (Some(was), Some(is)) = (&before.passport, &after.passport) else {
            assert!(before.passport.is_none(), "a passport vanished");
            continue;
        };
        assert_eq!((was.granularity, was.issued), (is.granularity, is.issued));
        assert!(is.version == was.version || is.version == was.version + 1);
        let over = matches!(was.life, Life::Revoked | Life::Ended);
        assert!(!over || (is.life == was.life && is.version == was.version));
        assert_eq!(is.suspended_by.is_some(), is.life == Life::Suspended);
    }
}

/// Nothing goes into others that is not there.
fn check_balances(ground: &Ground) {
    for n in 0..THINGS {
        let balance: Option<BalanceRecord> = ground.get(&key::balance(&name_of(n).subject_id()));
        let units = balance.unwrap_or_default().units;
        let stated = units.iter().any(|unit| unit.produced.is_some());
        for unit in units {
            let there = unit.produced.or((!stated).then_some(Amount(u128::MAX)));
            assert!(unit.consumed <= there.unwrap_or_default(), "{unit:?}");
        }
    }
}

/// Owner, statements, life and version of the passport, confirmed components, links.
type Rest = (MemberId, u64, Option<(Life, u32)>, u32, u32);

/// What rules read of a thing, apart from where statements stand in the log.
fn rest(subject: Option<SubjectRecord>) -> Option<Rest> {
    subject.map(|s| {
        let passport = s.passport.map(|p| (p.life, p.version));
        (s.owner, s.stream.count, passport, s.components, s.links)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_sequence_of_statements_reaches_an_illegal_state(all in prop::collection::vec(said(), 1..60)) {
        run(&mut Ground::unwatched(), &all);
    }

    #[test]
    fn saying_all_of_it_again_changes_nothing(all in prop::collection::vec(said(), 1..40)) {
        let mut ground = Ground::unwatched();
        let mut recorded = Vec::new();
        let mut said = Vec::new();
        for (n, one) in (0u32..).zip(&all) {
            let Some((kind, streams)) = statement(one, &recorded) else { continue };
            let member = MEMBERS[one.member].0;
            let (id, outcome) = ground.judge(member, kind.clone(), streams.clone(), n);
            if let Outcome::Recorded(sequence) = outcome {
                recorded.push((id, one.what, one.thing));
                said.push((member, kind, streams, n, sequence));
            }
        }
        let before = things(&ground);
        for (member, kind, streams, n, sequence) in said {
            let (_, outcome) = ground.judge(member, kind, streams, n);
            prop_assert_eq!(outcome, Outcome::Duplicate(sequence));
        }
        prop_assert_eq!(things(&ground), before);
    }

    #[test]
    fn the_order_of_statements_about_different_things_does_not_matter(
        all in prop::collection::vec(said(), 1..40),
    ) {
        // Thing by thing, and one thing of each in turn. Nothing refers to another thing here.
        let alone = |said: &&Said| !matches!(said.what, 8 | 11..=16 | 18 | 20..=23);
        let kept: Vec<Said> = all.iter().filter(alone).cloned().collect();
        let mut grouped = kept.clone();
        grouped.sort_by_key(|said| said.thing);
        let (mut one, mut other) = (Ground::unwatched(), Ground::unwatched());
        run(&mut one, &kept);
        run(&mut other, &grouped);
        for n in 0..THINGS {
            prop_assert_eq!(rest(thing(&one, n)), rest(thing(&other, n)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn no_sequence_reads_what_the_root_and_the_log_do_not_prove(
        all in prop::collection::vec(said(), 1..40),
    ) {
        run(&mut Ground::new(), &all);
    }
}

#[test]
fn the_sequences_reach_what_there_is_to_reach() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(said(), 120);
    let (mut recorded, mut refused) = (
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
    );
    for _ in 0..1000 {
        let all = strategy.new_tree(&mut runner).unwrap().current();
        for (said, outcome) in all.iter().zip(run(&mut Ground::unwatched(), &all)) {
            match outcome {
                Some(Outcome::Recorded(_)) => {
                    recorded.insert(said.what);
                }
                Some(Outcome::Refused(rule)) => {
                    refused.insert(rule);
                }
                _ => {}
            }
        }
    }
    assert_eq!(recorded.len(), 24, "{recorded:?}");
    for rule in [
        Rule::SubjectPrefix,
        Rule::LinkCycle,
        Rule::HandoverPending,
        Rule::PassportSuspender,
        Rule::EndorsementOnce,
        Rule::DerivedPredecessor,
        Rule::BalanceExceeded,
        Rule::ContainerOnce,
        Rule::ContainerKnown,
        Rule::TransformationKnown,
    ] {
        assert!(
            refused.contains(&rule),
            "{rule:?} never refused: {refused:?}"
        );
    }
}
