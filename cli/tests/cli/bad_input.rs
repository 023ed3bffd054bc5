//! Files and settings that are not right: exit 2, a message that names the file, nothing sent,
//! nothing kept.

use std::fs;

use crate::home::{Home, PRODUCT, Run, program, run};
use crate::server::{Reply, Server};

/// Runs in a home whose node must not hear anything.
fn refused(prepare: impl FnOnce(&Home), args: &[&str], words: &[&str]) {
    let server = Server::start(|_| Reply::Close);
    let home = Home::new(&server.url());
    prepare(&home);
    let outcome = home.issue(args);
    outcome.fails(2, words);
    assert!(server.requests().is_empty(), "{outcome:?}");
    assert_eq!(home.kept("envelopes"), Vec::<String>::new());
    assert_eq!(home.kept("receipts"), Vec::<String>::new());
}

#[test]
fn a_document_that_readers_disagree_about_is_named_with_line_and_column() {
    for (document, words) in [
        (&b"{\"a\":1,\n \"a\":2}"[..], ["doc.json", "line 2"]),
        (b"{\"a\":", ["doc.json", "EOF"]),
        (b"{\"a\":\"\xff\"}", ["doc.json", "not UTF-8"]),
        (b"\xef\xbb\xbf{}", ["doc.json", "byte order mark"]),
        (b"{\"a\":9007199254740993}", ["doc.json", "2^53"]),
        (b"", ["doc.json", "EOF"]),
    ] {
        refused(|home| home.write("doc.json", document), &[], &words);
    }
}

#[test]
fn a_document_that_is_not_there_or_a_directory_is_named() {
    let missing = |home: &Home| fs::remove_file(home.path("doc.json")).unwrap();
    refused(missing, &[], &["doc.json", "no such file"]);
    let directory = |home: &Home| {
        fs::remove_file(home.path("doc.json")).unwrap();
        fs::create_dir(home.path("doc.json")).unwrap();
    };
    refused(directory, &[], &["doc.json", "directory"]);
}

#[test]
fn a_genesis_file_that_is_cut_altered_or_missing_is_named() {
    let cut = |home: &Home| home.write("genesis.json", &home.read("genesis.json")[..900]);
    refused(cut, &[], &["genesis.json", "damaged"]);
    let altered = |home: &Home| {
        let text = String::from_utf8(home.read("genesis.json")).unwrap();
        let text = text.replacen("1700000000000", "1700000000001", 1);
        home.write("genesis.json", text.as_bytes());
    };
    refused(altered, &[], &["genesis.json", "altered"]);
    let missing = |home: &Home| fs::remove_file(home.path("genesis.json")).unwrap();
    refused(missing, &[], &["genesis.json", "no such file"]);
}

#[test]
fn a_key_file_that_is_cut_or_missing_is_named() {
    let key = "keys/attestor.key.json";
    let cut = |home: &Home| home.write(key, &home.read(key)[..40]);
    refused(cut, &[], &["attestor.key.json", "truncated"]);
    let missing = |home: &Home| fs::remove_file(home.path(key)).unwrap();
    refused(missing, &[], &["attestor.key.json", "jangbu key new"]);
}

#[test]
fn a_wrong_passphrase_says_so() {
    let wrong = |home: &Home| home.write("passphrase", b"other\n");
    refused(wrong, &[], &["the passphrase is wrong", ".key.json"]);
}

#[test]
fn another_members_keystore_is_named_before_anything_is_sent() {
    let swapped = |home: &Home| {
        for key in ["attestor", "vault"] {
            let name = format!("{key}.key.json");
            fs::copy(
                home.path("validator").join(&name),
                home.path("keys").join(&name),
            )
            .unwrap();
        }
    };
    refused(
        swapped,
        &[],
        &["keys", "attestor key is the one of amperia, not of cml1"],
    );
}

#[test]
fn no_passphrase_and_nobody_to_ask_says_how_to_give_one() {
    let none = |home: &Home| {
        let text = String::from_utf8(home.read("jangbu.toml")).unwrap();
        let text = text.replace("passphrase_file = \"passphrase\"\n", "");
        home.write("jangbu.toml", text.as_bytes());
    };
    refused(none, &[], &["--passphrase-file", "JANGBU_PASSPHRASE"]);
}

