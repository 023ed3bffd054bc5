//! `jangbu-node`: runs one member's node.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jangbu_node::app::{self, AppError};
use jangbu_node::config::{Config, ConfigError, LogFormat};
use jangbu_node::first_config::FirstConfig;
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
    /// Makes the data directory with the genesis block, or checks the one that is there; writes
    /// the configuration file first, if there is none.
    Init {
        /// The configuration file.
        #[arg(long, env = "JANGBU_NODE_CONFIG")]
        config: PathBuf,
        #[command(flatten)]
        first: Option<FirstArgs>,
    },
    /// Checks the whole database of a node that does not run: reads all of it, executes every
    /// block again beside it, and compares. Needs as much free space as the database has.
    Check {
        /// The configuration file.
        #[arg(long, env = "JANGBU_NODE_CONFIG")]
        config: PathBuf,
    },
    /// Reads the whole log of a node that does not run, and derives every root again: of the log
    /// at every seal, of the state at the end. Much faster than `check`, and needs no room; it
    /// finds whatever was altered, lost or added, but judges no statement again.
    Fsck {
        /// The configuration file.
        #[arg(long, env = "JANGBU_NODE_CONFIG")]
        config: PathBuf,
    },
    /// Makes everything again that follows from the blocks of a node that does not run: the log,
    /// the indexes, the state and its tree. Executes every block beside the database, and replaces
    /// only when all of them are in order. Needs as much free space as the database has.
    Reindex {
        /// The configuration file.
        #[arg(long, env = "JANGBU_NODE_CONFIG")]
        config: PathBuf,
    },
    /// Runs the node until it is told to stop.
    Run {
        /// The configuration file.
        #[arg(long, env = "JANGBU_NODE_CONFIG")]
        config: PathBuf,
        /// The database is from a backup: follow without voting until a height is final that
        /// began after this start. Remembered until then; also when the database is gone.
        #[arg(long)]
        restored: bool,
    },
}

/// What a first configuration says.
#[derive(clap::Args)]
struct FirstArgs {
    /// Name of the member whose node it is, as the genesis file has it.
    #[arg(long, value_name = "NAME", required = false, requires_all = ["genesis", "keystore"])]
    member: String,
    /// The genesis file.
    #[arg(long, value_name = "FILE", required = false, requires = "member")]
    genesis: PathBuf,
    /// Directory of the member's key files.
    #[arg(long, value_name = "DIR", required = false, requires = "member")]
    keystore: PathBuf,
    /// File with the passphrase; without it, JANGBU_PASSPHRASE has to be set when the node runs.
    #[arg(long, value_name = "FILE", requires = "member")]
    passphrase_file: Option<PathBuf>,
    /// Directory of the database.
    #[arg(long, value_name = "DIR", default_value = "data", requires = "member")]
    data_dir: PathBuf,
    /// Where the HTTP API listens.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7402",
        requires = "member"
    )]
    api_listen: String,
    /// Where other members' nodes connect.
    #[arg(
        long,
        value_name = "MULTIADDR",
        default_value = "/ip4/0.0.0.0/tcp/7401",
        requires = "member"
    )]
    peer_listen: String,
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
        Verb::Init { config, first } => init(&config, first),
        Verb::Check { config } => check(&config),
        Verb::Fsck { config } => fsck(&config),
        Verb::Reindex { config } => reindex(&config),
        Verb::Run { config, restored } => {
            let config = Config::load(&config)?;
            start_log(&config);
            app::run(&config, restored)
        }
    }
}

fn check(file: &Path) -> Result<(), AppError> {
    let config = Config::load(file)?;
    start_log(&config);
    let found = app::check(&config)?;
    println!(
        "{}: {} blocks with {} entries, executed again: all {} keys derived from them are as \
         they must be; {} final checkpoints verified",
        config.data_dir.display(),
        found.blocks,
        found.entries,
        found.keys,
        found.finals
    );
    Ok(())
}

fn reindex(file: &Path) -> Result<(), AppError> {
    let config = Config::load(file)?;
    start_log(&config);
    let made = app::reindex(&config)?;
    println!(
        "{}: {} blocks with {} entries, executed again: all {} keys that follow from them are \
         written; {} final checkpoints verified",
        config.data_dir.display(),
        made.blocks,
        made.entries,
        made.keys,
        made.finals
    );
    Ok(())
}

fn fsck(file: &Path) -> Result<(), AppError> {
    let config = Config::load(file)?;
    start_log(&config);
    let found = app::fsck(&config)?;
    let checkpoint = match found.last_final {
        Some(height) => format!("the final checkpoint of height {height} verified"),
        None => "there is no final checkpoint yet".into(),
    };
    println!(
        "{}: {} entries in {} blocks and {} records have the roots that their seals state; \
         the last certificate verified; {checkpoint}",
        config.data_dir.display(),
        found.entries,
        found.blocks,
        found.records,
    );
    Ok(())
}

/// A first configuration is written once everything it names was found to fit.
fn init(file: &Path, first: Option<FirstArgs>) -> Result<(), AppError> {
    let file_exists = file.exists();
    let first = match (file_exists, first) {
        (true, None) => None,
        (false, Some(first)) => Some(FirstConfig::from(first)),
        (true, Some(_)) => return Err(ConfigError::Exists { file: file.into() }.into()),
        (false, None) => return Err(ConfigError::Missing { file: file.into() }.into()),
    };
    let config = match &first {
        Some(first) => first.check(file)?,
        None => Config::load(file)?,
    };
    start_log(&config);
    app::init(&config)?;
    if let Some(first) = first {
        first.write(file)?;
        println!("wrote {}", file.display());
    }
    println!(
        "{} holds the ledger of {}; start the node with `jangbu-node run --config {}`",
        config.data_dir.display(),
        config.genesis.display(),
        file.display()
    );
    Ok(())
}

impl From<FirstArgs> for FirstConfig {
    fn from(args: FirstArgs) -> Self {
        Self {
            member: args.member,
            genesis: args.genesis,
            keystore: args.keystore,
            passphrase_file: args.passphrase_file,
            data_dir: args.data_dir,
            api_listen: args.api_listen,
            peer_listen: args.peer_listen,
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
