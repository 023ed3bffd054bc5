//! What opens a commitment: the whole document with its key, or chosen fields with their salts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Commitment, Document, DocumentKey, FieldProof, commit_roots, schema_digest};
use crate::hash::parse_hex;
use crate::id::Digest;
use crate::identifier::Identifier;
use crate::json::{self, JsonError};

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

/// Chosen fields of a document, checkable against its commitment without its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// What the document is about.
    pub subject: Identifier,
    /// Its version.
    pub version: u32,
    /// Name of its schema.
    pub schema: String,
    /// Salt of the commitment.
    pub salt: Digest,
    /// Roots of all its sections, sorted by name.
    pub roots: Vec<(String, Digest)>,
    /// The fields shown.
    pub fields: Vec<FieldProof>,
}

/// Why a disclosure shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisclosureError {
    /// No field, a field twice, or fields in another order than by section and pointer.
    #[error("its fields are not one or more, sorted by section and pointer, each once")]
    Order,
    /// A field is not one of its section's.
    #[error("the field {pointer} is not in the section {section}")]
    Field {
        /// Its section, as far as a message has room for it.
        section: String,
        /// Its pointer, likewise.
        pointer: String,
    },
    /// The document is another than the one committed to.
    #[error("it leads to another commitment than the statement's")]
    OtherCommitment,
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

    /// Shows the fields at these sections and pointers, and nothing else.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if a section cannot be made canonical; `Ok(None)` if there is no such field.
    pub fn disclose(&self, chosen: &[(&str, &str)]) -> Result<Option<Disclosure>, JsonError> {
        let document = self.committed();
        let mut fields = Vec::with_capacity(chosen.len());
        for (section, pointer) in chosen.iter().collect::<BTreeSet<_>>() {
            match document.disclose(&self.key, section, pointer)? {
                Some(field) => fields.push(field),
                None => return Ok(None),
            }
        }
        Ok(Some(Disclosure {
            subject: self.subject.clone(),
            version: self.version,
            schema: self.schema.clone(),
            salt: Digest(self.key.document_salt()),
            roots: document.roots(&self.key)?,
            fields,
        }))
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

impl Disclosure {
    /// Checks every field against the commitment.
    ///
    /// # Errors
    ///
    /// [`DisclosureError`], the first found.
    pub fn verify(&self, commitment: &Commitment) -> Result<(), DisclosureError> {
        let place = |field: &FieldProof| (field.section.clone(), field.pointer.clone());
        if self.fields.is_empty() || !self.fields.is_sorted_by(|a, b| place(a) < place(b)) {
            return Err(DisclosureError::Order);
        }
        for field in &self.fields {
            let section = self.roots.iter().find(|(name, _)| *name == field.section);
            if field.root().is_none() || field.root() != section.map(|(_, root)| *root) {
                return Err(DisclosureError::Field {
                    section: json::brief(&field.section),
                    pointer: json::brief(&field.pointer),
                });
            }
        }
        let subject = self.subject.subject_id();
        let schema = schema_digest(&self.schema);
        let got = commit_roots(&self.salt.0, subject, self.version, schema, &self.roots);
        if got == *commitment {
            Ok(())
        } else {
            Err(DisclosureError::OtherCommitment)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn opening() -> Opening {
        Opening {
            subject: Identifier::parse("https://id.gs1.org/01/09521234002000").unwrap(),
            version: 2,
            schema: "test".into(),
            key: DocumentKey::from_bytes([4; 32]),
            sections: BTreeMap::from([
                ("public".into(), json!({"a": [1, 2], "b": "x"})),
                ("secret".into(), json!({"c": true})),
            ]),
        }
    }

    #[test]
    fn a_disclosure_shows_its_fields_and_no_others() {
        let opening = opening();
        let commitment = opening.commitment().unwrap();
        let shown = opening
            .disclose(&[("public", "/a/1"), ("secret", "/c")])
            .unwrap()
            .unwrap();
        assert_eq!(shown.verify(&commitment), Ok(()));
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("\"x\""), "{text}");
        assert_eq!(serde_json::from_str::<Disclosure>(&text).unwrap(), shown);
        assert_eq!(opening.disclose(&[("public", "/z")]).unwrap(), None);
    }

    #[test]
    fn any_change_to_a_disclosure_is_refused() {
        let opening = opening();
        let commitment = opening.commitment().unwrap();
        let shown = opening.disclose(&[("public", "/b")]).unwrap().unwrap();
        let changes: [fn(&mut Disclosure); 9] = [
            |d| d.fields.clear(),
            |d| d.fields.push(d.fields[0].clone()),
            |d| d.version = 3,
            |d| d.schema.push('x'),
            |d| d.subject = Identifier::parse("https://id.gs1.org/01/09521234002017").unwrap(),
            |d| d.salt.0[0] ^= 1,
            |d| d.roots[1].1.0[0] ^= 1,
            |d| d.fields[0].value = json!("y"),
            |d| d.fields[0].section = "secret".into(),
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut changed = shown.clone();
            change(&mut changed);
            assert!(changed.verify(&commitment).is_err(), "change {at}");
        }
        let mut other = opening.clone();
        other.key = DocumentKey::from_bytes([5; 32]);
        assert_ne!(other.commitment().unwrap(), commitment);
    }
}
