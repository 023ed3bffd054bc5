//! Founds a consortium in a directory, by the ceremony that real members use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jangbu_genesis::ceremony::{self, Identity, Template};
use jangbu_genesis::document::{Genesis, MemberRole, Parameters};
use jangbu_genesis::key_file::{KdfParams, Purpose};
use jangbu_genesis::{Keystore, Passphrase, TrustAnchor};
use jangbu_ledger::signature::SigningKey;

use super::author::{Author, now_ms};

/// What unlocks every keystore of the consortium.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// Founding members with their keys, and the document they signed.
#[derive(Debug)]
pub struct Consortium {
    /// The document.
    pub genesis: Genesis,
    /// What an offline verifier takes from it.
    pub anchor: TrustAnchor,
    authors: BTreeMap<String, Author>,
    directory: tempfile::TempDir,
}

impl Consortium {
    /// Founds a consortium. Each member's keys lie in a directory of its name, beside
    /// `genesis.json`; `address` says where the operator at a position is reached.
    #[must_use]
    pub fn found(
        operators: &[&str],
        companies: &[&str],
        parameters: Parameters,
        address: impl Fn(usize) -> String,
    ) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("jangbu-cluster-")
            .tempdir()
            .unwrap();
        let passphrase = Passphrase::new(PASSPHRASE.into());
        let mut members = Vec::new();
        let mut keystores = Vec::new();
        let operators = operators
            .iter()
            .enumerate()
            .map(|(position, name)| (*name, MemberRole::Operator, vec![address(position)]));
        let companies = companies
            .iter()
            .map(|name| (*name, MemberRole::Participant, Vec::new()));
        for (name, role, addresses) in operators.chain(companies) {
            let home = directory.path().join(name);
            let keystore = Keystore::at(home.join("keys"));
            for purpose in ceremony::purposes(role) {
                keystore
                    .create(*purpose, &passphrase, KdfParams::DEVNET)
                    .unwrap();
            }
            std::fs::write(home.join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
            let identity = Identity {
                name: name.to_owned(),
                display_name: format!("{name} AG"),
                role,
                identifiers: Vec::new(),
                prefixes: Vec::new(),
                addresses,
            };
            members.push(ceremony::join("test", identity, &keystore, &passphrase).unwrap());
            keystores.push((name.to_owned(), keystore));
        }
        let template = Template {
            consortium: "test".into(),
            created_at_ms: now_ms() - 1000,
            parameters,
        };
        let content = ceremony::assemble(template, members).unwrap();
        let approvals = keystores
            .iter()
            .map(|(_, keystore)| ceremony::approve(&content, keystore, &passphrase).unwrap())
            .collect();
        let genesis = ceremony::finish(content, approvals).unwrap();
        let anchor = TrustAnchor::of(&genesis).unwrap();
        let authors = keystores
            .into_iter()
            .map(|(name, keystore)| {
                let key = |purpose| -> SigningKey {
                    keystore.unlock(purpose, &passphrase).unwrap().signing()
                };
                let author = Author::new(
                    anchor.chain_id,
                    &name,
                    key(Purpose::Attestor),
                    key(Purpose::Admin),
                );
                (name, author)
            })
            .collect();
        let consortium = Self {
            genesis,
            anchor,
            authors,
            directory,
        };
        let text = consortium.genesis.to_json().unwrap();
        std::fs::write(consortium.genesis_file(), text).unwrap();
        consortium
    }

    /// A member that says things.
    #[must_use]
    pub fn author(&self, name: &str) -> Author {
        self.authors
            .get(name)
            .unwrap_or_else(|| panic!("no member {name}"))
            .clone()
    }

    /// Where everything of this consortium lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A member's own directory.
    #[must_use]
    pub fn home(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// The founding document on disk.
    #[must_use]
    pub fn genesis_file(&self) -> PathBuf {
        self.directory().join("genesis.json")
    }
}
