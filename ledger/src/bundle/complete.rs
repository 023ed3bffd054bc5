//! Complete lists: these entries, and no others, are what the state counted.

use super::Failure;
use super::evidence::{Evidence, Proved};
use crate::id::Sequence;
use crate::state::StreamRecord;
use crate::statement::Statement;

/// Recomputes what the state says of a list from the entries listed, each of which `belongs`, and
/// compares; `fault` says of which list something is wrong.
pub(super) fn recompute(
    evidence: &mut Evidence<'_>,
    listed: &[Sequence],
    expected: &StreamRecord,
    belongs: impl Fn(&Statement) -> bool,
    fault: impl Fn(String) -> Failure,
) -> Result<(), Failure> {
    let mut recomputed = StreamRecord::EMPTY;
    let mut last = None;
    for sequence in listed {
        if last.is_some_and(|last| last >= *sequence) {
            return Err(fault(format!(
                "entry {sequence} is listed twice or in the wrong place"
            )));
        }
        last = Some(*sequence);
        let Proved { id, recorded, .. } = evidence.entry(*sequence)?;
        if !belongs(&recorded.statement) {
            return Err(fault(format!("entry {sequence} is not one of them")));
        }
        recomputed = recomputed.with(id, *sequence);
    }
    if recomputed.count != expected.count {
        return Err(fault(format!(
            "the ledger counted {}, {} are shown",
            expected.count, recomputed.count
        )));
    }
    if recomputed.head != expected.head {
        return Err(fault(
            "their number is right, but they are not the ones the ledger counted".into(),
        ));
    }
    Ok(())
}
