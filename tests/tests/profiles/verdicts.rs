//! Every verdict there is, and what it rests on.

use std::collections::BTreeSet;

use jangbu_ledger::bundle::Shown;
use jangbu_ledger::commitment::schema_digest;
use jangbu_ledger::id::TimeMs;
use jangbu_ledger::passport::Life;
use jangbu_ledger::profile::{JudgeError, Outcome, Profile, Status, Verdict};
use jangbu_ledger::statement::{Granularity, Kind, RevocationReason, Stream};
use jangbu_tests::world::FOUNDED_MS;
use jangbu_tests::world::passports::AMPERIA;
use serde_json::{Value, json};

use super::bench::{
    Bench, ITEM, block, by_verdict, id, judge, judge_at, last, profile, row, whole,
};
use super::eu_battery::{CATEGORIES, DataPoint, VERSIONS, table};

/// What a row must say of a document that has these terms and no others, by the table alone.
fn expected(
    rows: &[DataPoint],
    row: &DataPoint,
    (category, version): (&str, &str),
    terms: &BTreeSet<String>,
) -> Verdict {
    let present = !row.implemented_by.is_disjoint(terms);
    match (row.status(category, version), present) {
        (Status::Pending, _) => Verdict::PendingLaw,
        (Status::Mandatory | Status::Conditional, true) | (Status::Optional, _) => Verdict::Met,
        (Status::Mandatory, false) => Verdict::Missing,
        (Status::Conditional, false) => Verdict::ConditionalUnanswered,
        (Status::NotToBeFilled, _) => {
            let elsewhere: BTreeSet<&String> = rows
                .iter()
                .filter(|other| other.status(category, version) != Status::NotToBeFilled)
                .flat_map(|other| &other.implemented_by)
                .collect();
            let mut own = row
                .implemented_by
                .iter()
                .filter(|term| !elsewhere.contains(term));
            match own.any(|term| terms.contains(term)) {
                true => Verdict::ForbiddenPresent,
                false => Verdict::Met,
            }
        }
    }
}

