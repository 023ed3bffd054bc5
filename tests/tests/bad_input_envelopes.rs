//! What is wrong with an envelope is said by a problem type of its own, and changes nothing.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_genesis::document::Parameters;
use jangbu_ledger::codec;
use jangbu_ledger::envelope::{ENVELOPE_BYTES_MAX, Envelope, STATEMENTS_MAX};
use jangbu_ledger::id::TimeMs;
use jangbu_ledger::signature::SigningKey;
use jangbu_tests::cluster::{Author, Cluster, Consortium, Log, OPERATORS, issue, item, now_ms};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Where the nonce starts in an envelope: after version, chain, member and key.
const NONCE_AT: usize = 1 + 32 + 32 + 16;

/// A bad envelope, and what it must be answered.
struct Case {
    what: String,
    bytes: Vec<u8>,
    status: u16,
    problem: &'static str,
}

fn case(what: impl Into<String>, bytes: Vec<u8>, status: u16, problem: &'static str) -> Case {
    Case {
        what: what.into(),
        bytes,
        status,
        problem,
    }
}

/// A draft, changed, signed by the author as if nothing were wrong with it.
fn signed(author: &Author, change: impl FnOnce(&mut Envelope)) -> Vec<u8> {
    let mut envelope = author.draft(vec![issue(item(1))]);
    change(&mut envelope);
    envelope.sign(&author.attestor);
    codec::encode(&envelope)
}

fn wrongly_signed(author: &Author, stranger: &Author) -> Vec<Case> {
    let good = author.envelope(vec![issue(item(1))]);
    let mut other_signature = good.clone();
    *other_signature.last_mut().unwrap() ^= 1;
    let mut altered = author.draft(vec![issue(item(1))]);
    altered.sign(&author.attestor);
    altered.nonce += 1;
    let mut unknown = author.draft(vec![issue(item(1))]);
    unknown.sign(&SigningKey::from_bytes(&[7; 32]));
    let mut borrowed = author.draft(vec![issue(item(1))]);
    borrowed.sign(&stranger.attestor);
    vec![
        case("another signature", other_signature, 401, "bad-signature"),
        case(
            "altered after signing",
            codec::encode(&altered),
            401,
            "bad-signature",
        ),
        case(
            "a key nobody registered",
            codec::encode(&unknown),
            401,
            "unknown-key",
        ),
        case(
            "another member's key",
            codec::encode(&borrowed),
            401,
            "unknown-key",
        ),
    ]
}

fn out_of_time(author: &Author) -> Vec<Case> {
    let until = |expires: u64| signed(author, |e| e.expires_at_ms = TimeMs(expires));
    vec![
        case("expired", until(now_ms() - 1000), 400, "expired"),
        case("never valid", until(0), 400, "expired"),
        case(
            "for more than a day",
            until(now_ms() + 2 * DAY_MS),
            400,
            "expired",
        ),
    ]
}

