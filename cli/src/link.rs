//! `jangbu link`: what is in what, how it came there, and the other company agreeing or not.

mod answer;
mod container;
mod transform;

use clap::ValueEnum;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Basis, Handed, Kind, Quantity};
use serde_json::json;

use crate::context::Context;
use crate::drafting::{Body, known, open_draft, whole};
use crate::error::CliError;
use crate::handover;
use crate::submit::{Draft, SubmitOptions, submit_and_print};

/// Schema of what a component link has for a body.
const SCHEMA_LINKED: &str = "jangbu/component-linked/v1";
/// Schema of what a closure has for a body.
const SCHEMA_CLOSED: &str = "jangbu/composition-closed/v1";

/// What to link.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// State that your product contains a component
    Component(Component),
    /// State what went into your products and is no longer told apart in them
    Transform(transform::Transform),
    /// State that things were put into your container
    Aggregate(container::Aggregate),
    /// State that things were taken out of a container
    Disaggregate(container::Disaggregate),
    /// Agree, as the part's company, with what another company states
    Confirm(answer::Confirm),
    /// Deny it, as the part's company
    Contest(answer::Contest),
    /// State that everything your product contains is linked
    Close(Close),
    /// Hand a product itself over: one offers, the other accepts
    #[command(subcommand)]
    Custody(handover::Command),
}

/// Arguments of `link component`.
#[derive(Debug, clap::Args)]
pub struct Component {
    /// Your product
    parent: Identifier,
    /// What it contains
    child: Identifier,
    /// How much of it: a decimal number
    #[arg(long, value_name = "NUMBER")]
    quantity: Option<String>,
    /// Unit of the quantity
    #[arg(long, default_value = "unit:piece", requires = "quantity")]
    unit: String,
    /// Whether this is what was built or what is planned
    #[arg(long, default_value = "as-built")]
    basis: BasisArg,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// Arguments of `link close`.
#[derive(Debug, clap::Args)]
pub struct Close {
    /// Your product
    product: Identifier,
    /// How many links there must be [default: as many as the ledger has]
    #[arg(long, value_name = "N")]
    links: Option<u32>,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// A [`Basis`] as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum BasisArg {
    /// This very part is in this very product
    AsBuilt,
    /// Parts of this type are meant to be in products of this type
    AsPlanned,
}

impl From<BasisArg> for Basis {
    fn from(argument: BasisArg) -> Self {
        match argument {
            BasisArg::AsBuilt => Self::AsBuilt,
            BasisArg::AsPlanned => Self::AsPlanned,
        }
    }
}

/// Does it.
///
/// # Errors
///
/// [`CliError`] if what is answered is not to be found, or as for `submit`.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    let (draft, options) = match command {
        Command::Component(args) => (component(&args, ctx)?, args.submit),
        Command::Transform(args) => (transform::draft(&args, ctx)?, args.submit),
        Command::Aggregate(args) => (
            ctx.patiently(|| container::put_in(&args, ctx))?,
            args.submit,
        ),
        Command::Disaggregate(args) => (
            ctx.patiently(|| container::take_out(&args, ctx))?,
            args.submit,
        ),
        Command::Confirm(args) => (ctx.patiently(|| answer::confirm(&args, ctx))?, args.submit),
        Command::Contest(args) => (ctx.patiently(|| answer::contest(&args, ctx))?, args.submit),
        Command::Close(args) => (ctx.patiently(|| close(&args, ctx))?, args.submit),
        Command::Custody(command) => return handover::run(command, Handed::Custody, ctx),
    };
    submit_and_print(ctx, vec![draft], &options).map(|_| ())
}

fn component(args: &Component, ctx: &Context) -> Result<Draft, CliError> {
    let quantity = args
        .quantity
        .as_deref()
        .map(|number| {
            Quantity::parse(number, &args.unit).ok_or_else(|| {
                CliError::input(format!("--quantity {number} --unit {}", args.unit)).hint(
                    "a decimal number that is not negative, at most 9 decimal places, and a \
                     unit of at most 32 bytes",
                )
            })
        })
        .transpose()?;
    linked(ctx, &args.parent, &args.child, args.basis.into(), quantity)
}

fn close(args: &Close, ctx: &Context) -> Result<Draft, CliError> {
    let product = &args.product;
    let subject = known(ctx, product)?;
    let links = args.links.or(subject.links).unwrap_or(0);
    let body = Body {
        version: 1,
        schema: SCHEMA_CLOSED,
        sections: whole(json!({})),
    };
    let label = format!("{product} contains what is linked, {links} links, and no more");
    open_draft(ctx, product, Kind::CompositionClosed { links }, body, label)
}

/// A product contains a component.
///
/// # Errors
///
/// [`CliError`] if the vault's secret cannot be had.
pub fn linked(
    ctx: &Context,
    parent: &Identifier,
    child: &Identifier,
    basis: Basis,
    quantity: Option<Quantity>,
) -> Result<Draft, CliError> {
    let kind = Kind::ComponentLinked {
        child: child.clone(),
        basis,
        quantity,
    };
    let body = Body {
        version: 1,
        schema: SCHEMA_LINKED,
        sections: whole(json!({})),
    };
    open_draft(
        ctx,
        parent,
        kind,
        body,
        format!("{parent} contains {child}"),
    )
}
