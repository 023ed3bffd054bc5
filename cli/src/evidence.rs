//! `jangbu evidence`: what a validator signed twice, put on the ledger.

use std::path::PathBuf;

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::equivocation::{EVIDENCE_BYTES_MAX, Evidence};
use jangbu_ledger::statement::{Kind, Statement};

use crate::context::{Context, read_bounded};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions, submit_and_print};

/// What to do with evidence.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Record it: every validator checks the signatures, each offence is recorded once
    Record(Record),
}

/// Arguments of `evidence record`.
#[derive(Debug, clap::Args)]
pub struct Record {
    /// The file that a node wrote: data/evidence/*.json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// Does it.
///
/// # Errors
///
/// [`CliError`] if the file is no evidence of this ledger, or as for `submit`.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    let Command::Record(args) = command;
    let bytes = read_bounded(&args.file, EVIDENCE_BYTES_MAX as u64)?;
    let evidence = Evidence::parse(&bytes).map_err(|error| CliError::file(&args.file, error))?;
    let chain = ctx.chain_id()?;
    if evidence.chain_id != chain {
        let reason = format!(
            "it is of the ledger {}, this one is {chain}",
            evidence.chain_id
        );
        return Err(CliError::file(&args.file, reason));
    }
    let draft = Draft {
        statement: Statement {
            kind: Kind::EvidenceRecorded {
                equivocation: Box::new(evidence.equivocation),
            },
            occurrence: 0,
            streams: Vec::new(),
            commitment: Commitment::NOTHING,
            references: Vec::new(),
            payload: Vec::new(),
        },
        opening: None,
        label: args.file.display().to_string(),
    };
    submit_and_print(ctx, vec![draft], &args.submit).map(|_| ())
}
