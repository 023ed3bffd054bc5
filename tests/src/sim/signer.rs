//! A signer that may refuse: a hardware module that is gone, an operator's policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use jangbu_consensus::{Signer, SignerError};
use jangbu_ledger::signature::{PublicKey, Signature};

const WILLING: u8 = 0;
const WILL_REFUSE: u8 = 1;
const REFUSED: u8 = 2;

/// What the world knows of a signer.
#[derive(Debug, Clone, Default)]
pub(super) struct Mood(Arc<AtomicU8>);

impl Mood {
    /// It refuses the next signature, and all after it until it is soothed.
    pub(super) fn sour(&self) {
        self.0.store(WILL_REFUSE, Ordering::Relaxed);
    }

    /// It signs again.
    pub(super) fn soothe(&self) {
        self.0.store(WILLING, Ordering::Relaxed);
    }

    /// Whether it was asked and refused.
    pub(super) fn has_refused(&self) -> bool {
        self.0.load(Ordering::Relaxed) == REFUSED
    }
}

/// Signs as `inner` does, in the mood for it.
pub(super) struct MoodySigner {
    pub(super) inner: Box<dyn Signer + Send>,
    pub(super) mood: Mood,
}

impl Signer for MoodySigner {
    fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError> {
        if self.mood.0.load(Ordering::Relaxed) == WILLING {
            return self.inner.sign(digest);
        }
        self.mood.0.store(REFUSED, Ordering::Relaxed);
        Err(SignerError("the module does not answer".into()))
    }

    fn public_key(&self) -> PublicKey {
        self.inner.public_key()
    }
}
