//! Dataspace Protocol messages among the documents: steps of one data share.

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Deed, Party, Step};

use super::Args;
use crate::context::Context;
use crate::error::CliError;
use crate::ingest::said::{SaidStep, SkipReason, Skipped};
use crate::share::{self, Named, ShareStream};
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
    let named = Named {
        name,
        with: args.with.as_deref(),
        role,
        open: false,
    };
    let stream = ShareStream::find(ctx, named)?;
    let own = stream.party()?;
    if let Some(other) = step.party.filter(|party| *party != own) {
        return skip(
            SkipReason::OtherCompany,
            format!("{} says this", stream.name_of(other)),
        );
    }
    let Some(deed) = deed_of(step.step, step.data) else {
        return skip(
            SkipReason::Incomplete,
            format!("the message does not tell what is sent: jangbu share start {name} FILE"),
        );
    };
    let taken = share::Taken {
        label: step.label,
        deed,
        document: step.document,
        section: None,
        occurrence: 0,
    };
    let mut last = None;
    share::take(ctx, &stream, &taken, &args.submit, &mut |outcome| {
        last = Some(outcome.clone());
    })?;
    last.map(Taken::Said)
        .ok_or_else(|| CliError::internal("a step was taken and nothing told what became of it"))
}

/// What a message of the protocol states; `None` if its step needs more than a message tells.
/// Which uses a policy permits, its document alone says.
fn deed_of(step: Step, data: Vec<Identifier>) -> Option<Deed> {
    let permits = Vec::new();
    Some(match step {
        Step::Requested => Deed::Requested,
        Step::Offered => Deed::Offered { permits, data },
        Step::Accepted => Deed::Accepted,
        Step::Agreed => Deed::Agreed { permits, data },
        Step::Verified => Deed::Verified,
        Step::Finalized => Deed::Finalized,
        Step::Terminated => Deed::Terminated,
        Step::TransferRequested => Deed::TransferRequested,
        Step::TransferSuspended => Deed::TransferSuspended,
        Step::TransferCompleted => Deed::TransferCompleted,
        Step::TransferTerminated => Deed::TransferTerminated,
        _ => return None,
    })
}
