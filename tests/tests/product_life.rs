//! A product's life by the command line: suspended, vouched for, handed over, recalled, made into
//! another, with every command run twice, as a script does.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_tests::devnet::{Devnet, Ran};
use serde_json::Value;

const CAR: &str = "urn:uuid:aaaaaaaa-7b69-444d-81e6-655d0f1513bd";
const DOOR: &str = "urn:uuid:bbbbbbbb-7b69-444d-81e6-655d0f1513bd";
const LOCK: &str = "urn:uuid:cccccccc-7b69-444d-81e6-655d0f1513bd";
const SHELF: &str = "urn:uuid:dddddddd-7b69-444d-81e6-655d0f1513bd";

struct Story {
    devnet: Devnet,
}

impl Story {
    /// A car of cml1 with a door of cnkc and a lock of csgv; cml1 also has a shelf.
    fn begin() -> Self {
        let story = Self {
            devnet: Devnet::up(),
        };
        for (member, product) in [
            ("cml1", CAR),
            ("cnkc", DOOR),
            ("csgv", LOCK),
            ("cml1", SHELF),
        ] {
            story.devnet.issues(member, product, "item");
        }
        story
    }

    fn says(&self, member: &str, arguments: &[&str]) -> String {
        self.devnet.says(member, arguments)
    }

    fn refuses(&self, member: &str, arguments: &[&str], rule: &str) {
        self.devnet.refuses(member, arguments, rule);
    }

    fn subject(&self, product: &str) -> Value {
        self.devnet.settled("veritas", &["show", product]).object()
    }

    fn life(&self) -> Value {
        self.subject(CAR)["passport"]["life"].clone()
    }

    fn trace(&self, arguments: &[&str]) -> Ran {
        self.devnet
            .settled("marktamt", &[&["trace"], arguments].concat())
    }
}

#[test]
fn a_product_is_suspended_vouched_for_handed_over_recalled_and_made_into_another() {
    let story = Story::begin();

    // Suspended twice, with a reinstatement in between: two facts, and each run again is none.
    let suspend = ["passport", "suspend", "--product", CAR];
    let reinstate = ["passport", "reinstate", "--product", CAR];
    let first = story.says("cml1", &suspend);
    assert_eq!(story.life(), "suspended");
    story.refuses("marktamt", &reinstate, "passport.suspender");
    story.says("cml1", &reinstate);
    let second = story.says("cml1", &suspend);
    assert_ne!(first, second);
    assert_eq!(story.life(), "suspended");
    story.says("cml1", &reinstate);
    assert_eq!(story.life(), "active");

    // An auditor vouches and takes it back; a company cannot.
    let endorse = [
        "passport",
        "endorse",
        "--product",
        CAR,
        "--scheme",
        "ISO 9001",
    ];
    let endorsement = story.says(
        "veritas",
        &[&endorse[..], &["--until", "2099-12-31"]].concat(),
    );
    story.refuses("cnkc", &endorse, "member.role");
    let past = [&endorse[..], &["--until", "2020-01-01"]].concat();
    story.refuses("veritas", &past, "endorsement.expired");
    story.says(
        "veritas",
        &["passport", "withdraw-endorsement", &endorsement],
    );
    // What was withdrawn can be said again.
    let again = story.says(
        "veritas",
        &[&endorse[..], &["--until", "2099-12-31"]].concat(),
    );
    assert_ne!(endorsement, again);

    // A regulator warns, and lifts it; so does the company of its own product.
    let recall = ["notice", "issue", CAR, DOOR, "--sort", "recall"];
    let notice = story.says("marktamt", &recall);
    story.refuses("cnkc", &recall, "member.role");
    story.refuses("veritas", &["notice", "lift", &notice], "notice.known");
    story.says("marktamt", &["notice", "lift", &notice]);
    assert_ne!(story.says("marktamt", &recall), notice);
    story.says("cml1", &["notice", "issue", CAR, "--sort", "safety"]);

    // Custody goes to the tier-1 company, then responsibility too.
    let custody = ["link", "custody", "offer", "--product", CAR, "--to", "cnkc"];
    story.says("cml1", &custody);
    let accept = ["link", "custody", "accept", "--product", CAR];
    story.refuses("csgv", &accept, "handover.known");
    story.says("cnkc", &accept);
    assert_eq!(story.subject(CAR)["custodian_name"], "cnkc");
    let transfer = [
        "passport",
        "transfer",
        "offer",
        "--product",
        CAR,
        "--to",
        "csgv",
    ];
    story.says("cml1", &transfer);
    story.says("csgv", &["passport", "transfer", "end", "--product", CAR]);
    let transfer = [
        "passport",
        "transfer",
        "offer",
        "--product",
        CAR,
        "--to",
        "cnkc",
    ];
    story.says("cml1", &transfer);
    // Suspended since it was offered: whoever takes it over is told before it is said, and may.
    story.says("marktamt", &suspend);
    story.devnet.settle();
    let accept = ["passport", "transfer", "accept", "--product", CAR];
    let ran = story.devnet.done("cnkc", &accept);
    assert!(ran.err.contains("is suspended"), "{ran:?}");
    assert_eq!(ran.object()["duplicate"], false);
    story.says("marktamt", &reinstate);
    let ran = story.devnet.settled("cnkc", &accept);
    assert_eq!(
        (&ran.object()["duplicate"], &*ran.err),
        (&Value::Bool(true), "")
    );
    assert_eq!(story.subject(CAR)["owner_name"], "cnkc");
    story.refuses("cml1", &suspend, "member.role");

    // A second life, and the end.
    let derive = ["passport", "derive", "--product", SHELF, "--from", CAR];
    story.refuses(
        "cnkc",
        &[&derive[..], &["--by", "repurposed"]].concat(),
        "subject.owner",
    );
    story.says("cml1", &[&derive[..], &["--by", "repurposed"]].concat());
    let register = [
        "passport",
        "register",
        "--product",
        SHELF,
        "--registry",
        "EU DPP registry",
    ];
    story.says("cml1", &register);
    story.says(
        "cnkc",
        &[
            "passport",
            "end-of-life",
            "--product",
            CAR,
            "--fate",
            "recycled",
        ],
    );
    assert_eq!(story.life(), "ended");
    story.refuses("cnkc", &suspend, "passport.ended");
    let reached = story.trace(&[CAR, "--up"]).object();
    assert_eq!(reached["edges"][0]["relation"], "made_of", "{reached}");
    assert_eq!(reached["edges"][0]["parent"], SHELF);
}

