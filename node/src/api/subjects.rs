//! What is recorded about one thing, and whether a slot is used.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::block::EntryBody;
use jangbu_ledger::id::{Digest, Height, MemberId, Sequence, Slot, StatementId, SubjectId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::passport::Life;
use jangbu_ledger::share::Deed;
use jangbu_ledger::state::{
    BalanceRecord, HandoverRecord, PackedRecord, Record, SlotRecord, StateReader, StreamRecord,
    SubjectRecord, UnitBalance, decode_record, key,
};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::{Granularity, Handed, Kind};
use jangbu_replica::store::StreamSide;
use serde::{Deserialize, Serialize};

use super::Node;
use super::chain::empty;
use super::entries::{PAGE_DEFAULT, PAGE_MAX, Page, end};
use super::item::{self, Item};
use super::limits::read;
use super::params::{self, Params};
use super::problem::Problem;
use crate::store::{StateAt, StreamPosition};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    identifier: String,
    at: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct SubjectAnswer {
    identifier: Identifier,
    subject_id: SubjectId,
    known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<StreamAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<StreamAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passport: Option<PassportAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part_of: Option<SubjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custodian_name: Option<String>,
    offers: Vec<OfferAnswer>,
    /// What it is in, if who has it put it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Identifier>,
    /// How much of it was made and went into other things, unit by unit.
    balance: Vec<UnitBalance>,
    height: Height,
}

/// The last offer to hand the subject over, of one sort.
#[derive(Debug, Serialize)]
struct OfferAnswer {
    offer: StatementId,
    of: Handed,
    from: MemberId,
    to: MemberId,
    open: bool,
}

impl OfferAnswer {
    fn of(
        state: &dyn StateReader,
        subject: &SubjectId,
        of: Handed,
    ) -> Result<Option<Self>, Problem> {
        let Some(offer) = record::<StatementId>(state, &key::last_offer(subject, &of))? else {
            return Ok(None);
        };
        let handover: Option<HandoverRecord> = record(state, &key::handover(&offer))?;
        Ok(handover.map(|handover| Self {
            offer,
            of,
            from: handover.from,
            to: handover.to,
            open: handover.open,
        }))
    }
}

#[derive(Debug, Serialize)]
struct StreamAnswer {
    count: u64,
    head: Digest,
}

/// A passport as rules see it.
#[derive(Debug, Serialize)]
pub(super) struct PassportAnswer {
    granularity: Granularity,
    version: u32,
    life: Life,
}

impl PassportAnswer {
    pub(super) fn of(subject: &SubjectRecord) -> Option<Self> {
        subject.passport.as_ref().map(|passport| Self {
            granularity: passport.granularity,
            version: passport.version,
            life: passport.life,
        })
    }
}

impl From<StreamRecord> for StreamAnswer {
    fn from(stream: StreamRecord) -> Self {
        Self {
            count: stream.count,
            head: stream.head,
        }
    }
}

pub(super) async fn show(
    State(node): State<Arc<Node>>,
    Params(params): Params<About>,
) -> Result<Json<SubjectAnswer>, Problem> {
    let identifier = params::identifier(&params.identifier)?;
    read(&node, move |node| {
        if let Some(height) = params.at.map(Height) {
            return answer(node, &state_at(node, height)?, height, identifier);
        }
        let view = node.reader.view();
        let height = view.tip()?.ok_or_else(empty)?.height;
        answer(node, &view, height, identifier)
    })
    .await
}

/// The state as it was after the block at a height.
pub(super) fn state_at(node: &Node, height: Height) -> Result<StateAt<'_>, Problem> {
    let gone = || Problem::not_found(format!("the state of height {height} is not kept here"));
    node.reader.state_at(height)?.ok_or_else(gone)
}

/// The container that a thing is in, by the name that the statement has for it.
fn container_of(
    node: &Node,
    state: &dyn StateReader,
    id: &SubjectId,
) -> Result<Option<Identifier>, Problem> {
    let Some(container) = record::<SubjectId>(state, &key::container(id))? else {
        return Ok(None);
    };
    let packed: Option<PackedRecord> = record(state, &key::packed(&container, id))?;
    let Some(packed) = packed.filter(|packed| packed.inside && packed.agreed) else {
        return Ok(None);
    };
    let Some(sequence) = node.reader.statement(&packed.statement)? else {
        return Ok(None);
    };
    Ok(match Item::at(node, sequence)?.entry.body {
        EntryBody::Statement(said) => said.statement.subject().cloned(),
        EntryBody::Seal(_) => None,
    })
}

