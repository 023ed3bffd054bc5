//! One member's copy of the ledger as a state machine: pool, blocks, execution, commit,
//! cosigning, catch-up. Drives `jangbu-consensus`, applies `jangbu-ledger`.
//!
//! Sans-IO: no socket, timer, clock or database. Storage stands behind [`store::Store`], so
//! that the simulator runs this very code.

pub mod candidate;
mod catchup;
pub mod chain;
pub mod cosign;
pub mod founding;
pub mod memory_store;
pub mod message;
pub mod pool;
pub mod replica;
pub mod store;
mod total;
