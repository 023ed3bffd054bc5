//! The command line of the Jangbu provenance ledger.
//!
//! ```text
//!   Args ─▶ Context (configuration, keys, vault, node) ─▶ verb ─▶ Draft ─▶ submit ─▶ receipt
//!                                                           └───▶ Client ─▶ answer ─▶ Output
//! ```
//!
//! Invariants:
//! - what opens a statement is in the vault before the statement is sent, an envelope's bytes
//!   before the envelope is;
//! - nothing counts as recorded before its receipt is verified with the genesis file alone;
//! - every error has one of six exit codes ([`error::Code`]).

pub mod anchor;
pub mod args;
pub mod bench;
pub mod check;
pub mod client;
pub mod config;
pub mod context;
pub mod devnet;
pub mod disclose;
pub mod document;
pub mod drafting;
pub mod error;
pub mod evidence;
pub mod genesis;
pub mod handover;
pub mod heard;
pub mod ingest;
pub mod key;
pub mod lineage;
pub mod link;
pub mod list;
pub mod node;
pub mod notice;
pub mod open;
pub mod output;
pub mod passport;
pub mod profile;
pub mod prove;
pub mod receipt;
pub mod share;
pub mod show;
pub mod submit;
pub mod trace;
pub mod vault;
pub mod verify;
pub mod view;
pub mod watch;

use std::process::ExitCode;

use args::Args;
use context::Context;

/// Runs one command.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    let Args { globals, command } = args;
    let context = Context::new(globals);
    let result = command
        .run(&context)
        .and_then(|code| context.output.finish().map(|()| code));
    result.unwrap_or_else(|error| {
        context.output.error(&error);
        ExitCode::from(error.code.exit())
    })
}
