//! `share use`: what data was used for, and what came of it.

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Deed, Usage, UseCode};

use super::{StepArgs, find, said, sorted};
use crate::context::Context;
use crate::error::CliError;

/// Arguments of `share use`.
#[derive(Debug, clap::Args)]
pub struct UseArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// What it was used for
    #[arg(long, value_name = "CODE", default_value = UseCode::AI_TRAINING)]
    pub activity: UseCode,
    /// A further use that must be permitted; repeatable
    #[arg(long = "code", value_name = "CODE")]
    pub codes: Vec<UseCode>,
    /// Another agreement whose data went in: a sealed one's subject, an open one's name; repeatable
    #[arg(long = "input", value_name = "ID")]
    pub inputs: Vec<Identifier>,
    /// What was made: model:…, dataset:…; repeatable
    #[arg(long = "output", value_name = "ID")]
    pub outputs: Vec<Identifier>,
}

/// Records a use.
pub(super) fn run(ctx: &Context, args: UseArgs) -> Result<(), CliError> {
    let stream = find(ctx, &args.step.share, None)?;
    let own = stream.subject();
    let others = args.inputs.into_iter().filter(|input| *input != own);
    let usage = Usage {
        activity: args.activity,
        codes: sorted(args.codes),
        inputs: std::iter::once(own.clone()).chain(others).collect(),
        outputs: args.outputs,
    };
    said(ctx, &stream, &args.step, Deed::Used(usage), None).map(|_| ())
}
