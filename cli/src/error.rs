//! What goes wrong, with the exit code that scripts branch on.

use std::fmt::Display;
use std::path::Path;

use jangbu_genesis::ceremony::CeremonyError;
use jangbu_genesis::keystore::KeystoreError;
use jangbu_ledger::json::JsonError;
use serde::Serialize;

/// Exit codes, fixed for ever. `verify` alone gives 3, 4 and 5 meanings of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A bug of this program, or a machine that fails it.
    Internal = 1,
    /// Wrong usage or a bad input file.
    Input = 2,
    /// Refused by the ledger's rules.
    Refused = 3,
    /// No node could be reached; nothing was sent.
    Unreachable = 4,
    /// Sent, and it is not known what became of it. Safe to run again.
    Unknown = 5,
    /// The ledger does not accept the signature or its key.
    Unauthorised = 6,
}

impl Code {
    /// The process's exit code.
    #[must_use]
    pub const fn exit(self) -> u8 {
        self as u8
    }
}

/// One error: what was wrong and where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// What scripts branch on.
    pub code: Code,
    /// What was wrong, and where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The envelope or statement it is about.
    pub id: Option<String>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
}

/// An error as programs read it.
#[derive(Serialize)]
struct Json<'a> {
    code: u8,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    retryable: bool,
}

impl CliError {
    /// An error with this code.
    #[must_use]
    pub fn new(code: Code, message: impl Display) -> Self {
        Self {
            code,
            message: message.to_string(),
            hint: None,
            id: None,
            retryable: matches!(code, Code::Unreachable | Code::Unknown),
        }
    }

    /// A bug, or a machine that fails us.
    #[must_use]
    pub fn internal(message: impl Display) -> Self {
        Self::new(Code::Internal, message)
    }

    /// Wrong usage or a bad file.
    #[must_use]
    pub fn input(message: impl Display) -> Self {
        Self::new(Code::Input, message)
    }

    /// Refused by the ledger's rules.
    #[must_use]
    pub fn refused(message: impl Display) -> Self {
        Self::new(Code::Refused, message)
    }

    /// No node could be reached.
    #[must_use]
    pub fn unreachable(message: impl Display) -> Self {
        Self::new(Code::Unreachable, message)
    }

    /// It is not known what became of it.
    #[must_use]
    pub fn unknown(message: impl Display) -> Self {
        Self::new(Code::Unknown, message)
    }

    /// The ledger does not accept the signature or its key.
    #[must_use]
    pub fn unauthorised(message: impl Display) -> Self {
        Self::new(Code::Unauthorised, message)
    }

    /// A file that cannot be used: bad input, with the file's name in front.
    #[must_use]
    pub fn file(path: &Path, reason: impl Display) -> Self {
        Self::input(format!("{}: {reason}", path.display()))
    }

    /// A file that could not be read or written. A full disk is the machine's failure, a missing
    /// file the user's.
    #[must_use]
    pub fn io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
                Self::internal(format!("{}: there is no room on the disk", path.display()))
                    .hint("make room and run the same command again")
            }
            Kind::NotFound => Self::file(path, "there is no such file or directory"),
            Kind::PermissionDenied => Self::file(path, "permission denied"),
            _ => Self::file(path, error),
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Names the envelope or statement.
    #[must_use]
    pub fn about(mut self, id: impl Display) -> Self {
        self.id = Some(id.to_string());
        self
    }

    /// The error as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = Json {
            code: self.code.exit(),
            message: &self.message,
            hint: self.hint.as_deref(),
            id: self.id.as_deref(),
            retryable: self.retryable,
        };
        // Strings and numbers always serialise.
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// The error as people read it, one thing a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("error: {}", self.message);
        if let Some(id) = self.id.as_ref().filter(|id| !self.message.contains(*id)) {
            text.push_str(&format!("\n   id: {id}"));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n  try: {hint}"));
        }
        text
    }
}

impl From<KeystoreError> for CliError {
    fn from(error: KeystoreError) -> Self {
        Self::input(error)
    }
}

impl From<JsonError> for CliError {
    fn from(error: JsonError) -> Self {
        Self::input(error)
    }
}

impl From<CeremonyError> for CliError {
    fn from(error: CeremonyError) -> Self {
        Self::input(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_the_same_to_people_and_programs() {
        let error = CliError::unknown("sent, not confirmed")
            .about("e1")
            .hint("run it again");
        assert_eq!(
            error.to_text(),
            "error: sent, not confirmed\n   id: e1\n  try: run it again"
        );
        assert_eq!(
            error.to_json(),
            r#"{"code":5,"message":"sent, not confirmed","hint":"run it again","id":"e1","retryable":true}"#
        );
    }

    #[test]
    fn a_full_disk_is_the_machines_fault_and_a_missing_file_the_users() {
        let at = Path::new("f");
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(CliError::io(at, &full).code, Code::Internal);
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(CliError::io(at, &missing).code, Code::Input);
    }
}
