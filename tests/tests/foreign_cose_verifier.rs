//! A COSE receipt of ours is judged by a program that others wrote: PyPI's `scitt-cose` takes it
//! as it is, and refuses it with any byte changed but those that RFC 9942 leaves unsigned.
//!
//! Needs python3 with venv, and once the network: `scripts/tool scitt-cose` fetches the wheel.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jangbu_ledger::bundle::verify_cose;
use jangbu_ledger::receipt::cose::CoseReceipt;
use jangbu_ledger::signature::PublicKey;
use jangbu_tests::world::story::Story;
use jangbu_tests::world::{Key, signing_key};
use serde_json::{Value, json};

/// A member's log key as RFC 8410 writes it.
fn pem(member: &str) -> String {
    let key = PublicKey::of(&signing_key(member, Key::Log).unwrap());
    let der = [
        &hex::decode("302a300506032b6570032100").unwrap()[..],
        &key.0,
    ]
    .concat();
    let line = BASE64_STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n")
}

/// What `scitt-cose` says of each of these receipts under a key.
fn judged(receipts: &[Vec<u8>], key: &str) -> Vec<Value> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judge = Command::new(tests.join("../scripts/tool"))
        .arg("scitt-cose")
        .arg(tests.join("tests/foreign/judge_cose.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = judge.stdin.take().unwrap();
    let asked: String = receipts
        .iter()
        .map(|receipt| json!({ "receipt": hex::encode(receipt), "key": key }).to_string() + "\n")
        .collect();
    // The answers fill a pipe while the questions fill another.
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = judge.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "scitt-cose could not be run: {output:?}"
    );
    writer.join().unwrap().unwrap();
    let verdicts: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(verdicts.len(), receipts.len());
    verdicts
}

#[test]
fn scitt_cose_takes_our_receipt_and_reads_what_we_signed() {
    let story = Story::tell().unwrap();
    let receipt = story.world.cose(&story.passport).unwrap();
    let bytes = vec![receipt.to_bytes()];
    let verdict = judged(&bytes, &pem("amperia")).remove(0);
    let checkpoint = story.world.checkpoint().unwrap();
    let checkpoint = checkpoint.checkpoint();
    assert_eq!(verdict["ok"], true, "{verdict}");
    assert_eq!(verdict["entry"], hex::encode(&receipt.entry));
    assert_eq!(verdict["root"], checkpoint.root.to_string());
    assert_eq!(verdict["size"], checkpoint.size);
    assert_eq!(verdict["signed_size"], checkpoint.size);
    assert_eq!(verdict["index"], receipt.index);
    assert_eq!(verdict["issuer"], checkpoint.origin.as_str());
    assert_eq!(verdict["subject"], story.passport.to_string());
    assert_eq!(verdict["time_s"], receipt.time_s);
    assert_eq!(verdict["key_id"], receipt.key_id.to_string());

    let other = judged(&bytes, &pem("hanbit")).remove(0);
    assert_eq!(other["ok"], false, "{other}");
}

/// It cannot tell sizes apart that one path fits: the standard leaves the size in the proof
/// unsigned. We sign it too, and refuse those as well.
#[test]
fn scitt_cose_refuses_any_changed_byte_but_of_the_unsigned_size() {
    let story = Story::tell().unwrap();
    let receipt = story.world.cose(&story.passport).unwrap();
    let bytes = receipt.to_bytes();
    let anchor = story.world.anchor.verifier();
    let mutants: Vec<Vec<u8>> = (0..bytes.len())
        .flat_map(|at| [0x01, 0x80].map(|bit| (at, bit)))
        .map(|(at, bit)| {
            let mut mutant = bytes.clone();
            mutant[at] ^= bit;
            mutant
        })
        .collect();
    let verdicts = judged(&mutants, &pem("amperia"));
    let mut accepted = 0;
    for (number, (mutant, verdict)) in std::iter::zip(&mutants, verdicts).enumerate() {
        let ours = CoseReceipt::parse(mutant).is_ok_and(|read| verify_cose(&read, &anchor).is_ok());
        assert!(!ours, "we take mutant {number}");
        if verdict["ok"] == true {
            accepted += 1;
            assert_ne!(verdict["size"], verdict["signed_size"], "mutant {number}");
            assert_eq!(verdict["index"], receipt.index, "mutant {number}");
            assert_eq!(verdict["entry"], hex::encode(&receipt.entry));
        }
    }
    assert!(mutants.len() > 1_000, "{} mutants", mutants.len());
    assert!(accepted <= 4, "{accepted} mutants taken");
}
