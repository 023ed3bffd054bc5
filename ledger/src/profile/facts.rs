//! What a verified report shows about a thing at a moment: its passports and their documents.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{Profile, REST};
use crate::bundle::{Finding, OpenedDocument, Report, StatementReport};
use crate::id::{Height, Sequence, StatementId, TimeMs};
use crate::identifier::Identifier;
use crate::json;
use crate::passport::Life;
use crate::share::Step;
use crate::statement::{Granularity, Kind, Stream};

/// Most passports from an item up to its model.
const LEVELS_MAX: usize = 3;

/// A moment of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Instant {
    /// The last block that counts.
    pub height: Height,
    /// Its time.
    pub time_ms: TimeMs,
}

/// A step of a data share that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareStep {
    /// The step.
    pub step: Step,
    /// The statement.
    pub statement: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// Its block.
    pub height: Height,
    /// Its block's time.
    pub time_ms: TimeMs,
}

/// A passport as it stood.
pub(super) struct Passport<'r> {
    pub(super) subject: Identifier,
    pub(super) granularity: Granularity,
    pub(super) life: Life,
    /// The statements that issued its versions, the current one last.
    pub(super) versions: Vec<&'r StatementReport>,
}

/// A thing, and what it is an item or a batch of.
pub(super) struct Facts<'r> {
    pub(super) report: &'r Report,
    pub(super) at: Instant,
    /// From the thing itself up to its model.
    pub(super) passports: Vec<Passport<'r>>,
}

/// What is seen of a document: where filled members are, and what is not shown.
pub(super) struct Seen {
    /// Section and pointer of the first filled member of each name.
    filled: BTreeMap<String, (String, String)>,
    /// Requirements that the document says do not apply, each with the reason.
    pub(super) not_applicable: BTreeMap<String, String>,
    /// Sections that count and are not shown whole.
    pub(super) hidden: Vec<String>,
}

/// The member by which a document says which requirements do not apply.
const NOT_APPLICABLE: &str = "jangbu:notApplicable";

impl<'r> Facts<'r> {
    /// Gathers them from the report.
    ///
    /// # Errors
    ///
    /// In words, what the report would have to show and does not.
    pub(super) fn gather(
        report: &'r Report,
        subject: &Identifier,
        at: Instant,
    ) -> Result<Self, String> {
        let mut facts = Self {
            report,
            at,
            passports: Vec::new(),
        };
        let mut next = Some(subject.clone());
        while let Some(subject) = next.take().filter(|_| facts.passports.len() < LEVELS_MAX) {
            facts.require_all_of(&subject)?;
            next = facts
                .said_by_owner(&subject)
                .find_map(|shown| match &shown.statement.kind {
                    Kind::GranularityLinked { part_of } => Some(part_of.clone()),
                    _ => None,
                });
            facts.passports.extend(facts.passport(subject));
        }
        Ok(facts)
    }

    fn require_all_of(&self, subject: &Identifier) -> Result<(), String> {
        let shown = self.report.findings.iter().any(|finding| match finding {
            Finding::Complete(shown) => shown.identifier == *subject,
            Finding::Absent { identifier } => identifier == subject,
            _ => false,
        });
        if shown {
            Ok(())
        } else {
            Err(format!("all statements about {subject}"))
        }
    }

    /// The statements in a stream up to the moment, in order.
    pub(super) fn said(&self, stream: Stream) -> impl Iterator<Item = &'r StatementReport> {
        let last = self.at.height;
        let within = move |shown: &&StatementReport| {
            shown.height <= last && shown.statement.streams.contains(&stream)
        };
        self.report.statements.iter().filter(within)
    }

    pub(super) fn said_by_owner(
        &self,
        subject: &Identifier,
    ) -> impl Iterator<Item = &'r StatementReport> {
        self.said(Stream::Open(subject.clone()))
    }

    pub(super) fn said_by_others(
        &self,
        subject: &Identifier,
    ) -> impl Iterator<Item = &'r StatementReport> {
        self.said(Stream::Claims(subject.clone()))
    }

    fn passport(&self, subject: Identifier) -> Option<Passport<'r>> {
        let mut found = None;
        let mut versions = Vec::new();
        for shown in self.said_by_owner(&subject) {
            match shown.statement.kind {
                Kind::PassportIssued { granularity, .. } => {
                    found = Some(granularity);
                    versions.push(shown);
                }
                Kind::PassportSuperseded { .. } => versions.push(shown),
                _ => {}
            }
        }
        let mut life = (Sequence(0), Life::Active);
        let everyone = self
            .said_by_owner(&subject)
            .chain(self.said_by_others(&subject));
        for shown in everyone {
            let after = match shown.statement.kind {
                Kind::PassportSuspended => Life::Suspended,
                Kind::PassportReinstated => Life::Active,
                Kind::PassportRevoked { .. } => Life::Revoked,
                Kind::PassportEnded { .. } => Life::Ended,
                _ => continue,
            };
            if shown.sequence >= life.0 {
                life = (shown.sequence, after);
            }
        }
        Some(Passport {
            granularity: found?,
            life: life.1,
            versions,
            subject,
        })
    }
}

