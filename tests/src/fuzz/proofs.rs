//! What is handed to verifiers as a file: notes with checkpoints, receipts, evidence.

use jangbu_ledger::bundle::verify_receipt;
use jangbu_ledger::checkpoint::{Checkpoint, verify_quorum, verify_quorum_of};
use jangbu_ledger::equivocation::{Equivocation, Evidence};
use jangbu_ledger::id::Sequence;
use jangbu_ledger::note::{Note, VerifierKey};
use jangbu_ledger::receipt::Receipt;
use jangbu_ledger::signature::PublicKey;

use super::known::{data, known, vector, vector_json};
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::world::{Key, signing_key};

/// A note has one spelling; its checkpoint is final only if it is the small ledger's.
pub(super) fn note(bytes: &[u8]) -> Seen {
    if let Ok(text) = std::str::from_utf8(bytes) {
        // The same bytes as the other texts that verifiers are handed.
        match frugal(text.len(), Allowance::TEXT, || text.parse::<VerifierKey>()) {
            Ok(key) => assert_eq!(key.to_string(), text),
            Err(error) => drop(refused(error)),
        }
        match frugal(text.len(), Allowance::TEXT, || text.parse::<Checkpoint>()) {
            Ok(checkpoint) => assert_eq!(checkpoint.to_string(), text),
            Err(error) => drop(refused(error)),
        }
    }
    let note = match frugal(bytes.len(), Allowance::TEXT, || Note::parse(bytes)) {
        Ok(note) => note,
        Err(error) => return refused(error),
    };
    assert_eq!(note.to_string().as_bytes(), bytes);
    let anchor = &known().anchor;
    let verified = verify_quorum_of(&note, &anchor.origin, &anchor.witnesses, anchor.quorum);
    assert_eq!(
        verified,
        verify_quorum(
            &note.to_string(),
            &anchor.origin,
            &anchor.witnesses,
            anchor.quorum
        )
    );
    match verified {
        Ok(last) => {
            let true_one = known().story.world.checkpoint().unwrap();
            assert_eq!(last.checkpoint, *true_one.checkpoint());
            assert!(last.cosignatures.len() >= anchor.quorum);
            Seen::Held
        }
        Err(error) => {
            refused(error);
            Seen::Read
        }
    }
}

pub(super) fn notes() -> Vec<Seed> {
    let example = vector_json("checkpoint.json");
    let text = |name: &str| example[name].as_str().unwrap().to_owned();
    let full = text("final_note");
    let without_last = full[..full.trim_end().rfind('\n').unwrap() + 1].to_owned();
    let lines: Vec<&str> = full.split_inclusive('\n').collect();
    let mut doubled = full.clone();
    doubled.push_str(lines.last().unwrap());
    let mut seeds = vec![
        Seed::new("final", full, Seen::Held),
        Seed::new("below-quorum", without_last, Seen::Read),
        Seed::new("cosigned-twice", doubled, Seen::Read),
        Seed::new("text-alone", text("text"), Seen::Refused),
        Seed::new("vkey", text("witness_vkey"), Seen::Refused),
        Seed::new("empty", "", Seen::Refused),
        Seed::new("only-newlines", "\n\n\n\n", Seen::Refused),
        Seed::new("a-bad-line", "a\n1\nb\n\n\u{2014} x AAAA\n", Seen::Refused),
    ];
    let foreign = data("merkle/tessera-log/checkpoint.15");
    seeds.push(Seed::new("of-another-log", foreign, Seen::Read));
    seeds
}

/// A receipt has one spelling, and shows an entry of the small ledger or nothing.
pub(super) fn receipt(bytes: &[u8]) -> Seen {
    let receipt = match frugal(bytes.len(), Allowance::TEXT, || Receipt::parse(bytes)) {
        Ok(receipt) => receipt,
        Err(error) => return refused(error),
    };
    assert_eq!(receipt.to_string().as_bytes(), bytes);
    match verify_receipt(&receipt, &known().anchor) {
        Ok(report) => {
            let recorded = known().story.world.entry_bytes(Sequence(receipt.index));
            assert_eq!(recorded.unwrap(), receipt.entry);
            known().check(&report);
            Seen::Held
        }
        Err(failure) => {
            refused(failure);
            Seen::Read
        }
    }
}

