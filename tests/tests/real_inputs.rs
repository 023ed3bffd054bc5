//! Real documents through real processes: anchored by the companies they belong to, found again
//! on the ledger exactly as the files have them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use jangbu_tests::devnet::{Devnet, Ran, Sharing};
use serde_json::Value;

const TWINS: &str = "tractusx-traceability/CX_Testdata_MessagingTest_v0.0.14.json";
const CONTAINER: &str = "https://catenax.io/schema/TestDataContainer/1.0.0";
/// Each company's name on the devnet, and its business partner number in the file.
const COMPANIES: [(&str, &str); 3] = [
    ("cml1", "BPNL00000003CML1"),
    ("cnkc", "BPNL00000003CNKC"),
    ("csgv", "BPNL00000003CSGV"),
];
const MODEL: &str = "https://id.gs1.org/01/09521234002000";
const BATCH: &str = "https://id.gs1.org/01/09521234002000/10/LOT-2026-AMP01";
const ITEM: &str = "https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001";

fn data(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(path);
    path.to_str().unwrap().to_owned()
}

/// The bill-of-material edges of the file, product to component, and who owns which twin. Read
/// here by hand: this is what the ledger's answers are compared with.
fn file() -> (BTreeMap<String, String>, BTreeMap<String, Vec<String>>) {
    let document: Value = serde_json::from_slice(&fs::read(data(TWINS)).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (mut owners, mut edges) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
    for twin in document[CONTAINER].as_array().unwrap() {
        owners.insert(text(&twin["catenaXId"]), text(&twin["bpnl"]));
        for (name, aspects) in twin.as_object().unwrap() {
            if !name.contains("#SingleLevelBom") {
                continue;
            }
            for child in aspects
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|aspect| aspect["childItems"].as_array().unwrap())
            {
                let parent = edges.entry(text(&twin["catenaXId"])).or_default();
                parent.push(text(&child["catenaXId"]));
            }
        }
    }
    (owners, edges)
}

/// Everything below a product, by the file.
fn below(edges: &BTreeMap<String, Vec<String>>, product: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut open = vec![product.to_owned()];
    while let Some(parent) = open.pop() {
        for child in edges.get(&parent).into_iter().flatten() {
            if found.insert((parent.clone(), child.clone())) {
                open.push(child.clone());
            }
        }
    }
    found
}

