//! Lineages in bundles: which uses made a model, none left out, and what their agreements permitted
//! at the time.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_ledger::bundle::{self, Anchor, Bundle, Claim, Failure, Finding, Report, Verdict};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::{Direction, Lineage, Standing};
use jangbu_ledger::share::{Covered, Deed};
use jangbu_ledger::state::{UseSide, key};
use jangbu_tests::altered::{changes, says};
use jangbu_tests::world::models::{
    self, CELLS, CELLS_AGREEMENT, HIDDEN_AGREEMENT, LOOSE, MODEL, Models, PACKS, PACKS_AGREEMENT,
    TUNED,
};
use jangbu_tests::world::story;
use serde_json::Value;

fn id(text: &str) -> Identifier {
    story::identifier(text).unwrap()
}

fn anchor(models: &Models) -> Anchor {
    models.world.anchor.verifier()
}

fn proved(models: &Models, about: &str, direction: Direction, depth: Option<u32>) -> Bundle {
    let mut builder = models.world.builder().unwrap();
    builder.lineage(&id(about), direction, depth).unwrap();
    builder.finish()
}

fn lineage(report: &Report) -> &Lineage {
    let [Finding::Lineage(lineage)] = report.findings.as_slice() else {
        panic!("{:?}", report.findings);
    };
    lineage
}

fn verified(models: &Models, bundle: &Bundle) -> Lineage {
    let read = Bundle::parse(bundle.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(read, *bundle);
    let report = bundle::verify(&read, &anchor(models)).unwrap();
    lineage(&report).clone()
}

#[test]
fn a_model_tells_offline_what_it_was_made_from_and_who_permitted_it_then() {
    let models = Models::tell().unwrap();
    let bundle = proved(&models, TUNED, Direction::Back, None);
    let lineage = verified(&models, &bundle);
    let ids: Vec<_> = lineage.uses.iter().map(|used| used.statement_id).collect();
    let [first, second, rumour, tuning] = models.uses[..] else {
        panic!("{:?}", models.uses);
    };
    assert_eq!(ids, [tuning, first, second, rumour], "nearest first");
    let by: Vec<&str> = lineage.uses.iter().map(|used| used.by.as_str()).collect();
    assert_eq!(by, ["soyu", "soyu", "soyu", "cml1"]);
    assert!(!lineage.truncated);

    let then = |used: usize| -> Vec<_> {
        let sources = lineage.uses[used].sources.iter();
        sources
            .map(|source| (source.data.as_str(), source.then, source.permitted))
            .collect()
    };
    assert_eq!(
        then(0),
        [
            (MODEL, Covered::NoAgreement, false),
            (CELLS, Covered::Permitted, true)
        ]
    );
    assert_eq!(
        then(1),
        [
            (CELLS, Covered::Permitted, true),
            (PACKS, Covered::NotPermitted, false)
        ]
    );
    assert_eq!(
        then(2),
        [
            (LOOSE, Covered::NoAgreement, false),
            (LOOSE, Covered::Unknown, false)
        ]
    );
    // Who said what was permitted, and that it ended since.
    let cells = &lineage.uses[1].sources[0];
    let terms = cells.terms.as_ref().unwrap();
    assert_eq!(terms.by, "hanbit");
    assert_eq!(terms.permits[0].as_str(), "ai-training");
    let known = cells.agreement.as_ref().unwrap().known.as_ref().unwrap();
    assert_eq!((known.provider.as_str(), known.in_force), ("hanbit", false));
    assert!(known.ended_at > Some(lineage.uses[0].height));
    let root = models::delivery().unwrap().root;
    assert_eq!(cells.part.as_ref().unwrap().root, root);
    let packs = &lineage.uses[1].sources[1];
    let terms = packs.terms.as_ref().unwrap();
    assert_eq!(
        (terms.by.as_str(), terms.permits[0].as_str()),
        ("nordwind", "analytics")
    );
    let hidden = lineage.uses[2].sources[1].agreement.as_ref().unwrap();
    assert_eq!(
        (hidden.identifier.as_str(), &hidden.known),
        (HIDDEN_AGREEMENT, &None)
    );
}

#[test]
fn data_tells_offline_what_was_made_from_it_and_falls_with_its_agreement() {
    let models = Models::tell().unwrap();
    for about in [CELLS, CELLS_AGREEMENT] {
        let lineage = verified(&models, &proved(&models, about, Direction::Forward, None));
        let made: Vec<_> = lineage
            .made
            .iter()
            .map(|made| (made.identifier.as_str(), made.standing))
            .collect();
        let again = Standing::Retrain;
        assert_eq!(made, [(MODEL, again), (TUNED, again)], "{about}");
        assert!(
            lineage.made[0].because[0].contains("ended in block"),
            "{lineage:?}"
        );
    }
    // Of which nothing was made: the empty list is proved as well.
    let none = verified(&models, &proved(&models, TUNED, Direction::Forward, None));
    assert!(none.uses.is_empty() && none.made.is_empty());
    let never = verified(&models, &proved(&models, LOOSE, Direction::Back, None));
    assert!(never.uses.is_empty());
}

#[test]
fn a_lineage_cut_at_a_depth_says_what_it_does_not_follow() {
    let models = Models::tell().unwrap();
    let bundle = proved(&models, TUNED, Direction::Back, Some(1));
    let report = bundle::verify(&bundle, &anchor(&models)).unwrap();
    let lineage = lineage(&report);
    assert_eq!(lineage.uses.len(), 1);
    assert_eq!(lineage.not_followed, [id(MODEL), id(CELLS)]);
    assert!(report.not_checked.iter().any(|line| line.contains("depth")));
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line.contains("sealed shares"))
    );
}

