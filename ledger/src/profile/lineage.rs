//! Whether what a thing was made from was permitted: its company's uses, and what they took.
//!
//! What others say that they made it from does not count: anybody may record a use.

use std::collections::BTreeSet;

use super::bench::{Bench, answer};
use super::judgement::{RequirementVerdict, Shown, Verdict};
use super::{Requirement, Status};
use crate::bundle::{Finding, SubjectReport};
use crate::lineage::{Direction, Lineage, Source, Use};
use crate::share::{Covered, UseCode};

/// Most inputs that a reason names.
const NAMED_MAX: usize = 8;

/// What was found of the inputs.
#[derive(Default)]
struct Inputs<'r> {
    uses: Vec<&'r Use>,
    /// Not permitted, and why.
    wrong: Vec<String>,
    /// What would have to be shown.
    undecided: Vec<String>,
}

impl Bench<'_> {
    /// The verdict on what went into the thing.
    pub(super) fn judge_inputs(
        &self,
        requirement: &Requirement,
        activity: &UseCode,
    ) -> RequirementVerdict {
        if requirement.status == Status::Pending {
            return answer(requirement, Some(Verdict::PendingLaw), None, None);
        }
        let mut findings = self.facts.report.findings.iter();
        let lineage = findings.find_map(|finding| match finding {
            Finding::Lineage(lineage) if lineage.root == *self.subject => Some(lineage),
            _ => None,
        });
        let Some(lineage) = lineage.filter(|lineage| lineage.direction == Direction::Back) else {
            let reason = format!("not shown: which uses made {}", self.subject);
            return answer(requirement, None, Some(reason), None);
        };
        let mut findings = self.facts.report.findings.iter();
        let about = findings.find_map(|finding| match finding {
            Finding::Complete(about) if about.identifier == *self.subject => Some(about),
            _ => None,
        });
        let inputs = about.map(|about| self.inputs(lineage, about, activity));
        let inputs = inputs.unwrap_or_default();
        let owner = about.and_then(|about| about.owner_name.as_deref());
        let (verdict, reason) = match (requirement.status, inputs.uses.is_empty()) {
            (Status::NotToBeFilled, false) => (Some(Verdict::ForbiddenPresent), None),
            (Status::NotToBeFilled | Status::Optional, true) => (Some(Verdict::Met), None),
            (_, true) => {
                let by = owner.unwrap_or("its company");
                let reason = format!("no use by {by} is recorded that made it");
                (Some(Verdict::Missing), Some(reason))
            }
            (_, false) if !inputs.wrong.is_empty() => {
                (Some(Verdict::NotPermitted), Some(named(&inputs.wrong)))
            }
            (_, false) if !inputs.undecided.is_empty() => (
                None,
                Some(format!("not shown: {}", named(&inputs.undecided))),
            ),
            (_, false) => (Some(Verdict::Met), None),
        };
        let proof = inputs.uses.iter().map(|used| Shown {
            statement_id: used.statement_id,
            sequence: used.sequence,
            section: None,
            pointer: None,
        });
        answer(requirement, verdict, reason, proof)
    }

    /// What its company says that it was made from, and from what of the company's own that was.
    fn inputs<'r>(
        &self,
        lineage: &'r Lineage,
        about: &SubjectReport,
        activity: &UseCode,
    ) -> Inputs<'r> {
        let mut inputs = Inputs::default();
        let mut seen = BTreeSet::from([self.subject]);
        let mut open = vec![self.subject];
        let counts =
            |used: &&Use| used.height <= self.facts.at.height && about.owner == Some(used.member);
        while let Some(thing) = open.pop() {
            if lineage.not_followed.contains(thing) {
                inputs.undecided.push(format!("which uses made {thing}"));
            }
            let made = |used: &&Use| used.outputs.iter().any(|output| output.made == *thing);
            for used in lineage.uses.iter().filter(counts).filter(made) {
                if inputs
                    .uses
                    .iter()
                    .any(|known| known.sequence == used.sequence)
                {
                    continue;
                }
                inputs.uses.push(used);
                for source in &used.sources {
                    if source.is_own(used) {
                        if seen.insert(&source.data) {
                            open.push(&source.data);
                        }
                    } else {
                        inputs.judge(source, activity);
                    }
                }
            }
        }
        inputs
    }
}

impl Inputs<'_> {
    fn judge(&mut self, source: &Source, activity: &UseCode) {
        let agreement = source.agreement.as_ref();
        let under = agreement.map_or_else(String::new, |agreement| {
            format!(" under {}", agreement.identifier)
        });
        let what = format!("{}{under}", source.data);
        let permits = source.terms.as_ref().map(|terms| terms.permits.as_slice());
        match (source.then, permits) {
            (Covered::Permitted, Some(permits)) if permits.contains(activity) => {}
            (Covered::Permitted, None | Some([])) => {
                self.undecided
                    .push(format!("{what}, whose document alone says what it permits"));
            }
            (Covered::Permitted, Some(_)) => {
                self.wrong
                    .push(format!("{what}: the contract does not list {activity}"));
            }
            (Covered::Unknown, _) => self.undecided.push(format!("the agreement of {what}")),
            (then, _) => self.wrong.push(format!("{what}: {}", then.words())),
        }
    }
}

impl Source {
    /// Whether it was the user's own data then: under no agreement, or one that it provides under.
    fn is_own(&self, used: &Use) -> bool {
        let known = self.agreement.as_ref().map(|under| under.known.as_ref());
        self.permitted
            && match known {
                None => true,
                Some(known) => known.is_some_and(|known| known.provider == used.by),
            }
    }
}

fn named(all: &[String]) -> String {
    let mut text = all
        .iter()
        .take(NAMED_MAX)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("; ");
    if let Some(more) = all.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("; and {more} more"));
    }
    text
}
