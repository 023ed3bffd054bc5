//! The arguments: what every command takes, and the commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::context::Context;
use crate::error::CliError;
use crate::{
    anchor, bench, check, devnet, disclose, evidence, genesis, key, lineage, link, list, node,
    notice, open, passport, profile, prove, receipt, share, show, submit, trace, vault, verify,
    watch,
};

/// Records who said what about data and products, on a ledger that a consortium agrees on.
#[derive(Debug, Parser)]
#[command(name = "jangbu", version)]
#[command(
    after_help = "Exit codes: 0 done · 1 internal · 2 usage or input · 3 refused by a rule · \
    4 no node, nothing sent · 5 outcome unknown, run it again · 6 not authorised"
)]
pub struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes. A verb's own options must have other names.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Configuration file [env: JANGBU_CONFIG] [default: ~/.config/jangbu/jangbu.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Member's home: short for --config DIR/jangbu.toml
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "config")]
    pub home: Option<PathBuf>,
    /// Node to ask; several are tried in order
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "JANGBU_NODE",
        value_delimiter = ','
    )]
    #[arg(hide_env_values = true)]
    pub node: Vec<String>,
    /// The consortium's genesis file
    #[arg(long, global = true, value_name = "FILE", env = "JANGBU_GENESIS")]
    #[arg(hide_env_values = true)]
    pub genesis: Option<PathBuf>,
    /// Member to speak as
    #[arg(long, global = true, value_name = "NAME", env = "JANGBU_MEMBER")]
    #[arg(hide_env_values = true)]
    pub member: Option<String>,
    /// Directory of the member's keys
    #[arg(long, global = true, value_name = "DIR", env = "JANGBU_KEYSTORE")]
    #[arg(hide_env_values = true)]
    pub keystore: Option<PathBuf>,
    /// Directory of what opens the member's statements
    #[arg(long, global = true, value_name = "DIR", env = "JANGBU_VAULT")]
    #[arg(hide_env_values = true)]
    pub vault: Option<PathBuf>,
    /// File that holds what unlocks the keys (or JANGBU_PASSPHRASE, or a prompt)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "JANGBU_PASSPHRASE_FILE"
    )]
    #[arg(hide_env_values = true)]
    pub passphrase_file: Option<PathBuf>,
    /// Print JSON: one object, or one a line for lists
    #[arg(long, global = true)]
    pub json: bool,
    /// Print what was asked to be shown, warnings and errors, and nothing else: no remarks, no progress,
    /// and without --json no word on what was done
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The verbs. One line here and one in [`Command::run`] wire a module's `Args` and `run`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Anchor documents: detects their formats, says what is yours to say
    Anchor(anchor::Args),
    /// Offer load to nodes and measure what becomes of it
    Bench(bench::Args),
    /// Judge a product, a model or a data share by a compliance profile
    Check(check::Args),
    /// Run a whole consortium on this machine
    Devnet(devnet::Args),
    /// Show chosen parts of a document from the vault, with the proof of its statement
    Disclose(disclose::Args),
    /// Record that a validator contradicted itself
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Found a consortium, step by step
    #[command(subcommand)]
    Genesis(genesis::Command),
    /// Make and list the member's keys
    #[command(subcommand)]
    Key(key::Command),
    /// Show which data a model was made from under which agreements, or what was made from data
    Lineage(lineage::Args),
    /// State what a product contains, agree with what others state, hand products on
    #[command(subcommand)]
    Link(link::Command),
    /// List statements
    List(list::Args),
    /// Ask a running node how it is
    #[command(subcommand)]
    Node(node::Command),
    /// Warn whoever has a product, or might buy it
    #[command(subcommand)]
    Notice(notice::Command),
    /// Check what `disclose` wrote, offline, and print what it shows
    Open(open::Args),
    /// Issue a product passport and keep it, to the end of the product
    #[command(subcommand)]
    Passport(passport::Command),
    /// Show compliance profiles, or record one
    #[command(subcommand)]
    Profile(profile::Command),
    /// Export a proof that anyone can verify offline with the genesis file
    #[command(subcommand)]
    Prove(prove::Command),
    /// Write a statement's receipt to a file, also for tools of others
    Receipt(receipt::Args),
    /// Share data with another member, step by step, sealed from everyone else
    #[command(subcommand)]
    Share(share::Command),
    /// Show a statement, an envelope or what an identifier names
    Show(show::Args),
    /// Send an envelope that was signed with --sign-only
    Submit(submit::Args),
    /// Show what a product is made of, across companies
    Trace(trace::Args),
    /// Back up what opens your statements, bring it back, and find what is missing
    #[command(subcommand)]
    Vault(vault::Command),
    /// Verify a receipt or a proof, offline
    Verify(verify::Args),
    /// Show statements as they become final, until it is stopped
    Watch(watch::Args),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page per command into a directory
    Man {
        /// Where to write the pages
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    ///
    /// [`CliError`] with the exit code.
    pub fn run(self, ctx: &Context) -> Result<ExitCode, CliError> {
        match self {
            Self::Anchor(args) => anchor::run(&args, ctx),
            Self::Bench(args) => bench::run(&args, ctx),
            Self::Devnet(args) => devnet::run(args, ctx),
            Self::Disclose(args) => disclose::run(&args, ctx),
            Self::Evidence(command) => evidence::run(command, ctx),
            Self::Genesis(command) => genesis::run(command, ctx),
            Self::Key(command) => key::run(command, ctx),
            Self::Lineage(args) => lineage::run(&args, ctx),
            Self::Link(command) => link::run(command, ctx),
            Self::List(args) => list::run(&args, ctx),
            Self::Node(command) => node::run(&command, ctx),
            Self::Notice(command) => notice::run(command, ctx),
            Self::Passport(command) => passport::run(command, ctx),
            Self::Profile(command) => profile::run(command, ctx),
            Self::Prove(command) => prove::run(&command, ctx),
            Self::Receipt(args) => receipt::run(&args, ctx),
            Self::Share(command) => share::run(command, ctx),
            Self::Show(args) => show::run(&args, ctx),
            Self::Submit(args) => submit::run(&args, ctx),
            Self::Trace(args) => trace::run(&args, ctx),
            Self::Watch(args) => watch::run(&args, ctx),
            // These have verdicts for exit codes.
            Self::Check(args) => return check::run(&args, ctx),
            Self::Open(args) => return open::run(&args, ctx),
            Self::Vault(command) => return vault::run(command, ctx),
            Self::Verify(args) => return verify::run(&args, ctx),
            Self::Completions { shell } => completions(shell, ctx),
            Self::Man { to } => man(to, ctx),
        }
        .map(|()| ExitCode::SUCCESS)
    }
}

fn completions(shell: clap_complete::Shell, ctx: &Context) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "jangbu", &mut script);
    ctx.output.raw(&String::from_utf8_lossy(&script));
    Ok(())
}

fn man(to: Option<PathBuf>, ctx: &Context) -> Result<(), CliError> {
    if let Some(directory) = to {
        return clap_mangen::generate_to(Args::command(), &directory)
            .map_err(|error| CliError::io(&directory, &error));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command())
        .render(&mut page)
        .map_err(|error| CliError::internal(format!("the manual page: {error}")))?;
    ctx.output.raw(&String::from_utf8_lossy(&page));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Args::command().debug_assert();
    }
}