#[test]
fn a_use_left_out_doubled_moved_or_replaced_is_named() {
    let models = Models::tell().unwrap();
    let anchor = anchor(&models);
    let bundle = proved(&models, MODEL, Direction::Back, None);
    let is_made = |item: &bundle::UsesItem| item.identifier == id(MODEL);
    let place = bundle.uses.iter().position(is_made).unwrap();
    assert_eq!(bundle.uses[place].side, UseSide::Made);
    let uses = bundle.uses[place].uses.clone();
    assert_eq!(uses.len(), 3);
    let refused = |changed: &Bundle| {
        let failure = bundle::verify(changed, &anchor).unwrap_err();
        (failure.verdict(), failure.to_string())
    };
    let named = |reason: &str| format!("the uses that made {MODEL} are not complete: {reason}");
    for (n, sequence) in uses.iter().enumerate() {
        let changed = |change: &dyn Fn(&mut Vec<jangbu_ledger::id::Sequence>)| {
            let mut changed = bundle.clone();
            change(&mut changed.uses[place].uses);
            refused(&changed)
        };
        let wrong = Verdict::DoesNotHold;
        let fewer = changed(&|uses| {
            uses.remove(n);
        });
        assert_eq!(fewer, (wrong, named("the ledger counted 3, 2 are shown")));
        let twice = changed(&|uses| uses.insert(n, *sequence));
        let again = format!("entry {sequence} is listed twice or in the wrong place");
        assert_eq!(twice, (wrong, named(&again)));
        if n > 0 {
            let swapped = changed(&|uses| uses.swap(n - 1, n));
            let place = format!(
                "entry {} is listed twice or in the wrong place",
                uses[n - 1]
            );
            assert_eq!(swapped, (wrong, named(&place)));
            let cut = changed(&|uses| uses.truncate(n));
            let counted = format!("the ledger counted 3, {n} are shown");
            assert_eq!(cut, (wrong, named(&counted)));
        }
        // Replaced by a statement that is no use of it.
        let other = bundle.subjects[0].open[0];
        let replaced = changed(&|uses| uses[n] = other);
        assert_eq!(replaced.0, wrong);
        // The entry is not there at all.
        let mut without = bundle.clone();
        without.entries.retain(|entry| {
            let entry = jangbu_ledger::block::Entry::decode(&entry.entry.0).unwrap();
            entry.sequence != *sequence
        });
        assert_ne!(refused(&without).0, Verdict::Holds);
    }
    // The whole list, its proof, what the validators noted, all that was said in an agreement.
    let mut changed = bundle.clone();
    changed.uses.remove(place);
    let (verdict, text) = refused(&changed);
    assert_eq!(verdict, Verdict::CannotTell);
    assert!(text.contains("does not list the uses that made"), "{text}");
    for record in [
        key::made(&id(MODEL).subject_id()),
        key::usage(&models.uses[1]),
    ] {
        let mut changed = bundle.clone();
        changed.state.retain(|item| item.key != record);
        assert_eq!(refused(&changed).0, Verdict::CannotTell);
    }
    let mut changed = bundle.clone();
    let agreement = |item: &bundle::SubjectItem| item.identifier == id(PACKS_AGREEMENT);
    changed.subjects.retain(|item| !agreement(item));
    let (verdict, text) = refused(&changed);
    assert_eq!(verdict, Verdict::CannotTell);
    assert!(text.contains(PACKS_AGREEMENT), "{text}");
    // A list that no claim needs.
    let mut builder = models.world.builder().unwrap();
    builder
        .lineage(&id(TUNED), Direction::Forward, None)
        .unwrap();
    builder.recorded(&models.uses[0]).unwrap();
    let mut changed = builder.finish();
    changed.claims.remove(0);
    let (verdict, text) = refused(&changed);
    assert_eq!(verdict, Verdict::DoesNotHold);
    assert!(
        text.contains(&format!("no claim uses the list of uses of {TUNED}")),
        "{text}"
    );
}

