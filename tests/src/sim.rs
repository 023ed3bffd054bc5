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
mod byzantine;
mod calm;
mod client;
mod clock;
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
mod shrink;
mod signer;
mod trace;
pub mod twins;
mod volume;
mod world;

pub use actor::Actor;
pub use byzantine::{Liar, Lie, Told, run_with_hidden_locks, run_with_liars};
pub use calm::{Calm, CalmMember, peer};
pub use conduct::{Conduct, LogState, Validators};
pub use consortium::{Consortium, START_MS};
pub use content::Content;
pub use dice::Dice;
pub use disk::{Boundary, Disk, Image, PowerCut, Trouble};
pub use faults::{Cut, Fault, Faults, Kind, Planned, Point, Rot, Tally, Without};
pub use oracle::{Ledger, Oracle, ROUNDS_MAX, Violation};
pub use run::{Failure, Plan, Report, run, run_among, run_without};
pub use schedule::Schedule;
pub use shrink::{Shrunk, shrink};
pub use trace::Sink;
pub use volume::{Histogram, Volume};
pub use world::World;
