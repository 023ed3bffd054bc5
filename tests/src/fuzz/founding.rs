//! The files of a founding: the genesis document, what leads to it, key files.

use jangbu_genesis::document::Content;
use jangbu_genesis::files::{ApprovalFile, JoinFile, TemplateFile};
use jangbu_genesis::key_file::KeyFile;
use jangbu_genesis::{Genesis, TrustAnchor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::known::{known, vector, vector_json};
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};

/// A founding document that any of the true members signed is the true one.
pub(super) fn genesis(bytes: &[u8]) -> Seen {
    let genesis = match frugal(bytes.len(), FOUNDING, || Genesis::parse(bytes)) {
        Ok(genesis) => genesis,
        Err(error) => return refused(error),
    };
    let text = genesis.to_json().unwrap();
    assert_eq!(Genesis::parse(text.as_bytes()), Ok(genesis.clone()));
    let anchor = TrustAnchor::of(&genesis).unwrap();
    let content = &genesis.content;
    assert_eq!(anchor.chain_id, content.chain_id());
    content.founding().genesis_block().unwrap();
    let true_one = &known().story.world.genesis.content;
    let is_known = |key| {
        true_one
            .members
            .iter()
            .any(|member| member.keys.admin == key)
    };
    if content
        .members
        .iter()
        .any(|member| is_known(member.keys.admin))
    {
        assert_eq!(content, true_one);
        return Seen::Held;
    }
    Seen::Read
}

/// JSON, and the keys and numbers of each member compared with each other.
const FOUNDING: Allowance = Allowance {
    per_byte: 256,
    base: 256 * 1024,
};

pub(super) fn geneses() -> Vec<Seed> {
    let good = vector("genesis.json");
    let text = String::from_utf8(good.clone()).unwrap();
    let no = |name: &str, text: String| Seed::new(name, text, Seen::Refused);
    let long = "n".repeat(5_000);
    vec![
        Seed::new("vector", good, Seen::Held),
        no(
            "another-name",
            text.replacen("\"hanbit AG\"", "\"hanbit KG\"", 1),
        ),
        no(
            "another-signer",
            text.replacen("\"member\": \"cml1\"", "\"member\": \"cml2\"", 1),
        ),
        no(
            "a-long-signer",
            text.replacen(
                "\"member\": \"cml1\"",
                &format!("\"member\": \"{long}\""),
                1,
            ),
        ),
        no(
            "a-long-role",
            text.replacen("\"operator\"", &format!("\"{long}\""), 1),
        ),
        no(
            "a-long-key",
            text.replacen("\"content\"", &format!("\"{long}\": 1, \"content\""), 1),
        ),
        no(
            "a-long-name",
            text.replacen("\"amperia\"", &format!("\"{long}\""), 1),
        ),
        no("empty", " \n".to_owned()),
        no(
            "nothing-in-it",
            "{\"content\":{},\"signatures\":[]}".to_owned(),
        ),
    ]
}

/// A file that a member hands another on the way to the genesis document.
pub(super) fn file(bytes: &[u8]) -> Seen {
    let mut seen = Seen::Refused;
    seen = seen.max(read::<TemplateFile>(bytes, TemplateFile::parse));
    seen = seen.max(read::<JoinFile>(bytes, JoinFile::parse));
    seen = seen.max(read::<ApprovalFile>(bytes, ApprovalFile::parse));
    seen.max(read::<Content>(bytes, Content::parse))
}

fn read<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    parse: fn(&[u8]) -> Result<T, jangbu_genesis::GenesisError>,
) -> Seen {
    match frugal(bytes.len(), FOUNDING, || parse(bytes)) {
        Ok(file) => {
            let text = serde_json::to_vec(&file).unwrap();
            assert_eq!(parse(&text).unwrap(), file);
            Seen::Read
        }
        Err(error) => refused(error),
    }
}

pub(super) fn files() -> Vec<Seed> {
    let genesis = vector_json("genesis.json");
    let content = &genesis["content"];
    let invited: Vec<_> = content["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| json!({"name": member["name"], "role": member["role"]}))
        .collect();
    let template = json!({
        "consortium": content["consortium"],
        "created_at_ms": content["created_at_ms"],
        "parameters": content["parameters"],
        "invited": invited,
    });
    let join = |n: usize| json!({"consortium": "test", "member": content["members"][n]});
    let approval = json!({
        "chain_id": known().anchor.chain_id,
        "approval": genesis["signatures"][0],
    });
    let mut doubled = template.clone();
    doubled["invited"][1] = doubled["invited"][0].clone();
    let mut endless = template.clone();
    endless["parameters"]["propose_ms"] = json!(u64::MAX >> 12);
    let read = |name: &str, value: &serde_json::Value| {
        Seed::new(
            name,
            serde_json::to_string_pretty(value).unwrap(),
            Seen::Read,
        )
    };
    let no = |name: &str, value: &serde_json::Value| Seed {
        seen: Seen::Refused,
        ..read(name, value)
    };
    let mut other = join(0);
    other["consortium"] = json!("other");
    vec![
        read("template", &template),
        read("join-operator", &join(0)),
        read("join-participant", &join(1)),
        read("approval", &approval),
        read("content", content),
        no("invited-twice", &doubled),
        no("waits-for-ever", &endless),
        no("joins-another", &other),
    ]
}

/// A key file that a passphrase opens holds the key that its header names.
pub(super) fn key_file(bytes: &[u8]) -> Seen {
    let file = match frugal(bytes.len(), Allowance::JSON, || KeyFile::parse(bytes)) {
        Ok(file) => file,
        Err(error) => return refused(error),
    };
    let text = serde_json::to_vec(&file).unwrap();
    assert_eq!(KeyFile::parse(&text), Ok(file.clone()));
    let written: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let work = |name: &str| written["kdf"][name].as_u64().unwrap();
    if work("memory_kib") > 1024 || work("passes") > 2 {
        // Honest work, of an extent that the program bounds.
        return Seen::Read;
    }
    match file.unlock(b"passphrase") {
        Ok(secret) => {
            let public = hex::encode(secret.public(file.purpose));
            assert_eq!(
                (public.as_str(), secret.expose()),
                (file.public_key.as_str(), &[7; 32])
            );
            Seen::Held
        }
        Err(error) => {
            refused(error);
            Seen::Read
        }
    }
}

/// Locked once, with the passphrase above.
const KEY_FILE: &str = include_str!("key_file.json");

pub(super) fn key_files() -> Vec<Seed> {
    let no = |name: &str, text: String| Seed::new(name, text, Seen::Refused);
    let long = "z".repeat(5_000);
    vec![
        Seed::new("attestor", KEY_FILE, Seen::Held),
        Seed::new(
            "another-purpose",
            KEY_FILE.replace("attestor", "admin"),
            Seen::Read,
        ),
        Seed::new(
            "much-work",
            KEY_FILE.replace(": 64", ": 4294967295"),
            Seen::Read,
        ),
        no("another-format", KEY_FILE.replace("key/1", "key/7")),
        no("a-long-purpose", KEY_FILE.replace("attestor", &long)),
        no(
            "a-long-field",
            KEY_FILE.replacen('{', &format!("{{\"{long}\": 1,"), 1),
        ),
        no("cut", KEY_FILE[..KEY_FILE.len() / 2].to_owned()),
    ]
}
