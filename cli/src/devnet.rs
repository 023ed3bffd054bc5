//! `jangbu devnet`: a whole consortium on this machine, for trying things out.
//!
//! It is founded by the ceremony's own code and run by the very program that operators run; only
//! its passphrases stand beside the keys, and every address is a loopback one.

mod cast;
mod found;
mod layout;
mod nodes;
mod ports;
mod process;
mod ready;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Subcommand;
use jangbu_genesis::document::MemberRole;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::context::Context;
use crate::error::CliError;
use layout::{Layout, NodePaths};
use nodes::{Devnet, Node, NodeReport, NodeState};
use ready::{Awaited, Prober};

/// Runs a whole consortium on this machine: four validators, three companies, an auditor, a
/// regulator.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// The devnet's directory.
    #[arg(
        long,
        global = true,
        default_value = "devnet",
        env = "JANGBU_DEVNET_DIR"
    )]
    dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Founds the devnet if there is none, starts its nodes, waits until all are ready.
    Up,
    /// Stops its nodes; what they recorded stays.
    Down,
    /// Shows its nodes.
    Status,
    /// Starts one node and waits until it is ready.
    Start {
        /// The operator's name.
        operator: String,
    },
    /// Stops one node.
    Stop {
        /// The operator's name.
        operator: String,
    },
}

/// What `up` and `status` answer.
#[derive(Serialize)]
struct Report {
    directory: String,
    consortium: String,
    chain_id: String,
    genesis: String,
    nodes: Vec<NodeReport>,
    members: Vec<MemberReport>,
}

#[derive(Serialize)]
struct MemberReport {
    name: String,
    display_name: String,
    role: MemberRole,
    config: String,
}

/// Does what the command line asks.
///
/// # Errors
///
/// [`CliError`] naming what stands in the way; whatever this call started is stopped again.
pub fn run(args: Args, ctx: &Context) -> Result<(), CliError> {
    let directory = args.dir;
    match args.verb {
        Verb::Up => {
            let founded = up(&directory, ctx)?;
            let report = report(&directory)?;
            ctx.output.report(&report, || up_text(&report, founded));
            Ok(())
        }
        Verb::Down => down(&directory, ctx),
        Verb::Status => {
            let report = report(&directory)?;
            ctx.output.object(&report, || nodes_text(&report));
            Ok(())
        }
        Verb::Start { operator } => {
            let devnet = Devnet::open(&directory)?;
            let node = devnet.node(&operator)?;
            let _lock = lock(&directory)?;
            bring_up(std::slice::from_ref(&node))?;
            show_node(&node, ctx)
        }
        Verb::Stop { operator } => {
            let devnet = Devnet::open(&directory)?;
            let node = devnet.node(&operator)?;
            let _lock = lock(&directory)?;
            stop(std::slice::from_ref(&node.paths), ctx)?;
            show_node(&node, ctx)
        }
    }
}

/// Whether it had to be founded.
fn up(directory: &Path, ctx: &Context) -> Result<bool, CliError> {
    // Before anything is made: without the program there is nothing to found for.
    process::binary()?;
    let founded = !Layout::at(directory).genesis().exists();
    if founded {
        refuse_other_use(directory)?;
        ctx.output
            .note(&format!("founding a devnet in {}", directory.display()));
        found::found(directory)?;
    }
    let _lock = lock(directory)?;
    bring_up(&Devnet::open(directory)?.nodes()?)?;
    Ok(founded)
}

/// Starts those nodes that do not run and waits for all. If one fails, those that this call
/// started are stopped.
fn bring_up(nodes: &[Node]) -> Result<(), CliError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(|error| {
            CliError::internal(format!("interrupts cannot be watched: {error}"))
        })?;
    }
    let mut awaited = Vec::new();
    let outcome =
        start_missing(nodes, &mut awaited).and_then(|()| ready::wait(&mut awaited, &interrupted));
    if let Err(error) = outcome {
        for node in &mut awaited {
            if let Some(child) = &mut node.child {
                process::end_child(child, &node.paths)?;
            }
        }
        return Err(error);
    }
    Ok(())
}

fn start_missing(nodes: &[Node], awaited: &mut Vec<Awaited>) -> Result<(), CliError> {
    let binary = process::binary()?;
    for node in nodes {
        let log_start = fs::metadata(node.paths.log()).map_or(0, |log| log.len());
        let child = match process::running(&node.paths)? {
            Some(_) => None,
            None => Some(process::start(&binary, &node.paths)?),
        };
        awaited.push(Awaited {
            name: node.name.clone(),
            url: node.url.clone(),
            paths: node.paths.clone(),
            child,
            log_start,
        });
    }
    Ok(())
}

