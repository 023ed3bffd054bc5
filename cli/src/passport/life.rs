//! Steps of a passport's life, and products that were made of used ones.

use clap::ValueEnum;
use jangbu_ledger::commitment::schema_digest;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::passport::Life;
use jangbu_ledger::statement::{Fate, Kind, RevocationReason, SecondLife};

use crate::client::{PassportAnswer, SubjectAnswer};
use crate::context::Context;
use crate::drafting::{Saying, draft_in, known, open_draft, repetition, stream_of};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions};

/// Schemas of what these statements have for a body.
const SCHEMA_SUSPENDED: &str = "jangbu/passport-suspended/v1";
const SCHEMA_REINSTATED: &str = "jangbu/passport-reinstated/v1";
const SCHEMA_REVOKED: &str = "jangbu/passport-revoked/v1";
const SCHEMA_ENDED: &str = "jangbu/passport-ended/v1";
const SCHEMA_REGISTERED: &str = "jangbu/passport-registered/v1";
const SCHEMA_DERIVED: &str = "jangbu/derived/v1";

/// Arguments of `passport suspend` and `passport reinstate`.
#[derive(Debug, clap::Args)]
pub struct Plain {
    #[command(flatten)]
    pub(super) saying: Saying,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Arguments of `passport revoke`.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    #[command(flatten)]
    saying: Saying,
    /// Why
    #[arg(long)]
    reason: Reason,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Arguments of `passport end-of-life`.
#[derive(Debug, clap::Args)]
pub struct EndOfLife {
    #[command(flatten)]
    saying: Saying,
    /// What became of the product
    #[arg(long)]
    fate: FateArg,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Arguments of `passport register`.
#[derive(Debug, clap::Args)]
pub struct Register {
    #[command(flatten)]
    saying: Saying,
    /// The registry's name, an address for instance
    #[arg(long, value_name = "NAME")]
    registry: String,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// Arguments of `passport derive`.
#[derive(Debug, clap::Args)]
pub struct Derive {
    #[command(flatten)]
    saying: Saying,
    /// A used product that it was made of; may be given several times
    #[arg(long = "from", value_name = "ID", required = true)]
    predecessors: Vec<Identifier>,
    /// How that came to new use
    #[arg(long)]
    by: SecondLifeArg,
    #[command(flatten)]
    pub(super) submit: SubmitOptions,
}

/// A [`RevocationReason`] as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Reason {
    /// Issued in error
    Erroneous,
    /// The product was withdrawn from the market
    Withdrawn,
    /// Replaced by a passport of another subject
    Replaced,
    /// None of these
    Unspecified,
}

impl From<Reason> for RevocationReason {
    fn from(argument: Reason) -> Self {
        match argument {
            Reason::Erroneous => Self::Erroneous,
            Reason::Withdrawn => Self::Withdrawn,
            Reason::Replaced => Self::Replaced,
            Reason::Unspecified => Self::Unspecified,
        }
    }
}

/// A [`Fate`] as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FateArg {
    /// Its materials were recovered
    Recycled,
    /// It was disposed of
    Disposed,
    /// It left the market that the passport is for
    Exported,
    /// It was lost or destroyed
    Lost,
}

impl From<FateArg> for Fate {
    fn from(argument: FateArg) -> Self {
        match argument {
            FateArg::Recycled => Self::Recycled,
            FateArg::Disposed => Self::Disposed,
            FateArg::Exported => Self::Exported,
            FateArg::Lost => Self::Lost,
        }
    }
}

/// A [`SecondLife`] as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SecondLifeArg {
    /// For the same purpose, without change
    Reused,
    /// Checked, cleaned or repaired for the same purpose
    PreparedForReuse,
    /// For another purpose
    Repurposed,
    /// Disassembled and made as new
    Remanufactured,
}

