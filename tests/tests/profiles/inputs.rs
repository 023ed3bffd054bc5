//! Whether what a model was made from was permitted: each input by its agreement at the use.

use jangbu_ledger::profile::{Judgement, Profile, Verdict};
use jangbu_ledger::share::{Deed, Input};
use jangbu_tests::world::models::{Contract, input, plainly, said, training};

use super::bench::{Bench, block, judge, judge_at, last, row};
use super::eu_battery::root;
use super::others::{MODEL, OTHERS, OWN, issued, report};

const ROW: &str = "inputs-permitted";
const AGREEMENT: &str = "https://nordwind.example/agreements/1";
const BASE: &str = "model:nordwind.example/soh-6";

fn profile() -> Profile {
    let path = root().join("profiles/ai-training-lineage-1.0.json");
    Profile::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn contract(permits: &'static [&'static str]) -> Contract {
    Contract {
        agreement: AGREEMENT,
        provider: "cml1",
        consumer: "nordwind",
        by_consumer: true,
        permits,
        data: OTHERS,
    }
}

/// A ledger with a contract on these terms.
fn agreed(permits: &'static [&'static str]) -> Bench {
    let mut bench = issued();
    contract(permits)
        .close(&mut bench.world, plainly())
        .unwrap();
    bench
}

fn used(bench: &mut Bench, inputs: &[Input], output: &str, salt: u8) {
    let usage = training(inputs.to_vec(), output).unwrap();
    let place = contract(&[]);
    place
        .step(&mut bench.world, false, Deed::Used(usage), salt)
        .unwrap();
}

fn under(data: &str) -> Input {
    input(data, Some(AGREEMENT)).unwrap()
}

fn free(data: &str) -> Input {
    input(data, None).unwrap()
}

fn judged(bench: &Bench) -> (Option<Verdict>, String) {
    said_of(&judge(&profile(), &report(bench), MODEL))
}

fn said_of(judgement: &Judgement) -> (Option<Verdict>, String) {
    let row = row(judgement, ROW);
    (row.verdict, row.reason.clone().unwrap_or_default())
}

#[test]
fn what_agreements_permitted_and_what_a_company_owns_itself_is_met() {
    let mut bench = agreed(&["ai-training", "analytics"]);
    used(&mut bench, &[free(OWN), under(OTHERS)], MODEL, 90);
    assert_eq!(judged(&bench), (Some(Verdict::Met), String::new()));
    // It was permitted then; that the agreement ended since does not undo it.
    contract(&[])
        .step(&mut bench.world, true, Deed::Retired, 91)
        .unwrap();
    assert_eq!(judged(&bench).0, Some(Verdict::Met));
    // What is used after that is not.
    used(&mut bench, &[under(OTHERS)], MODEL, 92);
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, Some(Verdict::NotPermitted));
    assert_eq!(
        reason,
        format!("{OTHERS} under {AGREEMENT}: the contract had ended")
    );
    // As of the block before, nobody had.
    let report = report(&bench);
    let before = block(&report, last(&report).height.0 - 1);
    let judgement = judge_at(&profile(), &report, MODEL, None, before).unwrap();
    assert_eq!(said_of(&judgement).0, Some(Verdict::Met));
}

#[test]
fn an_input_that_nobody_permitted_fails_and_is_named() {
    let mut bench = agreed(&["analytics"]);
    used(&mut bench, &[under(OTHERS)], MODEL, 90);
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, Some(Verdict::NotPermitted));
    assert_eq!(
        reason,
        format!("{OTHERS} under {AGREEMENT}: the contract does not list this use")
    );
    let mut bench = agreed(&["ai-training"]);
    used(&mut bench, &[free(OTHERS)], MODEL, 90);
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, Some(Verdict::NotPermitted));
    assert_eq!(reason, format!("{OTHERS}: no agreement is named for it"));
    // Data that the contract is not about.
    let mut bench = agreed(&["ai-training"]);
    used(&mut bench, &[under("dataset:example.com/other")], MODEL, 90);
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, Some(Verdict::NotPermitted));
    assert!(
        reason.contains("the contract is about other data"),
        "{reason}"
    );
}

#[test]
fn what_a_use_for_something_else_was_permitted_for_is_not_training() {
    let mut bench = agreed(&["analytics"]);
    let mut usage = training(vec![under(OTHERS)], MODEL).unwrap();
    usage.activity = "analytics".parse().unwrap();
    contract(&[])
        .step(&mut bench.world, false, Deed::Used(usage), 90)
        .unwrap();
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, Some(Verdict::NotPermitted));
    assert!(reason.contains("does not list ai-training"), "{reason}");
}

#[test]
fn what_is_not_shown_decides_nothing() {
    // The contract leaves it to its document.
    let mut bench = agreed(&[]);
    used(&mut bench, &[under(OTHERS)], MODEL, 90);
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, None);
    assert!(reason.contains("whose document alone says"), "{reason}");
    // The agreement is not in the open.
    let mut bench = agreed(&["ai-training"]);
    let hidden = input(
        OTHERS,
        Some("urn:uuid:00000000-0000-4000-8000-000000000077"),
    );
    used(&mut bench, &[hidden.unwrap()], MODEL, 90);
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, None);
    assert!(reason.contains("000000000077"), "{reason}");
    // The report has no lineage.
    let bench = agreed(&["ai-training"]);
    let mut report = report(&bench);
    report
        .findings
        .retain(|finding| !matches!(finding, jangbu_ledger::bundle::Finding::Lineage(_)));
    let (verdict, reason) = said_of(&judge(&profile(), &report, MODEL));
    assert_eq!(verdict, None);
    assert!(reason.contains("which uses made"), "{reason}");
}

#[test]
fn what_others_say_of_a_model_neither_meets_nor_fails_it() {
    let mut bench = agreed(&["ai-training"]);
    let rumour = training(vec![free(OTHERS)], MODEL).unwrap();
    let (who, place) = (("hanbit", "cml1"), (AGREEMENT, false));
    said(&mut bench.world, who, place, Deed::Used(rumour), 90).unwrap();
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, Some(Verdict::Missing));
    assert_eq!(reason, "no use by nordwind is recorded that made it");
    used(&mut bench, &[under(OTHERS)], MODEL, 91);
    assert_eq!(judged(&bench).0, Some(Verdict::Met));
}

#[test]
fn a_model_of_its_own_that_it_was_made_from_is_judged_too() {
    let mut bench = agreed(&["ai-training"]);
    used(&mut bench, &[free(BASE)], MODEL, 90);
    assert_eq!(judged(&bench).0, Some(Verdict::Met));
    used(&mut bench, &[free(OTHERS)], BASE, 91);
    let (verdict, reason) = judged(&bench);
    assert_eq!(verdict, Some(Verdict::NotPermitted));
    assert!(reason.contains(OTHERS), "{reason}");
}
