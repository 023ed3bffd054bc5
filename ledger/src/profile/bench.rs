//! The verdict on one requirement: what is looked for, where it is found, what follows.

use std::collections::BTreeMap;

use super::facts::{Facts, Passport, Seen};
use super::judgement::{RequirementVerdict, Shown, Verdict};
use super::{Instant, Need, Requirement, Status};
use crate::bundle::{Finding, StatementReport};
use crate::commitment::schema_digest;
use crate::id::{Sequence, StatementId, TimeMs};
use crate::identifier::Identifier;
use crate::statement::{Granularity, Kind};

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What was found for a requirement.
enum Found<'r> {
    /// It is there.
    There(Evidence<'r>),
    /// It is not, and all that counts is shown.
    Nowhere,
    /// It may be in what is not shown.
    Unknown(String),
}

/// A place that a verdict rests on.
struct Evidence<'r> {
    statement: &'r StatementReport,
    place: Option<(String, String)>,
}

/// Everything that the requirements of one judgement are held against.
pub(super) struct Bench<'r> {
    pub(super) facts: Facts<'r>,
    pub(super) subject: &'r Identifier,
    /// What is seen of each document, by its statement.
    pub(super) seen: BTreeMap<Sequence, Seen>,
}

impl<'r> Bench<'r> {
    /// The verdict on one requirement.
    pub(super) fn judge(&self, requirement: &Requirement) -> RequirementVerdict {
        if let Need::InputsPermitted { activity } = &requirement.needs {
            return self.judge_inputs(requirement, activity);
        }
        let found = self.find(requirement);
        let there = match found {
            Found::There(evidence) => evidence,
            Found::Nowhere => return self.judge_absent(requirement),
            Found::Unknown(what) => {
                let (verdict, reason) = match requirement.status {
                    Status::Pending => (Some(Verdict::PendingLaw), None),
                    Status::Optional => (Some(Verdict::Met), None),
                    _ => (None, Some(format!("not shown: {what}"))),
                };
                return answer(requirement, verdict, reason, None);
            }
        };
        let shown = there.shown();
        let (verdict, reason, more) = match requirement.status {
            Status::Pending => (Verdict::PendingLaw, None, None),
            Status::NotToBeFilled => (Verdict::ForbiddenPresent, None, None),
            _ if too_old(requirement, there.statement.time_ms, self.facts.at) => {
                (Verdict::Stale, None, None)
            }
            _ => match &requirement.endorsed_under {
                None => (Verdict::Met, None, None),
                Some(scheme) => self.endorsed(there.statement, scheme),
            },
        };
        let proof = [Some(shown), more].into_iter().flatten();
        answer(requirement, Some(verdict), reason, proof)
    }

    fn judge_absent(&self, requirement: &Requirement) -> RequirementVerdict {
        let verdict = match requirement.status {
            Status::Pending => Verdict::PendingLaw,
            Status::Optional | Status::NotToBeFilled => Verdict::Met,
            Status::Mandatory | Status::Conditional => {
                if let Some(old) = self.in_an_older_version(requirement) {
                    let reason = "only in a version that another took the place of";
                    let verdict = Some(Verdict::Stale);
                    return answer(requirement, verdict, Some(reason.into()), Some(old.shown()));
                }
                let said = || self.not_applicable(&requirement.id);
                match requirement.status {
                    Status::Conditional => match said() {
                        Some((statement, reason)) => {
                            let reason = Some(format!("said not to apply: {reason}"));
                            let proof = Some(shown(statement, None));
                            return answer(requirement, Some(Verdict::Met), reason, proof);
                        }
                        None => Verdict::ConditionalUnanswered,
                    },
                    _ => Verdict::Missing,
                }
            }
        };
        answer(requirement, Some(verdict), None, None)
    }

