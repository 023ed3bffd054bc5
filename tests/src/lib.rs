//! End-to-end tests with real processes, the simulator, published vectors, verifiers made by
//! others.

pub mod altered;
mod binary;
pub mod chaos;
pub mod cluster;
pub mod devnet;
pub mod fuzz;
pub mod peer;
pub mod power;
pub mod sim;
pub mod world;
