//! `jangbu prove`: exports a proof, and believes it only after verifying it.

use std::path::PathBuf;

use jangbu_ledger::bundle::{self, BUNDLE_BYTES_MAX, Bundle, Claim, DocumentItem, Report, Shown};
use jangbu_ledger::id::{Height, Sequence, Slot, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::Direction;
use serde::Serialize;

use crate::context::Context;
use crate::disclose;
use crate::error::CliError;
use crate::vault::write_atomic;
use crate::view::{rfc3339, table, verify_row};

/// What to prove.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// That a statement is recorded, and signed by its author
    Statement {
        /// The statement
        #[arg(value_name = "ID")]
        id: StatementId,
        /// Where to write the proof
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// Show its document too, from the vault: all of it
        #[arg(long, conflicts_with = "fields")]
        with_document: bool,
        /// Show this of its document, from the vault, and nothing else: a field, or all fields of an
        /// object; repeatable
        #[arg(long = "field", value_name = "POINTER")]
        fields: Vec<String>,
    },
    /// That these are all statements about a subject, or that there are none
    Subject {
        /// The product, batch, item…
        #[arg(value_name = "ID")]
        identifier: Identifier,
        /// Where to write the proof
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// That a member's slot of a sealed stream is empty, or what is in it
    Slot {
        /// The member's name
        #[arg(value_name = "MEMBER")]
        of: String,
        /// The slot
        #[arg(value_name = "SLOT")]
        slot: Slot,
        /// Where to write the proof
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// What a product is made of, with everything that is said about each part
    Trace {
        /// The product, batch or item
        #[arg(value_name = "ID")]
        product: Identifier,
        /// How many levels down [default: all]
        #[arg(long, value_name = "LEVELS", value_parser = clap::value_parser!(u32).range(0..=64))]
        depth: Option<u32>,
        /// Where to write the proof
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Which open uses made a model and what it came from, or what was made from data: all of them,
    /// with what their agreements permitted
    Lineage {
        /// A model or a dataset, in a version; with --forward also an agreement
        #[arg(value_name = "ID")]
        subject: Identifier,
        /// What was made from it instead
        #[arg(long)]
        forward: bool,
        /// How many uses in a row [default: all]
        #[arg(long, value_name = "USES", value_parser = clap::value_parser!(u32).range(1..=64))]
        depth: Option<u32>,
        /// Where to write the proof
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

/// What was written.
#[derive(Debug, Serialize)]
struct Proved<'a> {
    file: &'a std::path::Path,
    height: Option<Height>,
    time: Option<String>,
    statements: usize,
    claims: &'a [Claim],
    checked: &'a [String],
    not_checked: &'a [String],
}

/// Fetches, verifies, writes.
///
/// # Errors
///
/// [`CliError`] if no node gives a proof that holds, or the file cannot be written; nothing is
/// written then.
pub fn run(command: &Command, ctx: &Context) -> Result<(), CliError> {
    let mut bundle = fetch(command, ctx)?;
    if let Command::Statement {
        id,
        with_document,
        fields,
        ..
    } = command
    {
        show_document(&mut bundle, ctx, id, *with_document, fields)?;
    }
    let report = believe(ctx, &bundle)?;
    let text = bundle.to_json().map_err(CliError::input)?;
    let file = command.output();
    write_atomic(file, text.as_bytes())?;
    let proved = Proved {
        file,
        height: report.checkpoint.height,
        time: report.checkpoint.time_ms.map(rfc3339),
        statements: report.statements.len(),
        claims: &bundle.claims,
        checked: &report.checked,
        not_checked: &report.not_checked,
    };
    ctx.output.report(&proved, || proved.text(&report));
    Ok(())
}

/// The proof that one statement is recorded.
///
/// # Errors
///
/// [`CliError`] if no node gives one. It is not verified yet.
pub(crate) fn recorded(ctx: &Context, id: StatementId) -> Result<Bundle, CliError> {
    let command = Command::Statement {
        id,
        output: PathBuf::new(),
        with_document: false,
        fields: Vec::new(),
    };
    fetch(&command, ctx)
}

impl Command {
    fn output(&self) -> &PathBuf {
        match self {
            Self::Statement { output, .. }
            | Self::Subject { output, .. }
            | Self::Slot { output, .. }
            | Self::Trace { output, .. }
            | Self::Lineage { output, .. } => output,
        }
    }
}

/// Asks a node for a proof; nothing in it is verified yet.
///
/// # Errors
///
/// [`CliError`] if no node answers, or not with a bundle.
pub(crate) fn ask(ctx: &Context, path: &str, query: &[(&str, String)]) -> Result<Bundle, CliError> {
    let bytes = ctx.client()?.get_bytes(path, query)?;
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(CliError::unreachable("the node's proof is too long"));
    }
    Bundle::parse(&bytes)
        .map_err(|error| CliError::unreachable(format!("the node's proof: {error}")))
}

/// Verifies what a node gave and this program added to.
///
/// # Errors
///
/// [`CliError`] if it does not hold.
pub(crate) fn believe(ctx: &Context, bundle: &Bundle) -> Result<Report, CliError> {
    bundle::verify(bundle, &ctx.anchor()?.verifier()).map_err(|failure| {
        CliError::unreachable(format!("the node's proof does not hold: {failure}"))
            .hint("ask another node: --node URL")
    })
}

/// Asks a node, and refuses an answer to another question.
fn fetch(command: &Command, ctx: &Context) -> Result<Bundle, CliError> {
    let bundle = match command {
        Command::Statement { id, .. } => ask(ctx, &format!("/v1/proofs/statement/{id}"), &[])?,
        Command::Subject { identifier, .. } => ask(
            ctx,
            "/v1/proofs/subject",
            &[("identifier", identifier.to_string())],
        )?,
        Command::Slot { of, slot, .. } => {
            let member = ctx.member_named(of)?.id();
            let query = [("member", member.to_string()), ("slot", slot.to_string())];
            ask(ctx, "/v1/proofs/slot", &query)?
        }
        Command::Trace { product, depth, .. } => {
            let mut query = vec![("identifier", product.to_string())];
            query.extend(depth.map(|depth| ("depth", depth.to_string())));
            ask(ctx, "/v1/proofs/trace", &query)?
        }
        Command::Lineage {
            subject,
            forward,
            depth,
            ..
        } => {
            let way = if *forward { "forward" } else { "back" };
            let mut query = vec![
                ("identifier", subject.to_string()),
                ("direction", way.to_owned()),
            ];
            query.extend(depth.map(|depth| ("depth", depth.to_string())));
            ask(ctx, "/v1/proofs/lineage", &query)?
        }
    };
    let [claim] = bundle.claims.as_slice() else {
        return Err(CliError::unreachable(format!(
            "the node's proof has {} claims, one was asked for",
            bundle.claims.len()
        )));
    };
    if answers(claim, command, ctx)? {
        Ok(bundle)
    } else {
        Err(CliError::unreachable(
            "the node proves something else than was asked for",
        ))
    }
}

fn answers(claim: &Claim, command: &Command, ctx: &Context) -> Result<bool, CliError> {
    Ok(match (command, claim) {
        (Command::Statement { id, .. }, Claim::Recorded { statement, .. }) => id == statement,
        (
            Command::Subject { identifier, .. },
            Claim::Complete { identifier: about } | Claim::Absent { identifier: about },
        ) => identifier == about,
        (
            Command::Slot { of, slot, .. },
            Claim::SlotEmpty { member, slot: at }
            | Claim::SlotUsed {
                member, slot: at, ..
            },
        ) => ctx.member_named(of)?.id() == *member && slot == at,
        (Command::Trace { product, depth, .. }, Claim::Composition { root, depth: down }) => {
            product == root && depth == down
        }
        (
            Command::Lineage {
                subject,
                forward,
                depth,
                ..
            },
            Claim::Lineage {
                root,
                direction,
                depth: along,
            },
        ) => {
            let way = *direction == Direction::Forward;
            subject == root && *forward == way && depth == along
        }
        _ => false,
    })
}

/// Adds what the vault opens of the statement's document.
fn show_document(
    bundle: &mut Bundle,
    ctx: &Context,
    id: &StatementId,
    whole: bool,
    fields: &[String],
) -> Result<(), CliError> {
    if !whole && fields.is_empty() {
        return Ok(());
    }
    let opening = disclose::opening(ctx, id)?;
    let sequence = sequence_of(bundle)?;
    let shown = if whole {
        Shown::Whole(Box::new(opening))
    } else {
        Shown::Fields(Box::new(disclose::choose(&opening, &[], fields)?))
    };
    bundle.documents.push(DocumentItem { sequence, shown });
    Ok(())
}

fn sequence_of(bundle: &Bundle) -> Result<Sequence, CliError> {
    match bundle.claims.first() {
        Some(Claim::Recorded { sequence, .. }) => Ok(*sequence),
        _ => Err(CliError::internal("the proof is not of a statement")),
    }
}

impl Proved<'_> {
    fn text(&self, report: &Report) -> String {
        let mut rows = vec![("proof", self.file.display().to_string())];
        if let (Some(height), Some(time)) = (self.height, &self.time) {
            rows.push(("as of", format!("block {height}, {time}")));
        }
        rows.extend(
            crate::verify::claims_in_words(report)
                .into_iter()
                .map(|line| ("proves", line)),
        );
        rows.push(verify_row(self.file));
        table(&rows)
    }
}
