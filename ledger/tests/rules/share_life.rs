//! Data shares in the open: every step of every member in both streams, wherever a share stands;
//! and that the sequence of what was recorded leads where the tables lead.

use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{Digest, MemberId};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::share::{
    Contract, Covered, Deed, Delivery, Input, Output, Party, Rejection, Sealing, Sender, Sent,
    Share, Transfer, Usage, UseCode, WrappedKey,
};
use jangbu_ledger::state::{ShareRecord, StreamRecord, UseRecord, key};
use jangbu_ledger::statement::{Granularity, Kind, Stream};
use proptest::prelude::*;

use crate::ground::{Ground, MEMBERS, claims, id, issued, open};

const SHARE: u64 = 1;
const OTHER: u64 = 2;
/// The provider, which opens the share, and the consumer.
const PROVIDER: &str = "maker";
const CONSUMER: &str = "buyer";

fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

fn usage() -> Usage {
    let training = UseCode::parse(UseCode::AI_TRAINING).unwrap();
    let model = Output {
        made: id(3),
        content: None,
    };
    Usage::new(
        training,
        vec![Input::under(id(SHARE)), Input::under(id(OTHER))],
        vec![model],
    )
}

fn sent() -> Sent {
    Sent {
        root: digest(1),
        sealing: Some(Sealing {
            content_root: digest(2),
            wrap: digest(3),
            bytes: 4,
        }),
    }
}

/// One deed of each step that an open share has.
fn deeds() -> Vec<Deed> {
    let permits = vec![UseCode::parse(UseCode::AI_TRAINING).unwrap()];
    vec![
        Deed::Requested,
        Deed::Offered {
            permits: permits.clone(),
            data: Vec::new(),
        },
        Deed::Accepted,
        Deed::Agreed {
            permits,
            data: Vec::new(),
        },
        Deed::Verified,
        Deed::Finalized,
        Deed::Terminated,
        Deed::TransferRequested,
        Deed::TransferStarted { sent: Some(sent()) },
        Deed::TransferStarted { sent: None },
        Deed::Received { root: digest(1) },
        Deed::Received { root: digest(9) },
        Deed::TransferSuspended,
        Deed::TransferCompleted,
        Deed::TransferTerminated,
        Deed::KeyReleased {
            wrapped: WrappedKey([0; 72]),
        },
        Deed::Confirmed,
        Deed::Rejected {
            reason: Rejection::Unfit,
        },
        Deed::Used(usage()),
        Deed::Retired,
        Deed::RetirementAcknowledged,
        Deed::DeletionConfirmed,
        Deed::Disputed,
        Deed::Resolved,
    ]
}

fn step(with: &str, deed: Deed) -> Kind {
    Kind::ShareStep {
        with: MemberId::of(with),
        deed: Box::new(deed),
    }
}

/// Who speaks, to whom, in which stream.
type Speaker = (&'static str, &'static str, fn(u64) -> Vec<Stream>);

fn party(party: Party) -> Speaker {
    match party {
        Party::Provider => (PROVIDER, CONSUMER, open),
        Party::Consumer => (CONSUMER, PROVIDER, claims),
    }
}

fn record(ground: &Ground) -> Option<ShareRecord> {
    ground.get(&key::share(&id(SHARE).subject_id()))
}

fn say(ground: &mut Ground, by: Party, deed: Deed, occurrence: u32) {
    let (member, with, streams) = party(by);
    let said = ground.say_again(member, step(with, deed.clone()), streams(SHARE), occurrence);
    said.unwrap_or_else(|rule| panic!("{by:?} {deed:?}: {rule:?}"));
}

