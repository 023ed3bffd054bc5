//! What has to be fast, measured. Each program under `benches/benches/` sets up a million of
//! something and prints what one operation on it costs; `make bench` runs them all.
//!
//! Nothing here is asserted: machines differ. The figures that count are in `docs/performance.md`.

pub mod ledger;
pub mod measure;

/// The node's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
