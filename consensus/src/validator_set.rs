//! Who decides: one validator, one vote.

use jangbu_ledger::id::{Height, KeyId};
use jangbu_ledger::signature::PublicKey;

use crate::mutant::{self, Mutant};

/// Most validators: the public proof format promises 16 signature lines, 15 of 22 and the log's.
pub const VALIDATORS_MAX: usize = 22;

/// One validator, known by the key that signs its votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    pub(crate) address: crate::context::Address,
    pub(crate) key: PublicKey,
}

/// The validators of a height, sorted by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet(Vec<Validator>);

/// Why keys make no validator set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidatorSetError {
    /// None, or more than [`VALIDATORS_MAX`].
    #[error("{0} validators; 1 to {VALIDATORS_MAX} are allowed")]
    Count(usize),
    /// The same key twice.
    #[error("the key {0} stands twice among the validators")]
    Repeated(PublicKey),
}

impl Validator {
    /// The id of its key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.address.0
    }

    /// The key that signs its votes.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl ValidatorSet {
    /// The set of validators with these keys.
    ///
    /// # Errors
    ///
    /// [`ValidatorSetError`] if there are none, too many, or two the same.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Result<Self, ValidatorSetError> {
        let mut keys: Vec<PublicKey> = keys.into_iter().collect();
        keys.sort();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ValidatorSetError::Repeated(pair[0]));
        }
        if !(1..=VALIDATORS_MAX).contains(&keys.len()) {
            return Err(ValidatorSetError::Count(keys.len()));
        }
        let validator = |key: PublicKey| Validator {
            address: crate::context::Address(key.id()),
            key,
        };
        Ok(Self(keys.into_iter().map(validator).collect()))
    }

    /// Number of validators, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// More than two thirds: `floor(2n / 3) + 1`.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.0.len() * 2 / 3 + usize::from(!mutant::is(Mutant::QuorumMinusOne))
    }

    /// The validator at a position.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&Validator> {
        self.0.get(index)
    }

    /// The validator whose key has this id.
    #[must_use]
    pub fn find(&self, id: &KeyId) -> Option<&Validator> {
        self.0.iter().find(|validator| validator.address.0 == *id)
    }

    /// Who proposes: the validators in turn, a pure function of height and round.
    #[must_use]
    pub fn proposer(&self, height: Height, round: u32) -> &Validator {
        let turn = height.0.wrapping_add(u64::from(round)) % self.0.len() as u64;
        &self.0[usize::try_from(turn).expect("below the number of validators, at most 22")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_proposes_once_in_as_many_rounds_as_there_are_validators() {
        let set = ValidatorSet::new((0u8..7).map(|i| PublicKey([i; 32]))).unwrap();
        for height in 0..20 {
            let mut turns: Vec<KeyId> = (0..7)
                .map(|round| set.proposer(Height(height), round).id())
                .collect();
            turns.sort();
            turns.dedup();
            assert_eq!(turns.len(), 7);
        }
        assert_eq!(set.quorum(), 5);
    }

    #[test]
    fn a_set_is_neither_empty_nor_too_large_nor_repeats_a_key() {
        assert_eq!(ValidatorSet::new([]), Err(ValidatorSetError::Count(0)));
        assert_eq!(
            ValidatorSet::new((0u8..23).map(|i| PublicKey([i; 32]))),
            Err(ValidatorSetError::Count(23))
        );
        let twice = [PublicKey([1; 32]), PublicKey([1; 32])];
        assert_eq!(
            ValidatorSet::new(twice),
            Err(ValidatorSetError::Repeated(twice[0]))
        );
    }
}
