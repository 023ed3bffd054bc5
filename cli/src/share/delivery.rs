//! A fair receipt for a file: the consumer says that it has the ciphertext before it gets the key,
//! and whoever sends a wrong chunk is convicted by it.
//!
//! ```text
//!   start FILE      content ─▶ delivery file ─▶ roots on the ledger      file: by any channel
//!   receive FILE    roots alike, key promised ─▶ Received
//!   release         content key, wrapped for the consumer ─▶ KeyReleased
//!   complete FILE   decrypted and as promised ─▶ Confirmed, TransferCompleted
//!                   or not ─▶ a proof against the provider, Rejected
//! ```

use std::path::{Path, PathBuf};

use jangbu_ledger::bundle;
use jangbu_ledger::content::{
    ContentKey, Fault, REJECTION_FORMAT, RecordFault, RejectionProof, Shows, WrappingKey,
};
use jangbu_ledger::id::{Digest, StatementId};
use jangbu_ledger::rules::Rule;
use jangbu_ledger::share::{Deed, Delivery, Party, Rejection, Sealing, Sent, Step, Transfer};
use jangbu_ledger::statement::Kind;
use serde_json::{Value, json};

use super::history::{self, History};
use super::step::shown;
use super::stream::{Channel, ShareStream, encryption_key, unusable};
use super::{DataArgs, FileArgs, ReceiveArgs, ReleaseArgs, StepArgs, chunks, find, root_of, said};
use crate::context::Context;
use crate::error::CliError;
use crate::prove;
use crate::vault::write_atomic;

/// The section of a start's document that the key is found by again.
pub(super) const SECTION: &str = "delivery";

/// What the provider started, and what is known of it.
struct Started {
    id: StatementId,
    sent: Sent,
    sealing: Sealing,
    /// The wrapped key, once it is released.
    released: Option<(StatementId, jangbu_ledger::share::WrappedKey)>,
}

impl Started {
    /// The delivery that stands, if its key is to be released on the ledger.
    fn of(history: &History) -> Option<Self> {
        let begins = |deed: &Deed| matches!(deed, Deed::TransferStarted { sent: Some(_) });
        let step = history.last(begins)?;
        let Some(Deed::TransferStarted { sent: Some(sent) }) = &step.deed else {
            return None;
        };
        let release = history
            .last(|deed| matches!(deed, Deed::KeyReleased { .. }))
            .filter(|release| release.sequence > step.sequence);
        let released = release.and_then(|release| match &release.deed {
            Some(Deed::KeyReleased { wrapped }) => Some((release.statement_id, *wrapped)),
            _ => None,
        });
        Some(Self {
            id: step.statement_id,
            sealing: sent.sealing.clone()?,
            sent: sent.clone(),
            released,
        })
    }

    fn find(stream: &ShareStream, history: &History) -> Result<Self, CliError> {
        Self::of(history).ok_or_else(|| {
            CliError::refused(format!(
                "share.key: nothing encrypted was started in the share {:?}",
                stream.name
            ))
            .hint(format!("jangbu share show {}", shown(&stream.name)))
        })
    }
}

/// Encrypts the file, writes the delivery, says what is sent.
pub(super) fn start(ctx: &Context, args: &DataArgs, file: &Path) -> Result<(), CliError> {
    let stream = find(ctx, &args.step.share, None)?;
    is_party(&stream, Party::Provider)?;
    may_start(ctx, &stream, &args.step)?;
    let to = args.to.clone().unwrap_or_else(|| beside(file, "delivery"));
    let hashed = chunks::hash(ctx, file)?;
    let subject = stream.subject().subject_id();
    let key = ContentKey::derive(ctx.vault_secret()?.expose(), &subject, &hashed.0);
    let roots = chunks::encrypt(ctx, file, hashed, &key, Some(&to))?;
    let sealing = Sealing {
        content_root: roots.content_root,
        wrap: wrapping_key(ctx, &stream, &roots.root)?.hash(),
        bytes: hashed.1,
    };
    let section = json!({
        "blake3": hashed.0,
        "bytes": hashed.1,
        "key_check": key.chunk(0).hash(),
    });
    let deed = Deed::TransferStarted {
        sent: Some(Sent {
            root: roots.root,
            sealing: Some(sealing),
        }),
    };
    said(ctx, &stream, &args.step, deed, Some(section))?;
    ctx.output.note(&format!(
        "hand {} over by any channel; nobody reads it without the key",
        to.display()
    ));
    Ok(())
}

