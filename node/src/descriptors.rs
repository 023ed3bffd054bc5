//! How many files and sockets this process may have open: enough for all that is bounded
//! elsewhere, so that a crowd of clients never leaves the database without a file.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::api::CONNECTIONS_MAX;
use crate::store::OPEN_FILES_MAX;

/// Sockets of the mesh, log files, the runtime's own: generously.
const OTHERS: u64 = 512;

/// The limit on open files is too low and cannot be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "at most {allowed} open files are allowed here, the node needs {needed}; \
     raise the hard limit (ulimit -Hn, LimitNOFILE= in systemd, --ulimit nofile in Docker)"
)]
pub struct TooFewDescriptors {
    /// The hard limit.
    pub allowed: u64,
    /// What the node needs.
    pub needed: u64,
}

/// How many the node needs.
#[must_use]
pub const fn needed() -> u64 {
    CONNECTIONS_MAX as u64 + OPEN_FILES_MAX as u64 + OTHERS
}

/// Raises this process's own limit to what the node needs.
///
/// # Errors
///
/// [`TooFewDescriptors`] if the system does not allow it.
pub fn allow_enough() -> Result<(), TooFewDescriptors> {
    let needed = needed();
    let mut limit = getrlimit(Resource::Nofile);
    // No limit at all is `None`.
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    let too_few = TooFewDescriptors { allowed, needed };
    if allowed < needed {
        return Err(too_few);
    }
    limit.current = Some(needed);
    setrlimit(Resource::Nofile, limit).map_err(|_| too_few)
}
