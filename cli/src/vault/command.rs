//! `jangbu vault`: copies of the vault and of its secret, and what is missing from it.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jangbu_genesis::key_file::{KdfParams, Purpose};
use jangbu_ledger::id::StatementId;
use serde::Serialize;

use super::archive::{ArchiveError, ArchiveFailed, Reader, Writer};
use super::contents::{Content, OpenVault, Standing, text_of};
use super::name::Name;
use super::secret::{self, SECRET_BYTES_MAX};
use super::store::{NewFile, write_each, write_new};
use super::{Vault, check};
use crate::context::{Context, read_bounded};
use crate::disclose;
use crate::error::CliError;
use crate::key;
use crate::view::table;

/// Files that are imported at a time, and about how many bytes of them.
const BATCH_FILES: usize = 256;
const BATCH_BYTES: usize = 64 * 1024 * 1024;
/// Conflicts that are named.
const CONFLICTS_NAMED: usize = 20;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy what opens your statements, and your data shares' keys, into one encrypted file
    Export(NewFileArg),
    /// Bring back what an export holds: all of it or nothing; what the vault has stays
    Import {
        /// What `vault export` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Name every statement of yours that the vault does not open
    #[command(
        after_help = "Exit codes: 0 the vault opens them all · 3 it does not open those that are \
        named · 2, 4 it could not be checked"
    )]
    Check,
    /// Write what opens one statement, in the clear: for `verify --document`, whole
    Opening {
        /// The statement
        #[arg(value_name = "STATEMENT")]
        statement: StatementId,
        /// The file.
        #[command(flatten)]
        to: NewFileArg,
    },
    /// Back up the one secret that the vault and its exports are encrypted with
    #[command(subcommand)]
    Secret(SecretCommand),
}

/// What to do with the vault's secret.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Write it, in the clear, into a file that only you may read
    Export(NewFileArg),
    /// Make the keystore's vault key of it, locked by the passphrase
    Import {
        /// What `vault secret export` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// A file that is made.
#[derive(Debug, clap::Args)]
pub struct NewFileArg {
    /// Where to write it; a file that is there is never overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What an export holds.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    file: &'a Path,
    openings: usize,
    streams: usize,
    bytes: u64,
}

/// What an import brought.
#[derive(Debug, Default, Serialize)]
struct Imported<'a> {
    file: Option<&'a Path>,
    /// Openings the vault did not have.
    openings: usize,
    /// Data shares the vault did not have.
    streams: usize,
    /// What the vault had already.
    kept: usize,
}

#[derive(Debug, Serialize)]
struct OpeningReport<'a> {
    file: &'a Path,
    statement: &'a StatementId,
}

#[derive(Debug, Serialize)]
struct SecretReport<'a> {
    file: &'a Path,
    /// Whether a key file was made; none is, if the keystore has this secret already.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<bool>,
}

