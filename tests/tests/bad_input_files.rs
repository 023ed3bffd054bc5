//! A node whose files are not right does not start, and says which file and what to do.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use jangbu_genesis::document::Parameters;
use jangbu_tests::cluster::{Cluster, Consortium, NodeProcess, OPERATORS};

/// Runs the node; it must end with an error that has all of `parts` in it.
fn refuses(node: &NodeProcess, what: &str, parts: &[&str]) {
    let (code, text) = node.run_to_end();
    assert_eq!(code, Some(1), "{what}: {text}");
    let error = text
        .lines()
        .skip_while(|line| !line.starts_with("jangbu-node: "))
        .collect::<Vec<_>>()
        .join("\n");
    for part in parts {
        assert!(error.contains(part), "{what}: {part:?} is not in {error:?}");
    }
    assert!(!text.contains("panicked"), "{what}: {text}");
}

/// Changes a file for the duration of `check`, then puts it back.
fn with_file(path: &Path, content: impl AsRef<[u8]>, check: impl FnOnce()) {
    let before = fs::read(path).unwrap();
    fs::write(path, content).unwrap();
    check();
    fs::write(path, before).unwrap();
}

#[test]
fn a_genesis_file_that_is_damaged_or_of_others_is_refused() {
    let cluster = Cluster::found();
    let node = &cluster.nodes[0];
    let file = cluster.consortium.genesis_file();
    let good = fs::read_to_string(&file).unwrap();
    let altered = good.replacen("\"max_idle_ms\": 30000", "\"max_idle_ms\": 30001", 1);
    assert_ne!(altered, good);
    let twice = good.replacen("\"content\":", "\"signatures\": [], \"content\":", 1);
    let mut no_text = good.clone().into_bytes();
    no_text[40] = 0xff;
    for (what, bytes, parts) in [
        ("empty", Vec::new(), ["empty", "another member"]),
        (
            "cut",
            good.as_bytes()[..good.len() / 2].to_vec(),
            ["damaged", "another member"],
        ),
        ("no UTF-8", no_text, ["damaged", "another member"]),
        (
            "a key twice",
            twice.into_bytes(),
            ["damaged", "another member"],
        ),
        ("altered", altered.into_bytes(), ["altered", "signature"]),
        (
            "too long",
            vec![b' '; 5 * 1024 * 1024],
            ["bytes", "at most"],
        ),
    ] {
        with_file(&file, bytes, || {
            let parts = [parts[0], parts[1], "genesis.json"];
            refuses(node, what, &parts);
        });
    }
    fs::rename(&file, file.with_extension("gone")).unwrap();
    refuses(node, "missing", &["genesis.json", "No such file"]);
    fs::rename(file.with_extension("gone"), &file).unwrap();

    // Founded by others: the keys are not the ones it names.
    let others = Consortium::found(&OPERATORS, &[], Parameters::default(), |_| {
        "/ip4/127.0.0.1/tcp/1".into()
    });
    with_file(&file, fs::read(others.genesis_file()).unwrap(), || {
        refuses(node, "of others", &["keys", "amperia", "keystore"]);
    });
}

#[test]
fn a_database_of_another_ledger_is_refused() {
    let mut cluster = Cluster::start();
    cluster.nodes[0].terminate();
    let others = Cluster::found();
    // The other consortium's keys and genesis, over this one's database.
    let home = cluster.consortium.home("amperia");
    fs::remove_dir_all(home.join("keys")).unwrap();
    fs::rename(
        others.consortium.home("amperia").join("keys"),
        home.join("keys"),
    )
    .unwrap();
    let genesis = fs::read(others.consortium.genesis_file()).unwrap();
    fs::write(cluster.consortium.genesis_file(), genesis).unwrap();
    refuses(
        &cluster.nodes[0],
        "another ledger's database",
        &["data", "genesis file founds"],
    );
}