fn answer(
    node: &Node,
    state: &dyn StateReader,
    height: Height,
    identifier: Identifier,
) -> Result<Json<SubjectAnswer>, Problem> {
    let id = identifier.subject_id();
    let subject: Option<SubjectRecord> = record(state, &key::subject(&id))?;
    let claims: Option<StreamRecord> = record(state, &key::claims(&id))?;
    let balance: Option<BalanceRecord> = record(state, &key::balance(&id))?;
    let name = |member| node.consortium.member_name(&member).map(str::to_owned);
    let owner = subject.as_ref().map(|subject| subject.owner);
    let mut offers = Vec::new();
    for of in [Handed::Responsibility, Handed::Custody] {
        offers.extend(OfferAnswer::of(state, &id, of)?);
    }
    Ok(Json(SubjectAnswer {
        subject_id: id,
        known: subject.is_some(),
        owner,
        owner_name: owner.and_then(name),
        open: subject.as_ref().map(|subject| subject.stream.into()),
        claims: claims.map(Into::into),
        passport: subject.as_ref().and_then(PassportAnswer::of),
        part_of: subject.as_ref().and_then(|subject| subject.part_of),
        components: subject.as_ref().map(|subject| subject.components),
        links: subject.as_ref().map(|subject| subject.links),
        closed: subject.as_ref().map(|subject| subject.closed),
        custodian_name: subject
            .as_ref()
            .and_then(|subject| subject.custodian)
            .and_then(name),
        offers,
        container: container_of(node, state, &id)?,
        balance: balance.unwrap_or_default().units,
        height,
        identifier,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    identifier: String,
    side: SideName,
    after: Option<u64>,
    limit: Option<usize>,
    at: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideName {
    Open,
    Claims,
}

pub(super) async fn statements(
    State(node): State<Arc<Node>>,
    Params(params): Params<StreamQuery>,
) -> Result<Json<Page>, Problem> {
    let identifier = params::identifier(&params.identifier)?;
    let limit = params::limit(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    read(&node, move |node| {
        let position = StreamPosition {
            subject: identifier.subject_id(),
            side: match params.side {
                SideName::Open => StreamSide::Open,
                SideName::Claims => StreamSide::Claims,
            },
            after: params.after.map(Sequence),
        };
        let end = end(node, params.at)?;
        let mut found = node.reader.stream(position, limit + 1)?;
        found.retain(|sequence| sequence.0 < end);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = if more { found.last().copied() } else { None };
        let items = found
            .into_iter()
            .map(|sequence| Item::at(node, sequence))
            .collect::<Result<_, _>>()?;
        Ok(Json(Page { items, next }))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UsesQuery {
    identifier: String,
    after: Option<u64>,
    limit: Option<usize>,
    at: Option<u64>,
}

/// The uses of data that name this thing: as data, as an agreement, or as what was made. A page
/// may have fewer items than were asked for, and others follow.
pub(super) async fn uses(
    State(node): State<Arc<Node>>,
    Params(params): Params<UsesQuery>,
) -> Result<Json<Page>, Problem> {
    let identifier = params::identifier(&params.identifier)?;
    let limit = params::limit(params.limit, PAGE_DEFAULT, PAGE_MAX)?;
    read(&node, move |node| {
        let after = params.after.map(Sequence);
        let end = end(node, params.at)?;
        let mut found = node
            .reader
            .used_in(&identifier.subject_id(), after, limit)?;
        found.retain(|sequence| sequence.0 < end);
        let next = found.last().copied().filter(|_| found.len() == limit);
        let mut items = Vec::new();
        for sequence in found {
            let item = Item::at(node, sequence)?;
            if let EntryBody::Statement(recorded) = &item.entry.body
                && let Kind::ShareStep { deed, .. } = &recorded.statement.kind
                && matches!(**deed, Deed::Used(_))
            {
                items.push(item);
            }
        }
        Ok(Json(Page { items, next }))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlotQuery {
    member: String,
    slot: String,
}

#[derive(Debug, Serialize)]
pub(super) struct SlotAnswer {
    used: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Item>,
}

pub(super) async fn slot(
    State(node): State<Arc<Node>>,
    Params(params): Params<SlotQuery>,
) -> Result<Json<SlotAnswer>, Problem> {
    let member: MemberId = params::parse("member", &params.member)?;
    let slot: Slot = params::parse("slot", &params.slot)?;
    read(&node, move |node| {
        let used: Option<SlotRecord> = record(&node.reader, &key::slot(&member, &slot))?;
        let Some(SlotRecord { sequence }) = used else {
            return Ok(Json(SlotAnswer {
                used: false,
                sequence: None,
                item: None,
            }));
        };
        let item = Item::at(node, sequence)?;
        if !matches!(item.entry.body, EntryBody::Statement(_)) {
            return Err(item::missing(sequence));
        }
        Ok(Json(SlotAnswer {
            used: true,
            sequence: Some(sequence),
            item: Some(item),
        }))
    })
    .await
}

/// Reads a record of the current state.
pub(super) fn record<T: Record>(
    state: &dyn StateReader,
    key: &StateKey,
) -> Result<Option<T>, Problem> {
    Ok(state
        .record(key)?
        .map(|bytes| decode_record(&bytes))
        .transpose()?)
}
