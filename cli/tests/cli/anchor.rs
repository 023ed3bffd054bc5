//! `anchor` and `share` where something is not right: nothing is sent, and the place is named.

use crate::home::{Home, PRODUCT, run};
use crate::ledger::Ledger;
use crate::server::{Reply, Server, nobody};

fn line(kind: &str) -> String {
    format!("{{\"kind\":\"{kind}\",\"subject\":\"{PRODUCT}\",\"granularity\":\"item\"}}\n")
}

#[test]
fn one_bad_document_stops_the_good_ones_of_its_run() {
    let server = Server::start(|_| Reply::Close);
    let home = Home::new(&server.url());
    home.write("good.ndjson", line("passport_issued").as_bytes());
    for (name, bytes, words) in [
        (
            "b.json",
            &b"{\"a\":1,\n\"a\":2}"[..],
            "b.json: line 2, column 3",
        ),
        (
            "b.json",
            b"{\"type\":\"\xff\"}",
            "b.json: the document is not UTF-8",
        ),
        (
            "b.json",
            b"{\"some\":\"thing\"}",
            "b.json: no format that anchor knows",
        ),
        (
            "b.ndjson",
            b"\n{\"kind\":\"praise\"}\n",
            "b.ndjson: line 2: unknown variant",
        ),
    ] {
        home.write(name, bytes);
        let outcome = home.run(&["anchor", "good.ndjson", name]);
        outcome.fails(2, &[words, "nothing was sent"]);
        assert!(outcome.stdout.is_empty());
    }
    home.run(&["anchor", "gone.json"])
        .fails(2, &["gone.json: there is no such file"]);
    assert!(server.requests().is_empty());
    assert_eq!(home.kept("openings"), Vec::<String>::new());
}

#[test]
fn the_good_documents_of_a_run_are_anchored_if_it_is_to_keep_going() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let server = Server::start(move |request| ledger.answer(request));
    home.configure(&server.url());
    home.write("good.ndjson", line("passport_issued").as_bytes());
    home.write("bad.json", b"{");
    let outcome = home.run(&[
        "anchor",
        "bad.json",
        "good.ndjson",
        "--keep-going",
        "--json",
    ]);
    outcome.fails(2, &["bad.json: line 1"]);
    assert_eq!(outcome.json()["status"], "final");
    let again = home.run(&["anchor", "good.ndjson", "--json"]);
    assert_eq!((again.code, &again.json()["duplicate"]), (0, &true.into()));
    assert_eq!(server.posted().len(), 1);
}

#[test]
fn lines_come_by_standard_input_and_the_same_line_twice_is_said_once() {
    let home = Home::new(&nobody());
    let ledger = Ledger::of(&home);
    let server = Server::start(move |request| ledger.answer(request));
    home.configure(&server.url());
    home.write("lines", line("passport_issued").repeat(2).as_bytes());
    let mut command = home.command();
    command
        .args(["--json", "--home", "."])
        .args(["anchor", "-"])
        .stdin(std::fs::File::open(home.path("lines")).unwrap());
    let outcome = run(command);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let lines: Vec<serde_json::Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["reason"], "repeated");
    assert_eq!(lines[1]["status"], "final");
}

#[test]
fn no_node_means_nothing_was_sent() {
    let home = Home::new(&nobody());
    home.write("good.ndjson", line("passport_issued").as_bytes());
    home.run(&["anchor", "good.ndjson"]).fails(4, &[]);
    let request = ["share", "request", "s", "--with", "amperia"];
    home.run(&request).fails(4, &[]);
    assert_eq!(home.kept("receipts"), Vec::<String>::new());
}

#[test]
fn a_share_needs_another_member_and_a_role() {
    let server = Server::start(|_| Reply::Close);
    let home = Home::new(&server.url());
    home.run(&["share", "request", "s"])
        .fails(2, &["with whom", "--with MEMBER"]);
    home.run(&["share", "request", "s", "--with", "cml1"])
        .fails(2, &["cannot share with itself"]);
    home.run(&["share", "request", "s", "--with", "nobody"])
        .fails(2, &["nobody", "amperia"]);
    home.run(&["share", "suspend", "s", "--with", "amperia"])
        .fails(2, &["--as provider"]);
    home.run(&["share", "request", "", "--with", "amperia"])
        .fails(2, &["1 to 200 bytes"]);
    home.write("offer.json", br#"{"@type":"ContractOfferMessage"}"#);
    let wrong = [
        "share",
        "request",
        "s",
        "--with",
        "amperia",
        "--document",
        "offer.json",
    ];
    home.run(&wrong)
        .fails(2, &["offer.json", "offered, not requested"]);
    let gone = [
        "share", "start", "s", "--with", "amperia", "--as", "provider", "--plain", "gone",
    ];
    home.run(&gone).fails(2, &["gone: there is no such file"]);
    assert!(server.requests().is_empty());
    assert_eq!(home.kept("streams"), Vec::<String>::new());
}
