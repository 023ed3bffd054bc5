//! `jangbu link`: what a product contains, and the component's company agreeing or not.

use clap::ValueEnum;
use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Basis, Handed, Kind, Quantity, Stream};
use serde_json::json;

use crate::client::Direction;
use crate::context::Context;
use crate::drafting::{Body, Remark, draft_in, known, open_draft, recorded_statement, whole};
use crate::error::CliError;
use crate::handover;
use crate::submit::{Draft, SubmitOptions, submit_and_print};

/// Schema of what a component link has for a body.
const SCHEMA_LINKED: &str = "jangbu/component-linked/v1";
/// Schema of what a confirmation has for a body.
const SCHEMA_CONFIRMED: &str = "jangbu/component-confirmed/v1";
/// Schema of what a denial has for a body.
const SCHEMA_CONTESTED: &str = "jangbu/component-contested/v1";
/// Schema of what a closure has for a body.
const SCHEMA_CLOSED: &str = "jangbu/composition-closed/v1";

/// What to link.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// State that your product contains a component
    Component(Component),
    /// Agree, as the component's company, with what another company states
    Confirm(Answer),
    /// Deny it, as the component's company
    Contest(Contest),
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

/// Which link.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The link's statement id, or the product that contains your component
    #[arg(value_name = "LINK|PARENT")]
    link: String,
    /// Your component
    child: Option<Identifier>,
}

/// Arguments of `link confirm`.
#[derive(Debug, clap::Args)]
pub struct Answer {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// Arguments of `link contest`.
#[derive(Debug, clap::Args)]
pub struct Contest {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    remark: Remark,
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
/// [`CliError`] if the link is not to be found, or as for `submit`.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    let (draft, options) = match command {
        Command::Component(args) => (component(&args, ctx)?, args.submit),
        Command::Confirm(args) => (ctx.patiently(|| confirm(&args.named, ctx))?, args.submit),
        Command::Contest(args) => (ctx.patiently(|| contest(&args, ctx))?, args.submit),
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

fn confirm(named: &Named, ctx: &Context) -> Result<Draft, CliError> {
    let (parent, child, id) = answered(named, ctx)?;
    confirmed(ctx, &parent, &child, id)
}

fn contest(args: &Contest, ctx: &Context) -> Result<Draft, CliError> {
    let (parent, child, link) = answered(&args.named, ctx)?;
    let label = format!("{parent} contains {child}, contested");
    let body = args.remark.body(SCHEMA_CONTESTED);
    let stream = Stream::Claims(parent.clone());
    draft_in(
        ctx,
        stream,
        &parent,
        Kind::ComponentContested { link },
        body,
        label,
    )
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

/// The link that is answered: product, component and statement.
fn answered(
    named: &Named,
    ctx: &Context,
) -> Result<(Identifier, Identifier, StatementId), CliError> {
    let (parent, child, id) = match &named.child {
        Some(child) => {
            let parent: Identifier = named.link.parse().map_err(CliError::input)?;
            let id = find(ctx, &parent, child)?;
            (Some(parent), Some(child), id)
        }
        None => {
            let id = named.link.parse().map_err(|_| {
                CliError::input(format!("{:?} is no statement id", named.link))
                    .hint("give the link's id, or the product and your component")
            })?;
            (None, None, id)
        }
    };
    // The id binds the content: what the node found for us is looked at before it is answered.
    let (linked_parent, linked_child) = link_of(ctx, &id)?;
    let differs = parent.is_some_and(|parent| parent != linked_parent)
        || child.is_some_and(|child| *child != linked_child);
    if differs {
        return Err(CliError::unreachable(format!(
            "the node named statement {id}, which links {linked_parent} and {linked_child}"
        )));
    }
    Ok((linked_parent, linked_child, id))
}

/// The product and component of a link on the ledger.
fn link_of(ctx: &Context, id: &StatementId) -> Result<(Identifier, Identifier), CliError> {
    let absent = || {
        CliError::refused(format!(
            "no component link {id} is on the ledger (link.known)"
        ))
        .hint("jangbu list --kind component_linked")
    };
    let said = recorded_statement(ctx, id, absent)?;
    match (&said.kind, said.subject()) {
        (Kind::ComponentLinked { child, .. }, Some(parent)) => Ok((parent.clone(), child.clone())),
        _ => Err(absent()),
    }
}

/// The one link between a product and a component that waits to be confirmed; if all are
/// confirmed, the first, so that a second run ends like the first.
fn find(ctx: &Context, parent: &Identifier, child: &Identifier) -> Result<StatementId, CliError> {
    let trace = ctx.client()?.trace(parent, Direction::Down, Some(1))?;
    let links = trace
        .edges
        .iter()
        .filter(|edge| edge.parent == *parent && edge.child == *child);
    let (confirmed, open): (Vec<_>, Vec<_>) = links.partition(|edge| edge.confirmed_by.is_some());
    match (open.as_slice(), confirmed.first()) {
        ([one], _) => Ok(one.statement_id),
        ([], Some(done)) => Ok(done.statement_id),
        ([], None) => Err(CliError::refused(format!(
            "nobody states that {parent} contains {child} (link.known)"
        ))),
        (several, _) => {
            let ids: Vec<String> = several
                .iter()
                .map(|edge| edge.statement_id.to_string())
                .collect();
            Err(
                CliError::input(format!("{} links wait to be confirmed", several.len()))
                    .hint(format!("name one of {}", ids.join(", "))),
            )
        }
    }
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

/// The component's company agrees with a link.
///
/// # Errors
///
/// [`CliError`] if the vault's secret cannot be had.
pub fn confirmed(
    ctx: &Context,
    parent: &Identifier,
    child: &Identifier,
    link: StatementId,
) -> Result<Draft, CliError> {
    let body = Body {
        version: 1,
        schema: SCHEMA_CONFIRMED,
        sections: whole(json!({})),
    };
    let label = format!("{parent} contains {child}, confirmed");
    let stream = Stream::Claims(parent.clone());
    draft_in(
        ctx,
        stream,
        parent,
        Kind::ComponentConfirmed { link },
        body,
        label,
    )
}
