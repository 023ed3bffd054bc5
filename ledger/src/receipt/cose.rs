//! COSE receipts: one entry in the log, on the word of the node that serves it.
//!
//! ```text
//!   18([ << { 1: -8,                                   alg: EdDSA (Ed25519)
//!             4: h'…',                                 kid: the log key's id, as in its vkey
//!            15: { 1: origin, 2: statement, 6: time }, CWT claims: issuer, subject, issued at
//!            16: "application/vnd.jangbu.receipt+cose",
//!           395: 1,                                    RFC9162_SHA256
//!        -75001: size } >>,                            entries in the log
//!        { 396: { -1: [ << [size, index, [+ hash]] >> ] },
//!        -75002: entry },                              the entry's canonical bytes
//!        nil,                                          detached: the root the path leads to
//!        signature ])
//! ```
//!
//! Invariants:
//! - bytes have one spelling: what parses is encoded again and compared;
//! - the entry is not signed, its leaf hash is what the path proves: so it is authenticated;
//! - the signed size must be the path's. RFC 9942 leaves size and index unsigned, and one path
//!   fits many sizes; the position of an entry stands in the entry, and is checked against it.
//!
//! A log key signs checkpoints too: their text begins with the origin, this with the CBOR of
//! `["Signature1", …`, so that neither can pass for the other.
//!
//! Source: RFC 9942, sections 4 and 5.2; RFC 9052, section 4; RFC 9597; RFC 9596.

use coset::cbor::Value;
use coset::{
    CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable as _,
    iana,
};
use ed25519_dalek::{Signer as _, SigningKey};

use super::Receipt;
use crate::checkpoint::{Checkpoint, StrictError, verify_strict};
use crate::id::StatementId;
use crate::merkle::{NodeHash, PATH_LEN_MAX, ProofError, inclusion_root, leaf_hash};
use crate::note::{KeyKind, KeyName, NoteKeyId, VerifierKey};
use crate::signature::{PublicKey, Signature};
use crate::tile::ENTRY_BYTES_MAX;

/// Longest COSE receipt in bytes: the largest entry, the longest path, and room to spare.
pub const COSE_BYTES_MAX: usize = ENTRY_BYTES_MAX + PATH_LEN_MAX * 34 + 1024;
/// Its media type in HTTP.
pub const MEDIA_TYPE: &str = "application/cose; cose-type=\"cose-sign1\"";
/// How every COSE receipt begins: the tag of a `COSE_Sign1`.
pub const FIRST_BYTE: u8 = 0xd2;

/// The header's `typ`: what keeps these claims from being read as somebody else's.
const TYP: &str = "application/vnd.jangbu.receipt+cose";
const SIGN1_TAG: u64 = 18;
const ALG_EDDSA: i64 = -8;
const RFC9162_SHA256: i64 = 1;
const INCLUSION: i64 = -1;
/// How deep the maps and arrays of a receipt are nested, with room for one level more.
const DEPTH_MAX: usize = 6;

/// Labels of the headers.
mod label {
    pub(super) const ALG: i64 = 1;
    pub(super) const KID: i64 = 4;
    pub(super) const CLAIMS: i64 = 15;
    pub(super) const TYP: i64 = 16;
    pub(super) const VDS: i64 = 395;
    pub(super) const VDP: i64 = 396;
    /// Private use: the number of entries in the log.
    pub(super) const SIZE: i64 = -75_001;
    /// Private use: the entry's bytes.
    pub(super) const ENTRY: i64 = -75_002;
}

/// Claims of a CBOR web token.
mod claim {
    pub(super) const ISSUER: i64 = 1;
    pub(super) const SUBJECT: i64 = 2;
    pub(super) const ISSUED_AT: i64 = 6;
}

/// One node's word that an entry is in its log. Nothing verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoseReceipt {
    /// The log: issuer of the claims, and name of the key.
    pub origin: KeyName,
    /// Hint at the log key.
    pub key_id: NoteKeyId,
    /// The statement that the receipt is about.
    pub statement: StatementId,
    /// Time of the block before the checkpoint, in seconds since the Unix epoch.
    pub time_s: u64,
    /// Number of entries in the log, as signed.
    pub size: u64,
    /// The same, as the path has it.
    pub path_size: u64,
    /// The entry's index, as the path has it.
    pub index: u64,
    /// Sibling hashes from the leaf up, 1 to [`PATH_LEN_MAX`].
    pub path: Vec<NodeHash>,
    /// The entry's canonical bytes.
    pub entry: Vec<u8>,
    /// By a log key, over the protected header and the root.
    pub signature: Signature,
}

