//! What proves that a block was decided: precommits of more than two thirds.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use jangbu_ledger::id::{BlockId, ChainId, Height, KeyId};
use jangbu_ledger::signature::{PublicKey, Signature, verify_batch};

use crate::message::{Vote, VoteType};
use crate::mutant::{self, Mutant};
use crate::validator_set::{VALIDATORS_MAX, ValidatorSet};

/// Precommits of a quorum for one block in one round.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CommitCertificate {
    /// The height it decides.
    pub height: Height,
    /// The round of the precommits.
    pub round: u32,
    /// The block it decides on.
    pub block_id: BlockId,
    /// Who, with the signature of the precommit.
    pub signatures: Vec<(KeyId, Signature)>,
}

/// Why a certificate was refused. Every variant is the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Fewer than a quorum.
    #[error("the certificate of height {height} has {got} signatures, needs {need}")]
    BelowQuorum {
        /// The height it claims to decide.
        height: Height,
        /// Signatures in it.
        got: usize,
        /// `floor(2n / 3) + 1` of that height's validators.
        need: usize,
    },
    /// By someone who does not decide.
    #[error("the certificate is signed by {0}, who is not a validator")]
    UnknownValidator(KeyId),
    /// One validator twice.
    #[error("the certificate counts validator {0} twice")]
    Repeated(KeyId),
    /// A signature that does not verify.
    #[error("the certificate's signature by {0} does not verify")]
    Signature(KeyId),
}

impl CommitCertificate {
    /// Checks that a quorum of `set` signed, each once, every signature valid.
    ///
    /// # Errors
    ///
    /// [`CertificateError`], the first found.
    pub fn verify(&self, chain: &ChainId, set: &ValidatorSet) -> Result<(), CertificateError> {
        let got = self.signatures.len();
        let need = set.quorum() - usize::from(mutant::is(Mutant::CertificateTooSmall));
        if got < need || got > VALIDATORS_MAX {
            return Err(CertificateError::BelowQuorum {
                height: self.height,
                got,
                need,
            });
        }
        let mut seen = BTreeSet::new();
        let mut votes: Vec<(PublicKey, Signature, [u8; 32])> = Vec::with_capacity(got);
        for (id, signature) in &self.signatures {
            let validator = set
                .find(id)
                .ok_or(CertificateError::UnknownValidator(*id))?;
            if !seen.insert(*id) && !mutant::is(Mutant::CertificateCountsTwice) {
                return Err(CertificateError::Repeated(*id));
            }
            votes.push((
                validator.key,
                *signature,
                self.vote(*id).signing_digest(chain),
            ));
        }
        let items: Vec<(PublicKey, Signature, &[u8])> = votes
            .iter()
            .map(|(key, sig, digest)| (*key, *sig, digest.as_slice()))
            .collect();
        match verify_batch(&items).iter().position(|valid| !valid) {
            Some(bad) if !mutant::is(Mutant::CertificateUnverified) => {
                Err(CertificateError::Signature(self.signatures[bad].0))
            }
            _ => Ok(()),
        }
    }

    /// What a validator in it signed.
    pub(crate) const fn vote(&self, validator: KeyId) -> Vote {
        Vote {
            vote_type: VoteType::Precommit,
            height: self.height,
            round: self.round,
            block_id: Some(self.block_id),
            validator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    fn certified(signers: &[u8]) -> (CommitCertificate, ValidatorSet, ChainId) {
        let chain = ChainId([1; 32]);
        let keys: Vec<SigningKey> = (0u8..4)
            .map(|i| SigningKey::from_bytes(&[i + 1; 32]))
            .collect();
        let public = |key: &SigningKey| PublicKey(key.verifying_key().to_bytes());
        let set = ValidatorSet::new(keys.iter().map(public)).unwrap();
        let mut certificate = CommitCertificate {
            height: Height(5),
            round: 1,
            block_id: BlockId([9; 32]),
            signatures: Vec::new(),
        };
        for signer in signers {
            let key = &keys[usize::from(*signer)];
            let vote = Vote {
                vote_type: VoteType::Precommit,
                height: Height(5),
                round: 1,
                block_id: Some(BlockId([9; 32])),
                validator: public(key).id(),
            };
            let signature = Signature(key.sign(&vote.signing_digest(&chain)).to_bytes());
            certificate.signatures.push((public(key).id(), signature));
        }
        (certificate, set, chain)
    }

    #[test]
    fn a_quorum_of_distinct_validators_holds_and_nothing_less() {
        let (certificate, set, chain) = certified(&[0, 1, 2]);
        assert_eq!(certificate.verify(&chain, &set), Ok(()));
        let (certificate, ..) = certified(&[0, 1]);
        assert!(matches!(
            certificate.verify(&chain, &set),
            Err(CertificateError::BelowQuorum {
                got: 2,
                need: 3,
                ..
            })
        ));
        let (certificate, ..) = certified(&[0, 1, 1]);
        assert!(matches!(
            certificate.verify(&chain, &set),
            Err(CertificateError::Repeated(_))
        ));
    }

    #[test]
    fn a_certificate_does_not_hold_for_another_chain_height_round_or_block() {
        let (certificate, set, chain) = certified(&[0, 1, 2]);
        assert!(certificate.verify(&ChainId([2; 32]), &set).is_err());
        let changes: [fn(&mut CommitCertificate); 4] = [
            |c| c.height = Height(6),
            |c| c.round = 0,
            |c| c.block_id = BlockId([8; 32]),
            |c| c.signatures[1].1.0[0] ^= 1,
        ];
        for change in changes {
            let mut changed = certificate.clone();
            change(&mut changed);
            assert!(matches!(
                changed.verify(&chain, &set),
                Err(CertificateError::Signature(_))
            ));
        }
    }
}
