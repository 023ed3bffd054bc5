//! Data shares through real processes: in the open, sealed, and with real files.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::PathBuf;

use jangbu_genesis::key_file::{Purpose, SecretKey};
use jangbu_genesis::{Genesis, Keystore, Passphrase, TrustAnchor};
use jangbu_ledger::codec;
use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::content::{CHUNK_BYTES, ContentKey, MAGIC, WrappingKey};
use jangbu_ledger::envelope::{ENVELOPE_VERSION, Envelope};
use jangbu_ledger::id::{ChainId, Digest, KeyId, MemberId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Deed, Sealing, Sent, WrappedKey};
use jangbu_ledger::signature::Signature;
use jangbu_ledger::statement::{Kind, Statement, Stream};
use jangbu_ledger::tree;
use jangbu_tests::cluster::now_ms;
use jangbu_tests::devnet::{Devnet, Sharing};
use serde_json::Value;

/// From a request to a final contract, and the transfer asked for.
fn contract(sharing: &Sharing<'_>, provider: &str, consumer: &str, first: &[&str]) {
    sharing.contract(provider, consumer, first, &["--permit", "ai-training"]);
}

#[test]
fn a_share_in_the_open_is_judged_by_every_validator_and_read_by_everyone() {
    let devnet = Devnet::up();
    let sharing = Sharing {
        devnet: &devnet,
        name: "https://soyu.example/agreements/7",
    };
    // The name lies under soyu's domain: nobody else opens a share there.
    let foreign = sharing.step("hanbit", "offer", &["--with", "soyu", "--open"]);
    assert_eq!(foreign.code, 3, "{foreign:?}");
    assert!(foreign.err.contains("subject.prefix"), "{foreign:?}");
    let nameless = devnet.jangbu(
        "soyu",
        &["share", "request", "a b", "--with", "hanbit", "--open"],
    );
    assert_eq!(nameless.code, 2, "{nameless:?}");
    assert!(nameless.err.contains("identifier"), "{nameless:?}");

    contract(&sharing, "hanbit", "soyu", &["--open"]);
    let root = "11".repeat(32);
    let _ = sharing.done("hanbit", "start", &["--root", &root]);
    sharing.refused(
        "soyu",
        "receive",
        &["--root", &"22".repeat(32)],
        "share.root",
    );
    let _ = sharing.done("soyu", "receive", &["--root", &root]);
    let _ = sharing.done("soyu", "confirm", &[]);
    let again = sharing.done("soyu", "confirm", &[]);
    assert_eq!(again["duplicate"], true);
    let model = ["--output", "model:soyu.example/range/3"];
    let _ = sharing.done("soyu", "use", &model);
    let _ = sharing.done(
        "soyu",
        "use",
        &["--activity", "resale", "--occurrence", "1"],
    );
    sharing.refused("hanbit", "receive", &["--root", &root], "share.party");

    // Others look on: a regulator reads it all, and a third company's step is refused.
    sharing.refused("nordwind", "accept", &["--open"], "share.party");
    let _ = sharing.done("hanbit", "dispute", &[]);
    sharing.refused("soyu", "resolve", &[], "share.order");
    let _ = sharing.done("marktamt", "resolve", &["--open"]);
    let _ = sharing.done("nordwind", "use", &["--open", "--activity", "analytics"]);
    let _ = sharing.done("soyu", "retire", &[]);
    let late = ["--root", &root, "--occurrence", "1"];
    sharing.refused("hanbit", "start", &late, "share.closed");
    let _ = sharing.done("hanbit", "acknowledge", &[]);
    let _ = sharing.done("soyu", "delete", &[]);
    let _ = sharing.done("soyu", "use", &["--occurrence", "2"]);

    let shown = sharing.show("marktamt", &["--open"]);
    assert_eq!(shown["contract"], "CLOSED");
    assert_eq!(shown["delivery"], "CONFIRMED");
    assert_eq!(shown["holding"], "NOTHING");
    assert_eq!(
        (shown["provider"].as_str(), shown["consumer"].as_str()),
        (Some("hanbit"), Some("soyu"))
    );
    let steps = shown["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["counts"] == true), "{shown}");
    let covered: Vec<&str> = steps
        .iter()
        .filter(|step| step["step"] == "used")
        .map(|step| step["covered"][0].as_str().unwrap())
        .collect();
    assert_eq!(covered, ["permitted", "not_permitted", "foreign", "ended"]);
    // A party reads the same, and has the documents of what it said itself.
    let mut own = sharing.show("soyu", &[])["steps"].clone();
    for (step, seen) in own.as_array_mut().unwrap().iter_mut().zip(steps) {
        assert_eq!(step["document"], step["by"] == "soyu", "{step}");
        step["document"] = seen["document"].clone();
    }
    assert_eq!(Some(steps), own.as_array());

    // It proves like any other subject: all of it, or nothing.
    let proof = devnet.path().join("share.jangbu.json");
    let proof = proof.to_str().unwrap();
    let _ = devnet.settled("marktamt", &["prove", "subject", sharing.name, "-o", proof]);
    let _ = devnet.done("marktamt", &["verify", proof]);
}

/// Content of several chunks, the last one short.
fn content(devnet: &Devnet) -> (String, Vec<u8>) {
    let bytes: Vec<u8> = (0..3 * CHUNK_BYTES + 5)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let path = devnet.path().join("content.csv");
    fs::write(&path, &bytes).unwrap();
    (path.to_str().unwrap().to_owned(), bytes)
}

#[test]
fn a_file_is_delivered_sealed_for_a_receipt_and_each_command_may_run_twice() {
    let devnet = Devnet::up();
    let sharing = Sharing {
        devnet: &devnet,
        name: "agreement 12",
    };
    let (file, bytes) = content(&devnet);
    let path = |name: &str| devnet.path().join(name).to_str().unwrap().to_owned();
    let (delivery, out) = (path("delivery"), path("out"));
    contract(&sharing, "hanbit", "soyu", &[]);

    // Nothing is encrypted for whom it is not due.
    sharing.refused("soyu", "start", &[&file], "share.party");
    let start = [file.as_str(), "--to", &delivery];
    let _ = sharing.done("hanbit", "start", &start);
    let sealed = fs::read(&delivery).unwrap();
    assert!(sealed.len() > bytes.len());
    assert!(!sealed.windows(64).any(|window| window == &bytes[..64]));
    let again = sharing.done("hanbit", "start", &start);
    assert_eq!(again["duplicate"], true);
    assert_eq!(fs::read(&delivery).unwrap(), sealed);

    // The key waits for the receipt, and the receipt for all of the file.
    sharing.refused("hanbit", "release", &[], "share.order");
    let finish = [delivery.as_str(), "--to", &out];
    sharing.refused("soyu", "complete", &finish, "share.key");
    let changed = path("changed");
    for (bytes, code, what) in [
        (&sealed[..sealed.len() - 1], 2, "cut short: chunk 3 of 4"),
        (&bytes[..], 2, "no delivery"),
        (&[&sealed[..], b"0"].concat(), 2, "longer"),
    ] {
        fs::write(&changed, bytes).unwrap();
        let ran = sharing.step("soyu", "receive", &[&changed]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.err.contains(what), "{what}: {ran:?}");
    }
    let mut other = sealed.clone();
    other[CHUNK_BYTES] ^= 1;
    fs::write(&changed, &other).unwrap();
    sharing.refused("soyu", "receive", &[&changed], "share.root");
    let _ = sharing.done("soyu", "receive", &[&delivery]);
    let _ = sharing.done("soyu", "receive", &[&delivery]);

    // Another file's key is not released, and what the vault forgot is in the file.
    fs::remove_dir_all(devnet.home("hanbit").join("vault")).unwrap();
    let with = ["--with", "soyu"];
    let forgotten = sharing.step("hanbit", "release", &with);
    assert_eq!(forgotten.code, 2, "{forgotten:?}");
    assert!(forgotten.err.contains("--file"), "{forgotten:?}");
    let wrong = sharing.step("hanbit", "release", &["--with", "soyu", "--file", &changed]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let _ = sharing.done("hanbit", "release", &["--with", "soyu", "--file", &file]);

    let ended = sharing.step("soyu", "complete", &finish);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.lines().len(), 2, "confirmed, and completed");
    assert_eq!(fs::read(&out).unwrap(), bytes);
    let again = sharing.step("soyu", "complete", &finish);
    assert!(
        again.lines().iter().all(|line| line["duplicate"] == true),
        "{again:?}"
    );
    let shown = sharing.show("hanbit", &[]);
    assert_eq!(shown["delivery"], "CONFIRMED");
    assert_eq!(shown["transfer"], "COMPLETED");
    // Nobody else learns the name, the root or the content from the ledger.
    let everything = devnet.settled("nordwind", &["list", "--all"]).out;
    let root = shown["sent"]["root"].as_str().unwrap();
    for secret in [sharing.name, root, "ai-training"] {
        assert!(!everything.contains(secret), "{secret} stands in the open");
    }
}

/// A member of the devnet that makes its own statements.
struct Liar<'a> {
    devnet: &'a Devnet,
    name: &'static str,
    chain: ChainId,
}

