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

use std::collections::{HashSet, VecDeque};
use std::ops::Range;

use jangbu_ledger::id::SubjectId;
use jangbu_ledger::identifier::Identifier;
use serde_json::value::RawValue;

use super::super::problem::Problem;
use super::super::subjects::PassportAnswer;
use super::as_of::AsOf;
use super::link::{CHUNK, Link, Links, Spoken};
use super::place::Place;
use super::{Direction, Trace, TraceNode, written};

/// Most things in all parts of one trace together.
const THINGS_MAX: usize = 500_000;
/// Most statements looked at for one answer.
const STATEMENTS_MAX: usize = 1_000_000;
/// Things whose links are looked up together.
const AHEAD: usize = 4096;

/// A thing that the walk came to.
#[derive(Clone)]
pub(super) struct Reached {
    pub(super) identifier: Identifier,
    /// Its id, which costs a hash to make.
    pub(super) id: SubjectId,
    /// How many links away from where the walk began.
    pub(super) depth: u32,
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
    links: Links<'a>,
    seen: HashSet<SubjectId>,
    open: VecDeque<Reached>,
    statements: usize,
    /// Links so far, wanted or not.
    passed: u64,
    /// Which links are wanted.
    wanted: Range<u64>,
    root: Identifier,
    nodes: Vec<Reached>,
    edges: Vec<Box<RawValue>>,
    truncated: bool,
    next: Option<Place>,
}

impl<'a> Walk<'a> {
    /// A walk from `root`, of which the links numbered in `wanted` are.
    pub(super) fn new(
        view: AsOf<'a>,
        direction: Direction,
        root: Identifier,
        wanted: Range<u64>,
    ) -> Self {
        let first = Reached {
            identifier: root.clone(),
            id: root.subject_id(),
            depth: 0,
        };
        Self {
            links: Links { view, direction },
            seen: HashSet::from([first.id]),
            open: VecDeque::from([first.clone()]),
            statements: 0,
            passed: 0,
            nodes: match wanted.start {
                0 => vec![first],
                _ => Vec::new(),
            },
            wanted,
            root,
            edges: Vec::new(),
            truncated: false,
            next: None,
        }
    }

    /// Walks until there is nothing more to show.
    pub(super) fn run(&mut self, depth_max: u32) -> Result<(), Problem> {
        while let Some(nearest) = self.open.front() {
            if self.truncated && nearest.depth >= depth_max {
                break;
            }
            let together = self.open.len().min(AHEAD);
            let things: Vec<Reached> = self.open.drain(..together).collect();
            // One more says that there is another part.
            let most = self
                .wanted
                .end
                .saturating_sub(self.passed)
                .saturating_add(1);
            let spoken = self.links.look(&things, depth_max, most)?;
            for (from, spoken) in things.iter().zip(spoken) {
                if self.follow(from, spoken, depth_max)? == Step::Stop {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The answer.
    pub(super) fn told(self) -> Result<Trace, Problem> {
        let view = &self.links.view;
        let nodes = view.subjects(&self.nodes, |reached, subject| {
            let owner = subject.as_ref().map(|subject| subject.owner);
            let node = TraceNode {
                identifier: &reached.identifier,
                known: subject.is_some(),
                owner_name: owner
                    .as_ref()
                    .and_then(|owner| view.node().consortium.member_name(owner)),
                passport: subject.as_ref().and_then(PassportAnswer::of),
                closed: subject.as_ref().is_some_and(|subject| subject.closed),
                depth: reached.depth,
            };
            written(&node)
        })?;
        Ok(Trace {
            nodes,
            root: self.root,
            height: view.height(),
            edges: self.edges,
            truncated: self.truncated,
            next: self.next.map(|place| place.to_string()),
        })
    }

    /// Follows the links of one thing.
    fn follow(&mut self, from: &Reached, spoken: Spoken, depth_max: u32) -> Result<Step, Problem> {
        if self.truncated && from.depth >= depth_max {
            // That there is more beyond is known.
            return Ok(Step::On);
        }
        let mut places = spoken.places;
        let mut ahead = spoken.links.into_iter();
        loop {
            for place in &places {
                if self.links.view.is_beyond(*place) {
                    return Ok(Step::On);
                }
                if self.statements >= STATEMENTS_MAX {
                    self.truncated = true;
                    return Ok(Step::Stop);
                }
                self.statements += 1;
                let links = match ahead.next() {
                    Some(links) => links,
                    None => {
                        let said = self.links.view.said(*place)?;
                        self.links.of(&from.identifier, &said)?
                    }
                };
                for link in links {
                    if from.depth >= depth_max {
                        // There is more beyond, and nobody asked for it.
                        self.truncated = true;
                        return Ok(Step::On);
                    }
                    if self.add(link, from.depth) == Step::Stop {
                        return Ok(Step::Stop);
                    }
                }
            }
            places = match places.last() {
                Some(last) if places.len() == CHUNK => self.links.places_after(from.id, *last)?,
                _ => return Ok(Step::On),
            };
        }
    }

    /// Adds a link and what it leads to.
    fn add(&mut self, link: Link, depth: u32) -> Step {
        if self.passed >= self.wanted.end {
            self.next = Some(Place {
                height: self.links.view.height(),
                links: self.passed,
            });
            return Step::Stop;
        }
        let is_wanted = self.passed >= self.wanted.start;
        if !self.seen.contains(&link.id) {
            if self.seen.len() >= THINGS_MAX {
                self.truncated = true;
                return Step::Stop;
            }
            self.seen.insert(link.id);
            let reached = Reached {
                identifier: link.to,
                id: link.id,
                depth: depth + 1,
            };
            if is_wanted {
                self.nodes.push(reached.clone());
            }
            self.open.push_back(reached);
        }
        self.passed += 1;
        if is_wanted {
            self.edges.push(link.json);
        }
        Step::On
    }
}
