//! A block's envelopes, from wherever they are.

use std::collections::BTreeMap;

use jangbu_ledger::block::Block;
use jangbu_ledger::id::EnvelopeId;

use super::super::{Fatal, Replica};
use crate::pool::{self, Verified};
use crate::store::Store;

/// What was found.
pub(in super::super) enum Gathered {
    /// All of them, in the block's order.
    All(Vec<Verified>),
    /// These are not here.
    Missing(Vec<EnvelopeId>),
    /// One of them no block may order at this block's time.
    Invalid(String),
}

impl<S: Store> Replica<S> {
    /// The block's envelopes: from `found`, the pool, or the disk.
    pub(in super::super) fn gather(
        &self,
        block: &Block,
        found: &BTreeMap<EnvelopeId, Verified>,
    ) -> Result<Gathered, Fatal> {
        let mut places: Vec<Option<Verified>> = Vec::with_capacity(block.envelopes.len());
        let mut missing = Vec::new();
        let (mut positions, mut stored) = (Vec::new(), Vec::new());
        for (position, id) in block.envelopes.iter().enumerate() {
            let at_hand = found.get(id).or_else(|| self.pool.get(id)).cloned();
            if at_hand.is_none() {
                match self.store.envelope(id)? {
                    Some(bytes) => {
                        positions.push(position);
                        stored.push(bytes.to_vec());
                    }
                    None => missing.push(*id),
                }
            }
            places.push(at_hand);
        }
        if !missing.is_empty() {
            return Ok(Gathered::Missing(missing));
        }
        // On disk for a block that was proposed before a restart, or is on the ledger.
        let time = block.header.time_ms;
        let results = pool::verify(&self.chain.chain_id, time, &self.store, stored)?;
        for (position, result) in positions.into_iter().zip(results) {
            match (result, places.get_mut(position)) {
                (Ok(verified), Some(place)) => *place = Some(verified),
                (Err(error), _) => return Ok(Gathered::Invalid(error.to_string())),
                (Ok(_), None) => {}
            }
        }
        Ok(Gathered::All(places.into_iter().flatten().collect()))
    }
}
