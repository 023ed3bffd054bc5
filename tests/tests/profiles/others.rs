//! The profiles that are not about batteries.

use jangbu_ledger::bundle::Report;
use jangbu_ledger::id::{Height, Sequence, StatementId, TimeMs};
use jangbu_ledger::lineage::Direction;
use jangbu_ledger::profile::{
    Instant, JudgeError, Outcome, Profile, ProfileError, ShareStep, Verdict,
};
use jangbu_ledger::share::{Deed, Step};
use jangbu_ledger::statement::{Basis, Granularity, Kind, Stream};
use jangbu_tests::world::models::{Contract, input, plainly, training};
use jangbu_tests::world::passports::{issues, opening};
use serde_json::{Value, json};

use super::bench::{Bench, id, judge, last, row, whole};
use super::eu_battery::root;

fn profile(name: &str) -> Profile {
    let path = root().join(format!("profiles/{name}-1.0.json"));
    Profile::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn step(sequence: u64, step: Step) -> ShareStep {
    ShareStep {
        step,
        statement: StatementId([1; 32]),
        sequence: Sequence(sequence),
        height: Height(sequence),
        time_ms: TimeMs(1_000 * sequence),
    }
}

#[test]
fn a_share_is_met_when_it_was_agreed_sent_received_and_completed() {
    let basic = profile("data-share-basic");
    let steps: Vec<ShareStep> = [
        Step::Requested,
        Step::Agreed,
        Step::Verified,
        Step::Finalized,
        Step::TransferRequested,
        Step::TransferStarted,
        Step::Received,
        Step::TransferCompleted,
    ]
    .into_iter()
    .zip(1..)
    .map(|(taken, n)| step(n, taken))
    .collect();
    let at = |height| Instant {
        height: Height(height),
        time_ms: TimeMs(1_000 * height),
    };
    let met = basic.judge_share("s", &steps, at(8)).unwrap();
    assert_eq!(met.outcome, Outcome::Met);
    let earlier = basic.judge_share("s", &steps, at(6)).unwrap();
    assert_eq!(earlier.outcome, Outcome::NotMet);
    assert_eq!(row(&earlier, "received").verdict, Some(Verdict::Missing));
    assert_eq!(row(&earlier, "started").proof[0].sequence, Sequence(6));
    let mut broken_off = steps.clone();
    broken_off.push(step(9, Step::TransferTerminated));
    let broken_off = basic.judge_share("s", &broken_off, at(9)).unwrap();
    let said = row(&broken_off, "not-broken-off").verdict;
    assert_eq!(said, Some(Verdict::ForbiddenPresent));
    for n in [1, 2, 3, 5, 6, 7] {
        let mut fewer = steps.clone();
        fewer.remove(n);
        let judgement = basic.judge_share("s", &fewer, at(8)).unwrap();
        assert_eq!(
            judgement.outcome,
            Outcome::NotMet,
            "without {:?}",
            steps[n].step
        );
    }
}

pub(crate) const MODEL: &str = "model:nordwind.example/soh-7";
pub(crate) const OWN: &str = "dataset:nordwind.example/cycles";
pub(crate) const OTHERS: &str = "urn:uuid:7eeeac86-7b69-444d-81e6-655d0f1513bd";

/// A model of nordwind's, whose passport is there and nothing else.
pub(crate) fn issued() -> Bench {
    let mut bench = Bench::new();
    for (member, subject, document) in [
        ("nordwind", OWN, json!({})),
        ("cml1", OTHERS, json!({})),
        (
            "nordwind",
            MODEL,
            json!({
                "lineage:activity": "training",
                "lineage:startedAt": "2026-03-01",
                "lineage:codeDigest": "sha256:00",
                "lineage:environmentDigest": "sha256:01",
                "jangbu:notApplicable": {"withdrawn": "none was"},
            }),
        ),
    ] {
        let opening = opening(subject, 1, whole(document)).unwrap();
        let statement = issues(&opening, Granularity::Model).unwrap();
        let said = bench.world.say(member, vec![statement]).unwrap();
        bench.openings.push((said[0], opening));
    }
    bench
}

/// The model, trained on a dataset of nordwind's own and one of cml1's that a contract permits.
fn trained() -> Bench {
    let mut bench = issued();
    let contract = Contract {
        agreement: "https://nordwind.example/agreements/1",
        provider: "cml1",
        consumer: "nordwind",
        by_consumer: true,
        permits: &["ai-training"],
        data: OTHERS,
    };
    contract.close(&mut bench.world, plainly()).unwrap();
    let inputs = vec![
        input(OWN, None).unwrap(),
        input(OTHERS, Some(contract.agreement)).unwrap(),
    ];
    let used = Deed::Used(training(inputs, MODEL).unwrap());
    contract.step(&mut bench.world, false, used, 90).unwrap();
    bench
}

pub(crate) fn report(bench: &Bench) -> Report {
    let mut builder = bench.world.builder().unwrap();
    builder.subject(&id(MODEL)).unwrap();
    builder.composition(&id(MODEL), Some(1)).unwrap();
    builder.lineage(&id(MODEL), Direction::Back, None).unwrap();
    let mut bundle = builder.finish();
    let plain = bench.verify(&bundle);
    let (statement, opening) = &bench.openings[2];
    let mut said = plain.statements.iter();
    let said = said.find(|said| said.statement_id == *statement).unwrap();
    bundle.documents.push(jangbu_ledger::bundle::DocumentItem {
        sequence: said.sequence,
        shown: jangbu_ledger::bundle::Shown::Whole(Box::new(opening.clone())),
    });
    bench.verify(&bundle)
}

#[test]
fn a_models_inputs_must_be_complete_and_acknowledged_by_their_owners() {
    let lineage = profile("ai-training-lineage");
    let mut bench = trained();
    let own = || Stream::Open(id(MODEL));
    let said = |bench: &Bench| {
        let judgement = judge(&lineage, &report(bench), MODEL);
        let of = |requirement: &str| row(&judgement, requirement).verdict.unwrap();
        (
            of("inputs-complete"),
            of("inputs-acknowledged"),
            judgement.outcome,
        )
    };
    let linked = |child: &str| Kind::ComponentLinked {
        child: id(child),
        basis: Basis::AsBuilt,
        quantity: None,
    };
    let (met, missing) = (Verdict::Met, Verdict::Missing);
    assert_eq!(said(&bench), (missing, missing, Outcome::NotMet));
    bench.say("nordwind", linked(OWN), own());
    assert_eq!(said(&bench), (missing, met, Outcome::NotMet));
    let link = bench.say("nordwind", linked(OTHERS), own());
    bench.say("nordwind", Kind::CompositionClosed { links: 2 }, own());
    assert_eq!(said(&bench), (met, missing, Outcome::NotMet));
    let confirmed = Kind::ComponentConfirmed { link };
    bench.say("cml1", confirmed, Stream::Claims(id(MODEL)));
    assert_eq!(said(&bench), (met, met, Outcome::Met));
    // As of the block before, the owner had not said so yet.
    let report = report(&bench);
    let before = super::bench::block(&report, last(&report).height.0 - 1);
    let judgement = super::bench::judge_at(&lineage, &report, MODEL, None, before).unwrap();
    assert_eq!(
        row(&judgement, "inputs-acknowledged").verdict,
        Some(missing)
    );
}

#[test]
fn a_profile_judges_only_what_it_is_about() {
    let basic = profile("data-share-basic");
    let bench = trained();
    let report = report(&bench);
    let judged = super::bench::judge_at(&basic, &report, MODEL, None, last(&report));
    assert!(matches!(judged, Err(JudgeError::OtherThing(_))));
    let lineage = profile("ai-training-lineage");
    let judged = lineage.judge_share("s", &[], last(&report));
    assert!(matches!(judged, Err(JudgeError::OtherThing(_))));
}

#[test]
fn what_is_not_a_profile_is_refused_and_says_why() {
    let text = std::fs::read(root().join("profiles/eu-battery/ev-1.0.json")).unwrap();
    let good: Value = serde_json::from_slice(&text).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        Profile::parse(&serde_json::to_vec(&value).unwrap()).unwrap_err()
    };
    assert!(matches!(Profile::parse(b"{"), Err(ProfileError::Json(_))));
    let long = vec![b' '; 256 * 1024 + 1];
    assert!(matches!(
        Profile::parse(&long),
        Err(ProfileError::TooLong(_))
    ));
    let error = refused(&|p| p["format"] = json!("jangbu-profile/9"));
    assert!(matches!(error, ProfileError::Format(_)), "{error}");
    let error = refused(&|p| p["extra"] = json!(1));
    assert!(matches!(error, ProfileError::Shape(_)), "{error}");
    let error = refused(&|p| p["name"] = json!("EU Battery"));
    assert!(matches!(error, ProfileError::Name(_)), "{error}");
    let error = refused(&|p| p["version"] = json!(""));
    assert!(matches!(error, ProfileError::Name(_)), "{error}");
    let error = refused(&|p| p["effective_from"] = json!("18.2.2027"));
    assert!(matches!(error, ProfileError::Day(_)), "{error}");
    let error = refused(&|p| p["requirements"] = json!([]));
    assert!(matches!(error, ProfileError::Requirements(0)), "{error}");
    let error = refused(&|p| p["requirements"][1]["id"] = json!("dp-01"));
    assert!(matches!(error, ProfileError::Repeated(_)), "{error}");
    let error = refused(&|p| p["access"]["roles"]["public"] = json!(["9"]));
    assert!(
        matches!(error, ProfileError::UnknownSection { .. }),
        "{error}"
    );
    let error = refused(&|p| p["requirements"][0]["needs"]["section"] = json!("9"));
    assert!(
        matches!(error, ProfileError::UnknownSection { .. }),
        "{error}"
    );
    let error = refused(&|p| {
        p["requirements"][15]["needs"]["terms"] = json!(["eubat:hasRatedCapacity"]);
    });
    assert!(matches!(error, ProfileError::Ambiguous { .. }), "{error}");
    let error = refused(&|p| {
        p["requirements"][0]["needs"] =
            json!({"of": "inputs_permitted", "activity": "AI training"});
    });
    assert!(matches!(error, ProfileError::Shape(_)), "{error}");
    let error = refused(&|p| p["judges"] = json!("share"));
    assert!(matches!(error, ProfileError::Misplaced { .. }), "{error}");
}
