//! The links that lead on from a thing: where they are recorded, and how they stand.

use std::borrow::Cow;

use jangbu_ledger::id::{MemberId, Sequence, SubjectId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::state::{PackedRecord, key};
use jangbu_replica::store::{StoreError, StreamSide};
use serde_json::value::RawValue;

use super::super::problem::Problem;
use super::super::subjects::record;
use super::as_of::{AsOf, Said, Stands, in_their_order, in_two, sorted};
use super::stated::{Relation, Stated, stated};
use super::walk::Reached;
use super::{Direction, TraceEdge, written};
use crate::store::StreamPosition;

/// Statements of one stream read at a time.
pub(super) const CHUNK: usize = 1000;
/// Links that one thread makes ahead, in bytes; those of the last statement may go beyond it.
const LINKS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A link that leads on.
pub(super) struct Link {
    /// To which thing.
    pub(super) to: Identifier,
    /// That thing's id, which costs a hash to make.
    pub(super) id: SubjectId,
    /// The link as the answer shows it, a [`TraceEdge`].
    pub(super) json: Box<RawValue>,
}

/// What was found of a thing ahead.
pub(super) struct Spoken {
    /// The first places that may state links, at most [`CHUNK`].
    pub(super) places: Vec<Sequence>,
    /// The links at the first of these places.
    pub(super) links: Vec<Vec<Link>>,
}

/// Who stands by a link, besides who states it.
struct Standing {
    confirmed_by: Option<MemberId>,
    contested_by: Option<MemberId>,
}

/// The links of a ledger, one way.
pub(super) struct Links<'a> {
    pub(super) view: AsOf<'a>,
    pub(super) direction: Direction,
}

impl Links<'_> {
    /// What will be asked for when these things are followed; for each. Of those at `depth_max` or
    /// beyond it only whether there is a link; `most` links in all, or a few more.
    pub(super) fn look(
        &self,
        things: &[Reached],
        depth_max: u32,
        most: u64,
    ) -> Result<Vec<Spoken>, Problem> {
        in_two(things, |things| {
            let (ids, order) = sorted(things.iter().map(|thing| thing.id));
            let places = in_their_order(order, self.first_places(&ids)?);
            let all = places.iter().flatten().copied();
            let mut wanted: Vec<Sequence> = all.filter(|at| !self.view.is_beyond(*at)).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let said = self.view.said_at(&wanted)?;
            let (mut left, mut room) = (most, LINKS_BYTES_MAX);
            let mut links_at = |from: &Reached, at: &Sequence| {
                if left == 0 || room == 0 {
                    return None;
                }
                let found = said.binary_search_by_key(at, |said| said.at).ok()?;
                // What fails is made again, and named, when the walk comes to it.
                let links = self.of(&from.identifier, said.get(found)?).ok()?;
                left = left.saturating_sub(links.len() as u64);
                room = room.saturating_sub(links.iter().map(Link::bytes).sum());
                Some(links)
            };
            let each = things.iter().zip(places);
            Ok(each
                .map(|(from, places)| {
                    let mut is_known = false;
                    let links = places.iter().map_while(|at| {
                        if is_known {
                            return None;
                        }
                        let links = links_at(from, at)?;
                        is_known = from.depth >= depth_max && !links.is_empty();
                        Some(links)
                    });
                    Spoken {
                        links: links.collect(),
                        places,
                    }
                })
                .collect())
        })
    }

    /// The first places where links of these things may be recorded; for each.
    fn first_places(&self, things: &[SubjectId]) -> Result<Vec<Vec<Sequence>>, StoreError> {
        let reader = &self.view.node().reader;
        match self.direction {
            Direction::Down => reader.streams(things, StreamSide::Open, CHUNK),
            Direction::Up => reader.used_in_each(things, CHUNK),
        }
    }

    /// More of them for one thing, after a place.
    pub(super) fn places_after(
        &self,
        subject: SubjectId,
        after: Sequence,
    ) -> Result<Vec<Sequence>, StoreError> {
        let (reader, after) = (&self.view.node().reader, Some(after));
        match self.direction {
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

    /// The links that a statement states from this thing on.
    pub(super) fn of(&self, from: &Identifier, said: &Said) -> Result<Vec<Link>, Problem> {
        let recorded = &said.recorded;
        let (mut links, mut stands) = (Vec::new(), None);
        for stated in stated(&recorded.statement) {
            let (here, to) = match self.direction {
                Direction::Down => (stated.parent, stated.child),
                Direction::Up => (stated.child, stated.parent),
            };
            let goes_down = !matches!(stated.relation, Relation::IsOf | Relation::MadeOf);
            if here != from || (self.direction == Direction::Down && !goes_down) {
                continue;
            }
            // Once for all links of a statement.
            let stands = match &stands {
                Some(known) => known,
                None => stands.insert(self.view.stands(said)?),
            };
            let Some(standing) = self.standing(said, &stated, stands)? else {
                continue;
            };
            links.push(Link {
                to: to.clone(),
                id: to.subject_id(),
                json: self.edge(said, &stated, &standing)?,
            });
        }
        Ok(links)
    }

    /// A link as the answer shows it.
    fn edge(
        &self,
        said: &Said,
        stated: &Stated<'_>,
        standing: &Standing,
    ) -> Result<Box<RawValue>, Problem> {
        let consortium = &self.view.node().consortium;
        let name = |member: &MemberId| match consortium.member_name(member) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(member.to_string()),
        };
        written(&TraceEdge {
            parent: stated.parent,
            child: stated.child,
            relation: stated.relation,
            statement_id: said.id,
            sequence: said.at,
            basis: stated.basis,
            quantity: stated.quantity,
            status: match (standing.confirmed_by, standing.contested_by) {
                (Some(_), _) => "confirmed",
                (None, Some(_)) => "contested",
                (None, None) => "asserted",
            },
            asserted_by: name(&said.recorded.member),
            confirmed_by: standing.confirmed_by.as_ref().map(name),
            contested_by: standing.contested_by.as_ref().map(name),
        })
    }

    /// Who stands by a link that a statement states; `None` if it does not hold any more.
    fn standing(
        &self,
        said: &Said,
        link: &Stated<'_>,
        stands: &Stands,
    ) -> Result<Option<Standing>, Problem> {
        let by = |confirmed_by, contested_by| Standing {
            confirmed_by,
            contested_by,
        };
        let by_author = by(Some(said.recorded.member), None);
        Ok(Some(match (link.relation, stands) {
            (Relation::IsOf | Relation::MadeOf, _) => by_author,
            (Relation::Holds, _) => {
                let at = key::packed(&link.parent.subject_id(), &link.child.subject_id());
                let packed: Option<PackedRecord> = record(self.view.state(), &at)?;
                match packed.filter(|packed| packed.inside && packed.statement == said.id) {
                    Some(packed) if packed.agreed => by_author,
                    Some(_) => by(None, None),
                    None => return Ok(None),
                }
            }
            (_, Stands::Link(link)) => by(link.confirmed_by, link.contested_by),
            (_, Stands::Transformation(made)) => {
                let child = link.child.subject_id();
                let mut inputs = made.inputs.iter();
                match inputs.find(|input| input.subject == child) {
                    Some(input) => by(input.confirmed_by, input.contested_by),
                    None => by(None, None),
                }
            }
            (_, Stands::AsSaid) => by(None, None),
        }))
    }
}

impl Link {
    /// What it holds, in bytes.
    fn bytes(&self) -> usize {
        // A list of one has room for four.
        4 * size_of::<Self>() + self.to.as_str().len() + self.json.get().len()
    }
}
