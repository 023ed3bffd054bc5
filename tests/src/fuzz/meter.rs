//! How much an input makes a decoder allocate.
//!
//! Counts every byte that is ever asked of the allocator, freed or not: a bound on it bounds
//! memory and work alike. The counting allocator is the program's choice, as it must be:
//!
//! ```text
//!   #[global_allocator]
//!   static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;
//! ```

use std::hint::black_box;

use stats_alloc::INSTRUMENTED_SYSTEM;

/// How much may be allocated for an input of a size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Bytes for each byte of input.
    pub(super) per_byte: usize,
    /// Bytes for whatever input.
    pub(super) base: usize,
}

impl Allowance {
    /// Canonical bytes: what length prefixes may claim, which is at most 8 times 32 bytes for each
    /// of the input; and its bytes once more, to compare.
    pub(super) const CANONICAL: Self = Self {
        per_byte: 8 * 32 + 32,
        base: 8 * 1024,
    };
    /// JSON: a tree of values, of which the worst, an array of one-character values, takes about
    /// a hundred times its text, and what is made of it.
    pub(super) const JSON: Self = Self {
        per_byte: 256,
        base: 64 * 1024,
    };
    /// Lines of text with base64 in them.
    pub(super) const TEXT: Self = Self {
        per_byte: 32,
        base: 16 * 1024,
    };
}

/// Does something to an input of `len` bytes.
///
/// # Panics
///
/// If that allocates more than is allowed.
pub(super) fn frugal<T>(len: usize, allowance: Allowance, act: impl FnOnce() -> T) -> T {
    let before = INSTRUMENTED_SYSTEM.stats().bytes_allocated;
    let done = act();
    let allocated = INSTRUMENTED_SYSTEM.stats().bytes_allocated - before;
    let allowed = allowance.base + allowance.per_byte * len;
    assert!(
        allocated <= allowed,
        "{len} bytes of input made it allocate {allocated}, allowed are {allowed}"
    );
    done
}

/// Whether this program's allocator is the one that counts; without it nothing is measured.
#[must_use]
pub fn is_installed() -> bool {
    let before = INSTRUMENTED_SYSTEM.stats().bytes_allocated;
    drop(black_box(Vec::<u8>::with_capacity(black_box(4096))));
    INSTRUMENTED_SYSTEM.stats().bytes_allocated >= before + 4096
}
