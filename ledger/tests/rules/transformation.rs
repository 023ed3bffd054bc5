//! Transformations: what goes in and what comes out, who stands by it, and that no more goes into
//! others than there is.

use jangbu_ledger::id::{MemberId, StatementId};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{BalanceRecord, TransformationRecord, key};
use jangbu_ledger::statement::{Basis, Granularity, Handed, Kind, Portion, Quantity, Stream};
use proptest::prelude::*;

use crate::ground::{Ground, claims, id, issued, open};

/// The maker's things, then the rival's.
const FLOUR: u64 = 1;
const DOUGH: u64 = 2;
const BREAD: u64 = 3;
const CRUMBS: u64 = 4;
const SALT: u64 = 11;

fn some(n: u64, amount: &str) -> Portion {
    Portion {
        of: id(n),
        quantity: (!amount.is_empty()).then(|| {
            let (number, unit) = amount.split_once(' ').unwrap();
            Quantity::parse(number, unit).unwrap()
        }),
    }
}

fn made(inputs: Vec<Portion>, outputs: Vec<Portion>) -> (Kind, Vec<Stream>) {
    let streams = outputs.iter().map(|o| Stream::Open(o.of.clone())).collect();
    (Kind::Transformed { inputs, outputs }, streams)
}

fn ground() -> Ground {
    let mut ground = Ground::new();
    for (member, things) in [
        ("maker", [FLOUR, DOUGH, BREAD, CRUMBS].as_slice()),
        ("rival", &[SALT]),
    ] {
        for n in things {
            ground
                .say(member, issued(Granularity::Batch), open(*n))
                .unwrap();
        }
    }
    ground
}

fn say(
    ground: &mut Ground,
    member: &str,
    (kind, streams): (Kind, Vec<Stream>),
) -> Result<StatementId, Rule> {
    ground.say(member, kind, streams)
}

/// What was made and what went elsewhere, unit by unit.
fn balance(ground: &Ground, n: u64) -> Vec<(String, Option<String>, String)> {
    let record: Option<BalanceRecord> = ground.get(&key::balance(&id(n).subject_id()));
    let units = record.unwrap_or_default().units.into_iter();
    units
        .map(|unit| {
            let produced = unit.produced.map(|amount| amount.to_string());
            (unit.unit, produced, unit.consumed.to_string())
        })
        .collect()
}

#[test]
fn no_more_goes_into_others_than_was_made() {
    let mut ground = ground();
    let ground = &mut ground;
    say(ground, "maker", made(vec![], vec![some(FLOUR, "10.5 KGM")])).unwrap();
    let mixed = |amount: &str| made(vec![some(FLOUR, amount)], vec![some(DOUGH, "12 KGM")]);
    say(ground, "maker", mixed("7.25 KGM")).unwrap();
    assert_eq!(
        balance(ground, FLOUR),
        [("KGM".into(), Some("10.5".into()), "7.25".into())]
    );
    let more = made(vec![some(FLOUR, "3.250000001 KGM")], vec![some(BREAD, "")]);
    assert_eq!(say(ground, "maker", more), Err(Rule::BalanceExceeded));
    let other = made(vec![some(FLOUR, "1 LTR")], vec![some(BREAD, "")]);
    assert_eq!(say(ground, "maker", other), Err(Rule::BalanceUnit));
    let rest = made(vec![some(FLOUR, "3.25 KGM")], vec![some(BREAD, "")]);
    say(ground, "maker", rest).unwrap();
    // More is found in the corner.
    say(ground, "maker", made(vec![], vec![some(FLOUR, "2 KGM")])).unwrap();
    let corner = made(vec![some(FLOUR, "2 KGM")], vec![some(CRUMBS, "")]);
    say(ground, "maker", corner).unwrap();
}

#[test]
fn what_was_made_is_not_stated_below_what_went_elsewhere_already() {
    let mut ground = ground();
    let ground = &mut ground;
    say(
        ground,
        "maker",
        made(vec![some(FLOUR, "5 KGM")], vec![some(DOUGH, "")]),
    )
    .unwrap();
    let little = made(vec![], vec![some(FLOUR, "4 KGM")]);
    assert_eq!(say(ground, "maker", little), Err(Rule::BalanceExceeded));
    let other = made(vec![], vec![some(FLOUR, "4 LTR")]);
    assert_eq!(say(ground, "maker", other), Err(Rule::BalanceUnit));
    say(ground, "maker", made(vec![], vec![some(FLOUR, "5 KGM")])).unwrap();
}

