//! Verdicts for people: what is not met first to see, what each rests on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jangbu_ledger::profile::{Judgement, Outcome, RequirementVerdict, Verdict};

use crate::view::rfc3339;

/// Longest title that is shown, in characters.
const TITLE_MAX: usize = 60;

/// All verdicts, a line each, and how many there are of each.
pub(crate) fn text(judgement: &Judgement) -> String {
    let outcome = match judgement.outcome {
        Outcome::Met => "MET",
        Outcome::NotMet => "NOT MET",
        Outcome::CannotTell => "CANNOT TELL",
    };
    let Judgement {
        profile,
        version,
        subject,
        at,
        ..
    } = judgement;
    let role = judgement
        .role
        .as_ref()
        .map(|role| format!(", as {role} sees it"));
    let mut text = format!(
        "{outcome}: {subject} by {profile} {version}{}\n  as of block {}, {}\n",
        role.unwrap_or_default(),
        at.height,
        rfc3339(at.time_ms)
    );
    if let Some(passport) = judgement.passport {
        let life = passport
            .life
            .warning()
            .unwrap_or_else(|| passport.life.name());
        let _ = writeln!(text, "  passport version {}, {life}", passport.version);
    }
    let _ = match &judgement.published {
        Some(published) => writeln!(
            text,
            "  profile published by {} in entry {}, {}",
            published.member_name,
            published.sequence,
            rfc3339(published.time_ms)
        ),
        None => writeln!(text, "  profile not published on this ledger"),
    };
    if !judgement.later_versions.is_empty() {
        let later = judgement.later_versions.join(", ");
        let _ = writeln!(
            text,
            "  LATER VERSIONS of the profile are published: {later}"
        );
    }
    text.push('\n');
    for row in &judgement.verdicts {
        line(&mut text, row);
    }
    let mut counts: BTreeMap<Option<Verdict>, usize> = BTreeMap::new();
    for row in &judgement.verdicts {
        *counts.entry(row.verdict).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(verdict, count)| format!("{count} {}", name(*verdict)))
        .collect();
    let _ = writeln!(text, "\n{}", counts.join(" · "));
    text
}

const fn name(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(verdict) => verdict.name(),
        None => "not shown",
    }
}

fn line(text: &mut String, row: &RequirementVerdict) {
    let mark = match row.verdict {
        Some(Verdict::Met) => "✓",
        Some(Verdict::PendingLaw) => "–",
        Some(_) => "✗",
        None => "?",
    };
    let mut title: String = row.title.chars().take(TITLE_MAX).collect();
    if title.len() < row.title.len() {
        title.push('…');
    }
    let _ = write!(
        text,
        "{mark} {:<8} {:<22} {title}",
        row.id,
        name(row.verdict)
    );
    for shown in &row.proof {
        let _ = write!(text, "  [entry {}", shown.sequence);
        if let Some(pointer) = &shown.pointer {
            let _ = write!(text, " {pointer}");
        }
        text.push(']');
    }
    if let Some(reason) = &row.reason {
        let _ = write!(text, "  ({reason})");
    }
    text.push('\n');
}