/// What a verified COSE receipt shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCose {
    /// The log that the node signed for. No quorum has: this is no final checkpoint.
    pub checkpoint: Checkpoint,
    /// Which of the log keys signed.
    pub key: PublicKey,
}

/// Why bytes are not a COSE receipt of this format: *malformed*, before any question of truth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoseFormatError {
    /// More than [`COSE_BYTES_MAX`].
    #[error("the COSE receipt has {len} bytes, more than the {COSE_BYTES_MAX} allowed")]
    TooLong {
        /// Length in bytes.
        len: usize,
    },
    /// Not CBOR, or nested deeper than a receipt.
    #[error("it is not CBOR of the depth that a COSE receipt has")]
    NotCbor,
    /// A part is not what the format has in its place.
    #[error("the COSE receipt's {0} is missing or not what belongs there")]
    Part(&'static str),
    /// More is in it than belongs there, or in another order, or a number in a longer spelling.
    #[error(
        "the COSE receipt is not in its one spelling: labels that do not belong there, or another order"
    )]
    Spelling,
}

/// Why a well-formed COSE receipt is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoseReceiptError {
    /// Of another log.
    #[error("it is of the log {got}, not {expected}")]
    OtherOrigin {
        /// The log the verifier asked about.
        expected: KeyName,
        /// The log it names.
        got: KeyName,
    },
    /// The verifier knows no log key of this id: one that came later, or a stranger's.
    #[error(
        "it names the log key {0}, which is none of those known; if it became one later, this file cannot show it"
    )]
    UnknownKey(NoteKeyId),
    /// The signed size is not the one the path is for.
    #[error("the node signed for a log of {signed} entries, the path is for {path}")]
    OtherSize {
        /// What was signed.
        signed: u64,
        /// What the path says.
        path: u64,
    },
    /// The path cannot be that of its index and size.
    #[error("the entry is not shown to be in the log: {0}")]
    Path(#[from] ProofError),
    /// The node did not sign this header and this root.
    #[error("the log key did not sign this: header, entry, index or path was changed ({0})")]
    Signature(StrictError),
}

impl CoseReceipt {
    /// Signs, as the node that serves it: `entry`, `index` and `path` of `receipt` are for
    /// `checkpoint`, which the node made final at `time_s`.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if the path does not lead from the entry to the checkpoint's root, or is
    /// empty, which the format does not allow.
    pub fn sign(
        receipt: &Receipt,
        checkpoint: &Checkpoint,
        statement: StatementId,
        time_s: u64,
        log_key: &SigningKey,
    ) -> Result<Self, ProofError> {
        if receipt.path.is_empty() {
            return Err(ProofError::PathLength { got: 0 });
        }
        let leaf = leaf_hash(&receipt.entry);
        let root = inclusion_root(&leaf, receipt.index, checkpoint.size, &receipt.path)?;
        if root != checkpoint.root {
            return Err(ProofError::OtherRoot);
        }
        let key = PublicKey(log_key.verifying_key().to_bytes());
        let mut signed = Self {
            origin: checkpoint.origin.clone(),
            key_id: log_key_id(&checkpoint.origin, key),
            statement,
            time_s,
            size: checkpoint.size,
            path_size: checkpoint.size,
            index: receipt.index,
            path: receipt.path.clone(),
            entry: receipt.entry.clone(),
            signature: Signature([0; 64]),
        };
        let message = signed.signed_message(&root);
        signed.signature = Signature(log_key.sign(&message).to_bytes());
        Ok(signed)
    }

    /// Parses a COSE receipt.
    ///
    /// # Errors
    ///
    /// [`CoseFormatError`] if there are too many bytes, or they are not a COSE receipt.
    pub fn parse(bytes: &[u8]) -> Result<Self, CoseFormatError> {
        if bytes.len() > COSE_BYTES_MAX {
            return Err(CoseFormatError::TooLong { len: bytes.len() });
        }
        let receipt = Self::read(bytes)?;
        if receipt.to_bytes() == bytes {
            Ok(receipt)
        } else {
            Err(CoseFormatError::Spelling)
        }
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let proof = Value::Array(vec![
            self.path_size.into(),
            self.index.into(),
            Value::Array(
                self.path
                    .iter()
                    .map(|hash| Value::Bytes(hash.0.to_vec()))
                    .collect(),
            ),
        ]);
        let proof = proof.to_vec().expect("numbers and bytes encode");
        let proofs = (INCLUSION.into(), Value::Array(vec![Value::Bytes(proof)]));
        let unprotected = HeaderBuilder::new()
            .value(label::VDP, Value::Map(vec![proofs]))
            .value(label::ENTRY, Value::Bytes(self.entry.clone()))
            .build();
        let mut sign1 = self.unsigned();
        sign1.unprotected = unprotected;
        sign1.signature = self.signature.0.to_vec();
        sign1.to_tagged_vec().expect("the labels differ")
    }

