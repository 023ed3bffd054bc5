//! Bundles: proofs about statements, subjects, slots, component trees and lineages, under the last
//! final checkpoint. Whoever asks verifies them; this node's word counts for nothing in them.

use std::sync::Arc;

use axum::extract::State;
use jangbu_ledger::bundle::{BuildError, Builder};
use jangbu_ledger::id::{Height, MemberId, Slot, StatementId};
use jangbu_ledger::identifier::IDENTIFIER_BYTES_MAX;
use jangbu_ledger::lineage::Direction;
use jangbu_replica::store::StoreError;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Node;
use super::limits::read;
use super::media::{self, Raw};
use super::params::{self, Params, Segment};
use super::problem::{Kind, Problem};
use crate::store::Reader;

/// Deepest component tree or lineage that can be asked for.
const DEPTH_MAX: u32 = 64;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Below {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
    /// How many links deep; 64 if nothing is said.
    #[schemars(range(max = DEPTH_MAX))]
    depth: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Along {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
    /// Which way to walk.
    direction: Direction,
    /// How many uses deep; 64 if nothing is said.
    #[schemars(range(max = DEPTH_MAX))]
    depth: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Whose slot: the id of a member.
    #[schemars(with = "MemberId")]
    member: String,
    /// The slot.
    #[schemars(with = "Slot")]
    slot: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Checked {
    /// The thing, in any spelling that the ledger knows.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = params::EXAMPLE)]
    identifier: String,
    /// The profile's identifier: `profile:NAME`.
    #[schemars(length(min = 1, max = IDENTIFIER_BYTES_MAX), example = "profile:eu-battery/ev")]
    profile: String,
    /// Whether its components are asked for.
    components: bool,
    /// Whether the uses of data that it came out of are asked for.
    #[serde(default)]
    uses: bool,
    /// An earlier block, whose time is proved.
    height: Option<u64>,
}

type Built = Result<(), BuildError<StoreError>>;
type Answer = Raw<media::Bundle>;

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
        Ok(Raw::new(text))
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