impl Seen {
    /// Looks at what is shown of a document, in the sections that count for a role; in all that
    /// the profile lists if there is none.
    pub(super) fn of(document: &OpenedDocument, profile: &Profile, role: Option<&str>) -> Self {
        let names = document.sections.keys().chain(&document.hidden);
        let counts = profile.counting(names.map(String::as_str), role);
        let mut seen = Self {
            filled: BTreeMap::new(),
            not_applicable: BTreeMap::new(),
            hidden: Vec::new(),
        };
        for (section, value) in &document.sections {
            if counts.contains(section.as_str()) {
                seen.look(section, value);
            }
        }
        for field in &document.fields {
            if counts.contains(field.section.as_str()) && is_filled(&field.value) {
                let mut pointer = String::new();
                for step in field.pointer.split('/').skip(1) {
                    pointer = format!("{pointer}/{step}");
                    let name = step.replace("~1", "/").replace("~0", "~");
                    seen.note(&name, &field.section, &pointer);
                }
            }
        }
        let hidden = document.hidden.iter();
        seen.hidden = hidden
            .filter(|name| counts.contains(name.as_str()))
            .cloned()
            .collect();
        seen
    }

    /// Section and pointer of a filled member of this name.
    pub(super) fn filled(&self, name: &str) -> Option<&(String, String)> {
        self.filled.get(name)
    }

    fn look(&mut self, section: &str, value: &Value) {
        if let Some(list) = value.get(NOT_APPLICABLE).and_then(Value::as_object) {
            let said = list.iter().filter_map(|(id, reason)| {
                let reason = reason.as_str().filter(|reason| !reason.is_empty())?;
                Some((id.clone(), reason.to_owned()))
            });
            self.not_applicable.extend(said);
        }
        let mut open = vec![(String::new(), value)];
        while let Some((pointer, value)) = open.pop() {
            for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                open.push((format!("{pointer}/{index}"), value));
            }
            for (name, value) in value.as_object().into_iter().flatten() {
                let at = format!("{pointer}/{}", json::escape_pointer(name));
                if is_filled(value) {
                    self.note(name, section, &at);
                }
                open.push((at, value));
            }
        }
    }

    /// Remembers a place, of several the shortest.
    fn note(&mut self, name: &str, section: &str, pointer: &str) {
        let place = (section.to_owned(), pointer.to_owned());
        let rank = |(section, pointer): &(String, String)| {
            (
                pointer.matches('/').count(),
                pointer.clone(),
                section.clone(),
            )
        };
        match self.filled.get_mut(name) {
            Some(known) if rank(known) > rank(&place) => *known = place,
            Some(_) => {}
            None => {
                self.filled.insert(name.to_owned(), place);
            }
        }
    }
}

impl Profile {
    /// Which of a document's sections count for a role; all but [`REST`] if there is none. A
    /// document that was divided otherwise than by the profile counts whole.
    pub fn counting<'d>(
        &self,
        names: impl Iterator<Item = &'d str>,
        role: Option<&str>,
    ) -> BTreeSet<&'d str> {
        let mut names: BTreeSet<&str> = names.collect();
        let access = self.access.as_ref();
        let listed: BTreeSet<&str> = access.iter().flat_map(|access| access.names()).collect();
        if names.contains(REST) || !names.is_disjoint(&listed) {
            match role.map(|role| self.sections_of(role)) {
                Some(seen) => names.retain(|name| seen.is_some_and(|seen| seen.contains(*name))),
                None => {
                    names.remove(REST);
                }
            }
        }
        names
    }
}

/// Whether anything is said: `null`, "", and what holds nothing else is not.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => list.iter().any(is_filled),
        Value::Object(map) => map.values().any(is_filled),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
