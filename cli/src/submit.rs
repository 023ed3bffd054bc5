//! From drafts to receipts: the one way in which anything is said on the ledger.
//!
//! ```text
//!   drafts ─▶ openings in the vault ─▶ envelopes, signed and kept ─▶ node ─▶ receipts, verified
//!                     ▲                          │
//!                     └── a second run: receipts it has, envelopes it does not know about
//! ```
//!
//! Invariants:
//! - what opens a statement is on the disk before the statement leaves, and so is the envelope;
//! - an outcome is believed when its receipt is verified with the genesis file, not before;
//! - a second run says nothing twice: it looks for receipts in the vault, asks what became of
//!   envelopes it kept, and sends the same bytes again where nobody knows.

mod outcome;
mod pack;
mod settle;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jangbu_ledger::envelope::{ENVELOPE_BYTES_MAX, Envelope};
use jangbu_ledger::id::StatementId;
use jangbu_ledger::statement::Statement;

use crate::context::{Context, read_bounded};
use crate::document::Opening;
use crate::error::CliError;
use crate::vault::write_atomic;

pub use outcome::{Outcome, Status, Summary};

use settle::Settler;

/// One statement to be said, with what the vault must keep to open it later.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What is said.
    pub statement: Statement,
    /// What opens its commitment, where there is something to open.
    pub opening: Option<Opening>,
    /// What it is to people: a file, a line, an event's id.
    pub label: String,
}

/// How to submit.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Submission")]
pub struct SubmitOptions {
    /// Return once the node has taken it, without waiting for the receipt
    #[arg(long)]
    pub no_wait: bool,
    /// Write the signed envelope to FILE and send nothing; `jangbu submit FILE` sends it
    #[arg(long, value_name = "FILE", conflicts_with = "no_wait")]
    pub sign_only: Option<PathBuf>,
    /// Seconds to wait for the receipts of one envelope
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

impl Default for SubmitOptions {
    fn default() -> Self {
        Self {
            no_wait: false,
            sign_only: None,
            timeout: 60,
        }
    }
}

impl SubmitOptions {
    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.timeout)
    }
}

/// Says the drafts, in order, in as few envelopes as hold them, and tells `each` outcome in the
/// order of the drafts.
///
/// # Errors
///
/// [`CliError`]: refused if a rule refused any statement, after all were tried; unknown with the
/// envelope's id if nobody says what became of it; or what kept the rest from being sent. What
/// was told to `each` holds in any case.
pub fn submit(
    ctx: &Context,
    drafts: Vec<Draft>,
    options: &SubmitOptions,
    each: &mut dyn FnMut(&Outcome),
) -> Result<Summary, CliError> {
    let (chain, member) = (ctx.chain_id()?, ctx.member()?.id());
    for draft in &drafts {
        draft
            .statement
            .check_shape()
            .map_err(|error| CliError::input(format!("{}: {error}", draft.label)))?;
    }
    let ids: Vec<StatementId> = drafts
        .iter()
        .map(|draft| draft.statement.id(&chain, &member))
        .collect();
    let openings = ids.iter().zip(&drafts).filter_map(|(id, draft)| {
        let opening = draft.opening.as_ref()?;
        Some((id, opening))
    });
    let mut openings = openings.peekable();
    if openings.peek().is_some() {
        ctx.open_vault()?.keep_openings(openings)?;
    }

    let mut report = outcome::Report::new(
        ids.iter()
            .copied()
            .zip(drafts.iter().map(|draft| draft.label.clone())),
    );
    if let Some(file) = &options.sign_only {
        let envelope = pack::one(ctx, &drafts, &ids)?;
        write_atomic(file, &envelope.bytes)?;
        report.all_signed();
        report.tell(each);
        return Ok(report.summary(vec![envelope.id]));
    }
    let said = say(ctx, &drafts, &ids, options, &mut report, each);
    report.tell_all(each);
    let envelopes = said.map_err(|error| report.with_progress(error))?;
    report.check()?;
    Ok(report.summary(envelopes))
}

