//! `jangbu show`: what is known under one id.

use std::path::Path;

use jangbu_ledger::id::{EnvelopeId, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::Kind;
use serde::Serialize;

use crate::client::{EnvelopeAnswer, Finality, Side, StatementAnswer, SubjectAnswer};
use crate::context::Context;
use crate::document::Opening;
use crate::error::CliError;
use crate::view::{View, short, streams, table};

/// Lines of a document that people are shown.
const DOCUMENT_LINES_MAX: usize = 24;
/// Statements of each stream that are shown with a subject.
const STATEMENTS_MAX: usize = 20;

/// Arguments of `jangbu show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A statement's id, an envelope's id, or an identifier (product, batch, item…)
    #[arg(value_name = "ID")]
    id: String,
    /// What is known under an identifier as it was after the block at this height
    #[arg(long, value_name = "HEIGHT")]
    at: Option<u64>,
}

/// A statement with all that is known of it.
#[derive(Debug, Serialize)]
struct StatementShown {
    status: Finality,
    /// Whether a receipt shows it to be recorded, verified with the genesis file.
    verified: bool,
    #[serde(flatten)]
    view: View,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<std::path::PathBuf>,
    /// Whether the vault has the document, and nothing unlocks it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    locked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<OpeningShown>,
}

/// What the vault opens, without its key.
#[derive(Debug, Serialize)]
struct OpeningShown {
    version: u32,
    schema: String,
    matches_commitment: bool,
    document: serde_json::Value,
}

/// A subject with what is said about it.
#[derive(Debug, Serialize)]
struct SubjectShown {
    #[serde(flatten)]
    subject: SubjectAnswer,
    statements: Vec<View>,
    claimed: Vec<View>,
}

/// Shows it.
///
/// # Errors
///
/// [`CliError`] if nothing is known under the id, or no node answers.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let text = args.id.as_str();
    let hexadecimal = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !hexadecimal {
        let identifier: Identifier = text.parse().map_err(|error| {
            CliError::input(error).hint("an id has 64 hexadecimal digits; else give an identifier")
        })?;
        return subject(ctx, &identifier, args.at);
    }
    if args.at.is_some() {
        return Err(CliError::input(
            "--at HEIGHT: a statement never changes; it goes with an identifier",
        ));
    }
    let id = text.to_ascii_lowercase();
    let statement: StatementId = id.parse().map_err(CliError::input)?;
    let answer = ctx.client()?.statement(&statement)?;
    if answer.sequence.is_some() {
        return show_statement(ctx, &answer);
    }
    let envelope: EnvelopeId = id.parse().map_err(CliError::input)?;
    let answer = ctx.client()?.envelope(&envelope)?;
    let kept = if ctx.config()?.has_vault() {
        Some(ctx.vault()?.envelope_path(&envelope)).filter(|path| path.exists())
    } else {
        None
    };
    if answer.status != Finality::Unknown || kept.is_some() {
        ctx.output
            .object(&answer, || envelope_text(&answer, kept.as_deref()));
        return Ok(());
    }
    Err(
        CliError::input("the node knows no statement and no envelope of this id")
            .about(id)
            .hint("it may still be on its way: ask again in a moment"),
    )
}

fn show_statement(ctx: &Context, answer: &StatementAnswer) -> Result<(), CliError> {
    let anchor = ctx.anchor()?;
    let id = answer.statement_id;
    let view = answer
        .entry(&anchor.chain_id)?
        .and_then(|entry| View::of(&entry, anchor))
        .ok_or_else(|| CliError::unreachable(format!("the node shows no statement for {id}")))?;
    let vault = if ctx.config()?.has_vault() {
        Some(ctx.vault()?)
    } else {
        None
    };
    let kept = match vault {
        Some(vault) => vault.receipt(&id, ctx.verifier()?)?,
        None => None,
    };
    let verified = match (&kept, answer.status) {
        (Some(_), _) => true,
        (None, Finality::Final) => {
            let receipt = ctx.client()?.receipt(&id)?;
            ctx.verifier()?.entry_of(&id, &receipt).map_err(|reason| {
                CliError::unreachable(format!("the node's receipt does not hold: {reason}"))
                    .about(id)
            })?;
            true
        }
        _ => false,
    };
    let kept_opening = vault.is_some_and(|vault| vault.has_opening(&id));
    let locked = kept_opening && !ctx.may_unlock()?;
    let opening = match kept_opening && !locked {
        true => ctx.opening(&id)?,
        false => None,
    };
    let shown = StatementShown {
        status: answer.status,
        verified,
        receipt: kept.map(|(path, _)| path),
        locked,
        opening: opening
            .map(|opening| OpeningShown::of(&opening, &view))
            .transpose()?,
        view,
    };
    ctx.output.object(&shown, || shown.text());
    Ok(())
}

