//! One section of a document: its fields, their leaves, the tree over them, and what shows them.
//!
//! ```text
//!   value ─▶ fields: (pointer, kinds, scalar or empty) ─▶ leaves ┐
//!                                           section key ─▶ decoys ┴─ sorted as bytes ─▶ root
//! ```
//!
//! Invariants:
//! - a section has at least [`LEAVES_MIN`] leaves, and a power of two of them;
//! - a field's salt binds whether each step of its pointer goes into an object or an array, so
//!   that two values with one root are the same value;
//! - where a leaf stands depends on secret salts only: a field's index tells nothing of how many
//!   fields sort before it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::hash::{Domain, parse_hex};
use crate::id::Digest;
use crate::json::{self, JsonError};
use crate::secret_newtype;

/// Fewest leaves of a section: below, their number would tell how many fields there are.
pub const LEAVES_MIN: usize = 16;
/// Most fields of one section.
const FIELDS_MAX: usize = 1 << 20;

const SALT: Domain = Domain::new("jangbu/field-salt/v1");
const DECOY: Domain = Domain::new("jangbu/field-decoy/v1");
const LEAF: Domain = Domain::new("jangbu/field-leaf/v1");
const NODE: Domain = Domain::new("jangbu/field-node/v1");

secret_newtype! {
    /// The secret that salts one section: whoever has it can check the section as a whole.
    SectionKey
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

/// A whole section: with its key it is all there is under the section's root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionProof {
    /// Its name.
    pub section: String,
    /// Its key.
    pub key: SectionKey,
    /// Its value.
    pub value: Value,
}

/// A scalar, or an empty array or object, and where it is.
struct Field<'v> {
    pointer: String,
    /// For each step of the pointer, whether it is an array's index.
    indices: Vec<bool>,
    value: &'v Value,
}

