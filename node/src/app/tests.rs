mod pages;

use std::path::PathBuf;

use jangbu_genesis::ceremony::{self, Identity, Template};
use jangbu_genesis::document::{MemberRole, Parameters};
use jangbu_genesis::key_file::KdfParams;
use jangbu_genesis::{Keystore, Passphrase};
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::envelope::{ENVELOPE_BYTES_MAX, ENVELOPE_VERSION, Envelope};
use jangbu_ledger::id::{Digest, KeyId, MemberId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::receipt::Receipt;
use jangbu_ledger::statement::{Granularity, Kind, Statement, Stream};
use jangbu_ledger::{checkpoint, codec};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::store::peek::Damage;

const PRODUCT: &str = "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66";

/// A consortium of one operator, in a directory of its own.
struct Alone {
    directory: tempfile::TempDir,
}

impl Alone {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let keystore = Keystore::at(at("keys"));
        let passphrase = Passphrase::new(b"secret\n".to_vec());
        for purpose in ceremony::purposes(MemberRole::Operator) {
            keystore
                .create(*purpose, &passphrase, KdfParams::DEVNET)
                .unwrap();
        }
        let identity = Identity {
            name: "acme".into(),
            display_name: "Acme".into(),
            role: MemberRole::Operator,
            identifiers: Vec::new(),
            prefixes: Vec::new(),
            addresses: vec!["/ip4/127.0.0.1/tcp/1".into()],
        };
        let member = ceremony::join("alone", identity, &keystore, &passphrase).unwrap();
        let template = Template {
            consortium: "alone".into(),
            created_at_ms: now().0 - 1000,
            parameters: Parameters::default(),
        };
        let content = ceremony::assemble(template, vec![member]).unwrap();
        let signature = ceremony::approve(&content, &keystore, &passphrase).unwrap();
        let genesis = ceremony::finish(content, vec![signature]).unwrap();
        std::fs::write(at("genesis.json"), genesis.to_json().unwrap()).unwrap();
        std::fs::write(at("passphrase"), "secret\n").unwrap();
        Self { directory }
    }

    fn config(&self) -> Config {
        let text = r#"
            data_dir = "data"
            genesis = "genesis.json"
            keystore = "keys"
            passphrase_file = "passphrase"
            member = "acme"
            [api]
            listen = "127.0.0.1:0"
            [peers]
            listen = "/ip4/127.0.0.1/tcp/0"
        "#;
        Config::parse(&self.file(), text).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("node.toml")
    }

    fn founded(&self) -> Founded {
        Founded::load(&self.config().genesis, "acme").unwrap()
    }

    async fn start(&self) -> Running {
        let config = self.config();
        init(&config).unwrap();
        let founded = self.founded();
        let keys = parts::unlock(&config, &founded).unwrap();
        start(&config, founded, keys, false).await.unwrap()
    }

    fn envelope(&self, statements: Vec<Statement>) -> Vec<u8> {
        let keystore = Keystore::at(self.directory.path().join("keys"));
        let passphrase = Passphrase::new(b"secret".to_vec());
        let key = keystore.unlock(Purpose::Attestor, &passphrase).unwrap();
        let mut envelope = Envelope {
            version: ENVELOPE_VERSION,
            chain_id: self.founded().chain.chain_id,
            member: MemberId::of("acme"),
            key_id: KeyId([0; 16]),
            nonce: now().0,
            expires_at_ms: TimeMs(now().0 + 60_000),
            statements,
            signature: jangbu_ledger::signature::Signature([0; 64]),
        };
        envelope.sign(&key.signing());
        codec::encode(&envelope)
    }
}

fn statement(kind: Kind) -> Statement {
    Statement {
        kind,
        occurrence: 0,
        streams: vec![Stream::Open(Identifier::parse(PRODUCT).unwrap())],
        commitment: Commitment::keyed([2; 32]),
        references: Vec::new(),
        payload: Vec::new(),
    }
}

