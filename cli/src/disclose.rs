//! `jangbu disclose`: shows chosen parts of a document from the vault, with the proof that it is
//! the one a member recorded.

use std::path::{Path, PathBuf};

use jangbu_ledger::bundle::{Bundle, Claim, DocumentItem, Report, Shown};
use jangbu_ledger::commitment::{Disclosure, ShowError};
use jangbu_ledger::id::{Height, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Kind, Stream};
use serde::Serialize;

use crate::context::Context;
use crate::document::Opening;
use crate::error::CliError;
use crate::profile;
use crate::prove::{ask, believe};
use crate::vault::write_atomic;
use crate::view::table;

/// Arguments of `jangbu disclose`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A statement, or a product: then the current version of its passport, and that it is
    #[arg(value_name = "STATEMENT|PRODUCT")]
    what: String,
    /// Show this section whole; repeatable
    #[arg(long = "section", value_name = "NAME")]
    sections: Vec<String>,
    /// Show this field, or all fields of this object or array; repeatable
    #[arg(long = "field", value_name = "POINTER")]
    fields: Vec<String>,
    /// Show the sections that this role sees; needs --profile
    #[arg(long, value_name = "NAME", requires = "profile")]
    role: Option<String>,
    /// The profile that says so: a name, NAME@VERSION, or a file
    #[arg(long, value_name = "PROFILE", requires = "role")]
    profile: Option<String>,
    /// Where to write it
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Disclosed<'a> {
    file: &'a Path,
    statement_id: StatementId,
    subject: &'a Identifier,
    version: u32,
    sections: Vec<&'a str>,
    fields: Vec<&'a str>,
    hidden: &'a [String],
}

/// Fetches the proof, adds what is shown, verifies, writes.
///
/// # Errors
///
/// [`CliError`] if the vault does not open the statement, the document has no such part, or no
/// node gives a proof that holds; nothing is written then.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let (mut bundle, id) = proof(&args.what, ctx)?;
    let opening = opening(ctx, &id)?;
    let mut sections = args.sections.clone();
    if let (Some(role), Some(profile)) = (&args.role, &args.profile) {
        sections.extend(seen_by(role, profile, &opening)?);
    }
    let disclosure = choose(&opening, &sections, &args.fields)?;
    let report = believe(ctx, &bundle)?;
    let shown = report
        .statements
        .iter()
        .find(|shown| shown.statement_id == id);
    let sequence = shown
        .ok_or_else(|| CliError::unreachable("the node's proof is of another statement"))?
        .sequence;
    bundle.documents.push(DocumentItem {
        sequence,
        shown: Shown::Fields(Box::new(disclosure)),
    });
    let report = believe(ctx, &bundle)?;
    let [document] = report.documents.as_slice() else {
        return Err(CliError::internal("the disclosure is not one document's"));
    };
    let text = bundle.to_json().map_err(CliError::input)?;
    write_atomic(&args.output, text.as_bytes())?;
    let disclosed = Disclosed {
        file: &args.output,
        statement_id: id,
        subject: &document.subject,
        version: document.version,
        sections: document.sections.keys().map(String::as_str).collect(),
        fields: document
            .fields
            .iter()
            .map(|field| field.pointer.as_str())
            .collect(),
        hidden: &document.hidden,
    };
    ctx.output.report(&disclosed, || {
        let mut text = table(&[
            ("disclosed", args.output.display().to_string()),
            (
                "of",
                format!("{}, version {}", document.subject, document.version),
            ),
        ]);
        text.push_str(&crate::verify::contents(document));
        let check = format!(
            "jangbu open {} --genesis genesis.json   (needs no network)",
            args.output.display()
        );
        text.push_str(&table(&[("check", check)]));
        text
    });
    Ok(())
}

/// The sections of a document that a role of a profile sees.
fn seen_by(role: &str, profile: &str, opening: &Opening) -> Result<Vec<String>, CliError> {
    let profile = profile::find(profile)?;
    let seen = profile.sections_of(role).ok_or_else(|| {
        CliError::input(format!("{} has no role {role:?}", profile.name))
            .hint(format!("one of: {}", profile.roles().join(", ")))
    })?;
    let sections = opening.sections.keys().filter(|name| seen.contains(*name));
    let sections: Vec<String> = sections.cloned().collect();
    if sections.is_empty() {
        let there: Vec<&str> = opening.sections.keys().map(String::as_str).collect();
        return Err(CliError::input(format!(
            "the document has none of the sections that {role} sees; it has: {}",
            there.join(", ")
        ))
        .hint("divide it when it is issued: jangbu passport issue --profile PROFILE"));
    }
    Ok(sections)
}

