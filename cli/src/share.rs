//! The life of a data share between two members, sealed or in the open.
//!
//! ```text
//!   sealed: own encryption key + the other's ─▶ stream key ─▶ slots of both ─┐
//!   open:   the streams of an identifier ────────────────────────────────────┴▶ history ─▶ judged
//!                                                                                            │
//!   a step: legal? ─▶ the next free slot, or the open stream ─▶ submit ─▶ receipt ◀──────────┘
//! ```
//!
//! Invariants:
//! - a step is judged by the rules of `ledger::share` before anything is sent;
//! - the next free slot is what the ledger says it is, never what was remembered: a crash leaves
//!   no gap, and two processes of one member cannot both get a slot;
//! - the same step with the same document is the same statement, in whichever slot it stands.

mod agreements;
mod chunks;
mod delivery;
mod grant;
mod history;
mod judged;
mod open;
mod show;
mod shown_chunks;
mod step;
mod stream;
mod usage;

use std::fs::File;
use std::path::{Path, PathBuf};

use jangbu_ledger::id::Digest;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Contract, Deed, Party, Rejection, Sent, Step, UseCode};
use serde_json::Value;

use crate::context::Context;
use crate::error::CliError;
use crate::submit::{Outcome, SubmitOptions};

pub(crate) use agreements::{Agreements, RecordedUse};
pub(crate) use judged::steps_that_count;
pub use step::{Taken, take};
pub use stream::{Channel, Named, ShareStream};

/// Data shares with another member: sealed, so that only the two parties can read, list or count them, or
/// in the open.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask for a contract (consumer)
    Request(StepArgs),
    /// Offer a contract (provider)
    Offer(TermsArgs),
    /// Accept the offer (consumer)
    Accept(StepArgs),
    /// Agree (provider)
    Agree(TermsArgs),
    /// Verify the agreement (consumer)
    Verify(StepArgs),
    /// Finalize the contract (provider)
    Finalize(StepArgs),
    /// Ask for the data under the final contract (consumer)
    #[command(name = "request-transfer")]
    RequestTransfer(StepArgs),
    /// Start the transfer: encrypt a file and state what is sent (provider); or start it again
    Start(DataArgs),
    /// State that exactly what was sent arrived (consumer)
    Receive(ReceiveArgs),
    /// Release the key of what was received (provider)
    Release(ReleaseArgs),
    /// Decrypt what was received and state that it is what was promised (consumer)
    Confirm(FileArgs),
    /// State that it is not, or did not arrive (consumer)
    Reject(RejectArgs),
    /// Pause the transfer
    Suspend(StepArgs),
    /// Say that all is sent; with a file, confirm it first
    Complete(FileArgs),
    /// Record what data was used for
    Use(usage::UseArgs),
    /// Show chosen chunks of what was sent, with the proof that they are of it
    Chunks(shown_chunks::ChunksArgs),
    /// End a contract that is in force
    Retire(StepArgs),
    /// Acknowledge that the other party retired the contract
    Acknowledge(StepArgs),
    /// State that all data received was deleted (consumer)
    Delete(StepArgs),
    /// Dispute something; the document says what
    Dispute(StepArgs),
    /// End a dispute
    Resolve(StepArgs),
    /// End the negotiation, or the transfer once the contract is final
    Terminate(StepArgs),
    /// Let an auditor read all of a sealed share, and record that
    Grant(grant::GrantArgs),
    /// Show a sealed share that another member granted to you
    Audit(grant::AuditArgs),
    /// Show what was said, in log order
    Show(ShareArgs),
    /// List the shares this machine knows, and where they stand
    List,
}

/// Which share, and with whom.
#[derive(Debug, clap::Args)]
pub struct ShareArgs {
    /// The share's name, alike for both parties: an agreement's or a negotiation's id
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The other party; needed once, then remembered
    #[arg(long, value_name = "MEMBER")]
    pub with: Option<String>,
    /// Your own role; needed only where the first step does not tell
    #[arg(long = "as", value_name = "ROLE")]
    pub role: Option<Role>,
    /// For everyone to read, and judged by every validator: NAME is an identifier then
    #[arg(long)]
    pub open: bool,
}

