//! Salted commitments: what stands on the ledger in place of a document.
//!
//! ```text
//!   field    keyed(salt(pointer), JCS([pointer, value]))
//!   section  Merkle root over field leaves and decoys, a power of two of them, sorted as bytes
//!   document keyed(salt, subject, version, schema, section names and roots)
//!
//!   document key ─▶ salt of the commitment
//!         └───────▶ section key ─▶ salts of its fields, its decoys
//! ```
//!
//! So there are three things to show: the document with its key, whole sections with theirs, and
//! single fields with their salts. A field shown alone tells nothing of its neighbours: leaves
//! stand in the order of their hashes, and how many of them are decoys nobody sees.
//!
//! The document key is derived from the vault's secret and the document itself, so that a script
//! run twice makes the same statement. Who deletes key and document makes the commitment
//! meaningless: that is erasure.
//!
//! Source: `docs/format.md`, section 9.

mod disclosure;
mod opening;
mod section;

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::Domain;
use crate::id::{Digest, SubjectId};
use crate::json::JsonError;
use crate::secret_newtype;

pub use disclosure::{Disclosure, DisclosureError};
pub use opening::{Opening, ShowError, WHOLE};
pub use section::{FieldProof, LEAVES_MIN, SectionKey, SectionProof};

/// BLAKE3, keyed, 32 bytes.
pub const ALGORITHM_BLAKE3_KEYED: u8 = 1;

/// What stands on the ledger in place of a document, with its algorithm's id.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Commitment {
    /// [`ALGORITHM_BLAKE3_KEYED`].
    pub algorithm: u8,
    /// The commitment.
    pub digest: Digest,
}

impl Commitment {
    /// Of a statement that says all it has to say in public.
    pub const NOTHING: Self = Self::keyed([0; 32]);

    /// A commitment by keyed BLAKE3.
    #[must_use]
    pub const fn keyed(digest: [u8; 32]) -> Self {
        Self {
            algorithm: ALGORITHM_BLAKE3_KEYED,
            digest: Digest(digest),
        }
    }
}

secret_newtype! {
    /// The secret that salts one document's commitments.
    DocumentKey
}

impl DocumentKey {
    const DERIVE: Domain = Domain::new("jangbu/document-key/v1");
    const SALT: Domain = Domain::new("jangbu/document-salt/v1");
    const SECTION: Domain = Domain::new("jangbu/section-key/v1");
    const FILE: Domain = Domain::new("jangbu/file-commitment/v1");

    /// The key of the document with these canonical bytes in the vault with this secret.
    #[must_use]
    pub fn derive(vault_secret: &[u8; 32], canonical: &[u8]) -> Self {
        Self(Self::DERIVE.keyed(vault_secret, canonical))
    }

    /// Commits to a file's bytes.
    #[must_use]
    pub fn commit_file(&self, bytes: &[u8]) -> Commitment {
        Commitment::keyed(Self::FILE.keyed(&self.0, bytes))
    }

    /// The key of one section.
    #[must_use]
    pub fn section(&self, name: &str) -> SectionKey {
        SectionKey::from_bytes(Self::SECTION.keyed(&self.0, name.as_bytes()))
    }

    /// The salt of the commitment itself.
    fn document_salt(&self) -> [u8; 32] {
        Self::SALT.keyed(&self.0, b"")
    }
}

/// A document as it is committed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<'a> {
    /// The subject it is about.
    pub subject: SubjectId,
    /// Its version.
    pub version: u32,
    /// Digest of its schema's name.
    pub schema: Digest,
    /// Its sections by name.
    pub sections: BTreeMap<&'a str, &'a Value>,
}

const DOCUMENT: Domain = Domain::new("jangbu/document/v1");
const SCHEMA: Domain = Domain::new("jangbu/schema/v1");

/// The digest under which statements name a schema.
#[must_use]
pub fn schema_digest(name: &str) -> Digest {
    Digest(SCHEMA.hash(name.as_bytes()))
}

impl Document<'_> {
    /// Commits to the document under `key`.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if a value cannot be made canonical or a section has too many fields.
    pub fn commit(&self, key: &DocumentKey) -> Result<Commitment, JsonError> {
        let salt = key.document_salt();
        let roots = self.roots(key)?;
        Ok(commit_roots(
            &salt,
            self.subject,
            self.version,
            self.schema,
            &roots,
        ))
    }

    /// The roots of the sections, sorted by name.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn roots(&self, key: &DocumentKey) -> Result<Vec<(String, Digest)>, JsonError> {
        self.sections
            .iter()
            .map(|(name, value)| Ok(((*name).to_owned(), key.section(name).root(value)?)))
            .collect()
    }
}

/// A document's commitment, blinded by a salt of its own, so that the roots can be shown without
/// the document's key.
fn commit_roots(
    salt: &[u8; 32],
    subject: SubjectId,
    version: u32,
    schema: Digest,
    roots: &[(String, Digest)],
) -> Commitment {
    let bound = crate::codec::encode(&(subject, version, schema, roots.to_vec()));
    Commitment::keyed(DOCUMENT.keyed(salt, &bound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(value: &Value) -> Document<'_> {
        Document {
            subject: SubjectId([1; 32]),
            version: 1,
            schema: schema_digest("test"),
            sections: BTreeMap::from([("document", value)]),
        }
    }

    #[test]
    fn the_same_document_commits_to_the_same_and_any_change_to_another() {
        let value = json!({"a": {"b/c": [1, 2, {}]}, "d": "x"});
        let key = DocumentKey::derive(&[9; 32], b"canonical");
        let commitment = document(&value).commit(&key).unwrap();
        assert_eq!(document(&value).commit(&key).unwrap(), commitment);
        for changed in [
            json!({"a": {"b/c": [1, 3, {}]}, "d": "x"}),
            json!({"a": {"b/c": [1, 2, []]}, "d": "x"}),
            // The same pointers and values, but an object in place of the array.
            json!({"a": {"b/c": {"0": 1, "1": 2, "2": {}}}, "d": "x"}),
        ] {
            let other = document(&changed).commit(&key).unwrap();
            assert_ne!(other, commitment, "{changed}");
        }
        let mut other = document(&value);
        other.version = 2;
        assert_ne!(other.commit(&key).unwrap(), commitment);
        let mut other = document(&value);
        other.subject = SubjectId([2; 32]);
        assert_ne!(other.commit(&key).unwrap(), commitment);
        let unsalted = DocumentKey::derive(&[8; 32], b"canonical");
        assert_ne!(document(&value).commit(&unsalted).unwrap(), commitment);
    }
}
