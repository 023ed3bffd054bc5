//! Nodes that are away, mute, mad or forgers: each with its exit code, and nothing believed.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::home::{Home, PRODUCT, Run};
use crate::ledger::Ledger;
use crate::server::{Reply, Request, Server, nobody};

/// Issues against a server, with a second to wait.
fn issue(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> (Home, Server, Run) {
    let server = Server::start(answer);
    let home = Home::new(&server.url());
    let outcome = home.issue(&["--timeout", "1", "--json"]);
    (home, server, outcome)
}

/// Asserts that the outcome is unknown, said with the envelope's id, and that the envelope is
/// kept for a second run while nothing is taken for recorded.
#[track_caller]
fn is_unknown(home: &Home, server: &Server, outcome: &Run, words: &[&str]) {
    outcome.fails(5, words);
    let error = outcome.error();
    assert_eq!(error["retryable"], true);
    let id = error["id"].as_str().unwrap();
    assert_eq!(home.kept("envelopes"), [format!("{id}.bin")]);
    assert_eq!(home.kept("receipts"), Vec::<String>::new());
    assert!(!server.posted().is_empty());
}

#[test]
fn a_node_that_is_down_is_exit_4_and_nothing_is_kept_as_sent() {
    let home = Home::new(&nobody());
    let outcome = home.issue(&[]);
    outcome.fails(4, &["cannot be reached", "connection refused", "--node"]);
    assert_eq!(home.kept("envelopes"), Vec::<String>::new());
    let outcome = home.run(&["node", "status"]);
    outcome.fails(4, &["connection refused"]);
}

#[test]
fn the_next_node_is_tried_when_nothing_was_sent_to_the_first() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let server = Server::start(move |request| ledger.answer(request));
    home.configure(&format!("{},{}", nobody(), server.url()));
    let outcome = home.issue(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(server.posted().len(), 1);
}

#[test]
fn no_second_node_gets_an_envelope_that_the_first_may_have() {
    let first = Server::start(|_| Reply::Close);
    let second = Server::start(|_| Reply::Problem(404, "not-found"));
    let home = Home::new(&format!("{},{}", first.url(), second.url()));
    let outcome = home.issue(&["--timeout", "1"]);
    outcome.fails(5, &["run the same command again"]);
    assert_eq!(second.posted().len(), 0);
}

#[test]
fn a_node_that_hangs_is_exit_5() {
    let (home, server, outcome) = issue(|_| Reply::Hang);
    is_unknown(&home, &server, &outcome, &["took too long"]);
    let (home, server, outcome) = issue(|_| Reply::HangHalfway);
    is_unknown(&home, &server, &outcome, &["gave no answer"]);
}

#[test]
fn a_node_that_closes_after_the_body_is_exit_5_and_a_second_run_sends_the_same_bytes() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let posts = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let first = request.method == "POST" && posts.fetch_add(1, Ordering::SeqCst) == 0;
        if first {
            return Reply::Close;
        }
        if request.method == "POST" {
            return ledger.answer(request);
        }
        let id = request.target.rsplit('/').next().unwrap_or_default();
        Reply::Json(
            200,
            json!({"envelope_id": id, "status": "unknown"}).to_string(),
        )
    });
    home.configure(&server.url());
    let outcome = home.issue(&["--timeout", "1", "--json"]);
    is_unknown(&home, &server, &outcome, &["gave no answer"]);
    let again = home.issue(&["--json"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.json()["duplicate"], false);
    let posted = server.posted();
    assert_eq!(posted.len(), 2);
    assert_eq!(posted[0], posted[1]);
    assert_eq!(home.kept("envelopes"), Vec::<String>::new());
    assert_eq!(home.kept("receipts").len(), 1);
}