/// What a member sends, and can release any key for.
struct Delivery {
    root: Digest,
    sealing: Sealing,
    wrapping: WrappingKey,
    bytes: Vec<u8>,
}

impl Delivery {
    fn started(&self) -> Deed {
        let sent = Some(Sent {
            root: self.root,
            sealing: Some(self.sealing.clone()),
        });
        Deed::TransferStarted { sent }
    }

    fn released(&self, key: &ContentKey) -> Deed {
        let wrapped = self.wrapping.wrap(key).unwrap();
        Deed::KeyReleased { wrapped }
    }
}

impl<'a> Liar<'a> {
    fn of(devnet: &'a Devnet, name: &'static str) -> (Self, TrustAnchor) {
        let genesis = fs::read(devnet.path().join("genesis.json")).unwrap();
        let anchor = TrustAnchor::of(&Genesis::parse(&genesis).unwrap()).unwrap();
        let chain = anchor.chain_id;
        let liar = Liar {
            devnet,
            name,
            chain,
        };
        (liar, anchor)
    }

    /// Three chunks for soyu, of which it commits to what becomes of them.
    fn send(
        &self,
        sharing: &Sharing<'_>,
        anchor: &TrustAnchor,
        key: &ContentKey,
        spoil: impl FnOnce(&mut [Vec<u8>]),
    ) -> Delivery {
        let chunks = [
            vec![1; CHUNK_BYTES],
            vec![2; CHUNK_BYTES],
            b"secret".to_vec(),
        ];
        let mut records: Vec<Vec<u8>> = (0..)
            .zip(&chunks)
            .map(|(index, chunk)| key.chunk(index).seal(chunk).unwrap())
            .collect();
        spoil(&mut records);
        let root = tree::DELIVERY.root(records.iter().map(Vec::as_slice));
        let hashes = records.iter().map(|record| &record[32..64]);
        let subject = sharing.name.parse::<Identifier>().unwrap().subject_id();
        let soyu = anchor.member_named("soyu").unwrap();
        let soyu = x25519_dalek::PublicKey::from(*soyu.keys.encryption.as_bytes());
        let own = self.key(Purpose::Encryption).exchange();
        let wrapping = WrappingKey::agree(&own, &soyu, &subject, &root).unwrap();
        let sealing = Sealing {
            content_root: tree::CONTENT.root(hashes),
            wrap: wrapping.hash(),
            bytes: chunks.iter().map(|chunk| chunk.len() as u64).sum(),
        };
        Delivery {
            root,
            sealing,
            wrapping,
            bytes: [&MAGIC[..], &records.concat()].concat(),
        }
    }