#[test]
fn a_keystore_or_passphrase_that_is_wrong_is_refused() {
    let cluster = Cluster::found();
    let node = &cluster.nodes[0];
    let home = cluster.consortium.home("amperia");
    let key = home.join("keys/consensus.key.json");
    let good = fs::read_to_string(&key).unwrap();
    let named = ["consensus.key.json", "backup"];
    with_file(&key, &good[..good.len() / 2], || {
        refuses(node, "cut", &named);
    });
    with_file(&key, "{}", || refuses(node, "empty object", &named));
    with_file(&key, [0xff; 100], || refuses(node, "no UTF-8", &named));
    with_file(&key, vec![b' '; 1024 * 1024], || {
        refuses(
            node,
            "too long",
            &["consensus.key.json", "more than 16384 bytes"],
        );
    });
    // Another key under this name.
    let witness = fs::read(home.join("keys/witness.key.json")).unwrap();
    with_file(&key, witness, || {
        refuses(node, "another key", &["consensus.key.json"]);
    });
    // One digit of the locked secret.
    let value: serde_json::Value = serde_json::from_str(&good).unwrap();
    let secret = value["ciphertext"]
        .as_str()
        .expect("a key file has a ciphertext");
    let digit = if secret.starts_with('0') { '1' } else { '0' };
    let altered = good.replacen(secret, &format!("{digit}{}", &secret[1..]), 1);
    with_file(&key, altered, || {
        refuses(
            node,
            "altered",
            &["consensus.key.json", "the file was altered"],
        );
    });
    fs::rename(&key, key.with_extension("gone")).unwrap();
    refuses(node, "missing", &["consensus.key.json", "jangbu key new"]);
    fs::rename(key.with_extension("gone"), &key).unwrap();

    let passphrase = home.join("passphrase");
    with_file(&passphrase, "not it\n", || {
        refuses(
            node,
            "wrong passphrase",
            &["key.json", "the passphrase is wrong"],
        );
    });
    with_file(&passphrase, "x".repeat(5000), || {
        refuses(node, "a huge passphrase", &["passphrase", "4096 bytes"]);
    });
    fs::remove_file(&passphrase).unwrap();
    refuses(node, "no passphrase file", &["passphrase", "No such file"]);
    let config = fs::read_to_string(&node.config).unwrap();
    let without = config.replacen("passphrase_file = \"passphrase\"\n", "", 1);
    with_file(&node.config, without, || {
        let parts = ["node.toml", "passphrase_file", "JANGBU_PASSPHRASE"];
        refuses(node, "no passphrase at all", &parts);
    });
}

#[test]
fn a_configuration_that_is_wrong_is_refused_with_key_value_and_fix() {
    let cluster = Cluster::found();
    let node = &cluster.nodes[0];
    let good = fs::read_to_string(&node.config).unwrap();
    let api = format!("listen = \"{}\"", node.api);
    for (what, text, parts) in [
        (
            "an unknown key",
            format!("colour = 1\n{good}"),
            ["colour", "unknown field"],
        ),
        (
            "no TOML",
            format!("{good}\n[[["),
            ["TOML parse error", "line"],
        ),
        (
            "a missing key",
            good.replacen("member", "# member", 1),
            ["member", "missing field"],
        ),
        (
            "an API for all",
            good.replacen(&api, "listen = \"0.0.0.0:7402\"", 1),
            ["0.0.0.0:7402", "127.0.0.1"],
        ),
        (
            "a member without a node",
            good.replacen("\"amperia\"", "\"cml1\"", 1),
            ["cml1 is no operator", "amperia, hanbit, nordwind, soyu"],
        ),
    ] {
        assert_ne!(text, good, "{what}");
        with_file(&node.config, text, || refuses(node, what, &parts));
    }
    fs::remove_file(&node.config).unwrap();
    refuses(node, "missing", &["node.toml", "No such file"]);
}

#[test]
fn a_port_or_database_that_another_process_has_is_named() {
    let mut cluster = Cluster::found();
    let taken = TcpListener::bind(cluster.nodes[0].api).unwrap();
    let address = cluster.nodes[0].api.to_string();
    refuses(
        &cluster.nodes[0],
        "the API's port",
        &["api.listen", &address, "another port"],
    );
    drop(taken);
    cluster.start_all();
    refuses(
        &cluster.nodes[0],
        "the database",
        &["another process", "data"],
    );
    cluster.wait_until_ready();
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let cluster = Cluster::found();
    let node = &cluster.nodes[0];
    fs::write(&node.data, "a file is in the way").unwrap();
    refuses(
        node,
        "a file in its place",
        &["data", "Not a directory", "may write there"],
    );
}
