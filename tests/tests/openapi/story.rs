//! A devnet on which companies, an auditor and a regulator say most of what can be said.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use jangbu_tests::cluster::Client;
use jangbu_tests::devnet::{Devnet, Sharing};
use serde_json::Value;

/// A product of amperia's with a passport from a document, and a lot that an event speaks of.
pub(crate) const PRODUCT: &str = "https://id.gs1.org/01/09521234002000";
/// A car of cml1's, a door and a lot of lacquer of cnkc's, a crate of cml1's.
pub(crate) const CAR: &str = "urn:uuid:aaaaaaaa-7b69-444d-81e6-655d0f1513bd";
const DOOR: &str = "urn:uuid:bbbbbbbb-7b69-444d-81e6-655d0f1513bd";
pub(crate) const LOT: &str = "urn:uuid:cccccccc-7b69-444d-81e6-655d0f1513bd";
const CRATE: &str = "urn:uuid:dddddddd-7b69-444d-81e6-655d0f1513bd";
const NEXT: &str = "urn:uuid:eeeeeeee-7b69-444d-81e6-655d0f1513bd";
/// What an agreement is about.
pub(crate) const DATA: &str = "dataset:hanbit.example/cells/2026-11";
const AGREEMENT: &str = "https://soyu.example/agreements/31";

/// The devnet, and what to ask it for.
pub(crate) struct Story {
    devnet: Devnet,
    /// A statement, and one that waits for its answer.
    pub(crate) statement: String,
    pub(crate) offer: String,
    /// An envelope that is on the ledger, and its id.
    pub(crate) envelope: Vec<u8>,
    pub(crate) envelope_id: String,
    /// Envelopes that are not: a good one, one that a rule refuses, one with another signature.
    pub(crate) waiting: Vec<u8>,
    pub(crate) refused: Vec<u8>,
    pub(crate) forged: Vec<u8>,
    /// A member, and one with a slot that it used.
    pub(crate) member_id: String,
    pub(crate) sealed: (String, String),
    pub(crate) height: u64,
}

