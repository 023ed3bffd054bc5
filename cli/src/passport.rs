//! `jangbu passport`: a product passport, from its first version to the end of the product.

mod endorse;
mod life;

use std::path::PathBuf;

use clap::ValueEnum;
use jangbu_ledger::commitment::schema_digest;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Granularity, Handed, Kind};
use serde_json::{Value, json};

use crate::context::Context;
use crate::document;
use crate::drafting::{Body, Sections, open_draft, whole};
use crate::error::CliError;
use crate::handover;
use crate::profile;
use crate::submit::{Draft, SubmitOptions, submit_and_print};

/// Schema of a document that does not name its own.
const SCHEMA_DEFAULT: &str = "application/json";
/// Schema of what a link between granularities has for a body.
pub(crate) const SCHEMA_PART_OF: &str = "jangbu/granularity-linked/v1";

/// What to do with a passport.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Issue the first version of a product's passport
    Issue(Issue),
    /// Issue the next version
    Supersede(Supersede),
    /// State that the passport must not be relied on for now
    Suspend(life::Plain),
    /// End a suspension of yours
    Reinstate(life::Plain),
    /// State that the passport must no longer be relied on
    Revoke(life::Revoke),
    /// State that the product is no more: closes its passport for good
    EndOfLife(life::EndOfLife),
    /// State that a public registry knows the passport's current version
    Register(life::Register),
    /// State that the product was made of used ones
    Derive(life::Derive),
    /// Vouch for the passport's current version (auditor, regulator)
    Endorse(endorse::Endorse),
    /// Withdraw an endorsement of yours
    WithdrawEndorsement(endorse::Withdraw),
    /// Hand the responsibility for a product over: one offers, the other accepts
    #[command(subcommand)]
    Transfer(handover::Command),
}

/// Arguments of `passport issue`.
#[derive(Debug, clap::Args)]
pub struct Issue {
    /// The passport, a JSON document; it stays with you
    #[arg(value_name = "FILE")]
    document: PathBuf,
    /// The product: GS1 Digital Link, UUID, address under your own domain…
    #[arg(long, value_name = "ID")]
    product: Identifier,
    /// What the passport is of; a GS1 Digital Link says so itself
    #[arg(long)]
    granularity: Option<GranularityArg>,
    /// The batch or model that this item or batch belongs to
    #[arg(long, value_name = "ID")]
    part_of: Option<Identifier>,
    /// Name of the schema that the document follows [default: the document's $schema]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Divide the document into this profile's sections, so that each role can be shown its own
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// Arguments of `passport supersede`.
#[derive(Debug, clap::Args)]
pub struct Supersede {
    /// The new version, a JSON document; it stays with you
    #[arg(value_name = "FILE")]
    document: PathBuf,
    /// The product
    #[arg(long, value_name = "ID")]
    product: Identifier,
    /// Number of the new version [default: one more than the ledger has]
    #[arg(long, value_name = "N")]
    number: Option<u32>,
    /// Name of the schema that the document follows [default: the document's $schema]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Divide the document into this profile's sections, so that each role can be shown its own
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    submit: SubmitOptions,
}

/// A [`Granularity`] as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum GranularityArg {
    /// One physical thing
    Item,
    /// All things made in one run
    Batch,
    /// A type of product
    Model,
}

impl From<GranularityArg> for Granularity {
    fn from(argument: GranularityArg) -> Self {
        match argument {
            GranularityArg::Item => Self::Item,
            GranularityArg::Batch => Self::Batch,
            GranularityArg::Model => Self::Model,
        }
    }
}

/// Does it.
///
/// # Errors
///
/// [`CliError`] if the document is bad, or as for `submit`.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    let (drafts, options) = match command {
        Command::Issue(args) => issue(args, ctx)?,
        Command::Supersede(args) => supersede(args, ctx)?,
        Command::Suspend(args) => one(ctx, args.submit.clone(), || {
            life::suspend(ctx, &args.saying)
        })?,
        Command::Reinstate(args) => one(ctx, args.submit.clone(), || {
            life::reinstate(ctx, &args.saying)
        })?,
        Command::Revoke(args) => one(ctx, args.submit.clone(), || life::revoke(ctx, &args))?,
        Command::EndOfLife(args) => one(ctx, args.submit.clone(), || life::end(ctx, &args))?,
        Command::Register(args) => one(ctx, args.submit.clone(), || life::register(ctx, &args))?,
        Command::Derive(args) => one(ctx, args.submit.clone(), || life::derive(ctx, &args))?,
        Command::Endorse(args) => one(ctx, args.submit.clone(), || endorse::endorse(ctx, &args))?,
        Command::WithdrawEndorsement(args) => {
            one(ctx, args.submit.clone(), || endorse::withdraw(ctx, &args))?
        }
        Command::Transfer(command) => return handover::run(command, Handed::Responsibility, ctx),
    };
    submit_and_print(ctx, drafts, &options).map(|_| ())
}

fn one(
    ctx: &Context,
    options: SubmitOptions,
    draft: impl FnMut() -> Result<Draft, CliError>,
) -> Result<(Vec<Draft>, SubmitOptions), CliError> {
    Ok((vec![ctx.patiently(draft)?], options))
}

fn issue(args: Issue, ctx: &Context) -> Result<(Vec<Draft>, SubmitOptions), CliError> {
    let granularity = match args.granularity {
        Some(said) => said.into(),
        None => granularity_of(&args.product).ok_or_else(|| {
            CliError::input(format!(
                "{} does not say what the passport is of",
                args.product
            ))
            .hint("add --granularity item, batch or model")
        })?,
    };
    let document = document::read(&args.document)?;
    let schema = args.schema.unwrap_or_else(|| schema_of(&document));
    let sections = divided(document, args.profile.as_deref())?;
    let mut drafts = vec![issued(ctx, &args.product, granularity, &schema, sections)?];
    if let Some(coarser) = &args.part_of {
        drafts.push(part_of(ctx, &args.product, coarser)?);
    }
    Ok((drafts, args.submit))
}

