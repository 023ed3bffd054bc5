//! `jangbu notice`: a regulator or the responsible company warns whoever has a product.

use clap::ValueEnum;
use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Kind, NoticeSort, Stream};

use crate::context::Context;
use crate::drafting::{Remark, draft_in, known, recorded_statement, repetition, stream_of};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions, submit_and_print};
use crate::view::short;

/// Schema of what a notice has for a body.
const SCHEMA_ISSUED: &str = "jangbu/notice-issued/v1";
/// Schema of what the lifting of one has for a body.
const SCHEMA_LIFTED: &str = "jangbu/notice-lifted/v1";

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Warn of 1 to 16 products
    Issue(Issue),
    /// State that a notice of yours no longer applies
    Lift(Lift),
}

/// Arguments of `notice issue`.
#[derive(Debug, clap::Args)]
pub struct Issue {
    /// The products: models, batches or items
    #[arg(value_name = "ID", required = true, num_args = 1..=16)]
    products: Vec<Identifier>,
    /// Of what
    #[arg(long)]
    sort: SortArg,
    #[command(flatten)]
    remark: Remark,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// Arguments of `notice lift`.
#[derive(Debug, clap::Args)]
pub struct Lift {
    /// The notice's statement id
    #[arg(value_name = "NOTICE")]
    notice: StatementId,
    #[command(flatten)]
    remark: Remark,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// A [`NoticeSort`] as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SortArg {
    /// Give it back
    Recall,
    /// Do not sell it
    MarketHold,
    /// Use it with care
    Safety,
}

impl From<SortArg> for NoticeSort {
    fn from(argument: SortArg) -> Self {
        match argument {
            SortArg::Recall => Self::Recall,
            SortArg::MarketHold => Self::MarketHold,
            SortArg::Safety => Self::Safety,
        }
    }
}

/// Does it.
///
/// # Errors
///
/// [`CliError`] if a product or the notice is not on the ledger, or as for `submit`.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    let (draft, options) = match command {
        Command::Issue(args) => (ctx.patiently(|| issue(ctx, &args))?, args.submit),
        Command::Lift(args) => (ctx.patiently(|| lift(ctx, &args))?, args.submit),
    };
    submit_and_print(ctx, vec![draft], &options).map(|_| ())
}

fn issue(ctx: &Context, args: &Issue) -> Result<Draft, CliError> {
    let kind = Kind::NoticeIssued {
        sort: args.sort.into(),
    };
    let draft = draft(ctx, &args.products, kind, &args.remark, SCHEMA_ISSUED)?;
    repetition(ctx, draft, |said| said.in_force != Some(false))
}

fn lift(ctx: &Context, args: &Lift) -> Result<Draft, CliError> {
    let id = args.notice;
    let missing = || {
        CliError::refused(format!("no notice {id} is on the ledger (notice.known)"))
            .hint("jangbu list --kind notice_issued")
    };
    let issued = recorded_statement(ctx, &id, missing)?;
    if !matches!(issued.kind, Kind::NoticeIssued { .. }) {
        return Err(missing());
    }
    let products: Vec<Identifier> = issued
        .streams
        .iter()
        .filter_map(|stream| match stream {
            Stream::Open(product) | Stream::Claims(product) => Some(product.clone()),
            Stream::Sealed(_) => None,
        })
        .collect();
    let kind = Kind::NoticeLifted { notice: id };
    let mut draft = draft(ctx, &products, kind, &args.remark, SCHEMA_LIFTED)?;
    draft.label = format!("{}: notice {}, lifted", draft.label, short(&id));
    repetition(ctx, draft, |_| true)
}

/// A statement about all the products; what it commits to is of the first.
fn draft(
    ctx: &Context,
    products: &[Identifier],
    kind: Kind,
    remark: &Remark,
    schema: &str,
) -> Result<Draft, CliError> {
    let mut streams = Vec::with_capacity(products.len());
    for product in products {
        streams.push(stream_of(ctx, &known(ctx, product)?)?);
    }
    let (Some(product), Some(stream)) = (products.first(), streams.first()) else {
        return Err(CliError::input("a notice is about a product"));
    };
    let label = match products.len() {
        1 => format!("notice about {product}"),
        several => format!("notice about {product} and {} more", several - 1),
    };
    let mut draft = draft_in(
        ctx,
        stream.clone(),
        product,
        kind,
        remark.body(schema),
        label,
    )?;
    draft.statement.streams = streams;
    Ok(draft)
}