fn down(directory: &Path, ctx: &Context) -> Result<(), CliError> {
    let devnet = Devnet::open(directory)?;
    let _lock = lock(directory)?;
    let paths: Vec<NodePaths> = devnet.nodes()?.into_iter().map(|node| node.paths).collect();
    stop(&paths, ctx)?;
    let report = report(directory)?;
    ctx.output.report(&report, || {
        format!(
            "devnet is down; what it recorded stays in {0}\nstart it again with `jangbu devnet \
             up{1}`, or remove the directory",
            directory.display(),
            dir_flag(&report.directory)
        )
    });
    Ok(())
}

fn stop(paths: &[NodePaths], ctx: &Context) -> Result<(), CliError> {
    let killed = process::stop(paths)?;
    if killed > 0 {
        ctx.output.note(&format!(
            "{killed} nodes did not stop when asked and were killed"
        ));
    }
    Ok(())
}

fn show_node(node: &Node, ctx: &Context) -> Result<(), CliError> {
    let report = node.report(&Prober::new()?)?;
    ctx.output.report(&report, || report.to_string());
    Ok(())
}

/// One command at a time changes a devnet.
fn lock(directory: &Path) -> Result<File, CliError> {
    let nodes = Layout::at(directory).nodes();
    let file = File::open(&nodes).map_err(|error| CliError::io(&nodes, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CliError::input(format!(
            "{}: another `jangbu devnet` command is at work here",
            directory.display()
        ))
        .hint("wait until it is done")),
        Err(TryLockError::Error(error)) => Err(CliError::io(&nodes, &error)),
    }
}

/// A directory with something else in it is left alone.
fn refuse_other_use(directory: &Path) -> Result<(), CliError> {
    match fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CliError::io(directory, &error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(CliError::input(format!(
                "{}: it is no devnet and not empty",
                directory.display()
            ))
            .hint("name another directory with --dir")),
        },
    }
}

fn report(directory: &Path) -> Result<Report, CliError> {
    let devnet = Devnet::open(directory)?;
    let prober = Prober::new()?;
    let nodes = devnet
        .nodes()?
        .iter()
        .map(|node| node.report(&prober))
        .collect::<Result<_, _>>()?;
    let members = devnet
        .content
        .members
        .iter()
        .map(|member| MemberReport {
            name: member.name.clone(),
            display_name: member.display_name.clone(),
            role: member.role,
            config: devnet
                .layout
                .member(&member.name)
                .config()
                .display()
                .to_string(),
        })
        .collect();
    Ok(Report {
        directory: devnet.layout.root().display().to_string(),
        consortium: devnet.content.consortium.clone(),
        chain_id: devnet.content.chain_id().to_string(),
        genesis: devnet.layout.genesis().display().to_string(),
        nodes,
        members,
    })
}

fn up_text(report: &Report, founded: bool) -> String {
    let what = if founded { "founded and up" } else { "up" };
    let ready = report
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Ready);
    let home = format!("{}/members/cml1", report.directory);
    let mut text = format!(
        "devnet is {what}: {} of {} validators ready, {} members, chain {}\n\n{}\n\n",
        ready.count(),
        report.nodes.len(),
        report.members.len(),
        &report.chain_id.get(..16).unwrap_or(&report.chain_id),
        nodes_text(report),
    );
    for member in &report.members {
        let role = format!("{:?}", member.role).to_lowercase();
        text.push_str(&format!(
            "  {:<10} {:<12} {}\n",
            member.name, role, member.display_name
        ));
    }
    text.push_str(&format!(
        "\nSpeak as a member by its home, for example as the company cml1:\n\
         \x20 jangbu --home {home} node status\n\
         \x20 jangbu --home {home} passport issue FILE.json --product ID\n\
         Stop all with `jangbu devnet down{}`.",
        dir_flag(&report.directory)
    ));
    text
}

fn nodes_text(report: &Report) -> String {
    let lines: Vec<String> = report
        .nodes
        .iter()
        .map(|node| format!("  {node}"))
        .collect();
    lines.join("\n")
}

/// The flag that the next command needs.
fn dir_flag(directory: &str) -> String {
    if directory == "devnet" {
        String::new()
    } else {
        format!(" --dir {directory}")
    }
}
