//! `jangbu link confirm` and `contest`: the part's company agrees with what another company states
//! about it, or denies it.

use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Kind, Portion, Statement, Stream};

use crate::client::{Direction, TraceEdge};
use crate::context::Context;
use crate::drafting::{Body, Remark, draft_of, known, recorded_statement, stream_of};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions};

/// Schemas of what these statements have for a body.
const SCHEMA_CONFIRMED: &str = "jangbu/component-confirmed/v1";
const SCHEMA_CONTESTED: &str = "jangbu/component-contested/v1";
const SCHEMA_INPUT_CONFIRMED: &str = "jangbu/input-confirmed/v1";
const SCHEMA_INPUT_CONTESTED: &str = "jangbu/input-contested/v1";

/// What is answered.
#[derive(Debug, clap::Args)]
struct Named {
    /// The id of the statement that says so, or the product that your part is in
    #[arg(value_name = "STATEMENT|PRODUCT")]
    link: String,
    /// Your part; may be left out if the statement names one part only
    #[arg(value_name = "PART")]
    child: Option<Identifier>,
}

/// Arguments of `link confirm`.
#[derive(Debug, clap::Args)]
pub struct Confirm {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Arguments of `link contest`.
#[derive(Debug, clap::Args)]
pub struct Contest {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    remark: Remark,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// What another company stated about a part.
struct Asserted {
    id: StatementId,
    part: Identifier,
    /// The products that it is in.
    products: Vec<Identifier>,
    /// Whether it went into them, and is no component of theirs.
    went_in: bool,
}

impl Asserted {
    /// The transformation and what went into it, if it is one.
    fn as_input(&self) -> Option<(StatementId, Identifier)> {
        self.went_in.then(|| (self.id, self.part.clone()))
    }
}

pub(super) fn confirm(args: &Confirm, ctx: &Context) -> Result<Draft, CliError> {
    let asserted = asserted(&args.named, ctx)?;
    let link = asserted.id;
    let (kind, schema) = match asserted.as_input() {
        Some((transformation, input)) => {
            let kind = Kind::InputConfirmed {
                transformation,
                input,
            };
            (kind, SCHEMA_INPUT_CONFIRMED)
        }
        None => (Kind::ComponentConfirmed { link }, SCHEMA_CONFIRMED),
    };
    answer(ctx, &asserted, kind, Remark::none(schema), "confirmed")
}

pub(super) fn contest(args: &Contest, ctx: &Context) -> Result<Draft, CliError> {
    let asserted = asserted(&args.named, ctx)?;
    let link = asserted.id;
    let (kind, schema) = match asserted.as_input() {
        Some((transformation, input)) => {
            let kind = Kind::InputContested {
                transformation,
                input,
            };
            (kind, SCHEMA_INPUT_CONTESTED)
        }
        None => (Kind::ComponentContested { link }, SCHEMA_CONTESTED),
    };
    answer(ctx, &asserted, kind, args.remark.body(schema), "contested")
}

fn answer(
    ctx: &Context,
    asserted: &Asserted,
    kind: Kind,
    body: Body<'_>,
    how: &str,
) -> Result<Draft, CliError> {
    let part = &asserted.part;
    let mut streams = Vec::new();
    for product in &asserted.products {
        // A component is answered in the claims about the product, whoever answers.
        streams.push(match asserted.went_in {
            true => stream_of(ctx, &known(ctx, product)?)?,
            false => Stream::Claims(product.clone()),
        });
    }
    let first = asserted.products.first();
    let product = first.ok_or_else(|| CliError::internal("a link without a product"))?;
    let label = match asserted.went_in {
        true => format!("{part} went into {product}, {how}"),
        false => format!("{product} contains {part}, {how}"),
    };
    draft_of(ctx, streams, product, kind, body, label)
}

/// What is answered, read from the statement itself: its id binds what it says.
fn asserted(named: &Named, ctx: &Context) -> Result<Asserted, CliError> {
    let by_id: Option<StatementId> = named.link.parse().ok();
    let id = match (by_id, &named.child) {
        (Some(id), _) => id,
        (None, Some(child)) => {
            let product: Identifier = named.link.parse().map_err(CliError::input)?;
            find(ctx, &product, child)?
        }
        (None, None) => {
            return Err(
                CliError::input(format!("{:?} is no statement id", named.link))
                    .hint("give the statement's id, or the product and your part"),
            );
        }
    };
    let absent = || {
        CliError::refused(format!(
            "no statement {id} that something is in something is on the ledger (link.known)"
        ))
        .hint("jangbu list --kind component_linked, or --kind transformed")
    };
    let said = recorded_statement(ctx, &id, absent)?;
    let asserted = read(id, &said, named.child.as_ref()).ok_or_else(absent)??;
    let product = named.link.parse().ok().filter(|_| by_id.is_none());
    if product.is_some_and(|product: Identifier| !asserted.products.contains(&product)) {
        return Err(CliError::unreachable(format!(
            "the node named statement {id}, which is about {}",
            asserted
                .products
                .first()
                .map_or_else(String::new, ToString::to_string)
        )));
    }
    Ok(asserted)
}

/// `None` if the statement says no such thing at all, an error if not of this part.
fn read(
    id: StatementId,
    said: &Statement,
    part: Option<&Identifier>,
) -> Option<Result<Asserted, CliError>> {
    let (parts, products, went_in): (Vec<&Identifier>, Vec<Identifier>, bool) = match &said.kind {
        Kind::ComponentLinked { child, .. } => (
            vec![child],
            said.subject().cloned().into_iter().collect(),
            false,
        ),
        Kind::Transformed { inputs, outputs } => {
            let of = |portion: &Portion| portion.of.clone();
            let inputs = inputs.iter().map(|input| &input.of).collect();
            (inputs, outputs.iter().map(of).collect(), true)
        }
        _ => return None,
    };
    let named = match (part, parts.as_slice()) {
        (Some(part), parts) => parts.iter().find(|one| **one == part),
        (None, [one]) => Some(one),
        (None, _) => {
            return Some(Err(CliError::input(format!(
                "statement {id} names {} parts",
                parts.len()
            ))
            .hint("say which is yours: jangbu link confirm STATEMENT PART")));
        }
    };
    Some(match named {
        Some(part) => Ok(Asserted {
            id,
            part: (*part).clone(),
            products,
            went_in,
        }),
        None => Err(CliError::refused(format!(
            "statement {id} is not about {} (link.known)",
            part.map_or_else(String::new, ToString::to_string)
        ))),
    })
}

/// The one link between a product and a part that waits to be confirmed; if all are confirmed,
/// the first, so that a second run ends like the first.
fn find(ctx: &Context, product: &Identifier, part: &Identifier) -> Result<StatementId, CliError> {
    let trace = ctx
        .client()?
        .trace(product, Direction::Down, Some(1), None)?;
    let links = trace.edges.iter().filter(|edge| {
        edge.parent == *product && edge.child == *part && edge.relation.is_answered()
    });
    let (confirmed, open): (Vec<_>, Vec<_>) = links.partition(|edge| edge.confirmed_by.is_some());
    match (open.as_slice(), confirmed.first()) {
        ([one], _) => Ok(one.statement_id),
        ([], Some(done)) => Ok(done.statement_id),
        ([], None) => Err(CliError::refused(format!(
            "nobody states that {product} contains {part} (link.known)"
        ))),
        (several, _) => Err(several_wait(several)),
    }
}

fn several_wait(several: &[&TraceEdge]) -> CliError {
    let ids: Vec<String> = several
        .iter()
        .map(|edge| edge.statement_id.to_string())
        .collect();
    CliError::input(format!("{} links wait to be confirmed", several.len()))
        .hint(format!("name one of {}", ids.join(", ")))
}