/// The proof of a statement, or of all statements about a product and which of them is its
/// passport's current version.
fn proof(what: &str, ctx: &Context) -> Result<(Bundle, StatementId), CliError> {
    if what.len() == 64 && what.bytes().all(|b| b.is_ascii_hexdigit()) {
        let id: StatementId = what.to_ascii_lowercase().parse().map_err(CliError::input)?;
        return Ok((ask(ctx, &format!("/v1/proofs/statement/{id}"), &[])?, id));
    }
    let product: Identifier = what.parse().map_err(|error| {
        CliError::input(error)
            .hint("a statement's id has 64 hexadecimal digits; else give a product")
    })?;
    let query = [("identifier", product.to_string())];
    let bundle = ask(ctx, "/v1/proofs/subject", &query)?;
    let whole = [Claim::Complete {
        identifier: product.clone(),
    }];
    if bundle.claims != whole {
        return Err(CliError::input(format!(
            "nothing is recorded about {product}"
        )));
    }
    let report = believe(ctx, &bundle)?;
    let id = current_passport(&report, &product, Height(u64::MAX))
        .ok_or_else(|| CliError::input(format!("{product} has no passport")))?;
    Ok((bundle, id))
}

/// The statement that issued the version of a product's passport that is current at a height.
pub(crate) fn current_passport(
    report: &Report,
    product: &Identifier,
    height: Height,
) -> Option<StatementId> {
    let own = Stream::Open(product.clone());
    let issues = report.statements.iter().rev().find(|shown| {
        shown.height <= height
            && shown.statement.streams.contains(&own)
            && matches!(
                shown.statement.kind,
                Kind::PassportIssued { .. } | Kind::PassportSuperseded { .. }
            )
    });
    issues.map(|shown| shown.statement_id)
}

/// What opens a statement, from the vault.
pub(crate) fn opening(ctx: &Context, id: &StatementId) -> Result<Opening, CliError> {
    ctx.opening(id)?.ok_or_else(|| {
        CliError::input("the vault does not open this statement")
            .about(id)
            .hint("only the vault of the member that made it does, until its opening is erased")
    })
}

/// Shows these sections of a document whole, and of the others these fields.
///
/// A field is `/name` in an undivided document. In a divided one it is `/section/name`, or
/// `/name` if one section alone has it.
pub(crate) fn choose(
    opening: &Opening,
    sections: &[String],
    fields: &[String],
) -> Result<Disclosure, CliError> {
    let whole: Vec<&str> = sections.iter().map(String::as_str).collect();
    let places = fields
        .iter()
        .map(|field| place(opening, field))
        .collect::<Result<Vec<_>, _>>()?;
    opening.disclose(&whole, &places).map_err(|error| {
        let names: Vec<&str> = opening.sections.keys().map(String::as_str).collect();
        let hint = match error {
            ShowError::NoField { .. } => {
                "a field is a JSON pointer, such as /name, /parts/0/id or /parts".to_owned()
            }
            _ => format!("its sections: {}", names.join(", ")),
        };
        CliError::input(error).hint(hint)
    })
}

fn place<'t>(opening: &'t Opening, text: &'t str) -> Result<(&'t str, &'t str), CliError> {
    let has = |value: &serde_json::Value, pointer: &str| value.pointer(pointer).is_some();
    let mut found = opening
        .sections
        .iter()
        .filter(|(_, value)| has(value, text))
        .map(|(name, _)| name.as_str());
    let (first, second) = (found.next(), found.next());
    if let (Some(section), None) = (first, second) {
        return Ok((section, text));
    }
    let rest = text.strip_prefix('/').unwrap_or(text);
    let end = rest.find('/').unwrap_or(rest.len());
    let (name, pointer) = rest.split_at(end);
    if let Some((section, value)) = opening.sections.get_key_value(name)
        && has(value, pointer)
    {
        return Ok((section, pointer));
    }
    let names: Vec<&str> = opening.sections.keys().map(String::as_str).collect();
    Err(match second {
        Some(_) => CliError::input(format!("{text} is in more than one section")).hint(format!(
            "write /SECTION{text} with one of: {}",
            names.join(", ")
        )),
        None => CliError::input(format!("the document has nothing at {text}"))
            .hint("a field is a JSON pointer, such as /name, /parts/0/id or /parts"),
    })
}
