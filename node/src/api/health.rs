//! For whoever watches the node: alive, ready, numbers.

use std::sync::Arc;

use axum::extract::State;

use super::Node;
use super::limits::read;
use super::media::{Metrics, Raw, Word};
use super::problem::{Kind, Problem};

/// How many blocks may be without a final checkpoint before the node says it is not ready.
const UNFINAL_BLOCKS_MAX: u64 = 16;

pub(super) async fn live() -> Raw<Word> {
    Raw::new("live\n")
}

/// Ready: the replica runs, a quorum can be reached, and finality keeps up with the blocks.
pub(super) async fn ready(State(node): State<Arc<Node>>) -> Result<Raw<Word>, Problem> {
    match unready(&node) {
        None => Ok(Raw::new("ready\n")),
        Some(reason) => Err(Problem::new(Kind::Unavailable, reason)),
    }
}

fn unready(node: &Node) -> Option<String> {
    if let Some(reason) = node.health.stopped() {
        return Some(reason.to_owned());
    }
    let own = usize::from(node.consortium.is_validator);
    let reachable = node.health.connected() + own;
    let quorum = node.consortium.quorum;
    if reachable < quorum {
        return Some(format!(
            "{reachable} validators can be reached, {quorum} are needed"
        ));
    }
    let (height, finality) = (node.metrics.height.get(), node.metrics.final_height.get());
    if height.saturating_sub(finality) > UNFINAL_BLOCKS_MAX {
        return Some(format!(
            "the last final checkpoint is of height {finality}, the last block of {height}"
        ));
    }
    None
}

pub(super) async fn metrics(State(node): State<Arc<Node>>) -> Result<Raw<Metrics>, Problem> {
    read(&node, |node| {
        let connected = u64::try_from(node.health.connected()).unwrap_or(u64::MAX);
        let mut text = node.metrics.render(connected, node.reader.disk_bytes()?);
        node.links.push_metrics(&mut text);
        Ok(Raw::new(text))
    })
    .await
}
