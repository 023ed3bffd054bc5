//! What became of each statement, told in the order in which they were drafted.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use jangbu_ledger::block::Entry;
use jangbu_ledger::id::{EnvelopeId, Height, Sequence, StatementId};
use serde::Serialize;

use crate::error::CliError;
use crate::output::Output;

/// How many refused statements an error names.
const NAMED_MAX: usize = 5;

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Recorded, and its receipt verified.
    Final,
    /// A node has it; nobody waited for the end.
    Pending,
    /// It broke a rule.
    Refused,
    /// Signed, and not sent.
    Signed,
}

/// What became of one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What it is to people.
    pub label: String,
    /// The statement.
    pub statement_id: StatementId,
    /// Where it stands.
    pub status: Status,
    /// Whether it had been recorded before.
    pub duplicate: bool,
    /// Its place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Its block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// The rule it broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What that rule means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where its receipt is kept.
    #[serde(rename = "receipt", skip_serializing_if = "Option::is_none")]
    pub receipt_path: Option<PathBuf>,
}

impl Outcome {
    /// Prints it: as a report if all is well, as what must be seen if it is not.
    pub(crate) fn print(&self, output: &Output) {
        match self.status {
            Status::Final | Status::Signed => output.report(self, || self.to_string()),
            Status::Pending | Status::Refused => output.line(self, || self.to_string()),
        }
    }

    /// An outcome of which only the status is known.
    pub(super) const fn bare(statement_id: StatementId, status: Status) -> Self {
        Self {
            label: String::new(),
            statement_id,
            status,
            duplicate: false,
            sequence: None,
            height: None,
            rule: None,
            message: None,
            receipt_path: None,
        }
    }

    /// Recorded as this entry, with a verified receipt at `path`.
    pub(super) fn recorded(id: StatementId, entry: &Entry, path: PathBuf, duplicate: bool) -> Self {
        let mut outcome = Self::bare(id, Status::Final);
        outcome.duplicate = duplicate;
        outcome.sequence = Some(entry.sequence);
        outcome.height = Some(entry.height);
        outcome.receipt_path = Some(shown(&path));
        outcome
    }
}

/// Two lines for people: what became of what, and where it stands.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.status {
            Status::Final if self.duplicate => "recorded before",
            Status::Final => "recorded",
            Status::Pending => "on its way",
            Status::Refused => "refused",
            Status::Signed => "signed",
        };
        write!(
            f,
            "{word:<15}  {}\n{:<15}  {}",
            self.label, "", self.statement_id
        )?;
        if let (Some(sequence), Some(height)) = (self.sequence, self.height) {
            write!(f, ", entry {sequence} in block {height}")?;
        }
        if let Some(rule) = &self.rule {
            let message = self.message.as_deref().unwrap_or_default();
            write!(f, "\n{:<15}  {rule}: {message}", "")?;
        }
        Ok(())
    }
}

/// How many statements came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All drafts.
    pub total: usize,
    /// Recorded, those recorded before included.
    pub recorded: usize,
    /// Recorded before.
    pub duplicates: usize,
    /// On their way or only signed.
    pub pending: usize,
    /// The envelopes they went in.
    pub envelopes: Vec<EnvelopeId>,
}

/// Gathers outcomes and tells them in the order of the drafts.
#[derive(Debug)]
pub(super) struct Report {
    drafts: Vec<(StatementId, String)>,
    outcomes: BTreeMap<StatementId, Option<Outcome>>,
    told: usize,
    seen: BTreeMap<StatementId, usize>,
}

impl Report {
    pub(super) fn new(drafts: impl Iterator<Item = (StatementId, String)>) -> Self {
        let drafts: Vec<(StatementId, String)> = drafts.collect();
        let outcomes = drafts.iter().map(|(id, _)| (*id, None)).collect();
        let mut seen = BTreeMap::new();
        for (at, (id, _)) in drafts.iter().enumerate() {
            seen.entry(*id).or_insert(at);
        }
        Self {
            drafts,
            outcomes,
            told: 0,
            seen,
        }
    }

    /// Adds an outcome, unless it is of a statement that nobody drafted.
    pub(super) fn add(&mut self, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(&outcome.statement_id) {
            slot.get_or_insert(outcome);
        }
    }

