//! A small ledger with passports of amperia's, and what it shows of them.

use std::collections::BTreeMap;

use jangbu_ledger::bundle::{self, Bundle, DocumentItem, Report, Shown};
use jangbu_ledger::commitment::{Opening, WHOLE};
use jangbu_ledger::id::{Height, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::profile::{
    Asked, Instant, JudgeError, Judgement, Profile, RequirementVerdict, Verdict,
};
use jangbu_ledger::statement::{Granularity, Kind, Stream};
use jangbu_tests::world::World;
use jangbu_tests::world::passports::{AMPERIA, example, opening};
use jangbu_tests::world::story::{identifier, statement};
use serde_json::Value;

use super::eu_battery::path;

/// An item of amperia's.
pub(crate) const ITEM: &str = "https://id.gs1.org/01/09521234002000/21/X1";

pub(crate) struct Bench {
    pub(crate) world: World,
    /// What opens each statement.
    pub(crate) openings: Vec<(StatementId, Opening)>,
}

pub(crate) fn profile(category: &str, version: &str) -> Profile {
    Profile::parse(&std::fs::read(path(category, version)).unwrap()).unwrap()
}

pub(crate) fn id(text: &str) -> Identifier {
    identifier(text).unwrap()
}

/// A document that nobody divided.
pub(crate) fn whole(document: Value) -> BTreeMap<String, Value> {
    BTreeMap::from([(WHOLE.to_owned(), document)])
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            world: World::found().unwrap(),
            openings: Vec::new(),
        }
    }

    /// One item with this passport.
    pub(crate) fn with_item(document: Value) -> Self {
        let mut bench = Self::new();
        bench.issue(ITEM, 1, Granularity::Item, whole(document));
        bench
    }

    /// Item, batch and model of the test data, in the sections of a profile if there is one.
    pub(crate) fn amperia(divided_by: Option<&Profile>) -> Self {
        let mut bench = Self::new();
        for (name, subject, granularity) in AMPERIA {
            let document = example(&format!("amperia-staxwall-{name}.jsonld")).unwrap();
            let sections = match divided_by {
                Some(profile) => profile.divide(&document).unwrap(),
                None => whole(document),
            };
            bench.issue(subject, 1, granularity, sections);
        }
        let [model, batch, item] = AMPERIA.map(|(_, subject, _)| subject);
        bench.world.part_of(item, batch).unwrap();
        bench.world.part_of(batch, model).unwrap();
        bench
    }

    pub(crate) fn issue(
        &mut self,
        subject: &str,
        version: u32,
        granularity: Granularity,
        sections: BTreeMap<String, Value>,
    ) -> StatementId {
        let opening = opening(subject, version, sections).unwrap();
        let id = self.world.issue(&opening, granularity).unwrap();
        self.openings.push((id, opening));
        id
    }

    pub(crate) fn say(&mut self, member: &str, kind: Kind, stream: Stream) -> StatementId {
        let said = self
            .world
            .say(member, vec![statement(kind, vec![stream], 0)]);
        said.unwrap()[0]
    }

    /// All about these subjects.
    pub(crate) fn bundle(&self, subjects: &[&str]) -> Bundle {
        let mut builder = self.world.builder().unwrap();
        for subject in subjects {
            builder.subject(&id(subject)).unwrap();
        }
        builder.finish()
    }

    pub(crate) fn verify(&self, bundle: &Bundle) -> Report {
        bundle::verify(bundle, &self.world.anchor.verifier()).unwrap()
    }

    /// All about these subjects with the documents as `show` shows them.
    pub(crate) fn report(
        &self,
        subjects: &[&str],
        show: impl Fn(&Opening) -> Option<Shown>,
    ) -> Report {
        let mut bundle = self.bundle(subjects);
        let report = self.verify(&bundle);
        for (id, opening) in &self.openings {
            let mut statements = report.statements.iter();
            if let Some(said) = statements.find(|said| said.statement_id == *id)
                && let Some(shown) = show(opening)
            {
                bundle.documents.push(DocumentItem {
                    sequence: said.sequence,
                    shown,
                });
            }
        }
        self.verify(&bundle)
    }

    /// All about these subjects, documents and all.
    pub(crate) fn everything(&self, subjects: &[&str]) -> Report {
        self.report(subjects, |opening| {
            Some(Shown::Whole(Box::new(opening.clone())))
        })
    }
}

/// The end of what a report covers.
pub(crate) fn last(report: &Report) -> Instant {
    Instant {
        height: report.checkpoint.height.unwrap(),
        time_ms: report.checkpoint.time_ms.unwrap(),
    }
}

pub(crate) fn judge(profile: &Profile, report: &Report, subject: &str) -> Judgement {
    judge_at(profile, report, subject, None, last(report)).unwrap()
}

pub(crate) fn judge_at(
    profile: &Profile,
    report: &Report,
    subject: &str,
    role: Option<&str>,
    at: Instant,
) -> Result<Judgement, JudgeError> {
    let subject = id(subject);
    profile.judge(
        report,
        Asked {
            subject: &subject,
            role,
            at,
        },
    )
}

/// The moment at the end of a block: the small ledger makes one a second.
pub(crate) fn block(report: &Report, height: u64) -> Instant {
    let end = last(report);
    let before = end.height.0 - height;
    Instant {
        height: Height(height),
        time_ms: jangbu_ledger::id::TimeMs(end.time_ms.0 - 1_000 * before),
    }
}

pub(crate) fn row<'j>(judgement: &'j Judgement, id: &str) -> &'j RequirementVerdict {
    let mut rows = judgement.verdicts.iter();
    rows.find(|row| row.id == id).unwrap()
}

/// The ids of the rows by verdict.
pub(crate) fn by_verdict(judgement: &Judgement) -> BTreeMap<Option<Verdict>, Vec<&str>> {
    let mut found: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for row in &judgement.verdicts {
        found.entry(row.verdict).or_default().push(&row.id);
    }
    found
}