    fn key(&self, purpose: Purpose) -> SecretKey {
        let home = self.devnet.home(self.name);
        let passphrase = Passphrase::new(fs::read(home.join("passphrase")).unwrap());
        Keystore::at(home.join("keys"))
            .unlock(purpose, &passphrase)
            .unwrap()
    }

    /// Takes a step of an open share of somebody else's, whatever it states.
    fn say(&self, share: &str, with: &str, deed: Deed, nonce: u64) {
        let statement = Statement {
            kind: Kind::ShareStep {
                with: MemberId::of(with),
                deed: Box::new(deed),
            },
            occurrence: 0,
            streams: vec![Stream::Claims(share.parse().unwrap())],
            commitment: Commitment::NOTHING,
            references: Vec::new(),
            payload: Vec::new(),
        };
        let mut envelope = Envelope {
            version: ENVELOPE_VERSION,
            chain_id: self.chain,
            member: MemberId::of(self.name),
            key_id: KeyId([0; 16]),
            nonce,
            expires_at_ms: TimeMs(now_ms() + 600_000),
            statements: vec![statement],
            signature: Signature([0; 64]),
        };
        envelope.sign(&self.key(Purpose::Attestor).signing());
        let file = self.devnet.path().join(format!("envelope-{nonce}"));
        fs::write(&file, codec::encode(&envelope)).unwrap();
        let _ = self
            .devnet
            .done(self.name, &["submit", file.to_str().unwrap()]);
    }
}