    pub(super) fn recorded_before(&mut self, id: &StatementId, entry: &Entry, path: PathBuf) {
        self.add(Outcome::recorded(*id, entry, path, true));
    }

    pub(super) fn all_signed(&mut self) {
        for (id, outcome) in &mut self.outcomes {
            outcome.get_or_insert(Outcome::bare(*id, Status::Signed));
        }
    }

    pub(super) fn lacks(&self, id: &StatementId) -> bool {
        matches!(self.outcomes.get(id), Some(None))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.outcomes.values().all(Option::is_some)
    }

    /// Tells what is known up to the first draft that is not.
    pub(super) fn tell(&mut self, each: &mut dyn FnMut(&Outcome)) {
        while let Some(outcome) = self.outcome_of(self.told) {
            each(&outcome);
            self.told += 1;
        }
    }

    /// Tells all that is known.
    pub(super) fn tell_all(&mut self, each: &mut dyn FnMut(&Outcome)) {
        for at in self.told..self.drafts.len() {
            if let Some(outcome) = self.outcome_of(at) {
                each(&outcome);
            }
        }
        self.told = self.drafts.len();
    }

    fn outcome_of(&self, at: usize) -> Option<Outcome> {
        let (id, label) = self.drafts.get(at)?;
        let known = self.outcomes.get(id)?.as_ref()?;
        // The same statement twice in one run: the second one is the duplicate of the first.
        let repeats = self.seen.get(id).is_some_and(|first| *first != at);
        Some(Outcome {
            label: label.clone(),
            duplicate: known.duplicate || (repeats && known.status == Status::Final),
            ..known.clone()
        })
    }

    fn all(&self) -> impl Iterator<Item = Outcome> {
        (0..self.drafts.len()).filter_map(|at| self.outcome_of(at))
    }

    /// Refused statements are an error.
    pub(super) fn check(&self) -> Result<(), CliError> {
        let refused: Vec<Outcome> = self
            .all()
            .filter(|outcome| outcome.status == Status::Refused)
            .collect();
        let Some(first) = refused.first() else {
            return Ok(());
        };
        let said = |outcome: &Outcome| {
            format!(
                "{}: {} ({})",
                outcome.label,
                outcome.message.as_deref().unwrap_or("refused"),
                outcome.rule.as_deref().unwrap_or("no rule named")
            )
        };
        let error = match refused.as_slice() {
            [only] if self.drafts.len() == 1 => {
                CliError::refused(format!("refused: {}", said(only)))
            }
            _ => {
                let named: Vec<String> = refused.iter().take(NAMED_MAX).map(said).collect();
                let more = refused.len().saturating_sub(NAMED_MAX);
                let tail = if more > 0 {
                    format!("; and {more} more")
                } else {
                    String::new()
                };
                CliError::refused(format!(
                    "{} of {} statements were refused: {}{tail}",
                    refused.len(),
                    self.drafts.len(),
                    named.join("; ")
                ))
            }
        };
        Err(error.about(first.statement_id))
    }

    /// An error that ended the run early says how far it came.
    pub(super) fn with_progress(&self, error: CliError) -> CliError {
        let recorded = self.all().filter(|o| o.status == Status::Final).count();
        if recorded == 0 {
            return error;
        }
        let progress = format!(
            "{recorded} of {} statements are recorded; run the same command again for the rest",
            self.drafts.len()
        );
        match error.hint.clone() {
            Some(hint) => error.hint(format!("{hint}; {progress}")),
            None => error.hint(progress),
        }
    }

    pub(super) fn summary(&self, envelopes: Vec<EnvelopeId>) -> Summary {
        let mut summary = Summary {
            total: self.drafts.len(),
            envelopes,
            ..Summary::default()
        };
        for outcome in self.all() {
            match outcome.status {
                Status::Final => {
                    summary.recorded += 1;
                    summary.duplicates += usize::from(outcome.duplicate);
                }
                Status::Pending | Status::Signed => summary.pending += 1,
                Status::Refused => {}
            }
        }
        summary
    }
}

/// A path as a person would type it here.
pub(super) fn shown(path: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
        .to_owned()
}