impl Serialize for SectionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for SectionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hex("section key", &text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl SectionKey {
    /// The root of the section with this value.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if the value cannot be made canonical or has too many fields.
    pub fn root(&self, value: &Value) -> Result<Digest, JsonError> {
        let mut level = self.leaves(&flatten(value))?;
        while level.len() > 1 {
            level = above(&level);
        }
        Ok(Digest(level[0]))
    }

    /// Shows the fields at and below each of these pointers, sorted by pointer, and nothing else.
    ///
    /// # Errors
    ///
    /// The pointer at which there is nothing, or a [`JsonError`] as for [`root`](Self::root).
    pub(super) fn show(
        &self,
        section: &str,
        value: &Value,
        pointers: &[&str],
    ) -> Result<Result<Vec<FieldProof>, String>, JsonError> {
        let fields = flatten(value);
        let below = |field: &Field<'_>, pointer: &str| {
            let rest = field.pointer.strip_prefix(pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        for pointer in pointers {
            if !fields.iter().any(|field| below(field, pointer)) {
                return Ok(Err((*pointer).to_owned()));
            }
        }
        let mut levels = vec![self.leaves(&fields)?];
        while let Some(last) = levels.last()
            && last.len() > 1
        {
            let next = above(last);
            levels.push(next);
        }
        let chosen = fields
            .iter()
            .filter(|field| pointers.iter().any(|pointer| below(field, pointer)));
        chosen
            .map(|field| self.prove(section, field, &levels))
            .collect::<Result<_, _>>()
            .map(Ok)
    }

    fn prove(
        &self,
        section: &str,
        field: &Field<'_>,
        levels: &[Vec<[u8; 32]>],
    ) -> Result<FieldProof, JsonError> {
        let salt = self.salt(field);
        let hash = leaf(&salt, &field.pointer, field.value)?;
        let not_there = || JsonError::NotCanonicalizable(format!("no leaf of {}", field.pointer));
        let leaves = levels.first().ok_or_else(not_there)?;
        let index = leaves.binary_search(&hash).map_err(|_| not_there())?;
        let path = levels
            .iter()
            .take(levels.len() - 1)
            .enumerate()
            .map(|(height, level)| Digest(level[(index >> height) ^ 1]))
            .collect();
        Ok(FieldProof {
            section: section.to_owned(),
            pointer: field.pointer.clone(),
            value: field.value.clone(),
            salt: Digest(salt),
            index: u32::try_from(index).unwrap_or(u32::MAX),
            count: u32::try_from(leaves.len()).unwrap_or(u32::MAX),
            path,
        })
    }

    fn salt(&self, field: &Field<'_>) -> [u8; 32] {
        let bound = crate::codec::encode(&(&field.pointer, &field.indices));
        SALT.keyed(&self.0, &bound)
    }

    /// Leaves of the fields and as many decoys as fill a power of two, sorted.
    fn leaves(&self, fields: &[Field<'_>]) -> Result<Vec<[u8; 32]>, JsonError> {
        if fields.len() > FIELDS_MAX {
            return Err(JsonError::NotCanonicalizable(format!(
                "{} fields in one section",
                fields.len()
            )));
        }
        let count = fields.len().next_power_of_two().max(LEAVES_MIN);
        let mut leaves = Vec::with_capacity(count);
        for field in fields {
            leaves.push(leaf(&self.salt(field), &field.pointer, field.value)?);
        }
        for n in leaves.len()..count {
            leaves.push(DECOY.keyed(&self.0, &crate::codec::encode(&n)));
        }
        leaves.sort_unstable();
        Ok(leaves)
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
            || !is_field(&self.value)
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

/// Whether a value is a field of its own: a scalar, or an empty array or object.
fn is_field(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    }
}

/// All fields, sorted by pointer.
fn flatten(value: &Value) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut open = vec![Field {
        pointer: String::new(),
        indices: Vec::new(),
        value,
    }];
    while let Some(at) = open.pop() {
        let mut enter = |step: &str, is_index: bool, value| {
            let mut indices = at.indices.clone();
            indices.push(is_index);
            open.push(Field {
                pointer: format!("{}/{step}", at.pointer),
                indices,
                value,
            });
        };
        match at.value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    enter(&json::escape_pointer(key), false, value);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for (index, value) in list.iter().enumerate() {
                    enter(&index.to_string(), true, value);
                }
            }
            _ => fields.push(at),
        }
    }
    fields.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    fields
}

fn leaf(salt: &[u8; 32], pointer: &str, value: &Value) -> Result<[u8; 32], JsonError> {
    let pair = Value::Array(vec![Value::String(pointer.to_owned()), value.clone()]);
    Ok(LEAF.keyed(salt, &json::canonicalize(&pair)?))
}

fn above(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    level
        .chunks(2)
        .map(|pair| join(&pair[0], &pair[1]))
        .collect()
}

fn join(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    NODE.hash(&both)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn show(key: &SectionKey, value: &Value, pointer: &str) -> Vec<FieldProof> {
        key.show("s", value, &[pointer]).unwrap().unwrap()
    }

    #[test]
    fn a_disclosed_field_leads_to_its_sections_root_and_an_altered_one_does_not() {
        let value = json!({"a": {"b/c": [1, 2, {}]}, "d": "x", "e": null});
        let key = SectionKey([9; 32]);
        let root = key.root(&value).unwrap();
        for pointer in ["/a/b~1c/0", "/a/b~1c/2", "/d", "/e"] {
            let [proof] = &show(&key, &value, pointer)[..] else {
                panic!("one field is at {pointer}");
            };
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
                ..proof.clone()
            };
            assert_ne!(shifted.root(), Some(root));
        }
        assert_eq!(
            key.show("s", &value, &["/d", "/missing"]).unwrap(),
            Err("/missing".to_owned())
        );
    }

    #[test]
    fn a_pointer_to_an_object_shows_all_below_it_and_not_its_namesakes() {
        let value = json!({"a": {"x": 1, "y": [2]}, "ab": 3});
        let shown = show(&SectionKey([9; 32]), &value, "/a");
        let pointers: Vec<&str> = shown.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a/x", "/a/y/0"]);
    }

    #[test]
    fn a_field_shown_alone_does_not_tell_how_many_others_there_are() {
        let few = json!({"z": 1});
        let mut many = few.clone();
        for n in 0..LEAVES_MIN - 1 {
            many[format!("a{n}")] = json!(n);
        }
        // In a tree sorted by pointer /z would be the first of few and the last of many.
        let (mut of_few, mut of_many) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..200 {
            let key = SectionKey([seed; 32]);
            for (value, seen) in [(&few, &mut of_few), (&many, &mut of_many)] {
                let proof = show(&key, value, "/z").remove(0);
                assert_eq!(
                    (proof.count, proof.path.len()),
                    (16, 4),
                    "{LEAVES_MIN} leaves"
                );
                seen.insert(proof.index);
            }
        }
        assert_eq!((of_few.len(), of_many.len()), (LEAVES_MIN, LEAVES_MIN));
    }
}