    /// Checks that a log key of `log_keys` signed for a log of `origin` in which the entry is.
    ///
    /// # Errors
    ///
    /// [`CoseReceiptError`] if it does not hold; [`CoseReceiptError::UnknownKey`] if that cannot
    /// be told.
    pub fn verify(
        &self,
        origin: &KeyName,
        log_keys: impl IntoIterator<Item = PublicKey>,
    ) -> Result<VerifiedCose, CoseReceiptError> {
        if self.origin != *origin {
            let (expected, got) = (origin.clone(), self.origin.clone());
            return Err(CoseReceiptError::OtherOrigin { expected, got });
        }
        if self.size != self.path_size {
            let (signed, path) = (self.size, self.path_size);
            return Err(CoseReceiptError::OtherSize { signed, path });
        }
        let root = inclusion_root(&leaf_hash(&self.entry), self.index, self.size, &self.path)?;
        let message = self.signed_message(&root);
        // An id is 4 bytes and may fit two keys: each is tried.
        let mut failed = CoseReceiptError::UnknownKey(self.key_id);
        for key in log_keys {
            if log_key_id(origin, key) != self.key_id {
                continue;
            }
            match verify_strict(&key, &message, &self.signature) {
                Ok(()) => {
                    let (origin, size) = (self.origin.clone(), self.size);
                    let checkpoint = Checkpoint { origin, size, root };
                    return Ok(VerifiedCose { checkpoint, key });
                }
                Err(error) => failed = CoseReceiptError::Signature(error),
            }
        }
        Err(failed)
    }

    /// The bytes that the log key signs: COSE's `Sig_structure` over protected header and root.
    fn signed_message(&self, root: &NodeHash) -> Vec<u8> {
        self.unsigned().tbs_detached_data(&root.0, &[])
    }

    /// The protected header alone.
    fn unsigned(&self) -> CoseSign1 {
        let claims = Value::Map(vec![
            (claim::ISSUER.into(), self.origin.as_str().into()),
            (claim::SUBJECT.into(), self.statement.to_string().into()),
            (claim::ISSUED_AT.into(), self.time_s.into()),
        ]);
        let protected = HeaderBuilder::new()
            .algorithm(iana::Algorithm::EdDSA)
            .key_id(self.key_id.0.to_vec())
            .value(label::CLAIMS, claims)
            .value(label::TYP, TYP.into())
            .value(label::VDS, RFC9162_SHA256.into())
            .value(label::SIZE, self.size.into())
            .build();
        CoseSign1Builder::new().protected(protected).build()
    }