impl OpeningShown {
    fn of(opening: &Opening, view: &View) -> Result<Self, CliError> {
        Ok(Self {
            version: opening.version,
            schema: opening.schema.clone(),
            matches_commitment: opening.commitment()? == view.statement.commitment,
            document: opening.document(),
        })
    }
}

impl StatementShown {
    fn text(&self) -> String {
        let view = &self.view;
        let status = match (self.status, self.verified) {
            (Finality::Final, true) => "final, receipt verified".to_owned(),
            (status, _) => status.name().to_owned(),
        };
        let mut rows = vec![
            ("statement", view.statement_id.to_string()),
            ("says", view.says.clone()),
            ("by", format!("{} (key {})", view.member, view.key_id)),
            ("status", status),
            (
                "recorded",
                format!(
                    "entry {}, block {}, {}",
                    view.sequence, view.height, view.time
                ),
            ),
            ("envelope", view.envelope_id.to_string()),
        ];
        rows.extend(streams(&view.statement).map(|stream| ("stream", stream)));
        for reference in &view.statement.references {
            rows.push(("refers to", reference.to_string()));
        }
        rows.push(("commitment", view.statement.commitment.digest.to_string()));
        if let Some(path) = &self.receipt {
            rows.push(("receipt", path.display().to_string()));
        }
        if self.locked {
            rows.push((
                "document",
                "in the vault, locked: --passphrase-file FILE shows it".to_owned(),
            ));
        }
        let Some(opening) = &self.opening else {
            return table(&rows);
        };
        let matches = if opening.matches_commitment {
            "opens the commitment"
        } else {
            "DOES NOT OPEN the commitment: the vault's file was changed"
        };
        rows.push((
            "document",
            format!("version {}, {}, {matches}", opening.version, opening.schema),
        ));
        let document = serde_json::to_string_pretty(&opening.document).unwrap_or_default();
        let mut text = table(&rows);
        for line in document.lines().take(DOCUMENT_LINES_MAX) {
            text.push_str(&format!("  {line}\n"));
        }
        let more = document.lines().count().saturating_sub(DOCUMENT_LINES_MAX);
        if more > 0 {
            text.push_str(&format!("  … {more} more lines; --json shows all\n"));
        }
        text
    }
}

/// What became of an envelope, for people.
pub(crate) fn envelope_text(answer: &EnvelopeAnswer, kept: Option<&Path>) -> String {
    let mut rows = vec![
        ("envelope", answer.envelope_id.to_string()),
        ("status", answer.status.name().to_owned()),
    ];
    if let Some(path) = kept {
        rows.push(("kept in", path.display().to_string()));
    }
    for outcome in answer.outcomes.iter().flatten() {
        let what = match (&outcome.rule, outcome.sequence) {
            (Some(rule), _) => crate::client::printable(&format!("refused by {rule}")),
            (None, Some(sequence)) => format!("{}, entry {sequence}", outcome.status.name()),
            (None, None) => outcome.status.name().to_owned(),
        };
        rows.push(("statement", format!("{}  {what}", outcome.statement_id)));
    }
    table(&rows)
}

/// What is known of a subject, for people, without what is said about it.
pub(crate) fn subject_text(subject: SubjectAnswer) -> String {
    let shown = SubjectShown {
        subject,
        statements: Vec::new(),
        claimed: Vec::new(),
    };
    shown.text()
}

