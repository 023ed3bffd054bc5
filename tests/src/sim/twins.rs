//! Twins: one validator of four in two copies that do not know of each other, each correct by
//! itself, while scripted rounds decide who hears whom.
//!
//! ```text
//!   Script: seven rounds, each a set of links that hold ──▶ Scenario ──▶ oracle
//! ```
//!
//! What two honest copies of one key do is equivocation in all its forms: two proposals, two
//! votes, a lock here and none there. Enumerated instead of drawn, scripts reach combinations
//! that chance rarely does. Real [`Consensus`](jangbu_consensus::Consensus) runs, with real
//! signatures; blocks are ids only, known to everyone.
//!
//! Source: Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021.

mod node;
mod scenario;
mod script;

pub use scenario::{Ending, Scenario};
pub use script::{NODES, ROUNDS, Said, Script, canonical_count, sample};
