//! The node's one configuration file, validated whole before anything starts.
//!
//! ```toml
//! data_dir = "data"                 # the database; relative paths start at this file
//! genesis = "genesis.json"          # the founding document
//! keystore = "keys"                 # this member's encrypted keys
//! passphrase_file = "passphrase"    # or the environment's JANGBU_PASSPHRASE
//! member = "acme"                   # whose node this is, as the genesis names it
//!
//! [api]
//! listen = "127.0.0.1:7402"         # loopback only: there is no TLS yet
//! stream_patience_s = 30            # a reader of /v1/stream that takes nothing for so long is cut off
//!
//! [peers]
//! listen = "/ip4/0.0.0.0/tcp/7401"
//! [peers.addresses]                 # optional: where to dial a member instead of where the
//! globex = ["/ip4/10.0.0.7/tcp/7401"]   # genesis says
//!
//! [log]
//! format = "text"                   # or "json"
//! level = "info"                    # a tracing filter; by default without agreement's own steps
//! ```
//!
//! Unknown keys are errors; each message names the file, the key, the value and the fix.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jangbu_genesis::Passphrase;
use serde::Deserialize;

use crate::mesh::Multiaddr;

/// The environment variable that holds the keystore's passphrase.
pub const PASSPHRASE_VARIABLE: &str = "JANGBU_PASSPHRASE";
/// Largest configuration file in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Largest passphrase in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4096;

/// What is logged if nothing is said. Agreement's core tells every step of every height, about
/// ten lines a block, which nobody reads unless it is asked for.
const LOG_LEVEL_DEFAULT: &str = "info,arc_malachitebft_core_consensus=warn";

/// A validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Directory of the database.
    pub data_dir: PathBuf,
    /// The founding document.
    pub genesis: PathBuf,
    /// Directory of this member's key files.
    pub keystore: PathBuf,
    /// Where the passphrase is, unless it is in the environment.
    pub passphrase_file: Option<PathBuf>,
    /// Name of the member whose node this is.
    pub member: String,
    /// Where the HTTP API listens: a loopback address.
    pub api_listen: SocketAddr,
    /// How long a reader of the stream of final statements may take nothing before it is cut off.
    pub stream_patience: Duration,
    /// Where other members' nodes connect.
    pub peer_listen: Multiaddr,
    /// Where to dial members, instead of the addresses in the genesis.
    pub peer_addresses: BTreeMap<String, Vec<Multiaddr>>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written, as a `tracing` filter.
    pub log_level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{file}: cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// There is no configuration, and nothing to make one of.
    #[error(
        "{file}: there is no such file; name it with --config, or give --member, --genesis and \
         --keystore to have `init` write it"
    )]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// There is a configuration, and values for another were given.
    #[error("{file}: it exists already and is not overwritten; edit it, or name another file")]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// A file cannot be written.
    #[error("{file}: cannot be written: {reason}")]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Not TOML, an unknown or missing key, or a value of the wrong type.
    #[error("{file}: {reason}")]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What and where, from the TOML reader.
        reason: String,
    },
    /// A value that cannot be used.
    #[error("{file}: {key} = {value:?}: {problem}; {fix}")]
    Value {
        /// The file.
        file: PathBuf,
        /// The key, with its table.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        fix: &'static str,
    },
    /// Neither a file nor the environment has the passphrase.
    #[error(
        "{file}: no passphrase: set passphrase_file, or {PASSPHRASE_VARIABLE} in the environment"
    )]
    NoPassphrase {
        /// The configuration file.
        file: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    data_dir: PathBuf,
    genesis: PathBuf,
    keystore: PathBuf,
    passphrase_file: Option<PathBuf>,
    member: String,
    #[serde(default)]
    api: RawApi,
    #[serde(default)]
    peers: RawPeers,
    #[serde(default)]
    log: RawLog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawApi {
    listen: String,
    stream_patience_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPeers {
    listen: String,
    addresses: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    format: String,
    level: String,
}

impl Default for RawApi {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7402".into(),
            stream_patience_s: 30,
        }
    }
}

impl Default for RawPeers {
    fn default() -> Self {
        Self {
            listen: "/ip4/0.0.0.0/tcp/7401".into(),
            addresses: BTreeMap::new(),
        }
    }
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            format: "text".into(),
            level: LOG_LEVEL_DEFAULT.into(),
        }
    }
}

