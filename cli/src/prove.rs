//! Exports proofs.
