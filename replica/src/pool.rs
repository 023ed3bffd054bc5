//! Envelopes that wait for a block: verified once, bounded, oldest first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jangbu_consensus::mutant::{self, Mutant};
use jangbu_ledger::envelope::{Envelope, EnvelopeError};
use jangbu_ledger::execute::{OrderError, may_be_ordered};
use jangbu_ledger::id::{ChainId, EnvelopeId, KeyId, MemberId, TimeMs};
use jangbu_ledger::signature::{PublicKey, Signature, verify_batch};
use jangbu_ledger::state::{KeyPurpose, KeyRecord, StateError, StateReader, decode_record, key};

use crate::store::StoreError;
use crate::total::{self, Panicked};

/// How much the pool holds.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Most envelopes.
    pub envelopes: usize,
    /// Most bytes of envelopes.
    pub bytes: usize,
    /// Most envelopes of one member, so that one cannot crowd out the others.
    pub envelopes_per_member: usize,
}

/// Envelopes remembered as quarantined; the oldest are forgotten, and found again if they come.
const QUARANTINE_MAX: usize = 256;

/// A verified envelope.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Its id.
    pub id: EnvelopeId,
    /// Its canonical bytes.
    pub bytes: Arc<[u8]>,
    /// Its content.
    pub envelope: Arc<Envelope>,
    /// What the key that signed it is for.
    pub purpose: KeyPurpose,
}

/// Why an envelope was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// Malformed, or for another chain.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Unknown or revoked key, or out of time.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The signature does not verify.
    #[error("the envelope's signature does not verify with the member's key")]
    Signature,
    /// No room. Try again in a moment.
    #[error("this node has too many envelopes waiting; try again in a moment")]
    Full,
    /// The member has used its share of the room.
    #[error("this member has too many envelopes waiting; try again in a moment")]
    Quota,
    /// Executing it panicked.
    #[error(
        "this node cannot execute the envelope, which is a defect of its program; the node's \
         operator finds the reason in its log"
    )]
    Quarantined,
}

