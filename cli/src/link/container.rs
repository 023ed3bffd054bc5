//! `jangbu link aggregate` and `disaggregate`: what is put into a container and taken out again.

use std::collections::BTreeSet;

use jangbu_ledger::id::Sequence;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Kind, THINGS_MAX};

use crate::client::{Direction, Relation, Side, recorded};
use crate::context::Context;
use crate::drafting::{Remark, draft_in, known, open_draft, repetition, stream_of};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions};

/// Schemas of what these statements have for a body.
const SCHEMA_PUT_IN: &str = "jangbu/aggregated/v1";
const SCHEMA_TAKEN_OUT: &str = "jangbu/disaggregated/v1";

/// Statements of a container read at a time.
const PAGE: usize = 1000;

/// Arguments of `link aggregate`.
#[derive(Debug, clap::Args)]
pub struct Aggregate {
    /// Your container: a crate, a pallet, a shipment
    container: Identifier,
    /// What was put in
    #[arg(value_name = "THING", required = true, num_args = 1..=THINGS_MAX)]
    things: Vec<Identifier>,
    #[command(flatten)]
    remark: Remark,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Arguments of `link disaggregate`.
#[derive(Debug, clap::Args)]
pub struct Disaggregate {
    /// The container
    container: Identifier,
    /// What was taken out [default: everything that is in it]
    #[arg(value_name = "THING", num_args = 0..=THINGS_MAX)]
    things: Vec<Identifier>,
    #[command(flatten)]
    remark: Remark,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

pub(super) fn put_in(args: &Aggregate, ctx: &Context) -> Result<Draft, CliError> {
    let container = &args.container;
    let inside = contents(ctx, container)?;
    let kind = Kind::Aggregated {
        children: args.things.clone(),
    };
    let label = format!("{container} holds {}", counted(&args.things));
    let body = args.remark.body(SCHEMA_PUT_IN);
    let draft = open_draft(ctx, container, kind, body, label)?;
    repetition(ctx, draft, |_| {
        args.things.iter().all(|thing| inside.contains(thing))
    })
}

pub(super) fn take_out(args: &Disaggregate, ctx: &Context) -> Result<Draft, CliError> {
    let container = &args.container;
    let subject = known(ctx, container)?;
    let inside = contents(ctx, container)?;
    let things: Vec<Identifier> = match args.things.as_slice() {
        [] if inside.is_empty() => taken_out_last(ctx, container)?,
        [] => inside.iter().cloned().collect(),
        named => named.to_vec(),
    };
    if !(1..=THINGS_MAX).contains(&things.len()) {
        return Err(CliError::refused(format!(
            "{container} holds {} things (container.known)",
            things.len()
        ))
        .hint(format!("name 1 to {THINGS_MAX} of them")));
    }
    let label = format!("{} taken out of {container}", counted(&things));
    let kind = Kind::Disaggregated {
        children: things.clone(),
    };
    let stream = stream_of(ctx, &subject)?;
    let body = args.remark.body(SCHEMA_TAKEN_OUT);
    let draft = draft_in(ctx, stream, container, kind, body, label)?;
    repetition(ctx, draft, |_| {
        !things.iter().any(|thing| inside.contains(thing))
    })
}

/// What is in a container now, as a node says.
fn contents(ctx: &Context, container: &Identifier) -> Result<BTreeSet<Identifier>, CliError> {
    let trace = ctx
        .client()?
        .trace(container, Direction::Down, Some(1), None)?;
    let held = trace
        .edges
        .into_iter()
        .filter(|edge| edge.relation == Relation::Holds && edge.parent == *container);
    Ok(held.map(|edge| edge.child).collect())
}

/// What the member took out of a container last, so that a second run ends like the first.
fn taken_out_last(ctx: &Context, container: &Identifier) -> Result<Vec<Identifier>, CliError> {
    let own = ctx.member()?.id();
    let mut last: Option<(Sequence, Vec<Identifier>)> = None;
    for side in [Side::Open, Side::Claims] {
        let mut after = None;
        loop {
            let page = ctx
                .client()?
                .subject_statements(container, side, after, PAGE, None)?;
            for item in &page.items {
                let entry = item.entry()?;
                if let Some(said) = recorded(&entry)
                    && said.member == own
                    && let Kind::Disaggregated { children } = &said.statement.kind
                    && last.as_ref().is_none_or(|(at, _)| *at < entry.sequence)
                {
                    last = Some((entry.sequence, children.clone()));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(last.map(|(_, children)| children).unwrap_or_default())
}

fn counted(things: &[Identifier]) -> String {
    match things {
        [one] => one.to_string(),
        several => format!("{} things", several.len()),
    }
}