impl Config {
    /// Reads and validates a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], the first found.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::parse(file, &read_text(file, FILE_BYTES_MAX)?)
    }

    /// Validates the text of a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], the first found.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: RawConfig = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            file: file.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        let base = file.parent().unwrap_or(Path::new(""));
        let path = |key, value: &Path| {
            if value.as_os_str().is_empty() {
                return Err(wrong(file, key, "", "it is empty", "name a path"));
            }
            Ok(base.join(value))
        };
        if raw.member.is_empty() {
            let fix = "name the member as the genesis file does";
            return Err(wrong(file, "member", "", "it is empty", fix));
        }
        let api_listen = address(file, "api.listen", &raw.api.listen)?;
        if !api_listen.ip().is_loopback() {
            let problem = "listening beyond this machine requires TLS, which is not available yet";
            let fix = "use 127.0.0.1 or [::1], behind a TLS proxy if others must reach it";
            return Err(wrong(file, "api.listen", &raw.api.listen, problem, fix));
        }
        let stream_patience = seconds(file, "api.stream_patience_s", raw.api.stream_patience_s)?;
        let peer_listen = multiaddress(file, "peers.listen", &raw.peers.listen)?;
        let mut peer_addresses = BTreeMap::new();
        for (member, addresses) in &raw.peers.addresses {
            let addresses = addresses
                .iter()
                .map(|address| multiaddress(file, "peers.addresses", address))
                .collect::<Result<_, _>>()?;
            peer_addresses.insert(member.clone(), addresses);
        }
        Ok(Self {
            data_dir: path("data_dir", &raw.data_dir)?,
            genesis: path("genesis", &raw.genesis)?,
            keystore: path("keystore", &raw.keystore)?,
            passphrase_file: raw
                .passphrase_file
                .map(|value| path("passphrase_file", &value))
                .transpose()?,
            member: raw.member,
            api_listen,
            stream_patience,
            peer_listen,
            peer_addresses,
            log_format: log_format(file, &raw.log.format)?,
            log_level: log_level(file, raw.log.level)?,
            file: file.to_owned(),
        })
    }

    /// The keystore's passphrase: from its file, else from the environment. A line break at
    /// its end does not count.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is none or it cannot be read.
    pub fn passphrase(&self) -> Result<Passphrase, ConfigError> {
        let text = match &self.passphrase_file {
            Some(file) => read_text(file, PASSPHRASE_BYTES_MAX)?,
            None => std::env::var(PASSPHRASE_VARIABLE).map_err(|_| ConfigError::NoPassphrase {
                file: self.file.clone(),
            })?,
        };
        Ok(Passphrase::new(text.into_bytes()))
    }
}

fn read_text(file: &Path, bytes_max: u64) -> Result<String, ConfigError> {
    use std::io::Read as _;
    let unreadable = |reason: String| ConfigError::Unreadable {
        file: file.to_owned(),
        reason,
    };
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(bytes_max + 1).read_to_string(&mut text))
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > bytes_max {
        return Err(unreadable(format!("it has more than {bytes_max} bytes")));
    }
    Ok(text)
}

fn address(file: &Path, key: &'static str, value: &str) -> Result<SocketAddr, ConfigError> {
    value.parse().map_err(|_| {
        let problem = "it is not an IP address with a port";
        wrong(file, key, value, problem, "write it like 127.0.0.1:7402")
    })
}

/// Longest a patience may be, in seconds: a connection is silent for no longer than three minutes.
const PATIENCE_S_MAX: u64 = 150;

fn seconds(file: &Path, key: &'static str, value: u64) -> Result<Duration, ConfigError> {
    if (1..=PATIENCE_S_MAX).contains(&value) {
        return Ok(Duration::from_secs(value));
    }
    let problem = format!("it is not between 1 and {PATIENCE_S_MAX} seconds");
    Err(wrong(
        file,
        key,
        &value.to_string(),
        &problem,
        "30 is what it is if nothing is said",
    ))
}

fn multiaddress(file: &Path, key: &'static str, value: &str) -> Result<Multiaddr, ConfigError> {
    value.parse().map_err(|_| {
        let problem = "it is not a multiaddress";
        wrong(
            file,
            key,
            value,
            problem,
            "write it like /ip4/10.0.0.7/tcp/7401",
        )
    })
}

fn log_format(file: &Path, value: &str) -> Result<LogFormat, ConfigError> {
    match value {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => {
            let fix = "write \"text\" or \"json\"";
            Err(wrong(
                file,
                "log.format",
                value,
                "there is no such format",
                fix,
            ))
        }
    }
}

fn log_level(file: &Path, value: String) -> Result<String, ConfigError> {
    match value.parse::<tracing_subscriber::EnvFilter>() {
        Ok(_) => Ok(value),
        Err(error) => Err(wrong(
            file,
            "log.level",
            &value,
            &error.to_string(),
            "write error, warn, info, debug, trace or a filter like info,jangbu_replica=debug",
        )),
    }
}

fn wrong(
    file: &Path,
    key: &'static str,
    value: &str,
    problem: &str,
    fix: &'static str,
) -> ConfigError {
    ConfigError::Value {
        file: file.to_owned(),
        key,
        value: value.to_owned(),
        problem: problem.to_owned(),
        fix,
    }
}

#[cfg(test)]
mod tests;
