//! A new operator's first configuration file: what `init` writes where there is none.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError};

/// What a first configuration cannot do without.
#[derive(Debug, Clone)]
pub struct FirstConfig {
    /// Name of the member whose node it is.
    pub member: String,
    /// The founding document.
    pub genesis: PathBuf,
    /// Directory of the member's key files.
    pub keystore: PathBuf,
    /// Where the passphrase is, unless it is in the environment.
    pub passphrase_file: Option<PathBuf>,
    /// Directory of the database.
    pub data_dir: PathBuf,
    /// Where the HTTP API listens.
    pub api_listen: String,
    /// Where other members' nodes connect.
    pub peer_listen: String,
}

impl FirstConfig {
    /// The file's text. Paths are made absolute: they were given from where the operator is,
    /// the file counts them from where it is.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unreadable`] if a path cannot be made absolute or is not UTF-8.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        let mut text = format!("# The node of {}. Unknown keys are errors.\n", self.member);
        let mut line = |key: &str, value: &str| {
            let value = toml::Value::String(value.to_owned());
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{key} = {value}");
        };
        line("member", &self.member);
        line("genesis", &absolute(&self.genesis)?);
        line("keystore", &absolute(&self.keystore)?);
        if let Some(file) = &self.passphrase_file {
            line("passphrase_file", &absolute(file)?);
        }
        line("data_dir", &absolute(&self.data_dir)?);
        let listen = |value: &str| toml::Value::String(value.to_owned());
        let _written = write!(
            text,
            "\n[api]\nlisten = {} # loopback only\n\n[peers]\nlisten = {}\n\n[log]\nformat = \
             \"text\" # or \"json\"\nlevel = \"info\"\n",
            listen(&self.api_listen),
            listen(&self.peer_listen),
        );
        Ok(text)
    }

    /// The configuration that the text for `file` makes; nothing is written.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the value that is not acceptable.
    pub fn check(&self, file: &Path) -> Result<Config, ConfigError> {
        Config::parse(file, &self.to_toml()?)
    }

    /// Writes `file`, never over another.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unwritable`], also if the file exists.
    pub fn write(&self, file: &Path) -> Result<(), ConfigError> {
        let text = self.to_toml()?;
        std::fs::File::options()
            .write(true)
            .create_new(true)
            .open(file)
            .and_then(|mut opened| {
                opened.write_all(text.as_bytes())?;
                opened.sync_all()
            })
            .map_err(|error| ConfigError::Unwritable {
                file: file.to_owned(),
                reason: error.to_string(),
            })
    }
}

fn absolute(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable {
        file: path.to_owned(),
        reason,
    };
    let absolute = std::path::absolute(path).map_err(|error| unreadable(error.to_string()))?;
    absolute
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| unreadable("its name is not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> FirstConfig {
        FirstConfig {
            member: "acme".into(),
            genesis: "/srv/genesis.json".into(),
            keystore: "/srv/a \"quoted\" place/keys".into(),
            passphrase_file: Some("/srv/passphrase".into()),
            data_dir: "data".into(),
            api_listen: "127.0.0.1:7402".into(),
            peer_listen: "/ip4/0.0.0.0/tcp/7401".into(),
        }
    }

    #[test]
    fn the_first_file_is_read_back_as_it_was_meant() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("node.toml");
        first().write(&file).unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!(config.member, "acme");
        assert_eq!(config.keystore, Path::new("/srv/a \"quoted\" place/keys"));
        assert!(config.data_dir.is_absolute());
        let error = first().write(&file).unwrap_err().to_string();
        assert!(error.contains("node.toml"), "{error}");
    }

    #[test]
    fn a_first_file_that_would_not_be_accepted_is_not_written() {
        let exposed = FirstConfig {
            api_listen: "0.0.0.0:7402".into(),
            ..first()
        };
        let error = exposed.check(Path::new("/srv/node.toml")).unwrap_err();
        assert!(error.to_string().contains("TLS"), "{error}");
    }
}
