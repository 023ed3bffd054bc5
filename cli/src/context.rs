//! What a command works with: settings, genesis, keys, vault and node, each read when first
//! needed and then kept.

use std::cell::OnceCell;
use std::fs;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use jangbu_genesis::document::{GENESIS_BYTES_MAX, Member};
use jangbu_genesis::key_file::{Purpose, SecretKey};
use jangbu_genesis::{Genesis, Keystore, Passphrase, TrustAnchor};
use jangbu_ledger::id::{ChainId, StatementId};

use crate::args::Globals;
use crate::client::Client;
use crate::config::Config;
use crate::document::Opening;
use crate::error::{CliError, Code};
use crate::output::Output;
use crate::receipt::Verifier;
use crate::vault::{OpenVault, Vault};

/// Longest passphrase file in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4096;
/// How far a node may be behind others that said "final" already.
const BEHIND_MAX: Duration = Duration::from_secs(2);
/// Pause before what a node shows is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a command works with.
pub struct Context {
    /// Where results go.
    pub output: Output,
    globals: Globals,
    config: OnceCell<Config>,
    genesis: OnceCell<Genesis>,
    anchor: OnceCell<TrustAnchor>,
    verifier: OnceCell<Verifier>,
    client: OnceCell<Client>,
    vault: OnceCell<Vault>,
    passphrase: OnceCell<Passphrase>,
    signing: OnceCell<SigningKey>,
    encryption: OnceCell<x25519_dalek::StaticSecret>,
    vault_secret: OnceCell<SecretKey>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("globals", &self.globals)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// The context of a command with these global options. Nothing is read yet.
    #[must_use]
    pub fn new(globals: Globals) -> Self {
        Self {
            output: Output::new(globals.json, globals.quiet),
            globals,
            config: OnceCell::new(),
            genesis: OnceCell::new(),
            anchor: OnceCell::new(),
            verifier: OnceCell::new(),
            client: OnceCell::new(),
            vault: OnceCell::new(),
            passphrase: OnceCell::new(),
            signing: OnceCell::new(),
            encryption: OnceCell::new(),
            vault_secret: OnceCell::new(),
        }
    }

    /// The settings.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the configuration file is not right.
    pub fn config(&self) -> Result<&Config, CliError> {
        once(&self.config, || {
            Config::load(&self.globals, &|name| std::env::var_os(name))
        })
    }

    /// The genesis file, fully checked.
    ///
    /// # Errors
    ///
    /// [`CliError`] if none is set, or it is damaged.
    pub fn genesis(&self) -> Result<&Genesis, CliError> {
        once(&self.genesis, || {
            let path = self.config()?.genesis()?;
            let bytes = read_bounded(path, GENESIS_BYTES_MAX as u64)?;
            Genesis::parse(&bytes).map_err(|error| CliError::file(path, error))
        })
    }

    /// What receipts are verified with.
    ///
    /// # Errors
    ///
    /// [`CliError`] as for [`Self::genesis`].
    pub fn anchor(&self) -> Result<&TrustAnchor, CliError> {
        once(&self.anchor, || {
            TrustAnchor::of(self.genesis()?).map_err(CliError::input)
        })
    }

    /// What verifies receipts.
    ///
    /// # Errors
    ///
    /// [`CliError`] as for [`Self::genesis`].
    pub fn verifier(&self) -> Result<&Verifier, CliError> {
        once(&self.verifier, || Ok(Verifier::new(self.anchor()?.clone())))
    }

    /// The ledger's identity.
    ///
    /// # Errors
    ///
    /// [`CliError`] as for [`Self::genesis`].
    pub fn chain_id(&self) -> Result<ChainId, CliError> {
        Ok(self.anchor()?.chain_id)
    }

    /// The member to speak as.
    ///
    /// # Errors
    ///
    /// [`CliError`] if none is set, or the genesis file does not know it.
    pub fn member(&self) -> Result<&Member, CliError> {
        let name = self.config()?.member()?;
        self.member_named(name)
    }

    /// Any member of the consortium.
    ///
    /// # Errors
    ///
    /// [`CliError`] naming the members there are.
    pub fn member_named(&self, name: &str) -> Result<&Member, CliError> {
        let anchor = self.anchor()?;
        anchor.member_named(name).ok_or_else(|| {
            let known: Vec<&str> = anchor
                .members()
                .iter()
                .take(20)
                .map(|member| member.name.as_str())
                .collect();
            CliError::input(format!("no member of this consortium is named {name:?}"))
                .hint(format!("one of: {}", known.join(", ")))
        })
    }

