//! Documents: read strictly, committed to with a key of their own, opened later by the vault.

use std::collections::BTreeMap;
use std::path::Path;

use jangbu_ledger::commitment::{Commitment, DocumentKey};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::json::{self, DOCUMENT_BYTES_MAX};
use serde_json::{Value, json};

use crate::context::{Context, read_bounded};
use crate::error::CliError;

pub use jangbu_ledger::commitment::{Opening, WHOLE};

/// Reads a JSON document, refusing what two readers could read differently.
///
/// # Errors
///
/// [`CliError`] naming file, line and column.
pub fn read(path: &Path) -> Result<Value, CliError> {
    let bytes = read_bounded(path, DOCUMENT_BYTES_MAX as u64)?;
    json::parse(&bytes).map_err(|error| CliError::file(path, error))
}

/// Commits to a document as a whole.
///
/// # Errors
///
/// [`CliError`] if the vault's secret cannot be had or the document cannot be made canonical.
pub fn commit(
    ctx: &Context,
    subject: &Identifier,
    version: u32,
    schema: &str,
    document: Value,
) -> Result<(Commitment, Opening), CliError> {
    let sections = BTreeMap::from([(WHOLE.to_owned(), document)]);
    commit_sections(ctx, subject, version, schema, sections)
}

/// Commits to a document in sections, each of which can be shown without the others.
///
/// The key comes from the vault's secret and all that is committed to: a second run makes the
/// same statement, and no two statements share a key.
///
/// # Errors
///
/// [`CliError`] if the vault's secret cannot be had or the document cannot be made canonical.
pub fn commit_sections(
    ctx: &Context,
    subject: &Identifier,
    version: u32,
    schema: &str,
    sections: BTreeMap<String, Value>,
) -> Result<(Commitment, Opening), CliError> {
    let body = json!({
        "subject": subject,
        "version": version,
        "schema": schema,
        "sections": sections,
    });
    let canonical = json::canonicalize(&body).map_err(CliError::input)?;
    let opening = Opening {
        subject: subject.clone(),
        version,
        schema: schema.to_owned(),
        key: DocumentKey::derive(ctx.vault_secret()?.expose(), &canonical),
        sections,
    };
    Ok((opening.commitment()?, opening))
}
