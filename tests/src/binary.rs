//! Finds the binaries under test.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

/// A binary of this workspace, beside this test's own.
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // target/<profile>/deps/<test>
    let directory = test.parent().and_then(Path::parent).unwrap();
    let binary = directory.join(name);
    assert!(
        binary.exists(),
        "{} is not there: build it first with `make build`, or run `make test`",
        binary.display()
    );
    binary
}
