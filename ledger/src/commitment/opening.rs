//! What opens a commitment whole: the document with its key.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Commitment, Disclosure, Document, DocumentKey, SectionProof, schema_digest};
use crate::hash::parse_hex;
use crate::id::Digest;
use crate::identifier::Identifier;
use crate::json::JsonError;

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
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    pub key: DocumentKey,
    /// Its sections by name.
    pub sections: BTreeMap<String, Value>,
}

/// Why a part of a document cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShowError {
    /// The document has no such section.
    #[error("the document has no section {0:?}")]
    NoSection(String),
    /// The section has no such field.
    #[error("there is nothing at {pointer:?} in the section {section:?}")]
    NoField {
        /// The section.
        section: String,
        /// The pointer.
        pointer: String,
    },
    /// Nothing was chosen.
    #[error("no section and no field was chosen")]
    Nothing,
    /// A section cannot be made canonical.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Opening {
    /// The commitment that this opens.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if a section cannot be made canonical.
    pub fn commitment(&self) -> Result<Commitment, JsonError> {
        self.committed().commit(&self.key)
    }

    /// The document: its one section, or an object of its sections.
    #[must_use]
    pub fn document(&self) -> Value {
        match self.sections.get(WHOLE) {
            Some(whole) if self.sections.len() == 1 => whole.clone(),
            _ => serde_json::json!(self.sections),
        }
    }

    /// Shows these sections whole, and of the others the fields at and below these sections and
    /// pointers; nothing else.
    ///
    /// # Errors
    ///
    /// [`ShowError`] if there is no such section or field, or none was chosen.
    pub fn disclose(
        &self,
        sections: &[&str],
        fields: &[(&str, &str)],
    ) -> Result<Disclosure, ShowError> {
        let value_of = |name: &str| {
            self.sections
                .get(name)
                .ok_or_else(|| ShowError::NoSection(name.to_owned()))
        };
        let mut whole = BTreeMap::new();
        for name in sections {
            whole.insert(*name, value_of(name)?);
        }
        let mut by_section: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (section, pointer) in fields {
            if !whole.contains_key(section) {
                by_section.entry(section).or_default().push(pointer);
            }
        }
        let mut shown = Vec::new();
        for (section, pointers) in by_section {
            let value = value_of(section)?;
            let proofs = self.key.section(section).show(section, value, &pointers)?;
            shown.extend(proofs.map_err(|pointer| ShowError::NoField {
                section: section.to_owned(),
                pointer,
            })?);
        }
        if whole.is_empty() && shown.is_empty() {
            return Err(ShowError::Nothing);
        }
        Ok(Disclosure {
            subject: self.subject.clone(),
            version: self.version,
            schema: self.schema.clone(),
            salt: Digest(self.key.document_salt()),
            roots: self.committed().roots(&self.key)?,
            sections: whole
                .into_iter()
                .map(|(name, value)| SectionProof {
                    section: name.to_owned(),
                    key: self.key.section(name),
                    value: value.clone(),
                })
                .collect(),
            fields: shown,
        })
    }

    fn committed(&self) -> Document<'_> {
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
    }
}

fn write_key<S: Serializer>(key: &DocumentKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(key.expose()))
}

fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DocumentKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_hex("document key", &text)
        .map(DocumentKey::from_bytes)
        .map_err(serde::de::Error::custom)
}