#[test]
fn what_is_another_s_counts_once_its_company_agrees() {
    let mut ground = ground();
    let ground = &mut ground;
    say(ground, "rival", made(vec![], vec![some(SALT, "1 KGM")])).unwrap();
    // Nobody uses up another's lot by saying so.
    let salted = made(
        vec![some(SALT, "900 KGM"), some(FLOUR, "")],
        vec![some(DOUGH, ""), some(CRUMBS, "")],
    );
    let transformation = say(ground, "maker", salted).unwrap();
    assert_eq!(balance(ground, SALT)[0].2, "0");
    assert_eq!(ground.subject(DOUGH).unwrap().links, 2);

    let both = || vec![Stream::Claims(id(DOUGH)), Stream::Claims(id(CRUMBS))];
    let confirmed = |n| Kind::InputConfirmed {
        transformation,
        input: id(n),
    };
    let contested = Kind::InputContested {
        transformation,
        input: id(SALT),
    };
    for (member, kind, streams, rule) in [
        ("rival", confirmed(SALT), both(), Rule::BalanceExceeded),
        ("rival", confirmed(BREAD), both(), Rule::TransformationKnown),
        ("rival", confirmed(FLOUR), both(), Rule::LinkOnce),
        ("buyer", confirmed(SALT), both(), Rule::LinkConfirmer),
        // An answer stands where each thing that came out tells of it.
        (
            "rival",
            confirmed(SALT),
            claims(DOUGH),
            Rule::TransformationKnown,
        ),
    ] {
        assert_eq!(ground.say(member, kind, streams), Err(rule), "{member}");
    }
    ground.say("rival", contested.clone(), both()).unwrap();
    let again = ground.say_again("rival", contested, both(), 1);
    assert_eq!(again, Err(Rule::LinkOnce));
    let record: TransformationRecord = ground.get(&key::transformation(&transformation)).unwrap();
    assert_eq!(record.inputs[0].contested_by, Some(MemberId::of("rival")));
    assert_eq!(record.inputs[1].confirmed_by, Some(MemberId::of("maker")));

    // With as much salt as that, it can be so.
    say(ground, "rival", made(vec![], vec![some(SALT, "899 KGM")])).unwrap();
    ground.say("rival", confirmed(SALT), both()).unwrap();
    assert_eq!(balance(ground, SALT)[0].2, "900");
    let record: TransformationRecord = ground.get(&key::transformation(&transformation)).unwrap();
    assert_eq!(
        (record.inputs[0].confirmed_by, record.inputs[0].contested_by),
        (Some(MemberId::of("rival")), None)
    );
}

#[test]
fn what_the_author_has_in_custody_is_confirmed_at_once() {
    let mut ground = ground();
    let ground = &mut ground;
    let offered = Kind::HandoverOffered {
        of: Handed::Custody,
        to: MemberId::of("maker"),
    };
    let offer = ground.say("rival", offered, open(SALT)).unwrap();
    let accepted = Kind::HandoverAccepted { offer };
    ground.say("maker", accepted, claims(SALT)).unwrap();
    let salted = made(vec![some(SALT, "1 KGM")], vec![some(DOUGH, "")]);
    say(ground, "maker", salted).unwrap();
    assert_eq!(balance(ground, SALT)[0].2, "1");
}

#[test]
fn a_component_built_in_takes_of_its_lot_and_a_planned_one_does_not() {
    let mut ground = ground();
    let ground = &mut ground;
    say(ground, "rival", made(vec![], vec![some(SALT, "3 KGM")])).unwrap();
    let contains = |basis, amount| Kind::ComponentLinked {
        child: id(SALT),
        basis,
        quantity: Some(Quantity::parse(amount, "KGM").unwrap()),
    };
    for (basis, amount, expected) in [
        (Basis::AsPlanned, "99", Ok(())),
        (Basis::AsBuilt, "2", Ok(())),
        (Basis::AsBuilt, "1.5", Err(Rule::BalanceExceeded)),
    ] {
        let link = ground
            .say("maker", contains(basis, amount), open(BREAD))
            .unwrap();
        let confirmed = Kind::ComponentConfirmed { link };
        let outcome = ground.say("rival", confirmed, claims(BREAD)).map(|_| ());
        assert_eq!(outcome, expected, "{amount}");
    }
    assert_eq!(balance(ground, SALT)[0].2, "2");
}