/// Sends what the vault does not know the end of.
fn say(
    ctx: &Context,
    drafts: &[Draft],
    ids: &[StatementId],
    options: &SubmitOptions,
    report: &mut outcome::Report,
    each: &mut dyn FnMut(&Outcome),
) -> Result<Vec<jangbu_ledger::id::EnvelopeId>, CliError> {
    let (vault, chain, verifier) = (ctx.vault()?, ctx.chain_id()?, ctx.verifier()?);
    for id in ids {
        if let Some((path, entry)) = vault.receipt(id, verifier)? {
            report.recorded_before(id, &entry, path);
        }
    }
    report.tell(each);
    if report.is_complete() {
        return Ok(Vec::new());
    }
    let settler = Settler::new(ctx, options)?;
    let mut envelopes = Vec::new();
    for (id, bytes) in vault.envelopes()? {
        let Ok(envelope) = Envelope::decode(&bytes, &chain) else {
            continue;
        };
        let concerns_us = envelope.statement_ids().iter().any(|id| report.lacks(id));
        if let Some(outcomes) = settler.resume(id, &bytes, &envelope, concerns_us)? {
            outcomes.into_iter().for_each(|outcome| report.add(outcome));
            envelopes.push(id);
        }
        report.tell(each);
    }
    let mut first: BTreeMap<StatementId, &Statement> = BTreeMap::new();
    let mut left = Vec::new();
    for (id, draft) in ids.iter().zip(drafts) {
        if report.lacks(id) && first.insert(*id, &draft.statement).is_none() {
            left.push(&draft.statement);
        }
    }
    let key = ctx.signing_key()?;
    for statements in pack::groups(&left) {
        let signed = pack::sign(ctx, key, statements)?;
        vault.keep_envelope(&signed.bytes)?;
        envelopes.push(signed.id);
        for outcome in settler.settle(signed.id, &signed.bytes, &signed.envelope)? {
            report.add(outcome);
        }
        report.tell(each);
    }
    Ok(envelopes)
}

/// Says drafts and prints each outcome: what most verbs do.
///
/// # Errors
///
/// [`CliError`] as for [`submit`].
pub fn submit_and_print(
    ctx: &Context,
    drafts: Vec<Draft>,
    options: &SubmitOptions,
) -> Result<Summary, CliError> {
    let summary = submit(ctx, drafts, options, &mut |outcome| {
        outcome.print(&ctx.output);
    })?;
    if summary.recorded > 0 {
        let receipts = ctx.vault()?.directory().join("receipts");
        let remark = format!(
            "receipts, verified: {}",
            outcome::shown(&receipts).display()
        );
        ctx.output.note(&remark);
    }
    Ok(summary)
}

/// Arguments of `jangbu submit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The envelope that --sign-only wrote
    #[arg(value_name = "FILE")]
    pub envelope: PathBuf,
    /// Return once the node has taken it, without waiting for the receipts
    #[arg(long)]
    pub no_wait: bool,
    /// Seconds to wait for the receipts
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

/// Sends an envelope that was signed before, perhaps elsewhere: no key is needed.
///
/// # Errors
///
/// [`CliError`] as for [`submit`].
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let bytes = read_bounded(&args.envelope, ENVELOPE_BYTES_MAX as u64)?;
    let envelope = Envelope::decode(&bytes, &ctx.chain_id()?)
        .map_err(|error| CliError::file(&args.envelope, error))?;
    let options = SubmitOptions {
        no_wait: args.no_wait,
        sign_only: None,
        timeout: args.timeout,
    };
    let id = Envelope::id_of(&bytes);
    ctx.vault()?.keep_envelope(&bytes)?;
    let labels = (1..).map(|n| format!("{} #{n}", args.envelope.display()));
    let mut report = outcome::Report::new(envelope.statement_ids().into_iter().zip(labels));
    let settled = Settler::new(ctx, &options)?.settle(id, &bytes, &envelope)?;
    settled.into_iter().for_each(|outcome| report.add(outcome));
    report.tell_all(&mut |outcome| outcome.print(&ctx.output));
    report.check()
}
