//! What does not change from block to block: the ledger's identity and who decides it.

use jangbu_consensus::ValidatorSet;
use jangbu_ledger::founding::ValidatorList;
use jangbu_ledger::id::{ChainId, Digest, KeyId};
use jangbu_ledger::note::KeyName;

/// Identity, parameters and validators of a ledger.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The ledger.
    pub chain_id: ChainId,
    /// Its name in checkpoints.
    pub origin: KeyName,
    /// Hash of the parameters in force.
    pub parameters_hash: Digest,
    /// The validators, as headers commit to them.
    pub validators: ValidatorList,
    /// The same validators, as consensus knows them.
    pub validator_set: ValidatorSet,
    /// The witnesses' names, in the validators' order.
    pub witness_names: Vec<KeyName>,
}

impl Chain {
    /// Whether a consensus key with this id decides.
    #[must_use]
    pub fn is_validator(&self, id: &KeyId) -> bool {
        self.validators
            .0
            .iter()
            .any(|validator| validator.consensus.id() == *id)
    }
}
