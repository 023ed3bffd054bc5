//! `jangbu key`: the member's keys, one file each, locked by one passphrase.

use clap::Subcommand;
use jangbu_genesis::ceremony;
use jangbu_genesis::document::MemberRole;
use jangbu_genesis::key_file::{KdfParams, Purpose};
use jangbu_genesis::{Keystore, Passphrase};
use jangbu_ledger::signature::PublicKey;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make keys; one that exists is kept
    New {
        /// What each is for: admin, attestor, encryption, vault, consensus, witness, log, peer
        #[arg(value_name = "PURPOSE", required_unless_present = "role")]
        purposes: Vec<Purpose>,
        /// All keys of this role: operator, participant, auditor, regulator, observer
        #[arg(long, value_name = "ROLE", conflicts_with = "purposes")]
        role: Option<MemberRole>,
    },
    /// List the keys; needs no passphrase
    List,
}

/// A key, as it is shown.
#[derive(Debug, Serialize)]
struct KeyReport {
    purpose: Purpose,
    /// Hexadecimal; none for the vault's secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// How the ledger names it, if it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<bool>,
}

#[derive(Debug, Serialize)]
struct KeysReport {
    keystore: String,
    keys: Vec<KeyReport>,
}

/// Does what the command line asks.
///
/// # Errors
///
/// [`CliError`] naming the key file.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    match command {
        Command::New { purposes, role } => {
            let purposes = match role {
                Some(role) => ceremony::purposes(role).to_vec(),
                None => purposes,
            };
            new(&purposes, ctx)
        }
        Command::List => list(ctx),
    }
}

fn new(purposes: &[Purpose], ctx: &Context) -> Result<(), CliError> {
    let keystore = ctx.keystore()?;
    let existing = keystore.list()?;
    let passphrase = passphrase_for(ctx, &keystore, &existing)?;
    let mut keys = Vec::new();
    for purpose in purposes {
        let kept = existing.iter().find(|(known, _)| known == purpose);
        keys.push(match kept {
            Some((_, public)) => KeyReport::of(*purpose, public, Some(false)),
            None => {
                let public = keystore.create(*purpose, passphrase, KdfParams::STANDARD)?;
                KeyReport::of(*purpose, &hex::encode(public), Some(true))
            }
        });
    }
    let report = KeysReport {
        keystore: keystore.directory().display().to_string(),
        keys,
    };
    ctx.output.report(&report, || report.to_string());
    ctx.output.note(
        "keep a copy of the directory and of its passphrase in two places: nobody can make these \
         keys again",
    );
    Ok(())
}

/// The passphrase of keys to be made beside those that exist.
pub(crate) fn passphrase_for<'a>(
    ctx: &'a Context,
    keystore: &Keystore,
    existing: &[(Purpose, String)],
) -> Result<&'a Passphrase, CliError> {
    match existing.first() {
        None => ctx.new_passphrase(),
        Some((purpose, _)) => {
            // One passphrase opens the whole keystore: a second one would be found out too late.
            let passphrase = ctx.passphrase()?;
            keystore.unlock(*purpose, passphrase)?;
            Ok(passphrase)
        }
    }
}

fn list(ctx: &Context) -> Result<(), CliError> {
    let keystore = ctx.keystore()?;
    let keys = keystore.list()?;
    if keys.is_empty() {
        ctx.output.note(&format!(
            "no keys in {} yet; make them with `jangbu key new --role ROLE`",
            keystore.directory().display()
        ));
    }
    for (purpose, public) in keys {
        let report = KeyReport::of(purpose, &public, None);
        ctx.output.line(&report, || report.to_string());
    }
    Ok(())
}

impl KeyReport {
    fn of(purpose: Purpose, public: &str, made: Option<bool>) -> Self {
        let signs = !matches!(purpose, Purpose::Encryption | Purpose::Vault);
        let key_id = match public.parse::<PublicKey>() {
            Ok(key) if signs => Some(key.id().to_string()),
            _ => None,
        };
        Self {
            purpose,
            public_key: (purpose != Purpose::Vault).then(|| public.to_owned()),
            key_id,
            made,
        }
    }
}

impl std::fmt::Display for KeyReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let public = self
            .public_key
            .as_deref()
            .unwrap_or("secret without a public half");
        let made = match self.made {
            Some(true) => "  new",
            Some(false) => "  kept",
            None => "",
        };
        write!(f, "{:<11} {public}{made}", self.purpose)
    }
}

impl std::fmt::Display for KeysReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.keystore)?;
        for key in &self.keys {
            writeln!(f, "  {key}")?;
        }
        Ok(())
    }
}
