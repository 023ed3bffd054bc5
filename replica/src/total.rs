//! Execution is total: an envelope whose execution panics stops neither the replica nor the
//! ledger.
//!
//! The ledger's code answers whatever a member may send; a panic is a defect in it. So that one
//! envelope cannot turn such a defect into the end of every node, blocks are executed under
//! [`guarded`]: nothing of a panicked execution is kept, for it works on values of its own and
//! only reads the store. [`culprit`] then finds the envelope to blame:
//!
//! - a proposer leaves it out of its block, drops it from its pool and never takes it again;
//! - a validator that meets it in a proposed block calls the block invalid, and drops it too;
//! - in a block that a quorum certified, it is an alarm and the replica stops: the others could
//!   execute what we cannot.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why an execution ended in a panic: its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked(pub(crate) String);

/// Runs `work`, which must leave nothing half done behind: it only reads what is shared.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        Panicked(message.unwrap_or("a panic without a message").to_owned())
    })
}

/// Which of `count` items, tried in order, makes the work panic: `panics(n)` tries the first
/// `n`, and is known to be true of all. `None` if it panics without any.
///
/// Asks `panics` about `log2(count)` times. What panics only together with others is found as
/// the last of them.
pub(crate) fn culprit(count: usize, panics: impl Fn(usize) -> bool) -> Option<usize> {
    if count == 0 || panics(0) {
        return None;
    }
    let (mut fine, mut bad) = (0, count);
    while fine + 1 < bad {
        let middle = fine + (bad - fine) / 2;
        if panics(middle) {
            bad = middle;
        } else {
            fine = middle;
        }
    }
    Some(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_that_panics_is_found_wherever_it_stands() {
        for count in 1..40 {
            for bad in 0..count {
                assert_eq!(culprit(count, |n| n > bad), Some(bad), "{bad} of {count}");
            }
        }
    }

    #[test]
    fn work_that_panics_on_nothing_has_no_culprit() {
        assert_eq!(culprit(0, |_| true), None);
        assert_eq!(culprit(5, |_| true), None);
    }

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 1), Ok(1));
        let literal = guarded(|| panic!("no such statement"));
        assert_eq!(literal, Err::<(), _>(Panicked("no such statement".into())));
        let number = 7;
        let made = guarded(|| panic!("no statement {number}"));
        assert_eq!(made, Err::<(), _>(Panicked("no statement 7".into())));
    }
}
