//! Chaos: real `jangbu-node` processes, each in a network of its own, disturbed at random while
//! clients keep their pace; then everything is healed and held against what was promised.
//!
//! ```text
//!   Settings (minutes, nodes, seed)
//!      │
//!   Ground ── Network: a namespace per node, a bridge between them, who hears whom
//!      │   ├─ Links: slow ones, by a proxy         ├─ SmallDisk under one node
//!      │   └─ Cluster: the processes
//!   Storm ──▶ faults, drawn from the seed ──▶ Ground
//!   Load  ──▶ envelopes at their pace ──▶ Agent × n ──▶ nodes      Book of receipts
//!      └──▶ Report, and the checks of `run`
//! ```
//!
//! Two modes in one run: first at most *f* nodes are disturbed at once, and the ledger must go
//! on; then any number, and only safety is asked for until everything is healed.
//!
//! The seed decides the order, kinds, victims and lengths of the faults; what real processes do
//! meanwhile is theirs, so the same seed does not give the same run.
//!
//! Whatever happens, nothing stays: namespaces, processes and mounts go when the run is dropped,
//! also after a failure or Ctrl-C; what a killed run left is swept by the next one.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod agent;
mod checks;
mod deck;
mod ground;
mod leftovers;
mod links;
mod load;
mod network;
mod proxy;
mod report;
mod run;
mod settings;
mod storm;
mod watch;

pub use report::Report;
pub use run::run;
pub use settings::Settings;
