//! Builds the shim and runs a child under it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("shim.c");

/// What becomes of what was not synced; see `shim.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All of it is there: the process was killed, the machine went on.
    Keep,
    /// None of it is there.
    Lose,
    /// Names are there, bytes are not, but for half of those written last.
    Torn,
    /// The same, with zeros in their place.
    Zeros,
}

impl Mode {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Keep, Self::Lose, Self::Torn, Self::Zeros];

    const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Lose => "lose",
            Self::Torn => "torn",
            Self::Zeros => "zeros",
        }
    }
}

/// When the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// At which call that changes the disk, from 1.
    pub at: u64,
    /// Whether that call is carried out.
    pub after: bool,
    /// What becomes of what was not synced.
    pub mode: Mode,
}

/// A library that lets the power go in a process that loads it.
#[derive(Debug)]
pub struct Shim {
    library: PathBuf,
}

impl Shim {
    /// Compiles it in a directory.
    ///
    /// # Panics
    ///
    /// If there is no C compiler; `make setup` installs one.
    #[must_use]
    pub fn build(directory: &Path) -> Self {
        let (source, library) = (directory.join("shim.c"), directory.join("shim.so"));
        fs::write(&source, SOURCE).unwrap();
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .status()
            .expect("a C compiler; `make setup` installs one");
        assert!(status.success(), "the shim does not compile");
        Self { library }
    }

    /// Runs a command to its end, which must be a good one; returns how many calls changed
    /// `disk`.
    #[must_use]
    pub fn count(&self, command: &mut Command, disk: &Path) -> u64 {
        let total = disk.with_extension("total");
        let status = self
            .under(command, disk)
            .env("POWER_CUT_TOTAL", &total)
            .status()
            .unwrap();
        assert!(status.success(), "the child ended with {status}");
        let text = fs::read_to_string(&total).unwrap();
        text.trim().parse().unwrap()
    }

    /// Runs a command until the power goes; false if it came to its end before.
    ///
    /// # Errors
    ///
    /// What it wrote, if it ended in any other way.
    pub fn cut(&self, command: &mut Command, disk: &Path, cut: Cut) -> Result<bool, String> {
        let command = self.under(command, disk);
        command
            .env("POWER_CUT_AT", cut.at.to_string())
            .env("POWER_CUT_MODE", cut.mode.name());
        if cut.after {
            command.env("POWER_CUT_AFTER", "1");
        }
        let output = command.output().map_err(|error| error.to_string())?;
        match output.status.signal() {
            Some(9) => Ok(true),
            None if output.status.success() => Ok(false),
            _ => Err(format!(
                "the child ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    fn under<'a>(&self, command: &'a mut Command, disk: &Path) -> &'a mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("POWER_CUT_DIR", disk)
    }
}
