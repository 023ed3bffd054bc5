//! One statement, and its receipt.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::block::EntryBody;
use jangbu_ledger::id::{Sequence, StatementId};
use jangbu_ledger::state::{EndorsementRecord, HandoverRecord, NoticeRecord, StateReader, key};
use jangbu_ledger::statement::Kind;
use schemars::JsonSchema;
use serde::Serialize;

use super::Node;
use super::item::Item;
use super::limits::read;
use super::media::{Cose, Raw, Receipt};
use super::params::Segment;
use super::problem::Problem;
use super::subjects::record;

/// What became of a statement; all but its id and status only once it is in a block.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StatementAnswer {
    /// The statement.
    statement_id: StatementId,
    /// `unknown` here, `pending`: without a final checkpoint yet, or `final`.
    #[schemars(extend("enum" = ["unknown", "pending", "final"]))]
    status: &'static str,
    #[serde(flatten)]
    item: Option<Recorded>,
}

/// An [`Item`] whose statement id stands beside it already.
#[derive(Debug, Serialize, JsonSchema)]
struct Recorded {
    /// Its position in the log.
    sequence: Sequence,
    /// The block that recorded it.
    height: jangbu_ledger::id::Height,
    /// That block's time.
    time_ms: jangbu_ledger::id::TimeMs,
    /// Who said it.
    member: Option<jangbu_ledger::id::MemberId>,
    /// The name of who said it.
    member_name: Option<String>,
    /// The entry, as its bytes say.
    entry: jangbu_ledger::block::Entry,
    /// The bytes that the log commits to, in base64.
    #[schemars(extend("contentEncoding" = "base64"))]
    entry_bytes: String,
    /// Whether it still applies, for statements that others answer or that are taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_force: Option<bool>,
}

/// `pending` is a statement that is in a block without a final checkpoint yet. One that still
/// waits in a pool is `unknown` here: ask by envelope.
pub(super) async fn show(
    State(node): State<Arc<Node>>,
    Segment(id): Segment<StatementId>,
) -> Result<Json<StatementAnswer>, Problem> {
    read(&node, move |node| {
        let Some(sequence) = node.reader.statement(&id)? else {
            return Ok(Json(StatementAnswer {
                statement_id: id,
                status: "unknown",
                item: None,
            }));
        };
        let item = Item::at(node, sequence)?;
        let last = node.waiters.last_final();
        let is_final = last.is_some_and(|mark| mark.height >= item.height);
        Ok(Json(StatementAnswer {
            statement_id: id,
            status: if is_final { "final" } else { "pending" },
            item: Some(Recorded {
                sequence: item.sequence,
                height: item.height,
                time_ms: item.time_ms,
                member: item.member,
                member_name: item.member_name,
                in_force: in_force(&node.reader.view(), &id, &item.entry.body)?,
                entry: item.entry,
                entry_bytes: item.entry_bytes,
            }),
        }))
    })
    .await
}

/// Whether an offer waits for its answer, an endorsement is not withdrawn, a notice not lifted;
/// `None` for what goes on for ever.
fn in_force(
    state: &dyn StateReader,
    id: &StatementId,
    body: &EntryBody,
) -> Result<Option<bool>, Problem> {
    let EntryBody::Statement(recorded) = body else {
        return Ok(None);
    };
    Ok(match recorded.statement.kind {
        Kind::HandoverOffered { .. } => {
            record(state, &key::handover(id))?.map(|offer: HandoverRecord| offer.open)
        }
        Kind::PassportEndorsed { .. } => record(state, &key::endorsement(id))?
            .map(|endorsement: EndorsementRecord| !endorsement.withdrawn),
        Kind::NoticeIssued { .. } => {
            record(state, &key::notice(id))?.map(|notice: NoticeRecord| !notice.lifted)
        }
        _ => None,
    })
}

pub(super) async fn receipt(
    State(node): State<Arc<Node>>,
    Segment(id): Segment<StatementId>,
) -> Result<Raw<Receipt>, Problem> {
    read(&node, move |node| {
        let receipt = node
            .notary
            .receipt(place(node, &id)?)
            .map_err(|error| Problem::from(error).about(id))?;
        Ok(Raw::new(receipt.to_string()))
    })
    .await
}

/// The same entry on this node's word alone, for tools that read COSE receipts.
pub(super) async fn cose(
    State(node): State<Arc<Node>>,
    Segment(id): Segment<StatementId>,
) -> Result<Raw<Cose>, Problem> {
    read(&node, move |node| {
        let receipt = node
            .notary
            .cose(place(node, &id)?, id)
            .map_err(|error| Problem::from(error).about(id))?;
        Ok(Raw::new(receipt.to_bytes()))
    })
    .await
}

/// Where a statement is in the log.
fn place(node: &Node, id: &StatementId) -> Result<Sequence, Problem> {
    node.reader.statement(id)?.ok_or_else(|| {
        Problem::not_found("the statement is not on the ledger of this node").about(id)
    })
}
