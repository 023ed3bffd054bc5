//! An envelope: 1 to 4,096 statements under one signature of a member's key.
//!
//! The signature covers the header and the Merkle root of the statements, so that one
//! statement is provable with its author's signature without showing its neighbours.
//!
//! Source: `docs/format.md`, section 4.

use bincode::{Decode, Encode};

use crate::codec::{self, CodecError};
use crate::hash::Domain;
use crate::id::{ChainId, Digest, EnvelopeId, KeyId, MemberId, StatementId, TimeMs};
use crate::signature::{PublicKey, Signature};
use crate::statement::{ShapeError, Statement};
use crate::tree;

/// The envelope format this crate reads and writes.
pub const ENVELOPE_VERSION: u8 = 1;
/// Largest canonical encoding of one envelope, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;
/// Most statements in one envelope.
pub const STATEMENTS_MAX: usize = 4096;
/// How far ahead of a block's time an envelope may expire: 24 h in milliseconds.
pub const LIFETIME_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Statements under one signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    /// [`ENVELOPE_VERSION`].
    pub version: u8,
    /// The ledger it is for; no other accepts it.
    pub chain_id: ChainId,
    /// Who speaks.
    pub member: MemberId,
    /// With which of its keys.
    pub key_id: KeyId,
    /// Any number, so that two envelopes of equal content differ.
    pub nonce: u64,
    /// No block of this time or later takes it.
    pub expires_at_ms: TimeMs,
    /// What is said, in order.
    pub statements: Vec<Statement>,
    /// Over [`EnvelopeHeader::signing_digest`].
    pub signature: Signature,
}

/// What the signature covers: the envelope with the statements' Merkle root in their place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct EnvelopeHeader {
    /// See [`Envelope`].
    pub version: u8,
    /// See [`Envelope`].
    pub chain_id: ChainId,
    /// See [`Envelope`].
    pub member: MemberId,
    /// See [`Envelope`].
    pub key_id: KeyId,
    /// See [`Envelope`].
    pub nonce: u64,
    /// See [`Envelope`].
    pub expires_at_ms: TimeMs,
    /// Number of statements.
    pub count: u32,
    /// Root over the statements' canonical bytes.
    pub statements_root: Digest,
}

/// Why an envelope cannot be accepted by anyone, whatever the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not canonical bytes, or too many of them.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A version this node does not know.
    #[error("envelope version {0}; this ledger takes version {ENVELOPE_VERSION}")]
    Version(u8),
    /// Made for another ledger.
    #[error("the envelope is for chain {got}, this is chain {expected}; check the genesis file")]
    WrongChain {
        /// Named by the envelope.
        got: ChainId,
        /// This ledger's.
        expected: ChainId,
    },
    /// No statement, or more than [`STATEMENTS_MAX`].
    #[error("{0} statements in one envelope; 1 to {STATEMENTS_MAX} are allowed")]
    Count(usize),
    /// A statement that is not well formed.
    #[error("statement {index}: {error}")]
    Statement {
        /// Position in the envelope, from 0.
        index: usize,
        /// What is wrong with it.
        error: ShapeError,
    },
    /// The same statement twice in one envelope.
    #[error("statement {index} repeats an earlier statement of the same envelope")]
    Repeated {
        /// Position of the second one, from 0.
        index: usize,
    },
}

impl EnvelopeHeader {
    const SIGNING_DOMAIN: Domain = Domain::new("jangbu/envelope-signature/v1");

    /// The 32 bytes that are signed.
    #[must_use]
    pub fn signing_digest(&self) -> [u8; 32] {
        Self::SIGNING_DOMAIN.hash_of(self)
    }
}

impl Envelope {
    const ID_DOMAIN: Domain = Domain::new("jangbu/envelope-id/v1");

    /// Decodes and checks all that needs no state and no key.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`], the first found.
    pub fn decode(bytes: &[u8], chain: &ChainId) -> Result<Self, EnvelopeError> {
        let envelope: Self = codec::decode(bytes, ENVELOPE_BYTES_MAX)?;
        envelope.check(chain)?;
        Ok(envelope)
    }

    /// The id of the envelope whose canonical bytes these are.
    #[must_use]
    pub fn id_of(bytes: &[u8]) -> EnvelopeId {
        EnvelopeId(Self::ID_DOMAIN.hash(bytes))
    }

    /// What the signature covers.
    #[must_use]
    pub fn header(&self) -> EnvelopeHeader {
        let leaves: Vec<Vec<u8>> = self.statements.iter().map(codec::encode).collect();
        EnvelopeHeader {
            version: self.version,
            chain_id: self.chain_id,
            member: self.member,
            key_id: self.key_id,
            nonce: self.nonce,
            expires_at_ms: self.expires_at_ms,
            count: u32::try_from(self.statements.len()).unwrap_or(u32::MAX),
            statements_root: tree::STATEMENTS.root(leaves.iter().map(Vec::as_slice)),
        }
    }

    /// Signs in place with a member's key.
    pub fn sign(&mut self, key: &ed25519_dalek::SigningKey) {
        use ed25519_dalek::Signer as _;
        self.key_id = PublicKey(key.verifying_key().to_bytes()).id();
        self.signature = Signature(key.sign(&self.header().signing_digest()).to_bytes());
    }

    /// The ids of the statements, in order.
    #[must_use]
    pub fn statement_ids(&self) -> Vec<StatementId> {
        self.statements
            .iter()
            .map(|s| s.id(&self.chain_id, &self.member))
            .collect()
    }

    fn check(&self, chain: &ChainId) -> Result<(), EnvelopeError> {
        if self.version != ENVELOPE_VERSION {
            return Err(EnvelopeError::Version(self.version));
        }
        if self.chain_id != *chain {
            return Err(EnvelopeError::WrongChain {
                got: self.chain_id,
                expected: *chain,
            });
        }
        if !(1..=STATEMENTS_MAX).contains(&self.statements.len()) {
            return Err(EnvelopeError::Count(self.statements.len()));
        }
        for (index, statement) in self.statements.iter().enumerate() {
            statement
                .check_shape()
                .map_err(|error| EnvelopeError::Statement { index, error })?;
        }
        let mut seen = std::collections::BTreeSet::new();
        for (index, id) in self.statement_ids().into_iter().enumerate() {
            if !seen.insert(id) {
                return Err(EnvelopeError::Repeated { index });
            }
        }
        Ok(())
    }
}
