//! Bundles: whatever is verified is so in the small ledger.

use jangbu_ledger::bundle::{self, Bundle, Claim, DocumentItem, Shown};
use jangbu_ledger::lineage::Direction;

use super::known::{known, vector};
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::world::models;
use crate::world::story::{BATCH, CELL, PRODUCT, UNKNOWN, identifier};

/// A bundle survives its file, and says of the small ledger only what is so.
pub(super) fn body(bytes: &[u8]) -> Seen {
    let bundle = match frugal(bytes.len(), Allowance::JSON, || Bundle::parse(bytes)) {
        Ok(bundle) => bundle,
        Err(error) => return refused(error),
    };
    let text = bundle.to_json().unwrap();
    assert_eq!(Bundle::parse(text.as_bytes()).unwrap(), bundle);
    let anchor = &known().anchor;
    let verified = frugal(bytes.len(), VERIFYING, || bundle::verify(&bundle, anchor));
    match verified {
        Ok(report) => {
            known().check(&report);
            Seen::Held
        }
        Err(failure) => {
            refused(failure);
            Seen::Read
        }
    }
}

/// Verifying copies what it derives, and looks at every part a few times.
const VERIFYING: Allowance = Allowance {
    per_byte: 64,
    base: 256 * 1024,
};

/// Every sort of claim in one bundle, and a document with it.
fn everything() -> Bundle {
    let story = &known().story;
    let mut builder = story.world.builder().unwrap();
    builder.recorded(&story.passport).unwrap();
    builder.subject(&identifier(BATCH).unwrap()).unwrap();
    builder.subject(&identifier(UNKNOWN).unwrap()).unwrap();
    builder.slot(story.sealed_by, story.used).unwrap();
    builder.slot(story.sealed_by, story.empty).unwrap();
    builder
        .composition(&identifier(PRODUCT).unwrap(), None)
        .unwrap();
    let mut bundle = builder.finish();
    let sequence = bundle
        .claims
        .iter()
        .find_map(|claim| match claim {
            Claim::Recorded { sequence, .. } => Some(*sequence),
            _ => None,
        })
        .unwrap();
    let places = [("public", "/name"), ("authority", "/cells/1")];
    let fields = story.opening.disclose(&[], &places).unwrap();
    bundle.documents.push(DocumentItem {
        sequence,
        shown: Shown::Fields(Box::new(fields)),
    });
    bundle
}

/// One claim alone, with the whole document.
fn opened() -> Bundle {
    let story = &known().story;
    let mut builder = story.world.builder().unwrap();
    builder.recorded(&story.passport).unwrap();
    let mut bundle = builder.finish();
    if let Some(Claim::Recorded { sequence, .. }) = bundle.claims.first() {
        bundle.documents.push(DocumentItem {
            sequence: *sequence,
            shown: Shown::Whole(Box::new(story.opening.clone())),
        });
    }
    bundle
}

pub(super) fn seeds() -> Vec<Seed> {
    let everything = everything().to_json().unwrap();
    let mut builder = known().story.world.builder().unwrap();
    builder.subject(&identifier(CELL).unwrap()).unwrap();
    let small = builder.finish().to_json().unwrap();
    let long = "x".repeat(5_000);
    let no = |name: &str, text: String| Seed::new(name, text, Seen::Refused);
    let lineage = |about: &str, direction| {
        let mut builder = known().models.world.builder().unwrap();
        let about = identifier(about).unwrap();
        builder.lineage(&about, direction, None).unwrap();
        builder.finish().to_json().unwrap()
    };
    let back = lineage(models::TUNED, Direction::Back);
    vec![
        Seed::new(
            "another-way",
            back.replacen("\"back\"", "\"forward\"", 1),
            Seen::Read,
        ),
        Seed::new("lineage-back", back, Seen::Held),
        Seed::new(
            "lineage-forward",
            lineage(models::CELLS, Direction::Forward),
            Seen::Held,
        ),
        Seed::new("vector", vector("proof.jangbu.json"), Seen::Held),
        Seed::new("opened", opened().to_json().unwrap(), Seen::Held),
        Seed::new(
            "another-claim",
            small.replacen("\"complete\"", "\"absent\"", 1),
            Seen::Read,
        ),
        no("another-format", small.replace("bundle/1", "bundle/2")),
        no(
            "a-field-more",
            small.replacen("\"seal\"", "\"extra\": 1, \"seal\"", 1),
        ),
        no(
            "a-long-field",
            small.replacen("\"seal\"", &format!("\"{long}\": 1, \"seal\""), 1),
        ),
        no(
            "a-long-claim",
            small.replacen("\"complete\"", &format!("\"{long}\""), 1),
        ),
        no("cut", small[..small.len() / 2].to_owned()),
        Seed::new("one-subject", small, Seen::Held),
        Seed::new("everything", everything, Seen::Held),
    ]
}
