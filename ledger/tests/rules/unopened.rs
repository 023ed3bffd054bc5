//! A thing under a prefix of one's own of which nothing is recorded yet: nobody else can ever speak
//! for it, so it is one's own wherever a rule asks, and nobody else's standing changes by that.

use jangbu_ledger::id::{MemberId, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::rules::Rule;
use jangbu_ledger::state::{
    BalanceRecord, LinkRecord, PackedRecord, SubjectRecord, TransformationRecord, key,
};
use jangbu_ledger::statement::{Basis, Granularity, Handed, Kind, Portion, Quantity, Stream};

use crate::ground::{Ground, claims, id, issued, open, under};

/// The maker's product, then the rival's.
const PRODUCT: u64 = 1;
const OTHER: u64 = 2;

fn ground() -> Ground {
    let mut ground = Ground::with_product(PRODUCT);
    ground
        .say("rival", issued(Granularity::Item), open(OTHER))
        .unwrap();
    ground
}

/// A part of the maker's that nothing is recorded about.
fn part() -> Identifier {
    under("maker", 7)
}

fn contains(child: Identifier) -> Kind {
    Kind::ComponentLinked {
        child,
        basis: Basis::AsBuilt,
        quantity: Quantity::parse("2", "KGM"),
    }
}

fn went_in(input: Identifier, product: u64) -> Kind {
    Kind::Transformed {
        inputs: vec![Portion {
            of: input,
            quantity: Quantity::parse("2", "KGM"),
        }],
        outputs: vec![Portion {
            of: id(product),
            quantity: None,
        }],
    }
}

fn put_in(child: Identifier) -> Kind {
    let children = vec![child];
    Kind::Aggregated { children }
}

fn taken_out(child: Identifier) -> Kind {
    let children = vec![child];
    Kind::Disaggregated { children }
}

/// Makes the maker say how much of the part there is, which begins its stream.
fn stated(ground: &mut Ground, amount: &str) -> Result<StatementId, Rule> {
    let outputs = vec![Portion {
        of: part(),
        quantity: Quantity::parse(amount, "KGM"),
    }];
    let there_is = Kind::Transformed {
        inputs: Vec::new(),
        outputs,
    };
    ground.say("maker", there_is, vec![Stream::Open(part())])
}

fn link(ground: &Ground, id: &StatementId) -> Option<MemberId> {
    let link: LinkRecord = ground.get(&key::link(id)).unwrap();
    link.confirmed_by
}

fn input(ground: &Ground, id: &StatementId) -> Option<MemberId> {
    let record: TransformationRecord = ground.get(&key::transformation(id)).unwrap();
    record.inputs[0].confirmed_by
}

fn is_packed(ground: &Ground, container: u64, thing: &Identifier) -> (bool, bool) {
    let at = key::packed(&id(container).subject_id(), &thing.subject_id());
    let packed: PackedRecord = ground.get(&at).unwrap();
    (packed.agreed, packed.inside)
}

fn consumed(ground: &Ground) -> Option<String> {
    let balance: Option<BalanceRecord> = ground.get(&key::balance(&part().subject_id()));
    balance.map(|balance| balance.units[0].consumed.to_string())
}

fn is_unopened(ground: &Ground) -> bool {
    let record: Option<SubjectRecord> = ground.get(&key::subject(&part().subject_id()));
    record.is_none()
}

#[test]
fn one_s_own_part_is_confirmed_at_once_and_counted() {
    let mut ground = ground();
    let id = ground
        .say("maker", contains(part()), open(PRODUCT))
        .unwrap();
    assert_eq!(link(&ground, &id), Some(MemberId::of("maker")));
    assert_eq!(ground.subject(PRODUCT).unwrap().components, 1);
    assert_eq!(consumed(&ground).as_deref(), Some("2"));
    assert!(is_unopened(&ground), "a link speaks of its product");
    // What went into the product is there, whatever is stated first.
    assert_eq!(stated(&mut ground, "1"), Err(Rule::BalanceExceeded));
    stated(&mut ground, "2").unwrap();
    let more = ground.say_again("maker", contains(part()), open(PRODUCT), 1);
    assert_eq!(more, Err(Rule::BalanceExceeded));
}

#[test]
fn so_is_what_went_into_a_product() {
    let mut ground = ground();
    let id = ground
        .say("maker", went_in(part(), PRODUCT), open(PRODUCT))
        .unwrap();
    assert_eq!(input(&ground, &id), Some(MemberId::of("maker")));
    assert_eq!(consumed(&ground).as_deref(), Some("2"));
    assert!(is_unopened(&ground));
}

#[test]
fn it_is_in_one_container_at_a_time_and_its_company_takes_it_out() {
    let mut ground = ground();
    ground.say("maker", put_in(part()), open(PRODUCT)).unwrap();
    assert_eq!(is_packed(&ground, PRODUCT, &part()), (true, true));
    ground
        .say("maker", issued(Granularity::Item), open(3))
        .unwrap();
    let elsewhere = ground.say("maker", put_in(part()), open(3));
    assert_eq!(elsewhere, Err(Rule::ContainerOnce));

    // Another's word that it is in another's container: its company undoes that.
    ground.say("rival", put_in(part()), open(OTHER)).unwrap();
    assert_eq!(is_packed(&ground, OTHER, &part()), (false, true));
    ground
        .say("maker", taken_out(part()), claims(OTHER))
        .unwrap();
    assert_eq!(is_packed(&ground, OTHER, &part()), (false, false));
}

#[test]
fn nothing_goes_into_itself_once_its_stream_begins() {
    let mut ground = ground();
    ground
        .say("maker", contains(part()), open(PRODUCT))
        .unwrap();
    let back = ground.say("maker", contains(id(PRODUCT)), vec![Stream::Open(part())]);
    assert_eq!(back, Err(Rule::LinkCycle));
}

#[test]
fn what_others_say_of_it_waits_for_its_company() {
    let mut ground = ground();
    let component = ground.say("rival", contains(part()), open(OTHER)).unwrap();
    let transformation = ground
        .say("rival", went_in(part(), OTHER), open(OTHER))
        .unwrap();
    assert_eq!(link(&ground, &component), None);
    assert_eq!(input(&ground, &transformation), None);
    assert_eq!(consumed(&ground), None);

    // Its company answers from its stream's beginning on, as before.
    let confirmed = Kind::ComponentConfirmed { link: component };
    let early = ground.say("maker", confirmed.clone(), claims(OTHER));
    assert_eq!(early, Err(Rule::LinkConfirmer));
    stated(&mut ground, "2").unwrap();
    for member in ["rival", "buyer"] {
        let refused = ground.say(member, confirmed.clone(), claims(OTHER));
        assert_eq!(refused, Err(Rule::LinkConfirmer), "{member}");
    }
    ground.say("maker", confirmed, claims(OTHER)).unwrap();
    assert_eq!(link(&ground, &component), Some(MemberId::of("maker")));
}

#[test]
fn it_is_nobody_s_without_a_prefix_or_the_role_of_a_company() {
    let mut ground = ground();
    // Whoever issues a UUID first has it: until then it is nobody's.
    let unknown = ground
        .say("maker", contains(id(99)), open(PRODUCT))
        .unwrap();
    assert_eq!(link(&ground, &unknown), None);
    // An auditor holds a prefix, too, and speaks of no things of its own.
    let theirs = under("auditor", 1);
    ground
        .say("maker", put_in(theirs.clone()), open(PRODUCT))
        .unwrap();
    let refused = ground.say("auditor", taken_out(theirs), claims(PRODUCT));
    assert_eq!(refused, Err(Rule::ContainerHolder));
}

#[test]
fn once_it_was_handed_over_its_prefix_says_nothing_more() {
    let mut ground = ground();
    let part_stream = || vec![Stream::Open(part())];
    ground
        .say("maker", issued(Granularity::Item), part_stream())
        .unwrap();
    for of in [Handed::Custody, Handed::Responsibility] {
        let offered = Kind::HandoverOffered {
            of,
            to: MemberId::of("buyer"),
        };
        let offer = ground.say("maker", offered, part_stream()).unwrap();
        let accepted = Kind::HandoverAccepted { offer };
        let stream = vec![Stream::Claims(part())];
        ground.say("buyer", accepted, stream).unwrap();
    }
    let component = ground
        .say("maker", contains(part()), open(PRODUCT))
        .unwrap();
    assert_eq!(link(&ground, &component), None);
    let transformation = ground
        .say("maker", went_in(part(), PRODUCT), open(PRODUCT))
        .unwrap();
    assert_eq!(input(&ground, &transformation), None);
    ground.say("maker", put_in(part()), open(PRODUCT)).unwrap();
    assert_eq!(is_packed(&ground, PRODUCT, &part()), (false, true));
}
