//! Where the ledger stands, who its members are, its blocks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jangbu_ledger::block::BlockHeader;
use jangbu_ledger::id::{BlockId, ChainId, EnvelopeId, Height, TimeMs};
use jangbu_ledger::merkle::NodeHash;
use schemars::JsonSchema;
use serde::Serialize;

use super::Node;
use super::limits::read;
use super::media::{Genesis, Raw};
use super::params::Segment;
use super::problem::{Kind, Problem};
use crate::consortium::MemberInfo;

/// Where the ledger and the node stand.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Status {
    /// The ledger.
    chain_id: ChainId,
    /// The name of the log in checkpoints.
    origin: String,
    /// The consortium.
    consortium: String,
    /// The member whose node this is.
    member: String,
    /// The node's version.
    version: &'static str,
    /// The last block on this node.
    height: Height,
    /// Its id.
    block_id: BlockId,
    /// Its time.
    time_ms: TimeMs,
    /// Entries in the log after it.
    log_size: u64,
    /// The last final checkpoint; null before the first.
    #[serde(rename = "final")]
    finality: Option<FinalStatus>,
    /// How many validators there are.
    validators: usize,
    /// The other validators.
    peers: Vec<PeerStatus>,
    /// What waits for a block.
    pool: PoolStatus,
}

/// A final checkpoint.
#[derive(Debug, Serialize, JsonSchema)]
struct FinalStatus {
    /// The block that it is of.
    height: Height,
    /// Entries under it.
    size: u64,
    /// Root of the log.
    root: NodeHash,
}

/// Another validator's node.
#[derive(Debug, Serialize, JsonSchema)]
struct PeerStatus {
    /// Whose node it is.
    member: String,
    /// Whether this node has a connection to it.
    connected: bool,
}

/// What waits for a block.
#[derive(Debug, Serialize, JsonSchema)]
struct PoolStatus {
    /// How many envelopes.
    envelopes: u64,
    /// Their bytes.
    bytes: u64,
}

pub(super) async fn status(State(node): State<Arc<Node>>) -> Result<Json<Status>, Problem> {
    read(&node, |node| {
        let tip = node.reader.tip()?.ok_or_else(empty)?;
        let last = node.reader.last_final_checkpoint()?;
        let consortium = &node.consortium;
        Ok(Json(Status {
            chain_id: consortium.chain_id,
            origin: consortium.origin.to_string(),
            consortium: consortium.name.clone(),
            member: consortium.own_name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            height: tip.height,
            block_id: tip.block_id,
            time_ms: tip.time_ms,
            log_size: tip.frontier.size(),
            finality: last.map(|last| FinalStatus {
                height: last.height,
                size: last.size,
                root: last.root,
            }),
            validators: consortium.witnesses.len(),
            peers: node
                .health
                .peers()
                .map(|(member, connected)| PeerStatus {
                    member: member.to_owned(),
                    connected,
                })
                .collect(),
            pool: PoolStatus {
                envelopes: node.metrics.pool_envelopes.get(),
                bytes: node.metrics.pool_bytes.get(),
            },
        }))
    })
    .await
}

/// The database has no genesis block yet.
pub(super) fn empty() -> Problem {
    Problem::new(Kind::Unavailable, "the ledger has no block yet")
}

pub(super) async fn genesis(State(node): State<Arc<Node>>) -> Raw<Genesis> {
    Raw::new(node.consortium.genesis.clone())
}

/// The members of the consortium.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Members {
    /// In the order of the founding document.
    members: Vec<MemberInfo>,
}

pub(super) async fn members(State(node): State<Arc<Node>>) -> Json<Members> {
    Json(Members {
        members: node.consortium.members.clone(),
    })
}

/// A block.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BlockAnswer {
    /// What the validators agreed on.
    header: BlockHeader,
    /// The header's hash.
    block_id: BlockId,
    /// What it ordered, in order.
    envelopes: Vec<EnvelopeId>,
    /// Who decided it; null for the genesis block.
    certificate: Option<CertificateAnswer>,
}

/// A block's certificate.
#[derive(Debug, Serialize, JsonSchema)]
struct CertificateAnswer {
    /// The round that decided it.
    round: u32,
    /// How many validators signed.
    signatures: usize,
}

pub(super) async fn block(
    State(node): State<Arc<Node>>,
    Segment(height): Segment<u64>,
) -> Result<Json<BlockAnswer>, Problem> {
    read(&node, move |node| {
        let stored = node
            .reader
            .block(Height(height))?
            .ok_or_else(|| Problem::not_found(format!("there is no block at height {height}")))?;
        Ok(Json(BlockAnswer {
            block_id: stored.block.header.id(),
            header: stored.block.header,
            envelopes: stored.block.envelopes,
            certificate: stored.certificate.map(|certificate| CertificateAnswer {
                round: certificate.round,
                signatures: certificate.signatures.len(),
            }),
        }))
    })
    .await
}
