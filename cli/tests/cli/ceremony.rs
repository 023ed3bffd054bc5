//! The founding ceremony as its members live it: each in a directory of its own, files handed
//! over by copying, three commands per member.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jangbu_genesis::Genesis;
use jangbu_genesis::ceremony;
use jangbu_genesis::document::MemberRole;
use jangbu_genesis::key_file::KdfParams;
use jangbu_genesis::{Keystore, Passphrase};

use crate::home::{Run, program, run};

/// Two members and a table on which they lay files for each other.
struct Table {
    directory: tempfile::TempDir,
}

impl Table {
    /// Members with keys, so cheap to unlock that a test may.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, role) in [
            ("acme", MemberRole::Operator),
            ("parts-co", MemberRole::Participant),
        ] {
            let home = directory.path().join(name);
            let keystore = Keystore::at(home.join("keys"));
            let passphrase = Passphrase::new(name.as_bytes().to_vec());
            for purpose in ceremony::purposes(role) {
                keystore
                    .create(*purpose, &passphrase, KdfParams::DEVNET)
                    .unwrap();
            }
            fs::write(home.join("passphrase"), name).unwrap();
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs `jangbu` at the table as a member.
    fn as_member(&self, name: &str, arguments: &[&str]) -> Run {
        let mut command = program(self.directory.path());
        command
            .args(["--member", name, "--keystore"])
            .arg(self.path(name).join("keys"))
            .arg("--passphrase-file")
            .arg(self.path(name).join("passphrase"))
            .args(arguments);
        run(command)
    }

    fn new_template(&self) -> Run {
        self.as_member(
            "acme",
            &[
                "genesis",
                "new",
                "--consortium",
                "pilot",
                "--invite",
                "parts-co:participant",
                "--invite",
                "acme:operator",
                "--param",
                "propose_ms=800",
            ],
        )
    }

    fn join_acme(&self) -> Run {
        self.as_member(
            "acme",
            &[
                "genesis",
                "join",
                "template.json",
                "--display-name",
                "Acme Batteries",
                "--id",
                "kr-brn:124-81-00998",
                "--prefix",
                "gs1:9521234",
                "--address",
                "/dns4/node.acme.example/tcp/7401",
            ],
        )
    }

    fn join_parts(&self, more: &[&str]) -> Run {
        let join = [
            "genesis",
            "join",
            "template.json",
            "--display-name",
            "Parts & Co",
        ];
        self.as_member("parts-co", &[&join[..], more].concat())
    }

    /// Everything up to `content.json`.
    fn assembled() -> Self {
        let table = Self::new();
        fine(&table.new_template());
        fine(&table.join_acme());
        fine(&table.join_parts(&["--id", "bpn:BPNL00000003CML1"]));
        let joins = ["acme.join.json", "parts-co.join.json"];
        fine(&table.as_member(
            "acme",
            &[&["genesis", "assemble", "template.json"][..], &joins].concat(),
        ));
        table
    }

    /// Everything up to `genesis.json`.
    fn founded() -> Self {
        let table = Self::assembled();
        for name in ["acme", "parts-co"] {
            fine(&table.as_member(name, &["genesis", "approve", "content.json"]));
        }
        fine(&table.as_member(
            "acme",
            &[
                "genesis",
                "finish",
                "content.json",
                "parts-co.approval.json",
                "acme.approval.json",
            ],
        ));
        table
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "no {from:?} in {file}");
        fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
    }
}

#[track_caller]
fn fine(run: &Run) {
    assert_eq!(run.code, 0, "{run:?}");
}

