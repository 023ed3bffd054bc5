//! Verifying the files of `tests/vectors/` with nothing but the genesis file: every exit code.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::home::Run;

fn vector(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors")
        .join(name)
}

/// Runs `jangbu verify` in an empty directory, with no configuration and no home.
fn verify(file: &std::path::Path, arguments: &[&str]) -> Run {
    let (file, genesis) = (file.to_str().unwrap(), vector("genesis.json"));
    let base = ["verify", file, "--genesis", genesis.to_str().unwrap()];
    offline(&[&base[..], arguments].concat())
}

/// Runs `jangbu` in an empty directory, with no configuration and no home.
fn offline(arguments: &[&str]) -> Run {
    let nowhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_jangbu"))
        .args(arguments)
        .env_clear()
        .env("HOME", nowhere.path())
        .current_dir(nowhere.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The bundle with one change, in a file.
fn changed(change: impl FnOnce(&mut Value)) -> tempfile::NamedTempFile {
    let mut bundle: Value =
        serde_json::from_slice(&std::fs::read(vector("proof.jangbu.json")).unwrap()).unwrap();
    change(&mut bundle);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_vec(&bundle).unwrap()).unwrap();
    file
}

#[test]
fn a_proof_and_a_receipt_hold_with_the_genesis_file_alone() {
    let run = verify(&vector("proof.jangbu.json"), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    for words in [
        "HOLDS",
        "test/amperia",
        "nordwind",
        "not checked",
        "is true",
        "✓",
    ] {
        assert!(run.stdout.contains(words), "no {words:?} in {run:?}");
    }
    let run = verify(&vector("receipt.tlog-proof"), &["--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let answer = run.json();
    assert_eq!(answer["verdict"], "holds");
    assert_eq!(answer["kind"], "receipt");
    assert_eq!(answer["statements"][0]["member_name"], "amperia");
    assert_eq!(answer["statements"][0]["signature_checked"], false);
}

/// The COSE receipt with one change, in a file.
fn cose(change: impl FnOnce(&mut Vec<u8>)) -> tempfile::NamedTempFile {
    let mut bytes = std::fs::read(vector("receipt.cose")).unwrap();
    change(&mut bytes);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

#[test]
fn a_cose_receipt_holds_as_the_word_of_one_node_and_says_so() {
    let run = verify(&vector("receipt.cose"), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    for words in [
        "HOLDS",
        "test/amperia",
        "one node's word, no quorum's",
        "whether a quorum of validators has this entry",
        "alone it can sign two",
        "the author's own signature",
    ] {
        assert!(run.stdout.contains(words), "no {words:?} in {run:?}");
    }
    assert!(!run.stdout.contains("cosigned"), "{run:?}");
    let answer = verify(&vector("receipt.cose"), &["--json"]).json();
    assert_eq!(answer["kind"], "cose_receipt");
    assert_eq!(answer["verdict"], "holds");
    assert_eq!(answer["checkpoint"]["one_node"]["name"], "test/amperia");
    assert_eq!(answer["checkpoint"]["cosigners"], serde_json::json!([]));
    assert_eq!(answer["statements"][0]["member_name"], "amperia");
}

#[test]
fn every_exit_code_has_a_cose_receipt() {
    let at_end = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    let run = verify(cose(at_end).path(), &[]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stdout.contains("did not sign this"), "{run:?}");

    let run = verify(cose(|bytes| bytes.truncate(100)).path(), &[]);
    assert_eq!(run.code, 2, "{run:?}");
    let run = verify(cose(|bytes| bytes.push(0)).path(), &[]);
    assert_eq!(run.code, 2, "{run:?}");

    let run = verify(&vector("receipt.cose"), &["--not-older-than", "1h"]);
    assert_eq!(run.code, 4, "{run:?}");
    let run = verify(&vector("receipt.cose"), &["--min-height", "99"]);
    assert_eq!(run.code, 4, "{run:?}");

    // The header's algorithm (1: -8), then its key id (4: 4 bytes): of a node that came later.
    let stranger = cose(|bytes| {
        let header = bytes.windows(4).position(|w| w == [0x01, 0x27, 0x04, 0x44]);
        bytes[header.unwrap() + 4] ^= 1;
    });
    let run = verify(stranger.path(), &["--json"]);
    assert_eq!(run.code, 5, "{run:?}");
    assert_eq!(run.json()["verdict"], "cannot_tell");
}

#[test]
fn the_policy_of_a_genesis_file_is_written_without_a_node() {
    let genesis = vector("genesis.json");
    let run = offline(&["genesis", "policy", genesis.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    let lines = |start: &str| run.stdout.lines().filter(|l| l.starts_with(start)).count();
    assert_eq!(lines("log jangbu/test/"), 4, "{run:?}");
    assert_eq!(lines("witness test/"), 4, "{run:?}");
    assert_eq!(lines("group validators 3 test/"), 1, "{run:?}");
    let none = offline(&[
        "genesis",
        "policy",
        vector("receipt.cose").to_str().unwrap(),
    ]);
    assert_eq!(none.code, 2, "{none:?}");
}

#[test]
fn a_tampered_proof_exits_with_3_and_says_where() {
    let file = changed(|bundle| {
        let value = &mut bundle["state"][0]["value"];
        let text = value.as_str().unwrap().replacen('A', "B", 1);
        *value = Value::String(text);
    });
    let run = verify(file.path(), &[]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stdout.contains("DOES NOT HOLD"), "{run:?}");
    assert!(run.stdout.contains("state proof"), "{run:?}");
    assert!(run.stdout.contains("Nothing in this file"), "{run:?}");
    let run = verify(file.path(), &["--json"]);
    assert_eq!(
        (run.code, &run.json()["verdict"]),
        (3, &"does_not_hold".into())
    );
}

#[test]
fn a_proof_that_is_too_old_exits_with_4() {
    let proof = vector("proof.jangbu.json");
    let run = verify(&proof, &["--min-height", "9"]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = verify(&proof, &["--min-height", "10"]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stdout.contains("at least block 10"), "{run:?}");
    // The vectors' ledger is of 2023.
    let run = verify(&proof, &["--not-older-than", "7d", "--json"]);
    assert_eq!(
        (run.code, &run.json()["verdict"]),
        (4, &"policy_not_met".into())
    );
}

#[test]
fn a_proof_with_missing_evidence_exits_with_5() {
    let file = changed(|bundle| {
        bundle["state"].as_array_mut().unwrap().remove(0);
    });
    let run = verify(file.path(), &[]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stdout.contains("CANNOT TELL"), "{run:?}");
}

#[test]
fn what_cannot_be_read_exits_with_2() {
    let file = changed(|bundle| bundle["extra"] = Value::from(1));
    verify(file.path(), &[]).fails(2, &["extra"]);
    std::fs::write(file.path(), "hello\n").unwrap();
    verify(file.path(), &[]).fails(2, &["neither a receipt nor a proof"]);
    std::fs::write(file.path(), "c2sp.org/tlog-proof@v1\nextra !\n").unwrap();
    verify(file.path(), &[]).fails(2, &["line 2"]);
    verify(&vector("no-such-file"), &[]).fails(2, &["no such file"]);
    let proof = vector("proof.jangbu.json");
    verify(&proof, &["--document", "/dev/null"]).fails(2, &["opens no document"]);
    verify(&proof, &["--not-older-than", "yesterday"]).fails(2, &["yesterday"]);
}

#[test]
fn a_document_is_checked_against_the_statement_that_committed_to_it() {
    let vectors: Value =
        serde_json::from_slice(&std::fs::read(vector("commitment.json")).unwrap()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let mut opening = vectors["opening"].clone();
    std::fs::write(&path, opening.to_string()).unwrap();
    for proof in ["proof.jangbu.json", "receipt.tlog-proof"] {
        let run = verify(&vector(proof), &["--document", &path]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains("StaxWall"), "{run:?}");
    }
    opening["sections"]["public"]["kWh"] = Value::from(11);
    std::fs::write(&path, opening.to_string()).unwrap();
    let run = verify(&vector("receipt.tlog-proof"), &["--document", &path]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stdout.contains("document of entry"), "{run:?}");
}

#[test]
fn evidence_against_a_validator_holds_with_the_genesis_file_alone() {
    let run = verify(&vector("evidence.json"), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    for words in [
        "HOLDS",
        "hanbit",
        "two precommits at height 300",
        "no block",
    ] {
        assert!(run.stdout.contains(words), "no {words:?} in {run:?}");
    }
    let run = verify(&vector("evidence.json"), &["--min-height", "1"]);
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn evidence_that_was_tampered_with_or_is_of_strangers_is_told_apart() {
    let text = std::fs::read_to_string(vector("evidence.json")).unwrap();
    let mut cases: Vec<(Value, i32)> = Vec::new();
    let mut case = |code: i32, change: &dyn Fn(&mut Value)| {
        let mut evidence: Value = serde_json::from_str(&text).unwrap();
        change(&mut evidence);
        cases.push((evidence, code));
    };
    case(3, &|evidence| {
        evidence["equivocation"]["first"]["vote"]["round"] = 2.into();
    });
    case(3, &|evidence| {
        evidence["chain_id"] = "07".repeat(32).into();
    });
    case(5, &|evidence| {
        for side in ["first", "second"] {
            evidence["equivocation"][side]["vote"]["validator"] = "07".repeat(16).into();
        }
    });
    case(2, &|evidence| {
        evidence["format"] = "jangbu-evidence/2".into();
    });
    case(2, &|evidence| {
        evidence["extra"] = 1.into();
    });
    for (evidence, code) in cases {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::to_vec(&evidence).unwrap()).unwrap();
        let run = verify(file.path(), &[]);
        assert_eq!(run.code, code, "{evidence} {run:?}");
    }
}