#[test]
fn a_wrong_chunk_is_rejected_with_a_proof_that_convicts_the_provider() {
    let devnet = Devnet::up();
    let sharing = Sharing {
        devnet: &devnet,
        name: "https://soyu.example/agreements/13",
    };
    let path = |name: &str| devnet.path().join(name).to_str().unwrap().to_owned();
    contract(&sharing, "hanbit", "soyu", &["--open"]);

    let (liar, anchor) = Liar::of(&devnet, "hanbit");
    let key = ContentKey::from_bytes([7; 32]);
    // The second of three chunks is noise, which the provider commits to like to the others.
    let sent = liar.send(&sharing, &anchor, &key, |records| records[1][1000] ^= 1);
    liar.say(sharing.name, "soyu", sent.started(), 1);
    let delivery = path("delivery");
    fs::write(&delivery, &sent.bytes).unwrap();
    let _ = sharing.done("soyu", "receive", &[&delivery]);
    liar.say(sharing.name, "soyu", sent.released(&key), 2);

    let (out, proof) = (path("out"), path("proof.json"));
    let finish = [delivery.as_str(), "--to", &out, "--proof", &proof];
    for _ in 0..2 {
        let ran = sharing.step("soyu", "complete", &finish);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(
            ran.err.contains("hanbit") && ran.err.contains("chunk 1"),
            "{ran:?}"
        );
        assert!(
            !PathBuf::from(&out).exists(),
            "nothing wrong is left behind"
        );
    }
    let shown = sharing.show("marktamt", &["--open"]);
    assert_eq!(shown["delivery"], "REJECTED");

    let verified = devnet.done("marktamt", &["verify", &proof]).object();
    assert_eq!(verified["verdict"], "holds");
    assert_eq!(verified["member_name"], "hanbit");
    assert_eq!(verified["chunk"], 1);
    // It shows this chunk's key and no other's.
    let text = fs::read_to_string(&proof).unwrap();
    assert!(text.contains(&hex::encode(key.chunk(1).expose())));
    for other in [0, 2] {
        assert!(!text.contains(&hex::encode(key.chunk(other).expose())));
    }
    mutants_convict_nobody(&devnet, &text, &key);
}