impl Story {
    pub(crate) fn tell() -> Self {
        let devnet = Devnet::up();
        let say =
            |member: &str, arguments: &[&str]| -> Value { devnet.done(member, arguments).object() };
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/openepcis-dpp-ready/");
        let events = format!("{data}epcis/");
        let model = format!("{data}examples/amperia-staxwall-model.jsonld");
        let _lines = devnet.done("amperia", &["anchor", &events, &model]);
        for (member, product, granularity) in [
            ("cml1", CAR, "item"),
            ("cnkc", DOOR, "item"),
            ("cnkc", LOT, "batch"),
            ("cml1", CRATE, "item"),
        ] {
            devnet.issues(member, product, granularity);
        }
        // Material, components, containers.
        let amount = format!("10.5 KGM {LOT}");
        say("cnkc", &["link", "transform", "--out", &amount]);
        let used = format!("2 KGM {LOT}");
        say("cnkc", &["link", "transform", "--in", &used, "--out", DOOR]);
        say("cml1", &["link", "component", CAR, DOOR, "--quantity", "4"]);
        say("cnkc", &["link", "contest", CAR, DOOR]);
        say("cnkc", &["link", "confirm", CAR, DOOR]);
        say("cml1", &["link", "close", CAR]);
        say("cml1", &["link", "aggregate", CRATE, CAR]);
        // A passport's life.
        say("cml1", &["passport", "suspend", "--product", CAR]);
        say("cml1", &["passport", "reinstate", "--product", CAR]);
        let endorse = [
            "passport",
            "endorse",
            "--product",
            CAR,
            "--scheme",
            "ISO 9001",
        ];
        say("veritas", &endorse);
        say("marktamt", &["notice", "issue", CAR, "--sort", "recall"]);
        let offer = ["link", "custody", "offer", "--product", CAR, "--to", "cnkc"];
        let offer = say("cml1", &offer);
        // A data share in the open with a use of what was shared, and a sealed one.
        let open = Sharing {
            devnet: &devnet,
            name: AGREEMENT,
        };
        let terms = ["--permit", "ai-training", "--data", DATA];
        open.contract("hanbit", "soyu", &["--open"], &terms);
        let file = devnet.path().join("cells.csv");
        fs::write(&file, "cell,volts\n1,3.7\n").unwrap();
        let plain = file.to_str().unwrap();
        open.done("hanbit", "start", &["--plain", plain]);
        open.done("soyu", "receive", &[plain]);
        open.done("soyu", "use", &["--output", "model:soyu.example/range/1"]);
        let sealed = Sharing {
            devnet: &devnet,
            name: "share-7",
        };
        sealed.contract("hanbit", "soyu", &[], &[]);

        let statement = say("cml1", &["passport", "reinstate", "--product", CAR]);
        let height = devnet.settle();
        let client = Client::new(address(&devnet));
        let height = client.json("/v1/status")["height"]
            .as_u64()
            .unwrap_or(height);
        let signed = |name: &str, arguments: &[&str]| -> Vec<u8> {
            let file = devnet.path().join(name);
            let path = file.to_str().unwrap();
            let _signed = devnet.done("cml1", &[arguments, &["--sign-only", path]].concat());
            fs::read(file).unwrap()
        };
        let document = devnet.home("cml1").join("document.json");
        let document = document.to_str().unwrap();
        let issue = [
            "passport",
            "issue",
            document,
            "--granularity",
            "item",
            "--product",
        ];
        let envelope = signed("envelope", &[&issue[..], &[NEXT]].concat());
        let answer = client.submit(&envelope);
        assert_eq!(answer.status, 200, "{answer}");
        let envelope_id = answer.json()["envelope_id"].as_str().unwrap().to_owned();
        let foreign = "https://id.gs1.org/01/09521234002000/21/NOT-MINE";
        let refused = signed("refused", &[&issue[..], &[foreign]].concat());
        let another = "urn:uuid:ffffffff-7b69-444d-81e6-655d0f1513bd";
        let waiting = signed("waiting", &[&issue[..], &[another]].concat());
        let mut forged = waiting.clone();
        *forged.last_mut().unwrap() ^= 1;

        let members = client.json("/v1/members");
        let id_of = |name: &str| {
            let members = members["members"].as_array().unwrap();
            let found = members
                .iter()
                .find(|member| member["name"] == name)
                .unwrap();
            found["id"].as_str().unwrap().to_owned()
        };
        let entries = client.json("/v1/entries?limit=1000");
        let mut slots = entries["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| {
                let streams = &item["entry"]["body"]["statement"]["statement"]["streams"];
                let slot = streams[0]["sealed"].as_str()?;
                Some((item["member"].as_str()?.to_owned(), slot.to_owned()))
            });
        let text = |said: &Value| said["statement_id"].as_str().unwrap().to_owned();
        Self {
            statement: text(&statement),
            offer: text(&offer),
            envelope,
            envelope_id,
            waiting,
            refused,
            forged,
            member_id: id_of("cml1"),
            sealed: slots.next_back().unwrap(),
            height,
            devnet,
        }
    }

    /// A client of one of the nodes.
    pub(crate) fn client(&self) -> Client {
        Client::new(address(&self.devnet))
    }

    /// The data of the stream's events up to where the log stands.
    pub(crate) fn events(&self) -> Vec<Value> {
        let client = self.client();
        let last = client.json("/v1/status")["final"]["size"].as_u64().unwrap() - 1;
        let url = format!("http://{}/v1/stream?from=0", client.address);
        let request = reqwest::blocking::Client::new().get(url);
        let response = request.timeout(Duration::from_secs(60)).send().unwrap();
        let mut events = Vec::new();
        for line in BufReader::new(response).lines() {
            let line = line.unwrap();
            if let Some(data) = line.strip_prefix("data: ") {
                events.push(serde_json::from_str(data).unwrap());
            }
            if line
                .strip_prefix("id: ")
                .is_some_and(|id| id == last.to_string())
            {
                return events;
            }
        }
        panic!("the stream ended early");
    }
}

/// Where hanbit's node serves its API.
fn address(devnet: &Devnet) -> std::net::SocketAddr {
    let config = fs::read_to_string(devnet.path().join("nodes/hanbit/node.toml")).unwrap();
    let listen = config.split("[api]").nth(1).unwrap();
    let listen = listen.split('"').nth(1).unwrap();
    listen.parse().unwrap()
}
