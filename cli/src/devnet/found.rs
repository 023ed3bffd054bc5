//! Founds the consortium of a devnet by the ceremony's own code, each member in a home of its own.
//!
//! All is written beside the directory first and moved into place when it is whole: there is
//! a devnet or there is none.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jangbu_genesis::ceremony::{self, Identity, Template};
use jangbu_genesis::document::{Genesis, Member, MemberRole, Parameters};
use jangbu_genesis::key_file::KdfParams;
use jangbu_genesis::{Keystore, Passphrase};
use jangbu_ledger::identifier::Prefix;

use super::cast::{CAST, CONSORTIUM, Player};
use super::layout::Layout;
use super::ports;
use crate::error::CliError;

/// Founds a devnet in `directory`, which must not exist or be empty.
pub(super) fn found(directory: &Path) -> Result<(), CliError> {
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|error| CliError::io(parent, &error))?;
    let workshop = tempfile::Builder::new()
        .prefix(".devnet-")
        .tempdir_in(parent)
        .map_err(|error| CliError::io(parent, &error))?;
    write_all(&Layout::at(workshop.path()))?;
    // A rename replaces an empty directory and nothing else.
    fs::rename(workshop.path(), directory).map_err(|error| CliError::io(directory, &error))?;
    // It has moved: there is nothing left to remove.
    let _moved = workshop.keep();
    Ok(())
}

/// A founding operator's ports.
struct Ports<'a> {
    name: &'a str,
    api: u16,
    peers: u16,
}

fn write_all(layout: &Layout) -> Result<(), CliError> {
    let operators: Vec<&str> = CAST
        .iter()
        .filter(|player| player.role == MemberRole::Operator)
        .map(|player| player.name)
        .collect();
    let free = ports::free(2 * operators.len())?;
    let ports: Vec<Ports<'_>> = operators
        .iter()
        .zip(free.chunks_exact(2))
        .filter_map(|(name, pair)| {
            let [api, peers] = *pair else { return None };
            Some(Ports { name, api, peers })
        })
        .collect();

    let mut homes = Vec::new();
    for player in &CAST {
        let address = ports
            .iter()
            .find(|ports| ports.name == player.name)
            .map(|ports| peer_address(ports.peers));
        homes.push(Home::make(layout, player, address)?);
    }
    let genesis = assemble(&homes)?;
    write_new(
        &layout.genesis(),
        genesis.to_json().map_err(CliError::internal)?.as_bytes(),
        0o644,
    )?;
    for player in &CAST {
        write_member_config(layout, player.name, &ports)?;
    }
    for ports in &ports {
        write_node_config(layout, ports)?;
    }
    Ok(())
}

/// A member with what it keeps to itself.
struct Home {
    member: Member,
    keystore: Keystore,
    passphrase: Passphrase,
}

impl Home {
    fn make(layout: &Layout, player: &Player, address: Option<String>) -> Result<Self, CliError> {
        let paths = layout.member(player.name);
        make_private(paths.home())?;
        let passphrase = new_passphrase()?;
        write_new(&paths.passphrase(), passphrase.as_bytes(), 0o600)?;
        let passphrase = Passphrase::new(passphrase.into_bytes());
        let keystore = Keystore::at(paths.keys());
        for purpose in ceremony::purposes(player.role) {
            keystore.create(*purpose, &passphrase, KdfParams::DEVNET)?;
        }
        let prefixes = player
            .prefixes
            .iter()
            .map(|text| Prefix::parse(text))
            .collect::<Result<_, _>>()
            .map_err(|error| CliError::internal(error.to_string()))?;
        let identity = Identity {
            name: player.name.to_owned(),
            display_name: player.display_name.to_owned(),
            role: player.role,
            identifiers: player.identifiers.iter().map(|&id| id.to_owned()).collect(),
            prefixes,
            addresses: address.into_iter().collect(),
        };
        let member = ceremony::join(CONSORTIUM, identity, &keystore, &passphrase)?;
        Ok(Self {
            member,
            keystore,
            passphrase,
        })
    }
}

fn assemble(homes: &[Home]) -> Result<Genesis, CliError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| CliError::input("this machine's clock stands before 1970; set it"))?;
    let template = Template {
        consortium: CONSORTIUM.to_owned(),
        created_at_ms: u64::try_from(now.as_millis())
            .map_err(|_| CliError::input("this machine's clock is beyond any date; set it"))?,
        parameters: Parameters::default(),
    };
    let members = homes.iter().map(|home| home.member.clone()).collect();
    let content = ceremony::assemble(template, members).map_err(CliError::internal)?;
    let signatures = homes
        .iter()
        .map(|home| ceremony::approve(&content, &home.keystore, &home.passphrase))
        .collect::<Result<_, _>>()?;
    ceremony::finish(content, signatures).map_err(CliError::internal)
}

/// An operator asks its own node first; everyone else starts with another one, so that no node
/// answers all.
fn write_member_config(layout: &Layout, name: &str, ports: &[Ports<'_>]) -> Result<(), CliError> {
    let own = ports.iter().position(|ports| ports.name == name);
    let index = CAST.iter().position(|player| player.name == name);
    let first = own.or(index).unwrap_or(0) % ports.len().max(1);
    let (before, after) = ports.split_at(first);
    let nodes: Vec<String> = after
        .iter()
        .chain(before)
        .map(|ports| format!("\"{}\"", api_url(ports.api)))
        .collect();
    let text = format!(
        "# {name}, a member of the devnet. Paths start at this file.\n\
         node = [{}] # tried in this order\n\
         genesis = \"../../genesis.json\"\n\
         member = \"{name}\"\n\
         keystore = \"keys\"\n\
         vault = \"vault\"\n\
         passphrase_file = \"passphrase\"\n",
        nodes.join(", ")
    );
    write_new(&layout.member(name).config(), text.as_bytes(), 0o644)
}

fn write_node_config(layout: &Layout, ports: &Ports<'_>) -> Result<(), CliError> {
    let paths = layout.node(ports.name);
    fs::create_dir_all(paths.home()).map_err(|error| CliError::io(paths.home(), &error))?;
    let name = ports.name;
    let text = format!(
        "# The node of {name}. Paths start at this file.\n\
         data_dir = \"data\"\n\
         genesis = \"../../genesis.json\"\n\
         keystore = \"../../members/{name}/keys\"\n\
         passphrase_file = \"../../members/{name}/passphrase\"\n\
         member = \"{name}\"\n\
         \n\
         [api]\n\
         listen = \"127.0.0.1:{}\"\n\
         \n\
         [peers]\n\
         listen = \"{}\"\n",
        ports.api,
        peer_address(ports.peers),
    );
    write_new(&paths.config(), text.as_bytes(), 0o644)
}

fn peer_address(port: u16) -> String {
    format!("/ip4/127.0.0.1/tcp/{port}")
}

fn api_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// 128 random bits, as text.
fn new_passphrase() -> Result<String, CliError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        CliError::internal(format!("the operating system gave no randomness: {error}"))
    })?;
    Ok(hex::encode(bytes))
}

fn make_private(directory: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| CliError::io(directory, &error))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| CliError::io(path, &error))
}