/// Refuses what the tables refuse before a large file is encrypted. A start that was said before
/// is found again by its content.
fn may_start(ctx: &Context, stream: &ShareStream, args: &StepArgs) -> Result<(), CliError> {
    let history = history::read(ctx, stream)?;
    let own = stream.member_of(Party::Provider);
    let before = history.steps.iter().any(|step| {
        let starts = matches!(step.deed, Some(Deed::TransferStarted { .. }));
        starts && step.member == own && step.occurrence == args.occurrence
    });
    // What is sent is not known yet; that it is missing is no reason.
    let some = Deed::TransferStarted { sent: None };
    match history.share.after(Party::Provider, &some) {
        Err(error) if !before && error.rule() != Rule::ShareRoot => {
            Err(CliError::refused(format!("{error}; nothing was sent"))
                .hint(format!("jangbu share show {}", shown(&stream.name))))
        }
        _ => Ok(()),
    }
}

/// Checks what arrived, and says that it did.
pub(super) fn receive(ctx: &Context, args: &ReceiveArgs) -> Result<(), CliError> {
    let stream = find(ctx, &args.step.share, Some(Step::Received))?;
    let root = match (&args.file, args.root) {
        (None, Some(root)) => root,
        (None, None) => {
            return Err(CliError::input("what arrived?").hint("name it: FILE, or --root HEX"));
        }
        (Some(file), _) => match Started::of(&history::read(ctx, &stream)?) {
            None => root_of(file)?,
            Some(started) => arrived(ctx, &stream, &started, file)?,
        },
    };
    said(ctx, &stream, &args.step, Deed::Received { root }, None).map(|_| ())
}

/// The root of a delivery that can be received: its content is the one started with, and the
/// wrapping key is the one that both parties derive, so that a wrong release can be shown.
fn arrived(
    ctx: &Context,
    stream: &ShareStream,
    started: &Started,
    file: &Path,
) -> Result<Digest, CliError> {
    let roots = chunks::inspect(ctx, file, started.sealing.bytes)?;
    let unfit = |what: &str| {
        CliError::refused(format!("{what}; nothing was sent")).hint(format!(
            "do not receive it: jangbu share reject {} --reason unfit",
            shown(&stream.name)
        ))
    };
    if roots.root != started.sent.root {
        let root = roots.root;
        return Err(CliError::refused(format!(
            "share.root: {} has the root {root}, not the one that was started; nothing was sent",
            file.display()
        ))
        .hint(format!(
            "ask for the file again, or: jangbu share reject {} --reason differs --root {root}",
            shown(&stream.name)
        )));
    }
    if roots.content_root != started.sealing.content_root {
        return Err(unfit(
            "the delivery's chunks are not those of the content that the provider committed to",
        ));
    }
    if wrapping_key(ctx, stream, &roots.root)?.hash() != started.sealing.wrap {
        return Err(unfit(
            "the provider committed to another wrapping key than the two of you derive, so that a \
             wrong key could not be shown to anyone",
        ));
    }
    Ok(roots.root)
}

/// Gives the consumer the key of what it received.
pub(super) fn release(ctx: &Context, args: &ReleaseArgs) -> Result<(), CliError> {
    let stream = find(ctx, &args.step.share, Some(Step::KeyReleased))?;
    let history = history::read(ctx, &stream)?;
    let started = Started::find(&stream, &history)?;
    let key = match &args.file {
        Some(file) => key_of(ctx, &stream, &started, file)?,
        None => key_again(ctx, &stream, started.id)?,
    };
    let wrapped = wrapping_key(ctx, &stream, &started.sent.root)?
        .wrap(&key)
        .ok_or_else(|| CliError::internal("the key could not be wrapped"))?;
    said(
        ctx,
        &stream,
        &args.step,
        Deed::KeyReleased { wrapped },
        None,
    )
    .map(|_| ())
}