pub(super) fn receipts() -> Vec<Seed> {
    let good = vector("receipt.tlog-proof");
    let text = String::from_utf8(good.clone()).unwrap();
    let receipt = Receipt::parse(&good).unwrap();
    let changed = |name: &str, change: fn(&mut Receipt)| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        Seed::new(name, receipt.to_string(), Seen::Read)
    };
    vec![
        Seed::new("passport", good, Seen::Held),
        Seed::new("crlf", text.replace('\n', "\r\n"), Seen::Refused),
        Seed::new("header-alone", "c2sp.org/tlog-proof@v1\n", Seen::Refused),
        changed("another-index", |r| r.index += 1),
        changed("last-index", |r| r.index = u64::MAX),
        changed("short-path", |r| r.path.truncate(1)),
        changed("another-entry", |r| r.entry[0] ^= 1),
        changed("no-path", |r| r.path.clear()),
        changed("longest-path", |r| r.path.resize(64, r.path[0])),
    ]
}

/// Evidence survives its file, and holds only if the validator signed both.
pub(super) fn evidence(bytes: &[u8]) -> Seen {
    let evidence = match frugal(bytes.len(), Allowance::JSON, || Evidence::parse(bytes)) {
        Ok(evidence) => evidence,
        Err(error) => return refused(error),
    };
    let text = evidence.to_json().unwrap();
    assert_eq!(Evidence::parse(text.as_bytes()), Ok(evidence.clone()));
    let key = PublicKey::of(&signing_key("hanbit", Key::Consensus).unwrap());
    let chain = known().anchor.chain_id;
    match evidence.equivocation.verify(&chain, &key) {
        Ok(_) => {
            let true_one = Evidence::parse(&vector("evidence.json")).unwrap();
            // The one who signed may sign again; a stranger cannot.
            assert_eq!(
                contents(&evidence.equivocation),
                contents(&true_one.equivocation)
            );
            Seen::Held
        }
        Err(error) => {
            refused(error);
            Seen::Read
        }
    }
}

/// What was said twice, without the signatures.
fn contents(equivocation: &Equivocation) -> String {
    match equivocation {
        Equivocation::Votes { first, second } => format!("{:?} {:?}", first.vote, second.vote),
        Equivocation::Proposals { first, second } => {
            format!("{:?} {:?}", first.proposal, second.proposal)
        }
    }
}

pub(super) fn evidences() -> Vec<Seed> {
    let good = vector("evidence.json");
    let text = String::from_utf8(good.clone()).unwrap();
    let key = "k".repeat(3_000);
    vec![
        Seed::new("precommits", good, Seen::Held),
        Seed::new(
            "another-round",
            text.replacen("\"round\": 1", "\"round\": 2", 1),
            Seen::Read,
        ),
        Seed::new(
            "another-format",
            text.replace("evidence/1", "evidence/9"),
            Seen::Refused,
        ),
        Seed::new(
            "proposals",
            text.replace("\"votes\"", "\"proposals\""),
            Seen::Refused,
        ),
        Seed::new(
            "a-long-key",
            format!("{{\"{key}\":1,\"{key}\":2}}"),
            Seen::Refused,
        ),
        Seed::new(
            "an-unknown-field",
            text.replacen("\"format\"", &format!("\"{key}\":1,\"format\""), 1),
            Seen::Refused,
        ),
        Seed::new(
            "a-long-text-for-a-number",
            text.replacen(": 300", &format!(": \"{key}\""), 1),
            Seen::Refused,
        ),
    ]
}
