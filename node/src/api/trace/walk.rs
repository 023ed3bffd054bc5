//! The walk from link to link, nearest things first.
//!
//! ```text
//!   open ──▶ 4,096 things looked up together ──▶ the links of each ──▶ things not seen yet ──▶ open
//!                                                     └──▶ those of this part ──▶ the answer
//! ```
//!
//! Each thing appears once; a link back to one that was seen is an edge and ends there. The order is
//! that of the log, so a part of a trace of a height is found again by the number of links before
//! it. What the things are is looked up at the end, for those of this part alone.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use jangbu_ledger::id::{MemberId, Sequence, StatementId, SubjectId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::state::{LinkRecord, PackedRecord, SubjectRecord, TransformationRecord, key};
use jangbu_replica::store::{StoreError, StreamSide};

use super::super::Node;
use super::super::ahead::Ahead;
use super::super::problem::Problem;
use super::super::subjects::{PassportAnswer, record};
use super::place::Place;
use super::stated::{Relation, Stated, stated};
use super::{Direction, Trace, TraceEdge, TraceNode};
use crate::store::{Reader, StreamPosition};

/// Most things in all parts of one trace together.
const THINGS_MAX: usize = 500_000;
/// Most statements looked at for one answer.
const STATEMENTS_MAX: usize = 1_000_000;
/// Things whose links are looked up together.
const AHEAD: usize = 4096;
/// Statements of one stream read at a time.
const CHUNK: usize = 1000;

/// Who stands by a link, besides who states it.
struct Standing {
    confirmed_by: Option<MemberId>,
    contested_by: Option<MemberId>,
}

/// A thing that the walk came to.
#[derive(Clone)]
struct Reached {
    identifier: Identifier,
    /// Its id, which costs a hash to make.
    id: SubjectId,
    /// How many links away from where the walk began.
    depth: u32,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Step {
    /// There may be more.
    On,
    /// This part of the trace is full, or a bound of all is reached.
    Stop,
}

/// A walk on its way.
pub(super) struct Walk<'a> {
    node: &'a Node,
    view: Ahead<'a>,
    direction: Direction,
    seen: BTreeSet<SubjectId>,
    open: VecDeque<Reached>,
    statements: usize,
    /// How many of `open` were looked up ahead.
    looked: usize,
    /// Links so far, shown or not.
    passed: u64,
    /// Which links are shown.
    shown: Range<u64>,
    root: Identifier,
    nodes: Vec<Reached>,
    edges: Vec<TraceEdge>,
    truncated: bool,
    next: Option<Place>,
}

/// The first places where links of these things may be recorded; for each.
fn found_first(
    reader: &Reader,
    direction: Direction,
    things: &[SubjectId],
) -> Result<Vec<Vec<Sequence>>, StoreError> {
    match direction {
        Direction::Down => reader.streams(things, StreamSide::Open, CHUNK),
        Direction::Up => reader.used_in_each(things, CHUNK),
    }
}

/// More of them for one thing, after a place.
fn found_after(
    reader: &Reader,
    direction: Direction,
    subject: SubjectId,
    after: Option<Sequence>,
) -> Result<Vec<Sequence>, StoreError> {
    match direction {
        Direction::Down => {
            let position = StreamPosition {
                subject,
                side: StreamSide::Open,
                after,
            };
            reader.stream(position, CHUNK)
        }
        Direction::Up => reader.used_in(&subject, after, CHUNK),
    }
}

impl<'a> Walk<'a> {
    /// A walk from `root`, of which the links numbered in `shown` are wanted.
    pub(super) fn new(
        node: &'a Node,
        view: Ahead<'a>,
        direction: Direction,
        root: Identifier,
        shown: Range<u64>,
    ) -> Self {
        let first = Reached {
            identifier: root.clone(),
            id: root.subject_id(),
            depth: 0,
        };
        Self {
            node,
            view,
            direction,
            seen: BTreeSet::from([first.id]),
            open: VecDeque::from([first.clone()]),
            statements: 0,
            looked: 0,
            passed: 0,
            nodes: match shown.start {
                0 => vec![first],
                _ => Vec::new(),
            },
            shown,
            root,
            edges: Vec::new(),
            truncated: false,
            next: None,
        }
    }