    /// Takes what is in its place; [`Self::parse`] refuses what else is there.
    ///
    /// Not by `coset`, whose headers may hold counter signatures that hold headers: some kilobytes
    /// of them are deeper than a stack.
    fn read(bytes: &[u8]) -> Result<Self, CoseFormatError> {
        let Value::Tag(SIGN1_TAG, sign1) = decode(bytes)? else {
            return Err(CoseFormatError::Part("tag of a COSE_Sign1"));
        };
        let parts = array(*sign1, "list of four parts")?;
        let Ok([protected, unprotected, Value::Null, signature]) = <[Value; 4]>::try_from(parts)
        else {
            return Err(CoseFormatError::Part("list of four parts, the payload nil"));
        };
        let mut protected = Map::of(
            decode(&self::bytes(protected, "protected header")?)?,
            "protected header",
        )?;
        let mut unprotected = Map::of(unprotected, "unprotected header")?;
        let alg = integer(protected.take(label::ALG, "algorithm")?);
        let vds = integer(protected.take(label::VDS, "verifiable data structure")?);
        if alg != Some(ALG_EDDSA.into()) || vds != Some(RFC9162_SHA256.into()) {
            return Err(CoseFormatError::Part(
                "algorithm (EdDSA) or verifiable data structure (RFC9162_SHA256)",
            ));
        }
        if protected.take(label::TYP, "type")? != Value::from(TYP) {
            return Err(CoseFormatError::Part("type"));
        }
        let key_id = protected.take(label::KID, "key id")?;
        let mut claims = Map::of(protected.take(label::CLAIMS, "claims")?, "claims")?;
        let size = protected.take(label::SIZE, "log size")?;
        let mut proofs = Map::of(unprotected.take(label::VDP, "proofs")?, "proofs")?;
        let proofs = array(
            proofs.take(INCLUSION, "inclusion proof")?,
            "inclusion proof",
        )?;
        let Ok([proof]) = <[Value; 1]>::try_from(proofs) else {
            return Err(CoseFormatError::Part("one inclusion proof"));
        };
        let proof = decode(&self::bytes(proof, "inclusion proof")?)?;
        let proof = array(proof, "inclusion proof")?;
        let Ok([path_size, index, path]) = <[Value; 3]>::try_from(proof) else {
            return Err(CoseFormatError::Part(
                "inclusion proof of size, index and path",
            ));
        };
        let path = array(path, "path")?;
        if path.is_empty() || path.len() > PATH_LEN_MAX {
            return Err(CoseFormatError::Part("path of a possible length"));
        }
        let entry = self::bytes(unprotected.take(label::ENTRY, "entry")?, "entry")?;
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(CoseFormatError::Part("entry of a possible length"));
        }
        Ok(Self {
            origin: parsed(claims.take(claim::ISSUER, "issuer")?, "issuer")?,
            key_id: NoteKeyId(fixed(key_id, "key id")?),
            statement: parsed(claims.take(claim::SUBJECT, "subject")?, "subject")?,
            time_s: number(claims.take(claim::ISSUED_AT, "time")?, "time")?,
            size: number(size, "log size")?,
            path_size: number(path_size, "tree size")?,
            index: number(index, "leaf index")?,
            path: path
                .into_iter()
                .map(|hash| fixed(hash, "hash of 32 bytes").map(NodeHash))
                .collect::<Result<_, _>>()?,
            entry,
            signature: Signature(fixed(signature, "signature of 64 bytes")?),
        })
    }
}

/// The id of a log key, as its vkey and its signature lines have it.
fn log_key_id(origin: &KeyName, key: PublicKey) -> NoteKeyId {
    VerifierKey {
        name: origin.clone(),
        kind: KeyKind::Ed25519,
        key,
    }
    .id()
}

fn decode(mut bytes: &[u8]) -> Result<Value, CoseFormatError> {
    let value = coset::cbor::de::from_reader_with_recursion_limit(&mut bytes, DEPTH_MAX)
        .map_err(|_| CoseFormatError::NotCbor)?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(CoseFormatError::Spelling)
    }
}

/// A map whose values are taken one by one.
struct Map(Vec<(Value, Value)>);

impl Map {
    fn of(value: Value, what: &'static str) -> Result<Self, CoseFormatError> {
        value.into_map().map(Self).map_err(|_| part(what))
    }

    fn take(&mut self, label: i64, what: &'static str) -> Result<Value, CoseFormatError> {
        let label = Value::from(label);
        let at = self.0.iter().position(|(found, _)| *found == label);
        at.map(|at| self.0.swap_remove(at).1).ok_or(part(what))
    }
}

const fn part(what: &'static str) -> CoseFormatError {
    CoseFormatError::Part(what)
}

fn array(value: Value, what: &'static str) -> Result<Vec<Value>, CoseFormatError> {
    value.into_array().map_err(|_| part(what))
}

fn bytes(value: Value, what: &'static str) -> Result<Vec<u8>, CoseFormatError> {
    value.into_bytes().map_err(|_| part(what))
}

fn fixed<const N: usize>(value: Value, what: &'static str) -> Result<[u8; N], CoseFormatError> {
    bytes(value, what)?.try_into().map_err(|_| part(what))
}

fn integer(value: Value) -> Option<i128> {
    value.into_integer().ok().map(Into::into)
}

fn number(value: Value, what: &'static str) -> Result<u64, CoseFormatError> {
    let number = integer(value).ok_or(part(what))?;
    number.try_into().map_err(|_| part(what))
}

fn parsed<T: std::str::FromStr>(value: Value, what: &'static str) -> Result<T, CoseFormatError> {
    let text = value.into_text().map_err(|_| part(what))?;
    text.parse().map_err(|_| part(what))
}

#[cfg(test)]
mod tests;
