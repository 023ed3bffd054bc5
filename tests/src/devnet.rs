//! A devnet driven by the command line alone, as a user drives it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{binary, jangbu, unconfigured};
use crate::cluster::{OPERATORS, wait_until};

mod saying;
mod sharing;

pub use sharing::Sharing;

/// Four validators, three companies, an auditor and a regulator in a directory of their own.
/// Dropping it stops the nodes.
#[derive(Debug)]
pub struct Devnet {
    directory: TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// A program that finds those under test first, and nothing of the caller's own configuration.
///
/// # Panics
///
/// If they were not built.
#[must_use]
pub fn with_programs(program: &str) -> Command {
    let mut path = binary("jangbu").parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = unconfigured(Command::new(program));
    command.env("PATH", path);
    command
}

impl Devnet {
    /// Founds a devnet and waits until its nodes are ready.
    #[must_use]
    pub fn up() -> Self {
        let devnet = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let ran = devnet.devnet(&["up"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        devnet
    }

    /// A member's home.
    #[must_use]
    pub fn home(&self, member: &str) -> PathBuf {
        self.path().join("members").join(member)
    }

    /// Runs `jangbu` as a member, with `--json`.
    #[must_use]
    pub fn jangbu(&self, member: &str, arguments: &[&str]) -> Ran {
        let output = jangbu()
            .arg("--json")
            .arg("--home")
            .arg(self.home(member))
            .args(arguments)
            .output()
            .unwrap();
        Ran::of(&output)
    }

    /// Runs `jangbu` as a member, without `--json`.
    #[must_use]
    pub fn as_a_person(&self, member: &str, arguments: &[&str]) -> Ran {
        let mut command = jangbu();
        command.arg("--home").arg(self.home(member));
        Ran::of(&command.args(arguments).output().unwrap())
    }

    /// [`Devnet::jangbu`] that must end well.
    #[must_use]
    pub fn done(&self, member: &str, arguments: &[&str]) -> Ran {
        let ran = self.jangbu(member, arguments);
        assert_eq!(ran.code, 0, "{member}: jangbu {arguments:?}: {ran:?}");
        ran
    }

    /// Runs `jangbu` as somebody who has the genesis file and nothing else, with `--json`.
    #[must_use]
    pub fn offline(&self, arguments: &[&str]) -> Ran {
        let nowhere = tempfile::tempdir().unwrap();
        let output = jangbu()
            .arg("--json")
            .args(arguments)
            .arg("--genesis")
            .arg(self.path().join("genesis.json"))
            .env("HOME", nowhere.path())
            .env("XDG_CONFIG_HOME", nowhere.path())
            .current_dir(nowhere.path())
            .output()
            .unwrap();
        Ran::of(&output)
    }

    /// [`Devnet::done`], once all nodes have what was said.
    #[must_use]
    pub fn settled(&self, member: &str, arguments: &[&str]) -> Ran {
        self.settle();
        self.done(member, arguments)
    }

    /// Number of entries in the log of a member's node, once all nodes have as many.
    #[must_use]
    pub fn log_size(&self, member: &str) -> u64 {
        self.settle();
        self.done(member, &["node", "status"]).object()["log_size"]
            .as_u64()
            .unwrap()
    }

    /// Waits until all nodes that run have the same log; returns its size. What was final on one
    /// may arrive at another a moment later.
    pub fn settle(&self) -> u64 {
        wait_until("all nodes have one log", || {
            let sizes: BTreeSet<u64> = OPERATORS
                .iter()
                .map(|operator| self.jangbu(operator, &["node", "status"]))
                .filter(|ran| ran.code == 0)
                .map(|ran| ran.object()["log_size"].as_u64().unwrap())
                .collect();
            match sizes.len() {
                1 => Ok(sizes.into_iter().sum()),
                _ => Err(format!("{sizes:?}")),
            }
        })
    }

    /// Starts or stops one node: `verb` is `start` or `stop`.
    pub fn node(&self, verb: &str, operator: &str) {
        let ran = self.devnet(&[verb, operator]);
        assert_eq!(ran.code, 0, "{verb} {operator}: {ran:?}");
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("devnet")
    }

    /// Runs `jangbu devnet` on it, with `--json`.
    #[must_use]
    pub fn devnet(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// The command that [`Devnet::devnet`] runs.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = jangbu();
        command.args(["--json", "devnet"]).args(arguments);
        command.arg("--dir").arg(self.path());
        command
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        let ran = self.devnet(&["down"]);
        if ran.code != 0 && !std::thread::panicking() {
            panic!("the devnet did not stop: {ran:?}");
        }
    }
}

impl Ran {
    /// What a command left.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one object it printed.
    #[must_use]
    pub fn object(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The objects it printed, one a line.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// How many lines have this text at `key`.
    #[must_use]
    pub fn count(&self, key: &str, text: &str) -> usize {
        let lines = self.lines();
        lines.iter().filter(|line| line[key] == text).count()
    }
}
