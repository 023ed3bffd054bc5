//! `jangbu trace`: what a product is made of, across companies, or what contains it; of a model, what
//! it was trained on, of data, what was made from it.
//!
//! ```text
//!   node's answer ─▶ Graph: who is below whom, how each thing stands ─▶ tree, DOT, SVG, HTML, PROV
//!   uses ─▶ Lineage, as `jangbu lineage` shows it ─▶ Told: the same pictures in other words
//! ```

mod dot;
mod graph;
mod html;
mod layout;
mod prov;
pub(crate) mod prov_names;
mod svg;
mod told;
mod tree;

use clap::ValueEnum;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::{Direction as Way, Lineage};
use serde::Serialize;

use crate::client::{Direction, TraceAnswer};
use crate::context::Context;
use crate::error::CliError;
use crate::lineage;

use graph::{Counts, Graph};
use told::Told;

/// Arguments of `jangbu trace`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The product, batch or item; or a model, or a dataset
    #[arg(value_name = "ID")]
    product: Identifier,
    /// Show what contains it instead: whatever a recall of it reaches
    #[arg(long)]
    up: bool,
    /// Of data: the models that were made from it, and which of them to make again
    #[arg(long, conflicts_with = "up")]
    forward: bool,
    /// How to print it; --json means json
    #[arg(long, value_enum, default_value = "tree")]
    format: Format,
    /// How many levels [default: all]
    #[arg(long, value_name = "LEVELS", value_parser = clap::value_parser!(u32).range(0..=64))]
    depth: Option<u32>,
    /// As it was after the block at this height
    #[arg(long, value_name = "HEIGHT")]
    at: Option<u64>,
}

/// How a trace is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tree for people
    Tree,
    /// One JSON object
    Json,
    /// A graph for Graphviz
    Dot,
    /// A picture
    Svg,
    /// A page with the picture and a table
    Html,
    /// W3C PROV-JSON
    Prov,
}

/// A picture of a lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// For Graphviz.
    Dot,
    /// By itself.
    Svg,
    /// In a page, with a table.
    Html,
}

/// A trace with its numbers.
#[derive(Debug, Serialize)]
struct Traced {
    direction: Direction,
    counts: Counts,
    #[serde(flatten)]
    trace: TraceAnswer,
    /// The words of pictures, where the links are of another sort.
    #[serde(skip)]
    told: Option<Told>,
    /// The uses that made it, or that it went into, where there are both.
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage: Option<Lineage>,
}

impl Traced {
    fn new(trace: TraceAnswer, direction: Direction) -> Self {
        Self {
            direction,
            counts: Graph::new(&trace, direction).counts(),
            trace,
            told: None,
            lineage: None,
        }
    }

    fn told(trace: TraceAnswer, direction: Direction, told: Told) -> Self {
        Self {
            told: Some(told),
            ..Self::new(trace, direction)
        }
    }

    fn graph(&self) -> Graph<'_> {
        Graph::new(&self.trace, self.direction).in_words(self.told.as_ref())
    }
}

/// What a product is made of, as a tree for people.
pub(crate) fn tree(trace: TraceAnswer) -> String {
    tree::draw(&Traced::new(trace, Direction::Down))
}

/// An answer in each form it is printed in.
///
/// # Errors
///
/// [`CliError`] if it cannot be written, which nothing in it causes.
pub(crate) fn drawn(trace: TraceAnswer, direction: Direction) -> Result<Vec<String>, CliError> {
    let traced = Traced::new(trace, direction);
    Ok(vec![
        tree::draw(&traced),
        dot::draw(&traced),
        svg::draw(&traced),
        html::draw(&traced),
        pretty(&prov::export(&traced))?,
    ])
}

/// A lineage as a picture.
pub(crate) fn picture(lineage: &Lineage, sort: Picture) -> String {
    let traced = told::of(lineage);
    match sort {
        Picture::Dot => dot::draw(&traced),
        Picture::Svg => svg::draw(&traced),
        Picture::Html => html::draw(&traced),
    }
}

/// Traces.
///
/// # Errors
///
/// [`CliError`] if nothing is known of the product, or no node answers.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let direction = if args.up || args.forward {
        Direction::Up
    } else {
        Direction::Down
    };
    let trace = ctx
        .client()?
        .trace(&args.product, direction, args.depth, args.at)?;
    if trace.root != args.product {
        return Err(CliError::unreachable(format!(
            "the node speaks of {} when asked about {}",
            trace.root, args.product
        )));
    }
    let linked = !trace.edges.is_empty();
    let lineage = args.lineage(ctx, linked)?;
    if !linked && let Some(lineage) = lineage {
        return lineage::print(ctx, &lineage, args.format.into());
    }
    if !linked && trace.nodes.iter().all(|node| !node.known) {
        return Err(
            CliError::input(format!("nothing is recorded about {}", args.product))
                .hint("jangbu list shows what there is"),
        );
    }
    let traced = Traced {
        lineage,
        ..Traced::new(trace, direction)
    };
    if traced.lineage.is_some() && !matches!(args.format, Format::Tree | Format::Json) {
        ctx.output.note(&format!(
            "These are its links. What uses of data it stands in: jangbu lineage {}",
            args.product
        ));
    }
    match args.format {
        Format::Dot => ctx.output.raw(&dot::draw(&traced)),
        Format::Svg => ctx.output.raw(&svg::draw(&traced)),
        Format::Html => ctx.output.raw(&html::draw(&traced)),
        Format::Prov => ctx.output.raw(&pretty(&prov::export(&traced))?),
        Format::Json if !ctx.output.json() => ctx.output.raw(&pretty(&traced)?),
        _ => ctx.output.object(&traced, || {
            let mut text = tree::draw(&traced);
            if let Some(lineage) = &traced.lineage {
                text.push('\n');
                text.push_str(&lineage::text(lineage));
            }
            text
        }),
    }
    Ok(())
}

impl Args {
    /// The uses that made it, or that it went into, if there are any. They are looked for where a
    /// model or data is asked about, and where there are no links.
    fn lineage(&self, ctx: &Context, linked: bool) -> Result<Option<Lineage>, CliError> {
        let name = self.product.as_str();
        let version = name.starts_with("model:") || name.starts_with("dataset:");
        if linked && !version && !self.forward {
            return Ok(None);
        }
        let way = if self.up || self.forward {
            Way::Forward
        } else {
            Way::Back
        };
        if self.at.is_some() {
            // How an input stood at the time of each use, a lineage says anyway.
            return match linked {
                true => Ok(None),
                false if !version && !self.forward => Ok(None),
                false => Err(CliError::input("--at is for links between products").hint(
                    "a lineage tells of each use how its agreements stood then: leave --at out",
                )),
            };
        }
        // A vault's shares take a while to read, and no product stands in them.
        lineage::of(ctx, &self.product, way, self.depth, version || self.forward)
    }
}

impl From<Format> for lineage::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Tree => Self::Table,
            Format::Json => Self::Json,
            Format::Dot => Self::Dot,
            Format::Svg => Self::Svg,
            Format::Html => Self::Html,
            Format::Prov => Self::Prov,
        }
    }
}

fn pretty(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map_err(CliError::internal)
}
