//! The steps of a share that count, for a compliance profile to judge.

use jangbu_ledger::profile::{Instant, ShareStep};

use super::history;
use super::stream::{Named, ShareStream};
use crate::context::Context;
use crate::error::CliError;

/// The steps that count, in log order, and the node's last block.
///
/// # Errors
///
/// [`CliError`] if the vault does not know the share, or no node answers.
pub(crate) fn steps_that_count(
    ctx: &Context,
    name: &str,
) -> Result<(Vec<ShareStep>, Instant), CliError> {
    let named = Named {
        name,
        with: None,
        role: None,
        open: false,
    };
    let stream = ShareStream::find(ctx, named)?;
    // Before the steps: what comes after this block does not count.
    let status = ctx.client()?.status()?;
    let last = Instant {
        height: status.height,
        time_ms: status.time_ms,
    };
    let history = history::read(ctx, &stream)?;
    let counting = history.steps.iter().filter(|step| step.broken.is_none());
    let steps = counting
        .filter_map(|step| {
            Some(ShareStep {
                step: step.deed.as_ref()?.step(),
                statement: step.statement_id,
                sequence: step.sequence,
                height: step.height,
                time_ms: step.time_ms,
            })
        })
        .collect();
    Ok((steps, last))
}