#[test]
fn a_composition_is_contested_confirmed_closed_and_drawn() {
    let story = Story::begin();
    story.says("cml1", &["link", "component", CAR, DOOR, "--quantity", "4"]);
    let link = story.says("cnkc", &["link", "component", DOOR, LOCK]);
    story.says("cnkc", &["link", "confirm", CAR, DOOR]);
    story.says(
        "csgv",
        &["link", "contest", DOOR, LOCK, "--remark", "not ours"],
    );
    let trace = story.trace(&[CAR]).object();
    assert_eq!(trace["counts"]["contested"], 1, "{trace}");
    assert_eq!(trace["edges"][1]["contested_by"], "csgv");
    // Whoever denied it may still agree.
    story.says("csgv", &["link", "confirm", &link]);

    story.refuses(
        "cml1",
        &["link", "close", CAR, "--links", "7"],
        "composition.count",
    );
    story.says("cml1", &["link", "close", CAR]);
    story.says("cnkc", &["link", "close", DOOR]);
    story.says("csgv", &["link", "close", LOCK]);
    let trace = story.trace(&[CAR]).object();
    assert_eq!(trace["counts"]["complete"], 3, "{trace}");
    assert_eq!(trace["counts"]["contested"], 0, "{trace}");

    // A recall of the lock reaches the car through the door.
    let reached = story.trace(&[LOCK, "--up"]).object();
    assert_eq!(reached["direction"], "up");
    assert_eq!(reached["counts"]["links"], 2, "{reached}");
    assert!(
        reached["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|node| node["identifier"] == CAR)
    );

    // Pictures and exports, each of the same three things.
    for (format, marks) in [
        ("svg", "<g>"),
        ("html", "<g>"),
        ("dot", "[label=\"urn:uuid:"),
    ] {
        let drawn = story.trace(&[CAR, "--format", format]).out;
        assert_eq!(drawn.matches(marks).count(), 3, "{format}: {drawn}");
    }
    let prov: Value = serde_json::from_str(&story.trace(&[CAR, "--format", "prov"]).out).unwrap();
    assert_eq!(prov["wasDerivedFrom"].as_object().unwrap().len(), 2);

    // A new link takes the closure back.
    story.says("cml1", &["link", "component", CAR, SHELF]);
    let trace = story.trace(&[CAR]).object();
    assert_eq!(trace["counts"]["complete"], 2, "{trace}");

    // The proof, offline, says how each thing stands.
    let file = story.devnet.path().join("car.jangbu.json");
    let file = file.to_str().unwrap();
    let _proved = story
        .devnet
        .done("cml1", &["prove", "trace", CAR, "-o", file]);
    let genesis = story.devnet.path().join("genesis.json");
    let verified = story
        .devnet
        .done(
            "veritas",
            &["verify", file, "--genesis", genesis.to_str().unwrap()],
        )
        .object();
    let parts = &verified["findings"][0]["parts"];
    let closed = parts
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part["closed"] == true);
    assert_eq!(closed.count(), 2, "{verified}");
}
