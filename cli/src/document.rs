//! Documents: read strictly, committed to with a key of their own, opened later by the vault.

use std::collections::BTreeMap;
use std::path::Path;

use jangbu_ledger::commitment::{Commitment, Document, DocumentKey, schema_digest};
use jangbu_ledger::hash::parse_hex;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::json::{self, DOCUMENT_BYTES_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::{Context, read_bounded};
use crate::error::CliError;

/// Section of a document that nobody divided.
pub const WHOLE: &str = "document";

/// All that opens one commitment. The key is secret: with it and a guess at the document anyone
/// can tell whether the guess is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// What the document is about.
    pub subject: Identifier,
    /// Its version.
    pub version: u32,
    /// Name of its schema.
    pub schema: String,
    /// Its key.
    #[serde(with = "key_hex")]
    pub key: DocumentKey,
    /// Its sections by name.
    pub sections: BTreeMap<String, Value>,
}

impl Opening {
    /// The commitment that this opens.
    ///
    /// # Errors
    ///
    /// [`CliError`] if a section cannot be made canonical.
    pub fn commitment(&self) -> Result<Commitment, CliError> {
        Document {
            subject: self.subject.subject_id(),
            version: self.version,
            schema: schema_digest(&self.schema),
            sections: self
                .sections
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect(),
        }
        .commit(&self.key)
        .map_err(CliError::input)
    }

    /// The document: its one section, or an object of its sections.
    #[must_use]
    pub fn document(&self) -> Value {
        match self.sections.get(WHOLE) {
            Some(whole) if self.sections.len() == 1 => whole.clone(),
            _ => json!(self.sections),
        }
    }
}

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

mod key_hex {
    use super::{DocumentKey, parse_hex};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &DocumentKey, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(key.expose()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<DocumentKey, D::Error> {
        let text = String::deserialize(d)?;
        parse_hex("document key", &text)
            .map(DocumentKey::from_bytes)
            .map_err(serde::de::Error::custom)
    }
}
