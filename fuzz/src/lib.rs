//! Lets libFuzzer look for inputs that break what `jangbu_tests::fuzz` promises of any.
//!
//! Nothing of it is built but by `make fuzz`, which sets the feature `libfuzzer`; the same bodies
//! run over the same corpus in `tests/tests/fuzz.rs`.

#![cfg(feature = "libfuzzer")]

use std::alloc::System;

pub use jangbu_tests::fuzz::Target;
pub use libfuzzer_sys::fuzz_target;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A program that fuzzes the target of this name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        $crate::fuzz_target!(|bytes: &[u8]| {
            let _seen = $crate::Target::named($name).run(bytes);
        });
    };
}
