//! Assessors vouch for a passport, and take it back.

use jangbu_ledger::commitment::schema_digest;
use jangbu_ledger::id::{StatementId, TimeMs};
use jangbu_ledger::statement::{Kind, Stream};

use super::life::passport;
use crate::context::Context;
use crate::drafting::{Remark, Saying, draft_in, recorded_statement, repetition};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions};
use crate::view::{instant, short};

/// Schema of what an endorsement has for a body.
const SCHEMA_ENDORSED: &str = "jangbu/passport-endorsed/v1";
/// Schema of what a withdrawal has for a body.
const SCHEMA_WITHDRAWN: &str = "jangbu/endorsement-withdrawn/v1";

/// Arguments of `passport endorse`.
#[derive(Debug, clap::Args)]
pub struct Endorse {
    #[command(flatten)]
    saying: Saying,
    /// Name of the scheme that the passport was assessed by
    #[arg(long, value_name = "NAME")]
    scheme: String,
    /// Which version was assessed [default: the current one]
    #[arg(long, value_name = "N")]
    number: Option<u32>,
    /// When the endorsement ends: YYYY-MM-DD, or a time in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<TimeMs>,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Arguments of `passport withdraw-endorsement`.
#[derive(Debug, clap::Args)]
pub struct Withdraw {
    /// The endorsement's statement id
    #[arg(value_name = "ENDORSEMENT")]
    endorsement: StatementId,
    #[command(flatten)]
    remark: Remark,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

pub(super) fn endorse(ctx: &Context, args: &Endorse) -> Result<Draft, CliError> {
    let product = &args.saying.product;
    let version = match args.number {
        Some(number) => number,
        None => passport(ctx, product)?.1.version,
    };
    let kind = Kind::PassportEndorsed {
        version,
        scheme: schema_digest(&args.scheme),
        expires_at_ms: args.until,
    };
    let label = format!("passport of {product}, version {version}, endorsed");
    let body = args.saying.remark.body(SCHEMA_ENDORSED);
    let stream = Stream::Claims(product.clone());
    let draft = draft_in(ctx, stream, product, kind, body, label)?;
    repetition(ctx, draft, |said| said.in_force != Some(false))
}

pub(super) fn withdraw(ctx: &Context, args: &Withdraw) -> Result<Draft, CliError> {
    let id = args.endorsement;
    let missing = || {
        CliError::refused(format!(
            "no endorsement {id} is on the ledger (endorsement.known)"
        ))
        .hint("jangbu list --kind passport_endorsed")
    };
    let endorsed = recorded_statement(ctx, &id, missing)?;
    let (Kind::PassportEndorsed { .. }, Some(product)) = (&endorsed.kind, endorsed.subject())
    else {
        return Err(missing());
    };
    let label = format!("endorsement {} of {product}, withdrawn", short(&id));
    let kind = Kind::EndorsementWithdrawn { endorsement: id };
    let body = args.remark.body(SCHEMA_WITHDRAWN);
    let stream = Stream::Claims(product.clone());
    draft_in(ctx, stream, product, kind, body, label)
}
