//! What may sit in a member's place instead of the replica that ships.

use jangbu_ledger::id::TimeMs;
use jangbu_replica::replica::{Effect, Input};

/// A Byzantine member: it is told what a replica in its place would be told, and does as it
/// likes.
///
/// Members are numbered alike everywhere: `PeerId(n)` is validator `n` of the list. Of its
/// effects the world performs `Send`, `Broadcast`, `SetTimer` and `CancelTimer`, on the same
/// network and with the same faults as everyone's; the others mean nothing. The oracle does not
/// hold against it what it says, correct members may accuse it, and nobody waits for it at the
/// end. Its promises to clients count for nothing: they hand in to correct members only.
pub trait Actor {
    /// It comes up: at the beginning, and again after each time it was crashed, all timers and
    /// links gone. What it still remembers is its own affair.
    fn start(&mut self, now: TimeMs) -> Vec<Effect>;

    /// Something happens to it, at `now` by its clock.
    fn step(&mut self, now: TimeMs, input: Input) -> Vec<Effect>;
}
