//! End-to-end tests with real processes, published vectors, verifiers made by others.

pub mod devnet;
