//! Salted commitments: what stands on the ledger in place of a document.
//!
//! ```text
//!   field    keyed(salt(pointer), JCS([pointer, value]))
//!   section  Merkle root over field leaves by pointer, padded with decoys to a power of two
//!   document keyed(document key, subject, version, schema, section names and roots)
//! ```
//!
//! The document key is derived from the vault's secret and the document itself, so that a script
//! run twice makes the same statement. Who deletes key and document makes the commitment
//! meaningless: that is erasure.
//!
//! Source: `docs/format.md`, section 9.

mod opening;

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hash::Domain;
use crate::id::{Digest, SubjectId};
use crate::json::{self, JsonError};

pub use opening::{Disclosure, DisclosureError, Opening, WHOLE};

/// BLAKE3, keyed, 32 bytes.
pub const ALGORITHM_BLAKE3_KEYED: u8 = 1;
/// Most fields of one section, decoys included.
const FIELDS_MAX: usize = 1 << 20;

/// What stands on the ledger in place of a document, with its algorithm's id.
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

/// The secret that salts one document's commitments.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DocumentKey([u8; 32]);

impl std::fmt::Debug for DocumentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DocumentKey(..)")
    }
}

impl DocumentKey {
    const DERIVE: Domain = Domain::new("jangbu/document-key/v1");
    const SALT: Domain = Domain::new("jangbu/field-salt/v1");
    const DECOY: Domain = Domain::new("jangbu/field-decoy/v1");
    const FILE: Domain = Domain::new("jangbu/file-commitment/v1");

    /// The key of the document with these canonical bytes in the vault with this secret.
    #[must_use]
    pub fn derive(vault_secret: &[u8; 32], canonical: &[u8]) -> Self {
        Self(Self::DERIVE.keyed(vault_secret, canonical))
    }

    /// A key from the vault.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret itself, for the vault.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Commits to a file's bytes.
    #[must_use]
    pub fn commit_file(&self, bytes: &[u8]) -> Commitment {
        Commitment::keyed(Self::FILE.keyed(&self.0, bytes))
    }

    /// The salt of the commitment itself.
    fn document_salt(&self) -> [u8; 32] {
        self.salt("", "")
    }

    fn salt(&self, section: &str, pointer: &str) -> [u8; 32] {
        Self::SALT.keyed(&self.0, &crate::codec::encode(&(section, pointer)))
    }

    fn decoy(&self, section: &str, n: usize) -> [u8; 32] {
        Self::DECOY.keyed(&self.0, &crate::codec::encode(&(section, n)))
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

/// One disclosed field with what checks it against a section's root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldProof {
    /// Its section.
    pub section: String,
    /// RFC 6901 pointer inside the section.
    pub pointer: String,
    /// Its value: a scalar, or an empty array or object.
    pub value: Value,
    /// Its salt.
    pub salt: Digest,
    /// Its position among the section's leaves.
    pub index: u32,
    /// Number of leaves, decoys included: a power of two.
    pub count: u32,
    /// Sibling hashes, lowest first.
    pub path: Vec<Digest>,
}

const LEAF: Domain = Domain::new("jangbu/field-leaf/v1");
const NODE: Domain = Domain::new("jangbu/field-node/v1");
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
        Ok(self.commit_roots(key, &self.roots(key)?))
    }

    /// The commitment over given section roots, sorted by name.
    #[must_use]
    pub fn commit_roots(&self, key: &DocumentKey, roots: &[(String, Digest)]) -> Commitment {
        let salt = key.document_salt();
        commit_roots(&salt, self.subject, self.version, self.schema, roots)
    }

    /// The roots of the sections, sorted by name.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub fn roots(&self, key: &DocumentKey) -> Result<Vec<(String, Digest)>, JsonError> {
        self.sections
            .iter()
            .map(|(name, value)| Ok(((*name).to_owned(), self.root(key, name, value)?)))
            .collect()
    }

    /// Discloses one field.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if the value cannot be made canonical; `Ok(None)` if there is no such field.
    pub fn disclose(
        &self,
        key: &DocumentKey,
        section: &str,
        pointer: &str,
    ) -> Result<Option<FieldProof>, JsonError> {
        let Some(value) = self.sections.get(section) else {
            return Ok(None);
        };
        let fields = flatten(value);
        let Some(index) = fields.iter().position(|(p, _)| p == pointer) else {
            return Ok(None);
        };
        let mut level = leaves(key, section, &fields)?;
        let count = level.len();
        let mut path = Vec::new();
        let mut at = index;
        while level.len() > 1 {
            path.push(Digest(level[at ^ 1]));
            level = level
                .chunks(2)
                .map(|pair| join(&pair[0], &pair[1]))
                .collect();
            at /= 2;
        }
        Ok(Some(FieldProof {
            section: section.to_owned(),
            pointer: pointer.to_owned(),
            value: fields[index].1.clone(),
            salt: Digest(key.salt(section, pointer)),
            index: u32::try_from(index).unwrap_or(u32::MAX),
            count: u32::try_from(count).unwrap_or(u32::MAX),
            path,
        }))
    }

    fn root(&self, key: &DocumentKey, name: &str, value: &Value) -> Result<Digest, JsonError> {
        let mut level = leaves(key, name, &flatten(value))?;
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| join(&pair[0], &pair[1]))
                .collect();
        }
        Ok(Digest(level[0]))
    }
}

