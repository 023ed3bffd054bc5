//! The API's description against the API: every route is asked on a devnet on which much was said,
//! and every answer has a status, a media type and a content that the description has; then a program
//! that others wrote makes up requests from the description.
//!
//! Needs python3 with venv, and once the network: `scripts/tool schemathesis` fetches its wheel.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod document;
mod story;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use jangbu_tests::cluster::Client;
use serde_json::Value;

use document::Document;
use story::Story;

/// A route, and what to ask it: what follows the path's fixed part, and the status.
type Asked = (&'static str, Vec<(String, u16)>);

/// Something to ask of every route, with what is wrong with it where something is.
fn questions(story: &Story) -> Vec<Asked> {
    let (statement, envelope) = (&story.statement, &story.envelope_id);
    let (product, car) = (story::PRODUCT, story::CAR);
    let member = &story.member_id;
    let none = "00".repeat(32);
    let at = story.height;
    let late = at + 1_000_000;
    let ok = |text: &str| (text.to_owned(), 200);
    let bad = |text: &str| (text.to_owned(), 400);
    let lost = |text: &str| (text.to_owned(), 404);
    let of = |id: &str, more: &str| (format!("?identifier={id}{more}"), 200);
    let about = |id: &str, more: &str, status| (format!("?identifier={id}{more}"), status);
    vec![
        ("/v1/openapi.json", vec![ok("")]),
        ("/livez", vec![ok("")]),
        ("/readyz", vec![ok("")]),
        ("/metrics", vec![ok("")]),
        ("/v1/status", vec![ok("")]),
        ("/v1/genesis", vec![ok("")]),
        ("/v1/members", vec![ok("")]),
        (
            "/v1/blocks/{height}",
            vec![
                ok("0"),
                ok("1"),
                ok(&at.to_string()),
                lost(&late.to_string()),
                bad("-1"),
            ],
        ),
        (
            "/v1/envelopes/{id}",
            vec![ok(envelope), ok(&none), bad("x")],
        ),
        (
            "/v1/statements/{id}",
            vec![ok(statement), ok(&story.offer), ok(&none), bad("x")],
        ),
        (
            "/v1/receipts/{id}",
            vec![ok(statement), lost(&none), bad("x")],
        ),
        (
            "/v1/receipts/{id}/cose",
            vec![
                ok(&format!("{statement}/cose")),
                lost(&format!("{none}/cose")),
                bad("x/cose"),
            ],
        ),
        (
            "/v1/subjects",
            vec![
                of(product, ""),
                of(car, ""),
                of(story::LOT, &format!("&at={at}")),
                of("dataset:nobody.example/x", ""),
                about(product, &format!("&at={late}"), 404),
                bad("?identifier=x"),
                bad(""),
            ],
        ),
        (
            "/v1/subjects/statements",
            vec![
                of(product, "&side=open&limit=1"),
                of(car, "&side=claims&after=0"),
                about(car, &format!("&side=open&at={late}"), 404),
                about(car, "&side=under", 400),
            ],
        ),
        (
            "/v1/subjects/uses",
            vec![of(story::DATA, ""), of(car, ""), bad("?limit=0")],
        ),
        (
            "/v1/slots",
            vec![
                ok(&format!("?member={member}&slot={none}")),
                ok(&format!(
                    "?member={}&slot={}",
                    story.sealed.0, story.sealed.1
                )),
                ok(&format!("?member={member}&slot={none}&at={at}")),
                lost(&format!("?member={member}&slot={none}&at={late}")),
                bad("?member=x&slot=y"),
            ],
        ),
        (
            "/v1/entries",
            vec![
                ok("?limit=1000"),
                ok("?from=3&limit=2"),
                ok(&format!("?at={at}")),
                lost(&format!("?at={late}")),
                bad("?limit=1001"),
                bad("?page=1"),
            ],
        ),
        (
            "/v1/trace",
            vec![
                of(car, ""),
                of(story::LOT, "&direction=up"),
                of(car, &format!("&depth=1&at={at}")),
                about(car, &format!("&at={late}"), 404),
                about(car, "&depth=65", 400),
                of(car, "&limit=1"),
                about(car, "&after=7", 400),
            ],
        ),
        // What it answers has no end: its events are judged by themselves.
        ("/v1/stream", vec![bad("?kind=nothing")]),
        (
            "/v1/proofs/statement/{id}",
            vec![ok(statement), lost(&none), bad("x")],
        ),
        (
            "/v1/proofs/subject",
            vec![of(car, ""), of("dataset:nobody.example/x", ""), bad("")],
        ),
        (
            "/v1/proofs/slot",
            vec![ok(&format!("?member={member}&slot={none}")), bad("?slot=1")],
        ),
        (
            "/v1/proofs/trace",
            vec![of(car, "&depth=2"), about(car, "&depth=65", 400)],
        ),
        (
            "/v1/proofs/lineage",
            vec![
                of(story::DATA, "&direction=forward&depth=3"),
                about(story::DATA, "&direction=sideways", 400),
            ],
        ),
        (
            "/v1/proofs/check",
            vec![
                of(
                    product,
                    "&profile=profile:eu-battery/industrial&components=true",
                ),
                about(
                    product,
                    &format!("&profile=profile:x/y&components=false&height={late}"),
                    404,
                ),
                about(product, "&profile=profile:x/y&components=maybe", 400),
            ],
        ),
        ("/v1/tlog-policy", vec![ok("")]),
        ("/checkpoint", vec![ok("")]),
        (
            "/tile/{path}",
            vec![ok("0/000.p/1"), lost("0/999"), bad("0/0000")],
        ),
    ]
}

#[test]
fn every_route_answers_as_it_is_described() {
    let story = Story::tell();
    let client = story.client();
    let document = Document::fetch(&client);
    let mut asked = BTreeSet::new();
    for (path, questions) in questions(&story) {
        asked.insert(("get", path.to_owned()));
        let fixed = path.split('{').next().unwrap();
        for (question, status) in questions {
            let answer = client.get(&format!("{fixed}{question}"));
            assert_eq!(answer.status, status, "{fixed}{question}: {answer}");
            document.judge("get", path, &answer);
        }
    }
    let path = "/v1/envelopes".to_owned();
    for (query, envelope, status) in [
        ("", story.envelope.clone(), 200),
        ("?wait=accepted", story.waiting.clone(), 202),
        ("", story.refused.clone(), 200),
        ("?wait=never", story.envelope.clone(), 400),
        ("", b"no envelope".to_vec(), 400),
        ("", story.forged.clone(), 401),
        ("", vec![0; 1024 * 1024 + 1], 413),
    ] {
        let answer = client.submit_to(&format!("{path}{query}"), &envelope);
        assert_eq!(answer.status, status, "{answer}");
        document.judge("post", &path, &answer);
    }
    asked.insert(("post", path));
    assert_eq!(document.operations(), asked, "described, and asked here");
}

#[test]
fn what_is_streamed_is_as_described() {
    let story = Story::tell();
    let client = story.client();
    let document = Document::fetch(&client);
    let events = story.events();
    assert!(events.len() > 40, "{} events", events.len());
    for event in &events {
        document.judge_event(event);
    }
}

/// Statements of every kind, as the format's test vectors have them.
#[test]
fn the_description_has_every_kind_of_statement() {
    let story = Story::tell();
    let document = Document::fetch(&story.client());
    let vectors = root().join("tests/vectors/statements.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let mut kinds = BTreeSet::new();
    for vector in vectors["statements"].as_array().unwrap() {
        let statement = &vector["statement"];
        document.judge_schema("Statement", statement);
        kinds.insert(statement["kind"]["kind"].as_str().unwrap());
    }
    assert_eq!(kinds.len(), jangbu_ledger::statement::Kind::NAMES.len());
}

/// The router and the description are made of one table; nothing is routed beside it.
#[test]
fn nothing_is_routed_that_is_not_described() {
    let api = root().join("node/src/api");
    let mut looked_at = 0;
    let mut open = vec![api.clone()];
    open.push(api.with_extension("rs"));
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        looked_at += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let routes = [
            ".route(",
            ".route_service(",
            ".nest(",
            ".nest_service(",
            ".merge(",
        ];
        let found = routes.iter().any(|how| text.contains(how));
        assert_eq!(found, path.ends_with("described.rs"), "{}", path.display());
    }
    assert!(looked_at > 15, "{looked_at}");
}

/// Requests made up from the description, good and bad: no answer is an error of the node's, none is
/// other than described, and nothing is taken that the description forbids.
#[test]
fn schemathesis_finds_no_answer_that_is_not_described() {
    let story = Story::tell();
    // It keeps notes where it runs.
    let notes = tempfile::tempdir().unwrap();
    let output = Command::new(root().join("scripts/tool"))
        .current_dir(notes.path())
        .args(["schemathesis", "--config-file"])
        .arg(root().join("tests/tests/openapi/schemathesis.toml"))
        .arg("run")
        .arg(format!("http://{}/v1/openapi.json", story.client().address))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{said}");
    let alive = Client::new(story.client().address).get("/readyz");
    assert_eq!(alive.status, 200, "{alive}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
