//! `jangbu trace`: what a product is made of, across companies, or what contains it.
//!
//! ```text
//!   node's answer ─▶ Graph: who is below whom, how each thing stands ─▶ tree, DOT, SVG, HTML, PROV
//! ```

mod dot;
mod graph;
mod html;
mod layout;
mod prov;
pub(crate) mod prov_names;
mod svg;
mod tree;

use clap::ValueEnum;
use jangbu_ledger::identifier::Identifier;
use serde::Serialize;

use crate::client::{Direction, TraceAnswer};
use crate::context::Context;
use crate::error::CliError;

use graph::{Counts, Graph};

/// Arguments of `jangbu trace`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The product, batch or item
    #[arg(value_name = "ID")]
    product: Identifier,
    /// Show what contains it instead: whatever a recall of it reaches
    #[arg(long)]
    up: bool,
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

/// A trace with its numbers.
#[derive(Debug, Serialize)]
struct Traced {
    direction: Direction,
    counts: Counts,
    #[serde(flatten)]
    trace: TraceAnswer,
}

impl Traced {
    fn new(trace: TraceAnswer, direction: Direction) -> Self {
        Self {
            direction,
            counts: Graph::new(&trace, direction).counts(),
            trace,
        }
    }

    fn graph(&self) -> Graph<'_> {
        Graph::new(&self.trace, self.direction)
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

/// Traces.
///
/// # Errors
///
/// [`CliError`] if nothing is known of the product, or no node answers.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let direction = if args.up {
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
    if trace.edges.is_empty() && trace.nodes.iter().all(|node| !node.known) {
        return Err(
            CliError::input(format!("nothing is recorded about {}", args.product))
                .hint("jangbu list shows what there is; which data a model was trained on: jangbu lineage"),
        );
    }
    let traced = Traced::new(trace, direction);
    match args.format {
        Format::Dot => ctx.output.raw(&dot::draw(&traced)),
        Format::Svg => ctx.output.raw(&svg::draw(&traced)),
        Format::Html => ctx.output.raw(&html::draw(&traced)),
        Format::Prov => ctx.output.raw(&pretty(&prov::export(&traced))?),
        Format::Json if !ctx.output.json() => ctx.output.raw(&pretty(&traced)?),
        _ => ctx.output.object(&traced, || tree::draw(&traced)),
    }
    Ok(())
}

fn pretty(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map_err(CliError::internal)
}
