//! What is read: verified where it can be, shown with what the vault knows.

use serde_json::json;

use crate::home::{Home, PRODUCT, program, run};
use crate::ledger::Ledger;
use crate::server::{Reply, Server, nobody};

#[test]
fn a_statement_is_shown_with_its_document_and_its_receipt_verified() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let server = Server::start(move |request| ledger.answer(request));
    home.configure(&server.url());
    let outcome = home.issue(&["--json"]).json();
    let id = outcome["statement_id"].as_str().unwrap();
    let shown = home.run(&["show", id, "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let shown = shown.json();
    assert_eq!(shown["verified"], true);
    assert_eq!(shown["member"], "cml1");
    assert_eq!(shown["opening"]["matches_commitment"], true);
    assert_eq!(shown["opening"]["document"]["capacity"], 10);
    assert!(shown["opening"].get("key").is_none());
    let text = home.run(&["show", id]).stdout;
    assert!(
        text.contains("issues the passport of urn:uuid:7eeeac86"),
        "{text}"
    );
    assert!(text.contains("final, receipt verified"), "{text}");
    // Another's vault opens nothing and still verifies.
    let bare = home.run(&["show", id, "--vault", "elsewhere", "--json"]);
    assert_eq!(bare.json()["verified"], true, "{bare:?}");
    assert!(bare.json().get("opening").is_none());
}

#[test]
fn a_statement_that_is_not_the_one_asked_for_is_not_shown() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let asked = "ab".repeat(32);
    let inner = asked.clone();
    let server = Server::start(move |request| {
        if request.target.ends_with(&inner) {
            // Answers with whatever is recorded first.
            let bytes = std::fs::read(&request.target).unwrap_or_default();
            assert!(bytes.is_empty());
            return Reply::Json(
                200,
                json!({"statement_id": inner, "status": "final", "sequence": 0,
                       "entry_bytes": "AAAA"})
                .to_string(),
            );
        }
        ledger.answer(request)
    });
    home.configure(&server.url());
    home.run(&["show", &asked]).fails(4, &["entry 0 wrongly"]);
}

#[test]
fn an_unknown_id_says_so() {
    let server = Server::start(|request| {
        let id = request.target.rsplit('/').next().unwrap_or_default();
        let name = if request.target.contains("envelopes") {
            "envelope_id"
        } else {
            "statement_id"
        };
        Reply::Json(200, json!({ name: id, "status": "unknown" }).to_string())
    });
    let home = Home::new(&server.url());
    home.run(&["show", &"ab".repeat(32)])
        .fails(2, &["no statement and no envelope"]);
}

#[test]
fn a_product_is_traced_as_tree_json_and_graph() {
    let child = "urn:uuid:00000000-7b69-444d-81e6-655d0f1513bd";
    let server = Server::start(move |_| {
        let trace = json!({
            "root": PRODUCT,
            "nodes": [
                {"identifier": PRODUCT, "known": true, "owner_name": "cml1",
                 "passport": {"granularity": "item", "version": 2, "life": "active"}, "depth": 0},
                {"identifier": child, "known": false, "owner_name": null,
                 "passport": null, "depth": 1},
            ],
            "edges": [{
                "parent": PRODUCT, "child": child, "statement_id": "00".repeat(32),
                "sequence": 4, "basis": "as_built",
                "quantity": {"mantissa": 25, "scale": 1, "unit": "KGM"},
                "status": "asserted", "asserted_by": "cml1", "confirmed_by": null,
            }],
            "truncated": false,
        });
        Reply::Json(200, trace.to_string())
    });
    let home = Home::new(&server.url());
    let tree = home.run(&["trace", PRODUCT]).stdout;
    assert!(tree.contains("└─ 2.5 KGM  urn:uuid:00000000"), "{tree}");
    assert!(
        tree.contains("things 2, companies 1, links 1 (0 confirmed, 1 asserted)"),
        "{tree}"
    );
    let traced = home.run(&["trace", PRODUCT, "--json"]).json();
    assert_eq!(traced["counts"]["links"], 1);
    let graph = home.run(&["trace", PRODUCT, "--format", "dot"]).stdout;
    assert!(graph.starts_with("digraph trace {"), "{graph}");
    assert!(graph.contains("style=dashed"), "{graph}");
}

#[test]
fn help_completions_and_manual_need_no_configuration() {
    let directory = tempfile::tempdir().unwrap();
    for (args, words) in [
        (&["--help"][..], "Exit codes"),
        (&["completions", "bash"], "_jangbu"),
        (&["completions", "zsh"], "#compdef jangbu"),
        (&["completions", "fish"], "complete -c jangbu"),
        (&["man"], ".TH jangbu"),
    ] {
        let mut command = program(directory.path());
        command.args(args);
        let outcome = run(command);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(
            outcome.stdout.contains(words),
            "no {words:?} in {outcome:?}"
        );
    }
}
