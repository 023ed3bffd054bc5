//! Bundles: proofs about statements, subjects, slots, component trees and lineages, under the last
//! final checkpoint. Whoever asks verifies them; this node's word counts for nothing in them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};
use jangbu_ledger::bundle::{BuildError, Builder, MEDIA_TYPE};
use jangbu_ledger::id::{Height, MemberId, Slot, StatementId};
use jangbu_ledger::lineage::Direction;
use jangbu_replica::store::StoreError;
use serde::Deserialize;

use super::Node;
use super::limits::read;
use super::params::{self, Params, Segment};
use super::problem::{Kind, Problem};
use crate::store::Reader;

/// Deepest component tree or lineage that can be asked for.
const DEPTH_MAX: u32 = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    identifier: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Below {
    identifier: String,
    depth: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Along {
    identifier: String,
    direction: Direction,
    depth: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    member: String,
    slot: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checked {
    identifier: String,
    profile: String,
    components: bool,
    #[serde(default)]
    uses: bool,
    height: Option<u64>,
}

type Built = Result<(), BuildError<StoreError>>;
type Answer = ([(HeaderName, &'static str); 1], String);

pub(super) async fn statement(
    State(node): State<Arc<Node>>,
    Segment(id): Segment<StatementId>,
) -> Result<Answer, Problem> {
    bundle(&node, move |builder| builder.recorded(&id)).await
}

pub(super) async fn subject(
    State(node): State<Arc<Node>>,
    Params(params): Params<About>,
) -> Result<Answer, Problem> {
    let identifier = params::identifier(&params.identifier)?;
    bundle(&node, move |builder| builder.subject(&identifier)).await
}

pub(super) async fn slot(
    State(node): State<Arc<Node>>,
    Params(params): Params<Place>,
) -> Result<Answer, Problem> {
    let member: MemberId = params::parse("member", &params.member)?;
    let slot: Slot = params::parse("slot", &params.slot)?;
    bundle(&node, move |builder| builder.slot(member, slot)).await
}

pub(super) async fn lineage(
    State(node): State<Arc<Node>>,
    Params(params): Params<Along>,
) -> Result<Answer, Problem> {
    let root = params::identifier(&params.identifier)?;
    let (direction, depth) = (params.direction, checked(params.depth)?);
    bundle(&node, move |builder| {
        builder.lineage(&root, direction, depth)
    })
    .await
}

pub(super) async fn trace(
    State(node): State<Arc<Node>>,
    Params(params): Params<Below>,
) -> Result<Answer, Problem> {
    let root = params::identifier(&params.identifier)?;
    let depth = checked(params.depth)?;
    bundle(&node, move |builder| builder.composition(&root, depth)).await
}

/// What a compliance profile judges by: all about a thing and what it is of, all about the
/// profile, and where asked for its components, what it was made from and when an earlier block was.
pub(super) async fn check(
    State(node): State<Arc<Node>>,
    Params(params): Params<Checked>,
) -> Result<Answer, Problem> {
    let subject = params::identifier(&params.identifier)?;
    let profile = params::identifier(&params.profile)?;
    bundle(&node, move |builder| {
        builder.up_to_model(&subject)?;
        builder.subject(&profile)?;
        if params.components {
            builder.composition(&subject, Some(1))?;
        }
        if params.uses {
            builder.lineage(&subject, Direction::Back, None)?;
        }
        if let Some(height) = params.height {
            builder.block(Height(height))?;
        }
        Ok(())
    })
    .await
}

fn checked(depth: Option<u32>) -> Result<Option<u32>, Problem> {
    match depth.filter(|depth| *depth > DEPTH_MAX) {
        None => Ok(depth),
        Some(asked) => Err(Problem::bad_request(format!(
            "depth = {asked}: at most {DEPTH_MAX}"
        ))),
    }
}

/// Makes a bundle under the last final checkpoint.
async fn bundle(
    node: &Arc<Node>,
    claim: impl FnOnce(&mut Builder<'_, Reader>) -> Built + Send + 'static,
) -> Result<Answer, Problem> {
    read(node, move |node| {
        let checkpoint = node.notary.last_checkpoint()?;
        let size = checkpoint.checkpoint().size;
        let mut builder = Builder::new(&node.reader, checkpoint.note(), size)?;
        claim(&mut builder)?;
        let text = builder
            .finish()
            .to_json()
            .map_err(|error| Problem::bad_request(error.to_string()))?;
        Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text))
    })
    .await
}

impl From<BuildError<StoreError>> for Problem {
    fn from(error: BuildError<StoreError>) -> Self {
        match error {
            BuildError::NoStatement(id) => Self::not_found(error.to_string()).about(id),
            BuildError::NoBlock(_) => Self::not_found(error.to_string()),
            BuildError::TooLarge | BuildError::Crowded(_) => Self::bad_request(error.to_string()),
            BuildError::Source(error) => error.into(),
            BuildError::Damaged(what) => StoreError::Corrupt(what).into(),
            // The state tree, and what may be added one day.
            other => {
                tracing::error!(error = %other, "a proof could not be made");
                Self::new(Kind::Unavailable, other.to_string())
            }
        }
    }
}
