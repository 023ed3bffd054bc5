//! The rules of every kind, on a ledger in memory: who may say what, when, and what comes of it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod composition;
mod container;
mod endorsement;
mod ground;
mod handover;
mod notice;
mod passport_life;
mod profile;
mod self_proving;
mod sequences;
mod share_life;
mod transformation;
mod unopened;

use jangbu_ledger::share::table;

#[test]
fn every_rule_stands_in_the_documentation_with_its_explanation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
    let text = std::fs::read_to_string(path).unwrap();
    for rule in jangbu_ledger::rules::Rule::ALL {
        let row = format!("| `{}` | {} |", rule.id(), rule.explanation());
        assert!(text.contains(&row), "docs/rules.md lacks: {row}");
    }
}

/// A machine of the data share as the documentation shows it: one line per state and sender.
fn machine<S: Copy + PartialEq + std::fmt::Debug>(rows: &[table::Row<S>]) -> String {
    let words = |name: String| {
        let mut text = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !text.is_empty() {
                text.push(' ');
            }
            text.extend(letter.to_lowercase());
        }
        text
    };
    let mut text = String::from("| from | who | step: to |\n|---|---|---|\n");
    for (at, (from, by, ..)) in rows.iter().enumerate() {
        let same = |row: &&table::Row<S>| (row.0, row.1) == (*from, *by);
        if rows[..at].iter().any(|row| same(&row)) {
            continue;
        }
        let steps: Vec<String> = rows
            .iter()
            .filter(same)
            .map(|(_, _, step, to)| {
                format!(
                    "{}: {}",
                    step.name().replace('_', " "),
                    words(format!("{to:?}"))
                )
            })
            .collect();
        let from = words(format!("{from:?}"));
        text.push_str(&format!(
            "| {from} | {} | {} |\n",
            by.name(),
            steps.join(" · ")
        ));
    }
    text
}

#[test]
fn the_tables_of_the_data_share_stand_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut phases = String::from("| step | while the contract is |\n|---|---|\n");
    for (step, when) in table::PHASES {
        let when: Vec<&str> = when.iter().map(|phase| phase_name(*phase)).collect();
        let step = step.name().replace('_', " ");
        phases.push_str(&format!("| {step} | {} |\n", when.join(", ")));
    }
    for shown in [
        machine(table::CONTRACT),
        machine(table::TRANSFER),
        machine(table::DELIVERY),
        machine(table::HOLDING),
        machine(table::DISPUTE),
        phases,
    ] {
        assert!(text.contains(&shown), "docs/rules.md lacks:\n{shown}");
    }
}

const fn phase_name(phase: table::Phase) -> &'static str {
    match phase {
        table::Phase::Nothing => "not begun",
        table::Phase::Negotiating => "negotiated",
        table::Phase::InForce => "in force",
        table::Phase::Closing => "retired",
        table::Phase::Over => "terminated",
    }
}
