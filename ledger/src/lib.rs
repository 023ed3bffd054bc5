//! What is true on a Jangbu ledger: entries, rules, hashing, trees and proofs.
//!
//! Pure: no I/O, no async, no clock, no randomness. Whoever links this crate and the genesis
//! file can check everything a ledger claims.

pub mod codec;
pub mod hash;
pub mod id;
pub mod signature;