/// The key of a delivery, from the content itself; it must be the content that was started.
fn key_of(
    ctx: &Context,
    stream: &ShareStream,
    started: &Started,
    file: &Path,
) -> Result<ContentKey, CliError> {
    let hashed = chunks::hash(ctx, file)?;
    let subject = stream.subject().subject_id();
    let key = ContentKey::derive(ctx.vault_secret()?.expose(), &subject, &hashed.0);
    let roots = chunks::encrypt(ctx, file, hashed, &key, None)?;
    if roots.root == started.sent.root {
        Ok(key)
    } else {
        Err(CliError::file(
            file,
            "it is not the content that was started; nothing was released",
        ))
    }
}

/// The key of a delivery, from what the vault keeps of its start.
pub(super) fn key_again(
    ctx: &Context,
    stream: &ShareStream,
    start: StatementId,
) -> Result<ContentKey, CliError> {
    let lost = |what: &str| {
        CliError::input(format!("{what}; nothing was released or shown"))
            .hint("jangbu share release takes the content itself: --file FILE")
            .about(start)
    };
    let opening = ctx
        .opening(&start)?
        .ok_or_else(|| lost("the vault does not know what was started"))?;
    let section = opening.sections.get(SECTION).unwrap_or(&Value::Null);
    let read = |name: &str| -> Option<Digest> { section[name].as_str()?.parse().ok() };
    let (Some(content), Some(check)) = (read("blake3"), read("key_check")) else {
        return Err(lost(
            "the vault does not know the content of what was started",
        ));
    };
    let subject = stream.subject().subject_id();
    let key = ContentKey::derive(ctx.vault_secret()?.expose(), &subject, &content);
    if key.chunk(0).hash() == check {
        Ok(key)
    } else {
        Err(lost(
            "the vault's secret is another than when the transfer was started",
        ))
    }
}

/// The key of a delivery, from what the provider released.
pub(super) fn unwrapped(
    ctx: &Context,
    stream: &ShareStream,
    (root, sealing): (&Digest, &Sealing),
    released: &jangbu_ledger::share::WrappedKey,
) -> Result<ContentKey, CliError> {
    let wrapping = wrapping_key(ctx, stream, root)?;
    let key = (wrapping.hash() == sealing.wrap).then(|| wrapping.unwrap(released));
    key.flatten().ok_or_else(|| {
        CliError::refused("share.key: what was released as its key opens nothing").hint(format!(
            "jangbu share complete {} FILE --to FILE rejects it",
            shown(&stream.name)
        ))
    })
}

/// Decrypts what was received: confirmed, or rejected with a proof; then complete, if asked.
pub(super) fn finish(ctx: &Context, args: &FileArgs, completes: bool) -> Result<(), CliError> {
    let step = (!completes).then_some(Step::Confirmed);
    let stream = find(ctx, &args.step.share, step)?;
    let history = history::read(ctx, &stream)?;
    match &args.file {
        Some(file) => {
            is_party(&stream, Party::Consumer)?;
            let started = Started::find(&stream, &history)?;
            if let Some((reason, proof)) = opened(ctx, args, &stream, &started, file)? {
                return rejected(ctx, args, &stream, file, (reason, proof));
            }
            said(ctx, &stream, &args.step, Deed::Confirmed, None)?;
        }
        None if !completes => {
            if history.share.sealing().is_some() {
                return Err(CliError::input("what was received is encrypted")
                    .hint("name it, and where its content goes: FILE --to FILE"));
            }
            return said(ctx, &stream, &args.step, Deed::Confirmed, None).map(|_| ());
        }
        None => {
            let open = matches!(history.share.stand.delivery, Delivery::Released)
                && stream.role == Some(Party::Consumer);
            if open {
                ctx.output
                    .note("nothing is confirmed yet: name what was received, FILE --to FILE");
            }
        }
    }
    let over = history.share.stand.transfer == Transfer::Completed;
    if !completes || (over && args.file.is_some()) {
        return Ok(());
    }
    said(ctx, &stream, &args.step, Deed::TransferCompleted, None).map(|_| ())
}

