//! Public keys and signatures: Ed25519 under one validity rule, ZIP-215.
//!
//! RFC 8032 leaves cases in which single and batch verification disagree; on a ledger that is
//! a consensus split. ZIP-215 gives one answer for both.

use crate::bytes_newtype;
use crate::hash::Domain;
use crate::id::KeyId;

bytes_newtype! {
    /// An Ed25519 public key as received: not yet known to decode to a curve point.
    PublicKey, 32
}
bytes_newtype! {
    /// An Ed25519 signature as received: not yet verified.
    Signature, 64
}

impl PublicKey {
    const ID_DOMAIN: Domain = Domain::new("jangbu/key-id/v1");

    /// The key's id on the ledger.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = Self::ID_DOMAIN.hash(&self.0);
        KeyId(hash[..16].try_into().expect("16 of 32 bytes"))
    }
}