fn subject(ctx: &Context, identifier: &Identifier, at: Option<u64>) -> Result<(), CliError> {
    let answer = ctx.client()?.subject_at(identifier, at)?;
    if answer.identifier != *identifier {
        return Err(CliError::unreachable(format!(
            "the node speaks of {} when asked about {identifier}",
            answer.identifier
        )));
    }
    let shown = SubjectShown {
        statements: page(ctx, identifier, Side::Open, at)?,
        claimed: page(ctx, identifier, Side::Claims, at)?,
        subject: answer,
    };
    ctx.output.object(&shown, || shown.text());
    Ok(())
}

fn page(
    ctx: &Context,
    identifier: &Identifier,
    side: Side,
    at: Option<u64>,
) -> Result<Vec<View>, CliError> {
    let anchor = ctx.anchor()?;
    let page = ctx
        .client()?
        .subject_statements(identifier, side, None, STATEMENTS_MAX, at)?;
    page.items
        .iter()
        .filter_map(|item| match item.entry() {
            Ok(entry) => View::of(&entry, anchor).map(Ok),
            Err(error) => Some(Err(error)),
        })
        .collect()
}

impl SubjectShown {
    fn text(&self) -> String {
        let subject = &self.subject;
        let count = |stream: &Option<crate::client::StreamAnswer>| {
            stream.as_ref().map_or(0, |stream| stream.count)
        };
        let mut rows = vec![("identifier", subject.identifier.to_string())];
        if !subject.known {
            rows.push((
                "known",
                format!("nothing is recorded, as of block {}", subject.height),
            ));
            return table(&rows);
        }
        let owner = subject.owner_name.as_deref().unwrap_or("unknown");
        rows.push(("company", crate::client::printable(owner)));
        if let Some(custodian) = &subject.custodian_name {
            rows.push(("held by", crate::client::printable(custodian)));
        }
        if let Some(container) = &subject.container {
            rows.push(("packed in", container.to_string()));
        }
        if let Some(passport) = &subject.passport {
            let mut text = format!("{:?}, version {}", passport.granularity, passport.version);
            text.make_ascii_lowercase();
            if let Some(warning) = passport.life.warning() {
                text.push_str(", ");
                text.push_str(warning);
            }
            rows.push(("passport", text));
        }
        if let Some(part_of) = &subject.part_of {
            // The ledger knows the coarser subject by its id; who linked it named it.
            let named = self
                .statements
                .iter()
                .find_map(|view| match &view.statement.kind {
                    Kind::GranularityLinked { part_of: named }
                        if named.subject_id() == *part_of =>
                    {
                        Some(named.to_string())
                    }
                    _ => None,
                });
            let named = named.unwrap_or_else(|| format!("subject {}", short(part_of)));
            rows.push(("part of", named));
        }
        let all = match subject.closed {
            Some(true) => ", and these are all, its company says",
            _ => "",
        };
        let links = subject.links.unwrap_or(0);
        rows.push(("components", format!("{links} linked{all}")));
        for balance in &subject.balance {
            let made = balance.produced.as_ref();
            let made = made.map_or("not stated".to_owned(), |made| {
                format!("{made} {}", balance.unit)
            });
            let used = format!("{} {}", balance.consumed, balance.unit);
            let text = format!("made: {made}, went into other things: {used}");
            rows.push(("balance", crate::client::printable(&text)));
        }
        rows.push((
            "statements",
            format!(
                "{} by its company, {} by others, as of block {}",
                count(&subject.open),
                count(&subject.claims),
                subject.height
            ),
        ));
        let mut text = table(&rows);
        for view in self.statements.iter().chain(&self.claimed) {
            text.push_str(&format!("{}\n", view.line()));
        }
        let shown = (self.statements.len() + self.claimed.len()) as u64;
        if shown < count(&subject.open).saturating_add(count(&subject.claims)) {
            text.push_str("   …  the rest: jangbu list --subject ID\n");
        }
        text
    }
}
