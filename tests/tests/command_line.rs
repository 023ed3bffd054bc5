//! The command line against real nodes: what a member says is recorded once, whatever is down in
//! between, and what the ledger does not accept has the exit code of its cause.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use jangbu_tests::devnet::{Devnet, Ran};

const A: &str = "urn:uuid:aaaaaaaa-7b69-444d-81e6-655d0f1513bd";
const B: &str = "urn:uuid:bbbbbbbb-7b69-444d-81e6-655d0f1513bd";
const C: &str = "urn:uuid:cccccccc-7b69-444d-81e6-655d0f1513bd";

/// A document in a directory that ends with the test.
fn document(devnet: &Devnet, text: &str) -> String {
    let path = devnet.home("cml1").join("document.json");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn issue(devnet: &Devnet, member: &str, product: &str, more: &[&str]) -> Ran {
    let file = document(devnet, r#"{"weight": "112 kg"}"#);
    let base = ["passport", "issue", &file, "--product", product];
    let granularity = ["--granularity", "item"];
    devnet.jangbu(member, &[&base[..], &granularity, more].concat())
}

fn supersede(devnet: &Devnet, text: &str, more: &[&str]) -> Ran {
    let file = document(devnet, text);
    let base = ["passport", "supersede", &file, "--product", A];
    devnet.jangbu("cml1", &[&base[..], more].concat())
}

/// The statements about a product, by the ledger.
fn said(devnet: &Devnet, product: &str) -> Vec<String> {
    let listed = devnet.settled("veritas", &["list", "--subject", product]);
    let kind = |line: &serde_json::Value| {
        let kind = &line["statement"]["kind"]["kind"];
        kind.as_str().unwrap().to_owned()
    };
    listed.lines().iter().map(kind).collect()
}

#[test]
fn what_the_ledger_does_not_accept_has_its_exit_code_and_changes_nothing() {
    let devnet = Devnet::up();
    let before = devnet.log_size("cml1");

    // Another member's key in this member's name.
    let other = devnet.home("cnkc");
    let (keys, passphrase) = (other.join("keys"), other.join("passphrase"));
    let foreign = ["--keystore", keys.to_str().unwrap()];
    let unlocked = ["--passphrase-file", passphrase.to_str().unwrap()];
    let ran = issue(&devnet, "cml1", A, &[foreign, unlocked].concat());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("of cnkc, not of cml1"), "{ran:?}");

    // A key that nobody registered.
    let made = devnet.home("cml1").join("other-keys");
    let made = ["--keystore", made.to_str().unwrap()];
    let new = [&["key", "new", "--role", "participant"], &made[..]].concat();
    assert_eq!(devnet.jangbu("cml1", &new).code, 0);
    let ran = issue(&devnet, "cml1", A, &made);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("not registered"), "{ran:?}");

    // An envelope that was altered on its way.
    let file = devnet.home("cml1").join("signed.bin");
    let signed = file.to_str().unwrap();
    assert_eq!(issue(&devnet, "cml1", A, &["--sign-only", signed]).code, 0);
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let ran = devnet.jangbu("cml1", &["submit", signed]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("signature"), "{ran:?}");
    assert_eq!(devnet.log_size("cml1"), before);

    // As it was, it is taken, and taken once.
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let first = devnet.done("cml1", &["submit", signed]).object();
    let second = devnet.done("cml1", &["submit", signed]).object();
    assert_eq!(first["statement_id"], second["statement_id"]);
    assert_eq!(first["sequence"], second["sequence"]);
    assert_eq!(said(&devnet, A), ["passport_issued"]);

    // A rule.
    let ran = issue(
        &devnet,
        "cml1",
        "https://id.gs1.org/01/09521234002000/21/X",
        &[],
    );
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("subject.prefix"), "{ran:?}");
    let ran = issue(&devnet, "cnkc", A, &[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("subject.owner"), "{ran:?}");
    assert_eq!(said(&devnet, A), ["passport_issued"]);
}