fn supersede(args: Supersede, ctx: &Context) -> Result<(Vec<Draft>, SubmitOptions), CliError> {
    let document = document::read(&args.document)?;
    let schema = args.schema.unwrap_or_else(|| schema_of(&document));
    let sections = divided(document, args.profile.as_deref())?;
    let draft = match args.number {
        Some(number) => superseded(ctx, &args.product, number, &schema, sections)?,
        None => next_version(ctx, &args.product, &schema, sections)?,
    };
    Ok((vec![draft], args.submit))
}

/// The document's sections: those of a profile, or one.
fn divided(document: Value, profile: Option<&str>) -> Result<Sections, CliError> {
    let Some(profile) = profile.map(profile::find).transpose()? else {
        return Ok(whole(document));
    };
    profile.divide(&document).ok_or_else(|| {
        CliError::input(format!(
            "{} has no sections, or the document is no JSON object",
            profile.name
        ))
    })
}

/// The statement of the next version; of the current one, if this very document is it already:
/// running a script twice must not make two versions.
fn next_version(
    ctx: &Context,
    product: &Identifier,
    schema: &str,
    sections: Sections,
) -> Result<Draft, CliError> {
    let subject = ctx.client()?.subject(product)?;
    let Some(passport) = subject.passport else {
        return Err(
            CliError::refused(format!("{product} has no passport yet (passport.issued)"))
                .hint("issue it first: jangbu passport issue"),
        );
    };
    let current = passport.version;
    if current > 1 {
        let draft = superseded(ctx, product, current, schema, sections.clone())?;
        let id = draft.statement.id(&ctx.chain_id()?, &ctx.member()?.id());
        if ctx.client()?.statement(&id)?.sequence.is_some() {
            return Ok(draft);
        }
    }
    let next = current
        .checked_add(1)
        .ok_or_else(|| CliError::input(format!("{product} has no version number left")))?;
    superseded(ctx, product, next, schema, sections)
}

/// A passport's first version.
///
/// # Errors
///
/// [`CliError`] if the vault's secret cannot be had or the document cannot be made canonical.
pub fn issued(
    ctx: &Context,
    product: &Identifier,
    granularity: Granularity,
    schema: &str,
    sections: Sections,
) -> Result<Draft, CliError> {
    let kind = Kind::PassportIssued {
        granularity,
        schema: schema_digest(schema),
    };
    let body = Body {
        version: 1,
        schema,
        sections,
    };
    open_draft(ctx, product, kind, body, format!("passport of {product}"))
}

/// A passport's later version.
///
/// # Errors
///
/// [`CliError`] if the vault's secret cannot be had or the document cannot be made canonical.
pub fn superseded(
    ctx: &Context,
    product: &Identifier,
    version: u32,
    schema: &str,
    sections: Sections,
) -> Result<Draft, CliError> {
    let kind = Kind::PassportSuperseded {
        version,
        schema: schema_digest(schema),
    };
    let label = format!("passport of {product}, version {version}");
    let body = Body {
        version,
        schema,
        sections,
    };
    open_draft(ctx, product, kind, body, label)
}

/// An item of a batch or model, a batch of a model.
///
/// # Errors
///
/// [`CliError`] if the vault's secret cannot be had.
pub fn part_of(
    ctx: &Context,
    product: &Identifier,
    coarser: &Identifier,
) -> Result<Draft, CliError> {
    let kind = Kind::GranularityLinked {
        part_of: coarser.clone(),
    };
    let body = Body {
        version: 1,
        schema: SCHEMA_PART_OF,
        sections: whole(json!({})),
    };
    open_draft(
        ctx,
        product,
        kind,
        body,
        format!("{product} is of {coarser}"),
    )
}

/// What a GS1 Digital Link is of: with a serial number an item, with a lot a batch, with neither
/// a model.
#[must_use]
pub fn granularity_of(product: &Identifier) -> Option<Granularity> {
    let link = product.as_str().strip_prefix("https://id.gs1.org/01/")?;
    let mut parts = link.split('/').skip(1).step_by(2);
    Some(match (parts.next(), parts.next()) {
        (None, _) => Granularity::Model,
        (Some("10"), None) => Granularity::Batch,
        (Some("21"), _) | (_, Some("21")) => Granularity::Item,
        _ => return None,
    })
}

/// The schema that a document names itself.
#[must_use]
pub fn schema_of(document: &Value) -> String {
    document
        .get("$schema")
        .and_then(Value::as_str)
        .unwrap_or(SCHEMA_DEFAULT)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digital_link_says_what_its_passport_is_of() {
        let of = |text: &str| granularity_of(&text.parse().unwrap());
        let gtin = "https://id.gs1.org/01/09521234002000";
        assert_eq!(of(gtin), Some(Granularity::Model));
        assert_eq!(of(&format!("{gtin}/10/L1")), Some(Granularity::Batch));
        assert_eq!(of(&format!("{gtin}/21/S1")), Some(Granularity::Item));
        assert_eq!(of("https://example.com/01/x"), None);
    }

    #[test]
    fn a_document_may_name_its_schema() {
        assert_eq!(schema_of(&json!({"$schema": "s"})), "s");
        assert_eq!(schema_of(&json!({})), SCHEMA_DEFAULT);
    }
}