fn malformed(author: &Author) -> Vec<Case> {
    let kind = "malformed-envelope";
    let good = author.envelope(vec![issue(item(1))]);
    let mut cases: Vec<Case> = (0..good.len())
        .step_by(17)
        .chain([good.len() - 1])
        .map(|cut| {
            case(
                format!("cut to {cut} bytes"),
                good[..cut].to_vec(),
                400,
                kind,
            )
        })
        .collect();
    let mut longer = good.clone();
    longer.push(0);
    let mut padded = signed(author, |e| e.nonce = 5);
    assert_eq!(padded[NONCE_AT], 5);
    padded.splice(NONCE_AT..=NONCE_AT, [251, 5, 0]);
    let many = (0..=STATEMENTS_MAX)
        .map(|number| issue(item(u64::try_from(number).unwrap())))
        .collect();
    cases.extend([
        case("trailing byte", longer, 400, kind),
        case("padded integer", padded, 400, kind),
        case("JSON", br#"{"version":1}"#.to_vec(), 400, kind),
        case("zeros", vec![0; 1000], 400, kind),
        case("ones", vec![0xff; 1000], 400, kind),
        case(
            "another version",
            signed(author, |e| e.version = 2),
            400,
            kind,
        ),
        case(
            "no statement",
            signed(author, |e| e.statements.clear()),
            400,
            kind,
        ),
        case(
            "too many statements",
            signed(author, |e| e.statements = many),
            400,
            kind,
        ),
        case(
            "one statement twice",
            signed(author, |e| e.statements.push(issue(item(1)))),
            400,
            kind,
        ),
        case(
            "a payload that is too long",
            signed(author, |e| e.statements[0].payload = vec![0; 513]),
            400,
            kind,
        ),
        case(
            "a passport in no stream",
            signed(author, |e| e.statements[0].streams.clear()),
            400,
            kind,
        ),
    ]);
    cases
}

#[test]
fn each_bad_envelope_has_its_own_problem_and_changes_nothing() {
    let cluster = Cluster::start();
    let author = cluster.author("cml1");
    let before = cluster.nodes[0]
        .client()
        .submit(&author.envelope(vec![issue(item(0))]));
    assert_eq!(before.status, 200, "{before}");
    let size = cluster.checkpoint(0).size;

    let elsewhere = Consortium::found(&OPERATORS, &["cml1"], Parameters::default(), |_| {
        "/ip4/127.0.0.1/tcp/1".into()
    });
    let mut cases = vec![
        case(
            "a replay of another ledger's envelope",
            elsewhere.author("cml1").envelope(vec![issue(item(1))]),
            400,
            "wrong-chain",
        ),
        case(
            "too long",
            vec![0; ENVELOPE_BYTES_MAX + 1],
            413,
            "too-large",
        ),
    ];
    cases.extend(wrongly_signed(&author, &cluster.author("vela")));
    cases.extend(out_of_time(&author));
    cases.extend(malformed(&author));
    for case in cases {
        for client in [&cluster.nodes[0].client(), &cluster.nodes[3].client()] {
            let answer = client.submit(&case.bytes);
            assert_eq!(answer.status, case.status, "{}: {answer}", case.what);
            assert_eq!(
                answer.problem().as_deref(),
                Some(case.problem),
                "{}: {answer}",
                case.what
            );
        }
    }
    for client in cluster.clients() {
        assert_eq!(client.get("/readyz").status, 200);
    }
    // The log grew by nothing but seals of idle heights.
    let log = cluster.one_log(&[0, 1, 2, 3]);
    assert_eq!(statements(&log), 1, "{size} entries before");
    // The very things that were refused in bad envelopes are fine in a good one.
    let after = cluster.nodes[3]
        .client()
        .submit(&author.envelope(vec![issue(item(1))]));
    assert_eq!(after.status, 200, "{after}");
}

#[test]
fn a_revoked_key_signs_nothing_more_on_any_node() {
    let cluster = Cluster::start();
    let author = cluster.author("vela");
    let first = cluster.nodes[1]
        .client()
        .submit(&author.envelope(vec![issue(item(1))]));
    assert_eq!(first.status, 200, "{first}");

    // Its own key cannot revoke it: that is the admin key's.
    let mut by_itself = author.draft(Vec::new());
    by_itself.statements = codec::decode::<Envelope>(&author.revocation(), ENVELOPE_BYTES_MAX)
        .unwrap()
        .statements;
    by_itself.sign(&author.attestor);
    let refused = cluster.nodes[1].client().submit(&codec::encode(&by_itself));
    let outcome = &refused.json()["outcomes"][0];
    assert_eq!(outcome["rule"], "key.purpose", "{refused}");
    assert_eq!(outcome["type"], "urn:jangbu:problem:rule:key.purpose");

    let revoked = cluster.nodes[1].client().submit(&author.revocation());
    assert_eq!(
        revoked.json()["outcomes"][0]["status"],
        "final",
        "{revoked}"
    );
    let size = cluster.checkpoint(1).size;
    cluster.wait_for_size(&[0, 1, 2, 3], size);
    for client in cluster.clients() {
        let answer = client.submit(&author.envelope(vec![issue(item(2))]));
        assert_eq!(answer.status, 401, "{answer}");
        assert_eq!(answer.problem().as_deref(), Some("revoked-key"), "{answer}");
        assert_eq!(client.get("/readyz").status, 200);
    }
    assert_eq!(statements(&cluster.one_log(&[0, 1, 2, 3])), 2);
}

/// Entries that are not seals.
fn statements(log: &Log) -> usize {
    use jangbu_ledger::block::{Entry, EntryBody};
    log.entries
        .iter()
        .filter(|bytes| {
            let entry = Entry::decode(bytes).unwrap();
            matches!(entry.body, EntryBody::Statement(_))
        })
        .count()
}
