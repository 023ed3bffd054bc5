//! Notices by a regulator about anyone's product, by a company about its own.

use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{NoticeRecord, key};
use jangbu_ledger::statement::{Granularity, Kind, NoticeSort, Stream};

use crate::ground::{Ground, claims, id, issued, open};

const RECALL: Kind = Kind::NoticeIssued {
    sort: NoticeSort::Recall,
};

fn ground() -> Ground {
    let mut ground = Ground::with_product(1);
    ground
        .say("rival", issued(Granularity::Batch), open(2))
        .unwrap();
    ground
}

#[test]
fn a_regulator_warns_of_anything_known_and_a_company_of_its_own() {
    let mut ground = ground();
    let both = vec![Stream::Claims(id(1)), Stream::Claims(id(2))];
    ground.say("regulator", RECALL, both.clone()).unwrap();
    ground.say("maker", RECALL, open(1)).unwrap();
    for (member, streams, rule) in [
        ("rival", claims(1), Rule::MemberRole),
        ("auditor", claims(1), Rule::MemberRole),
        ("rival", open(1), Rule::SubjectOwner),
        ("regulator", claims(9), Rule::SubjectKnown),
        // One of the two is not: neither is warned of.
        (
            "maker",
            vec![Stream::Open(id(1)), Stream::Open(id(2))],
            Rule::SubjectOwner,
        ),
    ] {
        let refused = ground.say(member, RECALL, streams);
        assert_eq!(refused, Err(rule), "{member}");
    }
}

#[test]
fn a_notice_is_lifted_once_by_whoever_issued_it_for_all_its_subjects() {
    let mut ground = ground();
    let both = || vec![Stream::Claims(id(1)), Stream::Claims(id(2))];
    let notice = ground.say("regulator", RECALL, both()).unwrap();
    let lifted = || Kind::NoticeLifted { notice };
    let refused = ground.say("regulator", lifted(), claims(1));
    assert_eq!(refused, Err(Rule::NoticeKnown));
    let refused = ground.say("auditor", lifted(), both());
    assert_eq!(refused, Err(Rule::NoticeKnown));
    ground.say("regulator", lifted(), both()).unwrap();
    let record: NoticeRecord = ground.get(&key::notice(&notice)).unwrap();
    assert!(record.lifted);
    let refused = ground.say_again("regulator", lifted(), both(), 1);
    assert_eq!(refused, Err(Rule::NoticeOnce));
}
