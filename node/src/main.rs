//! `jangbu-node`: runs one member's node.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jangbu_node::app::{self, AppError};
use jangbu_node::config::{Config, LogFormat};
use tracing_subscriber::EnvFilter;

/// A node makes and drops small things in the millions, from several threads: glibc's allocator
/// took a sixth of its processor time and gave little memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One member's peer of a Jangbu ledger.
#[derive(Parser)]
#[command(name = "jangbu-node", version)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes the data directory with the genesis block, or checks the one that is there.
    Init {
        /// The configuration file.
        #[arg(long, env = "JANGBU_NODE_CONFIG")]
        config: PathBuf,
    },
    /// Runs the node until it is told to stop.
    Run {
        /// The configuration file.
        #[arg(long, env = "JANGBU_NODE_CONFIG")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Args::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jangbu-node: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<(), AppError> {
    match verb {
        Verb::Init { config } => {
            let config = Config::load(&config)?;
            start_log(&config);
            app::init(&config)
        }
        Verb::Run { config } => {
            let config = Config::load(&config)?;
            start_log(&config);
            app::run(&config)
        }
    }
}

/// Log lines go to stderr: stdout is for answers.
fn start_log(config: &Config) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log_level))
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
