//! Shows shares to people and programs.

use std::fmt::Write as _;

use jangbu_genesis::document::Member;
use jangbu_ledger::id::{Height, Sequence, StatementId, TimeMs};
use jangbu_ledger::share::{Covered, Deed, Party, Share};
use serde::Serialize;

use super::history::{self, History};
use super::stream::{Channel, Named, ShareStream};
use crate::context::Context;
use crate::error::CliError;

/// A share and where it stands.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<&'a str>,
    /// Own role, if one has one.
    role: Option<Party>,
    provider: &'a str,
    consumer: &'a str,
    open: bool,
    #[serde(flatten)]
    share: &'a Share,
    /// Of a share that was granted: whether the grant is one of its steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_recorded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<ShownStep<'a>>>,
}

#[derive(Serialize)]
struct ShownStep<'a> {
    sequence: Sequence,
    height: Height,
    time_ms: TimeMs,
    statement_id: StatementId,
    by: String,
    party: Option<Party>,
    #[serde(flatten)]
    deed: Option<&'a Deed>,
    /// For a grant: the name of whom it lets read.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_to: Option<String>,
    occurrence: u32,
    /// Whether the vault has the step's document.
    document: bool,
    counts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    /// For a use: how it stood to each agreement it names.
    #[serde(skip_serializing_if = "<[Covered]>::is_empty")]
    covered: &'a [Covered],
    #[serde(skip_serializing_if = "Option::is_none")]
    flagged: Option<bool>,
}

/// Shows one share with its steps; of one that was granted, whether this statement grants it.
pub(super) fn one(
    ctx: &Context,
    stream: &ShareStream,
    granted: Option<StatementId>,
) -> Result<(), CliError> {
    let history = history::read(ctx, stream)?;
    let mut steps = Vec::new();
    for step in &history.steps {
        let by = match step.party {
            Some(party) => stream.name_of(party).to_owned(),
            None => ctx.anchor()?.name_of(&step.member),
        };
        let document = ctx.vault()?.has_opening(&step.statement_id);
        let used = matches!(step.deed, Some(Deed::Used(_)));
        steps.push(ShownStep {
            sequence: step.sequence,
            height: step.height,
            time_ms: step.time_ms,
            statement_id: step.statement_id,
            by,
            party: step.party,
            deed: step.deed.as_ref(),
            granted_to: match &step.deed {
                Some(Deed::Granted { to }) => Some(ctx.anchor()?.name_of(to)),
                _ => None,
            },
            occurrence: step.occurrence,
            document,
            counts: step.broken.is_none(),
            rule: step.broken.as_ref().map(|(rule, _)| *rule),
            message: step.broken.as_ref().map(|(_, message)| message.as_str()),
            covered: &step.covered,
            flagged: used.then(|| step.covered.iter().any(|covered| covered.is_flagged())),
        });
    }
    let mut shown = summary(stream, &history);
    shown.steps = Some(steps);
    shown.grant_recorded = granted.map(|id| {
        let own = ctx.member().map(Member::id).ok();
        history.steps.iter().any(|step| {
            let to = match step.deed {
                Some(Deed::Granted { to }) => Some(to),
                _ => None,
            };
            step.statement_id == id && to == own
        })
    });
    ctx.output.object(&shown, || text(&shown));
    Ok(())
}

