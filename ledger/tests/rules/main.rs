//! The rules of every kind, on a ledger in memory: who may say what, when, and what comes of it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod composition;
mod endorsement;
mod ground;
mod handover;
mod notice;
mod passport_life;
mod sequences;

#[test]
fn every_rule_stands_in_the_documentation_with_its_explanation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
    let text = std::fs::read_to_string(path).unwrap();
    for rule in jangbu_ledger::rules::Rule::ALL {
        let row = format!("| `{}` | {} |", rule.id(), rule.explanation());
        assert!(text.contains(&row), "docs/rules.md lacks: {row}");
    }
}
