//! Shows shares to people and programs.

use std::fmt::Write as _;

use jangbu_ledger::id::{Digest, Height, Sequence, StatementId, TimeMs};
use jangbu_ledger::share::{Negotiation, Party, Step, Transfer};
use serde::Serialize;

use super::history::{self, History};
use super::stream::ShareStream;
use crate::context::Context;
use crate::error::CliError;

/// A share and where it stands.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    with: &'a str,
    role: Party,
    negotiation: Negotiation,
    transfer: Transfer,
    started_root: Option<Digest>,
    received: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<ShownStep>>,
}

#[derive(Serialize)]
struct ShownStep {
    sequence: Sequence,
    height: Height,
    time_ms: TimeMs,
    statement_id: StatementId,
    by: String,
    party: Party,
    step: Option<Step>,
    occurrence: u32,
    ciphertext_root: Option<Digest>,
    /// Whether the vault has the step's document.
    document: bool,
    counts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Shows one share with its steps.
pub(super) fn one(ctx: &Context, stream: &ShareStream) -> Result<(), CliError> {
    let history = history::read(ctx, stream)?;
    let own = ctx.member()?.name.as_str();
    let mut steps = Vec::new();
    for step in &history.steps {
        let by = if step.party == stream.role {
            own
        } else {
            &stream.with
        };
        let document = ctx.vault()?.opening(&step.statement_id)?.is_some();
        steps.push(ShownStep {
            sequence: step.sequence,
            height: step.height,
            time_ms: step.time_ms,
            statement_id: step.statement_id,
            by: by.to_owned(),
            party: step.party,
            step: step.body.as_ref().map(|body| body.step),
            occurrence: step.body.as_ref().map_or(0, |body| body.occurrence),
            ciphertext_root: step.body.as_ref().and_then(|body| body.ciphertext_root),
            document,
            counts: step.broken.is_none(),
            rule: step.broken.as_ref().map(|(rule, _)| *rule),
            message: step.broken.as_ref().map(|(_, message)| message.clone()),
        });
    }
    let mut shown = summary(stream, &history);
    shown.steps = Some(steps);
    ctx.output.object(&shown, || text(&shown));
    Ok(())
}

/// Lists the shares that the vault remembers.
pub(super) fn all(ctx: &Context) -> Result<(), CliError> {
    let names = ctx.vault()?.streams()?;
    for name in &names {
        let stream = ShareStream::open(ctx, name, None, None)?;
        let history = history::read(ctx, &stream)?;
        let shown = summary(&stream, &history);
        ctx.output.line(&shown, || line(&shown));
    }
    if names.is_empty() {
        ctx.output
            .note("no data share yet; begin one with jangbu share request NAME --with MEMBER");
    }
    Ok(())
}

fn summary<'a>(stream: &'a ShareStream, history: &History) -> Shown<'a> {
    Shown {
        name: &stream.name,
        with: &stream.with,
        role: stream.role,
        negotiation: history.share.negotiation,
        transfer: history.share.transfer,
        started_root: history.share.started_root,
        received: history.share.received,
        steps: None,
    }
}

fn line(shown: &Shown<'_>) -> String {
    format!(
        "{}  with {} as {}  negotiation {}, transfer {}{}",
        shown.name,
        shown.with,
        shown.role.name(),
        lower(&format!("{:?}", shown.negotiation)),
        lower(&format!("{:?}", shown.transfer)),
        if shown.received { ", received" } else { "" }
    )
}

fn text(shown: &Shown<'_>) -> String {
    let mut text = line(shown);
    for step in shown.steps.iter().flatten() {
        let name = step.step.map_or("unreadable", Step::name);
        // Writing to memory cannot fail.
        let _ = write!(
            text,
            "\n{:>8}  {:<18}  {:<9} {:<12}  {}",
            step.sequence,
            name,
            step.party.name(),
            step.by,
            step.statement_id
        );
        if let Some(root) = step.ciphertext_root {
            let _ = write!(text, "\n{:>8}  root {root}", "");
        }
        if let Some(message) = &step.message {
            let _ = write!(text, "\n{:>8}  does not count: {message}", "");
        }
    }
    text
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}
