//! What the tests of power cuts work with: a script of writes, a judge of what is left of it, and
//! the shim that lets the power go.
//!
//! ```text
//!   Script (four replicas, in memory) ──▶ 200 writes ──▶ child: a store on a real disk
//!                                             │               │ shim.c: dead at call n
//!                                             ▼               ▼
//!                                     Script::judge ◀── the store, opened again
//! ```

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod judge;
mod recorder;
mod script;
mod shim;

pub use script::{Op, Script};
pub use shim::{Cut, Mode, Shim};