impl FieldProof {
    /// The section root that this field leads to, if the proof is well formed.
    #[must_use]
    pub fn root(&self) -> Option<Digest> {
        let depth = self.count.checked_ilog2()?;
        if !self.count.is_power_of_two()
            || self.index >= self.count
            || usize::try_from(depth).ok()? != self.path.len()
        {
            return None;
        }
        let mut hash = leaf(&self.salt.0, &self.pointer, &self.value).ok()?;
        for (level, sibling) in self.path.iter().enumerate() {
            hash = if self.index >> level & 1 == 0 {
                join(&hash, &sibling.0)
            } else {
                join(&sibling.0, &hash)
            };
        }
        Some(Digest(hash))
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

/// All scalar fields by pointer; empty arrays and objects count as fields.
fn flatten(value: &Value) -> Vec<(String, &Value)> {
    let mut fields = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let escaped = key.replace('~', "~0").replace('/', "~1");
                    open.push((format!("{pointer}/{escaped}"), value));
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for (index, value) in list.iter().enumerate() {
                    open.push((format!("{pointer}/{index}"), value));
                }
            }
            leaf => fields.push((pointer, leaf)),
        }
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}

fn leaves(
    key: &DocumentKey,
    section: &str,
    fields: &[(String, &Value)],
) -> Result<Vec<[u8; 32]>, JsonError> {
    if fields.len() > FIELDS_MAX {
        return Err(JsonError::NotCanonicalizable(format!(
            "{} fields in one section",
            fields.len()
        )));
    }
    let mut leaves = Vec::with_capacity(fields.len().next_power_of_two());
    for (pointer, value) in fields {
        leaves.push(leaf(&key.salt(section, pointer), pointer, value)?);
    }
    for n in leaves.len()..leaves.len().next_power_of_two().max(1) {
        leaves.push(key.decoy(section, n));
    }
    Ok(leaves)
}

fn leaf(salt: &[u8; 32], pointer: &str, value: &Value) -> Result<[u8; 32], JsonError> {
    let pair = Value::Array(vec![Value::String(pointer.to_owned()), value.clone()]);
    Ok(LEAF.keyed(salt, &json::canonicalize(&pair)?))
}

fn join(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    NODE.hash(&both)
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
        let changed = json!({"a": {"b/c": [1, 3, {}]}, "d": "x"});
        assert_ne!(document(&changed).commit(&key).unwrap(), commitment);
        let mut other = document(&value);
        other.version = 2;
        assert_ne!(other.commit(&key).unwrap(), commitment);
        let mut other = document(&value);
        other.subject = SubjectId([2; 32]);
        assert_ne!(other.commit(&key).unwrap(), commitment);
        let unsalted = DocumentKey::derive(&[8; 32], b"canonical");
        assert_ne!(document(&value).commit(&unsalted).unwrap(), commitment);
    }

    #[test]
    fn a_disclosed_field_leads_to_its_sections_root_and_an_altered_one_does_not() {
        let value = json!({"a": {"b/c": [1, 2, {}]}, "d": "x", "e": null});
        let key = DocumentKey::derive(&[9; 32], b"canonical");
        let document = document(&value);
        let root = document.root(&key, "document", &value).unwrap();
        for pointer in ["/a/b~1c/0", "/a/b~1c/2", "/d", "/e"] {
            let proof = document
                .disclose(&key, "document", pointer)
                .unwrap()
                .unwrap();
            assert_eq!(proof.root(), Some(root), "{pointer}");
            let altered = FieldProof {
                value: json!("other"),
                ..proof.clone()
            };
            assert_ne!(altered.root(), Some(root));
            let moved = FieldProof {
                pointer: "/z".into(),
                ..proof.clone()
            };
            assert_ne!(moved.root(), Some(root));
            let shifted = FieldProof {
                index: proof.index ^ 1,
                ..proof
            };
            assert_ne!(shifted.root(), Some(root));
        }
        assert_eq!(
            document.disclose(&key, "document", "/missing").unwrap(),
            None
        );
    }
}
