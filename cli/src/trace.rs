//! `jangbu trace`: what a product is made of, across companies.

mod render;

use std::collections::BTreeSet;

use clap::ValueEnum;
use jangbu_ledger::identifier::Identifier;
use serde::Serialize;

use crate::client::TraceAnswer;
use crate::context::Context;
use crate::error::CliError;

/// Arguments of `jangbu trace`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The product, batch or item
    #[arg(value_name = "ID")]
    product: Identifier,
    /// How to print it; --json means json
    #[arg(long, value_enum, default_value = "tree")]
    format: Format,
    /// How many levels down [default: all]
    #[arg(long, value_name = "LEVELS", value_parser = clap::value_parser!(u32).range(0..=64))]
    depth: Option<u32>,
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
}

/// A trace with its numbers.
#[derive(Debug, Serialize)]
struct Traced {
    counts: Counts,
    #[serde(flatten)]
    trace: TraceAnswer,
}

/// What there is in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Counts {
    /// Different things, the product included.
    things: usize,
    /// Links between them.
    links: usize,
    /// Links that the component's company agrees with.
    confirmed: usize,
    /// Links that one company asserts.
    asserted: usize,
    /// Companies that own any of the things.
    companies: usize,
}

impl Counts {
    fn of(trace: &TraceAnswer) -> Self {
        let confirmed = trace
            .edges
            .iter()
            .filter(|edge| edge.confirmed_by.is_some())
            .count();
        let companies: BTreeSet<&str> = trace
            .nodes
            .iter()
            .filter_map(|node| node.owner_name.as_deref())
            .collect();
        Self {
            things: trace.nodes.len(),
            links: trace.edges.len(),
            confirmed,
            asserted: trace.edges.len() - confirmed,
            companies: companies.len(),
        }
    }
}

/// A trace as a tree for people.
pub(crate) fn tree(trace: TraceAnswer) -> String {
    render::tree(&Traced {
        counts: Counts::of(&trace),
        trace,
    })
}

/// Traces.
///
/// # Errors
///
/// [`CliError`] if nothing is known of the product, or no node answers.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let trace = ctx.client()?.trace(&args.product, args.depth)?;
    if trace.root != args.product {
        return Err(CliError::unreachable(format!(
            "the node speaks of {} when asked about {}",
            trace.root, args.product
        )));
    }
    if trace.nodes.iter().all(|node| !node.known) {
        return Err(
            CliError::input(format!("nothing is recorded about {}", args.product))
                .hint("jangbu list shows what there is"),
        );
    }
    let traced = Traced {
        counts: Counts::of(&trace),
        trace,
    };
    match args.format {
        Format::Dot => ctx.output.raw(&render::dot(&traced)),
        Format::Json if !ctx.output.json() => {
            let text = serde_json::to_string_pretty(&traced).map_err(CliError::internal)?;
            ctx.output.raw(&text);
        }
        _ => ctx.output.object(&traced, || render::tree(&traced)),
    }
    Ok(())
}