fn issued() -> Statement {
    statement(Kind::PassportIssued {
        granularity: Granularity::Item,
        schema: Digest([1; 32]),
    })
}

/// Sends all of it, then reads all of the answer: status, head and body.
async fn exchange(running: &Running, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(running.api_address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), answer[end + 4..].to_vec())
}

/// One request on a connection of its own: status, head and body.
async fn request(
    running: &Running,
    method: &str,
    path: &str,
    body: &[u8],
) -> (u16, String, Vec<u8>) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    exchange(running, &head, body).await
}

async fn get(running: &Running, path: &str) -> Value {
    let (status, head, body) = request(running, "GET", path, b"").await;
    assert_eq!(
        status,
        200,
        "{path}: {head} {}",
        String::from_utf8_lossy(&body)
    );
    serde_json::from_slice(&body).unwrap()
}

async fn post(running: &Running, bytes: &[u8]) -> (u16, Value) {
    let (status, _, body) = request(running, "POST", "/v1/envelopes", bytes).await;
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_becomes_final_and_its_receipt_verifies() {
    let alone = Alone::new();
    let running = alone.start().await;
    let envelope = alone.envelope(vec![
        issued(),
        statement(Kind::PassportSuperseded {
            version: 7,
            schema: Digest([1; 32]),
        }),
    ]);
    let (status, answer) = post(&running, &envelope).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &"final".into()),
        "{answer}"
    );
    let [first, second] = answer["outcomes"].as_array().unwrap().as_slice() else {
        panic!("{answer}");
    };
    assert_eq!(first["status"], "final");
    assert_eq!(first["duplicate"], false);
    assert_eq!(second["status"], "refused");
    assert_eq!(second["rule"], "passport.version");

    let consortium = alone.founded().consortium;
    let text = first["receipt"].as_str().unwrap();
    let receipt: Receipt = text.parse().unwrap();
    let verified = receipt
        .verify(&consortium.origin, &consortium.witnesses, consortium.quorum)
        .unwrap();
    assert_eq!(verified.index, first["sequence"].as_u64().unwrap());

    let id = first["statement_id"].as_str().unwrap();
    let (_, _, same) = request(&running, "GET", &format!("/v1/receipts/{id}"), b"").await;
    assert_eq!(String::from_utf8(same).unwrap(), text);
    assert_eq!(
        get(&running, &format!("/v1/statements/{id}")).await["status"],
        "final"
    );
    let path = format!("/v1/envelopes/{}", answer["envelope_id"].as_str().unwrap());
    assert_eq!(get(&running, &path).await, answer);

    // The same statement in another envelope: the same receipt, and said to be a duplicate.
    let (status, again) = post(&running, &alone.envelope(vec![issued()])).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(again["outcomes"][0]["duplicate"], true);
    assert_eq!(again["outcomes"][0]["receipt"], first["receipt"]);

    let subject = get(&running, &format!("/v1/subjects?identifier={PRODUCT}")).await;
    assert_eq!(subject["owner_name"], "acme");
    assert_eq!(subject["passport"]["version"], 1);
    let path = format!("/v1/subjects/statements?identifier={PRODUCT}&side=open&limit=1");
    let page = get(&running, &path).await;
    assert_eq!(page["items"][0]["statement_id"], first["statement_id"]);
    assert_eq!(page["next"], Value::Null);
    let trace = get(&running, &format!("/v1/trace?identifier={PRODUCT}")).await;
    assert_eq!(trace["nodes"][0]["known"], true);
    running.stop(&alone.config()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_serves_what_it_had() {
    let alone = Alone::new();
    init(&alone.config()).unwrap();
    init(&alone.config()).unwrap();
    let running = alone.start().await;
    let (_, answer) = post(&running, &alone.envelope(vec![issued()])).await;
    running.stop(&alone.config()).await.unwrap();

    let running = alone.start().await;
    let path = format!("/v1/envelopes/{}", answer["envelope_id"].as_str().unwrap());
    assert_eq!(get(&running, &path).await, answer);
    let status = get(&running, "/v1/status").await;
    assert_eq!(status["height"], 1);
    assert_eq!(status["final"]["height"], 1);
    assert_eq!(
        get(&running, "/v1/blocks/1").await["certificate"]["signatures"],
        1
    );
    assert_eq!(
        get(&running, "/v1/members").await["members"][0]["name"],
        "acme"
    );
    assert_eq!(get(&running, "/v1/entries?from=1&limit=1").await["next"], 2);

    let (_, _, note) = request(&running, "GET", "/checkpoint", b"").await;
    let consortium = alone.founded().consortium;
    let last = checkpoint::verify_quorum(
        &String::from_utf8(note).unwrap(),
        &consortium.origin,
        &consortium.witnesses,
        consortium.quorum,
    )
    .unwrap();
    assert_eq!(last.checkpoint.size, 3);
    let (status, head, tile) = request(&running, "GET", "/tile/0/000.p/3", b"").await;
    assert_eq!((status, tile.len()), (200, 96));
    assert!(head.contains("immutable"), "{head}");
    let (status, _, bundle) = request(&running, "GET", "/tile/entries/000.p/3", b"").await;
    assert_eq!(status, 200);
    assert!(bundle.len() > 6);
    let (status, ..) = request(&running, "GET", "/tile/0/000.p/4", b"").await;
    assert_eq!(status, 404);
    for path in [
        "/v1/tlog-policy",
        "/v1/genesis",
        "/metrics",
        "/livez",
        "/readyz",
    ] {
        assert_eq!(request(&running, "GET", path, b"").await.0, 200, "{path}");
    }
    running.stop(&alone.config()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_document() {
    let alone = Alone::new();
    let running = alone.start().await;
    let mut forged = alone.envelope(vec![issued()]);
    *forged.last_mut().unwrap() ^= 1;
    let too_large = vec![0; 1024 * 1024 + 1];
    let zeros = "0".repeat(64);
    for (method, path, body, status, kind) in [
        ("GET", "/nowhere".into(), &b""[..], 404, "not-found"),
        (
            "DELETE",
            "/v1/status".into(),
            b"",
            405,
            "method-not-allowed",
        ),
        ("GET", "/v1/statements/xyz".into(), b"", 400, "bad-request"),
        ("GET", "/v1/subjects".into(), b"", 400, "bad-request"),
        ("GET", "/v1/entries?limit=0".into(), b"", 400, "bad-request"),
        ("GET", "/v1/blocks/99".into(), b"", 404, "not-found"),
        ("GET", "/tile/zero/1".into(), b"", 400, "bad-request"),
        (
            "GET",
            format!("/v1/receipts/{zeros}"),
            b"",
            404,
            "not-found",
        ),
        (
            "GET",
            format!("/v1/receipts/{zeros}/cose"),
            b"",
            404,
            "not-found",
        ),
        (
            "POST",
            "/v1/envelopes".into(),
            b"junk",
            400,
            "malformed-envelope",
        ),
        (
            "POST",
            "/v1/envelopes".into(),
            &forged,
            401,
            "bad-signature",
        ),
        ("POST", "/v1/envelopes".into(), &too_large, 413, "too-large"),
        (
            "POST",
            "/v1/envelopes?timeout_ms=999999".into(),
            b"",
            400,
            "bad-request",
        ),
    ] {
        let (got, head, body) = request(&running, method, &path, body).await;
        assert_eq!(got, status, "{method} {path}: {head}");
        assert!(head.contains("application/problem+json"), "{path}: {head}");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            problem["type"],
            format!("urn:jangbu:problem:{kind}"),
            "{path}"
        );
        assert_eq!(problem["status"], status);
    }
    let path = format!("/v1/statements/{zeros}");
    assert_eq!(get(&running, &path).await["status"], "unknown");
    running.stop(&alone.config()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_gets_to_read_why_however_it_is_sent() {
    let alone = Alone::new();
    let running = alone.start().await;
    let junk = vec![7; 2 * ENVELOPE_BYTES_MAX];
    let chunked = [
        format!("{:x}\r\n", junk.len()).as_bytes(),
        &junk,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let head = "POST /v1/envelopes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    for (how, body) in [
        (format!("content-length: {}", junk.len()), &junk),
        ("transfer-encoding: chunked".to_owned(), &chunked),
    ] {
        let (status, answer, _) = exchange(&running, &format!("{head}{how}\r\n\r\n"), body).await;
        assert_eq!(status, 413, "{how}: {answer}");
    }
    // Who asks first is told before it sends any.
    let asks = format!("content-length: {}\r\nexpect: 100-continue", junk.len());
    let (status, answer, _) = exchange(&running, &format!("{head}{asks}\r\n\r\n"), b"").await;
    assert_eq!(status, 413, "{answer}");
    running.stop(&alone.config()).await.unwrap();
}

#[test]
fn a_keystore_of_another_member_is_refused() {
    let (alone, other) = (Alone::new(), Alone::new());
    let mut config = alone.config();
    config.keystore = other.config().keystore;
    let error = parts::unlock(&config, &alone.founded()).err().unwrap();
    assert!(matches!(error, AppError::OtherKey { .. }), "{error}");
}

/// The database of a node that recorded something of most sorts, and stopped.
async fn stopped() -> Alone {
    let alone = Alone::new();
    let running = alone.start().await;
    let other = Identifier::parse("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a67").unwrap();
    let link = |n: u32| Statement {
        occurrence: n,
        ..statement(Kind::ComponentLinked {
            child: other.clone(),
            basis: jangbu_ledger::statement::Basis::AsBuilt,
            quantity: None,
        })
    };
    let refused = statement(Kind::PassportSuperseded {
        version: 7,
        schema: Digest([1; 32]),
    });
    for statements in [
        vec![issued(), refused],
        vec![link(0)],
        vec![link(1), link(2)],
    ] {
        let (status, answer) = post(&running, &alone.envelope(statements)).await;
        assert_eq!(status, 200, "{answer}");
    }
    running.stop(&alone.config()).await.unwrap();
    alone
}

impl Alone {
    fn store(&self) -> RocksStore {
        open_store(&self.config(), &self.founded()).unwrap()
    }

    /// The database without the checks of a start.
    fn damage(&self, damage: &Damage) {
        self.store().damage(damage).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_follows_from_the_blocks_can_be_made_again_to_the_byte() {
    let alone = stopped().await;
    let config = alone.config();
    let before = alone.store().dump();
    let remade = [
        "outcomes",
        "entries",
        "statements",
        "log_nodes",
        "records",
        "record_values",
        "state_nodes",
        "stale_nodes",
        "streams",
        "used_in",
    ];
    for column in remade {
        let keys = before.keys().filter(|(name, _)| *name == column);
        assert!(keys.count() > 0, "nothing is in {column}");
    }
    let everything: Vec<Damage> = remade.into_iter().map(Damage::Clear).collect();
    let meta = |key: &[u8]| Damage::Put("meta", key.to_vec(), vec![1]);
    for damages in [
        vec![],
        vec![Damage::Flip("records")],
        vec![Damage::Put("streams", vec![0xff; 41], vec![])],
        vec![meta(b"tip"), meta(b"pruned")],
        everything,
        // One that was cut off in the middle.
        vec![meta(b"reindexing"), Damage::Clear("used_in")],
    ] {
        let mut store = alone.store();
        for damage in &damages {
            store.damage(damage).unwrap();
        }
        drop(store);
        let made = reindex(&config).unwrap();
        assert_eq!((made.blocks, made.entries), (4, 8), "{damages:?}");
        assert!(alone.store().dump() == before, "after {damages:?}");
        assert!(!config.data_dir.join(SCRATCH).exists());
    }
    check(&config).unwrap();

    // Without its sources nothing can be made, and nothing is touched.
    alone.damage(&Damage::Remove("envelopes"));
    let damaged = alone.store().dump();
    let error = reindex(&config).unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
    assert!(alone.store().dump() == damaged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_reindex_is_not_served_from() {
    let alone = stopped().await;
    alone.damage(&Damage::Put("meta", b"reindexing".to_vec(), vec![1]));
    let error = open_store(&alone.config(), &alone.founded()).unwrap_err();
    assert!(error.to_string().contains("jangbu-node reindex"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_root_is_derived_again_and_what_differs_is_named() {
    let alone = stopped().await;
    let found = fsck(&alone.config()).unwrap();
    assert_eq!((found.blocks, found.entries), (4, 8));
    assert_eq!(found.last_final.map(|height| height.0), Some(3));
    let before = alone.store().dump();
    let first = |column: &str| -> (Vec<u8>, Vec<u8>) {
        let mut found = before.iter().filter(|((name, _), _)| *name == column);
        let ((_, key), value) = found.next().unwrap();
        (key.clone(), value.clone())
    };
    let flipped = |column: &'static str, byte: usize| {
        let (key, mut value) = first(column);
        value[byte] ^= 1;
        Damage::Put(column, key, value)
    };
    // The second entry is the first statement.
    let entry = |position: u64, change: fn(&mut Vec<u8>)| {
        let key = position.to_be_bytes().to_vec();
        let mut value = before[&("entries", key.clone())].clone();
        change(&mut value);
        Damage::Put("entries", key, value)
    };
    let copied = before[&("entries", 2u64.to_be_bytes().to_vec())].clone();
    for (damage, parts) in [
        (entry(1, |bytes| bytes.push(0)), &["entry 1 "][..]),
        // Its commitment: still an entry, and another leaf.
        (
            entry(1, |bytes| {
                let at = bytes.windows(32).position(|w| w == [2; 32]).unwrap();
                bytes[at] ^= 1;
            }),
            &["entry 1:", "log's tree"],
        ),
        (
            Damage::Put("entries", 1u64.to_be_bytes().to_vec(), copied),
            &["entry 1 says", "2"],
        ),
        (flipped("log_nodes", 31), &["entry 0:", "level 0"]),
        (flipped("records", 0), &["records", "height 3"]),
        (
            Damage::Put("records", vec![0; 32], vec![1]),
            &["records", "height 3"],
        ),
        (Damage::Clear("records"), &["0 records"]),
        (
            Damage::Put("log_nodes", vec![0, 0, 0, 0, 0, 0, 0, 0, 99], vec![0; 32]),
            &["beyond"],
        ),
        (Damage::Flip("finals"), &["height 3", "quorum"]),
        (
            Damage::Put("finals", 9u64.to_be_bytes().to_vec(), vec![1]),
            &["final checkpoint"],
        ),
        (flipped("blocks", 40), &["height 0"]),
    ] {
        let mut store = alone.store();
        store.damage(&damage).unwrap();
        drop(store);
        let error = fsck(&alone.config()).unwrap_err().to_string();
        for part in parts {
            assert!(
                error.contains(part),
                "{damage:?}: {part:?} is not in {error}"
            );
        }
        // As it was.
        let mut store = alone.store();
        store.damage(&Damage::Clear("entries")).unwrap();
        for column in ["log_nodes", "records", "finals", "blocks"] {
            store.damage(&Damage::Clear(column)).unwrap();
        }
        for ((name, key), value) in &before {
            let put = Damage::Put(name, key.clone(), value.clone());
            store.damage(&put).unwrap();
        }
        drop(store);
        fsck(&alone.config()).unwrap();
    }
}
