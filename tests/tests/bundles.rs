//! Bundles: what is proved holds, and nothing that anybody changes in one is believed.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use jangbu_ledger::bundle::{
    self, Anchor, Bundle, Claim, Failure, Finding, Policy, Report, Shown, Verdict,
};
use jangbu_ledger::bundle::{DocumentItem, check_opening, verify_receipt};
use jangbu_ledger::id::{Digest, Height, Sequence, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::passport::Life;
use jangbu_ledger::state::KeyPurpose;
use jangbu_ledger::statement::{Kind, Statement};
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
    let fields = story
        .opening
        .disclose(&[("public", "/name")])
        .unwrap()
        .unwrap();
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
    assert_eq!(report.findings.len(), 6);
    assert_eq!(report.checkpoint.height, Some(Height(9)));
    assert_eq!(report.checkpoint.cosigners.len(), 3);
    assert!(
        report
            .statements
            .iter()
            .all(|shown| shown.signature_checked)
    );
    assert_eq!(report.documents[0].content[0]["value"], "StaxWall");
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

/// What a report says, line by line, so that one can be compared with another.
fn says(report: &Report) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for finding in &report.findings {
        lines.insert(serde_json::to_string(finding).unwrap());
    }
    for shown in &report.statements {
        lines.insert(serde_json::to_string(shown).unwrap());
    }
    for document in &report.documents {
        lines.insert(serde_json::to_string(document).unwrap());
    }
    lines.insert(serde_json::to_string(&report.checkpoint).unwrap());
    lines
}

/// One change of a JSON document: at a pointer, in a way.
fn changes(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(at) = open.pop() {
        let mut change = |what: &str, new: Value| {
            let mut changed = value.clone();
            *changed.pointer_mut(&at).unwrap() = new;
            found.push((format!("{what} {at}"), changed));
        };
        match value.pointer(&at).unwrap() {
            Value::Null => change("fill", Value::String("AAAA".into())),
            Value::Bool(b) => change("negate", Value::Bool(!b)),
            Value::Number(n) => {
                let n = n.as_u64().unwrap();
                change("increase", Value::from(n + 1));
                change("decrease", Value::from(n.saturating_sub(1)));
            }
            Value::String(text) => {
                // First, last and a middle character; each replaced by another of its class.
                let chars: Vec<char> = text.chars().collect();
                let middle = [chars.len() / 3, chars.len() / 2, 2 * chars.len() / 3];
                let places = BTreeSet::from([0, middle[0], middle[1], middle[2], chars.len() - 1]);
                for place in places {
                    let mut other = chars.clone();
                    other[place] = match chars[place] {
                        '0' => '1',
                        'a'..='e' | 'A'..='Y' | 'g'..='y' | '1'..='8' => {
                            char::from_u32(chars[place] as u32 + 1).unwrap()
                        }
                        'f' => 'e',
                        '9' => '0',
                        _ => 'B',
                    };
                    change("alter", Value::String(other.iter().collect()));
                }
                change("cut", Value::String(chars[1..].iter().collect()));
                change("extend", Value::String(format!("{text}A")));
                change("remove", Value::Null);
            }
            Value::Array(items) => {
                for n in 0..items.len() {
                    open.push(format!("{at}/{n}"));
                    let mut fewer = items.clone();
                    fewer.remove(n);
                    change("drop one of", Value::Array(fewer));
                    let mut more = items.clone();
                    more.insert(n, items[n].clone());
                    change("double one of", Value::Array(more));
                    if n > 0 {
                        let mut swapped = items.clone();
                        swapped.swap(n - 1, n);
                        change("swap two of", Value::Array(swapped));
                        change("cut", Value::Array(items[..n].to_vec()));
                    }
                }
            }
            Value::Object(map) => {
                for key in map.keys() {
                    open.push(format!(
                        "{at}/{}",
                        key.replace('~', "~0").replace('/', "~1")
                    ));
                    let mut fewer = map.clone();
                    fewer.remove(key);
                    change("drop a field of", Value::Object(fewer));
                }
                let mut more = map.clone();
                more.insert("extra".into(), Value::from(1));
                change("add a field to", Value::Object(more));
            }
        }
    }
    found
}

#[test]
fn no_change_of_a_bundle_makes_it_say_anything_else() {
    let story = Story::tell().unwrap();
    let anchor = anchor(&story);
    let bundle = everything(&story);
    let original = says(&verify(&bundle, &anchor).unwrap());
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
            .and_then(|bundle| verify(&bundle, &anchor).ok());
        match accepted {
            None => refused += 1,
            // Fewer claims, another order of claims, or the serving node's own log line.
            Some(report) => assert!(says(&report).is_subset(&original), "{what}"),
        }
    }
    assert!(
        refused >= 200,
        "only {refused} of {tried} changes were refused"
    );
    assert!(
        tried - refused < tried / 10,
        "{} of {tried} were accepted",
        tried - refused
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
    let open = vec![jangbu_ledger::statement::Stream::Open(id(PRODUCT))];
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
    assert_eq!(report.documents[0].content["public"]["kWh"], 10.24);

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
