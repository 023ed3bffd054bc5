//! The formats of `docs/format.md`, each with an example that is recomputed here.
//!
//! `UPDATE_VECTORS=1` rewrites the files; a difference afterwards is a change of the format, which
//! is a decision and has a line in the changelog.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod vectors;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jangbu_genesis::{Genesis, TrustAnchor};
use jangbu_ledger::bundle::{Bundle, verify};
use jangbu_ledger::content::ChunkProof;
use jangbu_ledger::lineage::Direction;
use jangbu_ledger::receipt::Receipt;
use jangbu_tests::world::models::{CELLS, Models, TUNED};
use jangbu_tests::world::story::{Story, identifier};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a file with what is computed, or writes it.
fn check(name: &str, computed: &str) {
    let path = root().join("tests/vectors").join(name);
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, computed).unwrap();
        return;
    }
    let stored = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_VECTORS=1 makes it", path.display()));
    for (number, (was, is)) in (1..).zip(stored.lines().zip(computed.lines())) {
        assert_eq!(was, is, "{name}, line {number}");
    }
    assert_eq!(stored, computed, "{name}");
}

/// [`check`] for a file that is no text.
fn check_bytes(name: &str, computed: &[u8]) {
    let path = root().join("tests/vectors").join(name);
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&path, computed).unwrap();
        return;
    }
    let stored = fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_VECTORS=1 makes it", path.display()));
    assert_eq!(hex::encode(stored), hex::encode(computed), "{name}");
}

fn check_json(name: &str, computed: &serde_json::Value) {
    check(
        name,
        &(serde_json::to_string_pretty(computed).unwrap() + "\n"),
    );
}

#[test]
fn values_encode_as_written_down() {
    check_json("codec.json", &vectors::basic::codec());
    check_json("ids.json", &vectors::basic::ids());
}

#[test]
fn statements_and_envelopes_encode_as_written_down() {
    check_json("statements.json", &vectors::said::statements());
    check_json("envelope.json", &vectors::said::envelope());
}

#[test]
fn sealed_statements_and_commitments_are_as_written_down() {
    check_json("sealed.json", &vectors::said::sealed());
    check_json("share.json", &vectors::share::share());
    check_json("commitment.json", &vectors::said::commitment());
}

#[test]
fn the_log_its_blocks_and_checkpoints_are_as_written_down() {
    let story = Story::tell().unwrap();
    check_json("log.json", &vectors::chain::log(&story));
    check_json("checkpoint.json", &vectors::chain::checkpoint(&story));
    check_json("vote.json", &vectors::chain::vote());
    let receipt = story.world.receipt(&story.passport).unwrap();
    check("receipt.tlog-proof", &receipt.to_string());
    let cose = story.world.cose(&story.passport).unwrap();
    check_bytes("receipt.cose", &cose.to_bytes());
}

#[test]
fn the_state_tree_is_as_written_down() {
    check_json("state.json", &vectors::tree::state());
}

#[test]
fn a_founding_document_is_as_written_down() {
    let genesis = jangbu_tests::world::genesis().unwrap();
    check("genesis.json", &genesis.to_json().unwrap());
    check_json("founding.json", &vectors::chain::founding(&genesis));
    check("evidence.json", &vectors::chain::evidence(&genesis));
}

#[test]
fn a_bundle_is_as_written_down_and_verifies_from_its_files() {
    let story = Story::tell().unwrap();
    let mut builder = story.world.builder().unwrap();
    let product = identifier(jangbu_tests::world::story::PRODUCT).unwrap();
    builder.recorded(&story.passport).unwrap();
    builder.composition(&product, None).unwrap();
    builder.slot(story.sealed_by, story.empty).unwrap();
    let bundle = builder.finish();
    check("proof.jangbu.json", &bundle.to_json().unwrap());
    // What the others check too, so that one run of UPDATE_VECTORS is enough in any order.
    check("genesis.json", &story.world.genesis.to_json().unwrap());
    let receipt = story.world.receipt(&story.passport).unwrap();
    check("receipt.tlog-proof", &receipt.to_string());

    let read = |name: &str| fs::read(root().join("tests/vectors").join(name)).unwrap();
    let genesis = Genesis::parse(&read("genesis.json")).unwrap();
    let anchor = TrustAnchor::of(&genesis).unwrap().verifier();
    let bundle = Bundle::parse(&read("proof.jangbu.json")).unwrap();
    let report = verify(&bundle, &anchor).unwrap();
    let mut findings = serde_json::to_value(&report).unwrap();
    // Words for people may change; what is found may not.
    for words in ["checked", "not_checked"] {
        findings.as_object_mut().unwrap().remove(words).unwrap();
    }
    check_json("proof.report.json", &findings);
    let receipt = Receipt::parse(&read("receipt.tlog-proof")).unwrap();
    jangbu_ledger::bundle::verify_receipt(&receipt, &anchor).unwrap();
}

#[test]
fn a_lineage_and_a_proof_of_chunks_are_as_written_down_and_verify_from_their_files() {
    let models = Models::tell().unwrap();
    let mut builder = models.world.builder().unwrap();
    let (made, data) = (identifier(TUNED).unwrap(), identifier(CELLS).unwrap());
    builder.lineage(&made, Direction::Back, None).unwrap();
    builder.lineage(&data, Direction::Forward, Some(1)).unwrap();
    check("lineage.jangbu.json", &builder.finish().to_json().unwrap());
    let proof = models.chunks(true, &[5], Some(&models.uses[0])).unwrap();
    check_json(
        "delivery.chunks.json",
        &serde_json::to_value(proof).unwrap(),
    );
    let proof = models.chunks(false, &[2], None).unwrap();
    check_json("plain.chunks.json", &serde_json::to_value(proof).unwrap());
    check("genesis.json", &models.world.genesis.to_json().unwrap());

    let read = |name: &str| fs::read(root().join("tests/vectors").join(name)).unwrap();
    let genesis = Genesis::parse(&read("genesis.json")).unwrap();
    let anchor = TrustAnchor::of(&genesis).unwrap().verifier();
    let bundle = Bundle::parse(&read("lineage.jangbu.json")).unwrap();
    let report = verify(&bundle, &anchor).unwrap();
    check_json(
        "lineage.report.json",
        &serde_json::to_value(&report.findings).unwrap(),
    );
    for name in ["delivery.chunks.json", "plain.chunks.json"] {
        let proof = ChunkProof::parse(&read(name)).unwrap();
        proof.verify(&anchor).unwrap();
    }
}

/// Every hash context in the sources of the pure crates.
fn contexts(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contexts(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // Tests beside the code use contexts of their own.
            let text = text.split("#[cfg(test)]").next().unwrap();
            for part in text.split("\"jangbu/").skip(1) {
                let context = part.split('"').next().unwrap();
                if context.contains("/v") {
                    found.insert(format!("jangbu/{context}"));
                }
            }
        }
    }
}

#[test]
fn every_hash_context_is_listed_and_every_vector_file_is_checked() {
    let mut found = BTreeSet::new();
    for krate in ["ledger", "genesis", "consensus", "replica"] {
        contexts(&root().join(krate).join("src"), &mut found);
    }
    assert!(found.len() > 40, "{found:?}");
    let format = fs::read_to_string(root().join("docs/format.md")).unwrap();
    for context in &found {
        assert!(
            format.contains(&format!("`{context}`")),
            "docs/format.md does not list {context}"
        );
    }
    for entry in fs::read_dir(root().join("tests/vectors")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            format.contains(&format!("`{name}`")),
            "docs/format.md does not list tests/vectors/{name}"
        );
    }
}
