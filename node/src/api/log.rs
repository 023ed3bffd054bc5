//! The log for tools that know nothing of us: checkpoint, tiles, policy.
//!
//! Source: c2sp.org/tlog-tiles, c2sp.org/tlog-policy.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use jangbu_ledger::id::Sequence;
use jangbu_ledger::policy::policy_text;
use jangbu_ledger::tile::{Tile, TileKind, encode_entries};
use jangbu_replica::store::StoreError;

use super::Node;
use super::item;
use super::limits::read;
use super::media::{self, Raw};
use super::params::parse;
use super::problem::{Kind, Problem};
use crate::notary::NotaryError;

pub(super) async fn checkpoint(
    State(node): State<Arc<Node>>,
) -> Result<Raw<media::Checkpoint>, Problem> {
    read(&node, |node| {
        Ok(Raw::new(node.notary.last_checkpoint()?.to_string()))
    })
    .await
}

pub(super) async fn policy(State(node): State<Arc<Node>>) -> Result<Raw<media::Policy>, Problem> {
    let consortium = &node.consortium;
    let text = policy_text(
        &consortium.origin,
        &consortium.log_keys,
        &consortium.witnesses,
        consortium.quorum,
    )
    .map_err(|error| Problem::new(Kind::Unavailable, error.to_string()))?;
    Ok(Raw::new(text))
}

pub(super) async fn tile(
    State(node): State<Arc<Node>>,
    uri: Uri,
) -> Result<Raw<media::Tile>, Problem> {
    let tile: Tile = parse("path", uri.path().trim_start_matches('/'))?;
    read(&node, move |node| Ok(Raw::new(content(node, &tile)?))).await
}

/// A tile of the part of the log that is final: a checkpoint that covers it can be had.
fn content(node: &Node, tile: &Tile) -> Result<Vec<u8>, Problem> {
    let size = node
        .reader
        .last_final_checkpoint()?
        .map_or(0, |last| last.size);
    let absent = || Problem::not_found(format!("the final log has no {tile}"));
    if !tile.exists_at(size) {
        return Err(absent());
    }
    if matches!(tile.kind(), TileKind::Hashes { .. }) {
        return tile.hash_bytes(&node.reader)?.ok_or_else(absent);
    }
    let first = Sequence(tile.first());
    let entries = node.reader.entries(first, usize::from(tile.width()))?;
    if entries.len() != usize::from(tile.width()) {
        return Err(item::missing(first));
    }
    encode_entries(entries.iter().map(|(_, bytes)| bytes.as_slice()))
        .map_err(|error| StoreError::Corrupt(error.to_string()).into())
}

impl From<NotaryError> for Problem {
    fn from(error: NotaryError) -> Self {
        let kind = match &error {
            NotaryError::NotFinal => Kind::NotFinal,
            NotaryError::NoEntry(_) => Kind::NotFound,
            NotaryError::Assemble(_) | NotaryError::Store(_) => Kind::Unavailable,
        };
        if kind == Kind::Unavailable {
            tracing::error!(%error, "a receipt or checkpoint could not be made");
        }
        Self::new(kind, error.to_string())
    }
}
