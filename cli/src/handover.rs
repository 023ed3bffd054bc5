//! Responsibility for a product, and the product itself, go from company to company: one offers,
//! the other accepts; either may end the offer before that.

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::passport::Life;
use jangbu_ledger::statement::{Handed, Kind};

use crate::client::{OfferAnswer, SubjectAnswer};
use crate::context::Context;
use crate::drafting::{Saying, draft_in, known, recorded_statement, repetition, stream_of};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions, submit_and_print};

/// Schemas of what these statements have for a body.
const SCHEMA_OFFERED: &str = "jangbu/handover-offered/v1";
const SCHEMA_ACCEPTED: &str = "jangbu/handover-accepted/v1";
const SCHEMA_ENDED: &str = "jangbu/handover-ended/v1";

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Offer it to another company
    Offer(Offer),
    /// Take what is offered to you
    Accept(Answer),
    /// End an open offer, yours or one to you
    End(Answer),
}

/// Arguments of an offer.
#[derive(Debug, clap::Args)]
pub struct Offer {
    #[command(flatten)]
    saying: Saying,
    /// The member that gets it
    #[arg(long, value_name = "MEMBER")]
    to: String,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// Arguments of an answer.
#[derive(Debug, clap::Args)]
pub struct Answer {
    #[command(flatten)]
    saying: Saying,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// Does it, with what is handed over.
///
/// # Errors
///
/// [`CliError`] if there is no such offer, or as for `submit`.
pub fn run(command: Command, of: Handed, ctx: &Context) -> Result<(), CliError> {
    let (draft, options) = match command {
        Command::Offer(args) => (ctx.patiently(|| offer(ctx, &args, of))?, args.submit),
        Command::Accept(args) => (
            ctx.patiently(|| accept(ctx, &args.saying, of))?,
            args.submit,
        ),
        Command::End(args) => (ctx.patiently(|| end(ctx, &args.saying, of))?, args.submit),
    };
    submit_and_print(ctx, vec![draft], &options).map(|_| ())
}

const fn name(of: Handed) -> &'static str {
    match of {
        Handed::Responsibility => "responsibility",
        Handed::Custody => "custody",
    }
}

fn offer(ctx: &Context, args: &Offer, of: Handed) -> Result<Draft, CliError> {
    let subject = known(ctx, &args.saying.product)?;
    let receiver = ctx.member_named(&args.to)?;
    let to = receiver.id();
    let label = format!("{} of {}, to {}", name(of), subject.identifier, args.to);
    let kind = Kind::HandoverOffered { of, to };
    let draft = draft(ctx, &subject, &args.saying, kind, SCHEMA_OFFERED, label)?;
    let has_it = match of {
        Handed::Responsibility => subject.owner_name.as_ref(),
        Handed::Custody => subject
            .custodian_name
            .as_ref()
            .or(subject.owner_name.as_ref()),
    };
    let arrived = has_it == Some(&receiver.name);
    repetition(ctx, draft, |said| said.in_force == Some(true) || arrived)
}

fn accept(ctx: &Context, saying: &Saying, of: Handed) -> Result<Draft, CliError> {
    let own = ctx.member()?.id();
    let (subject, last) = last_offer(ctx, &saying.product, of)?;
    if last.to != own {
        return Err(none(&saying.product, of).hint("the last offer is to another member"));
    }
    if of == Handed::Responsibility {
        say_life(ctx, &subject);
    }
    let label = format!("{} of {}, accepted", name(of), saying.product);
    let kind = Kind::HandoverAccepted { offer: last.offer };
    let draft = draft(ctx, &subject, saying, kind, SCHEMA_ACCEPTED, label)?;
    repetition(ctx, draft, |_| true)
}

/// The ledger looks at the passport when responsibility is offered; what became of it since, whoever
/// takes that over should know before.
fn say_life(ctx: &Context, subject: &SubjectAnswer) {
    let word = match subject.passport.as_ref().map(|passport| passport.life) {
        None | Some(Life::Active) => return,
        Some(Life::Suspended) => "suspended: it may not be relied on for now",
        Some(Life::Revoked) => "revoked, for good",
        Some(Life::Ended) => "closed, for good: the product is no more",
    };
    ctx.output
        .warn(&format!("the passport of {} is {word}", subject.identifier));
}

fn end(ctx: &Context, saying: &Saying, of: Handed) -> Result<Draft, CliError> {
    let own = ctx.member()?.id();
    let (subject, last) = last_offer(ctx, &saying.product, of)?;
    if ![last.from, last.to].contains(&own) {
        return Err(none(&saying.product, of).hint("the last offer is between other members"));
    }
    let label = format!("the offer of {} of {}, ended", name(of), saying.product);
    let kind = Kind::HandoverEnded { offer: last.offer };
    let draft = draft(ctx, &subject, saying, kind, SCHEMA_ENDED, label)?;
    repetition(ctx, draft, |_| true)
}

fn draft(
    ctx: &Context,
    subject: &SubjectAnswer,
    saying: &Saying,
    kind: Kind,
    schema: &str,
    label: String,
) -> Result<Draft, CliError> {
    let stream = stream_of(ctx, subject)?;
    let body = saying.remark.body(schema);
    draft_in(ctx, stream, &subject.identifier, kind, body, label)
}

/// The last offer of a product; the node's word for it is compared with the statement.
fn last_offer(
    ctx: &Context,
    product: &Identifier,
    of: Handed,
) -> Result<(SubjectAnswer, OfferAnswer), CliError> {
    let subject = known(ctx, product)?;
    let last = subject.offers.iter().find(|offer| offer.of == of).cloned();
    let last = last.ok_or_else(|| none(product, of))?;
    let said = recorded_statement(ctx, &last.offer, || none(product, of))?;
    let offered = Kind::HandoverOffered { of, to: last.to };
    if said.kind != offered || said.subject() != Some(product) {
        return Err(CliError::unreachable(format!(
            "the node named statement {}, which is no such offer of {product}",
            last.offer
        )));
    }
    Ok((subject, last))
}

fn none(product: &Identifier, of: Handed) -> CliError {
    CliError::refused(format!(
        "no offer of the {} of {product} is yours to answer (handover.known)",
        name(of)
    ))
}
