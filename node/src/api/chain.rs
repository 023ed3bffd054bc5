//! Where the ledger stands, who its members are, its blocks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use jangbu_ledger::block::BlockHeader;
use jangbu_ledger::id::{BlockId, ChainId, EnvelopeId, Height, TimeMs};
use jangbu_ledger::merkle::NodeHash;
use serde::Serialize;

use super::Node;
use super::limits::read;
use super::params::Segment;
use super::problem::{Kind, Problem};
use crate::consortium::MemberInfo;

#[derive(Debug, Serialize)]
pub(super) struct Status {
    chain_id: ChainId,
    origin: String,
    consortium: String,
    member: String,
    version: &'static str,
    height: Height,
    block_id: BlockId,
    time_ms: TimeMs,
    log_size: u64,
    #[serde(rename = "final")]
    finality: Option<FinalStatus>,
    validators: usize,
    peers: Vec<PeerStatus>,
    pool: PoolStatus,
}

#[derive(Debug, Serialize)]
struct FinalStatus {
    height: Height,
    size: u64,
    root: NodeHash,
}

#[derive(Debug, Serialize)]
struct PeerStatus {
    member: String,
    connected: bool,
}

#[derive(Debug, Serialize)]
struct PoolStatus {
    envelopes: u64,
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

pub(super) async fn genesis(State(node): State<Arc<Node>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        node.consortium.genesis.clone(),
    )
}

#[derive(Debug, Serialize)]
pub(super) struct Members {
    members: Vec<MemberInfo>,
}

pub(super) async fn members(State(node): State<Arc<Node>>) -> Json<Members> {
    Json(Members {
        members: node.consortium.members.clone(),
    })
}

#[derive(Debug, Serialize)]
pub(super) struct BlockAnswer {
    header: BlockHeader,
    block_id: BlockId,
    envelopes: Vec<EnvelopeId>,
    certificate: Option<CertificateAnswer>,
}

#[derive(Debug, Serialize)]
struct CertificateAnswer {
    round: u32,
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
