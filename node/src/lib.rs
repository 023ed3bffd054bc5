//! One member's peer: everything that touches the world.
//!
//! ```text
//!   members ◀──▶ mesh ──┐                        ┌── api ◀──▶ clients
//!                       ├──▶ inbox ──▶ driver ───┤
//!   clients ──▶ api ────┘    (the replica's      ├── waiters
//!                             own thread)        └── store (RocksDB)
//! ```

pub mod api;
pub mod app;
pub mod config;
pub mod consortium;
pub mod descriptors;
pub mod driver;
pub mod evidence;
pub mod first_config;
pub mod health;
pub mod inbox;
pub mod links;
pub mod metrics;
pub mod notary;
pub mod store;
pub mod waiters;

pub use jangbu_mesh as mesh;
