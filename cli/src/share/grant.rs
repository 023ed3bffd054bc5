//! Hands a sealed share to an auditor, and reads one that was handed over.
//!
//! ```text
//!   grant: record the step ─▶ final ─▶ stream key, sealed for the auditor ─▶ FILE
//!   audit: FILE ─▶ stream key ─▶ both parties' slots ─▶ judged by the rules ─▶ shown
//! ```
//!
//! The key leaves only after the ledger holds that it was granted.

use std::path::{Path, PathBuf};

use jangbu_ledger::id::StatementId;
use jangbu_ledger::sealed::{GRANT_BYTES_MAX, Grant, Granted};
use jangbu_ledger::share::{Deed, Party};
use serde::Serialize;

use super::stream::{Channel, ShareStream, encryption_key, unusable};
use super::{StepArgs, find, said, show};
use crate::context::{Context, read_bounded};
use crate::error::CliError;
use crate::submit::Status;
use crate::vault::write_atomic;

/// What a grant takes.
#[derive(Debug, clap::Args)]
pub struct GrantArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// Who may read the share from now on, all of it: an auditor, a regulator
    #[arg(long, value_name = "MEMBER")]
    pub to: String,
    /// Where what it reads the share with goes; only that member opens the file
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// What an audit takes.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// What `share grant` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Serialize)]
struct HandedOver<'a> {
    file: &'a Path,
    name: &'a str,
    to: &'a str,
    statement_id: StatementId,
}

/// Records that the share is granted, then writes the file.
///
/// # Errors
///
/// [`CliError`]: input, if there is nothing to grant or nobody to grant it to; as for any step else.
/// No file is written then.
pub(super) fn grant(ctx: &Context, args: &GrantArgs) -> Result<(), CliError> {
    let options = &args.step.options;
    if options.no_wait || options.sign_only.is_some() {
        return Err(CliError::input(
            "the key leaves once the grant is final: neither --no-wait nor --sign-only goes with it",
        ));
    }
    let stream = find(ctx, &args.step.share, None)?;
    let Channel::Sealed(key) = &stream.channel else {
        return Err(CliError::input(format!(
            "everyone reads the share {:?}; only a sealed one is granted",
            stream.name
        )));
    };
    let _ = stream.party()?;
    let to = ctx.member_named(&args.to)?;
    if [Party::Provider, Party::Consumer]
        .map(|party| stream.member_of(party))
        .contains(&to.id())
    {
        return Err(CliError::input(format!(
            "{} is a party of the share {:?} and reads it already",
            to.name, stream.name
        )));
    }
    let recorded = said(
        ctx,
        &stream,
        &args.step,
        Deed::Granted { to: to.id() },
        None,
    )?
    .filter(|outcome| outcome.status == Status::Final)
    .ok_or_else(|| CliError::internal("a grant that is taken is final"))?;
    let granted = Granted {
        key: key.clone(),
        name: stream.name.clone(),
        provider: stream.member_of(Party::Provider),
        consumer: stream.member_of(Party::Consumer),
        recorded: recorded.statement_id,
    };
    let own = (ctx.member()?.id(), ctx.encryption_key()?);
    let grant = Grant::seal(
        &granted,
        ctx.chain_id()?,
        own,
        (to.id(), &encryption_key(to)),
    )
    .ok_or_else(|| unusable(to))?;
    let mut text = serde_json::to_vec(&grant).map_err(CliError::internal)?;
    text.push(b'\n');
    write_atomic(&args.output, &text)?;
    let handed = HandedOver {
        file: &args.output,
        name: &stream.name,
        to: &to.name,
        statement_id: recorded.statement_id,
    };
    ctx.output.report(&handed, || {
        let file = args.output.display();
        format!(
            "granted          {file}, which only {} opens: jangbu share audit {file}",
            to.name
        )
    });
    Ok(())
}

/// Shows a share that was granted to this member.
///
/// # Errors
///
/// [`CliError`]: input, if the file is no grant, of another ledger or for somebody else.
pub(super) fn audit(ctx: &Context, args: &AuditArgs) -> Result<(), CliError> {
    let (stream, recorded) = opened(ctx, &args.file)?;
    show::one(ctx, &stream, Some(recorded))
}

/// The share that a file grants to this member, and the statement that says so.
pub(super) fn opened(ctx: &Context, file: &Path) -> Result<(ShareStream, StatementId), CliError> {
    let bytes = read_bounded(file, GRANT_BYTES_MAX as u64)?;
    let grant = Grant::parse(&bytes).map_err(|error| CliError::file(file, error))?;
    if grant.chain_id != ctx.chain_id()? {
        return Err(CliError::file(file, "the grant is of another ledger")
            .hint("name that ledger's genesis file: --genesis FILE"));
    }
    let own = ctx.member()?;
    let other = match (grant.by, grant.to) {
        (by, to) if to == own.id() => by,
        (by, to) if by == own.id() => to,
        (_, to) => {
            let whom = ctx.anchor()?.name_of(&to);
            return Err(CliError::file(
                file,
                format!("the grant is for {whom}; you speak as {}", own.name),
            ));
        }
    };
    let other = ctx
        .anchor()?
        .member(&other)
        .ok_or_else(|| CliError::file(file, format!("{other} is no member of this consortium")))?;
    let granted = grant
        .open(ctx.encryption_key()?, &encryption_key(other))
        .map_err(|error| CliError::file(file, error))?;
    let recorded = granted.recorded;
    Ok((ShareStream::granted(ctx, granted)?, recorded))
}