#[test]
fn the_environments_passphrase_unlocks() {
    let home = Home::new("http://127.0.0.1:1");
    home.write("passphrase", b"other\n");
    let file = home.path("signed.bin");
    let mut command = home.command();
    command
        .env("JANGBU_PASSPHRASE", "pass")
        .arg("--home")
        .arg(home.path(""))
        .args(["passport", "issue", "doc.json", "--product", PRODUCT])
        .args(["--granularity", "item", "--sign-only"])
        .arg(&file);
    let outcome = run(command);
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

#[test]
fn a_member_that_is_none_lists_who_is() {
    refused(|_| {}, &["--member", "acme"], &["acme", "amperia, cml1"]);
}

#[test]
fn an_identifier_with_a_wrong_check_digit_names_the_right_one() {
    let home = Home::new("http://127.0.0.1:1");
    let outcome = home.run(&["show", "https://id.gs1.org/01/09521234002001"]);
    outcome.fails(2, &["check digit", "expected 0"]);
    let outcome = home.run(&["trace", "https://id.gs1.org/01/09521234002001"]);
    outcome.fails(2, &["check digit", "expected 0"]);
}

#[test]
fn without_configuration_the_missing_key_and_its_place_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let bare = |args: &[&str]| -> Run {
        let mut command = program(directory.path());
        command.args(args);
        run(command)
    };
    let outcome = bare(&["node", "status"]);
    outcome.fails(2, &["`node`", ".config/jangbu/jangbu.toml", "JANGBU_NODE"]);
    let outcome = bare(&["--config", "none.toml", "node", "status"]);
    outcome.fails(2, &["none.toml", "no such file"]);
    fs::write(directory.path().join("bad.toml"), "nodes = 1\n").unwrap();
    let outcome = bare(&["--config", "bad.toml", "node", "status"]);
    outcome.fails(2, &["bad.toml", "nodes", "passphrase_file"]);
    let outcome = bare(&["--node", "https://a", "node", "status"]);
    outcome.fails(2, &["https://a", "http://"]);
}

#[test]
fn an_envelope_for_another_ledger_or_cut_short_is_not_sent() {
    let server = Server::start(|_| Reply::Close);
    let (home, other) = (Home::new(&server.url()), Home::new(&server.url()));
    let signed = other.path("signed.bin");
    let signed = signed.to_str().unwrap();
    assert_eq!(other.issue(&["--sign-only", signed]).code, 0);
    home.run(&["submit", signed])
        .fails(2, &["signed.bin", "check the genesis file"]);
    let bytes = fs::read(signed).unwrap();
    fs::write(signed, &bytes[..bytes.len() - 1]).unwrap();
    other.run(&["submit", signed]).fails(2, &["signed.bin"]);
    fs::write(signed, vec![0; 2 * 1024 * 1024]).unwrap();
    other
        .run(&["submit", signed])
        .fails(2, &["signed.bin", "longer than"]);
    assert!(server.requests().is_empty());
}

#[test]
fn an_error_is_json_when_asked_for() {
    let home = Home::new("http://127.0.0.1:1");
    home.write("doc.json", b"{");
    let error = home.issue(&["--json"]).error();
    assert_eq!(error["code"], 2);
    assert_eq!(error["retryable"], false);
    assert!(error["message"].as_str().unwrap().contains("doc.json"));
}

#[test]
fn a_disk_without_room_changes_nothing_and_says_so() {
    let server = Server::start(|_| Reply::Close);
    let home = Home::new(&server.url());
    // No file may grow: what a full disk is to a program.
    let outcome = run(home.issue_in_shell("trap '' XFSZ; ulimit -f 0; exec \"$@\""));
    outcome.fails(1, &["no room", "vault"]);
    assert!(server.requests().is_empty());
    assert_eq!(home.kept("openings"), Vec::<String>::new());
}
