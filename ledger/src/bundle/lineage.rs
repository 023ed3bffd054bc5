//! Which uses made a thing, or what was made from it: nothing left out, each input held against all
//! that was said in its agreement.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Failure;
use super::evidence::{Evidence, Proved};
use super::subject::Complete;
use super::uses::{Lists, usage};
use crate::id::{MemberId, Sequence};
use crate::identifier::Identifier;
use crate::lineage::{Agreement, Direction, Known, Lineage, Source, Terms, Use, made};
use crate::share::{Course, Covered, Input, Share, Spoken, Usage, User};
use crate::state::{UseRecord, key};

/// What the walk has to go by, and what it found of the agreements so far.
struct Walk<'e, 'a> {
    evidence: &'e mut Evidence<'a>,
    subjects: &'e BTreeMap<Identifier, Complete>,
    agreements: BTreeMap<Identifier, Option<(Course, Known)>>,
}

/// Walks from `root` through complete lists of uses; says which subjects it looked at.
pub(super) fn verify(
    evidence: &mut Evidence<'_>,
    subjects: &BTreeMap<Identifier, Complete>,
    lists: &mut Lists,
    (root, direction): (&Identifier, Direction),
    depth_max: Option<u32>,
) -> Result<(Lineage, BTreeSet<Identifier>), Failure> {
    let mut lineage = Lineage {
        root: root.clone(),
        direction,
        uses: Vec::new(),
        made: Vec::new(),
        not_followed: Vec::new(),
        truncated: false,
    };
    let mut walk = Walk {
        evidence,
        subjects,
        agreements: BTreeMap::new(),
    };
    let side = direction.side();
    let mut seen = BTreeSet::from([root.clone()]);
    let mut followed = BTreeSet::new();
    let mut open = VecDeque::from([(root.clone(), 0u32)]);
    while let Some((thing, depth)) = open.pop_front() {
        if depth_max.is_some_and(|max| depth >= max) {
            lineage.not_followed.push(thing);
            continue;
        }
        for sequence in lists.of(&thing, side)? {
            if !followed.insert(*sequence) {
                continue;
            }
            let (used, next) = walk.used(*sequence, direction)?;
            for thing in next {
                if seen.insert(thing.clone()) {
                    open.push_back((thing, depth.saturating_add(1)));
                }
            }
            lineage.uses.push(used);
        }
    }
    lineage.truncated = !lineage.not_followed.is_empty();
    if direction == Direction::Forward {
        lineage.made = made(&lineage.root, &lineage.uses);
    }
    Ok((lineage, walk.agreements.into_keys().collect()))
}

impl Walk<'_, '_> {
    /// A use, with each of its inputs held against its agreement, and the things it leads on to.
    fn used(
        &mut self,
        sequence: Sequence,
        direction: Direction,
    ) -> Result<(Use, Vec<Identifier>), Failure> {
        let proved = self.evidence.entry(sequence)?;
        let Proved {
            height,
            time_ms,
            id,
            ref recorded,
            ..
        } = *proved;
        let member = recorded.member;
        let fault = |reason: String| Failure::Claim {
            claim: format!("entry {sequence} is a use with what its agreements said"),
            reason,
        };
        let (Some(usage), Some(share)) = (usage(&recorded.statement), recorded.statement.subject())
        else {
            return Err(fault("it is no use of data".into()));
        };
        let (usage, share) = (usage.clone(), share.clone());
        let record: UseRecord = self
            .evidence
            .record(&key::usage(&id), &format!("the use {id}"))?
            .ok_or_else(|| fault("the state has no such use".into()))?;
        if record.by != member || record.covered.len() != usage.inputs.len() {
            return Err(fault("the state's use is another".into()));
        }
        let mut sources = Vec::with_capacity(usage.inputs.len());
        for (input, noted) in usage.inputs.iter().zip(&record.covered) {
            let source = self.source(&usage, input, (sequence, &member))?;
            if source.then != *noted && !is_own(input, *noted) {
                return Err(fault(format!(
                    "of {input} the validators noted \"{}\", what is said in its agreement means \"{}\"",
                    noted.words(),
                    source.then.words()
                )));
            }
            sources.push(Source {
                permitted: !noted.is_flagged(),
                then: *noted,
                ..source
            });
        }
        let next = direction.leads_to(&usage).cloned().collect();
        let used = Use {
            statement_id: id,
            sequence,
            height,
            time_ms,
            member,
            by: self.evidence.anchor.name(&member),
            share,
            sealed: false,
            activity: usage.activity,
            codes: usage.codes,
            code: usage.code,
            environment: usage.environment,
            sources,
            outputs: usage.outputs,
        };
        Ok((used, next))
    }

    /// An input by what is shown of its agreement.
    fn source(
        &mut self,
        usage: &Usage,
        input: &Input,
        (at, member): (Sequence, &MemberId),
    ) -> Result<Source, Failure> {
        let mut source = Source {
            data: input.data.clone(),
            part: input.part.clone(),
            agreement: None,
            permitted: false,
            then: Covered::of(usage, input, None),
            terms: None,
        };
        if let Some(identifier) = &input.agreement {
            let anchor = self.evidence.anchor;
            let shown = self.agreement(identifier)?;
            if let Some((course, _)) = shown {
                let then: Option<(Share, User)> = course.before(at, member);
                let then = then.as_ref().map(|(share, user)| (share, *user));
                source.then = Covered::of(usage, input, then);
                source.terms = Terms::before(course, at, |member| anchor.name(member));
            }
            source.agreement = Some(Agreement {
                identifier: identifier.clone(),
                known: shown.map(|(_, known)| known.clone()),
            });
        }
        Ok(source)
    }

    /// The course of an open agreement, of all statements about it; `None` if there is none.
    fn agreement(&mut self, identifier: &Identifier) -> Result<Option<&(Course, Known)>, Failure> {
        if !self.agreements.contains_key(identifier) {
            let complete = self.subjects.get(identifier).ok_or_else(|| {
                Failure::Missing(format!(
                    "the bundle does not list the statements about {identifier}"
                ))
            })?;
            let mut said: Vec<Sequence> = complete.open.clone();
            said.extend(&complete.claims);
            said.sort_unstable();
            let mut spoken = Vec::with_capacity(said.len());
            for sequence in said {
                let proved = self.evidence.entry(sequence)?;
                spoken.push((
                    (proved.id, proved.height, proved.recorded.member),
                    (sequence, proved.recorded.statement.clone()),
                ));
            }
            let spoken = spoken
                .iter()
                .map(|((id, height, member), (at, statement))| Spoken {
                    statement_id: *id,
                    sequence: *at,
                    height: *height,
                    member: *member,
                    statement,
                });
            // What stands on the ledger was allowed: who is no party and settled a dispute may.
            let course = Course::of(
                spoken.filter(|said| said.statement.subject() == Some(identifier)),
                |_| true,
            );
            let anchor = self.evidence.anchor;
            let known = course.map(|course| {
                let name = identifier.to_string();
                let known = Known::of(&course, name, false, |member| anchor.name(member));
                (course, known)
            });
            self.agreements.insert(identifier.clone(), known);
        }
        let shown = self.agreements.get(identifier);
        Ok(shown.and_then(Option::as_ref))
    }
}

/// Whether the validators took data without an agreement for the user's own, which only the state
/// knows: its prefixes are a matter of the consortium.
fn is_own(input: &Input, noted: Covered) -> bool {
    input.agreement.is_none() && noted == Covered::Permitted
}