/// Lists the shares that the vault remembers.
pub(super) fn all(ctx: &Context) -> Result<(), CliError> {
    let names = ctx.vault()?.streams()?;
    for name in &names {
        let stream = ShareStream::find(ctx, Named::remembered(name))?;
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

fn summary<'a>(stream: &'a ShareStream, history: &'a History) -> Shown<'a> {
    Shown {
        name: &stream.name,
        with: stream.with(),
        role: stream.role,
        provider: stream.name_of(Party::Provider),
        consumer: stream.name_of(Party::Consumer),
        open: matches!(stream.channel, Channel::Open(_)),
        share: &history.share,
        grant_recorded: None,
        steps: None,
    }
}

fn line(shown: &Shown<'_>) -> String {
    let stand = &shown.share.stand;
    let who = match (shown.with, shown.role) {
        (Some(with), Some(role)) => format!("with {with} as {}", role.name()),
        _ => format!("from {} to {}", shown.provider, shown.consumer),
    };
    let mut line = format!(
        "{}  {who}{}  contract {}, transfer {}, delivery {}",
        shown.name,
        if shown.open { ", in the open" } else { "" },
        word(&stand.contract),
        word(&stand.transfer),
        word(&stand.delivery),
    );
    match stand.dispute {
        jangbu_ledger::share::Dispute::None => {}
        _ => line.push_str(", DISPUTED"),
    }
    line
}

fn text(shown: &Shown<'_>) -> String {
    let mut text = line(shown);
    match shown.grant_recorded {
        Some(true) => text.push_str("\nthat it was granted to you is recorded in it"),
        Some(false) => text.push_str("\nTHE GRANT IS NOT RECORDED in the share itself"),
        None => {}
    }
    for step in shown.steps.iter().flatten() {
        let name = step.deed.map_or("unreadable", |deed| deed.step().name());
        let party = step.party.map_or("-", Party::name);
        // Writing to memory cannot fail.
        let _ = write!(
            text,
            "\n{:>8}  {name:<23}  {party:<9} {:<12}  {}",
            step.sequence, step.by, step.statement_id
        );
        let granted = step.granted_to.as_ref().map(|name| format!("to {name}"));
        if let Some(more) = granted.or_else(|| step.deed.and_then(details)) {
            let _ = write!(text, "\n{:>8}  {more}", "");
        }
        if let Some(Deed::Used(usage)) = step.deed {
            for (input, covered) in usage.inputs.iter().zip(step.covered) {
                let flag = if covered.is_flagged() {
                    "FLAGGED: "
                } else {
                    ""
                };
                let _ = write!(text, "\n{:>8}  {input}: {flag}{}", "", covered.words());
            }
        }
        if let Some(message) = &step.message {
            let _ = write!(text, "\n{:>8}  does not count: {message}", "");
        }
    }
    text
}

/// What a step states, in a line.
fn details(deed: &Deed) -> Option<String> {
    match deed {
        Deed::Offered { permits, data } | Deed::Agreed { permits, data } => {
            let mut terms = Vec::new();
            if !permits.is_empty() {
                terms.push(format!("permits {}", listed(permits)));
            }
            if !data.is_empty() {
                terms.push(format!("about {}", listed(data)));
            }
            (!terms.is_empty()).then(|| terms.join("; "))
        }
        Deed::TransferStarted { sent: Some(sent) } => Some(match &sent.sealing {
            Some(sealing) => format!("root {}, {} bytes encrypted", sent.root, sealing.bytes),
            None => format!("root {}", sent.root),
        }),
        Deed::Received { root } => Some(format!("root {root}")),
        Deed::Rejected { reason } => Some(match reason {
            jangbu_ledger::share::Rejection::Differs { root } => format!("it has root {root}"),
            jangbu_ledger::share::Rejection::NoKey => "its key was not released".to_owned(),
            jangbu_ledger::share::Rejection::WrongKey => {
                "the released key is not the committed one".to_owned()
            }
            jangbu_ledger::share::Rejection::WrongChunk { index } => {
                format!("chunk {index} is not the committed one")
            }
            jangbu_ledger::share::Rejection::Unfit => "it is not what was agreed on".to_owned(),
        }),
        Deed::Used(usage) => {
            let mut text = format!("for {}", usage.activity);
            if !usage.outputs.is_empty() {
                let made = usage.outputs.iter().map(|output| &output.made);
                let _ = write!(text, ", made {}", listed(made));
            }
            for (what, digest) in [("code", usage.code), ("environment", usage.environment)] {
                if let Some(digest) = digest {
                    let _ = write!(text, ", {what} {digest}");
                }
            }
            Some(text)
        }
        _ => None,
    }
}

/// A list for people.
fn listed<T: ToString>(list: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = list.into_iter().map(|item| item.to_string()).collect();
    words.join(", ")
}

/// A state's name for people.
fn word(state: &impl Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name.to_lowercase().replace('_', " "),
        _ => String::new(),
    }
}
