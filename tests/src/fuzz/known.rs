//! What is true in the small worlds that inputs are held against: whatever verifies beside it is
//! forged.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jangbu_ledger::bundle::{self, Anchor, Builder, Report};
use jangbu_ledger::id::{Sequence, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::Direction as LineageWay;
use serde_json::Value;

use crate::world::World;
use crate::world::models::{self, Models};
use crate::world::story::{BATCH, CELL, PART, PRODUCT, Story, UNKNOWN, identifier};

/// The small ledger, and what its verifier trusts.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) story: Story,
    /// Another ledger of the same founders.
    pub(super) models: Models,
    pub(super) anchor: Anchor,
    /// Everything its bundles and receipts can say, line by line.
    says: BTreeSet<String>,
}

/// The small ledger; told once.
pub(super) fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let story = Story::tell().unwrap();
        let anchor = story.world.anchor.verifier();
        let mut says = BTreeSet::new();
        let models = Models::tell().unwrap();
        let all = reports(&story, &anchor);
        for report in all.iter().chain(&lineages(&models, &anchor)) {
            says.extend(lines(report));
        }
        Known {
            story,
            models,
            anchor,
            says,
        }
    })
}

/// What an honest node of the small ledger can prove.
fn reports(story: &Story, anchor: &Anchor) -> Vec<Report> {
    let mut reports = Vec::new();
    let id = |text: &str| identifier(text).unwrap();
    for text in [PRODUCT, BATCH, PART, CELL, UNKNOWN] {
        for depth in [None, Some(0), Some(1), Some(2), Some(3)] {
            let mut builder = story.world.builder().unwrap();
            builder.composition(&id(text), depth).unwrap();
            reports.push(bundle::verify(&builder.finish(), anchor).unwrap());
        }
        let mut builder = story.world.builder().unwrap();
        builder.subject(&id(text)).unwrap();
        reports.push(bundle::verify(&builder.finish(), anchor).unwrap());
    }
    for slot in [story.used, story.empty] {
        let mut builder = story.world.builder().unwrap();
        builder.slot(story.sealed_by, slot).unwrap();
        reports.push(bundle::verify(&builder.finish(), anchor).unwrap());
    }
    let ids: Vec<_> = reports
        .iter()
        .flat_map(|report| report.statements.iter().map(|shown| shown.statement_id))
        .collect();
    for id in ids {
        let mut builder = story.world.builder().unwrap();
        builder.recorded(&id).unwrap();
        reports.push(bundle::verify(&builder.finish(), anchor).unwrap());
        let receipt = story.world.receipt(&id).unwrap();
        reports.push(bundle::verify_receipt(&receipt, anchor).unwrap());
    }
    reports
}

/// What an honest node of the other ledger can prove of uses.
fn lineages(models: &Models, anchor: &Anchor) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut prove = |build: &dyn Fn(&mut Builder<'_, World>)| {
        let mut builder = models.world.builder().unwrap();
        build(&mut builder);
        reports.push(bundle::verify(&builder.finish(), anchor).unwrap());
    };
    let things = [
        models::CELLS,
        models::PACKS,
        models::LOOSE,
        models::MODEL,
        models::TUNED,
        models::CELLS_AGREEMENT,
        models::PACKS_AGREEMENT,
        models::HIDDEN_AGREEMENT,
    ];
    for thing in things.map(|text| identifier(text).unwrap()) {
        prove(&|builder| builder.subject(&thing).unwrap());
        for direction in [LineageWay::Back, LineageWay::Forward] {
            for depth in [None, Some(0), Some(1), Some(2), Some(3)] {
                prove(&|builder| builder.lineage(&thing, direction, depth).unwrap());
            }
        }
    }
    let statements: BTreeSet<StatementId> = reports
        .iter()
        .flat_map(|report| report.statements.iter().map(|said| said.statement_id))
        .collect();
    for id in statements {
        let mut builder = models.world.builder().unwrap();
        builder.recorded(&id).unwrap();
        reports.push(bundle::verify(&builder.finish(), anchor).unwrap());
    }
    reports
}