/// Envelopes in the order they came.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    arrivals: u64,
    bytes: usize,
    by_id: BTreeMap<EnvelopeId, (u64, Verified)>,
    by_arrival: BTreeMap<u64, EnvelopeId>,
    per_member: BTreeMap<MemberId, usize>,
    /// Handed in by our own clients, by when they were last passed on.
    own: BTreeMap<EnvelopeId, TimeMs>,
    /// Not taken any more, at most [`QUARANTINE_MAX`], oldest first.
    quarantined: VecDeque<EnvelopeId>,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub const fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            arrivals: 0,
            bytes: 0,
            by_id: BTreeMap::new(),
            by_arrival: BTreeMap::new(),
            per_member: BTreeMap::new(),
            own: BTreeMap::new(),
            quarantined: VecDeque::new(),
        }
    }

    /// Number of envelopes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Bytes of all envelopes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A waiting envelope.
    #[must_use]
    pub fn get(&self, id: &EnvelopeId) -> Option<&Verified> {
        self.by_id.get(id).map(|(_, verified)| verified)
    }

    /// Whether the member has anything waiting.
    #[must_use]
    pub fn has_of(&self, member: &MemberId) -> bool {
        self.per_member.contains_key(member)
    }

    /// Keeps a verified envelope; keeping it twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`AdmissionError::Full`], [`AdmissionError::Quota`] or [`AdmissionError::Quarantined`].
    pub fn insert(&mut self, verified: Verified) -> Result<(), AdmissionError> {
        if self.by_id.contains_key(&verified.id) {
            return Ok(());
        }
        if self.is_quarantined(&verified.id) {
            return Err(AdmissionError::Quarantined);
        }
        let of_member = self
            .per_member
            .get(&verified.envelope.member)
            .copied()
            .unwrap_or(0);
        if of_member >= self.limits.envelopes_per_member && !mutant::is(Mutant::PoolUnbounded) {
            return Err(AdmissionError::Quota);
        }
        let full = self.by_id.len() >= self.limits.envelopes
            || self.bytes + verified.bytes.len() > self.limits.bytes;
        if full && !mutant::is(Mutant::PoolUnbounded) {
            return Err(AdmissionError::Full);
        }
        self.arrivals += 1;
        self.bytes += verified.bytes.len();
        self.per_member
            .insert(verified.envelope.member, of_member + 1);
        self.by_arrival.insert(self.arrivals, verified.id);
        self.by_id.insert(verified.id, (self.arrivals, verified));
        Ok(())
    }

    /// Drops an envelope whose execution panicked, and takes it no more. Whether it is news.
    pub fn quarantine(&mut self, id: EnvelopeId) -> bool {
        self.remove(&id);
        if self.is_quarantined(&id) {
            return false;
        }
        if self.quarantined.len() >= QUARANTINE_MAX {
            self.quarantined.pop_front();
        }
        self.quarantined.push_back(id);
        true
    }

    /// Whether executing this envelope panicked.
    #[must_use]
    pub fn is_quarantined(&self, id: &EnvelopeId) -> bool {
        self.quarantined.contains(id)
    }

    /// Forgets an envelope that was decided or ran out of time.
    pub fn remove(&mut self, id: &EnvelopeId) {
        let Some((arrival, verified)) = self.by_id.remove(id) else {
            return;
        };
        self.by_arrival.remove(&arrival);
        self.own.remove(id);
        self.bytes -= verified.bytes.len();
        let member = verified.envelope.member;
        match self.per_member.get(&member).copied() {
            Some(count) if count > 1 => self.per_member.insert(member, count - 1),
            _ => self.per_member.remove(&member),
        };
    }

    /// Notes that one of our own clients' envelopes was passed on to the other members.
    pub fn passed_on(&mut self, id: EnvelopeId, now: TimeMs) {
        self.own.insert(id, now);
    }

    /// Our own clients' envelopes that still wait `after_ms` after they were passed on, about
    /// `bytes_max` of them; they count as passed on now.
    pub fn overdue(&mut self, now: TimeMs, after_ms: u64, bytes_max: usize) -> Vec<Vec<u8>> {
        let mut overdue = Vec::new();
        let mut bytes = 0;
        for (id, passed_on) in &mut self.own {
            if bytes >= bytes_max || now.0.abs_diff(passed_on.0) < after_ms {
                continue;
            }
            if let Some((_, verified)) = self.by_id.get(id) {
                *passed_on = now;
                bytes += verified.bytes.len();
                overdue.push(verified.bytes.to_vec());
            }
        }
        overdue
    }

    /// Our own clients' envelopes that wait, about `bytes_max` of them.
    pub fn own(&self, bytes_max: usize) -> Vec<Vec<u8>> {
        let mut bytes = 0;
        let waiting = self.own.keys().filter_map(|id| self.get(id));
        waiting
            .map(|verified| verified.bytes.to_vec())
            .take_while(|envelope| {
                let room = bytes < bytes_max;
                bytes += envelope.len();
                room
            })
            .collect()
    }

    /// The waiting envelopes, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Verified> {
        self.by_arrival.values().filter_map(|id| self.get(id))
    }

    /// Drops what no block may take any more: what ran out of time, and what was signed with a
    /// key that was revoked while it waited. Left here it would start one empty block after the
    /// other.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the storage fails.
    pub fn expire(&mut self, now: TimeMs, state: &dyn StateReader) -> Result<(), StateError> {
        let keys: BTreeSet<KeyId> = self.iter().map(|v| v.envelope.key_id).collect();
        let mut revoked = BTreeSet::new();
        for id in keys {
            let record = state.record(&key::signing_key(&id))?;
            let record: Option<KeyRecord> =
                record.map(|bytes| decode_record(&bytes)).transpose()?;
            if record.is_some_and(|record| record.revoked_at.is_some()) {
                revoked.insert(id);
            }
        }
        let dead: Vec<EnvelopeId> = self
            .iter()
            .filter(|verified| {
                let envelope = &verified.envelope;
                envelope.expires_at_ms <= now || revoked.contains(&envelope.key_id)
            })
            .map(|verified| verified.id)
            .collect();
        for id in dead {
            self.remove(&id);
        }
        Ok(())
    }
}

/// Decodes envelopes and verifies their signatures in one batch; answers in order.
///
/// # Errors
///
/// [`StoreError`] if the state cannot be read: that is no envelope's fault, and no reason to
/// refuse one.
pub fn verify(
    chain: &ChainId,
    now: TimeMs,
    state: &dyn StateReader,
    envelopes: Vec<Vec<u8>>,
) -> Result<Vec<Result<Verified, AdmissionError>>, StoreError> {
    let decode = |bytes: &[u8]| {
        let envelope = Envelope::decode(bytes, chain)?;
        let record = may_be_ordered(&envelope, now, state)?;
        let digest = envelope.header().signing_digest();
        Ok((envelope, record, digest))
    };
    let mut decoded: Vec<Result<_, AdmissionError>> = Vec::with_capacity(envelopes.len());
    for bytes in envelopes {
        decoded.push(match total::guarded(|| decode(&bytes)) {
            Ok(Ok((envelope, record, digest))) => {
                let verified = Verified {
                    id: Envelope::id_of(&bytes),
                    bytes: bytes.into(),
                    envelope: Arc::new(envelope),
                    purpose: record.purpose,
                };
                Ok((verified, record.key, digest))
            }
            Ok(Err(AdmissionError::Order(OrderError::State(error)))) => {
                return Err(StoreError::Failed(error.to_string()));
            }
            Ok(Err(error)) => Err(error),
            Err(Panicked(reason)) => {
                let id = Envelope::id_of(&bytes);
                tracing::error!(%id, reason, "admitting an envelope panicked: it is refused");
                Err(AdmissionError::Quarantined)
            }
        });
    }
    let items: Vec<(PublicKey, Signature, &[u8])> = decoded
        .iter()
        .flatten()
        .map(|(verified, key, digest)| (*key, verified.envelope.signature, digest.as_slice()))
        .collect();
    let unverified = mutant::is(Mutant::EnvelopeUnverified);
    let valid = verify_batch(&items).into_iter();
    let mut valid = valid.map(|valid| valid || unverified);
    let results = decoded
        .iter()
        .map(|result| match result {
            Ok((verified, ..)) if valid.next() == Some(true) => Ok(verified.clone()),
            Ok(_) => Err(AdmissionError::Signature),
            Err(error) => Err(error.clone()),
        })
        .collect();
    Ok(results)
}