    /// What `look` finds or makes of what a node shows; while that is refused, it looks again for a
    /// moment: the node may be a block behind the one that told another member "final".
    ///
    /// # Errors
    ///
    /// What `look` says; a refusal, once it lasts.
    pub fn patiently<T>(
        &self,
        mut look: impl FnMut() -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let until = Instant::now() + BEHIND_MAX;
        loop {
            match look() {
                Err(error) if error.code == Code::Refused && Instant::now() < until => {
                    std::thread::sleep(LOOK_AGAIN);
                }
                other => return other,
            }
        }
    }

    /// The member's keys.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no directory is set.
    pub fn keystore(&self) -> Result<Keystore, CliError> {
        Ok(Keystore::at(self.config()?.keystore()?))
    }

    /// What unlocks the keys: `--passphrase-file`, `JANGBU_PASSPHRASE`, the configured file, or
    /// whoever sits at the terminal.
    ///
    /// # Errors
    ///
    /// [`CliError`] if there is none of these, or the file cannot be read.
    pub fn passphrase(&self) -> Result<&Passphrase, CliError> {
        once(&self.passphrase, || match self.given_passphrase()? {
            Some(passphrase) => Ok(passphrase),
            None => typed("Passphrase: "),
        })
    }

    /// A passphrase for keys that do not exist yet: typed twice, where it is typed.
    ///
    /// # Errors
    ///
    /// [`CliError`] as for [`Self::passphrase`], or if it is empty or the two differ.
    pub fn new_passphrase(&self) -> Result<&Passphrase, CliError> {
        let passphrase = once(&self.passphrase, || match self.given_passphrase()? {
            Some(passphrase) => Ok(passphrase),
            None => {
                let first = typed("New passphrase: ")?;
                if first == typed("The same again: ")? {
                    Ok(first)
                } else {
                    Err(CliError::input(
                        "the two passphrases differ; nothing was made",
                    ))
                }
            }
        })?;
        if passphrase.is_empty() {
            return Err(CliError::input("the passphrase is empty; nothing was made")
                .hint("choose one that nobody guesses: five random words or more"));
        }
        Ok(passphrase)
    }

    /// What the flags, the environment or the configuration say.
    fn given_passphrase(&self) -> Result<Option<Passphrase>, CliError> {
        if let Some(file) = &self.globals.passphrase_file {
            return passphrase_of(file).map(Some);
        }
        if let Some(text) = std::env::var_os("JANGBU_PASSPHRASE") {
            return Ok(Some(Passphrase::new(text.into_encoded_bytes())));
        }
        match self.config()?.passphrase_file() {
            Some(file) => passphrase_of(file).map(Some),
            None => Ok(None),
        }
    }

    /// The key that signs the member's statements.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the key is missing, damaged, or the passphrase is wrong.
    pub fn signing_key(&self) -> Result<&SigningKey, CliError> {
        once(&self.signing, || {
            Ok(self.unlock(Purpose::Attestor)?.signing())
        })
    }

    /// The key that agrees on sealed streams.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the key is missing, damaged, or the passphrase is wrong.
    pub fn encryption_key(&self) -> Result<&x25519_dalek::StaticSecret, CliError> {
        once(&self.encryption, || {
            Ok(self.unlock(Purpose::Encryption)?.exchange())
        })
    }

    /// The secret that salts the vault's commitments and encrypts its files.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the key is missing, damaged, or the passphrase is wrong.
    pub fn vault_secret(&self) -> Result<&SecretKey, CliError> {
        once(&self.vault_secret, || {
            let keystore = self.keystore()?;
            if !keystore.has(Purpose::Vault) {
                return Err(CliError::file(keystore.directory(), "there is no vault key").hint(
                    "make it: jangbu key new vault; or bring it back: jangbu vault secret import \
                     FILE",
                ));
            }
            self.unlock(Purpose::Vault)
        })
    }

    /// The member's vault.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no directory is set, or it has a vault that is not encrypted.
    pub fn vault(&self) -> Result<&Vault, CliError> {
        once(&self.vault, || {
            let vault = Vault::at(self.config()?.vault()?);
            vault.refuse_plain()?;
            Ok(vault)
        })
    }

