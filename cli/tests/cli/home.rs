//! A member's home in a directory of its own, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jangbu_genesis::ceremony::{self, Identity, Template};
use jangbu_genesis::document::{MemberRole, Parameters};
use jangbu_genesis::key_file::{KdfParams, Purpose};
use jangbu_genesis::{Genesis, Keystore, Passphrase};
use serde_json::Value;

/// A product of no one's: whoever issues first owns it.
pub(crate) const PRODUCT: &str = "urn:uuid:7eeeac86-7b69-444d-81e6-655d0f1513bd";

/// A member with keys, genesis, configuration and one document.
pub(crate) struct Home {
    directory: tempfile::TempDir,
    pub(crate) genesis: Genesis,
    pub(crate) validator: Keystore,
    pub(crate) passphrase: Passphrase,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The one JSON object on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The JSON error on standard error.
    pub(crate) fn error(&self) -> Value {
        serde_json::from_str(&self.stderr).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Asserts the exit code and words of the error.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:?}");
        }
    }
}

impl Home {
    /// A home whose node is at `address`.
    pub(crate) fn new(address: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new(b"pass".to_vec());
        let mut members = Vec::new();
        let validator = Keystore::at(directory.path().join("validator"));
        let keys = Keystore::at(directory.path().join("keys"));
        for (name, role, keystore) in [
            ("amperia", MemberRole::Operator, &validator),
            ("cml1", MemberRole::Participant, &keys),
        ] {
            for purpose in ceremony::purposes(role) {
                keystore
                    .create(*purpose, &passphrase, KdfParams::DEVNET)
                    .unwrap();
            }
            let addresses = match role {
                MemberRole::Operator => vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
                _ => Vec::new(),
            };
            let identity = Identity {
                name: name.to_owned(),
                display_name: name.to_owned(),
                role,
                identifiers: Vec::new(),
                prefixes: Vec::new(),
                addresses,
            };
            members.push(ceremony::join("test", identity, keystore, &passphrase).unwrap());
        }
        let template = Template {
            consortium: "test".into(),
            created_at_ms: 1_700_000_000_000,
            parameters: Parameters::default(),
        };
        let content = ceremony::assemble(template, members).unwrap();
        let signatures = [&validator, &keys]
            .map(|keystore| ceremony::approve(&content, keystore, &passphrase).unwrap());
        let genesis = ceremony::finish(content, signatures.to_vec()).unwrap();
        let home = Self {
            directory,
            genesis,
            validator,
            passphrase,
        };
        home.write("genesis.json", home.genesis.to_json().unwrap().as_bytes());
        home.write("passphrase", b"pass\n");
        home.write("doc.json", br#"{"capacity": 10, "weight": "112 kg"}"#);
        home.configure(address);
        home
    }

    /// Writes `jangbu.toml` for a node, or several, separated by commas.
    pub(crate) fn configure(&self, addresses: &str) {
        let nodes: Vec<String> = addresses.split(',').map(|a| format!("{a:?}")).collect();
        let text = format!(
            "node = [{}]\ngenesis = \"genesis.json\"\nmember = \"cml1\"\nkeystore = \"keys\"\n\
             vault = \"vault\"\npassphrase_file = \"passphrase\"\n",
            nodes.join(", ")
        );
        self.write("jangbu.toml", text.as_bytes());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Names of the files in a directory of the vault.
    pub(crate) fn kept(&self, directory: &str) -> Vec<String> {
        let path = self.path("vault").join(directory);
        match fs::read_dir(path) {
            Ok(entries) => entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect(),
            Err(_) => Vec::new(),
        }
    }

    /// The secret half of one of the validator's keys.
    pub(crate) fn validator_key(&self, purpose: Purpose) -> ed25519_dalek::SigningKey {
        self.validator
            .unlock(purpose, &self.passphrase)
            .unwrap()
            .signing()
    }

    /// Runs `jangbu --home HOME ARGS`, with nobody at the terminal.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let mut command = self.command();
        command.arg("--home").arg(self.directory.path()).args(args);
        run(command)
    }

    /// Issues the passport of [`PRODUCT`] with more arguments.
    pub(crate) fn issue(&self, more: &[&str]) -> Run {
        let document = self.path("doc.json");
        let issue = ["passport", "issue", document.to_str().unwrap()];
        let product = ["--product", PRODUCT, "--granularity", "item"];
        self.run(&[&issue[..], &product, more].concat())
    }

    /// The program, in a clean environment.
    pub(crate) fn command(&self) -> Command {
        program(self.directory.path())
    }

    /// Issues a passport of the home's document in a shell script that calls it `"$@"`.
    pub(crate) fn issue_in_shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(self.command().get_program())
            .arg("--home")
            .arg(self.path(""))
            .args(["passport", "issue"])
            .arg(self.path("doc.json"))
            .args(["--product", PRODUCT, "--granularity", "item"])
            .stdin(Stdio::null());
        command
    }
}

/// The program, in a clean environment.
pub(crate) fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jangbu"));
    command
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(mut command: Command) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Run {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}
