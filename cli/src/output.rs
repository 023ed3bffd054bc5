//! Where results, remarks and errors go: results to standard output, all else to standard error.
//!
//! What was asked to be shown is a result, whatever `--quiet` says; what a command tells of what it did
//! is a report, which `--quiet` leaves out unless a program reads it (`--json`).
//!
//! With `--json` a result is one JSON object, a list one object a line. Printing never fails the
//! work: what standard output says is remembered and told at the end, so that `| head` does not
//! stop a submission half-way.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::error::CliError;

/// How to print.
#[derive(Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
    failure: RefCell<Option<io::Error>>,
}

impl Output {
    /// JSON or text; `quiet` leaves out remarks, progress and, in text, reports.
    #[must_use]
    pub const fn new(json: bool, quiet: bool) -> Self {
        Self {
            json,
            quiet,
            failure: RefCell::new(None),
        }
    }

    /// Whether JSON was asked for.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Whether remarks and progress are unwanted.
    #[must_use]
    pub const fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether progress may be drawn: somebody watches, and did not ask for quiet.
    #[must_use]
    pub fn progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Prints the one result.
    pub fn object<T: Serialize + ?Sized>(&self, value: &T, human: impl FnOnce() -> String) {
        self.print(value, human);
    }

    /// Prints one item of a list.
    pub fn line<T: Serialize + ?Sized>(&self, value: &T, human: impl FnOnce() -> String) {
        self.print(value, human);
    }

    /// Prints what was done.
    pub fn report<T: Serialize + ?Sized>(&self, value: &T, human: impl FnOnce() -> String) {
        if self.json || !self.quiet {
            self.print(value, human);
        }
    }

    /// Prints text as it is, JSON or not: an export in a format of its own.
    pub fn raw(&self, text: &str) {
        self.write(text);
    }

    /// A remark for people, on standard error.
    pub fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            eprintln!("{text}");
        }
    }

    /// What people and programs should know before they go on, on standard error, whatever was asked
    /// for.
    pub fn warn(&self, text: &str) {
        if self.json {
            eprintln!("{}", serde_json::json!({ "warning": text }));
        } else {
            eprintln!("warning: {text}");
        }
    }

    /// The error that ends the program, on standard error.
    pub fn error(&self, error: &CliError) {
        if self.json {
            eprintln!("{}", error.to_json());
        } else {
            eprintln!("{}", error.to_text());
        }
    }

    /// Whether nobody reads any more: a list may stop.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Says whether everything was printed.
    ///
    /// # Errors
    ///
    /// [`CliError`] if standard output failed, unless its reader had merely seen enough.
    pub fn finish(&self) -> Result<(), CliError> {
        match self.failure.borrow().as_ref() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::internal(
                format!("the result could not be printed: {error}"),
            )),
            _ => Ok(()),
        }
    }

    fn print<T: Serialize + ?Sized>(&self, value: &T, human: impl FnOnce() -> String) {
        if !self.json {
            return self.write(&human());
        }
        match serde_json::to_string(value) {
            Ok(text) => self.write(&text),
            Err(error) => self.fail(error.into()),
        }
    }

    fn write(&self, text: &str) {
        if self.is_closed() {
            return;
        }
        let mut out = io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let written = write!(out, "{text}{end}").and_then(|()| out.flush());
        if let Err(error) = written {
            self.fail(error);
        }
    }

    fn fail(&self, error: io::Error) {
        self.failure.borrow_mut().get_or_insert(error);
    }
}