    /// Walks until there is nothing more to show.
    pub(super) fn run(&mut self, depth_max: u32) -> Result<(), Problem> {
        while let Some(from) = self.take()? {
            if self.follow(&from, depth_max)? == Step::Stop {
                break;
            }
        }
        Ok(())
    }

    /// The answer.
    pub(super) fn told(self) -> Result<Trace, Problem> {
        let ids: Vec<SubjectId> = self.nodes.iter().map(|node| node.id).collect();
        let records = self.view.subjects(&ids)?;
        let nodes = self.nodes.into_iter().zip(records);
        let consortium = &self.node.consortium;
        let nodes = nodes.map(|(reached, subject)| TraceNode {
            identifier: reached.identifier,
            known: subject.is_some(),
            owner_name: subject
                .as_ref()
                .and_then(|subject: &SubjectRecord| consortium.member_name(&subject.owner))
                .map(str::to_owned),
            passport: subject.as_ref().and_then(PassportAnswer::of),
            closed: subject.as_ref().is_some_and(|subject| subject.closed),
            depth: reached.depth,
        });
        Ok(Trace {
            nodes: nodes.collect(),
            root: self.root,
            height: self.view.height(),
            edges: self.edges,
            truncated: self.truncated,
            next: self.next.map(|place| place.to_string()),
        })
    }

    /// The next thing, with its links and those of the things after it looked up.
    fn take(&mut self) -> Result<Option<Reached>, Problem> {
        if self.looked == 0 {
            let next = self.open.iter().take(AHEAD);
            let things: Vec<SubjectId> = next.map(|reached| reached.id).collect();
            let (reader, direction) = (&self.node.reader, self.direction);
            self.looked = things.len();
            self.view
                .look(things, |things| found_first(reader, direction, things))?;
        }
        self.looked = self.looked.saturating_sub(1);
        Ok(self.open.pop_front())
    }

    /// Follows the links of one thing.
    fn follow(&mut self, from: &Reached, depth_max: u32) -> Result<Step, Problem> {
        let mut after = None;
        loop {
            let chunk = self.positions(from.id, after)?;
            for sequence in &chunk {
                if self.view.is_beyond(*sequence) {
                    return Ok(Step::On);
                }
                if self.statements >= STATEMENTS_MAX {
                    self.truncated = true;
                    return Ok(Step::Stop);
                }
                self.statements += 1;
                for edge in self.edges(&from.identifier, *sequence)? {
                    if from.depth >= depth_max {
                        // There is more beyond, and nobody asked for it.
                        self.truncated = true;
                        return Ok(Step::On);
                    }
                    if self.add(edge, from.depth) == Step::Stop {
                        return Ok(Step::Stop);
                    }
                }
            }
            match chunk.last() {
                Some(last) if chunk.len() == CHUNK => after = Some(*last),
                _ => return Ok(Step::On),
            }
        }
    }

    /// Adds an edge and what it leads to.
    fn add(&mut self, edge: TraceEdge, depth: u32) -> Step {
        if self.passed >= self.shown.end {
            self.next = Some(Place {
                height: self.view.height(),
                links: self.passed,
            });
            return Step::Stop;
        }
        let next = match self.direction {
            Direction::Down => &edge.child,
            Direction::Up => &edge.parent,
        };
        let id = next.subject_id();
        let is_shown = self.passed >= self.shown.start;
        if !self.seen.contains(&id) {
            if self.seen.len() >= THINGS_MAX {
                self.truncated = true;
                return Step::Stop;
            }
            self.seen.insert(id);
            let reached = Reached {
                identifier: next.clone(),
                id,
                depth: depth + 1,
            };
            if is_shown {
                self.nodes.push(reached.clone());
            }
            self.open.push_back(reached);
        }
        self.passed += 1;
        if is_shown {
            self.edges.push(edge);
        }
        Step::On
    }