/// The way to a confirmed delivery, and the places where it turns off.
fn way() -> Vec<(Party, Deed)> {
    use Party::{Consumer as C, Provider as P};
    let permits = vec![UseCode::parse(UseCode::AI_TRAINING).unwrap()];
    let wrapped = WrappedKey([0; 72]);
    vec![
        (
            P,
            Deed::Offered {
                permits: permits.clone(),
                data: Vec::new(),
            },
        ),
        (C, Deed::Accepted),
        (
            P,
            Deed::Agreed {
                permits,
                data: Vec::new(),
            },
        ),
        (C, Deed::Verified),
        (P, Deed::Finalized),
        (C, Deed::TransferRequested),
        (P, Deed::TransferStarted { sent: Some(sent()) }),
        (C, Deed::Received { root: digest(1) }),
        (P, Deed::KeyReleased { wrapped }),
        (C, Deed::Confirmed),
        (C, Deed::TransferCompleted),
        (P, Deed::Retired),
        (C, Deed::RetirementAcknowledged),
        (C, Deed::DeletionConfirmed),
    ]
}

/// Grounds on which the share stands in different places, and where.
fn grounds() -> Vec<(Ground, Share)> {
    let mut all = Vec::new();
    let way = way();
    for length in 1..=way.len() {
        let (mut ground, mut share) = (Ground::new(), Share::default());
        for (by, deed) in &way[..length] {
            say(&mut ground, *by, deed.clone(), 0);
            share = share.after(*by, deed).unwrap();
        }
        // Where the way turns off.
        for (by, deed) in [
            (Party::Consumer, Deed::Terminated),
            (Party::Provider, Deed::TransferSuspended),
            (Party::Consumer, Deed::TransferTerminated),
            (Party::Consumer, Deed::Disputed),
            (Party::Consumer, Deed::Retired),
            (
                Party::Consumer,
                Deed::Rejected {
                    reason: Rejection::Unfit,
                },
            ),
        ] {
            if let Ok(turned) = share.after(by, &deed) {
                let mut ground = ground.clone();
                say(&mut ground, by, deed, 0);
                all.push((ground, turned));
            }
        }
        all.push((ground, share));
    }
    all
}