/// What every step takes.
#[derive(Debug, clap::Args)]
pub struct StepArgs {
    /// Which share.
    #[command(flatten)]
    pub share: ShareArgs,
    /// JSON document of the step, a Dataspace Protocol message for instance
    #[arg(long, value_name = "FILE")]
    pub document: Option<PathBuf>,
    /// Which repetition of the same step this is: 1 to suspend a second time, and so on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub occurrence: u32,
    /// How to submit.
    #[command(flatten)]
    pub options: SubmitOptions,
}

/// What an offer and an agreement take.
#[derive(Debug, clap::Args)]
pub struct TermsArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// A use that is permitted: ai-training, analytics…; repeatable. None: the document says
    #[arg(long = "permit", value_name = "CODE")]
    pub permits: Vec<UseCode>,
    /// What data it is about: dataset:…, model:…; repeatable. None: the document says
    #[arg(long = "data", value_name = "ID")]
    pub data: Vec<Identifier>,
}

/// What a start takes.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// The content: it is encrypted, and its key released once the consumer received it
    #[arg(value_name = "FILE", conflicts_with_all = ["plain", "root"])]
    pub file: Option<PathBuf>,
    /// Where the encrypted file goes, to be handed over by any channel [default: FILE.delivery]
    #[arg(long, value_name = "FILE", requires = "file")]
    pub to: Option<PathBuf>,
    /// Data that is sent as it is; its BLAKE3 root is stated
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub plain: Option<PathBuf>,
    /// The root of data that is sent by other means
    #[arg(long, value_name = "HEX")]
    pub root: Option<Digest>,
}

/// What a receipt takes.
#[derive(Debug, clap::Args)]
pub struct ReceiveArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// What arrived
    #[arg(value_name = "FILE", conflicts_with = "root")]
    pub file: Option<PathBuf>,
    /// The root of what arrived by other means
    #[arg(long, value_name = "HEX")]
    pub root: Option<Digest>,
}

/// What a release takes.
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// The content itself, if the vault no longer knows what was started
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// What ends a delivery.
#[derive(Debug, clap::Args)]
pub struct FileArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// What was received, if it is encrypted
    #[arg(value_name = "FILE", requires = "to")]
    pub file: Option<PathBuf>,
    /// Where its content goes
    #[arg(long, value_name = "FILE", requires = "file")]
    pub to: Option<PathBuf>,
    /// Where a proof against the provider goes, if a chunk is wrong [default: FILE.rejection.json]
    #[arg(long, value_name = "FILE", requires = "file")]
    pub proof: Option<PathBuf>,
}

/// What a rejection takes.
#[derive(Debug, clap::Args)]
pub struct RejectArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// Why
    #[arg(long, value_name = "REASON")]
    pub reason: Reason,
    /// With --reason differs: the root of what arrived
    #[arg(long, value_name = "HEX", required_if_eq("reason", "differs"))]
    pub root: Option<Digest>,
}

/// Why a consumer rejects; what a file shows by itself is found by `complete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Reason {
    /// What arrived has another root than what was sent
    Differs,
    /// It was received, and its key was not released
    NoKey,
    /// It is not what was agreed on; the document says more
    Unfit,
}

/// Who one is in a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Has the data
    Provider,
    /// Gets the data
    Consumer,
}

impl From<Role> for Party {
    fn from(role: Role) -> Self {
        match role {
            Role::Provider => Self::Provider,
            Role::Consumer => Self::Consumer,
        }
    }
}

