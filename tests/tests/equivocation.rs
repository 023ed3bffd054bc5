//! A member that contradicts itself, from its first lie to the entry about it: real nodes, real
//! keys, the command line that members use.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::id::Height;
use jangbu_ledger::statement::Kind;
use jangbu_tests::cluster::{Cluster, OPERATORS, issue, item, text_at, wait_until};
use jangbu_tests::devnet::Ran;
use jangbu_tests::peer::Impostor;
use serde_json::Value;

/// The nodes that hear the lies.
const WITNESSES: [usize; 2] = [0, 1];
/// The member whose node gives way to this test.
const FAITHLESS: usize = 3;

/// Four nodes of which two are stopped, so that what runs at the two others stays undecided.
/// Returns that height.
fn with_a_height_that_stays(cluster: &mut Cluster) -> Height {
    for node in [2, FAITHLESS] {
        cluster.nodes[node].terminate();
    }
    let height = wait_until("both are at one height", || {
        let at = |node: usize| cluster.nodes[node].metrics().number("jangbu_height");
        match (at(0)?, at(1)?) {
            (a, b) if a == b => Ok(a),
            apart => Err(format!("{apart:?}")),
        }
    });
    let author = cluster.author("vela");
    let envelope = author.envelope(vec![issue(item(1))]);
    let path = "/v1/envelopes?wait=accepted";
    let taken = cluster.nodes[0].client().submit_to(path, &envelope);
    assert_eq!(taken.status, 202, "{taken}");
    Height(height + 1)
}

/// Says to both witnesses what contradicts itself: two precommits and two proposals.
fn lie(impostor: &Impostor, height: Height) {
    for node in WITNESSES {
        for block in [1, 2] {
            impostor.say(node, &impostor.precommit(height, 0, block));
            // Each validator proposes in one of four rounds; the others are not its turn.
            for round in 0..4 {
                impostor.say(node, &impostor.proposal(height, round, block));
            }
        }
    }
}

/// What a witness keeps in the end: the file about the precommits, the one about the proposals.
/// Each is in the log with its member; the log tells of a file after it is there.
fn evidence(cluster: &Cluster, witness: usize) -> [PathBuf; 2] {
    let node = &cluster.nodes[witness];
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let files: [PathBuf; 2] = wait_until("there is evidence of both, and the log tells", || {
        let files = node.evidence();
        let log = node.log_text();
        for file in &files {
            let line = log.lines().find(|line| line.contains(&name(file)));
            if !line.is_some_and(|line| line.contains(OPERATORS[FAITHLESS])) {
                return Err(format!("{}: {line:?}", name(file)));
            }
        }
        files.try_into().map_err(|files| format!("{files:?}"))
    });
    // In whatever rounds they were.
    let of = |what: &str| files.iter().find(|file| name(file).contains(what)).cloned();
    [of("precommit").unwrap(), of("proposal").unwrap()]
}

fn verify(cluster: &Cluster, member: &str, file: &Path) -> Ran {
    cluster.jangbu(member, 0, &["verify", file.to_str().unwrap()])
}

fn record(cluster: &Cluster, member: &str, node: usize, file: &Path) -> Ran {
    let arguments = ["evidence", "record", file.to_str().unwrap()];
    cluster.jangbu(member, node, &arguments)
}

/// The file with its first signature's first digit changed.
fn altered(file: &Path) -> PathBuf {
    let mut value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let signature = &mut value["equivocation"]["first"]["signature"];
    let text = signature.as_str().unwrap();
    let other = if text.starts_with('0') { '1' } else { '0' };
    *signature = format!("{other}{}", &text[1..]).into();
    let path = file.with_extension("altered");
    fs::write(&path, value.to_string()).unwrap();
    path
}

/// What a node says of a statement, once that is final there.
fn served(cluster: &Cluster, node: usize, id: &str) -> Value {
    let name = OPERATORS[node];
    wait_until(&format!("{name} serves it, final"), || {
        let path = format!("/v1/statements/{id}");
        let answer = cluster.nodes[node].client().try_get(&path)?;
        match answer.status {
            200 if answer.json()["status"] == "final" => Ok(answer.json()),
            _ => Err(answer.to_string()),
        }
    })
}

fn entry_of(found: &Value) -> Entry {
    let bytes = BASE64_STANDARD.decode(text_at(found, "entry_bytes"));
    Entry::decode(&bytes.unwrap()).unwrap()
}

#[test]
fn a_member_that_contradicts_itself_is_proved_to_everybody_and_it_stands_on_the_ledger() {
    let mut cluster = Cluster::start();
    let height = with_a_height_that_stays(&mut cluster);
    let impostor = Impostor::of(&cluster, FAITHLESS, &WITNESSES);
    lie(&impostor, height);

    // Each witness keeps a file for each offence, and counts it.
    let files = WITNESSES.map(|witness| evidence(&cluster, witness));
    for witness in WITNESSES {
        let name = "jangbu_equivocations_total";
        let metrics = cluster.nodes[witness].metrics();
        assert_eq!(metrics.number(name), Ok(2));
        let charges = metrics.charges().unwrap();
        assert!(charges.iter().any(|c| c.counter == name), "{charges:?}");
    }
    drop(impostor);

    // Two members, each with the file of another node, and nothing else but the genesis file.
    for (member, file) in [("cml1", &files[0][0]), ("nordwind", &files[1][0])] {
        let ran = verify(&cluster, member, file);
        assert_eq!(ran.code, 0, "{ran:?}");
        let found = ran.object();
        assert_eq!(text_at(&found, "member"), OPERATORS[FAITHLESS], "{found}");
        assert_eq!(text_at(&found, "said_twice"), "precommit", "{found}");
        assert_eq!(found["height"], height.0, "{found}");
        let ran = verify(&cluster, member, &altered(file));
        assert_eq!(ran.code, 3, "{ran:?}");
    }
    let ran = verify(&cluster, "cml1", &files[1][1]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(text_at(&ran.object(), "said_twice"), "proposal", "{ran:?}");

    // With a quorum again, it becomes an entry, once.
    cluster.start_all();
    let ran = record(&cluster, "cml1", 0, &altered(&files[0][0]));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("evidence.holds"), "{ran:?}");
    let ran = record(&cluster, "cml1", 0, &files[0][0]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let recorded = ran.object();
    let id = text_at(&recorded, "statement_id");
    let served: Vec<Value> = (0..OPERATORS.len())
        .map(|node| served(&cluster, node, id))
        .collect();
    let entry = entry_of(&served[0]);
    assert!(
        matches!(&entry.body, EntryBody::Statement(recorded)
            if matches!(recorded.statement.kind, Kind::EvidenceRecorded { .. })),
        "{entry:?}"
    );
    for found in &served {
        assert_eq!(found["sequence"], recorded["sequence"], "{found}");
        assert_eq!(found["entry_bytes"], served[0]["entry_bytes"], "{found}");
    }
    let again = record(&cluster, "cml1", 1, &files[1][0]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.object()["duplicate"], true, "{again:?}");
    assert_eq!(text_at(&again.object(), "statement_id"), id);
    let late = record(&cluster, "nordwind", 2, &files[1][0]);
    assert_eq!(late.code, 3, "{late:?}");
    assert!(late.err.contains("evidence.once"), "{late:?}");
    let other = record(&cluster, "nordwind", 2, &files[1][1]);
    assert_eq!(other.code, 0, "another offence: {other:?}");
}
