//! Judging a thing by what a verified report shows, a data share by its steps.
//!
//! What is not shown decides nothing: a requirement whose answer may be in a hidden section has
//! no verdict, and the judgement as a whole is then *cannot tell*.

use super::bench::{Bench, answer, too_old};
use super::facts::{Facts, Seen};
use super::judgement::{
    Asked, JudgeError, Judgement, Outcome, Publication, RequirementVerdict, Shown, Standing,
    Verdict,
};
use super::{Instant, Judges, Need, Profile, Requirement, ShareStep, Status};
use crate::bundle::Report;
use crate::id::Digest;
use crate::passport::Life;
use crate::statement::{Kind, Stream};

impl Profile {
    /// Judges a thing by what a verified report shows.
    ///
    /// # Errors
    ///
    /// [`JudgeError`] if nothing can be judged.
    pub fn judge(&self, report: &Report, asked: Asked<'_>) -> Result<Judgement, JudgeError> {
        if self.judges != Judges::Passport {
            return Err(JudgeError::OtherThing(self.name.clone()));
        }
        if let Some(role) = asked.role
            && self.sections_of(role).is_none()
        {
            return Err(JudgeError::NoRole {
                role: role.to_owned(),
                roles: self.roles().join(", "),
            });
        }
        let digest = self.digest()?;
        let facts = Facts::gather(report, asked.subject, asked.at).map_err(JudgeError::NotShown)?;
        let (published, later_versions) = self.publication(&facts, digest)?;
        let documents = &report.documents;
        let seen = documents
            .iter()
            .map(|document| (document.sequence, Seen::of(document, self, asked.role)))
            .collect();
        let bench = Bench {
            facts,
            subject: asked.subject,
            seen,
        };
        let verdicts: Vec<_> = self
            .requirements
            .iter()
            .filter(|requirement| self.concerns(requirement, asked.role))
            .map(|requirement| bench.judge(requirement))
            .collect();
        let own = bench.facts.passports.first();
        let passport = own
            .filter(|passport| passport.subject == *asked.subject)
            .map(|passport| Standing {
                version: passport.versions.len(),
                life: passport.life,
            });
        let in_force = passport.is_some_and(|passport| passport.life == Life::Active);
        Ok(Judgement {
            profile: self.name.clone(),
            version: self.version.clone(),
            digest,
            published,
            later_versions,
            subject: asked.subject.to_string(),
            role: asked.role.map(str::to_owned),
            at: asked.at,
            outcome: outcome(in_force, &verdicts),
            passport,
            verdicts,
        })
    }

    /// Judges a data share by the steps of it that count.
    ///
    /// # Errors
    ///
    /// [`JudgeError`] if the profile is not about data shares.
    pub fn judge_share(
        &self,
        name: &str,
        steps: &[ShareStep],
        at: Instant,
    ) -> Result<Judgement, JudgeError> {
        if self.judges != Judges::Share {
            return Err(JudgeError::OtherThing(self.name.clone()));
        }
        let verdicts: Vec<_> = self
            .requirements
            .iter()
            .map(|requirement| judge_step(requirement, steps, at))
            .collect();
        Ok(Judgement {
            profile: self.name.clone(),
            version: self.version.clone(),
            digest: self.digest()?,
            published: None,
            later_versions: Vec::new(),
            subject: name.to_owned(),
            role: None,
            at,
            outcome: outcome(true, &verdicts),
            passport: None,
            verdicts,
        })
    }

    fn concerns(&self, requirement: &Requirement, role: Option<&str>) -> bool {
        match (role, requirement.section()) {
            (Some(role), Some(section)) => self
                .sections_of(role)
                .is_some_and(|sections| sections.contains(section)),
            _ => true,
        }
    }

    /// Where this very profile is published, and which versions came after it.
    fn publication(
        &self,
        facts: &Facts<'_>,
        digest: Digest,
    ) -> Result<(Option<Publication>, Vec<String>), JudgeError> {
        let Ok(identifier) = self.identifier() else {
            return Ok((None, Vec::new()));
        };
        let mut published = None;
        let mut later = Vec::new();
        for shown in facts.said(Stream::Open(identifier)) {
            let Kind::ProfilePublished {
                version,
                digest: said,
            } = &shown.statement.kind
            else {
                continue;
            };
            if *version != self.version {
                if published.is_some() {
                    later.push(version.clone());
                }
                continue;
            }
            if *said != digest {
                return Err(JudgeError::OtherProfile {
                    name: self.name.clone(),
                    version: self.version.clone(),
                    sequence: shown.sequence,
                    published: *said,
                    digest,
                });
            }
            published = Some(Publication {
                statement_id: shown.statement_id,
                sequence: shown.sequence,
                member_name: shown.member_name.clone(),
                time_ms: shown.time_ms,
            });
        }
        Ok((published, later))
    }
}

fn outcome(in_force: bool, verdicts: &[RequirementVerdict]) -> Outcome {
    let blocked = verdicts
        .iter()
        .any(|said| said.verdict.is_some_and(Verdict::blocks));
    if blocked || !in_force {
        Outcome::NotMet
    } else if verdicts.iter().any(|said| said.verdict.is_none()) {
        Outcome::CannotTell
    } else {
        Outcome::Met
    }
}

fn judge_step(requirement: &Requirement, steps: &[ShareStep], at: Instant) -> RequirementVerdict {
    let wanted = match requirement.needs {
        Need::Step { step } => Some(step),
        _ => None,
    };
    let mut taken = steps.iter().rev();
    let found = taken.find(|taken| Some(taken.step) == wanted && taken.height <= at.height);
    let verdict = match (requirement.status, found) {
        (Status::Pending, _) => Verdict::PendingLaw,
        (Status::NotToBeFilled, Some(_)) => Verdict::ForbiddenPresent,
        (Status::NotToBeFilled, None) | (Status::Optional, None) => Verdict::Met,
        (Status::Mandatory, None) => Verdict::Missing,
        (Status::Conditional, None) => Verdict::ConditionalUnanswered,
        (_, Some(taken)) if too_old(requirement, taken.time_ms, at) => Verdict::Stale,
        (_, Some(_)) => Verdict::Met,
    };
    let proof = found.map(|taken| Shown {
        statement_id: taken.statement,
        sequence: taken.sequence,
        section: None,
        pointer: None,
    });
    answer(requirement, Some(verdict), None, proof)
}
