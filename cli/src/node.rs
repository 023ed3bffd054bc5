//! `jangbu node`: how the configured nodes are.

use serde::Serialize;

use crate::client::{Client, PeerStatus, StatusAnswer, printable};
use crate::context::Context;
use crate::error::CliError;

/// What to ask.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum Command {
    /// Where the node stands: ledger, height, what is final, what waits
    Status,
    /// Which validators it is connected to
    Peers,
    /// Whether each configured node is fit to work, and if not, why
    Health,
}

/// One node's health.
#[derive(Debug, Serialize)]
struct Health<'a> {
    node: &'a str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Asks.
///
/// # Errors
///
/// [`CliError`] if no node answers; for `health`, if any is unfit.
pub fn run(command: &Command, ctx: &Context) -> Result<(), CliError> {
    let client = ctx.client()?;
    match command {
        Command::Status => {
            let status = client.status_as_it_is()?;
            ctx.output.object(&status, || status_text(&status));
            check_ledger(ctx, &status)
        }
        Command::Peers => {
            let status = client.status_as_it_is()?;
            for peer in &status.peers {
                ctx.output.line(peer, || peer_text(peer));
            }
            check_ledger(ctx, &status)
        }
        Command::Health => health(ctx, client),
    }
}

fn health(ctx: &Context, client: &Client) -> Result<(), CliError> {
    let mut unfit = 0;
    for node in client.nodes() {
        let reason = match client.ready(node) {
            Ok(ready) => ready.err(),
            // The line names the node already.
            Err(error) => Some(error.message.replace(&format!("{node} "), "")),
        };
        unfit += usize::from(reason.is_some());
        let health = Health {
            node,
            ready: reason.is_none(),
            reason,
        };
        ctx.output.line(&health, || match &health.reason {
            None => format!("{node}  ready"),
            Some(reason) => format!("{node}  not ready: {reason}"),
        });
    }
    if unfit == 0 {
        return Ok(());
    }
    let all = client.nodes().len();
    Err(CliError::unreachable(format!(
        "{unfit} of {all} nodes are not ready"
    )))
}

/// A node of another ledger than the genesis file's is worth an error of its own.
fn check_ledger(ctx: &Context, status: &StatusAnswer) -> Result<(), CliError> {
    if !ctx.config()?.has_genesis() {
        return Ok(());
    }
    let own = ctx.chain_id()?;
    if status.chain_id == own {
        return Ok(());
    }
    Err(CliError::input(format!(
        "the node serves chain {}, the genesis file is of chain {own}",
        status.chain_id
    ))
    .hint("check `node` and `genesis` in your configuration"))
}

fn peer_text(peer: &PeerStatus) -> String {
    let word = if peer.connected { "connected" } else { "away" };
    format!("{:<20} {word}", printable(&peer.member))
}

/// The other validators, a line each.
pub(crate) fn peers_text(status: &StatusAnswer) -> String {
    let lines = status.peers.iter().map(|peer| peer_text(peer) + "\n");
    lines.collect()
}

/// Where a node stands, for people.
pub(crate) fn status_text(status: &StatusAnswer) -> String {
    let connected = status.peers.iter().filter(|peer| peer.connected).count();
    let finality = status.finality.as_ref().map_or_else(
        || "nothing yet".to_owned(),
        |last| format!("block {}, {} entries", last.height, last.size),
    );
    let rows = [
        ("consortium", printable(&status.consortium)),
        ("chain", status.chain_id.to_string()),
        (
            "node of",
            printable(&format!("{} (version {})", status.member, status.version)),
        ),
        (
            "last block",
            format!("{}, {} entries", status.height, status.log_size),
        ),
        ("final", finality),
        (
            "validators",
            format!(
                "{}, connected to {connected} of {} others",
                status.validators,
                status.peers.len()
            ),
        ),
        (
            "waiting",
            format!(
                "{} envelopes, {} bytes",
                status.pool.envelopes, status.pool.bytes
            ),
        ),
    ];
    rows.iter()
        .map(|(name, value)| format!("{name:<12} {value}\n"))
        .collect()
}