#[test]
fn an_answer_that_got_lost_is_found_by_asking() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let recorded = std::sync::Mutex::new(Value::Null);
    let server = Server::start(move |request| {
        let mut recorded = recorded.lock().unwrap();
        if request.method == "POST" {
            *recorded = ledger.record(&request.body);
            return Reply::Close;
        }
        Reply::Json(200, recorded.to_string())
    });
    home.configure(&server.url());
    let outcome = home.issue(&["--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(server.posted().len(), 1);
}

#[test]
fn garbage_is_exit_5_for_what_was_sent_and_exit_4_for_what_was_asked() {
    for garbage in [
        || Reply::Text(200, b"<html>It works!</html>".to_vec()),
        || Reply::Text(200, vec![0xff; 64]),
        || Reply::Json(200, "{}".into()),
        || Reply::Text(502, b"Bad Gateway".to_vec()),
        || Reply::Text(302, Vec::new()),
    ] as [fn() -> Reply; 5]
    {
        let (home, server, outcome) = issue(move |_| garbage());
        is_unknown(
            &home,
            &server,
            &outcome,
            &["does not answer like a Jangbu node"],
        );
        for args in [
            &["node", "status"][..],
            &["trace", PRODUCT],
            &["show", PRODUCT],
        ] {
            home.run(args)
                .fails(4, &["does not answer like a Jangbu node"]);
        }
    }
}

#[test]
fn a_forged_receipt_is_exit_5_and_never_written() {
    type Forgery = fn(&Ledger, &Home, &[u8]) -> Value;
    let forgeries: [(&str, Forgery); 6] = [
        ("does not hold", |ledger, _, bytes| {
            changed(ledger.record(bytes), |receipt| {
                // One letter of the root's cosigned checkpoint.
                receipt.replace("\n1\n", "\n2\n")
            })
        }),
        ("does not hold", |ledger, _, bytes| {
            changed(ledger.record(bytes), |receipt| {
                // No cosignature left.
                let kept = receipt
                    .lines()
                    .filter(|line| !line.contains("test/amperia"));
                kept.map(|line| format!("{line}\n")).collect()
            })
        }),
        ("not", |ledger, _, bytes| {
            changed(ledger.record(bytes), |_| "c2sp.org/tlog-proof@v1\n".into())
        }),
        ("there is no receipt", |ledger, _, bytes| {
            let mut answer = ledger.record(bytes);
            answer["outcomes"][0]["receipt"] = Value::Null;
            answer
        }),
        ("of log", |_, _, bytes| {
            // A whole ledger of the forger's own.
            let other = Home::new("http://127.0.0.1:1");
            let forger = Ledger::of(&other);
            let file = other.path("signed.bin");
            assert_eq!(
                other.issue(&["--sign-only", file.to_str().unwrap()]).code,
                0
            );
            let forged = forger.record(&std::fs::read(file).unwrap());
            let id = jangbu_ledger::envelope::Envelope::id_of(bytes);
            let mut answer = forged;
            answer["envelope_id"] = json!(id);
            answer
        }),
        ("of other statements", |ledger, _, bytes| {
            let mut answer = ledger.record(bytes);
            answer["outcomes"] = json!([]);
            answer
        }),
    ];
    for (words, forge) in forgeries {
        let home = Home::new(&nobody());
        let ledger = Ledger::of(&home);
        let chain = home.genesis.content.chain_id();
        let inner = Home::new("http://127.0.0.1:1");
        let server = Server::start(move |request| {
            if request.method != "POST" {
                return Reply::Problem(404, "not-found");
            }
            let mut answer = forge(&ledger, &inner, &request.body);
            // What is forged must reach the check of receipts.
            let envelope =
                jangbu_ledger::envelope::Envelope::decode(&request.body, &chain).unwrap();
            if let Some(outcome) = answer["outcomes"].get_mut(0) {
                outcome["statement_id"] = json!(envelope.statement_ids()[0]);
            }
            Reply::Json(200, answer.to_string())
        });
        home.configure(&server.url());
        let outcome = home.issue(&["--timeout", "1", "--json"]);
        is_unknown(&home, &server, &outcome, &["not to be believed", words]);
    }
}

fn changed(mut answer: Value, change: fn(&str) -> String) -> Value {
    let receipt = answer["outcomes"][0]["receipt"].as_str().unwrap();
    answer["outcomes"][0]["receipt"] = json!(change(receipt));
    answer
}

#[test]
fn the_receipt_of_another_statement_is_a_forgery_too() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let server = Server::start(move |request| {
        if request.method != "POST" {
            return Reply::Problem(404, "not-found");
        }
        let mut answer = ledger.record(&request.body);
        let outcomes = answer["outcomes"].as_array_mut().unwrap();
        if outcomes.len() == 2 {
            let first = outcomes[0]["receipt"].take();
            outcomes[0]["receipt"] = outcomes[1]["receipt"].take();
            outcomes[1]["receipt"] = first;
        }
        Reply::Json(200, answer.to_string())
    });
    home.configure(&server.url());
    let model = "urn:uuid:00000000-7b69-444d-81e6-655d0f1513bd";
    let outcome = home.issue(&["--part-of", model, "--timeout", "1", "--json"]);
    is_unknown(&home, &server, &outcome, &["of another statement"]);
}

