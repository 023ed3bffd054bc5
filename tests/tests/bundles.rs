//! Bundles: what is proved holds, and nothing that anybody changes in one is believed.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use jangbu_ledger::bundle::{
    self, Anchor, Bundle, Claim, Failure, Finding, Policy, Relation, Report, Shown, Verdict,
};
use jangbu_ledger::bundle::{DocumentItem, check_opening, verify_receipt};
use jangbu_ledger::id::{Digest, Height, Sequence, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::passport::Life;
use jangbu_ledger::state::{KeyPurpose, key};
use jangbu_ledger::statement::{Kind, Portion, Quantity, Statement, Stream};
use jangbu_tests::altered::{changes, says};
use jangbu_tests::world::story::{self, BATCH, CELL, PART, PRODUCT, Story, UNKNOWN};
use jangbu_tests::world::{FOUNDED_MS, Key, signing_key};
use serde_json::Value;

fn id(text: &str) -> Identifier {
    story::identifier(text).unwrap()
}

fn anchor(story: &Story) -> Anchor {
    story.world.anchor.verifier()
}

fn verify(bundle: &Bundle, anchor: &Anchor) -> Result<Report, Failure> {
    bundle::verify(bundle, anchor)
}

/// Every kind of claim in one bundle.
fn everything(story: &Story) -> Bundle {
    let mut builder = story.world.builder().unwrap();
    builder.recorded(&story.passport).unwrap();
    builder.subject(&id(BATCH)).unwrap();
    builder.subject(&id(UNKNOWN)).unwrap();
    builder.slot(story.sealed_by, story.used).unwrap();
    builder.slot(story.sealed_by, story.empty).unwrap();
    builder.block(Height(3)).unwrap();
    builder.composition(&id(PRODUCT), None).unwrap();
    let mut bundle = builder.finish();
    let sequence = bundle
        .claims
        .iter()
        .find_map(|claim| match claim {
            Claim::Recorded { sequence, .. } => Some(*sequence),
            _ => None,
        })
        .unwrap();
    let fields = story.opening.disclose(&[], &[("public", "/name")]).unwrap();
    bundle.documents.push(DocumentItem {
        sequence,
        shown: Shown::Fields(Box::new(fields)),
    });
    bundle
}

#[test]
fn a_bundle_survives_its_file_and_every_claim_holds() {
    let story = Story::tell().unwrap();
    let made = everything(&story);
    let text = made.to_json().unwrap();
    let read = Bundle::parse(text.as_bytes()).unwrap();
    assert_eq!(read, made);
    let report = verify(&read, &anchor(&story)).unwrap();
    assert_eq!(report.findings.len(), 7);
    let Some(Finding::Block { time_ms, .. }) = report.findings.get(5) else {
        panic!("{:?}", report.findings);
    };
    assert_eq!(*time_ms, TimeMs(FOUNDED_MS + 3_000));
    assert_eq!(report.checkpoint.height, Some(Height(9)));
    assert_eq!(report.checkpoint.cosigners.len(), 3);
    assert!(
        report
            .statements
            .iter()
            .all(|shown| shown.signature_checked)
    );
    assert_eq!(report.documents[0].fields[0].value, "StaxWall");
    let Some(Finding::Complete(batch)) = report.findings.get(1) else {
        panic!("{:?}", report.findings);
    };
    assert_eq!((batch.open, batch.claims), (2, 0));
    let Some(Finding::Composition(tree)) = report.findings.last() else {
        panic!("{:?}", report.findings);
    };
    let parts: Vec<_> = tree
        .parts
        .iter()
        .map(|part| {
            (
                part.subject.identifier.as_str(),
                part.depth,
                part.subject.known,
            )
        })
        .collect();
    assert_eq!(
        parts,
        [
            (PRODUCT, 0, true),
            (PART, 1, true),
            (CELL, 2, true),
            (UNKNOWN, 2, false)
        ]
    );
    let edges: Vec<_> = tree
        .edges
        .iter()
        .map(|edge| (edge.child.as_str(), edge.confirmed_by_name.as_deref()))
        .collect();
    assert_eq!(
        edges,
        [(PART, Some("nordwind")), (CELL, None), (UNKNOWN, None)]
    );
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line.contains("is true"))
    );
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line.contains("sealed"))
    );
}

