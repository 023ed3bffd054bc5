//! `jangbu receipt`: one statement's receipt as a file, under a quorum's word or one node's.

use std::path::{Path, PathBuf};

use jangbu_ledger::bundle::{self, Report};
use jangbu_ledger::id::{Height, Sequence, StatementId};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::vault::write_atomic;
use crate::view::{table, verify_row};

use super::log_key;

/// Arguments of `jangbu receipt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The statement
    #[arg(value_name = "ID")]
    id: StatementId,
    /// Where to write the receipt
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// In which format
    #[arg(long, value_enum, default_value_t = Format::TlogProof)]
    format: Format,
    /// Write the entry's bytes beside it, for tools that take them apart from the receipt
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
    /// Write the log key of the node that signed beside it, as PEM; for --format cose
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
}

/// The formats of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// C2SP tlog-proof: a quorum of validators cosigned
    TlogProof,
    /// COSE receipt (RFC 9942): the word of one node
    Cose,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written<'a> {
    file: &'a Path,
    statement_id: StatementId,
    sequence: Sequence,
    height: Height,
    /// The one node whose word it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    one_node: Option<&'a str>,
    checked: &'a [String],
    not_checked: &'a [String],
}

/// A receipt that was verified, in the bytes of its format.
struct Fetched {
    bytes: Vec<u8>,
    entry: Vec<u8>,
    report: Report,
}

/// Fetches, verifies, writes.
///
/// # Errors
///
/// [`CliError`] if no node gives a receipt that holds, or a file cannot be written; nothing is
/// written before it was verified.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    if args.log_key.is_some() && args.format != Format::Cose {
        return Err(CliError::input(
            "--log-key goes with --format cose: any node may serve a tlog-proof",
        ));
    }
    let fetched = fetch(args, ctx)?;
    let report = &fetched.report;
    let Some(said) = report.statements.first() else {
        return Err(CliError::unreachable("the node's receipt is of a seal"));
    };
    if said.statement_id != args.id {
        return Err(CliError::unreachable(
            "the node's receipt is of another statement",
        ));
    }
    let one_node = report.checkpoint.one_node.as_ref();
    if let (Some(file), Some(node)) = (&args.log_key, one_node) {
        let anchor = ctx.anchor()?.verifier();
        let mut log_keys = anchor.log_keys.iter();
        let signer = log_keys.find(|log| log.validator.as_str() == node.name);
        let pem = signer.map(|log| log_key::pem(&log.key));
        let pem = pem.ok_or_else(|| CliError::internal("the signer is no validator"))?;
        write_atomic(file, pem.as_bytes())?;
    }
    if let Some(file) = &args.entry {
        write_atomic(file, &fetched.entry)?;
    }
    write_atomic(&args.output, &fetched.bytes)?;
    let written = Written {
        file: &args.output,
        statement_id: said.statement_id,
        sequence: said.sequence,
        height: said.height,
        one_node: one_node.map(|node| node.name.as_str()),
        checked: &report.checked,
        not_checked: &report.not_checked,
    };
    ctx.output.report(&written, || written.text());
    Ok(())
}

fn fetch(args: &Args, ctx: &Context) -> Result<Fetched, CliError> {
    let anchor = ctx.anchor()?.verifier();
    let (bytes, entry, verified) = match args.format {
        Format::TlogProof => {
            let receipt = ctx.client()?.receipt(&args.id)?;
            let verified = bundle::verify_receipt(&receipt, &anchor);
            (receipt.to_string().into_bytes(), receipt.entry, verified)
        }
        Format::Cose => {
            let receipt = ctx.client()?.cose_receipt(&args.id)?;
            let verified = bundle::verify_cose(&receipt, &anchor);
            (receipt.to_bytes(), receipt.entry, verified)
        }
    };
    let report = verified.map_err(|failure| {
        CliError::unreachable(format!("the node's receipt does not hold: {failure}"))
            .hint("ask another node: --node URL")
    })?;
    Ok(Fetched {
        bytes,
        entry,
        report,
    })
}

impl Written<'_> {
    fn text(&self) -> String {
        let mut rows = vec![
            ("receipt", self.file.display().to_string()),
            (
                "shows",
                format!(
                    "entry {} in block {} is the statement {}",
                    self.sequence, self.height, self.statement_id
                ),
            ),
        ];
        rows.push((
            "signed",
            self.one_node.map_or_else(
                || "by a quorum of the validators".to_owned(),
                |node| format!("by the node of {node} alone: its word, no quorum's"),
            ),
        ));
        rows.push(verify_row(self.file));
        table(&rows)
    }
}
