//! Finality anyone can check: each validator cosigns the checkpoint after a block it has on
//! disk; a quorum of cosignatures makes the checkpoint final.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use jangbu_consensus::mutant::{self, Mutant};
use jangbu_ledger::checkpoint::{Checkpoint, Cosignature};
use jangbu_ledger::id::Height;
use jangbu_ledger::signature::Signature;

use crate::chain::Chain;
use crate::message::CosignatureMessage;
use crate::replica::PeerId;
use crate::store::{FinalCheckpoint, Tip};

/// How many heights ahead of ours cosignatures are kept: others may be a little faster.
const AHEAD_MAX: u64 = 4;
/// How many heights back an unfinished checkpoint is still gathered for.
const BEHIND_MAX: u64 = 16;

/// Cosignatures gathered for checkpoints that are not final yet.
pub struct Cosigner {
    key: Option<(u8, SigningKey)>,
    own: Option<CosignatureMessage>,
    /// Of heights not committed here yet, unverified: one per member that sent it, so that none
    /// can take another's place.
    early: BTreeMap<Height, BTreeMap<PeerId, CosignatureMessage>>,
    /// Of committed heights, verified.
    gathered: BTreeMap<Height, BTreeMap<u8, Signature>>,
    checkpoints: BTreeMap<Height, (Checkpoint, u64)>,
}

impl std::fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cosigner")
            .field("gathering", &self.gathered.len())
            .finish_non_exhaustive()
    }
}

impl Cosigner {
    /// A cosigner with its position among the validators, or one that only gathers.
    #[must_use]
    pub const fn new(key: Option<(u8, SigningKey)>) -> Self {
        Self {
            key,
            own: None,
            early: BTreeMap::new(),
            gathered: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
        }
    }

    /// Our cosignature of the last block we committed.
    #[must_use]
    pub const fn own(&self) -> Option<CosignatureMessage> {
        self.own
    }

    /// Call once a block is on disk. Returns our cosignature, to be sent to all, and the
    /// checkpoint if it is final already.
    pub fn committed(
        &mut self,
        chain: &Chain,
        tip: &Tip,
    ) -> (Option<CosignatureMessage>, Option<FinalCheckpoint>) {
        let checkpoint = Checkpoint {
            origin: chain.origin.clone(),
            size: tip.frontier.size() - u64::from(mutant::is(Mutant::CosignedAtWrongSize)),
            root: tip.frontier.root(),
        };
        let timestamp = tip.time_ms.seconds();
        self.own = self
            .key
            .as_ref()
            .map(|(validator, key)| CosignatureMessage {
                height: tip.height,
                validator: *validator,
                signature: checkpoint
                    .cosign(
                        chain.witness_names[usize::from(*validator)].clone(),
                        key,
                        timestamp,
                    )
                    .signature,
            });
        self.checkpoints.insert(tip.height, (checkpoint, timestamp));
        let early = self.early.remove(&tip.height).unwrap_or_default();
        let mut complete = None;
        for message in self.own.into_iter().chain(early.into_values()) {
            complete = complete.or(self.count(chain, message));
        }
        let keep_from = Height(tip.height.0.saturating_sub(BEHIND_MAX));
        self.checkpoints = self.checkpoints.split_off(&keep_from);
        self.gathered = self.gathered.split_off(&keep_from);
        self.early = self.early.split_off(&tip.height);
        (self.own, complete)
    }

    /// Takes a cosignature from a peer; returns the checkpoint if this completes its quorum.
    pub fn add(
        &mut self,
        chain: &Chain,
        tip: Height,
        from: PeerId,
        message: CosignatureMessage,
    ) -> Option<FinalCheckpoint> {
        if message.height > tip {
            if message.height.0 <= tip.0.saturating_add(AHEAD_MAX) {
                let early = self.early.entry(message.height).or_default();
                early.insert(from, message);
            }
            return None;
        }
        self.count(chain, message)
    }

    /// Counts a cosignature of a committed height, if it is one.
    fn count(&mut self, chain: &Chain, message: CosignatureMessage) -> Option<FinalCheckpoint> {
        let validator = chain.validators.0.get(usize::from(message.validator))?;
        let (checkpoint, timestamp) = self.checkpoints.get(&message.height)?;
        let name = chain.witness_names.get(usize::from(message.validator))?;
        let cosignature = Cosignature {
            name: name.clone(),
            key: validator.witness,
            timestamp_s: *timestamp,
            signature: message.signature,
        };
        if cosignature.verify(checkpoint).is_err() && !mutant::is(Mutant::CosignatureUnverified) {
            tracing::warn!(
                height = message.height.0,
                validator = message.validator,
                "a cosignature does not verify"
            );
            return None;
        }
        let signatures = self.gathered.entry(message.height).or_default();
        signatures.insert(message.validator, message.signature);
        if signatures.len() < chain.validators.quorum() {
            return None;
        }
        let complete = FinalCheckpoint {
            height: message.height,
            size: checkpoint.size,
            root: checkpoint.root,
            timestamp: *timestamp,
            signatures: signatures.iter().map(|(v, s)| (*v, *s)).collect(),
        };
        // Exactly a quorum is published; what comes later is not needed.
        self.gathered.remove(&message.height);
        self.checkpoints.remove(&message.height);
        Some(complete)
    }
}
