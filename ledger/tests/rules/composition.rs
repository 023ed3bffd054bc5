//! Links: asserted, then confirmed or contested by the component's company; closed by count.

use jangbu_ledger::execute::Outcome;
use jangbu_ledger::id::{MemberId, StatementId};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{LinkRecord, key};
use jangbu_ledger::statement::{Basis, Granularity, Kind};

use crate::ground::{Ground, claims, id, issued, open};

const PRODUCT: u64 = 1;
const PART: u64 = 2;

fn linked(child: u64) -> Kind {
    Kind::ComponentLinked {
        child: id(child),
        basis: Basis::AsBuilt,
        quantity: None,
    }
}

/// The maker's product with a link to the rival's part.
fn ground() -> (Ground, StatementId) {
    let mut ground = Ground::with_product(PRODUCT);
    ground
        .say("rival", issued(Granularity::Item), open(PART))
        .unwrap();
    let link = ground.say("maker", linked(PART), open(PRODUCT)).unwrap();
    (ground, link)
}

#[test]
fn a_link_is_contested_and_later_confirmed_but_never_the_other_way_round() {
    let (mut ground, link) = ground();
    let contested = || Kind::ComponentContested { link };
    let confirmed = || Kind::ComponentConfirmed { link };
    for (member, rule) in [
        ("buyer", Rule::LinkConfirmer),
        ("maker", Rule::LinkConfirmer),
    ] {
        let refused = ground.say(member, contested(), claims(PRODUCT));
        assert_eq!(refused, Err(rule), "{member}");
    }
    ground.say("rival", contested(), claims(PRODUCT)).unwrap();
    let record: LinkRecord = ground.get(&key::link(&link)).unwrap();
    assert_eq!(record.contested_by, Some(MemberId::of("rival")));
    let refused = ground.say_again("rival", contested(), claims(PRODUCT), 1);
    assert_eq!(refused, Err(Rule::LinkOnce));

    ground.say("rival", confirmed(), claims(PRODUCT)).unwrap();
    let record: LinkRecord = ground.get(&key::link(&link)).unwrap();
    assert_eq!(
        (record.contested_by, record.confirmed_by),
        (None, Some(MemberId::of("rival")))
    );
    let refused = ground.say_again("rival", contested(), claims(PRODUCT), 2);
    assert_eq!(refused, Err(Rule::LinkOnce));
}

#[test]
fn a_composition_is_closed_with_the_right_number_until_a_link_is_added() {
    let (mut ground, _) = ground();
    let closed = |links| Kind::CompositionClosed { links };
    for wrong in [0, 2] {
        let refused = ground.say("maker", closed(wrong), open(PRODUCT));
        assert_eq!(refused, Err(Rule::CompositionCount));
    }
    let refused = ground.say("rival", closed(1), open(PRODUCT));
    assert_eq!(refused, Err(Rule::SubjectOwner));
    ground.say("maker", closed(1), open(PRODUCT)).unwrap();
    assert!(ground.subject(PRODUCT).unwrap().closed);
    ground.say("maker", linked(7), open(PRODUCT)).unwrap();
    assert!(!ground.subject(PRODUCT).unwrap().closed);
    let refused = ground.say_again("maker", closed(1), open(PRODUCT), 1);
    assert_eq!(refused, Err(Rule::CompositionCount));
    ground.say("maker", closed(2), open(PRODUCT)).unwrap();
}

#[test]
fn what_a_member_makes_everyone_search_in_one_block_is_bounded_and_no_other_member_pays() {
    const LARGE: u64 = 1;
    let mut ground = Ground::unwatched();
    for n in [LARGE, PART] {
        ground
            .say("maker", issued(Granularity::Item), open(n))
            .unwrap();
    }
    for owner in ["maker", "rival"] {
        let first = if owner == "maker" { 1000 } else { 2000 };
        for n in first..first + 40 {
            ground
                .say(owner, issued(Granularity::Item), open(n))
                .unwrap();
        }
    }
    // 4,000 links, of which each search below the product looks at each.
    let many = (0..4000).map(|n| ("maker", linked(PART), open(LARGE), n));
    for (_, outcome) in ground.judge_together(many) {
        assert!(matches!(outcome, Outcome::Recorded(_)), "{outcome:?}");
    }
    let inside = (1000..1040).map(|n| ("maker", linked(LARGE), open(n), 0));
    let others = std::iter::once(("rival", linked(2001), open(2000), 0));
    let judged = ground.judge_together(inside.chain(others));
    let recorded = |(_, outcome): &&(StatementId, Outcome)| matches!(outcome, Outcome::Recorded(_));
    assert_eq!(judged[..40].iter().filter(recorded).count(), 65_536 / 4000);
    assert_eq!(judged[39].1, Outcome::Refused(Rule::SearchLater));
    assert!(
        matches!(judged[40].1, Outcome::Recorded(_)),
        "{:?}",
        judged[40]
    );
    // The next block has room again.
    ground.say("maker", linked(LARGE), open(1039)).unwrap();
}
