//! A lineage for people.

use std::fmt::Write as _;

use jangbu_ledger::lineage::{Agreement, Direction, Lineage, Source, Standing, Terms, Use};
use jangbu_ledger::share::{Covered, Part, UseCode};

use crate::client::printable;
use crate::view::rfc3339;

pub(super) fn draw(lineage: &Lineage) -> String {
    let mut text = match lineage.direction {
        Direction::Back => format!("{}\n", lineage.root),
        Direction::Forward => made(lineage),
    };
    for used in &lineage.uses {
        write_use(&mut text, used);
    }
    if lineage.direction == Direction::Back {
        text.push_str(&totals(lineage));
    }
    if lineage.truncated {
        text.push_str("There is more: the depth or a bound left it out.\n");
    }
    text
}

/// What was made, what to make again first.
fn made(lineage: &Lineage) -> String {
    let mut text = String::new();
    let with = |standing| {
        lineage
            .made
            .iter()
            .filter(move |made| made.standing == standing)
    };
    let _ = writeln!(
        text,
        "made from {}: {}, of which to make again {}, not known {}",
        lineage.root,
        lineage.made.len(),
        with(Standing::Retrain).count(),
        with(Standing::Unknown).count()
    );
    for (standing, mark) in [
        (Standing::Retrain, "RETRAIN"),
        (Standing::Unknown, "unknown"),
        (Standing::Stands, "stands "),
    ] {
        for made in with(standing) {
            let _ = writeln!(text, "  {mark}  {}", made.identifier);
            for reason in &made.because {
                let _ = writeln!(text, "           {}", printable(reason));
            }
        }
    }
    text
}

fn write_use(text: &mut String, used: &Use) {
    let made: Vec<&str> = used.outputs.iter().map(|o| o.made.as_str()).collect();
    let made = if made.is_empty() {
        "nothing that is named".to_owned()
    } else {
        made.join(", ")
    };
    let sealed = if used.sealed {
        ", known to the parties of a sealed share only"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "\n{} by {} made {made}\n  block {}, {}, statement {}{sealed}",
        used.activity,
        printable(&used.by),
        used.height,
        rfc3339(used.time_ms),
        used.statement_id
    );
    for (what, digest) in [("code", used.code), ("environment", used.environment)] {
        if let Some(digest) = digest {
            let _ = writeln!(text, "  {what} {digest}");
        }
    }
    for source in &used.sources {
        write_source(text, source);
    }
}

fn write_source(text: &mut String, source: &Source) {
    let part = source.part.as_ref().map_or_else(String::new, part);
    let agreement = source
        .agreement
        .as_ref()
        .map_or_else(|| "no agreement".to_owned(), agreement);
    let then = match source.then {
        Covered::Permitted | Covered::Unknown => source.then.words().to_owned(),
        _ => format!("NOT COVERED, {}", source.then.words()),
    };
    let _ = write!(text, "  from {}{part}\n    {agreement}\n", source.data);
    if let Some(terms) = &source.terms {
        let _ = writeln!(text, "    {}", said(terms));
    }
    let _ = write!(text, "    then: {then}");
    if let Some(Agreement {
        known: Some(known), ..
    }) = &source.agreement
    {
        let now = match (known.in_force, known.ended_at) {
            (true, _) => "in force".to_owned(),
            (false, Some(height)) => format!("ENDED in block {height}"),
            (false, None) => "not final".to_owned(),
        };
        let _ = write!(text, "; now: {now}");
    }
    text.push('\n');
}

/// Which chunks; the root stands in the JSON.
fn part(part: &Part) -> String {
    let text = part.to_string();
    let chunks = text.split(" of ").next().unwrap_or_default();
    format!(" ({chunks})")
}

fn agreement(agreement: &Agreement) -> String {
    match &agreement.known {
        None => format!("under {}", agreement.identifier),
        Some(known) => {
            let sealed = if known.sealed { ", sealed" } else { "" };
            printable(&format!(
                "under {} with {}{sealed}",
                known.name, known.provider
            ))
        }
    }
}

/// What the contract permitted then, and who said so.
fn said(terms: &Terms) -> String {
    let codes: Vec<&str> = terms.permits.iter().map(UseCode::as_str).collect();
    let permits = if codes.is_empty() {
        "its document alone says what it permits".to_owned()
    } else {
        format!("it permits {}", codes.join(", "))
    };
    printable(&format!(
        "{permits}: agreed by {} in block {}, statement {}",
        terms.by, terms.height, terms.statement_id
    ))
}

fn totals(lineage: &Lineage) -> String {
    let sources = || lineage.uses.iter().flat_map(|used| &used.sources);
    let permitted = sources().filter(|source| source.permitted).count();
    let ended = sources()
        .filter_map(|source| source.agreement.as_ref()?.known.as_ref())
        .filter(|known| known.ended_at.is_some())
        .count();
    format!(
        "\nsources {}, permitted when used {permitted}, not covered {}, agreement ended {ended}\n\
         This is what was recorded; a use that nobody recorded is not here.\n",
        sources().count(),
        sources().count() - permitted,
    )
}
