//! `share chunks`: chosen chunks of what was sent, with the proof that they are of it and went into
//! a use.
//!
//! ```text
//!   start on the ledger ─▶ root ◀─ path ◀─ chunk, key     FILE: the delivery, or what was sent plainly
//!   use on the ledger ───────▶ numbers of chunks
//! ```

use std::path::PathBuf;

use jangbu_ledger::content::{CHUNKS_FORMAT, CHUNKS_SHOWN_MAX, ChunkProof, ContentKey, ShownChunk};
use jangbu_ledger::id::{Digest, StatementId};
use jangbu_ledger::share::{Deed, Part, Party, Sealing, Sent};
use serde::Serialize;

use super::delivery::{key_again, shows, unwrapped};
use super::history::{self, History, Step};
use super::step::shown;
use super::stream::ShareStream;
use super::usage::Chunks;
use super::{ShareArgs, chunks, find};
use crate::context::Context;
use crate::error::CliError;
use crate::vault::write_atomic;
use crate::view::table;

/// Arguments of `share chunks`.
#[derive(Debug, clap::Args)]
pub struct ChunksArgs {
    /// Which share.
    #[command(flatten)]
    pub share: ShareArgs,
    /// What was sent: the delivery, or the file itself if it was sent plainly
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which chunks, of 64 KiB: 0-3,7
    #[arg(long, value_name = "LIST")]
    pub chunks: Chunks,
    /// Show that they went into this use as well
    #[arg(long = "use", value_name = "STATEMENT")]
    pub used: Option<StatementId>,
    /// Where to write the proof
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written<'a> {
    file: &'a PathBuf,
    root: Digest,
    provider: &'a str,
    chunks: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<StatementId>,
}

/// Writes the proof, once it holds.
pub(super) fn run(ctx: &Context, args: &ChunksArgs) -> Result<(), CliError> {
    let stream = find(ctx, &args.share, None)?;
    let history = history::read(ctx, &stream)?;
    let used = args.used.map(|id| shows(ctx, &stream, id)).transpose()?;
    let wanted = args.chunks.numbers(CHUNKS_SHOWN_MAX).ok_or_else(|| {
        CliError::input(format!(
            "--chunks: one proof shows at most {CHUNKS_SHOWN_MAX} chunks, in order, each once"
        ))
        .hint("write several proofs")
    })?;
    let (start, sent) = started(&stream, &history, args)?;
    let (bytes, shown_chunks) = match &sent.sealing {
        None => {
            let (bytes, shown) = chunks::plain(ctx, &args.file, &sent.root, &wanted)?;
            (Some(bytes), shown)
        }
        Some(sealing) => {
            let key = content_key(ctx, &stream, &history, (start, sent, sealing))?;
            let records = chunks::records(ctx, &args.file, sealing, &sent.root, &wanted)?;
            let shown = records.into_iter().map(|record| ShownChunk {
                key: Some(Digest(*key.chunk(record.index).expose())),
                index: record.index,
                bytes: record.bytes,
                path: record.path,
            });
            (None, shown.collect())
        }
    };
    let proof = ChunkProof {
        format: CHUNKS_FORMAT.to_owned(),
        started: shows(ctx, &stream, start.statement_id)?,
        used,
        bytes,
        chunks: shown_chunks,
    };
    let proved = proof
        .verify(&ctx.anchor()?.verifier())
        .map_err(CliError::refused)?;
    let mut text = serde_json::to_vec(&proof).map_err(CliError::internal)?;
    text.push(b'\n');
    write_atomic(&args.output, &text)?;
    let written = Written {
        file: &args.output,
        root: proved.root,
        provider: &proved.member_name,
        chunks: proved.chunks.iter().map(|chunk| chunk.index).collect(),
        used: args.used,
    };
    ctx.output.object(&written, || in_words(&written));
    Ok(())
}

fn in_words(written: &Written<'_>) -> String {
    let chunks: Vec<String> = written.chunks.iter().map(u64::to_string).collect();
    let mut rows = vec![
        ("proof", written.file.display().to_string()),
        (
            "shows",
            format!(
                "chunks {} of what {} sent, root {}",
                chunks.join(", "),
                written.provider,
                written.root
            ),
        ),
    ];
    if let Some(used) = written.used {
        rows.push(("used in", used.to_string()));
    }
    rows.push((
        "verify",
        format!(
            "jangbu verify {} --genesis genesis.json   (needs no network)",
            written.file.display()
        ),
    ));
    table(&rows)
}

/// The start that named the root: that of the use, if one is to be shown, else the last.
fn started<'h>(
    stream: &ShareStream,
    history: &'h History,
    args: &ChunksArgs,
) -> Result<(&'h Step, &'h Sent), CliError> {
    let parts: Vec<&Part> = match args.used {
        None => Vec::new(),
        Some(id) => {
            let mut steps = history.steps.iter();
            let found = steps.find(|step| step.statement_id == id);
            match found.and_then(|step| step.deed.as_ref()) {
                Some(Deed::Used(usage)) => {
                    let inputs = usage.inputs.iter();
                    inputs.filter_map(|input| input.part.as_ref()).collect()
                }
                // Of another share: its parts are compared when the proof is verified.
                _ => Vec::new(),
            }
        }
    };
    let counting = history.steps.iter().filter(|step| step.broken.is_none());
    let starts = counting.filter_map(|step| match &step.deed {
        Some(Deed::TransferStarted { sent: Some(sent) }) => Some((step, sent)),
        _ => None,
    });
    let of_use = |sent: &Sent| parts.iter().any(|part| part.root == sent.root);
    let mut starts: Vec<_> = starts.collect();
    if starts.iter().any(|(_, sent)| of_use(sent)) {
        starts.retain(|(_, sent)| of_use(sent));
    }
    starts.pop().ok_or_else(|| {
        CliError::refused(format!(
            "share.root: nothing was sent in the share {:?}",
            stream.name
        ))
        .hint(format!("jangbu share show {}", shown(&stream.name)))
    })
}

/// The key of a delivery: the provider makes it again, the consumer was given it.
fn content_key(
    ctx: &Context,
    stream: &ShareStream,
    history: &History,
    (start, sent, sealing): (&Step, &Sent, &Sealing),
) -> Result<ContentKey, CliError> {
    if stream.party()? == Party::Provider {
        return key_again(ctx, stream, start.statement_id);
    }
    // The release that followed this start, before another start took its place.
    let after = history
        .steps
        .iter()
        .filter(|step| step.broken.is_none() && step.sequence > start.sequence);
    let restarted =
        |step: &&Step| !matches!(step.deed, Some(Deed::TransferStarted { sent: Some(_) }));
    let released = after
        .take_while(restarted)
        .find_map(|step| match &step.deed {
            Some(Deed::KeyReleased { wrapped }) => Some(wrapped),
            _ => None,
        });
    let wrapped = released.ok_or_else(|| {
        CliError::refused("share.key: its key was not released yet").hint(format!(
            "the provider's next step: jangbu share release {}",
            shown(&stream.name)
        ))
    })?;
    unwrapped(ctx, stream, (&sent.root, sealing), wrapped)
}