    /// Where links of this thing may be recorded.
    fn positions(
        &self,
        subject: SubjectId,
        after: Option<Sequence>,
    ) -> Result<Vec<Sequence>, Problem> {
        match self.view.positions(&subject).filter(|_| after.is_none()) {
            Some(found) => Ok(found),
            None => Ok(found_after(
                &self.node.reader,
                self.direction,
                subject,
                after,
            )?),
        }
    }

    /// The edges that an entry makes from this thing on.
    fn edges(&self, from: &Identifier, sequence: Sequence) -> Result<Vec<TraceEdge>, Problem> {
        let said = self.view.said(sequence)?;
        let (id, recorded) = (said.id, &said.recorded);
        let mut edges = Vec::new();
        for link in stated(&recorded.statement) {
            let leads_on = match self.direction {
                Direction::Down => {
                    !matches!(link.relation, Relation::IsOf | Relation::MadeOf)
                        && link.parent == from
                }
                Direction::Up => link.child == from,
            };
            if !leads_on {
                continue;
            }
            let Some(standing) = self.standing(&id, &recorded.member, &link)? else {
                continue;
            };
            edges.push(TraceEdge {
                parent: link.parent.clone(),
                child: link.child.clone(),
                relation: link.relation,
                statement_id: id,
                sequence,
                basis: link.basis,
                quantity: link.quantity.cloned(),
                status: match (standing.confirmed_by, standing.contested_by) {
                    (Some(_), _) => "confirmed",
                    (None, Some(_)) => "contested",
                    (None, None) => "asserted",
                },
                asserted_by: self.name(&recorded.member),
                confirmed_by: standing.confirmed_by.map(|member| self.name(&member)),
                contested_by: standing.contested_by.map(|member| self.name(&member)),
            });
        }
        Ok(edges)
    }

    /// Who stands by a link that a statement states; `None` if it does not hold any more.
    fn standing(
        &self,
        id: &StatementId,
        author: &MemberId,
        link: &Stated<'_>,
    ) -> Result<Option<Standing>, Problem> {
        let child = link.child.subject_id();
        let by_author = Standing {
            confirmed_by: Some(*author),
            contested_by: None,
        };
        Ok(Some(match link.relation {
            Relation::IsOf | Relation::MadeOf => by_author,
            Relation::Contains => {
                let record: Option<LinkRecord> = record(&self.view, &key::link(id))?;
                Standing {
                    confirmed_by: record.as_ref().and_then(|link| link.confirmed_by),
                    contested_by: record.and_then(|link| link.contested_by),
                }
            }
            Relation::WentIn => {
                let record: Option<TransformationRecord> =
                    record(&self.view, &key::transformation(id))?;
                let mut inputs = record
                    .map_or_else(Vec::new, |record| record.inputs)
                    .into_iter();
                let input = inputs.find(|input| input.subject == child);
                Standing {
                    confirmed_by: input.as_ref().and_then(|input| input.confirmed_by),
                    contested_by: input.and_then(|input| input.contested_by),
                }
            }
            Relation::Holds => {
                let at = key::packed(&link.parent.subject_id(), &child);
                let packed: Option<PackedRecord> = record(&self.view, &at)?;
                match packed.filter(|packed| packed.inside && packed.statement == *id) {
                    Some(packed) if packed.agreed => by_author,
                    Some(_) => Standing {
                        confirmed_by: None,
                        contested_by: None,
                    },
                    None => return Ok(None),
                }
            }
        }))
    }

    fn name(&self, member: &MemberId) -> String {
        self.node
            .consortium
            .member_name(member)
            .map_or_else(|| member.to_string(), str::to_owned)
    }
}
