//! Dataspace Protocol messages among the documents: steps of one data share.

use jangbu_ledger::share::{Party, Step};

use super::Args;
use crate::context::Context;
use crate::error::CliError;
use crate::ingest::said::{SaidStep, SkipReason, Skipped};
use crate::share::{self, ShareStream};
use crate::submit::Outcome;

/// What became of a message.
pub(super) enum Taken {
    /// It was the member's step.
    Said(Outcome),
    /// It was not, or not by a message alone.
    Skipped(Skipped),
}

/// Takes the step of a message if it is the member's to take.
pub(super) fn take(ctx: &Context, args: &Args, step: SaidStep) -> Result<Taken, CliError> {
    let skip = |reason, message: String| {
        Ok(Taken::Skipped(Skipped {
            label: step.label.clone(),
            reason,
            message,
        }))
    };
    let Some(name) = args.share.as_deref().or(step.name.as_deref()) else {
        return Err(CliError::input(format!(
            "{}: of which data share is this a step?",
            step.label
        ))
        .hint("name it: --share NAME"));
    };
    let role = args.role.map(Party::from);
    let stream = ShareStream::open(ctx, name, args.with.as_deref(), role)?;
    if step.party.is_some_and(|party| party != stream.role) {
        return skip(
            SkipReason::OtherCompany,
            format!("{} says this", stream.with),
        );
    }
    if step.step == Step::TransferStarted {
        return skip(
            SkipReason::Incomplete,
            format!(
                "the message does not tell what is sent: jangbu share start {name} --file FILE"
            ),
        );
    }
    let taken = share::Taken {
        label: step.label,
        step: step.step,
        document: step.document,
        root: None,
        occurrence: 0,
    };
    let mut last = None;
    share::take(ctx, &stream, &taken, &args.submit, &mut |outcome| {
        last = Some(outcome.clone());
    })?;
    last.map(Taken::Said)
        .ok_or_else(|| CliError::internal("a step was taken and nothing told what became of it"))
}
