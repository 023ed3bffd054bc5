//! A whole ceremony, each member in a directory of its own, and everything that must stop it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_genesis::ceremony::{self, Identity, Template};
use jangbu_genesis::document::{Content, Genesis, Member, MemberRole, Parameters};
use jangbu_genesis::key_file::KdfParams;
use jangbu_genesis::{Keystore, Passphrase, TrustAnchor};
use jangbu_ledger::identifier::Prefix;

struct Home {
    member: Member,
    keystore: Keystore,
    passphrase: Passphrase,
    _directory: tempfile::TempDir,
}

fn home(name: &str, role: MemberRole, prefixes: &[&str]) -> Home {
    let directory = tempfile::tempdir().unwrap();
    let keystore = Keystore::at(directory.path());
    let passphrase = Passphrase::new(name.as_bytes().to_vec());
    for purpose in ceremony::purposes(role) {
        keystore
            .create(*purpose, &passphrase, KdfParams::DEVNET)
            .unwrap();
    }
    let operator = role == MemberRole::Operator;
    let identity = Identity {
        name: name.to_owned(),
        display_name: format!("{name} AG"),
        role,
        identifiers: Vec::new(),
        prefixes: prefixes.iter().map(|p| Prefix::parse(p).unwrap()).collect(),
        addresses: if operator {
            vec!["/ip4/127.0.0.1/tcp/1".into()]
        } else {
            Vec::new()
        },
    };
    let member = ceremony::join("test", identity, &keystore, &passphrase).unwrap();
    Home {
        member,
        keystore,
        passphrase,
        _directory: directory,
    }
}

fn homes() -> Vec<Home> {
    vec![
        home("amperia", MemberRole::Operator, &["gs1:9521234"]),
        home("hanbit", MemberRole::Operator, &[]),
        home("nordwind", MemberRole::Operator, &[]),
        home("soyu", MemberRole::Operator, &[]),
        home("cml1", MemberRole::Participant, &["bpn:BPNL00000003CML1"]),
        home("veritas", MemberRole::Auditor, &[]),
        home("marktamt", MemberRole::Regulator, &[]),
    ]
}

fn template() -> Template {
    Template {
        consortium: "test".into(),
        created_at_ms: 1_700_000_000_000,
        parameters: Parameters::default(),
    }
}

fn members(homes: &[Home]) -> Vec<Member> {
    homes.iter().map(|home| home.member.clone()).collect()
}

fn genesis(homes: &[Home]) -> Genesis {
    let content = ceremony::assemble(template(), members(homes)).unwrap();
    let signatures = homes
        .iter()
        .map(|home| ceremony::approve(&content, &home.keystore, &home.passphrase).unwrap())
        .collect();
    ceremony::finish(content, signatures).unwrap()
}

#[test]
fn a_ceremony_founds_a_ledger_that_anyone_can_check() {
    let genesis = genesis(&homes());
    let text = genesis.to_json().unwrap();
    let read = Genesis::parse(text.as_bytes()).unwrap();
    assert_eq!(read, genesis);
    let anchor = TrustAnchor::of(&read).unwrap();
    assert_eq!(anchor.quorum, 3);
    assert_eq!(anchor.witnesses.len(), 4);
    assert!(anchor.origin.as_str().starts_with("jangbu/test/"));
    let founding = read.content.founding();
    let block = founding.genesis_block().unwrap();
    assert_eq!(block.block.header.chain_id, anchor.chain_id);
}

#[test]
fn a_document_with_any_changed_digit_or_letter_is_refused() {
    let text = genesis(&homes()).to_json().unwrap();
    let mut tried = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !byte.is_ascii_alphanumeric() || at % 151 != 0 {
            continue;
        }
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if byte == b'a' { b'b' } else { b'a' };
        assert!(Genesis::parse(&bytes).is_err(), "byte {at}");
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn a_truncated_or_padded_document_or_a_repeated_key_is_refused() {
    let text = genesis(&homes()).to_json().unwrap();
    for empty in ["", "\n"] {
        let error = Genesis::parse(empty.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("it is empty"), "{error}");
    }
    for cut in [1, text.len() / 3, text.len() - 3] {
        let error = Genesis::parse(&text.as_bytes()[..cut])
            .unwrap_err()
            .to_string();
        assert!(error.contains("damaged"), "{error}");
    }
    assert!(Genesis::parse(format!("{text}x").as_bytes()).is_err());
    let twice = text.replacen("\"content\":", "\"signatures\": [], \"content\":", 1);
    assert!(
        Genesis::parse(twice.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("stands twice")
    );
    let unknown = text.replacen("\"content\":", "\"extra\": 1, \"content\":", 1);
    assert!(
        Genesis::parse(unknown.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("extra")
    );
    let long = vec![b' '; 5 * 1024 * 1024];
    assert!(Genesis::parse(&long).is_err());
}

#[test]
fn nobody_joins_with_a_key_it_does_not_hold() {
    let homes = homes();
    let assembled = |change: &dyn Fn(&mut Vec<Member>)| -> Result<Content, String> {
        let mut members = members(&homes);
        change(&mut members);
        ceremony::assemble(template(), members).map_err(|error| error.to_string())
    };
    assert!(assembled(&|_| {}).is_ok());
    let stolen = assembled(&|m| m[1].keys.attestor = m[4].keys.attestor).unwrap_err();
    assert!(
        stolen.contains("does not verify") || stolen.contains("twice"),
        "{stolen}"
    );
    let missing = assembled(&|m| m[1].possession.clear()).unwrap_err();
    assert!(missing.contains("0 proofs"), "{missing}");
    let copied = assembled(&|m| {
        m[4].keys = m[5].keys.clone();
        m[4].possession = m[5].possession.clone();
    });
    assert!(copied.is_err());
    let renamed = assembled(&|m| m[4].name = "other".into()).unwrap_err();
    assert!(renamed.contains("does not verify"), "{renamed}");
}

#[test]
fn overlapping_prefixes_are_refused() {
    let mut homes = homes();
    homes.push(home("rival", MemberRole::Participant, &["gs1:95212"]));
    let error = ceremony::assemble(template(), members(&homes))
        .unwrap_err()
        .to_string();
    assert!(error.contains("overlaps"), "{error}");
}

#[test]
fn a_missing_approval_is_named() {
    let homes = homes();
    let content = ceremony::assemble(template(), members(&homes)).unwrap();
    let signatures = homes[1..]
        .iter()
        .map(|home| ceremony::approve(&content, &home.keystore, &home.passphrase).unwrap())
        .collect();
    assert!(ceremony::finish(content, signatures).is_err());
}