#[test]
fn a_tree_cut_at_a_depth_says_what_it_does_not_follow() {
    let story = Story::tell().unwrap();
    let mut builder = story.world.builder().unwrap();
    builder.composition(&id(PRODUCT), Some(1)).unwrap();
    let report = verify(&builder.finish(), &anchor(&story)).unwrap();
    let Some(Finding::Composition(tree)) = report.findings.first() else {
        panic!("{:?}", report.findings);
    };
    assert_eq!(tree.not_followed, [id(PART)]);
    assert_eq!(tree.edges.len(), 1);
    assert!(report.not_checked.iter().any(|line| line.contains("depth")));
}

/// Changes a bundle in many ways and asserts that nothing else is believed; how many ways were
/// tried, and how many refused.
fn changed_in_vain(bundle: &Bundle, anchor: &Anchor) -> (usize, usize) {
    let original = says(&verify(bundle, anchor).unwrap());
    let value: Value = serde_json::from_str(&bundle.to_json().unwrap()).unwrap();
    let all = changes(&value);
    // Every claim, subject and number; a spread of the rest, so that a debug build can run it.
    let step = all.len().div_ceil(1200);
    let (mut refused, mut tried) = (0, 0);
    for (n, (what, changed)) in all.iter().enumerate() {
        let small = ["/claims", "/subjects", "/format"];
        if n % step != 0 && !small.iter().any(|part| what.contains(part)) {
            continue;
        }
        tried += 1;
        let text = serde_json::to_vec(changed).unwrap();
        let accepted = Bundle::parse(&text)
            .ok()
            .and_then(|bundle| verify(&bundle, anchor).ok());
        match accepted {
            None => refused += 1,
            // Fewer claims, another order of claims, or the serving node's own log line.
            Some(report) => assert!(says(&report).is_subset(&original), "{what}"),
        }
    }
    assert!(
        tried - refused < tried / 10,
        "{} of {tried} were accepted",
        tried - refused
    );
    (tried, refused)
}

#[test]
fn no_change_of_a_bundle_makes_it_say_anything_else() {
    let story = Story::tell().unwrap();
    let (tried, refused) = changed_in_vain(&everything(&story), &anchor(&story));
    assert!(
        refused >= 200,
        "only {refused} of {tried} changes were refused"
    );
}

#[test]
fn what_went_into_a_product_is_shown_with_who_stands_by_it() {
    let mut story = Story::tell().unwrap();
    let anchor = anchor(&story);
    let some = |of: &str, amount: &str| Portion {
        of: id(of),
        quantity: Quantity::parse(amount, "KGM"),
    };
    let mixed = Kind::Transformed {
        inputs: vec![some(PART, "2.5"), some(UNKNOWN, "1")],
        outputs: vec![some(BATCH, "3")],
    };
    let open = vec![Stream::Open(id(BATCH))];
    let said = vec![story::statement(mixed, open, 20)];
    let transformation = story.world.say("amperia", said).unwrap()[0];
    let proved = |story: &Story| {
        let mut builder = story.world.builder().unwrap();
        builder.composition(&id(BATCH), None).unwrap();
        builder.finish()
    };
    let went_in = |bundle: &Bundle| {
        let report = verify(bundle, &anchor).unwrap();
        let Some(Finding::Composition(tree)) = report.findings.first() else {
            panic!("{:?}", report.findings);
        };
        let edges = tree.edges.iter().filter(|edge| edge.parent == id(BATCH));
        edges
            .map(|edge| {
                assert_eq!(edge.relation, Relation::WentIn);
                let amount = edge.quantity.as_ref().unwrap().to_string();
                (edge.child.clone(), amount, edge.standing())
            })
            .collect::<Vec<_>>()
    };
    let before = proved(&story);
    assert_eq!(
        went_in(&before),
        [
            (id(PART), "2.5 KGM".into(), "asserted"),
            (id(UNKNOWN), "1 KGM".into(), "asserted")
        ]
    );
    let confirmed = Kind::InputConfirmed {
        transformation,
        input: id(PART),
    };
    let claims = vec![Stream::Claims(id(BATCH))];
    let said = vec![story::statement(confirmed, claims, 21)];
    story.world.say("nordwind", said).unwrap();
    let bundle = proved(&story);
    assert_eq!(went_in(&bundle)[0].2, "confirmed");

    // How it stood before is not believed of now, and without it nothing can be told.
    let at = key::transformation(&transformation);
    let standing = |bundle: &Bundle| bundle.state.iter().position(|item| item.key == at).unwrap();
    let mut changed = bundle.clone();
    changed.state[standing(&bundle)] = before.state[standing(&before)].clone();
    assert_eq!(
        verify(&changed, &anchor).unwrap_err().verdict(),
        Verdict::DoesNotHold
    );
    let mut changed = bundle.clone();
    changed.state.remove(standing(&bundle));
    assert_eq!(
        verify(&changed, &anchor).unwrap_err().verdict(),
        Verdict::CannotTell
    );
    let (tried, refused) = changed_in_vain(&bundle, &anchor);
    assert!(
        refused >= 200,
        "only {refused} of {tried} changes were refused"
    );
}

