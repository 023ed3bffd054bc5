//! Chunks of what was sent, shown without the others: right ones hold, and what anybody makes of
//! them does not.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_ledger::bundle::{Anchor, Verdict};
use jangbu_ledger::content::{CHUNK_BYTES, ChunkProof, ChunkProofError, ProvedChunks};
use jangbu_ledger::id::Digest;
use jangbu_tests::altered::changes;
use jangbu_tests::world::models::{self, CELLS, CELLS_AGREEMENT, MODEL, Models};

fn anchor(models: &Models) -> Anchor {
    models.world.anchor.verifier()
}

fn verified(models: &Models, proof: &ChunkProof) -> ProvedChunks {
    let text = serde_json::to_vec(proof).unwrap();
    let read = ChunkProof::parse(&text).unwrap();
    assert_eq!(read, *proof);
    read.verify(&anchor(models)).unwrap()
}

fn refused(models: &Models, proof: &ChunkProof) -> ChunkProofError {
    let error = proof.verify(&anchor(models)).unwrap_err();
    assert_eq!(error.verdict(), Verdict::DoesNotHold, "{error}");
    error
}

#[test]
fn each_chunk_of_a_delivery_and_of_plain_bytes_is_shown_alone() {
    let models = Models::tell().unwrap();
    for (of_cells, content) in [(true, models::cells()), (false, models::packs())] {
        let pieces: Vec<&[u8]> = content.chunks(CHUNK_BYTES).collect();
        for (n, piece) in pieces.iter().enumerate() {
            let proof = models.chunks(of_cells, &[n as u64], None).unwrap();
            let proved = verified(&models, &proof);
            let [chunk] = proved.chunks.as_slice() else {
                panic!("{:?}", proved.chunks.len());
            };
            assert_eq!(chunk.content, *piece);
            assert_eq!(chunk.blake3.as_bytes(), blake3::hash(piece).as_bytes());
            assert_eq!(proved.delivery, of_cells);
            assert_eq!(proved.bytes, content.len() as u64);
            let provider = if of_cells { "hanbit" } else { "nordwind" };
            assert_eq!(proved.member_name, provider);
        }
    }
}

#[test]
fn a_use_that_names_the_chunks_is_shown_with_them() {
    let models = Models::tell().unwrap();
    let proof = models
        .chunks(true, &[0, 3, 5], Some(&models.uses[0]))
        .unwrap();
    let used = verified(&models, &proof).used.unwrap();
    assert_eq!(used.data.as_str(), CELLS);
    assert_eq!(used.agreement.unwrap().as_str(), CELLS_AGREEMENT);
    assert_eq!(used.made[0].as_str(), MODEL);
    assert_eq!(
        (used.member_name.as_str(), used.activity.as_str()),
        ("soyu", "ai-training")
    );
}

#[test]
fn a_chunk_of_another_place_root_or_use_or_an_altered_one_is_refused_by_its_own_name() {
    let models = Models::tell().unwrap();
    for (of_cells, root) in [
        (true, models::delivery().unwrap().root),
        (false, models::plainly().root),
    ] {
        let proof = models.chunks(of_cells, &[1], None).unwrap();
        let mut moved = proof.clone();
        moved.chunks[0].index = 0;
        let moved = refused(&models, &moved);
        assert_eq!(moved, ChunkProofError::Moved { index: 0, place: 1 });
        let under = format!("chunk 1 is not shown to be under the root {root}: ");
        let mut altered = proof.clone();
        altered.chunks[0].bytes.0[100] ^= 1;
        let altered = refused(&models, &altered).to_string();
        assert!(
            altered.starts_with(&under) && altered.contains("altered"),
            "{altered}"
        );
        let mut path = proof.clone();
        path.chunks[0].path[0] = Digest([1; 32]);
        let path = refused(&models, &path).to_string();
        assert!(path.starts_with(&under), "{path}");
        let mut beyond = proof;
        beyond.chunks[0].index = 6;
        let beyond = refused(&models, &beyond).to_string();
        assert!(beyond.contains("there are"), "{beyond}");
    }
    // Under the root of something else.
    let (cells, packs) = (
        models.chunks(true, &[1], None).unwrap(),
        models.chunks(false, &[1], None).unwrap(),
    );
    let mut other = cells.clone();
    other.started = packs.started.clone();
    other.bytes = packs.bytes;
    let error = refused(&models, &other).to_string();
    assert!(error.contains("plainly has no keys"), "{error}");
    other.chunks[0].key = None;
    let error = refused(&models, &other).to_string();
    assert!(
        error.contains("altered, or is of something else"),
        "{error}"
    );
    // A key that is not the chunk's.
    let mut key = cells.clone();
    key.chunks[0].key = Some(Digest([9; 32]));
    let error = refused(&models, &key).to_string();
    assert!(
        error.contains("the key shown is not its record's"),
        "{error}"
    );
    // A use of other chunks, of none of it, and no use.
    let other = models.chunks(true, &[4], Some(&models.uses[0])).unwrap();
    let error = refused(&models, &other).to_string();
    assert!(
        error.contains("chunk 4 is not among what it names: chunks 0-3,5 of"),
        "{error}"
    );
    let other = models.chunks(true, &[1], Some(&models.uses[3])).unwrap();
    let error = refused(&models, &other).to_string();
    assert!(error.contains("it names no part of the root"), "{error}");
    let none = models.chunks(true, &[1], Some(&models.started[0])).unwrap();
    let error = refused(&models, &none).to_string();
    assert!(error.contains("it is no use of data"), "{error}");
    let mut start = cells.clone();
    start.started = models
        .chunks(true, &[1], Some(&models.uses[0]))
        .unwrap()
        .used
        .unwrap();
    let error = refused(&models, &start).to_string();
    assert!(error.contains("names no root"), "{error}");
    // Twice, and none.
    let mut twice = cells.clone();
    twice.chunks.push(cells.chunks[0].clone());
    assert_eq!(refused(&models, &twice), ChunkProofError::Order);
    let mut none = cells;
    none.chunks.clear();
    assert_eq!(refused(&models, &none), ChunkProofError::Order);
}

#[test]
fn no_change_of_a_proof_shows_other_bytes() {
    let models = Models::tell().unwrap();
    let anchor = anchor(&models);
    for of_cells in [true, false] {
        let last = if of_cells { 5 } else { 2 };
        let used = of_cells.then_some(&models.uses[0]);
        let proof = models.chunks(of_cells, &[last], used).unwrap();
        let proved = verified(&models, &proof);
        let all = changes(&serde_json::to_value(&proof).unwrap());
        let mut accepted = 0;
        for (what, changed) in &all {
            let text = serde_json::to_vec(changed).unwrap();
            let Ok(other) = ChunkProof::parse(&text).and_then(|proof| proof.verify(&anchor)) else {
                continue;
            };
            accepted += 1;
            // Less may be shown, or what the ledger does not know be said otherwise; no chunk.
            assert_eq!(other.root, proved.root, "{what}");
            assert_eq!(other.chunks, proved.chunks, "{what}");
            assert!(other.used.is_none() || other.used == proved.used, "{what}");
            let said = other.bytes == proved.bytes;
            assert!(said || !of_cells, "{what}");
        }
        assert!(accepted < all.len() / 10, "{accepted} of {}", all.len());
    }
}