#[test]
fn what_a_later_use_adds_is_not_hidden_by_an_older_list() {
    let mut models = Models::tell().unwrap();
    let old = proved(&models, MODEL, Direction::Back, None);
    let more = models::training(vec![models::input(PACKS, None).unwrap()], MODEL).unwrap();
    let place = (CELLS_AGREEMENT, false);
    let world = &mut models.world;
    models::said(world, ("cml1", "soyu"), place, Deed::Used(more), 40).unwrap();
    let new = proved(&models, MODEL, Direction::Back, None);
    assert_eq!(verified(&models, &new).uses.len(), 4);
    let mut mixed = new;
    mixed.uses.clone_from(&old.uses);
    let failure = bundle::verify(&mixed, &anchor(&models)).unwrap_err();
    assert!(matches!(failure, Failure::Uses { .. }), "{failure}");
}

/// Changes a bundle in many ways; what is still believed says nothing else.
fn changed_in_vain(bundle: &Bundle, anchor: &Anchor) {
    let original = says(&bundle::verify(bundle, anchor).unwrap());
    let value: Value = serde_json::from_str(&bundle.to_json().unwrap()).unwrap();
    let all = changes(&value);
    let step = all.len().div_ceil(1500);
    let (mut refused, mut tried) = (0, 0);
    for (n, (what, changed)) in all.iter().enumerate() {
        let small = ["/claims", "/uses", "/format"];
        if n % step != 0 && !small.iter().any(|part| what.contains(part)) {
            continue;
        }
        tried += 1;
        let text = serde_json::to_vec(changed).unwrap();
        let accepted = Bundle::parse(&text)
            .ok()
            .and_then(|bundle| bundle::verify(&bundle, anchor).ok());
        match accepted {
            None => refused += 1,
            Some(report) => assert!(says(&report).is_subset(&original), "{what}"),
        }
    }
    assert!(refused >= 1_000, "only {refused} of {tried} were refused");
    assert!(
        tried - refused < tried / 10,
        "{} of {tried} were accepted",
        tried - refused
    );
}

#[test]
fn no_change_of_a_lineage_makes_it_say_anything_else() {
    let models = Models::tell().unwrap();
    let anchor = anchor(&models);
    let mut builder = models.world.builder().unwrap();
    builder.lineage(&id(TUNED), Direction::Back, None).unwrap();
    builder
        .lineage(&id(CELLS), Direction::Forward, Some(2))
        .unwrap();
    changed_in_vain(&builder.finish(), &anchor);
}

#[test]
fn only_what_was_claimed_is_claimed() {
    let models = Models::tell().unwrap();
    let bundle = proved(&models, MODEL, Direction::Back, None);
    let mut changed = bundle;
    let Some(Claim::Lineage { root, .. }) = changed.claims.first_mut() else {
        panic!("{:?}", changed.claims);
    };
    *root = id(PACKS);
    let failure = bundle::verify(&changed, &anchor(&models)).unwrap_err();
    assert_eq!(failure.verdict(), Verdict::DoesNotHold, "{failure}");
}
