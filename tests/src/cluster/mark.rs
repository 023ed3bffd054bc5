//! The mark on what a test leaves in the machine if it is killed: network namespaces, mounts.
//!
//! It names the process that made them, so that another can tell whether that one still lives.

use std::fmt;
use std::fs;
use std::str::FromStr;

const PREFIX: &str = "jangbu-";

/// A process, told apart from a later one with the same number by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    process: u32,
    /// In clock ticks since the machine started.
    started: u64,
}

impl Mark {
    /// The mark of this process.
    #[must_use]
    pub fn own() -> Self {
        let process = std::process::id();
        let started = started(process).expect("this process runs, and /proc is mounted");
        Self { process, started }
    }

    /// The mark that a name begins with.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('-');
        let (process, started) = (parts.next()?, parts.next()?);
        Some(Self {
            process: u32::from_str(process).ok()?,
            started: u64::from_str(started).ok()?,
        })
    }

    /// Whether the process that left it lives.
    #[must_use]
    pub fn lives(self) -> bool {
        started(self.process) == Some(self.started)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}", self.process, self.started)
    }
}

/// When a process started, if there is one of this number.
///
/// Source: proc(5), `/proc/pid/stat`, field 22; the second field may hold spaces and brackets.
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_from_a_name_and_tells_whether_its_process_lives() {
        let own = Mark::own();
        assert_eq!(Mark::of(&format!("{own}-hub")), Some(own));
        assert!(own.lives());
        let earlier = Mark {
            started: own.started + 1,
            ..own
        };
        assert!(!earlier.lives());
        for name in ["", "jangbu-", "jangbu-x-1", "jangbu-12", "other-1-2"] {
            assert_eq!(Mark::of(name), None, "{name}");
        }
    }
}