#[test]
fn a_version_is_made_once_whatever_is_down_in_between() {
    let devnet = Devnet::up();
    assert_eq!(issue(&devnet, "cml1", A, &[]).code, 0);

    // The first node is down: another is asked, once it has what the first one said was final; and
    // three of four suffice.
    devnet.node("stop", "amperia");
    let second = supersede(&devnet, r#"{"v": 2}"#, &[]);
    assert_eq!(second.code, 0, "{second:?}");
    let again = supersede(&devnet, r#"{"v": 2}"#, &[]).object();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["statement_id"], second.object()["statement_id"]);

    // Two of four do not: nobody can say what became of it.
    devnet.node("stop", "hanbit");
    let unknown = supersede(&devnet, r#"{"v": 3}"#, &["--timeout", "2"]);
    assert_eq!(unknown.code, 5, "{unknown:?}");
    let error: serde_json::Value = serde_json::from_str(&unknown.err).unwrap();
    let kept = devnet.home("cml1").join("vault/envelopes");
    let envelope = kept.join(format!("{}.bin", error["id"].as_str().unwrap()));
    assert!(envelope.exists(), "{error}");

    // The same command, once there is a quorum again.
    devnet.node("start", "hanbit");
    let third = supersede(&devnet, r#"{"v": 3}"#, &[]);
    assert_eq!(third.code, 0, "{third:?}");
    assert!(!envelope.exists());
    assert_eq!(
        said(&devnet, A),
        [
            "passport_issued",
            "passport_superseded",
            "passport_superseded"
        ]
    );

    // None at all.
    for node in ["hanbit", "nordwind", "soyu"] {
        devnet.node("stop", node);
    }
    let ran = supersede(&devnet, r#"{"v": 4}"#, &["--number", "4"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 0);
    // What is recorded needs no node to be known.
    let ran = supersede(&devnet, r#"{"v": 3}"#, &["--number", "3"]);
    assert_eq!(ran.object()["duplicate"], true, "{ran:?}");
}

#[test]
fn nobody_is_shown_less_than_they_saw_final() {
    let devnet = Devnet::up();
    assert_eq!(issue(&devnet, "cml1", A, &[]).code, 0);
    let file = devnet.home("cml1").join("vault/known");
    let seen = fs::read_to_string(&file).unwrap();
    let (ledger, entries) = seen.trim_end().split_once(' ').unwrap();
    let there = devnet.log_size("cml1");
    assert!(entries.parse::<u64>().unwrap() <= there, "{seen}");

    // One more than there is: every node is behind, and says so. Where it stands is shown.
    let more = format!("{ledger} {}\n", there + 1);
    fs::write(&file, &more).unwrap();
    let ran = devnet.jangbu("cml1", &["show", A]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("it is behind"), "{ran:?}");
    assert_eq!(devnet.log_size("cml1"), there);

    // It is waited for a node that catches up.
    std::thread::scope(|scope| {
        let shown = scope.spawn(|| devnet.jangbu("cml1", &["show", A]));
        assert_eq!(issue(&devnet, "cnkc", B, &[]).code, 0);
        let shown = shown.join().unwrap();
        assert_eq!(shown.code, 0, "{shown:?}");
    });

    // What was seen of another ledger, or is not to be read, keeps nobody from anything.
    let other = format!("{} 1000000\n", "0".repeat(64));
    for text in [other.as_str(), "", "\0\0\0"] {
        fs::write(&file, text).unwrap();
        let ran = devnet.jangbu("cml1", &["show", A]);
        assert_eq!(ran.code, 0, "{text:?}: {ran:?}");
    }
    // And it is right again with the next thing that becomes final.
    assert_eq!(issue(&devnet, "cml1", C, &[]).code, 0);
    let seen = fs::read_to_string(&file).unwrap();
    assert!(seen.starts_with(ledger), "{seen}");
}

#[test]
fn links_are_stated_confirmed_shown_and_traced_by_the_companies_concerned() {
    let devnet = Devnet::up();
    for (member, product) in [("cml1", A), ("cnkc", B), ("csgv", C)] {
        assert_eq!(issue(&devnet, member, product, &[]).code, 0);
    }
    let link = ["link", "component", A, B, "--quantity", "2.50"];
    let link = devnet.done("cml1", &link).object();
    let link = link["statement_id"].as_str().unwrap();
    let below = [
        "link",
        "component",
        B,
        C,
        "--quantity",
        "3",
        "--unit",
        "KGM",
    ];
    assert_eq!(devnet.done("cnkc", &below).object()["status"], "final");

    // Confirmed by its id, again by its ends; by nobody else, and not what nobody stated.
    let by_id = devnet.done("cnkc", &["link", "confirm", link]).object();
    let by_ends = devnet.done("cnkc", &["link", "confirm", A, B]).object();
    assert_eq!(by_id["statement_id"], by_ends["statement_id"]);
    assert_eq!(by_ends["duplicate"], true);
    for (member, arguments, words) in [
        ("cml1", ["link", "confirm", B, C], "link.confirmer"),
        ("csgv", ["link", "confirm", A, C], "link.known"),
    ] {
        let ran = devnet.jangbu(member, &arguments);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains(words), "{ran:?}");
    }

    let traced = devnet.settled("veritas", &["trace", A]).object();
    assert_eq!(traced["counts"]["things"], 3);
    assert_eq!(traced["counts"]["links"], 2);
    assert_eq!(traced["counts"]["confirmed"], 1);
    assert_eq!(traced["counts"]["companies"], 3);
    assert_eq!(
        said(&devnet, A),
        ["passport_issued", "component_linked", "component_confirmed"]
    );

    // Everyone sees who said it and verifies that it is recorded; its author sees what it says.
    let own = devnet.done("cml1", &["show", link]).object();
    let others = devnet.done("marktamt", &["show", link]).object();
    assert_eq!(own["verified"], true);
    assert_eq!(others["verified"], true);
    assert_eq!(others["member"], "cml1");
    assert_eq!(own["opening"]["matches_commitment"], true);
    assert!(others.get("opening").is_none());
    let envelope = own["envelope_id"].as_str().unwrap();
    let shown = devnet.done("marktamt", &["show", envelope]).object();
    assert_eq!(shown["status"], "final");
    assert_eq!(shown["outcomes"][0]["statement_id"], link);
}

#[test]
fn quiet_leaves_what_was_asked_for_and_what_is_wrong() {
    let devnet = Devnet::up();
    let directory = devnet.path();
    let directory = directory.to_str().unwrap();
    let quiet = |arguments: &[&str]| devnet.as_a_person("cml1", &[&["-q"], arguments].concat());
    let file = document(&devnet, r#"{"weight": "112 kg"}"#);
    let issue = [
        "passport",
        "issue",
        &file,
        "--granularity",
        "item",
        "--product",
    ];
    let copy = devnet.path().join("copy");
    let proof = devnet.path().join("proof");
    for done in [
        [&issue[..], &[A]].concat(),
        [&issue[..], &[A]].concat(),
        vec!["vault", "export", copy.to_str().unwrap()],
        vec!["prove", "subject", A, "-o", proof.to_str().unwrap()],
        vec!["devnet", "--dir", directory, "stop", "soyu"],
        vec!["devnet", "--dir", directory, "start", "soyu"],
        vec!["devnet", "--dir", directory, "up"],
    ] {
        let ran = quiet(&done);
        assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", ""), "{done:?}");
    }
    for shown in [
        vec!["list", "--subject", A],
        vec!["show", A],
        vec!["node", "status"],
        vec!["devnet", "--dir", directory, "status"],
    ] {
        let ran = quiet(&shown);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{shown:?}");
        assert!(!ran.out.is_empty(), "{shown:?}");
    }
    // What a rule refuses is told, and why.
    let foreign = "https://id.gs1.org/01/09521234002000/21/NOT-MINE";
    let ran = quiet(&[&issue[..], &[foreign]].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("subject.prefix"), "{ran:?}");
    // A program reads on.
    let ran = quiet(&[&["--json"], &issue[..], &[A]].concat());
    assert_eq!(ran.object()["duplicate"], true);
    let ran = quiet(&["devnet", "--dir", directory, "down"]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", ""));
}