    /// The member's vault, unlocked.
    ///
    /// # Errors
    ///
    /// [`CliError`] as for [`Self::vault`] and [`Self::vault_secret`].
    pub fn open_vault(&self) -> Result<OpenVault<'_>, CliError> {
        Ok(self.vault()?.open(self.vault_secret()?))
    }

    /// What opens a statement, if the vault has it; it is unlocked only then.
    ///
    /// # Errors
    ///
    /// [`CliError`] as for [`Self::open_vault`], or if the file is damaged.
    pub fn opening(&self, id: &StatementId) -> Result<Option<Opening>, CliError> {
        if !self.vault()?.has_opening(id) {
            return Ok(None);
        }
        self.open_vault()?.opening(id)
    }

    /// Whether the vault can be unlocked: there is a passphrase, or somebody to ask for it.
    ///
    /// # Errors
    ///
    /// [`CliError`] if the file that is to hold it cannot be read.
    pub fn may_unlock(&self) -> Result<bool, CliError> {
        Ok(std::io::stdin().is_terminal() || self.given_passphrase()?.is_some())
    }

    /// The nodes: those that have all that the vault has seen final.
    ///
    /// # Errors
    ///
    /// [`CliError`] if none is set, or an address is not one; or as for [`Self::vault`].
    pub fn client(&self) -> Result<&Client, CliError> {
        once(&self.client, || {
            let config = self.config()?;
            let client = Client::new(config.nodes()?)?;
            if config.has_vault()
                && let Some(known) = self.vault()?.known()?
            {
                client.knows(known);
            }
            Ok(client)
        })
    }

    fn unlock(&self, purpose: Purpose) -> Result<SecretKey, CliError> {
        let keystore = self.keystore()?;
        let secret = keystore.unlock(purpose, self.passphrase()?)?;
        self.refuse_foreign_key(keystore.directory(), purpose, &secret)?;
        Ok(secret)
    }

    /// A key that the genesis file gives to another member is in the wrong keystore. A key that
    /// it does not know may have been changed since.
    fn refuse_foreign_key(
        &self,
        keystore: &Path,
        purpose: Purpose,
        secret: &SecretKey,
    ) -> Result<(), CliError> {
        let public = secret.public(purpose);
        let member = self.member()?;
        let holds = |other: &&Member| match purpose {
            Purpose::Attestor => other.keys.attestor.0 == public,
            Purpose::Encryption => other.keys.encryption.0 == public,
            _ => false,
        };
        match self.anchor()?.members().iter().find(holds) {
            Some(other) if other.name != member.name => Err(CliError::file(
                keystore,
                format!(
                    "its {purpose} key is the one of {}, not of {}",
                    other.name, member.name
                ),
            )
            .hint("set the keystore of the member you speak as: --keystore DIR or --home DIR")),
            _ => Ok(()),
        }
    }
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
///
/// [`CliError`] naming the file, if it cannot be read or is longer.
pub fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(max + 1).read_to_end(&mut bytes))
        .map_err(|error| CliError::io(path, &error))?;
    if bytes.len() as u64 > max {
        return Err(CliError::file(
            path,
            format!("it is longer than {max} bytes"),
        ));
    }
    Ok(bytes)
}

fn typed(prompt: &str) -> Result<Passphrase, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(
            CliError::input("the keys are locked, and there is no passphrase")
                .hint("give --passphrase-file FILE, or set JANGBU_PASSPHRASE"),
        );
    }
    let typed = rpassword::prompt_password(prompt)
        .map_err(|error| CliError::input(format!("the passphrase: {error}")))?;
    Ok(Passphrase::new(typed.into_bytes()))
}

fn passphrase_of(file: &Path) -> Result<Passphrase, CliError> {
    Ok(Passphrase::new(read_bounded(file, PASSPHRASE_BYTES_MAX)?))
}

/// Fills the cell unless it is filled.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, CliError>) -> Result<&T, CliError> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_will_know_in_a_moment_is_waited_for_and_nothing_else_is() {
        let ctx = Context::new(Globals::default());
        let mut looks = 0;
        let found = ctx.patiently(|| {
            looks += 1;
            match looks {
                3 => Ok("there"),
                _ => Err(CliError::refused("not yet")),
            }
        });
        assert_eq!((found.ok(), looks), (Some("there"), 3));
        let mut looks = 0;
        let wrong = ctx.patiently::<()>(|| {
            looks += 1;
            Err(CliError::input("wrong"))
        });
        assert!(wrong.is_err());
        assert_eq!(looks, 1);
        let refused = ctx.patiently::<()>(|| Err(CliError::refused("never")));
        assert!(matches!(refused, Err(error) if error.code == Code::Refused));
    }
}