/// Does it, and gives the exit code.
///
/// # Errors
///
/// [`CliError`]: input, naming the file, if it cannot be used; nothing was changed then.
pub fn run(command: Command, ctx: &Context) -> Result<ExitCode, CliError> {
    match command {
        Command::Export(to) => export(&to.file, ctx),
        Command::Import { file } => import(&file, ctx),
        Command::Opening { statement, to } => opening(&statement, &to.file, ctx),
        Command::Secret(SecretCommand::Export(to)) => export_secret(&to.file, ctx),
        Command::Secret(SecretCommand::Import { file }) => import_secret(&file, ctx),
        Command::Check => return check::run(ctx),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn export(file: &Path, ctx: &Context) -> Result<(), CliError> {
    if file.exists() {
        return Err(exists(file));
    }
    let vault = ctx.vault()?;
    let names = names(vault)?;
    if names.is_empty() {
        return Err(CliError::file(
            vault.directory(),
            "there is nothing in this vault; no export was written",
        )
        .hint("name the vault: --vault DIR or --home DIR"));
    }
    let open = ctx.open_vault()?;
    let mut out = NewFile::create(file)?;
    let exported = write(file, &open, &names, &mut out).map_err(|failed| failed.at(file))?;
    if !out.keep()? {
        return Err(exists(file));
    }
    ctx.output.report(&exported, || {
        table(&[
            ("exported", file.display().to_string()),
            ("openings", exported.openings.to_string()),
            ("data shares", exported.streams.to_string()),
            ("bytes", exported.bytes.to_string()),
        ])
    });
    ctx.output.note(
        "it opens with this vault's secret only: keep a copy of that elsewhere, with `jangbu vault \
         secret export FILE`",
    );
    Ok(())
}

/// What the vault's encrypted files are called.
fn names(vault: &Vault) -> Result<Vec<Name>, CliError> {
    let openings = vault.openings()?.into_iter().map(Name::Opening);
    let streams = vault.streams()?.into_iter().map(Name::Stream);
    Ok(openings.chain(streams).collect())
}

fn write<'f>(
    file: &'f Path,
    open: &OpenVault<'_>,
    names: &[Name],
    out: &mut NewFile<'_>,
) -> Result<Exported<'f>, ArchiveFailed> {
    let mut writer = Writer::new(open.secret, out)?;
    let (mut openings, mut streams) = (0, 0);
    for name in names {
        // Gone meanwhile: its owner erased it.
        let Some(content) = open.read(name)? else {
            continue;
        };
        writer.add(name, &content)?;
        *match name {
            Name::Opening(_) => &mut openings,
            Name::Stream(_) => &mut streams,
        } += 1;
    }
    let (bytes, _) = writer.finish()?;
    Ok(Exported {
        file,
        openings,
        streams,
        bytes,
    })
}

fn import(file: &Path, ctx: &Context) -> Result<(), CliError> {
    let input = fs::File::open(file).map_err(|error| CliError::io(file, &error))?;
    let open = ctx.open_vault()?;
    let unusable = |error: ArchiveError| error.at(file);
    let mut reader = Reader::open(open.secret, BufReader::new(input)).map_err(unusable)?;
    refuse_conflicts(file, &open, &mut reader)?;
    reader.rewind().map_err(unusable)?;
    let mut imported = Imported {
        file: Some(file),
        ..Imported::default()
    };
    loop {
        let (mut batch, mut bytes): (Vec<Content>, usize) = (Vec::new(), 0);
        while batch.len() < BATCH_FILES && bytes < BATCH_BYTES {
            let Some((name, content)) = reader.next().map_err(unusable)? else {
                break;
            };
            if open.vault.has(&name) {
                imported.kept += 1;
                continue;
            }
            match name {
                Name::Opening(_) => imported.openings += 1,
                Name::Stream(_) => imported.streams += 1,
            }
            bytes += content.len();
            batch.push((name, content));
        }
        if batch.is_empty() {
            break;
        }
        write_each(open.vault.directory(), &batch, |(name, content)| {
            if open.write_new(name, content)? {
                return Ok(true);
            }
            match open.standing(name, content) {
                Standing::Conflict(reason) => Err(CliError::input(reason)),
                _ => Ok(false),
            }
        })?;
    }
    ctx.output.report(&imported, || {
        table(&[
            ("imported", file.display().to_string()),
            ("openings", format!("{} new", imported.openings)),
            ("data shares", format!("{} new", imported.streams)),
            ("there before", imported.kept.to_string()),
        ])
    });
    Ok(())
}

