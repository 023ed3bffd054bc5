//! `jangbu devnet`: founded once, up and down as often as one likes, and nothing left running
//! whatever goes wrong.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jangbu_tests::devnet::{Devnet, Ran};
use serde_json::Value;

const NODES: [&str; 4] = ["amperia", "hanbit", "nordwind", "soyu"];

/// Whether a process that is not a reaped one's remains has this number.
fn lives(pid: u64) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

fn nodes(report: &Value) -> &Vec<Value> {
    report["nodes"].as_array().unwrap()
}

fn states(devnet: &Devnet) -> Vec<String> {
    let ran = devnet.devnet(&["status"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = |node: &Value| node["state"].as_str().unwrap().to_owned();
    nodes(&ran.object()).iter().map(text).collect()
}

fn pid_of(devnet: &Devnet, node: &str) -> u64 {
    let file = devnet.path().join("nodes").join(node).join("pid");
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

#[test]
fn a_devnet_goes_down_and_comes_up_as_the_same_ledger() {
    let devnet = Devnet::up();
    let up = devnet.devnet(&["up"]).object();
    assert_eq!(nodes(&up).len(), 4);
    assert_eq!(up["members"].as_array().unwrap().len(), 9);
    let pids: Vec<u64> = NODES.map(|node| pid_of(&devnet, node)).into();
    let document = devnet.path().join("passport.json");
    fs::write(&document, br#"{"capacity": "10 kWh"}"#).unwrap();
    let product = "https://id.gs1.org/01/09521234002000";
    let issue = [
        "passport",
        "issue",
        document.to_str().unwrap(),
        "--product",
        product,
    ];
    let _recorded = devnet.done("amperia", &issue);
    let size = devnet.log_size("amperia");

    let down = devnet.devnet(&["down"]);
    assert_eq!(down.code, 0, "{down:?}");
    assert_eq!(states(&devnet), ["stopped"; 4]);
    assert!(pids.iter().all(|pid| !lives(*pid)), "{pids:?}");

    let again = devnet.devnet(&["up"]).object();
    assert_eq!(again["chain_id"], up["chain_id"]);
    let urls = |report: &Value| -> Vec<Value> {
        nodes(report)
            .iter()
            .map(|node| node["url"].clone())
            .collect()
    };
    assert_eq!(urls(&again), urls(&up), "ports are kept");
    assert!(devnet.log_size("amperia") >= size);
    let repeated = devnet.done("amperia", &issue);
    assert!(
        repeated
            .lines()
            .iter()
            .all(|line| line["duplicate"] == true),
        "{repeated:?}"
    );
}

#[test]
fn one_validator_stops_and_starts_while_the_others_go_on() {
    let devnet = Devnet::up();
    let stopped = devnet.devnet(&["stop", "soyu"]);
    assert_eq!(stopped.object()["state"], "stopped", "{stopped:?}");
    assert_eq!(states(&devnet), ["ready", "ready", "ready", "stopped"]);
    let started = devnet.devnet(&["start", "soyu"]);
    assert_eq!(started.object()["state"], "ready", "{started:?}");
    let unknown = devnet.devnet(&["stop", "acme"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown.err.contains("amperia, hanbit, nordwind, soyu"),
        "{unknown:?}"
    );
}

#[test]
fn an_up_that_fails_says_why_and_leaves_nothing_running() {
    let devnet = Devnet::up();
    let report = devnet.devnet(&["status"]).object();
    assert_eq!(devnet.devnet(&["down"]).code, 0);
    let url = nodes(&report)[3]["url"].as_str().unwrap().to_owned();
    let _taken = TcpListener::bind(url.strip_prefix("http://").unwrap()).unwrap();
    let failed = devnet.devnet(&["up"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    for part in ["soyu", "node.log", "Address already in use"] {
        assert!(failed.err.contains(part), "no {part:?} in {failed:?}");
    }
    assert_eq!(states(&devnet), ["stopped"; 4]);
    for node in NODES {
        let file = devnet.path().join("nodes").join(node).join("pid");
        assert!(!file.exists(), "{node}");
    }
}

#[test]
fn an_interrupted_up_leaves_nothing_running() {
    let devnet = Devnet::up();
    assert_eq!(devnet.devnet(&["down"]).code, 0);
    // Nodes that never become ready, so that there is time to interrupt.
    let idle = devnet.path().join("jangbu-node");
    fs::write(&idle, "#!/bin/sh\nexec sleep 600\n").unwrap();
    fs::set_permissions(&idle, fs::Permissions::from_mode(0o755)).unwrap();
    let up = devnet
        .command(&["up"])
        .env("JANGBU_NODE_BIN", &idle)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = |node: &&str| devnet.path().join("nodes").join(node).join("pid").exists();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !NODES.iter().all(started) {
        assert!(Instant::now() < deadline, "the nodes were not started");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pids = NODES.map(|node| pid_of(&devnet, node));
    interrupt(up.id());
    let ran = Ran::of(&up.wait_with_output().unwrap());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("interrupted"), "{ran:?}");
    assert!(pids.iter().all(|pid| !lives(*pid)), "{pids:?}");
}

#[test]
fn down_leaves_a_process_alone_that_has_a_nodes_old_number() {
    let devnet = Devnet::up();
    assert_eq!(devnet.devnet(&["down"]).code, 0);
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let file = devnet.path().join("nodes/soyu/pid");
    fs::write(&file, format!("{}\n", other.id())).unwrap();
    let down = devnet.devnet(&["down"]);
    let ended = other.try_wait().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(down.code, 0, "{down:?}");
    assert_eq!(ended, None);
    fs::write(&file, "soon\n").unwrap();
    let garbage = devnet.devnet(&["status"]);
    assert_eq!(garbage.code, 2, "{garbage:?}");
    assert!(garbage.err.contains("nodes/soyu/pid"), "{garbage:?}");
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let devnet = Devnet::up();
    assert_eq!(devnet.devnet(&["down"]).code, 0);
    let genesis = devnet.path().join("genesis.json");
    let kept = fs::read(&genesis).unwrap();
    let up = |part: &str| {
        let ran = devnet.devnet(&["up"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(part), "no {part:?} in {ran:?}");
    };
    fs::remove_file(&genesis).unwrap();
    up("it is no devnet and not empty");
    fs::write(&genesis, &kept[..kept.len() / 2]).unwrap();
    up("genesis.json: it is damaged");
    fs::write(&genesis, &kept).unwrap();
    assert!(Path::new(&genesis).exists());
}

/// What Ctrl-C does.
fn interrupt(process: u32) {
    // The shell's own: not every system has it as a program.
    let kill = format!("kill -INT {process}");
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}