/// The same proof with one thing changed, or of a chunk that is right.
fn mutants_convict_nobody(devnet: &Devnet, text: &str, key: &ContentKey) {
    let proof: Value = serde_json::from_str(text).unwrap();
    let file = devnet.path().join("mutant.json");
    let verify = |mutant: &Value| {
        fs::write(&file, mutant.to_string()).unwrap();
        devnet
            .jangbu("marktamt", &["verify", file.to_str().unwrap()])
            .code
    };
    assert_eq!(verify(&proof), 0);
    let mut other_key = proof.clone();
    other_key["fault"]["key"] = hex::encode(key.chunk(0).expose()).into();
    let mut other_place = proof.clone();
    other_place["fault"]["record"]["index"] = 0.into();
    let mut no_path = proof.clone();
    no_path["fault"]["record"]["path"] = Value::Array(Vec::new());
    let mut other_bytes = proof.clone();
    let bytes = proof["fault"]["record"]["bytes"].as_str().unwrap();
    other_bytes["fault"]["record"]["bytes"] = format!("AAAA{}", &bytes[4..]).into();
    for (name, mutant) in [
        ("key", other_key),
        ("place", other_place),
        ("path", no_path),
        ("bytes", other_bytes),
    ] {
        assert_eq!(verify(&mutant), 3, "{name}");
    }
    let mut later = proof.clone();
    later["format"] = "jangbu-rejection/2".into();
    assert_eq!(verify(&later), 2);
    let mut more = proof;
    more["more"] = 1.into();
    assert_eq!(verify(&more), 2);
}

