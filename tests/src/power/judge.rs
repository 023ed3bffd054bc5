//! What must be left of a script after the power went.

use jangbu_ledger::id::{Height, Sequence};
use jangbu_replica::memory_store::MemoryStore;
use jangbu_replica::store::{Store, StoredBlock};

use super::script::{Op, Script};

impl Script {
    /// Checks a store against what it acknowledged: nothing acknowledged is lost, and beyond it
    /// there is nothing but, at most, the whole of the one write that was under way. Returns how
    /// many writes are there.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn judge(&self, store: &impl Store, acknowledged: usize) -> Result<usize, String> {
        let without = self.differs(store, acknowledged);
        let Some(without) = without else {
            return Ok(acknowledged);
        };
        if acknowledged == self.ops.len() {
            return Err(without);
        }
        match self.differs(store, acknowledged + 1) {
            None => Ok(acknowledged + 1),
            Some(with) => Err(format!(
                "after {acknowledged} writes it is not what they make ({without}), nor with the \
                 next one ({with})"
            )),
        }
    }

    /// The first difference from what the first `count` writes make.
    fn differs(&self, store: &impl Store, count: usize) -> Option<String> {
        let written = &self.ops[..count];
        let mut model = MemoryStore::default();
        for op in written {
            op.apply(&mut model).unwrap();
        }
        let check = |same: bool, what: String| if same { Ok(()) } else { Err(what) };
        let compare = || {
            let tip = model.tip().unwrap();
            check(store.tip() == Ok(tip.clone()), "the tip".into())?;
            check(store.log() == model.log(), "agreement's log".into())?;
            let following = store.is_following();
            check(
                following == model.is_following(),
                "whether it follows".into(),
            )?;
            let mut proposed = store.proposed_blocks().map_err(|e| e.to_string())?;
            proposed.sort_by_key(|block| block.header.id());
            let mut expected = model.proposed_blocks().unwrap();
            expected.sort_by_key(|block| block.header.id());
            check(proposed == expected, "the proposed blocks".into())?;
            let top = tip.as_ref().map(|tip| tip.height.0);
            let mut ids: Vec<_> = expected.into_iter().flat_map(|b| b.envelopes).collect();
            for height in (0..=top.unwrap_or(0)).map(Height) {
                let block = model.block(height).unwrap();
                check(
                    store.block(height) == Ok(block.clone()),
                    format!("block {height}"),
                )?;
                ids.extend(
                    block
                        .into_iter()
                        .flat_map(|StoredBlock { block, .. }| block.envelopes),
                );
            }
            for id in ids {
                check(
                    store.envelope(&id) == model.envelope(&id),
                    format!("envelope {id}"),
                )?;
                check(
                    store.outcomes(&id) == model.outcomes(&id),
                    format!("outcome of {id}"),
                )?;
            }
            let size = tip.map_or(0, |tip| tip.frontier.size());
            for sequence in (0..=size).map(Sequence) {
                let entry = store.entry(sequence);
                check(entry == model.entry(sequence), format!("entry {sequence}"))?;
            }
            for (key, value) in model.records() {
                check(
                    store.record(key) == Ok(Some(value.clone())),
                    "a record".into(),
                )?;
            }
            finals(store, written)
        };
        compare().err()
    }
}

/// Final checkpoints before the last synced write must be there, later ones may.
fn finals(store: &impl Store, written: &[Op]) -> Result<(), String> {
    let synced = written.iter().rposition(Op::is_synced);
    let mut last = None;
    for (n, op) in written.iter().enumerate() {
        let Op::Final(checkpoint) = op else { continue };
        let height = checkpoint.height;
        let found = store.final_checkpoint(height).map_err(|e| e.to_string())?;
        if found.as_ref() == Some(checkpoint) {
            last = Some(height);
        } else if synced.is_some_and(|synced| n < synced) {
            return Err(format!("the final checkpoint of height {height}"));
        }
    }
    let found = store.last_final_checkpoint().map_err(|e| e.to_string())?;
    if found.map(|found| found.height) == last {
        Ok(())
    } else {
        Err("a final checkpoint that was never written".into())
    }
}
