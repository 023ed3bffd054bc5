//! The life of a data share between two members, in a sealed stream.
//!
//! ```text
//!   own encryption key + the other's ─▶ stream key ─▶ slots of both ─▶ history ─▶ judged
//!                                                                                  │
//!   a step: legal? ─▶ sealed into the next free slot ─▶ submit ─▶ receipt ◀────────┘
//! ```
//!
//! Invariants:
//! - a step is judged by the rules of `ledger::share` before anything is sent;
//! - the next free slot is what the ledger says it is, never what was remembered: a crash leaves
//!   no gap, and two processes of one member cannot both get a slot;
//! - the same step with the same document is the same statement, in whichever slot it stands.

mod history;
mod show;
mod step;
mod stream;

use std::path::PathBuf;

use jangbu_ledger::id::Digest;
use jangbu_ledger::share::{Negotiation, Party, Step};

use crate::context::Context;
use crate::error::CliError;
use crate::submit::SubmitOptions;

pub use step::{Taken, take};
pub use stream::ShareStream;

/// Data shares with another member, sealed: only the two parties can read, list or count them.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask for a contract (consumer)
    Request(StepArgs),
    /// Offer a contract (provider)
    Offer(StepArgs),
    /// Accept the offer (consumer)
    Accept(StepArgs),
    /// Agree (provider)
    Agree(StepArgs),
    /// Verify the agreement (consumer)
    Verify(StepArgs),
    /// Finalize the contract (provider)
    Finalize(StepArgs),
    /// Ask for the data under the final contract (consumer)
    #[command(name = "request-transfer")]
    RequestTransfer(StepArgs),
    /// Start the transfer, stating the root of what is sent (provider); or start it again
    Start(DataArgs),
    /// State that exactly what was sent arrived (consumer)
    Receive(DataArgs),
    /// Pause the transfer
    Suspend(StepArgs),
    /// Say that all is sent
    Complete(StepArgs),
    /// End the negotiation, or the transfer once the contract is final
    Terminate(StepArgs),
    /// Show what both parties said, in log order
    Show {
        /// The share's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The other party, if this machine has not seen the share yet
        #[arg(long, value_name = "MEMBER")]
        with: Option<String>,
        /// Your own role, if this machine has not seen the share yet
        #[arg(long = "as", value_name = "ROLE")]
        role: Option<Role>,
    },
    /// List the shares this machine knows, and where they stand
    List,
}

/// What every step takes.
#[derive(Debug, clap::Args)]
pub struct StepArgs {
    /// The share's name, alike for both parties: an agreement's or a negotiation's id
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The other party; needed once, then remembered
    #[arg(long, value_name = "MEMBER")]
    pub with: Option<String>,
    /// Your own role; needed only where the first step does not tell
    #[arg(long = "as", value_name = "ROLE")]
    pub role: Option<Role>,
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

/// What a step about data takes.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// What every step takes.
    #[command(flatten)]
    pub step: StepArgs,
    /// The data as it is sent; its BLAKE3 root is stated
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub file: Option<PathBuf>,
    /// The BLAKE3 root of the data as it is sent
    #[arg(long, value_name = "HEX")]
    pub root: Option<Digest>,
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
    let (args, step) = match command {
        Command::Show { name, with, role } => {
            let stream = ShareStream::open(ctx, &name, with.as_deref(), role.map(Into::into))?;
            return show::one(ctx, &stream);
        }
        Command::List => return show::all(ctx),
        Command::Start(args) => return data_step(ctx, args, Step::TransferStarted),
        Command::Receive(args) => return data_step(ctx, args, Step::Received),
        Command::Terminate(args) => return terminate(ctx, &args),
        Command::Request(args) => (args, Step::Requested),
        Command::Offer(args) => (args, Step::Offered),
        Command::Accept(args) => (args, Step::Accepted),
        Command::Agree(args) => (args, Step::Agreed),
        Command::Verify(args) => (args, Step::Verified),
        Command::Finalize(args) => (args, Step::Finalized),
        Command::RequestTransfer(args) => (args, Step::TransferRequested),
        Command::Suspend(args) => (args, Step::TransferSuspended),
        Command::Complete(args) => (args, Step::TransferCompleted),
    };
    plain_step(ctx, &args, step, None)
}

fn data_step(ctx: &Context, args: DataArgs, step: Step) -> Result<(), CliError> {
    let root = match (&args.file, args.root) {
        (Some(file), _) => Some(step::root_of(file)?),
        (None, root) => root,
    };
    plain_step(ctx, &args.step, step, root)
}

/// What ends depends on what has begun; once the contract is final only the transfer can end.
fn terminate(ctx: &Context, args: &StepArgs) -> Result<(), CliError> {
    let stream = open(ctx, args, None)?;
    let share = history::read(ctx, &stream)?.share;
    let step = match share.negotiation {
        Negotiation::Finalized => Step::TransferTerminated,
        _ => Step::Terminated,
    };
    plain_step(ctx, args, step, None)
}

fn plain_step(
    ctx: &Context,
    args: &StepArgs,
    step: Step,
    root: Option<Digest>,
) -> Result<(), CliError> {
    let stream = open(ctx, args, Some(step))?;
    let document = step::document(args.document.as_deref(), &args.name, step)?;
    let taken = Taken {
        label: format!("{}: {}", args.name, step.name()),
        step,
        document,
        root,
        occurrence: args.occurrence,
    };
    take(ctx, &stream, &taken, &args.options, &mut |outcome| {
        ctx.output.line(outcome, || outcome.to_string());
    })
}

fn open(ctx: &Context, args: &StepArgs, step: Option<Step>) -> Result<ShareStream, CliError> {
    let role = args
        .role
        .map(Party::from)
        .or_else(|| step.and_then(Step::only_by));
    ShareStream::open(ctx, &args.name, args.with.as_deref(), role)
}