#[test]
fn a_wrong_key_convicts_and_the_release_of_another_delivery_does_not() {
    let devnet = Devnet::up();
    let (liar, anchor) = Liar::of(&devnet, "hanbit");
    let path = |name: &str| devnet.path().join(name).to_str().unwrap().to_owned();
    let share = |name| Sharing {
        devnet: &devnet,
        name,
    };
    let (right, wrong) = (
        ContentKey::from_bytes([7; 32]),
        ContentKey::from_bytes([8; 32]),
    );
    let [proof, none] = ["proof.json", "none.json"].map(path);
    // Releases a key that is not the one it committed to.
    let lied = share("https://soyu.example/agreements/21");
    // Releases the right one, which opens what it sent.
    let honest = share("https://soyu.example/agreements/22");
    // Releases what is no key of this delivery's.
    let useless = share("https://soyu.example/agreements/23");
    for (nonce, sharing, released) in [
        (1, &lied, Some(&wrong)),
        (3, &honest, Some(&right)),
        (5, &useless, None),
    ] {
        contract(sharing, "hanbit", "soyu", &["--open"]);
        let sent = liar.send(sharing, &anchor, &right, |_| ());
        liar.say(sharing.name, "soyu", sent.started(), nonce);
        let delivery = path("delivery");
        fs::write(&delivery, &sent.bytes).unwrap();
        let _ = sharing.done("soyu", "receive", &[&delivery]);
        let released = match released {
            Some(key) => sent.released(key),
            None => Deed::KeyReleased {
                wrapped: WrappedKey([0; 72]),
            },
        };
        liar.say(sharing.name, "soyu", released, nonce + 1);
        let out = path("out");
        let file = if nonce == 1 { &proof } else { &none };
        let ran = sharing.step(
            "soyu",
            "complete",
            &[&delivery, "--to", &out, "--proof", file],
        );
        let ended = if nonce == 3 { 0 } else { 3 };
        assert_eq!(ran.code, ended, "{}: {ran:?}", sharing.name);
        let state = if nonce == 3 { "CONFIRMED" } else { "REJECTED" };
        assert_eq!(sharing.show("hanbit", &[])["delivery"], state);
    }
    assert!(
        !PathBuf::from(&none).exists(),
        "nothing is proved to others"
    );
    let verified = devnet.done("marktamt", &["verify", &proof]).object();
    assert_eq!(verified["member_name"], "hanbit");
    assert_eq!(verified["chunk"], 0);

    // With the release of another delivery in its place, the same file convicts nobody.
    let text = fs::read_to_string(&proof).unwrap();
    let mut mutant: Value = serde_json::from_str(&text).unwrap();
    // Its release is the last thing that the provider said of it.
    let said = ["list", "--subject", honest.name, "--by", "hanbit"];
    let said = devnet.settled("marktamt", &said).lines();
    let id = said.last().unwrap()["statement_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let bundle = path("release.json");
    let _ = devnet.done(
        "marktamt",
        &["prove", "statement", &id, "--output", &bundle],
    );
    let bundle: Value = serde_json::from_str(&fs::read_to_string(&bundle).unwrap()).unwrap();
    mutant["fault"]["released"]["bundle"] = bundle;
    fs::write(&none, mutant.to_string()).unwrap();
    let innocent = devnet.jangbu("marktamt", &["verify", &none]);
    assert_eq!(innocent.code, 3, "{innocent:?}");
    assert!(
        innocent.out.contains("not of this delivery"),
        "{innocent:?}"
    );
}

#[test]
fn a_sealed_share_is_granted_to_an_auditor_who_alone_reads_it_and_the_share_says_so() {
    let devnet = Devnet::up();
    let sharing = Sharing {
        devnet: &devnet,
        name: "agreement 12/2026",
    };
    let path = |name: &str| devnet.path().join(name).to_str().unwrap().to_owned();
    contract(&sharing, "hanbit", "soyu", &[]);
    let file = path("grant.json");
    let to = ["--to", "marktamt", "--output", &file];
    // Who is no party has nothing to grant; who is one reads it anyway.
    let stranger = sharing.step("nordwind", "grant", &to);
    assert_eq!(stranger.code, 2, "{stranger:?}");
    let party = sharing.step("hanbit", "grant", &["--to", "soyu", "--output", &file]);
    assert_eq!(party.code, 2, "{party:?}");
    let early = sharing.step("hanbit", "grant", &[&to[..], &["--no-wait"]].concat());
    assert_eq!(early.code, 2, "{early:?}");
    assert!(
        !PathBuf::from(&file).exists(),
        "no key left before it was recorded"
    );

    for duplicate in [false, true] {
        let ran = sharing.step("hanbit", "grant", &to);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.lines()[0]["duplicate"], duplicate);
    }
    devnet.settle();
    let audited = devnet.done("marktamt", &["share", "audit", &file]).object();
    assert_eq!(audited["name"], sharing.name);
    assert_eq!(audited["provider"], "hanbit");
    assert_eq!(audited["contract"], "FINALIZED");
    assert_eq!(audited["grant_recorded"], true);
    let steps = audited["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 8, "seven steps, and the grant");
    assert!(steps.iter().all(|step| step["counts"] == true));
    assert_eq!(steps[7]["granted_to"], "marktamt");
    // The other party sees whom it was granted to.
    let seen = sharing.show("soyu", &[]);
    assert!(
        seen.to_string()
            .contains(&MemberId::of("marktamt").to_string())
    );

    let foreign = devnet.jangbu("nordwind", &["share", "audit", &file]);
    assert_eq!(foreign.code, 2, "{foreign:?}");
    assert!(foreign.err.contains("for marktamt"), "{foreign:?}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(sharing.name) && !text.contains("hanbit"));
    let mut changed: Value = serde_json::from_str(&text).unwrap();
    changed["by"] = MemberId::of("soyu").to_string().into();
    fs::write(&file, changed.to_string()).unwrap();
    let changed = devnet.jangbu("marktamt", &["share", "audit", &file]);
    assert_eq!(changed.code, 2, "{changed:?}");
    assert!(changed.err.contains("does not open"), "{changed:?}");

    // What everyone reads is not granted.
    let open = Sharing {
        devnet: &devnet,
        name: "https://soyu.example/agreements/8",
    };
    let _ = open.done("soyu", "request", &["--with", "hanbit", "--open"]);
    let granted = open.step("soyu", "grant", &to);
    assert_eq!(granted.code, 2, "{granted:?}");
    assert!(granted.err.contains("everyone reads"), "{granted:?}");
}
