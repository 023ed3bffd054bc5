//! What is true on a Jangbu ledger: entries, rules, hashing, trees and proofs.
//!
//! Pure: no I/O, no async, no clock, no randomness. Whoever links this crate and the genesis
//! file can check everything a ledger claims.

pub mod block;
pub mod bundle;
pub mod checkpoint;
pub mod codec;
pub mod commitment;
pub mod content;
pub mod envelope;
pub mod equivocation;
pub mod execute;
pub mod extent;
pub mod founding;
pub mod hash;
pub mod id;
pub mod identifier;
pub mod json;
pub mod lineage;
pub mod merkle;
pub mod note;
pub mod passport;
pub mod policy;
pub mod profile;
pub mod receipt;
pub mod rules;
pub mod sealed;
mod secret;
pub mod share;
pub mod signature;
pub mod state;
pub mod state_tree;
pub mod statement;
pub mod tile;
pub mod tree;
pub mod vote;
