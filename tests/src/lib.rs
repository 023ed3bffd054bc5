//! End-to-end tests with real processes, published vectors, verifiers made by others.

mod binary;
pub mod cluster;
pub mod devnet;
pub mod world;