/// Takes a step, or shows what was taken.
///
/// # Errors
///
/// [`CliError`]: refused, with the rule's id, if it is not this party's step now; nothing is
/// sent then.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    let (args, deed) = match command {
        Command::Show(share) => return show::one(ctx, &find(ctx, &share, None)?, None),
        Command::Grant(args) => return grant::grant(ctx, &args),
        Command::Audit(args) => return grant::audit(ctx, &args),
        Command::List => return show::all(ctx),
        Command::Terminate(args) => return terminate(ctx, &args),
        Command::Use(args) => return usage::run(ctx, args),
        Command::Chunks(args) => return shown_chunks::run(ctx, &args),
        Command::Receive(args) => return delivery::receive(ctx, &args),
        Command::Release(args) => return delivery::release(ctx, &args),
        Command::Confirm(args) => return delivery::finish(ctx, &args, false),
        Command::Complete(args) => return delivery::finish(ctx, &args, true),
        Command::Start(args) => {
            if let Some(file) = &args.file {
                return delivery::start(ctx, &args, file);
            }
            let root = match &args.plain {
                Some(file) => Some(root_of(file)?),
                None => args.root,
            };
            let sent = root.map(|root| Sent {
                root,
                sealing: None,
            });
            (args.step, Deed::TransferStarted { sent })
        }
        Command::Offer(terms) => (
            terms.step,
            Deed::Offered {
                permits: sorted(terms.permits),
                data: sorted(terms.data),
            },
        ),
        Command::Agree(terms) => (
            terms.step,
            Deed::Agreed {
                permits: sorted(terms.permits),
                data: sorted(terms.data),
            },
        ),
        Command::Reject(args) => {
            let reason = match (args.reason, args.root) {
                (Reason::Differs, Some(root)) => Rejection::Differs { root },
                (Reason::NoKey, _) => Rejection::NoKey,
                _ => Rejection::Unfit,
            };
            (args.step, Deed::Rejected { reason })
        }
        Command::Request(args) => (args, Deed::Requested),
        Command::Accept(args) => (args, Deed::Accepted),
        Command::Verify(args) => (args, Deed::Verified),
        Command::Finalize(args) => (args, Deed::Finalized),
        Command::RequestTransfer(args) => (args, Deed::TransferRequested),
        Command::Suspend(args) => (args, Deed::TransferSuspended),
        Command::Retire(args) => (args, Deed::Retired),
        Command::Acknowledge(args) => (args, Deed::RetirementAcknowledged),
        Command::Delete(args) => (args, Deed::DeletionConfirmed),
        Command::Dispute(args) => (args, Deed::Disputed),
        Command::Resolve(args) => (args, Deed::Resolved),
    };
    let stream = find(ctx, &args.share, Some(deed.step()))?;
    said(ctx, &stream, &args, deed, None).map(|_| ())
}

/// What ends depends on what has begun; once the contract is final only the transfer can end.
fn terminate(ctx: &Context, args: &StepArgs) -> Result<(), CliError> {
    let stream = find(ctx, &args.share, None)?;
    let share = history::read(ctx, &stream)?.share;
    let deed = match share.stand.contract {
        Contract::Finalized
        | Contract::ProviderRetired
        | Contract::ConsumerRetired
        | Contract::Closed => Deed::TransferTerminated,
        _ => Deed::Terminated,
    };
    said(ctx, &stream, args, deed, None).map(|_| ())
}

/// Takes the step and prints what became of it, which is returned. A start's section keeps what finds its key again.
fn said(
    ctx: &Context,
    stream: &ShareStream,
    args: &StepArgs,
    deed: Deed,
    section: Option<Value>,
) -> Result<Option<Outcome>, CliError> {
    let step = deed.step();
    let taken = Taken {
        label: format!("{}: {}", stream.name, step.name()),
        document: step::document(args.document.as_deref(), &stream.name, step)?,
        section: section.map(|section| (delivery::SECTION, section)),
        deed,
        occurrence: args.occurrence,
    };
    let mut last = None;
    take(ctx, stream, &taken, &args.options, &mut |outcome| {
        outcome.print(&ctx.output);
        last = Some(outcome.clone());
    })?;
    Ok(last)
}

fn find(ctx: &Context, args: &ShareArgs, step: Option<Step>) -> Result<ShareStream, CliError> {
    let role = args
        .role
        .map(Party::from)
        .or_else(|| step.and_then(Step::only_by));
    ShareStream::find(
        ctx,
        Named {
            name: &args.name,
            with: args.with.as_deref(),
            role,
            open: args.open,
        },
    )
}

/// The BLAKE3 root of a file's bytes.
fn root_of(file: &Path) -> Result<Digest, CliError> {
    let mut hasher = blake3::Hasher::new();
    File::open(file)
        .and_then(|open| hasher.update_reader(open).map(|_| ()))
        .map_err(|error| CliError::io(file, &error))?;
    Ok(Digest(*hasher.finalize().as_bytes()))
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_file_is_its_blake3_hash() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("data");
        std::fs::write(&file, vec![7; 100_000]).unwrap();
        let expected = blake3::hash(&vec![7; 100_000]);
        assert_eq!(root_of(&file).unwrap().as_bytes(), expected.as_bytes());
    }
}