    fn find(&self, requirement: &Requirement) -> Found<'r> {
        match &requirement.needs {
            Need::Field { level, .. } => self.find_field(requirement, *level),
            Need::Statement { kind } => {
                let facts = &self.facts;
                let all = facts
                    .said_by_owner(self.subject)
                    .chain(facts.said_by_others(self.subject));
                let of_kind = all.filter(|shown| shown.statement.kind.name() == kind);
                found(of_kind.max_by_key(|shown| shown.sequence))
            }
            Need::ComponentsClosed => {
                let last = self.facts.said_by_owner(self.subject).filter(|shown| {
                    let kind = &shown.statement.kind;
                    matches!(kind, Kind::CompositionClosed { .. })
                        || kind.made_of().next().is_some()
                });
                found(
                    last.last().filter(|shown| {
                        matches!(shown.statement.kind, Kind::CompositionClosed { .. })
                    }),
                )
            }
            Need::ComponentsConfirmed => self.components_confirmed(),
            Need::InputsPermitted { .. } | Need::Step { .. } => Found::Nowhere,
        }
    }

    fn find_field(&self, requirement: &Requirement, level: Option<Granularity>) -> Found<'r> {
        let mut unknown = None;
        for passport in self.at_level(level) {
            let Some(current) = passport.versions.last() else {
                continue;
            };
            let Some(seen) = self.seen.get(&current.sequence) else {
                unknown = Some(format!("the passport of {}", passport.subject));
                continue;
            };
            if let Some(place) = requirement.terms().find_map(|term| seen.filled(term)) {
                return Found::There(Evidence {
                    statement: current,
                    place: Some(place.clone()),
                });
            }
            if let Some(section) = seen.hidden.first() {
                unknown = Some(format!(
                    "section {section} of the passport of {}",
                    passport.subject
                ));
            }
        }
        // Nothing to look for is nowhere, whatever is shown.
        match unknown.filter(|_| requirement.terms().next().is_some()) {
            Some(what) => Found::Unknown(what),
            None => Found::Nowhere,
        }
    }

    fn at_level(&self, level: Option<Granularity>) -> impl Iterator<Item = &Passport<'r>> {
        let passports = self.facts.passports.iter();
        passports.filter(move |passport| level.is_none_or(|level| passport.granularity == level))
    }

    fn in_an_older_version(&self, requirement: &Requirement) -> Option<Evidence<'r>> {
        let Need::Field { level, .. } = requirement.needs else {
            return None;
        };
        self.at_level(level).find_map(|passport| {
            let older = passport.versions.iter().rev().skip(1);
            { older }.find_map(|version| {
                let seen = self.seen.get(&version.sequence)?;
                let place = requirement.terms().find_map(|term| seen.filled(term))?;
                Some(Evidence {
                    statement: version,
                    place: Some(place.clone()),
                })
            })
        })
    }

    /// Which current passport says that the requirement does not apply, and why.
    fn not_applicable(&self, id: &str) -> Option<(&'r StatementReport, &str)> {
        self.facts.passports.iter().find_map(|passport| {
            let current = passport.versions.last()?;
            let reason = self.seen.get(&current.sequence)?.not_applicable.get(id)?;
            Some((*current, reason.as_str()))
        })
    }

    fn components_confirmed(&self) -> Found<'r> {
        let facts = &self.facts;
        let mut findings = facts.report.findings.iter();
        let composition = findings.find_map(|finding| match finding {
            Finding::Composition(composition) if composition.root == *self.subject => {
                Some(composition)
            }
            _ => None,
        });
        let Some(composition) = composition else {
            return Found::Unknown(format!("what {} is made of", self.subject));
        };
        let confirmed_later = |link: &StatementId| {
            let confirms = |shown: &StatementReport| match &shown.statement.kind {
                Kind::ComponentConfirmed { link: of }
                | Kind::InputConfirmed {
                    transformation: of, ..
                } => of == link,
                _ => false,
            };
            let mut said = facts.report.statements.iter();
            said.any(|shown| confirms(shown) && shown.height > facts.at.height)
        };
        let mut last = None;
        for shown in facts.said_by_owner(self.subject) {
            if shown.statement.kind.made_of().next().is_none() {
                continue;
            }
            // A transformation has an edge for each thing that went in.
            let edges = composition.edges.iter();
            let mut stated = edges
                .filter(|edge| {
                    edge.statement_id == shown.statement_id && edge.parent == *self.subject
                })
                .peekable();
            let confirmed =
                stated.peek().is_some() && stated.all(|edge| edge.confirmed_by.is_some());
            if !confirmed || confirmed_later(&shown.statement_id) {
                return Found::Nowhere;
            }
            last = Some(shown);
        }
        found(last)
    }

    /// Whether an assessor vouches, at the moment, for the version that a statement issued.
    fn endorsed(
        &self,
        version: &StatementReport,
        scheme: &str,
    ) -> (Verdict, Option<String>, Option<Shown>) {
        let facts = &self.facts;
        let scheme_digest = schema_digest(scheme);
        let mut passports = facts.passports.iter();
        let about = passports.find(|passport| {
            let mut versions = passport.versions.iter();
            versions.any(|shown| shown.sequence == version.sequence)
        });
        let Some(passport) = about else {
            return (Verdict::Unendorsed, Some(format!("under {scheme}")), None);
        };
        let number = match version.statement.kind {
            Kind::PassportSuperseded { version, .. } => version,
            _ => 1,
        };
        let withdrawn = |id: &StatementId| {
            let mut said = facts.said_by_others(&passport.subject);
            said.any(|shown| {
                matches!(&shown.statement.kind,
                    Kind::EndorsementWithdrawn { endorsement } if endorsement == id)
            })
        };
        let mut over = None;
        for shown in facts.said_by_others(&passport.subject) {
            let Kind::PassportEndorsed {
                version,
                scheme,
                expires_at_ms,
            } = &shown.statement.kind
            else {
                continue;
            };
            if *version != number || *scheme != scheme_digest {
                continue;
            }
            let expired = expires_at_ms.is_some_and(|expires| expires <= facts.at.time_ms);
            if expired || withdrawn(&shown.statement_id) {
                over = Some(shown);
            } else {
                let by = Some(format!("endorsed by {}", shown.member_name));
                return (Verdict::Met, by, Some(self::shown(shown, None)));
            }
        }
        match over {
            Some(endorsement) => (
                Verdict::EndorsementExpired,
                Some(format!(
                    "{} vouched under {scheme}",
                    endorsement.member_name
                )),
                Some(shown(endorsement, None)),
            ),
            None => (Verdict::Unendorsed, Some(format!("under {scheme}")), None),
        }
    }
}