#[test]
fn what_the_ledger_does_not_accept_has_the_exit_code_of_its_cause() {
    for (status, name, code) in [
        (401, "bad-signature", 6),
        (401, "unknown-key", 6),
        (401, "revoked-key", 6),
        (400, "wrong-chain", 2),
        (400, "malformed-envelope", 2),
        (400, "expired", 2),
        (413, "too-large", 2),
        (429, "pool-full", 4),
    ] {
        let (home, _server, outcome) = issue(move |_| Reply::Problem(status, name));
        outcome.fails(code, &[&format!("says {name}")]);
        assert_eq!(home.kept("envelopes"), Vec::<String>::new(), "{name}");
        assert_eq!(home.kept("receipts"), Vec::<String>::new(), "{name}");
    }
    for (status, name) in [(503, "unavailable"), (408, "timed-out")] {
        let (home, server, outcome) = issue(move |_| Reply::Problem(status, name));
        is_unknown(&home, &server, &outcome, &[&format!("says {name}")]);
    }
}

#[test]
fn a_busy_node_is_asked_again() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        if asked.fetch_add(1, Ordering::SeqCst) < 3 {
            return Reply::Problem(429, "pool-full");
        }
        ledger.answer(request)
    });
    home.configure(&server.url());
    let outcome = home.issue(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(server.posted().len(), 4);
}

#[test]
fn a_statement_that_breaks_a_rule_is_exit_3_with_the_rules_id() {
    let home = Home::new(&nobody());
    let chain = home.genesis.content.chain_id();
    let server = Server::start(move |request| {
        let id = jangbu_ledger::envelope::Envelope::id_of(&request.body);
        let envelope = jangbu_ledger::envelope::Envelope::decode(&request.body, &chain).unwrap();
        let answer = json!({
            "envelope_id": id,
            "status": "final",
            "outcomes": [{
                "statement_id": envelope.statement_ids()[0],
                "status": "refused",
                "duplicate": false,
                "height": 7,
                "rule": "subject.owner",
                "message": "the subject belongs to \u{1b}[31manother member",
            }],
        });
        Reply::Json(200, answer.to_string())
    });
    home.configure(&server.url());
    let outcome = home.issue(&["--json"]);
    outcome.fails(3, &["subject.owner", "belongs to"]);
    assert_eq!(outcome.json()["status"], "refused");
    assert_eq!(outcome.json()["rule"], "subject.owner");
    assert_eq!(outcome.error()["retryable"], false);
    let outcome = home.issue(&[]);
    assert!(!outcome.stderr.contains('\u{1b}'), "{outcome:?}");
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome:?}");
    // A new envelope is judged anew.
    let posted = server.posted();
    assert_ne!(posted[0], posted[1]);
}
