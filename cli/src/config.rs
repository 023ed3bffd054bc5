//! Settings: flags win over the environment (`JANGBU_…`), which wins over `jangbu.toml`.
//!
//! Relative paths in the file are relative to the file, so that a member's directory can be
//! moved; on the command line they are relative to where the user is.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::Globals;
use crate::error::CliError;

/// Largest configuration file in bytes.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// The settings there are. What is missing is an error only when it is needed.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file the settings came from, or would have come from.
    file: Option<PathBuf>,
    file_exists: bool,
    nodes: Vec<String>,
    genesis: Option<PathBuf>,
    member: Option<String>,
    keystore: Option<PathBuf>,
    vault: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
}

/// `jangbu.toml` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    node: Option<Nodes>,
    genesis: Option<PathBuf>,
    member: Option<String>,
    keystore: Option<PathBuf>,
    vault: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected an address or a list of addresses")]
enum Nodes {
    One(String),
    Many(Vec<String>),
}

impl Config {
    /// Gathers the settings. `environment` is asked for `JANGBU_CONFIG` and the home directory.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the file and the key, if the file was asked for and is not there, or
    /// is not right.
    pub fn load(
        flags: &Globals,
        environment: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, CliError> {
        let asked = flags
            .config
            .clone()
            .or_else(|| flags.home.as_ref().map(|home| home.join("jangbu.toml")))
            .or_else(|| environment("JANGBU_CONFIG").map(PathBuf::from));
        let file = asked.clone().or_else(|| standard_file(environment));
        let read = match &file {
            Some(file) if asked.is_some() || file.exists() => Some(read(file)?),
            _ => None,
        };
        let file_exists = read.is_some();
        let base = file.as_deref().and_then(Path::parent);
        let from_file = |path: Option<PathBuf>| {
            path.map(|path| base.map_or(path.clone(), |base| base.join(path)))
        };
        let toml = read.unwrap_or_default();
        let nodes = match toml.node {
            _ if !flags.node.is_empty() => flags.node.clone(),
            Some(Nodes::One(node)) => vec![node],
            Some(Nodes::Many(nodes)) => nodes,
            None => Vec::new(),
        };
        let pick = |flag: &Option<PathBuf>, file| flag.clone().or_else(|| from_file(file));
        Ok(Self {
            nodes,
            genesis: pick(&flags.genesis, toml.genesis),
            member: flags.member.clone().or(toml.member),
            keystore: pick(&flags.keystore, toml.keystore),
            vault: pick(&flags.vault, toml.vault),
            passphrase_file: pick(&flags.passphrase_file, toml.passphrase_file),
            file,
            file_exists,
        })
    }

    /// The nodes to ask, in order; at least one.
    ///
    /// # Errors
    ///
    /// [`CliError`] saying where to set it.
    pub fn nodes(&self) -> Result<&[String], CliError> {
        if self.nodes.is_empty() {
            return Err(self.missing("node", "\"http://127.0.0.1:8080\"", "--node URL"));
        }
        Ok(&self.nodes)
    }

    /// The genesis file.
    ///
    /// # Errors
    ///
    /// [`CliError`] saying where to set it.
    pub fn genesis(&self) -> Result<&Path, CliError> {
        self.path(
            &self.genesis,
            "genesis",
            "\"genesis.json\"",
            "--genesis FILE",
        )
    }

    /// The member to speak as.
    ///
    /// # Errors
    ///
    /// [`CliError`] saying where to set it.
    pub fn member(&self) -> Result<&str, CliError> {
        self.member
            .as_deref()
            .ok_or_else(|| self.missing("member", "\"your-name\"", "--member NAME"))
    }

    /// The directory of keys.
    ///
    /// # Errors
    ///
    /// [`CliError`] saying where to set it.
    pub fn keystore(&self) -> Result<&Path, CliError> {
        self.path(&self.keystore, "keystore", "\"keys\"", "--keystore DIR")
    }

    /// The vault's directory.
    ///
    /// # Errors
    ///
    /// [`CliError`] saying where to set it.
    pub fn vault(&self) -> Result<&Path, CliError> {
        self.path(&self.vault, "vault", "\"vault\"", "--vault DIR")
    }

    /// Whether a vault is set at all: some commands show more with one.
    #[must_use]
    pub const fn has_vault(&self) -> bool {
        self.vault.is_some()
    }

    /// Whether a genesis file is set at all.
    #[must_use]
    pub const fn has_genesis(&self) -> bool {
        self.genesis.is_some()
    }

    /// The file that holds the passphrase, if one is set.
    #[must_use]
    pub fn passphrase_file(&self) -> Option<&Path> {
        self.passphrase_file.as_deref()
    }

    fn path<'a>(
        &self,
        path: &'a Option<PathBuf>,
        key: &str,
        example: &str,
        flag: &str,
    ) -> Result<&'a Path, CliError> {
        path.as_deref()
            .ok_or_else(|| self.missing(key, example, flag))
    }

    fn missing(&self, key: &str, example: &str, flag: &str) -> CliError {
        let variable = format!("JANGBU_{}", key.to_uppercase());
        match &self.file {
            Some(file) if self.file_exists => {
                CliError::input(format!("`{key}` is not set in {}", file.display())).hint(format!(
                    "add the line `{key} = {example}`, or give {flag} or {variable}"
                ))
            }
            Some(file) => CliError::input(format!(
                "`{key}` is not set, and there is no {}",
                file.display()
            ))
            .hint(format!(
                "name your configuration by --home DIR or --config FILE, give {flag} or \
                 {variable}, or write the file with the keys node, genesis, member, keystore, \
                 vault and passphrase_file"
            )),
            None => CliError::input(format!("`{key}` is not set"))
                .hint(format!("give {flag} or {variable}, or --config FILE")),
        }
    }
}