/// Takes an entry out of a bundle as a careful forger would: nothing left that only it used.
fn remove_entry(bundle: &mut Bundle, sequence: Sequence) {
    let at = |entry: &bundle::SignedEntry| {
        jangbu_ledger::block::Entry::decode(&entry.entry.0)
            .unwrap()
            .sequence
    };
    bundle.entries.retain(|entry| at(entry) != sequence);
    let used: BTreeSet<usize> = bundle.entries.iter().map(|entry| entry.envelope).collect();
    let kept: Vec<usize> = used.into_iter().collect();
    bundle.envelopes = kept.iter().map(|n| bundle.envelopes[*n].clone()).collect();
    for entry in &mut bundle.entries {
        entry.envelope = kept.iter().position(|n| *n == entry.envelope).unwrap();
    }
    for subject in &mut bundle.subjects {
        subject.open.retain(|at| *at != sequence);
        subject.claims.retain(|at| *at != sequence);
    }
}

#[test]
fn a_statement_left_out_doubled_moved_or_replaced_is_named() {
    let story = Story::tell().unwrap();
    let anchor = anchor(&story);
    let mut builder = story.world.builder().unwrap();
    builder.subject(&id(PRODUCT)).unwrap();
    let bundle = builder.finish();
    let open = bundle.subjects[0].open.clone();
    assert_eq!(open.len(), 5);
    assert_eq!(bundle.subjects[0].claims.len(), 2);
    let refused = |changed: &Bundle| {
        let failure = verify(changed, &anchor).unwrap_err();
        (failure.verdict(), failure.to_string())
    };
    for (n, sequence) in open.iter().enumerate() {
        // The entry alone.
        let mut changed = bundle.clone();
        changed.entries.remove(n);
        assert_ne!(
            verify(&changed, &anchor).unwrap_err().verdict(),
            Verdict::Holds
        );
        // The entry with all traces of it.
        let mut changed = bundle.clone();
        remove_entry(&mut changed, *sequence);
        let (verdict, text) = refused(&changed);
        assert_eq!(verdict, Verdict::DoesNotHold);
        assert!(
            text.contains("the ledger counted 5, 4 are shown") || text.contains("no claim uses"),
            "{text}"
        );
        // Only its mention.
        let mut changed = bundle.clone();
        changed.subjects[0].open.remove(n);
        assert!(
            refused(&changed)
                .1
                .contains("the ledger counted 5, 4 are shown")
        );
        // Twice.
        let mut changed = bundle.clone();
        changed.subjects[0].open.insert(n, *sequence);
        let named = format!("entry {sequence} is listed twice");
        assert!(refused(&changed).1.contains(&named));
        let mut changed = bundle.clone();
        let double = changed.entries[n].clone();
        changed.entries.insert(n, double);
        assert!(refused(&changed).1.contains("stands twice"));
        // Moved.
        if n > 0 {
            let mut changed = bundle.clone();
            changed.subjects[0].open.swap(n - 1, n);
            let named = format!(
                "entry {} is listed twice or in the wrong place",
                open[n - 1]
            );
            assert!(refused(&changed).1.contains(&named));
            // Cut: all from here on.
            let mut changed = bundle.clone();
            for sequence in &open[n..] {
                remove_entry(&mut changed, *sequence);
            }
            assert_eq!(refused(&changed).0, Verdict::DoesNotHold);
        }
        // Replaced by somebody's statement about it.
        let mut changed = bundle.clone();
        changed.subjects[0].open[n] = bundle.subjects[0].claims[0];
        assert_eq!(refused(&changed).0, Verdict::DoesNotHold);
    }
    // A claim of others that is left out.
    let mut changed = bundle.clone();
    let left_out = changed.subjects[0].claims[0];
    remove_entry(&mut changed, left_out);
    assert!(refused(&changed).1.contains("claims of others"));
}