fn bits(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn three_commands_a_member_found_a_consortium_that_anyone_can_check() {
    let table = Table::founded();
    let genesis = Genesis::parse(&fs::read(table.path("genesis.json")).unwrap()).unwrap();
    assert_eq!(genesis.content.parameters.propose_ms, 800);
    assert_eq!(
        genesis.content.members[0].identifiers,
        ["kr-brn:1248100998"]
    );
    let chain = genesis.content.chain_id().to_string();

    let text = table.as_member("acme", &["genesis", "verify", "genesis.json"]);
    fine(&text);
    let admin = genesis.content.members[0].keys.admin.id().to_string();
    for part in [
        chain.as_str(),
        "Acme Batteries",
        "(operator)",
        "Parts & Co",
        "(participant)",
        "propose 800 ms",
        "1 of them decide",
        "bpn:BPNL00000003CML1",
        &admin,
    ] {
        assert!(text.stdout.contains(part), "no {part:?} in {}", text.stdout);
    }
    let json = table.as_member("acme", &["--json", "genesis", "verify", "genesis.json"]);
    assert_eq!(json.json()["chain_id"], chain.as_str());
    assert_eq!(json.json()["quorum"], 1);

    let right = ["genesis", "verify", "genesis.json", "--chain-id", &chain];
    fine(&table.as_member("acme", &right));
    let other = "00".repeat(32);
    table
        .as_member(
            "acme",
            &["genesis", "verify", "genesis.json", "--chain-id", &other],
        )
        .fails(3, &["genesis.json", "founds another ledger"]);
}

#[test]
fn no_file_of_the_ceremony_is_overwritten_or_holds_a_secret() {
    let table = Table::founded();
    table
        .new_template()
        .fails(2, &["template.json", "exists already"]);
    table
        .join_acme()
        .fails(2, &["acme.join.json", "exists already"]);
    for file in [
        "acme.join.json",
        "content.json",
        "acme.approval.json",
        "genesis.json",
    ] {
        let text = fs::read_to_string(table.path(file)).unwrap();
        assert!(!text.contains("ciphertext"), "{file}");
    }
    assert_eq!(bits(&table.path("acme/keys")), 0o700);
    assert_eq!(bits(&table.path("acme/keys/admin.key.json")), 0o600);
}

#[test]
fn an_identifier_with_a_mistyped_digit_does_not_join() {
    let table = Table::new();
    fine(&table.new_template());
    for (id, words) in [
        (
            "kr-brn:124-81-00997",
            ["Korean business number", "check digit"],
        ),
        ("lei:506700GE1G29325QX364", ["LEI", "check digit"]),
        ("bpn:BPNL00000003CML2", ["BPN", "check digit"]),
        ("jp-cn:123", ["Japanese corporate number", "13 digits"]),
        ("1248100998", ["1248100998", "names no register"]),
    ] {
        table.join_parts(&["--id", id]).fails(2, &words);
    }
    assert!(!table.path("parts-co.join.json").exists());
}

#[test]
fn who_is_not_invited_or_has_the_wrong_keys_cannot_join() {
    let table = Table::new();
    fine(&table.new_template());
    let stranger = ["genesis", "join", "template.json", "--display-name", "X"];
    table.as_member("stranger", &stranger).fails(
        2,
        &["template.json", "stranger", "not invited", "acme, parts-co"],
    );
    table
        .join_parts(&["--address", "/ip4/127.0.0.1/tcp/1"])
        .fails(2, &["parts-co", "runs no node"]);
    fs::write(table.path("parts-co/passphrase"), "guessed").unwrap();
    table
        .join_parts(&[])
        .fails(2, &["keys/admin.key.json", "passphrase is wrong"]);
    fs::remove_file(table.path("parts-co/keys/admin.key.json")).unwrap();
    table
        .join_parts(&[])
        .fails(2, &["admin.key.json", "jangbu key new"]);
}

#[test]
fn an_entry_that_was_changed_on_its_way_is_refused_with_its_field() {
    let table = Table::new();
    fine(&table.new_template());
    fine(&table.join_acme());
    fine(&table.join_parts(&[]));
    let assemble = |files: &[&str]| {
        let assemble = ["genesis", "assemble", "template.json"];
        table.as_member("acme", &[&assemble[..], files].concat())
    };
    assemble(&["acme.join.json"]).fails(2, &["parts-co did not join yet"]);
    table.edit("parts-co.join.json", "Parts & Co", "Parts & Sons");
    assemble(&["acme.join.json", "parts-co.join.json"]).fails(
        2,
        &[
            "parts-co.join.json",
            "content.members[parts-co].possession",
            "changed after",
        ],
    );
    table.edit("acme.join.json", "\"prefixes\"", "\"prefixs\"");
    assemble(&["acme.join.json"]).fails(2, &["acme.join.json", "member", "prefixs"]);
    fs::write(table.path("acme.join.json"), "").unwrap();
    assemble(&["acme.join.json"]).fails(2, &["acme.join.json", "it is empty"]);
    assert!(!table.path("content.json").exists());
}

#[test]
fn everyone_signs_the_same_content_or_nothing_is_founded() {
    let table = Table::assembled();
    let other = "11".repeat(32);
    table
        .as_member(
            "acme",
            &["genesis", "approve", "content.json", "--chain-id", &other],
        )
        .fails(3, &["content.json", &other]);
    fine(&table.as_member("acme", &["genesis", "sign", "content.json"]));
    table
        .as_member(
            "acme",
            &["genesis", "finish", "content.json", "acme.approval.json"],
        )
        .fails(2, &["the signature of parts-co is missing"]);
    let approvals = ["acme.approval.json", "acme.approval.json"];
    table
        .as_member(
            "acme",
            &[&["genesis", "finish", "content.json"][..], &approvals].concat(),
        )
        .fails(2, &["parts-co is missing"]);
    let content = fs::read(table.path("content.json")).unwrap();
    let chain = jangbu_genesis::document::Content::parse(&content)
        .unwrap()
        .chain_id();
    table.edit("acme.approval.json", &chain.to_string(), &other);
    table
        .as_member(
            "acme",
            &["genesis", "finish", "content.json", "acme.approval.json"],
        )
        .fails(2, &["acme.approval.json", "approved another content"]);
    assert!(!table.path("genesis.json").exists());
}

#[test]
fn a_genesis_file_that_was_altered_does_not_hold_and_a_damaged_one_is_unreadable() {
    let table = Table::founded();
    let good = fs::read_to_string(table.path("genesis.json")).unwrap();
    let verify = |text: &str| {
        fs::write(table.path("genesis.json"), text).unwrap();
        table.as_member("acme", &["genesis", "verify", "genesis.json"])
    };
    verify(&good.replacen("800", "801", 1)).fails(3, &["genesis.json", "the signature of acme"]);
    verify(&good.replacen("tcp/7401", "tcp/7402", 1)).fails(3, &["members[acme].possession"]);
    verify(&good.replacen("\"participant\"", "\"regulator\"", 1)).fails(3, &["parts-co"]);
    verify(&good[..good.len() / 2]).fails(2, &["genesis.json", "it is damaged", "line"]);
    verify(&good.replacen("\"pilot\"", "7", 1)).fails(2, &["content.consortium"]);
    verify("").fails(2, &["genesis.json", "it is empty"]);
}

#[test]
fn keys_are_made_for_a_role_once_and_listed_without_a_passphrase() {
    let table = Table::new();
    fs::create_dir(table.path("fresh")).unwrap();
    fs::write(table.path("fresh/passphrase"), "five random words").unwrap();
    let list = || table.as_member("fresh", &["--json", "key", "list"]);
    assert_eq!((list().code, list().stdout.as_str()), (0, ""));
    let made = table.as_member("fresh", &["--json", "key", "new", "--role", "auditor"]);
    fine(&made);
    let keys = made.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| key["made"] == true));
    // A second time nothing is made, and another passphrase than the first does not fit.
    let again = table.as_member("fresh", &["--json", "key", "new", "--role", "auditor"]);
    for (before, now) in keys.iter().zip(again.json()["keys"].as_array().unwrap()) {
        assert_eq!(before["public_key"], now["public_key"]);
        assert_eq!(now["made"], false);
    }
    assert_eq!(list().stdout.lines().count(), 4);
    fs::write(table.path("fresh/passphrase"), "other").unwrap();
    table
        .as_member("fresh", &["key", "new", "peer"])
        .fails(2, &["passphrase is wrong"]);
    fs::write(table.path("acme/passphrase"), "").unwrap();
    fs::remove_dir_all(table.path("acme/keys")).unwrap();
    table
        .as_member("acme", &["key", "new", "admin"])
        .fails(2, &["the passphrase is empty"]);
    let unknown = table.as_member("acme", &["key", "new", "door"]);
    unknown.fails(2, &["door", "attestor"]);
}

#[test]
fn a_key_file_that_is_cut_open_to_others_or_renamed_says_what_to_do() {
    let table = Table::new();
    let file = table.path("acme/keys/admin.key.json");
    let list = || table.as_member("acme", &["key", "list"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    list().fails(2, &["admin.key.json", "chmod 600"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    list().fails(2, &["admin.key.json", "truncated"]);
    fs::copy(table.path("parts-co/keys/attestor.key.json"), &file).unwrap();
    fine(&table.new_template());
    table
        .join_acme()
        .fails(2, &["admin.key.json", "holds the attestor key"]);
}
