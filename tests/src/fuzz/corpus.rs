//! The corpus on disk: what `make corpus` wrote, and what fuzzing found.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the inputs of all targets stand, one directory each.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// The committed inputs of a target, by name.
///
/// # Panics
///
/// If they cannot be read.
#[must_use]
pub fn committed(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = directory().join(target);
    let Ok(listing) = fs::read_dir(&directory) else {
        return Vec::new();
    };
    let mut inputs: Vec<(String, Vec<u8>)> = listing
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}