#[test]
fn an_older_state_holds_but_does_not_meet_a_policy_that_wants_a_newer_one() {
    let mut story = Story::tell().unwrap();
    let anchor = anchor(&story);
    let mut builder = story.world.builder().unwrap();
    builder.subject(&id(PRODUCT)).unwrap();
    let old = builder.finish();
    let revoked = Kind::PassportRevoked {
        reason: jangbu_ledger::statement::RevocationReason::Erroneous,
    };
    let open = vec![Stream::Open(id(PRODUCT))];
    story
        .world
        .say("amperia", vec![story::statement(revoked, open, 20)])
        .unwrap();
    let report = verify(&old, &anchor).unwrap();
    let failed = |policy: Policy| policy.check(&report).map_err(|f| f.verdict());
    let height = |h| Policy {
        min_height: Some(Height(h)),
        ..Policy::default()
    };
    assert_eq!(failed(height(9)), Ok(()));
    assert_eq!(failed(height(10)), Err(Verdict::PolicyNotMet));
    let not_before = |ms| Policy {
        not_before: Some(TimeMs(ms)),
        ..Policy::default()
    };
    assert_eq!(failed(not_before(FOUNDED_MS)), Ok(()));
    assert_eq!(
        failed(not_before(FOUNDED_MS + 60_000)),
        Err(Verdict::PolicyNotMet)
    );

    let mut builder = story.world.builder().unwrap();
    builder.subject(&id(PRODUCT)).unwrap();
    let mut new = builder.finish();
    let report = verify(&new, &anchor).unwrap();
    let Some(Finding::Complete(subject)) = report.findings.first() else {
        panic!("{:?}", report.findings);
    };
    assert!(
        subject
            .passport
            .as_ref()
            .is_some_and(|passport| passport.life == Life::Revoked)
    );
    // The new statements under the old checkpoint, and the old ones under the new.
    let mut mixed = old.clone();
    mixed.checkpoint.clone_from(&new.checkpoint);
    assert_eq!(
        verify(&mixed, &anchor).unwrap_err().verdict(),
        Verdict::DoesNotHold
    );
    new.state.clone_from(&old.state);
    assert_eq!(
        verify(&new, &anchor).unwrap_err().verdict(),
        Verdict::DoesNotHold
    );
}

#[test]
fn only_the_ledger_of_the_genesis_file_is_believed() {
    let story = Story::tell().unwrap();
    let bundle = everything(&story);
    let fails = |change: fn(&mut Anchor)| {
        let mut other = anchor(&story);
        change(&mut other);
        verify(&bundle, &other).unwrap_err().verdict()
    };
    use Verdict::{CannotTell, DoesNotHold};
    assert_eq!(
        fails(|a| a.origin = "jangbu/other/00".parse().unwrap()),
        DoesNotHold
    );
    assert_eq!(fails(|a| a.chain_id.0[0] ^= 1), DoesNotHold);
    assert_eq!(fails(|a| a.quorum = 4), DoesNotHold);
    assert_eq!(fails(|a| a.validators_hash = Digest([0; 32])), CannotTell);
    assert_eq!(fails(|a| a.members.clear()), CannotTell);
}