fn standard_file(environment: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let directory = match environment("XDG_CONFIG_HOME").filter(|value| !value.is_empty()) {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(environment("HOME")?).join(".config"),
    };
    Some(directory.join("jangbu").join("jangbu.toml"))
}

fn read(file: &Path) -> Result<Toml, CliError> {
    let mut text = String::new();
    fs::File::open(file)
        .and_then(|open| open.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => CliError::file(file, "it is not UTF-8 text"),
            _ => CliError::io(file, &error),
        })?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        let reason = format!("it is longer than {CONFIG_BYTES_MAX} bytes");
        return Err(CliError::file(file, reason));
    }
    toml::from_str(&text).map_err(|error| {
        CliError::file(file, error.to_string().trim_end())
            .hint("the keys are node, genesis, member, keystore, vault, passphrase_file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<std::ffi::OsString> {
        None
    }

    fn home(text: &str) -> (tempfile::TempDir, Globals) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("jangbu.toml"), text).unwrap();
        let globals = Globals {
            home: Some(directory.path().to_owned()),
            ..Globals::default()
        };
        (directory, globals)
    }

    #[test]
    fn paths_of_the_file_are_relative_to_the_file_and_flags_win() {
        let (directory, mut flags) =
            home("node = [\"http://a\", \"http://b\"]\ngenesis = \"g.json\"\nvault = \"/v\"\n");
        flags.vault = Some("mine".into());
        let config = Config::load(&flags, &nothing).unwrap();
        assert_eq!(config.genesis().unwrap(), directory.path().join("g.json"));
        assert_eq!(config.vault().unwrap(), Path::new("mine"));
        assert_eq!(config.nodes().unwrap().len(), 2);
    }

    #[test]
    fn an_unknown_key_names_itself_and_its_file() {
        let (directory, flags) = home("nod = \"http://a\"\n");
        let error = Config::load(&flags, &nothing).unwrap_err();
        assert!(error.message.contains("nod"), "{error}");
        let file = directory.path().join("jangbu.toml");
        assert!(
            error.message.contains(&file.display().to_string()),
            "{error}"
        );
    }

    #[test]
    fn what_is_missing_says_where_to_put_it() {
        let (_directory, flags) = home("member = \"cml1\"\n");
        let config = Config::load(&flags, &nothing).unwrap();
        let error = config.nodes().unwrap_err();
        let hint = error.hint.unwrap();
        assert!(
            hint.contains("JANGBU_NODE") && hint.contains("--node"),
            "{hint}"
        );
        let none = Config::load(&Globals::default(), &nothing).unwrap();
        assert!(none.member().is_err());
    }

    #[test]
    fn a_file_that_was_asked_for_must_exist_and_the_standard_one_need_not() {
        let flags = Globals {
            config: Some("/nowhere/jangbu.toml".into()),
            ..Globals::default()
        };
        assert!(Config::load(&flags, &nothing).is_err());
        let elsewhere = |name: &str| (name == "HOME").then(|| "/nowhere".into());
        let config = Config::load(&Globals::default(), &elsewhere).unwrap();
        let error = config.genesis().unwrap_err();
        assert!(
            error
                .message
                .contains("/nowhere/.config/jangbu/jangbu.toml"),
            "{error}"
        );
    }
}
