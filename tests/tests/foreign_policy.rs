//! The policy that a node serves is read by a program of others (`doubleentry`, C2SP tlog-policy and
//! tlog-proof): with it and a receipt alone it comes to our verdict, whichever node signed the log.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use doubleentry::TreeHead;
use doubleentry::log::{InclusionProof, leaf_hash};
use doubleentry::transparency::{Policy, ProofBundle, SignedCheckpoint};
use jangbu_ledger::bundle::verify_receipt;
use jangbu_ledger::policy::policy_text;
use jangbu_ledger::receipt::Receipt;
use jangbu_tests::world::story::Story;
use jangbu_tests::world::{Key, World, signing_key};

/// The verdict of `doubleentry` on a receipt under a policy: who cosigned, if it holds.
fn judged(receipt: &[u8], policy: &str) -> Result<Vec<String>, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let policy = Policy::parse(policy).map_err(|error| words(&error))?;
    let bundle = ProofBundle::parse(receipt).map_err(|error| words(&error))?;
    let verdict = policy
        .verify(bundle.checkpoint())
        .map_err(|error| words(&error))?;
    let head: TreeHead = bundle.checkpoint().checkpoint().head();
    let proof = InclusionProof {
        index: bundle.index(),
        size: head.size,
        path: bundle.path().to_vec(),
    };
    let entry = bundle.extra().ok_or("there is no entry")?;
    proof
        .verify(&leaf_hash(entry), &head)
        .map_err(|error| words(&error))?;
    Ok(verdict
        .witnesses
        .into_iter()
        .map(|(name, _)| name)
        .collect())
}

fn policy(world: &World) -> String {
    let anchor = &world.anchor;
    policy_text(
        &anchor.origin,
        &anchor.log_keys,
        &anchor.witnesses,
        anchor.quorum,
    )
    .unwrap()
}

/// The receipt with the log line of this member's node.
fn signed_by(world: &World, receipt: &Receipt, member: &str) -> String {
    let checkpoint = world.checkpoint().unwrap();
    let log_key = signing_key(member, Key::Log).unwrap();
    let line = checkpoint.checkpoint().sign(&log_key);
    let text = receipt.to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let note = lines.iter().position(|line| line.starts_with('\u{2014}'));
    lines[note.unwrap()] = line.to_string();
    lines.join("\n") + "\n"
}

#[test]
fn the_policy_lists_every_log_key_under_the_one_origin_and_the_quorum() {
    let story = Story::tell().unwrap();
    let anchor = &story.world.anchor;
    let text = policy(&story.world);
    let read = Policy::parse(&text).unwrap();
    let logs: Vec<_> = read.logs().collect();
    assert_eq!(logs.len(), anchor.log_keys.len());
    assert!(
        logs.iter()
            .all(|log| log.name().as_str() == anchor.origin.as_str())
    );
    assert!(text.contains("group validators 3 "), "{text}");
}

#[test]
fn a_receipt_holds_under_the_policy_whichever_node_signed_the_log() {
    let story = Story::tell().unwrap();
    let receipt = story.world.receipt(&story.passport).unwrap();
    let policy = policy(&story.world);
    for member in ["amperia", "hanbit", "nordwind", "soyu"] {
        let file = signed_by(&story.world, &receipt, member);
        let cosigners = judged(file.as_bytes(), &policy).unwrap();
        assert_eq!(cosigners.len(), story.world.anchor.quorum, "{member}");
        let ours = Receipt::parse(file.as_bytes()).unwrap();
        verify_receipt(&ours, &story.world.anchor.verifier()).unwrap();
    }
    // Signed by a witness key, under the log's name: no log key of the policy.
    let stranger = story.world.checkpoint().unwrap();
    let key = signing_key("cml1", Key::Log).unwrap();
    let line = stranger.checkpoint().sign(&key).to_string();
    let text = signed_by(&story.world, &receipt, "amperia");
    let file = text
        .lines()
        .map(|old| match old.strip_prefix("\u{2014} jangbu/") {
            Some(_) => line.clone() + "\n",
            None => format!("{old}\n"),
        })
        .collect::<String>();
    assert!(judged(file.as_bytes(), &policy).is_err());
}

#[test]
fn a_receipt_below_the_quorum_or_altered_holds_for_nobody() {
    let story = Story::tell().unwrap();
    let anchor = story.world.anchor.verifier();
    let policy = policy(&story.world);
    let text = story.world.receipt(&story.passport).unwrap().to_string();
    let without_last = text[..text.trim_end().rfind('\n').unwrap() + 1].to_owned();
    assert!(judged(without_last.as_bytes(), &policy).is_err());
    let ours = Receipt::parse(without_last.as_bytes()).unwrap();
    assert!(verify_receipt(&ours, &anchor).is_err());

    let (bytes, mut mutants) = (text.into_bytes(), 0);
    for at in 0..bytes.len() {
        let mut mutant = bytes.clone();
        mutant[at] ^= 1;
        let theirs = judged(&mutant, &policy).is_ok();
        let ours = Receipt::parse(&mutant).is_ok_and(|read| verify_receipt(&read, &anchor).is_ok());
        assert!(!theirs, "byte {at}, doubleentry");
        assert!(!ours || is_log_line(&bytes, at), "byte {at}, us");
        mutants += 1;
    }
    assert!(mutants > 900, "{mutants} mutants");
}

/// Whether a byte is of the log's own line: we look only at the quorum, they want that line too.
fn is_log_line(receipt: &[u8], at: usize) -> bool {
    let text = std::str::from_utf8(receipt).unwrap();
    let start = text.find("\u{2014} jangbu/").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    (start..=end).contains(&at)
}

/// What is left out of the verdict above: they judge the same checkpoint that we do.
#[test]
fn the_note_of_a_receipt_is_the_checkpoint_that_they_read() {
    let story = Story::tell().unwrap();
    let signed = story.world.checkpoint().unwrap();
    let read = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
    let head = read.checkpoint().head();
    assert_eq!(head.size, signed.checkpoint().size);
    assert_eq!(*head.root.as_bytes(), signed.checkpoint().root.0);
}
