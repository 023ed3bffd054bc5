//! Responsibility and custody go from company to company: one offers, the other accepts.

use jangbu_ledger::id::{MemberId, StatementId};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::statement::{Handed, Kind, RevocationReason, Stream};

use crate::ground::{Ground, claims, open, superseded};

fn offered(of: Handed, to: &str) -> Kind {
    Kind::HandoverOffered {
        of,
        to: MemberId::of(to),
    }
}

fn accepted(offer: StatementId) -> Kind {
    Kind::HandoverAccepted { offer }
}

fn ended(offer: StatementId) -> Kind {
    Kind::HandoverEnded { offer }
}

#[test]
fn who_accepts_responsibility_speaks_for_the_product_from_then_on() {
    let mut ground = Ground::with_product(1);
    let offer = ground
        .say("maker", offered(Handed::Responsibility, "buyer"), open(1))
        .unwrap();
    ground.say("buyer", accepted(offer), claims(1)).unwrap();
    let product = ground.subject(1).unwrap();
    assert_eq!(product.owner, MemberId::of("buyer"));
    assert_eq!(product.custodian, Some(MemberId::of("maker")));
    let refused = ground.say("maker", superseded(2), open(1));
    assert_eq!(refused, Err(Rule::SubjectOwner));
    ground.say("buyer", superseded(2), open(1)).unwrap();
}

#[test]
fn custody_goes_on_from_whoever_has_it_and_comes_back() {
    let mut ground = Ground::with_product(1);
    let custody = |to: &str| offered(Handed::Custody, to);
    let mut hand = |from: &str, to: &str, own: bool, back: bool| {
        let stream = |own: bool| if own { open(1) } else { claims(1) };
        let offer = ground.say(from, custody(to), stream(own)).unwrap();
        ground.say(to, accepted(offer), stream(back)).unwrap();
        ground.subject(1).unwrap().custodian
    };
    assert_eq!(
        hand("maker", "buyer", true, false),
        Some(MemberId::of("buyer"))
    );
    assert_eq!(
        hand("buyer", "rival", false, false),
        Some(MemberId::of("rival"))
    );
    assert_eq!(hand("rival", "maker", false, true), None);
}

#[test]
fn only_who_holds_it_offers_it_and_only_to_another_company() {
    let mut ground = Ground::with_product(1);
    let mut say = |member: &str, of, to: &str, streams: Vec<Stream>| {
        ground.say(member, offered(of, to), streams).unwrap_err()
    };
    for of in [Handed::Responsibility, Handed::Custody] {
        assert_eq!(say("rival", of, "buyer", claims(1)), Rule::HandoverHolder);
        assert_eq!(say("rival", of, "buyer", open(1)), Rule::SubjectOwner);
        for to in ["maker", "auditor", "regulator", "reader", "nobody"] {
            assert_eq!(
                say("maker", of, to, open(1)),
                Rule::HandoverReceiver,
                "{to}"
            );
        }
    }
}

#[test]
fn one_offer_is_open_at_a_time_and_either_side_ends_it() {
    let mut ground = Ground::with_product(1);
    let custody = || offered(Handed::Custody, "buyer");
    let first = ground.say("maker", custody(), open(1)).unwrap();
    let second = ground.say("maker", offered(Handed::Custody, "rival"), open(1));
    assert_eq!(second, Err(Rule::HandoverPending));
    // Responsibility is another matter.
    let other = offered(Handed::Responsibility, "rival");
    let other = ground.say("maker", other, open(1)).unwrap();

    let refused = ground.say("rival", accepted(first), claims(1));
    assert_eq!(refused, Err(Rule::HandoverKnown), "it is not for the rival");
    let refused = ground.say("rival", ended(first), claims(1));
    assert_eq!(refused, Err(Rule::HandoverKnown));
    ground.say("buyer", ended(first), claims(1)).unwrap();
    let refused = ground.say("buyer", accepted(first), claims(1));
    assert_eq!(refused, Err(Rule::HandoverKnown), "it is off");
    ground.say("maker", ended(other), open(1)).unwrap();
    ground.say_again("maker", custody(), open(1), 1).unwrap();
}

#[test]
fn an_offer_of_what_was_handed_on_meanwhile_is_not_to_be_accepted() {
    let mut ground = Ground::with_product(1);
    let custody = ground
        .say("maker", offered(Handed::Custody, "buyer"), open(1))
        .unwrap();
    let responsibility = ground
        .say("maker", offered(Handed::Responsibility, "rival"), open(1))
        .unwrap();
    ground
        .say("rival", accepted(responsibility), claims(1))
        .unwrap();
    // The maker still has it, so its offer stands.
    ground.say("buyer", accepted(custody), claims(1)).unwrap();
    let refused = ground.say("maker", offered(Handed::Custody, "rival"), claims(1));
    assert_eq!(refused, Err(Rule::HandoverHolder), "it has it no more");
}

#[test]
fn nobody_takes_on_a_revoked_passport() {
    let mut ground = Ground::with_product(1);
    let revoked = Kind::PassportRevoked {
        reason: RevocationReason::Withdrawn,
    };
    ground.say("maker", revoked, open(1)).unwrap();
    let refused = ground.say("maker", offered(Handed::Responsibility, "buyer"), open(1));
    assert_eq!(refused, Err(Rule::PassportRevoked));
    ground
        .say("maker", offered(Handed::Custody, "buyer"), open(1))
        .unwrap();
}
