//! Proofs of chunks: whatever is verified is of what was sent in the small ledger.

use jangbu_ledger::content::{CHUNK_BYTES, ChunkProof};
use serde_json::{Value, json};

use super::known::known;
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::world::models::{self, Models};

/// A proof survives its file, and shows bytes of the cells or of the packs at their place.
pub(super) fn body(bytes: &[u8]) -> Seen {
    let proof = match frugal(bytes.len(), Allowance::JSON, || ChunkProof::parse(bytes)) {
        Ok(proof) => proof,
        Err(error) => return refused(error),
    };
    let text = serde_json::to_vec(&proof).unwrap();
    assert_eq!(ChunkProof::parse(&text), Ok(proof.clone()));
    match proof.verify(&known().anchor) {
        Ok(proved) => {
            let content = if proved.delivery {
                models::cells()
            } else {
                models::packs()
            };
            for chunk in &proved.chunks {
                let place = usize::try_from(chunk.index).unwrap();
                let piece = content.chunks(CHUNK_BYTES).nth(place).unwrap();
                assert_eq!(chunk.content, piece, "forged: chunk {}", chunk.index);
            }
            Seen::Held
        }
        Err(error) => {
            refused(error);
            Seen::Read
        }
    }
}

pub(super) fn seeds() -> Vec<Seed> {
    let models: &Models = &known().models;
    let proof = |of_cells, wanted: &[u64], used: bool| {
        let used = used.then_some(&models.uses[0]);
        serde_json::to_value(models.chunks(of_cells, wanted, used).unwrap()).unwrap()
    };
    let (delivery, plain) = (proof(true, &[5], true), proof(false, &[2], false));
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = plain.clone();
        change(&mut changed);
        changed.to_string()
    };
    let no = |name: &str, text: String| Seed::new(name, text, Seen::Refused);
    vec![
        Seed::new(
            "moved",
            with(&|p| p["chunks"][0]["index"] = 1.into()),
            Seen::Read,
        ),
        Seed::new(
            "longer",
            with(&|p| p["bytes"] = (1_u64 << 50).into()),
            Seen::Read,
        ),
        Seed::new("none", with(&|p| p["chunks"] = json!([])), Seen::Read),
        no("format", with(&|p| p["format"] = "jangbu-chunks/9".into())),
        no("extra", with(&|p| p["extra"] = 1.into())),
        Seed::new("delivery", delivery.to_string(), Seen::Held),
        Seed::new("plain", plain.to_string(), Seen::Held),
    ]
}
