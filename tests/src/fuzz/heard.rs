//! What a hostile node answers the command line: any bytes at all end in an error or in words, and
//! words move no cursor.
//!
//! The first byte of an input says what was asked for, the rest is the answer.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jangbu::heard::Asked;
use jangbu_ledger::block::{Entry, EntryBody};
use jangbu_ledger::codec;
use jangbu_ledger::id::Sequence;
use jangbu_ledger::statement::Kind;
use serde_json::{Value, json};

use super::known::known;
use super::meter::{Allowance, frugal};
use super::{Seed, Seen, refused};
use crate::world::story::{BATCH, PART, PRODUCT};

/// The JSON of an answer, and what is made of it: a trace is drawn in five forms, two of them twice.
const ANSWER: Allowance = Allowance {
    per_byte: 512,
    base: 256 * 1024,
};
/// Most words for each byte of an answer, in bytes, and for any answer.
const WORDS: (usize, usize) = (16, 16 * 1024);

/// A node's answer is an error or words.
pub(super) fn body(bytes: &[u8]) -> Seen {
    let Some((which, answer)) = bytes.split_first() else {
        return refused("nothing was asked");
    };
    let asked = Asked::ALL[usize::from(*which) % Asked::ALL.len()];
    let anchor = &known().story.world.anchor;
    match frugal(answer.len(), ANSWER, || asked.heard(answer, anchor)) {
        Ok(texts) => {
            let len: usize = texts.iter().map(String::len).sum();
            assert!(
                len <= WORDS.0 * answer.len() + WORDS.1,
                "{} bytes make {len} bytes of words",
                answer.len()
            );
            for text in texts {
                is_plain(&text);
            }
            Seen::Read
        }
        Err(error) => {
            let text = error.to_text();
            is_plain(&text);
            refused(text)
        }
    }
}

fn is_plain(text: &str) {
    let control = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "a terminal would act on this: {text:?}");
}

fn seed(name: &str, asked: Asked, answer: impl Into<Vec<u8>>, seen: Seen) -> Seed {
    let which = Asked::ALL.iter().position(|one| *one == asked).unwrap();
    let mut bytes = vec![u8::try_from(which).unwrap()];
    bytes.append(&mut answer.into());
    Seed::new(name, bytes, seen)
}

/// An entry as a node shows it.
fn item(sequence: u64, bytes: &[u8]) -> Value {
    json!({ "sequence": sequence, "entry_bytes": BASE64_STANDARD.encode(bytes) })
}

/// An entry of the small ledger that says something else.
fn entry_of(kind: Kind) -> Vec<u8> {
    let bytes = known().story.world.entry_bytes(Sequence(1)).unwrap();
    let mut entry = Entry::decode(&bytes).unwrap();
    if let EntryBody::Statement(recorded) = &mut entry.body {
        recorded.statement.kind = kind;
    }
    codec::encode(&entry)
}

fn status(text: &str) -> Value {
    let zeros = "0".repeat(64);
    json!({
        "chain_id": zeros, "origin": "jangbu/test/00", "consortium": text, "member": text,
        "version": text, "height": 7, "block_id": zeros, "time_ms": 1, "log_size": 9,
        "final": { "height": 7, "size": 9, "root": zeros }, "validators": 4,
        "peers": [{ "member": text, "connected": true }],
        "pool": { "envelopes": 0, "bytes": 0 },
    })
}

fn subject(count: u64) -> Value {
    let stream = json!({ "count": count, "head": "0".repeat(64) });
    json!({
        "identifier": PRODUCT, "subject_id": "0".repeat(64), "known": true, "owner": "0".repeat(64),
        "owner_name": "\u{1b}[2Jamperia", "open": stream, "claims": stream,
        "passport": { "granularity": "item", "version": u32::MAX, "life": "suspended" },
        "part_of": "0".repeat(64), "components": u32::MAX, "links": u32::MAX, "closed": true,
        "custodian_name": "\r", "offers": [], "height": u64::MAX,
    })
}

fn link(parent: &str, child: &str) -> Value {
    json!({
        "parent": parent, "child": child, "statement_id": "0".repeat(64), "sequence": 1,
        "basis": "as_built", "quantity": null, "status": "asserted",
        "asserted_by": "a\u{9b}31m", "confirmed_by": null, "contested_by": "c\u{7}",
    })
}

fn trace(root: &str, edges: Vec<Value>) -> Value {
    let nodes: Vec<Value> = [PRODUCT, PART, BATCH]
        .iter()
        .map(|thing| {
            json!({
                "identifier": thing, "known": true, "owner_name": "a\u{1b}]0;x\u{7}",
                "passport": null, "closed": false, "depth": u32::MAX,
            })
        })
        .collect();
    json!({ "root": root, "nodes": nodes, "edges": edges, "truncated": true })
}

