//! A network namespace: a network of its own, for a node and whoever stands beside it.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns` keeps the names.
const NAMES: &str = "/run/netns";

/// A named network namespace; it and every process in it end when this is dropped.
#[derive(Debug)]
pub struct Namespace {
    /// Its name, as `ip netns` lists it.
    pub name: String,
    handle: File,
}

impl Namespace {
    /// Makes one, with its loopback device up.
    ///
    /// # Errors
    ///
    /// Why it cannot be made: usually that this is not root.
    pub fn add(name: &str) -> Result<Self, String> {
        run("ip", &["netns", "add", name], "")?;
        let opened = File::open(format!("{NAMES}/{name}"));
        let handle = opened.map_err(|error| format!("{NAMES}/{name}: {error}"))?;
        let namespace = Self {
            name: name.to_owned(),
            handle,
        };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Runs `ip` in it.
    ///
    /// # Errors
    ///
    /// What it said.
    pub fn ip(&self, arguments: &[&str]) -> Result<(), String> {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments);
        run("ip", &all, "").map(drop)
    }

    /// Does something on a thread inside. Threads, processes and sockets made there stay inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inner = || {
            move_into_link_name_space(self.handle.as_fd(), Some(LinkNameSpaceType::Network))
                .unwrap_or_else(|error| panic!("cannot enter {}: {error}", self.name));
            work()
        };
        let done = std::thread::scope(|scope| scope.spawn(inner).join());
        done.unwrap_or_else(|failure| std::panic::resume_unwind(failure))
    }

    /// The names of all there are.
    #[must_use]
    pub fn all() -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(NAMES) else {
            return Vec::new(); // nobody has made one since the machine started
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.collect()
    }

    /// Ends the processes in a namespace and removes it.
    ///
    /// # Errors
    ///
    /// What is still there, and why.
    pub fn remove(name: &str) -> Result<(), String> {
        let inhabitants = run("ip", &["netns", "pids", name], "")?;
        for process in inhabitants.split_whitespace() {
            // One that has just ended by itself is no failure: what counts is that none is left.
            let _ended = run("kill", &["-KILL", process], "");
        }
        run("ip", &["netns", "del", name], "").map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = Self::remove(&self.name) {
            eprintln!("the network namespace {} stays: {error}", self.name);
        }
    }
}

/// Runs a program to its end, with this input; what it printed.
///
/// # Errors
///
/// What it said, with the program's name.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    use std::io::Write as _;
    let said = |error: std::io::Error| format!("{program} {}: {error}", arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(said)?;
    let written = match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(input.as_bytes()),
        None => Ok(()),
    };
    let output = child.wait_with_output().map_err(said)?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{program} {}: {}",
            arguments.join(" "),
            text.trim()
        ));
    }
    written.map_err(said)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
