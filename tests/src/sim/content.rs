//! What may be in a block, said once more and independently.
//!
//! - blocks follow one another in time, and none is of a time that no clock has reached;
//! - no block orders an envelope twice, or one that an earlier block ordered;
//! - every envelope is signed by the member it is of;
//! - no block is larger than blocks may be.

use std::collections::BTreeMap;

use jangbu_ledger::id::{EnvelopeId, Height, TimeMs};
use jangbu_replica::store::StoredBlock;

use super::oracle::Violation;

/// Most envelopes in a block.
const ENVELOPES_MAX: usize = 16_384;
/// Most bytes of envelopes in a block.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the blocks so far hold.
#[derive(Debug, Default)]
pub struct Content {
    times: BTreeMap<Height, TimeMs>,
    ordered: BTreeMap<EnvelopeId, Height>,
}

impl Content {
    /// Someone has this block; `latest` is the latest time that any clock allows by now, and
    /// `envelope` gives an envelope's length in bytes if it is rightly signed.
    ///
    /// # Errors
    ///
    /// [`Violation`] if no such block may be.
    pub fn sees_block(
        &mut self,
        stored: &StoredBlock,
        latest: TimeMs,
        envelope: impl Fn(&EnvelopeId) -> Option<usize>,
    ) -> Result<(), Violation> {
        let header = &stored.block.header;
        let (height, time) = (header.height, header.time_ms);
        if self.times.contains_key(&height) {
            return Ok(());
        }
        let last = self.times.last_key_value();
        if last.is_some_and(|(_, last)| *last >= time) {
            return violated(height, "is not later than the one before".into());
        }
        if time > latest {
            let ahead = time.0 - latest.0;
            return violated(
                height,
                format!("is {ahead} ms ahead of what any clock allows"),
            );
        }
        self.times.insert(height, time);
        let mut bytes = 0;
        for id in &stored.block.envelopes {
            if let Some(earlier) = self.ordered.insert(*id, height) {
                return violated(height, format!("repeats {id} of block {}", earlier.0));
            }
            match envelope(id) {
                Some(length) => bytes += length,
                None => return violated(height, format!("orders {id}, which nobody signed")),
            }
        }
        if stored.block.envelopes.len() > ENVELOPES_MAX || bytes > BYTES_MAX {
            return violated(height, format!("has {bytes} bytes of envelopes"));
        }
        Ok(())
    }
}

fn violated<T>(height: Height, what: String) -> Result<T, Violation> {
    Err(Violation(format!("block {} {what}", height.0)))
}
