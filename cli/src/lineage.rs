//! `jangbu lineage`: which data a model was made from and under which agreements, or which models
//! were made from data.
//!
//! ```text
//!   uses on the ledger ──┐
//!   uses of own sealed ──┴▶ Lineage: uses, how each input stood then and stands now ─▶ table, JSON,
//!                                                                          in-toto, PROV
//! ```
//!
//! `trace` follows what products contain, link by link. A use is no link between two things: it
//! has many inputs, each under an agreement that may have ended since. Of a thing with uses `trace`
//! shows what is shown here.

mod found;
mod in_toto;
mod prov;
#[cfg(test)]
mod tests;
mod text;

use std::path::PathBuf;

use clap::ValueEnum;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::{Direction, Lineage};

use crate::context::Context;
use crate::error::CliError;
use crate::share::Agreements;
use crate::trace::{self, Picture};

/// Arguments of `jangbu lineage`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model or a dataset, in a version; with --forward also an agreement
    #[arg(value_name = "ID")]
    subject: Identifier,
    /// Show what was made from it instead, and what of that to make again
    #[arg(long)]
    forward: bool,
    /// Nothing of the sealed shares that this vault has keys of: what everybody can read
    #[arg(long)]
    public: bool,
    /// Also what this sealed share says, which was granted to you; repeatable
    #[arg(long, value_name = "FILE")]
    granted: Vec<PathBuf>,
    /// How many uses in a row [default: all]
    #[arg(long, value_name = "USES", value_parser = clap::value_parser!(u32).range(1..=64))]
    depth: Option<u32>,
    /// How to print it; --json means json
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// How a lineage is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// One JSON object
    Json,
    /// A graph for Graphviz
    Dot,
    /// A picture
    Svg,
    /// A page with the picture and a table
    Html,
    /// in-toto Statements (v1) with SLSA provenance, one a line
    InToto,
    /// W3C PROV-JSON
    Prov,
}

/// Shows a lineage.
///
/// # Errors
///
/// [`CliError`] if no use names the subject, a share cannot be read, or no node answers.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let direction = if args.forward {
        Direction::Forward
    } else {
        Direction::Back
    };
    let agreements = Agreements::read(ctx, !args.public, &args.granted)?;
    let lineage = found::find(ctx, (&args.subject, direction), args.depth, &agreements)?;
    if lineage.uses.is_empty() {
        let what = match direction {
            Direction::Back => "no use is recorded that made",
            Direction::Forward => "no use is recorded of",
        };
        let error = CliError::input(format!("{what} {}", args.subject));
        return Err(error.hint(
            "it is recorded with `jangbu share use`; what a product contains is shown by \
             `jangbu trace`",
        ));
    }
    print(ctx, &lineage, args.format)
}

/// A lineage, with what this member's vault knows of it if that is to be read; `None` if no use
/// names the thing.
///
/// # Errors
///
/// [`CliError`] if a share cannot be read, or no node answers.
pub(crate) fn of(
    ctx: &Context,
    subject: &Identifier,
    direction: Direction,
    depth: Option<u32>,
    with_vault: bool,
) -> Result<Option<Lineage>, CliError> {
    let agreements = Agreements::read(ctx, with_vault && ctx.config()?.has_vault(), &[])?;
    let lineage = found::find(ctx, (subject, direction), depth, &agreements)?;
    Ok(Some(lineage).filter(|lineage| !lineage.uses.is_empty()))
}

/// Prints a lineage.
///
/// # Errors
///
/// [`CliError`] if it cannot be said in the format.
pub(crate) fn print(ctx: &Context, lineage: &Lineage, format: Format) -> Result<(), CliError> {
    if lineage.uses.iter().any(|used| used.sealed) {
        ctx.output.note(
            "Some of it stands in sealed shares: only their parties can know it. --public of \
             jangbu lineage leaves it out.",
        );
    }
    let picture = |sort| ctx.output.raw(&trace::picture(lineage, sort));
    match format {
        Format::InToto => {
            let origin = ctx.anchor()?.origin.to_string();
            for statement in in_toto::export(lineage, &origin)? {
                ctx.output.raw(&statement.to_string());
            }
        }
        Format::Prov => ctx.output.raw(&pretty(&prov::export(lineage))?),
        Format::Dot => picture(Picture::Dot),
        Format::Svg => picture(Picture::Svg),
        Format::Html => picture(Picture::Html),
        Format::Json if !ctx.output.json() => ctx.output.raw(&pretty(lineage)?),
        _ => ctx.output.object(lineage, || text::draw(lineage)),
    }
    Ok(())
}

/// A lineage for people.
pub(crate) fn text(lineage: &Lineage) -> String {
    text::draw(lineage)
}

fn pretty(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map_err(CliError::internal)
}