#[cfg(test)]
mod tests {
    use jangbu_ledger::codec;
    use jangbu_ledger::envelope::ENVELOPE_VERSION;
    use jangbu_ledger::id::{Height, Sequence, StatementId};
    use jangbu_ledger::state_tree::StateKey;

    use super::*;

    /// A state in which the keys with these numbers are revoked, and all others are not.
    struct Revoked(Vec<u8>);

    impl StateReader for Revoked {
        fn record(&self, wanted: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
            let number = (0..=255).find(|n| key::signing_key(&KeyId([*n; 16])) == *wanted);
            Ok(number.map(|n| {
                codec::encode(&KeyRecord {
                    member: MemberId([0; 32]),
                    purpose: KeyPurpose::Attestor,
                    key: PublicKey([n; 32]),
                    active_from: Height(0),
                    revoked_at: self.0.contains(&n).then_some(Height(7)),
                })
            }))
        }

        fn recorded(&self, _: &StatementId) -> Result<Option<Sequence>, StateError> {
            Ok(None)
        }
    }

    fn signed_by(number: u8, expires_at_ms: u64) -> Verified {
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            chain_id: ChainId([0; 32]),
            member: MemberId([0; 32]),
            key_id: KeyId([number; 16]),
            nonce: 0,
            expires_at_ms: TimeMs(expires_at_ms),
            statements: Vec::new(),
            signature: Signature([0; 64]),
        };
        let bytes = codec::encode(&envelope);
        Verified {
            id: Envelope::id_of(&bytes),
            bytes: bytes.into(),
            envelope: Arc::new(envelope),
            purpose: KeyPurpose::Attestor,
        }
    }

    /// A state that panics when it is asked for the key with this number.
    struct Poisoned(u8);

    impl StateReader for Poisoned {
        fn record(&self, wanted: &StateKey) -> Result<Option<Vec<u8>>, StateError> {
            assert!(
                *wanted != key::signing_key(&KeyId([self.0; 16])),
                "poisoned"
            );
            Revoked(vec![]).record(wanted)
        }

        fn recorded(&self, _: &StatementId) -> Result<Option<Sequence>, StateError> {
            Ok(None)
        }
    }

    #[test]
    fn an_envelope_whose_admission_panics_is_refused_and_the_others_are_judged() {
        let statement = jangbu_ledger::statement::Statement {
            kind: jangbu_ledger::statement::Kind::KeyRevoked {
                key: KeyId([9; 16]),
            },
            occurrence: 0,
            streams: Vec::new(),
            commitment: jangbu_ledger::commitment::Commitment::NOTHING,
            references: Vec::new(),
            payload: Vec::new(),
        };
        let batch = [1, 2].map(|number| {
            let mut envelope = Envelope::clone(&signed_by(number, 100).envelope);
            envelope.statements = vec![statement.clone()];
            codec::encode(&envelope)
        });
        let judged = verify(&ChainId([0; 32]), TimeMs(1), &Poisoned(1), batch.to_vec()).unwrap();
        let [Err(panicked), Err(unsigned)] = judged.as_slice() else {
            panic!("neither is fine");
        };
        assert_eq!(*panicked, AdmissionError::Quarantined);
        assert_eq!(*unsigned, AdmissionError::Signature);
    }

    #[test]
    fn what_no_block_may_take_any_more_does_not_wait_for_one() {
        let mut pool = Pool::new(PoolLimits {
            envelopes: 8,
            bytes: 1 << 20,
            envelopes_per_member: 8,
        });
        let [fresh, late, revoked] = [(1, 100), (1, 50), (2, 100)].map(|(k, t)| signed_by(k, t));
        for verified in [&fresh, &late, &revoked] {
            pool.insert(verified.clone()).unwrap();
        }
        pool.expire(TimeMs(49), &Revoked(vec![])).unwrap();
        assert_eq!(pool.len(), 3);
        pool.expire(TimeMs(50), &Revoked(vec![2])).unwrap();
        let left: Vec<EnvelopeId> = pool.iter().map(|verified| verified.id).collect();
        assert_eq!(left, [fresh.id]);
        assert_eq!(pool.bytes(), fresh.bytes.len());
    }
}