/// Reads all of an archive, and refuses it if the vault has something else under one of its names.
fn refuse_conflicts<R: std::io::Read + std::io::Seek>(
    file: &Path,
    open: &OpenVault<'_>,
    reader: &mut Reader<R>,
) -> Result<(), CliError> {
    let mut conflicts = Vec::new();
    let mut hint = None;
    while let Some((name, content)) = reader.next().map_err(|error| error.at(file))? {
        if let Standing::Conflict(reason) = open.standing(&name, &content) {
            hint.get_or_insert_with(|| {
                format!(
                    "to have what {} holds, first move away what the vault has: mv {} elsewhere",
                    file.display(),
                    open.path(&name).display()
                )
            });
            conflicts.push(reason);
        }
    }
    let Some(hint) = hint else {
        return Ok(());
    };
    let more = conflicts.len().saturating_sub(CONFLICTS_NAMED);
    conflicts.truncate(CONFLICTS_NAMED);
    let mut message = format!("nothing was imported: {}", conflicts.join("; "));
    if more > 0 {
        message.push_str(&format!("; and {more} more"));
    }
    Err(CliError::input(message).hint(hint))
}

fn opening(statement: &StatementId, file: &Path, ctx: &Context) -> Result<(), CliError> {
    let text = text_of(&disclose::opening(ctx, statement)?)?;
    if !write_new(file, &text)? {
        return Err(exists(file));
    }
    let report = OpeningReport { file, statement };
    ctx.output.report(&report, || {
        table(&[
            ("opening", file.display().to_string()),
            ("of", statement.to_string()),
        ])
    });
    ctx.output
        .note("whoever has it reads the whole document; to show parts of it: jangbu disclose");
    Ok(())
}

fn export_secret(file: &Path, ctx: &Context) -> Result<(), CliError> {
    let line = secret::line_of(ctx.vault_secret()?);
    if !write_new(file, line.as_bytes())? {
        return Err(exists(file));
    }
    let report = SecretReport { file, made: None };
    ctx.output
        .report(&report, || table(&[("secret", file.display().to_string())]));
    ctx.output.note(
        "whoever has it reads every export and vault of yours: put it where no machine is, and \
         remove the file",
    );
    Ok(())
}

fn import_secret(file: &Path, ctx: &Context) -> Result<(), CliError> {
    let bytes = zeroize::Zeroizing::new(read_bounded(file, SECRET_BYTES_MAX)?);
    let secret = secret::parse(&bytes).map_err(|error| CliError::file(file, error))?;
    let keystore = ctx.keystore()?;
    let made = if keystore.has(Purpose::Vault) {
        if *ctx.vault_secret()? != secret {
            return Err(CliError::file(
                keystore.directory(),
                "it has the vault key of another secret; nothing was changed",
            )
            .hint("name the keystore to bring this secret back to: --keystore DIR"));
        }
        false
    } else {
        let passphrase = key::passphrase_for(ctx, &keystore, &keystore.list()?)?;
        keystore.store(Purpose::Vault, &secret, passphrase, KdfParams::STANDARD)?;
        true
    };
    let report = SecretReport {
        file,
        made: Some(made),
    };
    ctx.output.report(&report, || {
        let state = if made { "new" } else { "there before" };
        let directory = keystore.directory().display();
        table(&[("vault key", format!("{directory}, {state}"))])
    });
    Ok(())
}

fn exists(file: &Path) -> CliError {
    CliError::file(file, "there is a file already; it was not touched")
        .hint("choose another name, or remove it")
}

impl ArchiveError {
    fn at(self, file: &Path) -> CliError {
        let error = match &self {
            Self::Io(error) => return CliError::io(file, error),
            Self::Foreign => {
                CliError::file(file, &self).hint("name what `jangbu vault export` wrote")
            }
            Self::OtherSecret => CliError::file(file, &self)
                .hint("bring its secret back: jangbu vault secret import FILE"),
            _ => CliError::file(file, &self).hint("take another copy of the export"),
        };
        CliError {
            message: format!("{}; nothing was imported", error.message),
            ..error
        }
    }
}

impl ArchiveFailed {
    fn at(self, file: &Path) -> CliError {
        match self {
            Self::Io(error) => CliError::io(file, &error),
            Self::Other(error) => error,
        }
    }
}