/// What a report says, apart from documents, line by line.
fn lines(report: &Report) -> Vec<String> {
    let text = |value: Result<String, serde_json::Error>| value.unwrap();
    let findings = report.findings.iter().map(serde_json::to_string);
    let statements = report.statements.iter().map(serde_json::to_string);
    findings.chain(statements).map(text).collect()
}

impl Known {
    /// Holds a report that was derived from bytes of unknown origin against what is so.
    ///
    /// # Panics
    ///
    /// If it says anything else.
    pub(super) fn check(&self, report: &Report) {
        let checkpoint = &report.checkpoint;
        let worlds = [&self.story.world, &self.models.world];
        let mut ends = worlds.map(|world| world.checkpoint().unwrap()).into_iter();
        let last = ends
            .find(|last| last.checkpoint().size == checkpoint.size)
            .unwrap();
        let last = last.checkpoint();
        assert_eq!(
            (checkpoint.root, checkpoint.origin.as_str()),
            (last.root, last.origin.as_str()),
        );
        assert!(checkpoint.cosigners.len() >= self.anchor.quorum);
        for line in lines(report) {
            assert!(
                self.says.contains(&line) || self.is_absence(&line),
                "forged: {line}"
            );
        }
        for shown in &report.statements {
            assert!(shown.sequence < Sequence(last.size));
        }
        for document in &report.documents {
            assert_eq!(document.subject, self.story.opening.subject);
            assert_eq!(document.version, self.story.opening.version);
            assert_eq!(document.schema, self.story.opening.schema);
            assert!(!document.sections.is_empty() || !document.fields.is_empty());
            for (name, section) in &document.sections {
                assert!(self.is_true_field(name, "", section));
            }
            for field in &document.fields {
                assert!(self.is_true_field(&field.section, &field.pointer, &field.value));
            }
        }
    }

    /// Whether it is the absence of something that is absent indeed.
    fn is_absence(&self, line: &str) -> bool {
        let Ok(Value::Object(finding)) = serde_json::from_str(line) else {
            return false;
        };
        let text = |name: &str| finding.get(name).and_then(Value::as_str);
        match text("claim") {
            Some("absent") => text("identifier")
                .and_then(|text| Identifier::parse(text).ok())
                .is_some_and(|about| {
                    let agreements = [models::CELLS_AGREEMENT, models::PACKS_AGREEMENT];
                    [PRODUCT, BATCH, PART, CELL]
                        .iter()
                        .chain(&agreements)
                        .all(|t| *t != about.as_str())
                }),
            Some("slot_empty") => text("slot") != Some(&self.story.used.to_string()),
            _ => false,
        }
    }

    /// Whether the one document of the small ledger says so.
    pub(super) fn is_true_field(&self, section: &str, pointer: &str, value: &Value) -> bool {
        let section = self.story.opening.sections.get(section);
        section.and_then(|section| section.pointer(pointer)) == Some(value)
    }
}

/// A file of `tests/vectors`.
pub(super) fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of `tests/vectors`, as JSON.
pub(super) fn vector_json(name: &str) -> Value {
    serde_json::from_slice(&vector(name)).unwrap()
}

/// A file of `tests/data`.
pub(super) fn data(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Bytes that a vector writes in hexadecimal.
pub(super) fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use jangbu_ledger::bundle::Finding;

    use super::*;

    #[test]
    #[should_panic(expected = "forged")]
    fn a_report_that_says_anything_else_is_found_out() {
        let mut builder = known().story.world.builder().unwrap();
        builder.subject(&identifier(PRODUCT).unwrap()).unwrap();
        let mut report = bundle::verify(&builder.finish(), &known().anchor).unwrap();
        known().check(&report);
        if let Some(Finding::Complete(subject)) = report.findings.first_mut() {
            subject.open += 1;
        }
        known().check(&report);
    }
}
