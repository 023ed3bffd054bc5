//! Published vectors: every case of transparency-dev/merkle, and a sample log by Tessera.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jangbu_ledger::checkpoint::{Checkpoint, verify_strict};
use jangbu_ledger::merkle::{
    Frontier, NodeHash, leaf_hash, verify_consistency, verify_inclusion,
    verify_subtree_consistency, verify_subtree_inclusion,
};
use jangbu_ledger::note::{Note, VerifierKey};
use jangbu_ledger::signature::Signature;
use jangbu_ledger::tile::Tile;
use serde_json::Value;

/// The one valid case whose roots are not hashes but the text "don't care 2", twice. Our types
/// hold only hashes, so a hash of the text stands in: what the case asks is whether equal roots
/// of equal trees are accepted.
const OPAQUE_ROOTS: &str =
    "subtreeconsistency/additional/sizes-are-equal-one-and-proof-is-empty.json";

/// Published by Tessera beside the sample log.
const TESSERA_KEY: &str =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

fn data(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "data", "merkle", path]
        .iter()
        .collect()
}

/// `None` if a value that should be a hash has not 32 bytes.
fn hash(case: &Value, value: &Value) -> Option<NodeHash> {
    let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
    if case["file"] == OPAQUE_ROOTS {
        return Some(leaf_hash(&bytes));
    }
    Some(NodeHash(bytes.try_into().ok()?))
}

/// Whether we accept the case; a hash of another length than 32 bytes is not acceptable.
fn accepted(case: &Value) -> bool {
    let field = |name: &str| hash(case, &case[name]);
    let number = |name: &str| case[name].as_u64().expect("a number below 2^64");
    let check = || {
        let hashes = case["proof"].as_array().map_or(&[][..], Vec::as_slice);
        let path = hashes
            .iter()
            .map(|value| hash(case, value))
            .collect::<Option<Vec<_>>>()?;
        let kind = case["file"].as_str()?.split('/').next()?;
        Some(match kind {
            "inclusion" => verify_inclusion(
                &field("leafHash")?,
                number("leafIdx"),
                number("treeSize"),
                &path,
                &field("root")?,
            ),
            "subtreeinclusion" => verify_subtree_inclusion(
                &field("leafHash")?,
                number("leafIdx"),
                number("start"),
                number("end"),
                &path,
                &field("root")?,
            ),
            "consistency" => verify_consistency(
                number("size1"),
                &field("root1")?,
                number("size2"),
                &field("root2")?,
                &path,
            ),
            "subtreeconsistency" => verify_subtree_consistency(
                number("start"),
                number("end"),
                &field("root1")?,
                number("size"),
                &field("root2")?,
                &path,
            ),
            other => panic!("unknown kind of case: {other}"),
        })
    };
    matches!(check(), Some(Ok(())))
}

#[test]
fn every_published_merkle_case_gets_the_published_answer() {
    let text = fs::read_to_string(data("merkle-vectors.jsonl")).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let want_error = case["wantErr"].as_bool().unwrap();
        assert_eq!(
            accepted(&case),
            !want_error,
            "{}: {}",
            case["file"],
            case["desc"]
        );
        if want_error { invalid += 1 } else { valid += 1 }
    }
    assert_eq!((valid, invalid), (30, 380));
}

#[test]
fn the_sample_logs_tiles_give_the_roots_of_its_signed_checkpoints() {
    let key: VerifierKey = TESSERA_KEY.parse().unwrap();
    for size in 1..=15u16 {
        let signed = fs::read(data(&format!("tessera-log/checkpoint.{size}"))).unwrap();
        let note = Note::parse(&signed).unwrap();
        assert_eq!(note.to_string().as_bytes(), signed);
        let checkpoint: Checkpoint = note.text().parse().unwrap();
        assert_eq!(checkpoint.to_string(), note.text());
        assert_eq!(checkpoint.size, u64::from(size));

        let [line] = note.signatures() else {
            panic!("one signature in checkpoint {size}")
        };
        assert!(key.is_named_by(line));
        let signature = Signature(line.signature[..].try_into().unwrap());
        assert_eq!(
            verify_strict(&key.key, note.text().as_bytes(), &signature),
            Ok(())
        );

        let read = |path: String| {
            let tile: Tile = path.parse().unwrap();
            assert_eq!((tile.width(), tile.to_string()), (size, path.clone()));
            (
                tile,
                fs::read(data(&format!("tessera-log/{path}"))).unwrap(),
            )
        };
        let (tile, bytes) = read(format!("tile/0/000.p/{size}"));
        let hashes = tile.hashes(&bytes).unwrap();
        let (bundle, bytes) = read(format!("tile/entries/000.p/{size}"));
        let entries = bundle.entries(&bytes).unwrap();
        assert!(
            entries
                .iter()
                .map(|entry| leaf_hash(entry))
                .eq(hashes.iter().copied())
        );

        let mut frontier = Frontier::new();
        for hash in hashes {
            frontier.append(hash).unwrap();
        }
        assert_eq!(frontier.root(), checkpoint.root);
    }
}

#[test]
fn the_sample_logs_empty_checkpoint_has_the_empty_root() {
    let note = Note::parse(&fs::read(data("tessera-log/checkpoint.0")).unwrap()).unwrap();
    let checkpoint: Checkpoint = note.text().parse().unwrap();
    assert_eq!(
        (checkpoint.size, checkpoint.root),
        (0, NodeHash::EMPTY_TREE)
    );
}
