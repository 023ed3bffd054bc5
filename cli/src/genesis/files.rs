//! Reading and writing the ceremony's files.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use jangbu_genesis::document::{GENESIS_BYTES_MAX, GenesisError};
use jangbu_ledger::id::ChainId;
use serde::Serialize;

use crate::context::{Context, read_bounded};
use crate::error::CliError;

/// What a step of the ceremony answers.
#[derive(Serialize)]
struct Written<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<ChainId>,
    next: &'a str,
}

/// Reads a file; errors name it.
pub(super) fn read<T>(
    file: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, GenesisError>,
) -> Result<T, CliError> {
    parse(&read_bytes(file)?).map_err(|error| CliError::file(file, error))
}

/// The bytes of a file of the ceremony.
pub(super) fn read_bytes(file: &Path) -> Result<Vec<u8>, CliError> {
    read_bounded(file, GENESIS_BYTES_MAX as u64)
}

/// Writes a file whole or not at all, never over another.
pub(super) fn write<T: Serialize>(file: &Path, value: &T) -> Result<(), CliError> {
    use std::os::unix::fs::PermissionsExt as _;
    let text = serde_json::to_string_pretty(value).map_err(CliError::internal)?;
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let io = |error: std::io::Error| CliError::io(file, &error);
    let mut temporary = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(directory)
        .map_err(io)?;
    writeln!(temporary, "{text}").map_err(io)?;
    temporary.as_file().sync_all().map_err(io)?;
    temporary
        .persist_noclobber(file)
        .map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                CliError::file(file, "it exists already and is not overwritten")
                    .hint("remove it, or name another file with -o")
            }
            _ => io(error.error),
        })?;
    Ok(())
}

/// Says what was written and what comes next.
pub(super) fn report(ctx: &Context, file: &Path, chain_id: Option<ChainId>, next: &str) {
    let written = Written {
        file: file.display().to_string(),
        chain_id,
        next,
    };
    ctx.output.report(&written, || {
        let chain = chain_id.map_or(String::new(), |id| format!("\nchain id: {id}"));
        format!("wrote {}{chain}\nnext: {next}", written.file)
    });
}
