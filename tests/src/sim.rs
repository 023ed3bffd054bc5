//! The simulator: replicas of a whole consortium in one thread, on a network, disks and clocks
//! that a seed decides. The replicas are the ones that ship.
//!
//! ```text
//!   Schedule ──▶ World ──▶ Replica::step ──▶ effects ──▶ Network, timers ──▶ Schedule
//!                  │             │
//!                  │             └──▶ Disk (fails at a chosen write)
//!                  └──▶ Oracle, after every step
//! ```
//!
//! Invariants:
//! - one heap of events, ordered by time and then by when they were put in: the same seed gives
//!   the same run, event by event ([`Report::trace`]);
//! - time is virtual; nothing waits;
//! - the oracle restates what must hold and calls none of what it judges.

mod actor;
mod client;
mod conduct;
mod consortium;
mod content;
mod dice;
mod disk;
mod faults;
mod network;
mod oracle;
mod run;
mod schedule;
mod world;

pub use actor::Actor;
pub use conduct::{Conduct, LogState, Validators};
pub use consortium::{Consortium, START_MS};
pub use content::Content;
pub use dice::Dice;
pub use disk::{Disk, WriteFault};
pub use faults::Faults;
pub use oracle::{Oracle, Violation};
pub use run::{Failure, Plan, Report, run, run_among};
pub use schedule::Schedule;
pub use world::World;