impl From<SecondLifeArg> for SecondLife {
    fn from(argument: SecondLifeArg) -> Self {
        match argument {
            SecondLifeArg::Reused => Self::Reused,
            SecondLifeArg::PreparedForReuse => Self::PreparedForReuse,
            SecondLifeArg::Repurposed => Self::Repurposed,
            SecondLifeArg::Remanufactured => Self::Remanufactured,
        }
    }
}

pub(super) fn suspend(ctx: &Context, saying: &Saying) -> Result<Draft, CliError> {
    let kind = Kind::PassportSuspended;
    let step = (SCHEMA_SUSPENDED, "suspended");
    again(ctx, saying, kind, step, Life::Suspended)
}

pub(super) fn reinstate(ctx: &Context, saying: &Saying) -> Result<Draft, CliError> {
    let kind = Kind::PassportReinstated;
    let step = (SCHEMA_REINSTATED, "reinstated");
    again(ctx, saying, kind, step, Life::Active)
}

/// A step that can be taken again after another, and leaves the passport in `life`.
fn again(
    ctx: &Context,
    saying: &Saying,
    kind: Kind,
    (schema, done): (&str, &str),
    life: Life,
) -> Result<Draft, CliError> {
    let (draft, passport) = step(ctx, saying, kind, schema, done)?;
    repetition(ctx, draft, |_| passport.life == life)
}

pub(super) fn revoke(ctx: &Context, args: &Revoke) -> Result<Draft, CliError> {
    let kind = Kind::PassportRevoked {
        reason: args.reason.into(),
    };
    let (draft, _) = step(ctx, &args.saying, kind, SCHEMA_REVOKED, "revoked")?;
    Ok(draft)
}

pub(super) fn end(ctx: &Context, args: &EndOfLife) -> Result<Draft, CliError> {
    let kind = Kind::PassportEnded {
        fate: args.fate.into(),
    };
    let (draft, _) = step(ctx, &args.saying, kind, SCHEMA_ENDED, "closed")?;
    Ok(draft)
}

pub(super) fn register(ctx: &Context, args: &Register) -> Result<Draft, CliError> {
    let (_, passport) = passport(ctx, &args.saying.product)?;
    let kind = Kind::PassportRegistered {
        version: passport.version,
        registry: schema_digest(&args.registry),
    };
    let (mut draft, _) = step(ctx, &args.saying, kind, SCHEMA_REGISTERED, "registered")?;
    draft.label = format!("{} with {}", draft.label, args.registry);
    Ok(draft)
}

pub(super) fn derive(ctx: &Context, args: &Derive) -> Result<Draft, CliError> {
    let mut predecessors = args.predecessors.clone();
    predecessors.sort();
    predecessors.dedup();
    let product = &args.saying.product;
    let label = format!("{product} made of {} used products", predecessors.len());
    let kind = Kind::Derived {
        predecessors,
        by: args.by.into(),
    };
    let body = args.saying.remark.body(SCHEMA_DERIVED);
    open_draft(ctx, product, kind, body, label)
}

/// A step of a passport that is there, in the stream in which the member speaks.
fn step(
    ctx: &Context,
    saying: &Saying,
    kind: Kind,
    schema: &str,
    done: &str,
) -> Result<(Draft, PassportAnswer), CliError> {
    let product = &saying.product;
    let (subject, passport) = passport(ctx, product)?;
    let stream = stream_of(ctx, &subject)?;
    let label = format!("passport of {product}, {done}");
    let body = saying.remark.body(schema);
    let draft = draft_in(ctx, stream, product, kind, body, label)?;
    Ok((draft, passport))
}

/// A product that has a passport, and that.
pub(super) fn passport(
    ctx: &Context,
    product: &Identifier,
) -> Result<(SubjectAnswer, PassportAnswer), CliError> {
    let mut subject = known(ctx, product)?;
    match subject.passport.take() {
        Some(passport) => Ok((subject, passport)),
        None => Err(
            CliError::refused(format!("{product} has no passport yet (passport.issued)"))
                .hint("issue it first: jangbu passport issue"),
        ),
    }
}