/// Entries as a stream has them.
fn stream(items: &[Value]) -> String {
    let event = |item: &Value| format!("id: {}\ndata: {item}\n\n", item["sequence"]);
    items.iter().map(event).collect()
}

pub(super) fn seeds() -> Vec<Seed> {
    let entries = |numbers: std::ops::Range<u64>| -> Vec<Value> {
        let world = &known().story.world;
        numbers
            .map(|n| item(n, &world.entry_bytes(Sequence(n)).unwrap()))
            .collect()
    };
    let page = |items: Vec<Value>| json!({ "items": items, "next": null }).to_string();
    let hostile = entry_of(Kind::ProfilePublished {
        version: "1\u{1b}[2J".into(),
        digest: jangbu_ledger::id::Digest([0; 32]),
    });
    let passport = known().story.passport;
    let shown = |id: String| {
        json!({
            "statement_id": id, "status": "final", "sequence": 2,
            "entry_bytes": entries(2..3)[0]["entry_bytes"],
        })
    };
    let chain: Vec<Value> = (0..60)
        .map(|n| {
            let name = |n: u32| format!("https://nordwind.example/{n}");
            link(&name(n), &name(n + 1))
        })
        .collect();
    let circle = vec![link(PRODUCT, PART), link(PART, BATCH), link(BATCH, PRODUCT)];
    let outcome = json!({
        "statement_id": passport, "status": "refused", "duplicate": false,
        "rule": "\u{1b}[1mrule", "message": "\n",
    });
    let problem = |name: &str| {
        let detail = "d\u{1b}[2J".repeat(300);
        json!({ "type": format!("urn:jangbu:problem:{name}"), "detail": detail, "id": "\u{7}" })
    };
    let up = circle.clone();
    vec![
        seed(
            "status",
            Asked::Status,
            status("test").to_string(),
            Seen::Read,
        ),
        seed(
            "a-status-that-clears-the-screen",
            Asked::Status,
            status("\u{1b}[2J").to_string(),
            Seen::Read,
        ),
        seed(
            "members",
            Asked::Members,
            r#"{"members":[{"name":"\u001b"}]}"#,
            Seen::Read,
        ),
        seed("page", Asked::Page, page(entries(0..6)), Seen::Read),
        seed(
            "a-page-of-controls",
            Asked::Page,
            page(vec![item(1, &hostile)]),
            Seen::Read,
        ),
        seed(
            "at-another-place",
            Asked::Page,
            page(vec![item(9, &hostile)]),
            Seen::Refused,
        ),
        seed(
            "statement",
            Asked::Statement,
            shown(passport.to_string()).to_string(),
            Seen::Read,
        ),
        seed(
            "another-statement",
            Asked::Statement,
            shown("1".repeat(64)).to_string(),
            Seen::Refused,
        ),
        seed(
            "subject",
            Asked::Subject,
            subject(2).to_string(),
            Seen::Read,
        ),
        seed(
            "endless-streams",
            Asked::Subject,
            subject(u64::MAX).to_string(),
            Seen::Read,
        ),
        seed(
            "slot",
            Asked::Slot,
            json!({ "used": true, "item": item(1, &hostile) }).to_string(),
            Seen::Read,
        ),
        seed(
            "chain",
            Asked::TraceDown,
            trace("https://nordwind.example/0", chain).to_string(),
            Seen::Read,
        ),
        seed(
            "circle",
            Asked::TraceDown,
            trace(PRODUCT, circle).to_string(),
            Seen::Read,
        ),
        seed(
            "upwards",
            Asked::TraceUp,
            trace(PRODUCT, up).to_string(),
            Seen::Read,
        ),
        seed(
            "nothing-below",
            Asked::TraceDown,
            trace(PART, Vec::new()).to_string(),
            Seen::Read,
        ),
        seed(
            "envelope",
            Asked::Envelope,
            json!({ "envelope_id": passport, "status": "refused", "outcomes": [outcome] })
                .to_string(),
            Seen::Read,
        ),
        seed(
            "problem",
            Asked::Problem,
            problem("pool-full").to_string(),
            Seen::Read,
        ),
        seed(
            "a-long-name",
            Asked::Problem,
            problem(&"x".repeat(2_000)).to_string(),
            Seen::Read,
        ),
        seed("stream", Asked::Stream, stream(&entries(0..6)), Seen::Read),
        seed(
            "a-stream-of-controls",
            Asked::Stream,
            stream(&[item(1, &hostile)]),
            Seen::Read,
        ),
        seed(
            "a-stream-that-breaks-off",
            Asked::Stream,
            ": hello\r\nid: 7\n\nid: 8\ndata: {",
            Seen::Read,
        ),
        seed("not-a-place", Asked::Stream, "id: -1\n\n", Seen::Refused),
        seed("html", Asked::Problem, "<html>", Seen::Refused),
        seed("deep", Asked::Members, "[".repeat(2_000), Seen::Refused),
        seed("not-text", Asked::Status, [0xff; 64], Seen::Refused),
    ]
}
