//! The good cases: once, twice, twice at once, without waiting, and signed here to be sent there.

use std::sync::Arc;

use serde_json::Value;

use crate::home::{Home, run};
use crate::ledger::Ledger;
use crate::server::{Reply, Server, nobody};

fn with_ledger() -> (Home, Server) {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let server = Server::start(move |request| ledger.answer(request));
    home.configure(&server.url());
    (home, server)
}

#[test]
fn a_statement_is_final_when_its_receipt_is_kept_and_twice_is_once() {
    let (home, server) = with_ledger();
    let first = home.issue(&["--json"]);
    assert_eq!(first.code, 0, "{first:?}");
    let outcome = first.json();
    assert_eq!(outcome["status"], "final");
    assert_eq!(outcome["duplicate"], false);
    let receipt = outcome["receipt"].as_str().unwrap().to_owned();
    let bytes = std::fs::read(home.path("").join(&receipt)).unwrap();
    assert!(bytes.starts_with(b"c2sp.org/tlog-proof@v1\n"));
    assert_eq!(home.kept("openings").len(), 1);

    let second = home.issue(&["--json"]);
    assert_eq!(second.code, 0, "{second:?}");
    let again = second.json();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["statement_id"], outcome["statement_id"]);
    assert_eq!(again["receipt"], Value::from(receipt.clone()));
    assert_eq!(std::fs::read(home.path("").join(&receipt)).unwrap(), bytes);
    assert_eq!(server.posted().len(), 1);
}

#[test]
fn a_lost_receipt_is_had_again() {
    let (home, server) = with_ledger();
    let first = home.issue(&["--json"]).json();
    let receipt = home.path("").join(first["receipt"].as_str().unwrap());
    std::fs::write(&receipt, b"half a rec").unwrap();
    let second = home.issue(&["--json"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert_eq!(second.json()["duplicate"], true);
    assert!(std::fs::read(&receipt).unwrap().len() > 100);
    assert_eq!(server.posted().len(), 2);
}

#[test]
fn two_processes_that_say_the_same_at_once_both_succeed() {
    let (home, _server) = with_ledger();
    let home = Arc::new(home);
    let threads = [(); 2].map(|()| {
        let home = Arc::clone(&home);
        std::thread::spawn(move || home.issue(&["--json"]))
    });
    for outcome in threads.map(|thread| thread.join().unwrap()) {
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.json()["status"], "final");
    }
    assert_eq!(home.kept("receipts").len(), 1);
    assert_eq!(home.kept("envelopes"), Vec::<String>::new());
}

#[test]
fn without_waiting_the_id_is_printed_and_a_second_run_gets_the_receipt() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let server = Server::start(move |request| {
        if request.method == "POST" && request.target.contains("wait=accepted") {
            let id = jangbu_ledger::envelope::Envelope::id_of(&request.body);
            let answer = serde_json::json!({"envelope_id": id, "status": "pending"});
            return Reply::Json(202, answer.to_string());
        }
        if request.method == "POST" {
            return ledger.answer(request);
        }
        let id = request.target.rsplit('/').next().unwrap_or_default();
        let answer = serde_json::json!({"envelope_id": id, "status": "unknown"});
        Reply::Json(200, answer.to_string())
    });
    home.configure(&server.url());
    let first = home.issue(&["--no-wait", "--json"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(first.json()["status"], "pending");
    assert_eq!(home.kept("envelopes").len(), 1);
    let second = home.issue(&["--json"]);
    assert_eq!(second.json()["status"], "final", "{second:?}");
    let posted = server.posted();
    assert_eq!(posted.first(), posted.last());
    assert_eq!(home.kept("envelopes"), Vec::<String>::new());
}

#[test]
fn an_envelope_is_signed_without_a_node_and_sent_without_a_key() {
    let (home, server) = with_ledger();
    let file = home.path("signed.bin");
    let file = file.to_str().unwrap();
    let signed = home.issue(&["--sign-only", file, "--json", "--node", &nobody()]);
    assert_eq!(signed.code, 0, "{signed:?}");
    assert_eq!(signed.json()["status"], "signed");
    assert!(server.requests().is_empty());
    std::fs::remove_dir_all(home.path("keys")).unwrap();
    let sent = home.run(&["--json", "submit", file]);
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(sent.json()["statement_id"], signed.json()["statement_id"]);
    assert_eq!(sent.json()["status"], "final");
    let again = home.run(&["--json", "submit", file]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(home.kept("receipts").len(), 1);
}

#[test]
fn what_cannot_be_printed_is_an_error_unless_the_reader_has_seen_enough() {
    let (home, _server) = with_ledger();
    let outcome = run(home.issue_in_shell("exec \"$@\" >/dev/full"));
    outcome.fails(1, &["could not be printed"]);
    // Said and done all the same.
    assert_eq!(home.kept("receipts").len(), 1);
}