#[test]
fn every_row_of_every_category_is_judged_as_the_table_says_with_each_row_filled_alone() {
    let rows = table().data_points;
    let bench = Bench::with_item(json!({}));
    let mut report = bench.everything(&[ITEM]);
    let mut seen = BTreeSet::new();
    for category in CATEGORIES {
        for version in VERSIONS {
            let profile = profile(category, version);
            for filled in &rows {
                let members = filled
                    .implemented_by
                    .iter()
                    .map(|term| (term.clone(), json!(1)));
                let document = Value::Object(members.collect());
                report.documents[0].sections = whole(document);
                let judgement = judge(&profile, &report, ITEM);
                assert_eq!(judgement.verdicts.len(), 71);
                for (row, said) in rows.iter().zip(&judgement.verdicts) {
                    let by = (category, version);
                    let verdict = expected(&rows, row, by, &filled.implemented_by);
                    let what = format!("{by:?}, {} filled, {}", filled.nr, row.nr);
                    assert_eq!(said.verdict, Some(verdict), "{what}");
                    seen.insert(verdict);
                }
            }
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[test]
fn the_amperia_battery_is_judged_over_item_batch_and_model() {
    let [model, batch, item] = AMPERIA.map(|(_, subject, _)| subject);
    let industrial = profile("industrial", "1.0");
    for divided in [None, Some(&industrial)] {
        let bench = Bench::amperia(divided);
        let report = bench.everything(&[item, batch, model]);
        let judgement = judge(&industrial, &report, item);
        let found = by_verdict(&judgement);
        let rows = |verdict| found.get(&Some(verdict)).cloned().unwrap_or_default();
        assert_eq!(
            rows(Verdict::ForbiddenPresent),
            ["dp-33", "dp-61"],
            "capacity threshold, certified energy"
        );
        assert_eq!(
            rows(Verdict::PendingLaw),
            ["dp-17", "dp-18", "dp-19", "dp-44"]
        );
        assert_eq!(
            rows(Verdict::Missing),
            [
                "dp-01", "dp-13", "dp-14", "dp-15", "dp-20", "dp-21", "dp-22", "dp-24", "dp-29",
                "dp-30", "dp-43", "dp-46", "dp-47", "dp-48", "dp-49"
            ]
        );
        assert_eq!(
            rows(Verdict::ConditionalUnanswered),
            [
                "dp-35", "dp-37", "dp-39", "dp-41", "dp-51", "dp-53", "dp-54", "dp-56", "dp-57",
                "dp-58", "dp-59", "dp-60", "dp-63", "dp-65", "dp-69", "dp-70"
            ]
        );
        assert_eq!(found.len(), 5, "{found:?}");
        assert_eq!(judgement.outcome, Outcome::NotMet);
        // What a verdict rests on: the chemistry is the model's, the production date the batch's.
        for (requirement, subject, pointer) in [
            ("dp-12", model, "/eubat:hasBatteryChemistry"),
            ("dp-09", batch, "/gs1:productionDate"),
            ("dp-71", item, "/eubat:hasStateOfCharge"),
        ] {
            let proof = &row(&judgement, requirement).proof[0];
            assert_eq!(proof.pointer.as_deref(), Some(pointer));
            let mut documents = report.documents.iter();
            let document = documents.find(|shown| shown.sequence == proof.sequence);
            assert_eq!(document.unwrap().subject, id(subject));
        }
        let second = judge(&profile("industrial", "2.0"), &report, item);
        assert_eq!(row(&second, "dp-20").verdict, Some(Verdict::Met));
        let lead = row(&second, "dp-23").verdict;
        assert_eq!(
            lead,
            Some(Verdict::ForbiddenPresent),
            "a lead share is stated"
        );
    }
}

#[test]
fn what_is_measured_on_the_battery_must_be_in_its_own_passport() {
    let [model, batch, item] = AMPERIA.map(|(_, subject, _)| subject);
    let bench = Bench::amperia(None);
    let mut report = bench.everything(&[item, batch, model]);
    let own = report
        .documents
        .iter_mut()
        .find(|document| document.subject == id(item));
    let own = own.unwrap();
    let section = own.sections.values_mut().next().unwrap();
    let charge = section
        .as_object_mut()
        .unwrap()
        .remove("eubat:hasCapacityFade")
        .unwrap();
    let ev = profile("ev", "1.0");
    assert_eq!(
        row(&judge(&ev, &report, item), "dp-52").verdict,
        Some(Verdict::Missing)
    );
    let coarser = report
        .documents
        .iter_mut()
        .find(|document| document.subject == id(model));
    let section = coarser.unwrap().sections.values_mut().next().unwrap();
    section["eubat:hasCapacityFade"] = charge;
    assert_eq!(
        row(&judge(&ev, &report, item), "dp-52").verdict,
        Some(Verdict::Missing)
    );
}

#[test]
fn what_says_nothing_fills_nothing() {
    let ev = profile("ev", "1.0");
    for (value, verdict) in [
        (json!(null), Verdict::Missing),
        (json!(" "), Verdict::Missing),
        (json!([]), Verdict::Missing),
        (json!({"a": {"b": [null, ""]}}), Verdict::Missing),
        (json!({"a": {"b": [null, 0]}}), Verdict::Met),
        (json!(false), Verdict::Met),
    ] {
        let bench = Bench::with_item(json!({"gs1:productionDate": value}));
        let judgement = judge(&ev, &bench.everything(&[ITEM]), ITEM);
        assert_eq!(row(&judgement, "dp-09").verdict, Some(verdict), "{value}");
    }
}

#[test]
fn a_condition_is_answered_by_the_data_or_by_a_reason_why_it_does_not_apply() {
    let ev = profile("ev", "1.0");
    for (document, verdict) in [
        (json!({}), Verdict::ConditionalUnanswered),
        (
            json!({"jangbu:notApplicable": {"dp-35": ""}}),
            Verdict::ConditionalUnanswered,
        ),
        (
            json!({"jangbu:notApplicable": {"dp-35": "no commercial warranty"}}),
            Verdict::Met,
        ),
        (json!({"gs1:warranty": "10 years"}), Verdict::Met),
    ] {
        let bench = Bench::with_item(document.clone());
        let judgement = judge(&ev, &bench.everything(&[ITEM]), ITEM);
        assert_eq!(
            row(&judgement, "dp-35").verdict,
            Some(verdict),
            "{document}"
        );
        // A reason is no answer to what binds without condition.
        assert_eq!(row(&judgement, "dp-42").verdict, Some(Verdict::Missing));
    }
}

/// One field that must not be older than a day, under a scheme that an assessor vouches by.
fn strict(max_age_days: Option<u32>, endorsed_under: Option<&str>) -> Profile {
    let mut profile = profile("ev", "1.0");
    profile.requirements.retain(|row| row.id == "dp-09");
    profile.requirements[0].max_age_days = max_age_days;
    profile.requirements[0].endorsed_under = endorsed_under.map(str::to_owned);
    profile
}

#[test]
fn data_goes_stale_with_age_and_with_the_version_that_had_it() {
    let dated = json!({"gs1:productionDate": "2026-01-22"});
    let mut bench = Bench::with_item(dated);
    let report = bench.everything(&[ITEM]);
    let profile = strict(Some(1), None);
    let mut at = last(&report);
    let now = judge_at(&profile, &report, ITEM, None, at).unwrap();
    assert_eq!(now.verdicts[0].verdict, Some(Verdict::Met));
    assert_eq!(now.outcome, Outcome::Met);
    at.time_ms = TimeMs(at.time_ms.0 + 86_400_001);
    let later = judge_at(&profile, &report, ITEM, None, at).unwrap();
    assert_eq!(later.verdicts[0].verdict, Some(Verdict::Stale));
    assert_eq!(later.outcome, Outcome::NotMet);

    bench.issue(ITEM, 2, Granularity::Item, whole(json!({})));
    let report = bench.everything(&[ITEM]);
    let judgement = judge(&strict(None, None), &report, ITEM);
    assert_eq!(judgement.verdicts[0].verdict, Some(Verdict::Stale));
    assert_eq!(judgement.verdicts[0].proof.len(), 1);
    // As of the block that issued it the first version was the current one.
    let then = judge_at(&strict(None, None), &report, ITEM, None, block(&report, 1)).unwrap();
    assert_eq!(then.outcome, Outcome::Met);
    assert_eq!(then.passport.unwrap().version, 1);
}

#[test]
fn an_assessors_word_counts_for_its_version_and_scheme_until_it_ends() {
    let scheme = "Module D1";
    let endorsed = |name: &str, version, expires: Option<u64>| Kind::PassportEndorsed {
        version,
        scheme: schema_digest(name),
        expires_at_ms: expires.map(TimeMs),
    };
    let claims = || Stream::Claims(id(ITEM));
    let dated = json!({"gs1:productionDate": "2026-01-22"});
    let mut bench = Bench::with_item(dated.clone());
    let profile = strict(None, Some(scheme));
    let verdict = |bench: &Bench| {
        let report = bench.everything(&[ITEM]);
        judge(&profile, &report, ITEM).verdicts[0].verdict.unwrap()
    };
    assert_eq!(verdict(&bench), Verdict::Unendorsed);
    bench.say("veritas", endorsed("another scheme", 1, None), claims());
    assert_eq!(verdict(&bench), Verdict::Unendorsed);
    let soon = FOUNDED_MS + 5_000;
    bench.say("veritas", endorsed(scheme, 1, Some(soon)), claims());
    assert_eq!(verdict(&bench), Verdict::Met);
    let observed = Kind::Observed {
        event: jangbu_ledger::statement::EventType::Object,
    };
    while bench
        .verify(&bench.bundle(&[ITEM]))
        .checkpoint
        .time_ms
        .unwrap()
        .0
        < soon
    {
        let report = bench.verify(&bench.bundle(&[ITEM]));
        let mut said = jangbu_tests::world::story::statement(observed.clone(), vec![claims()], 0);
        said.occurrence = u32::try_from(report.checkpoint.size).unwrap();
        bench.world.say("cml1", vec![said]).unwrap();
    }
    assert_eq!(verdict(&bench), Verdict::EndorsementExpired);
    let endorsement = bench.say("marktamt", endorsed(scheme, 1, None), claims());
    assert_eq!(verdict(&bench), Verdict::Met);
    bench.say(
        "marktamt",
        Kind::EndorsementWithdrawn { endorsement },
        claims(),
    );
    assert_eq!(verdict(&bench), Verdict::EndorsementExpired);
    bench.issue(ITEM, 2, Granularity::Item, whole(dated));
    assert_eq!(verdict(&bench), Verdict::Unendorsed, "of another version");
}

#[test]
fn what_is_hidden_is_neither_missing_nor_absent() {
    let [model, batch, item] = AMPERIA.map(|(_, subject, _)| subject);
    let industrial = profile("industrial", "1.0");
    let bench = Bench::amperia(Some(&industrial));
    let public = bench.report(&[item, batch, model], |opening| {
        let shown = opening.disclose(&["1"], &[]).unwrap();
        Some(Shown::Fields(Box::new(shown)))
    });
    let all = judge(&industrial, &public, item);
    for (requirement, verdict) in [
        ("dp-12", Some(Verdict::Met)),
        ("dp-33", Some(Verdict::ForbiddenPresent)),
        // It may be in section 2, 3 or 4.
        ("dp-46", None),
        ("dp-16", None),
        ("dp-05", Some(Verdict::Met)),
        ("dp-44", Some(Verdict::PendingLaw)),
        // Nothing to look for is nowhere.
        ("dp-25", Some(Verdict::Met)),
    ] {
        assert_eq!(row(&all, requirement).verdict, verdict, "{requirement}");
    }
    let as_public = judge_at(&industrial, &public, item, Some("public"), last(&public)).unwrap();
    assert_eq!(as_public.verdicts.len(), 44);
    assert!(as_public.verdicts.iter().all(|row| row.verdict.is_some()));
    assert_eq!(row(&as_public, "dp-16").verdict, Some(Verdict::Met));
    assert_eq!(row(&as_public, "dp-13").verdict, Some(Verdict::Missing));

    // No document at all: nothing can be told, but what the law leaves open.
    let none = bench.report(&[item, batch, model], |_| None);
    let mut told = judge(&industrial, &none, item);
    told.verdicts.retain(|row| row.verdict.is_some());
    assert_eq!(told.outcome, Outcome::CannotTell);
    let rows: Vec<&str> = told.verdicts.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(rows, ["dp-05", "dp-17", "dp-18", "dp-19", "dp-25", "dp-44"]);
    let wrong = judge_at(&industrial, &public, item, Some("nobody"), last(&public));
    assert!(matches!(wrong, Err(JudgeError::NoRole { .. })));
}

#[test]
fn single_fields_show_what_is_there_and_nothing_about_what_is_not() {
    let bench = Bench::with_item(json!({
        "gs1:productionDate": "2026-01-22",
        "eubat:hasMaterialComposition": {"a": 1},
    }));
    let report = bench.report(&[ITEM], |opening| {
        let chosen = [("document", "/gs1:productionDate")];
        Some(Shown::Fields(Box::new(
            opening.disclose(&[], &chosen).unwrap(),
        )))
    });
    let judgement = judge(&profile("ev", "1.0"), &report, ITEM);
    assert_eq!(row(&judgement, "dp-09").verdict, Some(Verdict::Met));
    assert_eq!(row(&judgement, "dp-16").verdict, None);
    assert_eq!(row(&judgement, "dp-10").verdict, None);
    assert_eq!(judgement.outcome, Outcome::CannotTell);
}

#[test]
fn a_passport_that_is_not_in_force_meets_nothing() {
    let mut bench = Bench::with_item(json!({"gs1:productionDate": "2026-01-22"}));
    let own = || Stream::Open(id(ITEM));
    let said = |bench: &Bench| {
        let judgement = judge(&strict(None, None), &bench.everything(&[ITEM]), ITEM);
        (judgement.outcome, judgement.passport.unwrap().life)
    };
    assert_eq!(said(&bench), (Outcome::Met, Life::Active));
    bench.say(
        "marktamt",
        Kind::PassportSuspended,
        Stream::Claims(id(ITEM)),
    );
    assert_eq!(said(&bench), (Outcome::NotMet, Life::Suspended));
    bench.say(
        "marktamt",
        Kind::PassportReinstated,
        Stream::Claims(id(ITEM)),
    );
    assert_eq!(said(&bench), (Outcome::Met, Life::Active));
    let reason = RevocationReason::Withdrawn;
    bench.say("amperia", Kind::PassportRevoked { reason }, own());
    assert_eq!(said(&bench), (Outcome::NotMet, Life::Revoked));
    // Of something that nobody issued a passport for, nothing is met either.
    let unknown = "https://id.gs1.org/01/09521234002000/21/X9";
    let judgement = judge(&strict(None, None), &bench.everything(&[unknown]), unknown);
    assert_eq!(judgement.outcome, Outcome::NotMet);
    assert_eq!(judgement.verdicts[0].verdict, Some(Verdict::Missing));
}

#[test]
fn a_part_of_the_chain_that_is_not_shown_is_asked_for() {
    let [_, batch, item] = AMPERIA.map(|(_, subject, _)| subject);
    let bench = Bench::amperia(None);
    let report = bench.everything(&[item, batch]);
    let ev = profile("ev", "1.0");
    let judged = judge_at(&ev, &report, item, None, last(&report));
    assert!(matches!(judged, Err(JudgeError::NotShown(_))), "{judged:?}");
}

#[test]
fn the_profile_on_the_ledger_is_the_one_that_is_judged_by() {
    let mut bench = Bench::with_item(json!({}));
    let name = "profile:eu-battery/ev";
    let (first, second) = (profile("ev", "1.0"), profile("ev", "2.0"));
    let publish = |bench: &mut Bench, profile: &Profile| {
        let kind = Kind::ProfilePublished {
            version: profile.version.clone(),
            digest: profile.digest().unwrap(),
        };
        bench.say("marktamt", kind, Stream::Open(id(name)))
    };
    let before = judge(&first, &bench.everything(&[ITEM, name]), ITEM);
    assert_eq!(before.published, None);
    let statement = publish(&mut bench, &first);
    publish(&mut bench, &second);
    let report = bench.everything(&[ITEM, name]);
    let judgement = judge(&first, &report, ITEM);
    let published = judgement.published.unwrap();
    assert_eq!(published.statement_id, statement);
    assert_eq!(published.member_name, "marktamt");
    assert_eq!(judgement.later_versions, ["2.0"]);
    assert_eq!(judge(&second, &report, ITEM).later_versions, [""; 0]);
    let mut other = first.clone();
    other.requirements.pop();
    let judged = judge_at(&other, &report, ITEM, None, last(&report));
    assert!(
        matches!(judged, Err(JudgeError::OtherProfile { .. })),
        "{judged:?}"
    );
}