#[test]
fn nothing_goes_into_itself_whatever_the_way() {
    let mut ground = ground();
    let ground = &mut ground;
    say(
        ground,
        "maker",
        made(vec![some(FLOUR, "")], vec![some(DOUGH, "")]),
    )
    .unwrap();
    let contains = Kind::ComponentLinked {
        child: id(DOUGH),
        basis: Basis::AsBuilt,
        quantity: None,
    };
    ground.say("maker", contains, open(BREAD)).unwrap();
    let back = made(
        vec![some(BREAD, "")],
        vec![some(CRUMBS, ""), some(FLOUR, "")],
    );
    assert_eq!(say(ground, "maker", back), Err(Rule::LinkCycle));
    let contains = Kind::ComponentLinked {
        child: id(BREAD),
        basis: Basis::AsBuilt,
        quantity: None,
    };
    let refused = ground.say("maker", contains, open(FLOUR));
    assert_eq!(refused, Err(Rule::LinkCycle));
    // Only a confirmed use makes a circle: the rival's salt from the maker's dough, and back.
    let salted = made(vec![some(SALT, "")], vec![some(FLOUR, "")]);
    let transformation = say(ground, "maker", salted).unwrap();
    say(
        ground,
        "rival",
        made(vec![some(DOUGH, "")], vec![some(SALT, "")]),
    )
    .unwrap();
    let confirmed = Kind::InputConfirmed {
        transformation,
        input: id(SALT),
    };
    ground.say("rival", confirmed, claims(FLOUR)).unwrap();
    let trade = ground.subject(SALT).unwrap();
    assert_eq!(trade.components, 1, "the dough is not confirmed");
}

#[test]
fn a_product_is_closed_with_what_went_in_counted() {
    let mut ground = ground();
    let ground = &mut ground;
    let mixed = made(vec![some(FLOUR, ""), some(SALT, "")], vec![some(DOUGH, "")]);
    say(ground, "maker", mixed).unwrap();
    let closed = |links| Kind::CompositionClosed { links };
    let refused = ground.say("maker", closed(1), open(DOUGH));
    assert_eq!(refused, Err(Rule::CompositionCount));
    ground.say("maker", closed(2), open(DOUGH)).unwrap();
}

#[test]
fn only_the_company_of_all_that_comes_out_says_so() {
    let mut ground = ground();
    let ground = &mut ground;
    let both = made(vec![some(FLOUR, "")], vec![some(DOUGH, ""), some(SALT, "")]);
    assert_eq!(say(ground, "maker", both), Err(Rule::SubjectOwner));
    let unknown = made(vec![some(FLOUR, "")], vec![some(99, "")]);
    assert_eq!(say(ground, "maker", unknown), Err(Rule::SubjectKnown));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever is said in whatever order: what the ledger counts is what was accepted, summed up
    /// again here, and never more than there is.
    #[test]
    fn balances_are_the_sums_of_what_was_accepted(
        said in prop::collection::vec((1u64..4, 1u64..4, 0u64..12, 0u64..12), 1..60),
    ) {
        let mut ground = ground();
        let (mut made_of, mut used_of) = ([None, None, None, None], [0u64; 4]);
        for (n, (from, to, used, came)) in (0u32..).zip(said) {
            let kilos = |n: u64| format!("{}.{} KGM", n / 10, n % 10);
            let inputs = if from == to { vec![] } else { vec![some(from, &kilos(used))] };
            let (kind, streams) = made(inputs, vec![some(to, &kilos(came))]);
            let (_, outcome) = ground.judge("maker", kind, streams, n);
            if let jangbu_ledger::execute::Outcome::Recorded(_) = outcome {
                let to = usize::try_from(to).unwrap();
                *made_of[to].get_or_insert(0) += came;
                if from != u64::try_from(to).unwrap() {
                    used_of[usize::try_from(from).unwrap()] += used;
                }
            }
            for thing in 1..4u64 {
                let at = usize::try_from(thing).unwrap();
                let counted = balance(&ground, thing);
                let decimal = |n: u64| Quantity::parse(&format!("{}.{}", n / 10, n % 10), "").unwrap().amount().to_string();
                if let Some((_, produced, consumed)) = counted.first() {
                    prop_assert_eq!(produced.clone(), made_of[at].map(decimal));
                    prop_assert_eq!(consumed.clone(), decimal(used_of[at]));
                } else {
                    prop_assert_eq!((made_of[at], used_of[at]), (None, 0));
                }
                prop_assert!(made_of[at].is_none_or(|made| used_of[at] <= made));
            }
        }
    }
}