#[test]
fn every_step_by_every_member_in_either_stream_is_judged_as_the_tables_say() {
    let grounds = grounds();
    let stands: std::collections::BTreeSet<String> = grounds
        .iter()
        .map(|(_, share)| format!("{:?}", share.stand))
        .collect();
    assert!(stands.len() > 25, "{} stands", stands.len());
    let mut judged = 0;
    for (ground, share) in &grounds {
        let at = record(ground).unwrap();
        assert_eq!(at.share, *share);
        for (member, role) in MEMBERS {
            let sender = match member {
                PROVIDER => Sender::Provider,
                CONSUMER => Sender::Consumer,
                "auditor" | "regulator" => Sender::Arbiter,
                _ => Sender::Other,
            };
            let with = if member == CONSUMER {
                PROVIDER
            } else {
                CONSUMER
            };
            for deed in deeds() {
                for in_claims in [false, true] {
                    let expected = match (in_claims, member == PROVIDER) {
                        (false, false) => Err(Rule::SubjectOwner),
                        (true, true) => Err(Rule::ClaimsByOthers),
                        _ => share.after(sender, &deed).map_err(|error| error.rule()),
                    };
                    let streams = if in_claims {
                        claims(SHARE)
                    } else {
                        open(SHARE)
                    };
                    let mut then = ground.clone();
                    // Another occurrence, or it would be the statement that led here.
                    let said = then.say_again(member, step(with, deed.clone()), streams, 9);
                    let what = format!("{:?} {member} {role:?} {deed:?} {in_claims}", share.stand);
                    assert_eq!(said.err(), expected.as_ref().err().copied(), "{what}");
                    let after = expected.unwrap_or_else(|_| share.clone());
                    assert_eq!(record(&then).unwrap().share, after, "{what}");
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, grounds.len() * 6 * 24 * 2);
}

#[test]
fn a_share_begins_in_the_openers_own_stream_with_another_company() {
    let offered = || deeds().swap_remove(1);
    let mut ground = Ground::new();
    for (member, with, streams, rule) in [
        ("maker", "buyer", claims(SHARE), Rule::ShareKnown),
        ("maker", "maker", open(SHARE), Rule::ShareWith),
        ("maker", "auditor", open(SHARE), Rule::ShareWith),
        ("maker", "nobody", open(SHARE), Rule::ShareWith),
        ("auditor", "buyer", open(SHARE), Rule::MemberRole),
    ] {
        let refused = ground.say(member, step(with, offered()), streams);
        assert_eq!(refused, Err(rule), "{member} {with}");
    }
    for deed in deeds() {
        if !matches!(deed, Deed::Requested | Deed::Offered { .. }) {
            let refused = ground.say("maker", step("buyer", deed.clone()), open(SHARE));
            assert_eq!(refused, Err(Rule::ShareKnown), "{deed:?}");
        }
    }
    // Nobody opens one under what is another's.
    ground
        .say("rival", issued(Granularity::Item), open(OTHER))
        .unwrap();
    let refused = ground.say("maker", step("buyer", offered()), open(OTHER));
    assert_eq!(refused, Err(Rule::SubjectOwner));
    // Who asks first is the consumer, who offers first the provider.
    ground
        .say("buyer", step("maker", Deed::Requested), open(SHARE))
        .unwrap();
    let began = record(&ground).unwrap();
    assert_eq!(
        (began.provider, began.consumer),
        (MemberId::of("maker"), MemberId::of("buyer"))
    );
    assert_eq!(began.share.stand.contract, Contract::Requested);
    let third = ground.say("maker", step("rival", offered()), claims(SHARE));
    assert_eq!(third, Err(Rule::ShareWith));
    ground
        .say("maker", step("buyer", offered()), claims(SHARE))
        .unwrap();
}

#[test]
fn a_use_is_recorded_with_how_it_was_covered() {
    let (mut ground, _) = grounds()
        .into_iter()
        .find(|(_, share)| {
            let (moving, sent) = (Transfer::Started, Delivery::Sent);
            (share.stand.transfer, share.stand.delivery) == (moving, sent)
        })
        .unwrap();
    let covered = |ground: &mut Ground, member: &str, with: &str| {
        let streams = if member == PROVIDER {
            open(SHARE)
        } else {
            claims(SHARE)
        };
        let kind = step(with, Deed::Used(usage()));
        let statement = ground.say_again(member, kind, streams, 7).unwrap();
        let record: UseRecord = ground.get(&key::usage(&statement)).unwrap();
        assert_eq!(record.by, MemberId::of(member));
        record.covered
    };
    let unknown = Covered::Unknown;
    let early = covered(&mut ground.clone(), CONSUMER, PROVIDER);
    assert_eq!(early, [Covered::NotHeld, unknown]);
    let received = Deed::Received { root: digest(1) };
    say(&mut ground, Party::Consumer, received, 0);
    for (member, with, expected) in [
        (CONSUMER, PROVIDER, Covered::Permitted),
        (PROVIDER, CONSUMER, Covered::Permitted),
        ("rival", CONSUMER, Covered::Foreign),
        ("reader", CONSUMER, Covered::Foreign),
    ] {
        let covered = covered(&mut ground.clone(), member, with);
        assert_eq!(covered, [expected, unknown], "{member}");
    }
    say(&mut ground, Party::Provider, Deed::Retired, 0);
    let late = covered(&mut ground, CONSUMER, PROVIDER);
    assert_eq!(late, [Covered::Ended, unknown]);
}

#[test]
fn a_use_is_counted_once_under_all_that_it_made_and_took() {
    let (mut ground, _) = grounds().into_iter().next().unwrap();
    let count = |ground: &Ground, at| {
        let list: Option<StreamRecord> = ground.get(&at);
        list.map_or(0, |list| list.count)
    };
    let counts = |ground: &Ground| {
        let of = |n: u64| id(n).subject_id();
        [
            count(ground, key::made(&of(3))),
            count(ground, key::took(&of(SHARE))),
            count(ground, key::took(&of(OTHER))),
            count(ground, key::made(&of(SHARE))),
            count(ground, key::took(&of(3))),
        ]
    };
    let mut say = |occurrence| {
        let used = step(CONSUMER, Deed::Used(usage()));
        let said = ground.say_again(PROVIDER, used, open(SHARE), occurrence);
        (said, counts(&ground))
    };
    let (first, once) = say(0);
    assert_eq!(once, [1, 1, 1, 0, 0]);
    let (second, twice) = say(1);
    assert_eq!(twice, [2, 2, 2, 0, 0]);
    assert_ne!(first.unwrap(), second.unwrap());
    // What is refused is counted nowhere: the other party is the consumer.
    let wrong = step("rival", Deed::Used(usage()));
    let refused = ground.say_again(PROVIDER, wrong, open(SHARE), 2);
    assert_eq!(refused, Err(Rule::ShareWith));
    assert_eq!(counts(&ground), [2, 2, 2, 0, 0]);
    // Heads chain the statements in their order.
    let list: StreamRecord = ground.get(&key::made(&id(3).subject_id())).unwrap();
    let took: StreamRecord = ground.get(&key::took(&id(OTHER).subject_id())).unwrap();
    assert_eq!(list.head, took.head, "the same statements");
}

#[test]
fn an_open_stream_is_not_granted() {
    let granted = Deed::Granted {
        to: MemberId::of("auditor"),
    };
    let statement = jangbu_ledger::statement::Statement {
        kind: step("buyer", granted),
        occurrence: 0,
        streams: open(SHARE),
        commitment: jangbu_ledger::commitment::Commitment::NOTHING,
        references: Vec::new(),
        payload: Vec::new(),
    };
    let error = statement.check_shape().unwrap_err();
    assert!(error.to_string().contains("only a sealed one"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_sequence_leads_where_the_tables_lead_and_saying_it_again_changes_nothing(
        all in prop::collection::vec((any::<bool>(), 0usize..24), 1..60),
        start in 0usize..14,
    ) {
        let (mut ground, mut share) = (Ground::new(), Share::default());
        for (by, deed) in &way()[..start] {
            say(&mut ground, *by, deed.clone(), 0);
            share = share.after(*by, deed).unwrap();
        }
        let mut recorded = Vec::new();
        for (n, (provider, deed)) in (1u32..).zip(all) {
            // The opener's stream is the provider's: only it opens here.
            let by = if provider || share == Share::default() { Party::Provider } else { Party::Consumer };
            let deed = deeds().swap_remove(deed);
            if share == Share::default() && deed == Deed::Requested {
                continue; // It would make the provider a consumer.
            }
            let (member, with, streams) = party(by);
            let (_, outcome) = ground.judge(member, step(with, deed.clone()), streams(SHARE), n);
            match (share.after(by, &deed), outcome) {
                (Ok(next), Outcome::Recorded(sequence)) => {
                    share = next;
                    recorded.push((member, step(with, deed), streams(SHARE), n, sequence));
                }
                (Ok(next), Outcome::Refused(Rule::ShareKnown)) => {
                    // Evidence needs a share to be about.
                    prop_assert_eq!(next, Share::default());
                }
                (Err(error), Outcome::Refused(rule)) => {
                    let unknown = share == Share::default() && rule == Rule::ShareKnown;
                    prop_assert!(unknown || rule == error.rule(), "{:?} {:?}", rule, error);
                }
                (expected, outcome) => prop_assert!(false, "{expected:?} {outcome:?}"),
            }
            let at = record(&ground).map(|record| record.share).unwrap_or_default();
            prop_assert_eq!(&at, &share);
        }
        for (member, kind, streams, n, sequence) in recorded {
            let (_, outcome) = ground.judge(member, kind, streams, n);
            prop_assert_eq!(outcome, Outcome::Duplicate(sequence));
        }
        let at = record(&ground).map(|record| record.share).unwrap_or_default();
        prop_assert_eq!(at, share);
    }
}
