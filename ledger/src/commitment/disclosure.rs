//! Parts of a document that can be checked against its commitment without its key: whole
//! sections, and single fields of others.

use serde::{Deserialize, Serialize};

use super::{Commitment, FieldProof, SectionProof, commit_roots, schema_digest};
use crate::id::Digest;
use crate::identifier::Identifier;
use crate::json::{self, JsonError};

/// Chosen parts of a document.
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
    /// The sections shown whole, sorted by name.
    pub sections: Vec<SectionProof>,
    /// The fields shown of other sections, sorted by section and pointer.
    pub fields: Vec<FieldProof>,
}

/// Why a disclosure shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisclosureError {
    /// Nothing shown, something twice, or in another order than by section and pointer.
    #[error(
        "its roots, sections and fields are not sorted by section and pointer, each once, or \
         nothing is shown"
    )]
    Order,
    /// A section is not the document's.
    #[error("the section {0:?} is not the document's")]
    Section(String),
    /// A field is not one of its section's.
    #[error("the field {pointer} is not in the section {section:?}")]
    Field {
        /// Its section.
        section: String,
        /// Its pointer.
        pointer: String,
    },
    /// A section's value cannot be made canonical.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The document is another than the one committed to.
    #[error("it leads to another commitment than the statement's")]
    OtherCommitment,
}

impl Disclosure {
    /// Checks every section and field against the commitment.
    ///
    /// # Errors
    ///
    /// [`DisclosureError`], the first found.
    pub fn verify(&self, commitment: &Commitment) -> Result<(), DisclosureError> {
        let whole = |name: &str| self.sections.iter().any(|shown| shown.section == name);
        let in_order = self.roots.is_sorted_by(|(a, _), (b, _)| a < b)
            && self.sections.is_sorted_by(|a, b| a.section < b.section)
            && self
                .fields
                .is_sorted_by(|a, b| (&a.section, &a.pointer) < (&b.section, &b.pointer))
            && !self.fields.iter().any(|field| whole(&field.section));
        if !in_order || (self.sections.is_empty() && self.fields.is_empty()) {
            return Err(DisclosureError::Order);
        }
        for shown in &self.sections {
            if self.root_of(&shown.section) != Some(shown.key.root(&shown.value)?) {
                return Err(DisclosureError::Section(json::brief(&shown.section)));
            }
        }
        for field in &self.fields {
            if field.root().is_none() || field.root() != self.root_of(&field.section) {
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

    fn root_of(&self, section: &str) -> Option<Digest> {
        let found = self.roots.iter().find(|(name, _)| name == section);
        found.map(|(_, root)| *root)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::{DocumentKey, Opening, SectionKey, ShowError};
    use super::*;

    fn opening() -> Opening {
        Opening {
            subject: Identifier::parse("https://id.gs1.org/01/09521234002000").unwrap(),
            version: 2,
            schema: "test".into(),
            key: DocumentKey::from_bytes([4; 32]),
            sections: BTreeMap::from([
                ("public".into(), json!({"a": [1, 2], "b": "x"})),
                ("secret".into(), json!({"c": true, "d": 7})),
            ]),
        }
    }

    #[test]
    fn a_disclosure_shows_what_was_chosen_and_nothing_else() {
        let opening = opening();
        let commitment = opening.commitment().unwrap();
        let shown = opening
            .disclose(&[], &[("public", "/a/1"), ("secret", "/c")])
            .unwrap();
        assert_eq!(shown.verify(&commitment), Ok(()));
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("\"x\""), "{text}");
        assert_eq!(serde_json::from_str::<Disclosure>(&text).unwrap(), shown);

        let shown = opening
            .disclose(&["public"], &[("public", "/b"), ("secret", "/d")])
            .unwrap();
        assert_eq!(shown.verify(&commitment), Ok(()));
        assert_eq!((shown.sections.len(), shown.fields.len()), (1, 1));
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("true"), "{text}");

        let none = |sections: &[&str], fields: &[(&str, &str)]| {
            opening.disclose(sections, fields).unwrap_err()
        };
        assert_eq!(none(&[], &[]), ShowError::Nothing);
        assert_eq!(none(&["other"], &[]), ShowError::NoSection("other".into()));
        assert!(matches!(
            none(&[], &[("public", "/z")]),
            ShowError::NoField { .. }
        ));
    }

    #[test]
    fn any_change_to_a_disclosure_is_refused() {
        let opening = opening();
        let commitment = opening.commitment().unwrap();
        let shown = opening.disclose(&["secret"], &[("public", "/b")]).unwrap();
        assert_eq!(shown.verify(&commitment), Ok(()));
        let changes: [fn(&mut Disclosure); 18] = [
            |d| {
                d.fields.clear();
                d.sections.clear();
            },
            |d| d.fields.push(d.fields[0].clone()),
            |d| d.sections.push(d.sections[0].clone()),
            |d| d.roots.swap(0, 1),
            |d| d.roots.push(d.roots[1].clone()),
            |d| d.version = 3,
            |d| d.schema.push('x'),
            |d| d.subject = Identifier::parse("https://id.gs1.org/01/09521234002017").unwrap(),
            |d| d.salt.0[0] ^= 1,
            |d| d.roots[1].1.0[0] ^= 1,
            |d| d.fields[0].value = json!("y"),
            |d| d.fields[0].pointer = "/a".into(),
            |d| d.fields[0].section = "secret".into(),
            |d| d.sections[0].value["d"] = json!(8),
            |d| d.sections[0].value["e"] = Value::Null,
            |d| d.sections[0].value = json!({"c": true}),
            |d| d.sections[0].key = SectionKey::from_bytes([9; 32]),
            |d| d.sections[0].section = "public".into(),
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