#[test]
fn what_a_revoked_key_signed_before_still_holds() {
    let mut story = Story::tell().unwrap();
    let attestor = signing_key("cml1", Key::Attestor).unwrap();
    let revoked = Statement {
        streams: Vec::new(),
        ..story::statement(
            Kind::KeyRevoked {
                key: jangbu_ledger::signature::PublicKey::of(&attestor).id(),
            },
            Vec::new(),
            21,
        )
    };
    let mut envelope = story.world.envelope("cml1", vec![revoked]).unwrap();
    envelope.sign(&signing_key("cml1", Key::Admin).unwrap());
    let ids = story.world.record(envelope, KeyPurpose::Admin).unwrap();
    let mut builder = story.world.builder().unwrap();
    builder.recorded(&ids[0]).unwrap();
    builder.subject(&id(CELL)).unwrap();
    let report = verify(&builder.finish(), &anchor(&story)).unwrap();
    assert_eq!(report.statements.len(), 2);
}

#[test]
fn a_document_that_the_verifier_brings_is_checked_against_its_statement() {
    let story = Story::tell().unwrap();
    let mut builder = story.world.builder().unwrap();
    builder.recorded(&story.passport).unwrap();
    let bundle = builder.finish();
    let mut report = verify(&bundle, &anchor(&story)).unwrap();
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line.starts_with("the documents of 1 statement"))
    );
    check_opening(&mut report, &story.opening).unwrap();
    assert!(
        !report
            .not_checked
            .iter()
            .any(|line| line.starts_with("the documents of"))
    );
    assert_eq!(report.documents[0].sections["public"]["kWh"], 10.24);

    let mut other = story.opening.clone();
    other
        .sections
        .insert("public".into(), serde_json::json!({"name": "Other"}));
    let failure = check_opening(&mut report, &other).unwrap_err();
    assert_eq!(failure.verdict(), Verdict::DoesNotHold);
    other.subject = id(BATCH);
    let failure = check_opening(&mut report, &other).unwrap_err();
    assert_eq!(failure.verdict(), Verdict::CannotTell);
}

#[test]
fn a_receipt_holds_and_says_that_it_has_no_authors_signature() {
    let story = Story::tell().unwrap();
    let receipt = story.world.receipt(&story.passport).unwrap();
    let mut report = verify_receipt(&receipt, &anchor(&story)).unwrap();
    assert_eq!(report.statements[0].statement_id, story.passport);
    assert!(!report.statements[0].signature_checked);
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line.contains("signature"))
    );
    check_opening(&mut report, &story.opening).unwrap();
    let mut other = receipt.clone();
    other.entry[40] ^= 1;
    let failure = verify_receipt(&other, &anchor(&story)).unwrap_err();
    assert_eq!(failure.verdict(), Verdict::DoesNotHold);
}

#[test]
fn what_is_not_a_bundle_is_unreadable_and_says_why() {
    let story = Story::tell().unwrap();
    let text = everything(&story).to_json().unwrap();
    for (bad, part) in [
        (
            text.replacen("jangbu-bundle/1", "jangbu-bundle/2", 1),
            "jangbu-bundle/2",
        ),
        (
            text.replacen("\"claims\"", "\"claims\": [], \"claims\"", 1),
            "stands twice",
        ),
        (
            text.replacen("\"seal\"", "\"extra\": 1, \"seal\"", 1),
            "extra",
        ),
        (text[..text.len() / 2].to_owned(), "not readable JSON"),
        ("[]".to_owned(), "not a bundle"),
        (String::new(), "not readable JSON"),
    ] {
        let error = Bundle::parse(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

/// Bytes of a bundle that a customs officer is sent: one product, all that was said about it.
const TYPICAL_BYTES_MAX: usize = 100 * 1024;

#[test]
fn a_product_with_twenty_statements_fits_a_hundred_kibibytes() {
    let (world, bundle) = story::typical(20).unwrap();
    let text = bundle.to_json().unwrap();
    assert!(text.len() < TYPICAL_BYTES_MAX, "{} bytes", text.len());
    let report = bundle::verify(&bundle, &world.anchor.verifier()).unwrap();
    let [Finding::Complete(subject)] = report.findings.as_slice() else {
        panic!("{:?}", report.findings);
    };
    assert_eq!((subject.open, subject.claims), (14, 6));
    assert_eq!(report.statements.len(), 20);
    assert!(report.statements.iter().all(|s| s.signature_checked));
}