fn found(statement: Option<&StatementReport>) -> Found<'_> {
    match statement {
        Some(statement) => Found::There(Evidence {
            statement,
            place: None,
        }),
        None => Found::Nowhere,
    }
}

fn shown(statement: &StatementReport, place: Option<(String, String)>) -> Shown {
    let (section, pointer) = place.unzip();
    Shown {
        statement_id: statement.statement_id,
        sequence: statement.sequence,
        section,
        pointer,
    }
}

impl Evidence<'_> {
    fn shown(&self) -> Shown {
        shown(self.statement, self.place.clone())
    }
}
pub(super) fn answer(
    requirement: &Requirement,
    verdict: Option<Verdict>,
    reason: Option<String>,
    proof: impl IntoIterator<Item = Shown>,
) -> RequirementVerdict {
    RequirementVerdict {
        id: requirement.id.clone(),
        title: requirement.title.clone(),
        status: requirement.status,
        verdict,
        reason,
        proof: proof.into_iter().collect(),
    }
}

pub(super) fn too_old(requirement: &Requirement, time_ms: TimeMs, at: Instant) -> bool {
    requirement.max_age_days.is_some_and(|days| {
        at.time_ms.0.saturating_sub(time_ms.0) > u64::from(days).saturating_mul(DAY_MS)
    })
}
