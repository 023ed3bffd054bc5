//! Receipts of real nodes convince programs that others wrote, with what the nodes serve beside
//! them and nothing of ours.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use doubleentry::log::{InclusionProof, leaf_hash};
use doubleentry::transparency::{Policy, ProofBundle};
use jangbu_tests::cluster::OPERATORS;
use jangbu_tests::devnet::Devnet;
use serde_json::Value;

/// A devnet with one passport on its ledger, and where files go.
struct Ground {
    devnet: Devnet,
    statement: String,
}

impl Ground {
    fn new() -> Self {
        let devnet = Devnet::up();
        let document = devnet.path().join("passport.json");
        fs::write(&document, br#"{"capacity": "10 kWh"}"#).unwrap();
        let issued = devnet.done(
            "amperia",
            &[
                "passport",
                "issue",
                document.to_str().unwrap(),
                "--product",
                "https://id.gs1.org/01/09521234002000",
            ],
        );
        let statement = issued.object()["statement_id"].as_str().unwrap().to_owned();
        Self { devnet, statement }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.devnet.path().join(name)
    }

    /// Writes the receipt, from the node of `operator`.
    fn receipt(&self, operator: &str, name: &str, more: &[&str]) -> Vec<u8> {
        let file = self.file(name);
        let base = ["receipt", &self.statement, "-o", file.to_str().unwrap()];
        let written = self.devnet.settled(operator, &[&base[..], more].concat());
        assert_eq!(written.object()["statement_id"], *self.statement);
        let verified = self.devnet.offline(&["verify", file.to_str().unwrap()]);
        assert_eq!(verified.code, 0, "{verified:?}");
        fs::read(file).unwrap()
    }
}

/// The command line of PyPI's `scitt-cose`.
fn scitt_cose(receipt: &Path, entry: &[u8], log_key: &Path) -> Output {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/tool");
    Command::new(tool)
        .args(["scitt-cose", "-m", "scitt_cose.cli", "--receipt"])
        .arg(receipt)
        .arg("--receipt-log-pubkey")
        .arg(log_key)
        .args(["--leaf-entry-hex", &hex::encode(entry)])
        .output()
        .unwrap()
}

#[test]
fn every_node_gives_a_cose_receipt_that_scitt_cose_takes_with_the_key_beside_it() {
    let ground = Ground::new();
    let mut entries = Vec::new();
    for operator in OPERATORS {
        let name = format!("{operator}.cose");
        let (entry, key) = (ground.file("entry.bin"), ground.file("log-key.pem"));
        let beside = [
            "--entry",
            entry.to_str().unwrap(),
            "--log-key",
            key.to_str().unwrap(),
        ];
        let bytes = ground.receipt(
            operator,
            &name,
            &[&["--format", "cose"], &beside[..]].concat(),
        );
        let entry = fs::read(entry).unwrap();
        let taken = scitt_cose(&ground.file(&name), &entry, &key);
        assert!(taken.status.success(), "{taken:?}");

        let mut other = entry.clone();
        *other.last_mut().unwrap() ^= 1;
        let refused = scitt_cose(&ground.file(&name), &other, &key);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");

        let mut altered = bytes.clone();
        *altered.last_mut().unwrap() ^= 1;
        let file = ground.file("altered.cose");
        fs::write(&file, altered).unwrap();
        let refused = scitt_cose(&file, &entry, &key);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let ours = ground.devnet.offline(&["verify", file.to_str().unwrap()]);
        assert_eq!(ours.code, 3, "{ours:?}");

        let verified = ground
            .devnet
            .offline(&["verify", ground.file(&name).to_str().unwrap()])
            .object();
        let node = verified["checkpoint"]["one_node"]["name"].as_str().unwrap();
        assert!(node.ends_with(&format!("/{operator}")), "{verified}");
        entries.push(entry);
    }
    assert!(entries.windows(2).all(|pair| pair[0] == pair[1]));
}

/// What a node serves at a path.
fn served(node: &Value, path: &str) -> String {
    let url = format!("{}{path}", node["url"].as_str().unwrap());
    let answer = reqwest::blocking::get(&url).unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.text().unwrap()
}

#[test]
fn the_policy_that_every_node_serves_and_a_receipt_convince_doubleentry() {
    let ground = Ground::new();
    let status = ground.devnet.devnet(&["status"]).object();
    let nodes = status["nodes"].as_array().unwrap();
    let policies: BTreeSet<String> = nodes
        .iter()
        .map(|node| served(node, "/v1/tlog-policy"))
        .collect();
    assert_eq!(policies.len(), 1, "every node serves the same");
    let file = ground.file("policy");
    let genesis = ground.devnet.path().join("genesis.json");
    let (file, genesis) = (file.to_str().unwrap(), genesis.to_str().unwrap());
    let wrote = ground
        .devnet
        .done("cml1", &["genesis", "policy", genesis, "-o", file]);
    assert_eq!(wrote.out, "");
    let from_genesis = fs::read_to_string(file).unwrap();
    assert_eq!(
        policies.first(),
        Some(&from_genesis),
        "and what the genesis file says"
    );
    let policy = Policy::parse(&from_genesis).unwrap();
    assert_eq!(policy.logs().count(), OPERATORS.len());
    for operator in OPERATORS {
        let name = format!("{operator}.tlog-proof");
        let receipt = ground.receipt(operator, &name, &[]);
        let bundle = ProofBundle::parse(&receipt).unwrap();
        let verdict = policy.verify(bundle.checkpoint()).unwrap();
        assert_eq!(verdict.witnesses.len(), 3, "{operator}");
        let head = bundle.checkpoint().checkpoint().head();
        let proof = InclusionProof {
            index: bundle.index(),
            size: head.size,
            path: bundle.path().to_vec(),
        };
        let entry = bundle.extra().unwrap();
        proof.verify(&leaf_hash(entry), &head).unwrap();
    }
}
