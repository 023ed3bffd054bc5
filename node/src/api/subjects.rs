//! What is recorded about one thing, and whether a slot is used.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::block::EntryBody;
use jangbu_ledger::id::{Digest, Height, MemberId, Sequence, Slot, StatementId, SubjectId};
use jangbu_ledger::identifier::{IDENTIFIER_BYTES_MAX, Identifier};
use jangbu_ledger::passport::Life;
use jangbu_ledger::share::Deed;
use jangbu_ledger::state::{
    BalanceRecord, HandoverRecord, PackedRecord, Record, SlotRecord, StateReader, StreamRecord,
    SubjectRecord, UnitBalance, decode_record, key,
};
use jangbu_ledger::state_tree::StateKey;
use jangbu_ledger::statement::{Granularity, Handed, Kind};
use jangbu_replica::store::StreamSide;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Node;
use super::chain::empty;
use super::entries::{PAGE_DEFAULT, PAGE_MAX, Page, end};
use super::item::{self, Item};
use super::limits::read;
use super::params::{self, Params};
use super::problem::Problem;
use crate::store::{StateAt, StreamPosition};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
    /// As it was after the block at this height.
    at: Option<u64>,
}

/// What is recorded about a thing.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SubjectAnswer {
    /// Its canonical name.
    identifier: Identifier,
    /// Its id on the ledger.
    subject_id: SubjectId,
    /// Whether its own company said anything about it.
    known: bool,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<MemberId>,
    /// The name of who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_name: Option<String>,
    /// What its company says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<StreamAnswer>,
    /// What others say about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<StreamAnswer>,
    /// Its passport.
    #[serde(skip_serializing_if = "Option::is_none")]
    passport: Option<PassportAnswer>,
    /// The batch or model that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_of: Option<SubjectId>,
    /// How many confirmed components and inputs it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<u32>,
    /// How many it has, confirmed or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<u32>,
    /// Whether its company said that these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<bool>,
    /// Who has it, if that is not its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    custodian_name: Option<String>,
    /// The last offer of each sort to hand it over.
    offers: Vec<OfferAnswer>,
    /// What it is in, if who has it put it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Identifier>,
    /// How much of it was made and went into other things, unit by unit.
    balance: Vec<UnitBalance>,
    /// The block after which all this was so.
    height: Height,
}

/// The last offer to hand the subject over, of one sort.
#[derive(Debug, Serialize, JsonSchema)]
struct OfferAnswer {
    /// The statement that offers it.
    offer: StatementId,
    /// What is handed over.
    of: Handed,
    /// Who offers it.
    from: MemberId,
    /// To whom.
    to: MemberId,
    /// Whether it waits for its answer.
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

/// A stream, as the state commits to it.
#[derive(Debug, Serialize, JsonSchema)]
struct StreamAnswer {
    /// How many statements there are.
    count: u64,
    /// Head of their hash chain.
    head: Digest,
}

/// A passport as rules see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PassportAnswer {
    /// Model, batch or item.
    granularity: Granularity,
    /// The current version.
    version: u32,
    /// Where it stands.
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
    /// Whose statements.
    side: SideName,
    /// The position after which to begin.
    after: Option<u64>,
    /// Most items on the page; 100 if nothing is said.
    #[schemars(range(min = 1, max = PAGE_MAX))]
    limit: Option<usize>,
    /// The list ends where it ended after the block at this height.
    at: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SideName {
    /// Its company's.
    Open,
    /// The others'.
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsesQuery {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
    /// The position after which to begin.
    after: Option<u64>,
    /// Most uses looked at for the page; 100 if nothing is said.
    #[schemars(range(min = 1, max = PAGE_MAX))]
    limit: Option<usize>,
    /// The list ends where it ended after the block at this height.
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SlotQuery {
    /// Whose slot: the id of a member.
    #[schemars(with = "MemberId")]
    member: String,
    /// The slot.
    #[schemars(with = "Slot")]
    slot: String,
    /// As it was after the block at this height.
    at: Option<u64>,
}

/// Whether a slot is used.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SlotAnswer {
    /// Whether something is in it.
    used: bool,
    /// Its position in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<Sequence>,
    /// What is in it.
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
        // What is in a slot stays: it was empty before that was recorded.
        let end = end(node, params.at)?;
        let used: Option<SlotRecord> = record(&node.reader, &key::slot(&member, &slot))?;
        let Some(SlotRecord { sequence }) = used.filter(|used| used.sequence.0 < end) else {
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