fn ids(ran: &Ran) -> Vec<String> {
    let lines = ran.lines();
    let said = lines.iter().filter(|line| line["status"] == "final");
    said.map(|line| line["statement_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn three_companies_anchor_their_twins_and_the_ledger_traces_exactly_the_files_links() {
    let devnet = Devnet::up();
    let twins = data(TWINS);
    // A confirmation needs the other company's link, so whoever comes first comes twice.
    let mut first = BTreeMap::new();
    for round in 0..2 {
        for (company, _) in COMPANIES {
            let ran = devnet.done(company, &["anchor", &twins]);
            assert_eq!(ran.count("status", "refused"), 0, "{ran:?}");
            assert_eq!(ran.lines().len(), 46 + 22 + 21, "all is said or listed");
            if round == 0 {
                first.insert(company, ids(&ran));
                continue;
            }
            let again = ids(&ran);
            let before = &first[company];
            assert!(before.iter().all(|id| again.contains(id)), "{company}");
            let duplicates = ran.lines();
            let duplicates = duplicates.iter().filter(|line| line["duplicate"] == true);
            assert!(duplicates.count() >= before.len());
        }
    }
    let size = devnet.log_size("amperia");
    for (company, _) in COMPANIES {
        let third = devnet.done(company, &["anchor", &twins]);
        let repeated = third.lines();
        let mut said = repeated.iter().filter(|line| line["status"] == "final");
        assert!(said.all(|line| line["duplicate"] == true));
    }
    assert_eq!(devnet.log_size("amperia"), size, "a third run adds nothing");

    let (owners, edges) = file();
    assert_eq!(owners.len(), 46);
    let mut all = BTreeMap::new();
    for product in edges.keys() {
        let trace = devnet.done("marktamt", &["trace", product]).object();
        let mut links = BTreeSet::new();
        for edge in trace["edges"].as_array().unwrap() {
            let [parent, child] =
                ["parent", "child"].map(|key| edge[key].as_str().unwrap().to_owned());
            links.insert((parent.clone(), child.clone()));
            all.insert((parent, child), edge["status"].as_str().unwrap().to_owned());
        }
        let expected = below(&edges, product);
        assert_eq!(links, expected, "{product}");
        assert_eq!(trace["edges"].as_array().unwrap().len(), expected.len());
        assert_eq!(trace["counts"]["links"], expected.len());
        for node in trace["nodes"].as_array().unwrap() {
            let bpn = &owners[node["identifier"].as_str().unwrap()];
            let (company, _) = COMPANIES.iter().find(|(_, of)| of == bpn).unwrap();
            assert_eq!(node["owner_name"], *company);
        }
    }
    assert_eq!(all.len(), 22);
    let confirmed = all.values().filter(|status| *status == "confirmed").count();
    assert_eq!(confirmed, 19, "the component's own data answers 19 of 22");
    let vehicle = "urn:uuid:6b2296cc-26c0-4f38-8a22-092338c36e22";
    let trace = devnet.done("cml1", &["trace", vehicle]).object();
    assert_eq!(trace["counts"]["companies"], 3);
}

#[test]
fn a_product_has_passports_at_three_granularities_a_new_version_an_end_and_a_life() {
    let devnet = Devnet::up();
    let examples = data("openepcis-dpp-ready/examples");
    let events = data("openepcis-dpp-ready/epcis/amperia-staxwall-lifecycle.jsonld");
    let file = |name: &str| format!("{examples}/amperia-staxwall-{name}.jsonld");

    // The order does not matter: passports are said before what builds on them.
    let (item, batch, model) = (file("item"), file("batch"), file("model"));
    let arguments = ["anchor", &events, &item, &batch, &model];
    let ran = devnet.done("amperia", &arguments);
    assert_eq!(ran.count("status", "final"), 3 + 2 + 9, "{ran:?}");
    let again = devnet.done("amperia", &arguments);
    assert_eq!(ids(&again), ids(&ran));

    for (id, granularity, statements) in
        [(MODEL, "model", 1), (BATCH, "batch", 2), (ITEM, "item", 10)]
    {
        let shown = devnet.settled("veritas", &["show", id]).object();
        let text = shown.to_string();
        assert!(
            text.contains(&format!("\"granularity\":\"{granularity}\"")),
            "{text}"
        );
        let listed = devnet.done("veritas", &["list", "--subject", id, "--all"]);
        assert_eq!(listed.lines().len(), statements, "{id}");
    }

    // What it was made of, and which pallet it is on, is said as such.
    let shown = devnet.settled("veritas", &["show", ITEM]).object();
    assert_eq!(
        shown["container"],
        "https://id.gs1.org/00/095212340000000174"
    );
    let trace = devnet.settled("veritas", &["trace", ITEM]).object();
    assert_eq!(trace["edges"][1]["relation"], "went_in", "{trace}");
    assert_eq!(trace["edges"][1]["quantity"]["unit"], "EA");

    let newer = devnet.home("amperia").join("newer.json");
    let mut document: Value = serde_json::from_slice(&fs::read(&item).unwrap()).unwrap();
    document["oec:lastUpdated"] = "2026-09-01T00:00:00Z".into();
    fs::write(&newer, document.to_string()).unwrap();
    let newer = newer.to_str().unwrap();
    let _ = devnet.done(
        "amperia",
        &["passport", "supersede", newer, "--product", ITEM],
    );
    let revoke = [
        "passport",
        "revoke",
        "--product",
        ITEM,
        "--reason",
        "withdrawn",
    ];
    let _ = devnet.done("amperia", &revoke);

    let size = devnet.log_size("amperia");
    let after = [
        "passport",
        "supersede",
        newer,
        "--product",
        ITEM,
        "--number",
        "3",
    ];
    let refused = devnet.jangbu("amperia", &after);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("passport.revoked"), "{refused:?}");
    let foreign = devnet.done("hanbit", &["anchor", &model]);
    assert_eq!(foreign.lines()[0]["reason"], "other_company");

    // A bad document stops all of its run, and changes nothing.
    let bad = devnet.home("amperia").join("bad.json");
    fs::write(&bad, "{\"a\":1,\n\"a\":2}").unwrap();
    let before = devnet.log_size("amperia");
    let stopped = devnet.jangbu("amperia", &["anchor", bad.to_str().unwrap(), &model]);
    assert_eq!(stopped.code, 2);
    assert!(stopped.err.contains("bad.json: line 2"), "{stopped:?}");
    assert!(stopped.out.is_empty());
    assert_eq!(devnet.log_size("amperia"), before);
    assert!(before >= size);
}

#[test]
fn a_data_share_goes_its_way_sealed_and_a_third_member_reads_nothing_of_it() {
    let devnet = Devnet::up();
    let sharing = Sharing {
        devnet: &devnet,
        name: "urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44",
    };
    let message = |name: &str| data(&format!("dsp/{name}-message.json"));
    let negotiation = |name: &str| message(&format!("negotiation/example/contract-{name}"));
    let transfer = |name: &str| message(&format!("transfer/example/transfer-{name}"));
    let payload = data(TWINS);

    let request = negotiation("request");
    let first = ["--with", "hanbit", "--document", &request];
    let requested = sharing.done("soyu", "request", &first);
    assert_eq!(requested["duplicate"], false);
    let size = devnet.log_size("soyu");
    let early = sharing.step("soyu", "accept", &[]);
    assert_eq!(early.code, 3, "{early:?}");
    assert!(early.err.contains("share.order"), "{early:?}");
    assert_eq!(devnet.log_size("soyu"), size, "nothing was sent");

    let offer = negotiation("offer");
    let offering = ["--with", "soyu", "--document", &offer];
    let _ = sharing.done("hanbit", "offer", &offering);
    let steps = [
        ("soyu", "accept", Some(negotiation("negotiation-event"))),
        ("hanbit", "agree", Some(negotiation("agreement"))),
        (
            "soyu",
            "verify",
            Some(negotiation("agreement-verification")),
        ),
        ("hanbit", "finalize", None),
        ("soyu", "request-transfer", Some(transfer("request"))),
    ];
    for (member, verb, document) in &steps {
        let document: Vec<&str> = document
            .iter()
            .flat_map(|path| ["--document", path.as_str()])
            .collect();
        let _ = sharing.done(member, verb, &document);
    }
    let start = transfer("start");
    let starting = ["--document", &start, "--plain", &payload];
    let _ = sharing.done("hanbit", "start", &starting);
    let other = sharing.step("soyu", "receive", &[&request]);
    assert_eq!(other.code, 3);
    assert!(other.err.contains("share.root"), "{other:?}");
    let _ = sharing.done("soyu", "receive", &[&payload]);

    let shown = sharing.show("soyu", &[]);
    let taken: Vec<&str> = shown["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(
        taken,
        [
            "requested",
            "offered",
            "accepted",
            "agreed",
            "verified",
            "finalized",
            "transfer_requested",
            "transfer_started",
            "received"
        ]
    );
    assert_eq!(shown["delivery"], "RECEIVED");
    assert_eq!(shown["steps"], strip(sharing.show("hanbit", &[]), &shown));
    let listed = devnet.settled("hanbit", &["share", "list"]);
    assert_eq!(listed.lines()[0]["contract"], "FINALIZED");

    nothing_shows(&devnet, &sharing, &shown);
    forgetting_is_harmless(&devnet, &sharing, &offering, &starting);
    two_processes_take_one_step(&devnet);
}

/// The other party's view of the steps, but for which documents it holds.
fn strip(other: Value, own: &Value) -> Value {
    let mut steps = other["steps"].clone();
    let own = own["steps"].as_array().unwrap();
    for (step, own) in steps.as_array_mut().unwrap().iter_mut().zip(own) {
        assert_ne!(step["document"], own["document"], "each holds its own");
        step["document"] = own["document"].clone();
    }
    steps
}

/// A third member sees that something was said: nine slots, each used once.
fn nothing_shows(devnet: &Devnet, sharing: &Sharing<'_>, shown: &Value) {
    for role in ["provider", "consumer"] {
        let guess = ["--with", "soyu", "--as", role];
        let seen = sharing.show("nordwind", &guess);
        assert_eq!(seen["steps"], Value::Array(Vec::new()));
        assert_eq!(seen["contract"], "NONE");
    }
    let sealed = devnet.settled("nordwind", &["list", "--kind", "sealed", "--all"]);
    assert_eq!(sealed.lines().len(), 9);
    let everything = devnet.settled("nordwind", &["list", "--all"]).out;
    let root = shown["sent"]["root"].as_str().unwrap();
    for secret in [
        sharing.name,
        root,
        "TOKEN-ABCDEFG",
        "ContractRequest",
        "agreed",
    ] {
        assert!(!everything.contains(secret), "{secret} stands in the open");
    }
}

/// What a vault forgets is found on the ledger: no step is taken twice, no slot left out.
fn forgetting_is_harmless(
    devnet: &Devnet,
    sharing: &Sharing<'_>,
    offering: &[&str],
    starting: &[&str],
) {
    let vault = devnet.home("hanbit").join("vault");
    for part in ["streams", "receipts", "envelopes"] {
        let _ = fs::remove_dir_all(vault.join(part));
    }
    let size = devnet.log_size("hanbit");
    let offered = sharing.done("hanbit", "offer", offering);
    assert_eq!(offered["duplicate"], true);
    let started = sharing.done("hanbit", "start", starting);
    assert_eq!(started["duplicate"], true);
    let sealed = devnet.settled("nordwind", &["list", "--kind", "sealed", "--all"]);
    assert_eq!(sealed.lines().len(), 9);
    assert!(devnet.log_size("hanbit") >= size);
    let _ = sharing.done("hanbit", "suspend", &[]);
    let resumed = ["--occurrence", "1", starting[2], starting[3]];
    let _ = sharing.done("hanbit", "start", &resumed);
    assert_eq!(sharing.show("soyu", &[])["transfer"], "STARTED");
    assert_eq!(sharing.show("soyu", &[])["delivery"], "SENT");
}

/// Two processes of one member at once make one statement.
fn two_processes_take_one_step(devnet: &Devnet) {
    let arguments = ["share", "request", "at once", "--with", "hanbit"];
    let [one, other] = std::thread::scope(|scope| {
        [(); 2]
            .map(|()| scope.spawn(|| devnet.done("soyu", &arguments).object()))
            .map(|thread| thread.join().unwrap())
    });
    assert_eq!(one["statement_id"], other["statement_id"]);
    assert_ne!(one["duplicate"], other["duplicate"]);
    let shown = devnet
        .settled("soyu", &["share", "show", "at once"])
        .object();
    assert_eq!(shown["steps"].as_array().unwrap().len(), 1);
}
