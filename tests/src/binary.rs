//! Finds the binaries under test.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

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

/// `jangbu` with nothing of the caller's own configuration.
pub(crate) fn jangbu() -> Command {
    unconfigured(Command::new(binary("jangbu")))
}

/// A command with nothing of the caller's own configuration.
pub(crate) fn unconfigured(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("JANGBU_") && name != "JANGBU_NODE_BIN" {
            command.env_remove(&*name);
        }
    }
    command
}