/// Opens the delivery: what is wrong with it, if something is, and what shows that to others.
fn opened(
    ctx: &Context,
    args: &FileArgs,
    stream: &ShareStream,
    started: &Started,
    file: &Path,
) -> Result<Option<(Rejection, Option<RejectionProof>)>, CliError> {
    let Some((release, wrapped)) = &started.released else {
        return Err(
            CliError::refused("share.key: its key was not released yet").hint(format!(
                "the provider's next step: jangbu share release {}",
                shown(&stream.name)
            )),
        );
    };
    let to = args.to.as_ref().ok_or_else(|| {
        CliError::input("where does the content go?").hint("name a file: --to FILE")
    })?;
    let wrapping = wrapping_key(ctx, stream, &started.sent.root)?;
    let Some(key) = wrapping.unwrap(wrapped) else {
        return Ok(Some((Rejection::WrongKey, None)));
    };
    let (sealing, root) = (&started.sealing, started.sent.root);
    let Some((index, fault)) = chunks::decrypt(ctx, file, sealing, root, &key, to)? else {
        return Ok(None);
    };
    let record = chunks::record(ctx, file, sealing.bytes, index)?;
    let (reason, fault) = if fault == RecordFault::Key {
        let released = Box::new(shows(ctx, stream, *release)?);
        let wrapping_key = Digest(*wrapping.expose());
        let fault = Fault::WrongKey {
            released,
            wrapping_key,
            record,
        };
        (Rejection::WrongKey, fault)
    } else {
        let key = Digest(*key.chunk(index).expose());
        let fault = Fault::WrongChunk { record, key };
        (Rejection::WrongChunk { index }, fault)
    };
    let proof = RejectionProof {
        format: REJECTION_FORMAT.to_owned(),
        started: shows(ctx, stream, started.id)?,
        fault,
    };
    Ok(Some((reason, Some(proof))))
}

/// Writes the proof, says that the delivery is rejected, and ends in error.
fn rejected(
    ctx: &Context,
    args: &FileArgs,
    stream: &ShareStream,
    file: &Path,
    (reason, proof): (Rejection, Option<RejectionProof>),
) -> Result<(), CliError> {
    let Some(proof) = &proof else {
        said(ctx, stream, &args.step, Deed::Rejected { reason }, None)?;
        return Err(CliError::refused(
            "what was released as a key opens nothing; the delivery is rejected",
        )
        .hint("there is no proof of this for others: what opens nothing could be of anything"));
    };
    let convicted = proof
        .verify(&ctx.anchor()?.verifier())
        .map_err(CliError::internal)?;
    let path = args
        .proof
        .clone()
        .unwrap_or_else(|| beside(file, "rejection.json"));
    let mut text = serde_json::to_vec_pretty(proof).map_err(CliError::internal)?;
    text.push(b'\n');
    write_atomic(&path, &text)?;
    said(ctx, stream, &args.step, Deed::Rejected { reason }, None)?;
    Err(CliError::refused(format!(
        "{} sent what it did not commit to: {}; the delivery is rejected",
        convicted.member_name, convicted.fault
    ))
    .hint(format!(
        "{} proves it to anyone: jangbu verify {}",
        path.display(),
        path.display()
    )))
}

/// A recorded statement of the share as a stranger can check it.
pub(super) fn shows(
    ctx: &Context,
    stream: &ShareStream,
    id: StatementId,
) -> Result<Shows, CliError> {
    let bundle = prove::recorded(ctx, id)?;
    let report = bundle::verify(&bundle, &ctx.anchor()?.verifier()).map_err(|failure| {
        CliError::unreachable(format!("the node's proof does not hold: {failure}"))
    })?;
    let said = report.statements.first().map(|said| &said.statement);
    let shown = match (
        &stream.channel,
        said.filter(|said| said.kind == Kind::Sealed),
    ) {
        (Channel::Sealed(key), Some(said)) => Some(key.show(said).map_err(|error| {
            CliError::input(format!("it is of another share: {error}")).about(id)
        })?),
        _ => None,
    };
    Ok(Shows { bundle, shown })
}

/// The key that the content key of a delivery is wrapped in.
fn wrapping_key(
    ctx: &Context,
    stream: &ShareStream,
    root: &Digest,
) -> Result<WrappingKey, CliError> {
    let role = stream.party()?;
    let other = ctx.member_named(stream.name_of(role.other()))?;
    let subject = stream.subject().subject_id();
    WrappingKey::agree(
        ctx.encryption_key()?,
        &encryption_key(other),
        &subject,
        root,
    )
    .ok_or_else(|| unusable(other))
}

fn is_party(stream: &ShareStream, party: Party) -> Result<(), CliError> {
    if stream.party()? == party {
        return Ok(());
    }
    Err(CliError::refused(format!(
        "share.party: this is the {}'s step of the share {:?}",
        party.name(),
        stream.name
    )))
}

/// A file's name with one more ending.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
