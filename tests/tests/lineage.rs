//! Which data a model was trained on, and which models fall with an agreement, on a devnet.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use jangbu_ledger::content::CHUNK_BYTES;
use jangbu_tests::devnet::{Devnet, Sharing};
use serde_json::{Value, json};

const CELLS: &str = "dataset:hanbit.example/cells/2026-11";
const PACKS: &str = "dataset:nordwind.example/packs/7";
const OPEN: &str = "https://soyu.example/agreements/31";
const NARROW: &str = "https://soyu.example/agreements/32";
const MODEL: &str = "model:soyu.example/range/1";
const TUNED: &str = "model:soyu.example/range/2";

/// What a member reads of a lineage, once all nodes have what was said.
fn lineage(devnet: &Devnet, member: &str, more: &[&str]) -> Value {
    let arguments = [&["lineage"], more].concat();
    devnet.settled(member, &arguments).object()
}

/// What was made, and whether it stands.
fn made(lineage: &Value) -> Vec<(&str, &str)> {
    let made = lineage["made"].as_array().unwrap().iter();
    made.map(|made| {
        let text = |key: &str| made[key].as_str().unwrap();
        (text("identifier"), text("standing"))
    })
    .collect()
}

#[test]
fn a_model_tells_its_sources_and_falls_with_the_agreement_about_one_of_them() {
    let devnet = Devnet::up();
    let share = |name| Sharing {
        devnet: &devnet,
        name,
    };
    let (cells, packs, sealed) = (share(OPEN), share(NARROW), share("agreement 33"));

    // Two agreements in the open, of which one permits training, and a sealed one.
    let terms = ["--permit", "ai-training", "--data", CELLS];
    cells.contract("hanbit", "soyu", &["--open"], &terms);
    let terms = ["--permit", "analytics", "--data", PACKS];
    packs.contract("nordwind", "soyu", &["--open"], &terms);
    sealed.contract("hanbit", "soyu", &[], &["--permit", "ai-training"]);
    let root = "11".repeat(32);
    for (sharing, provider) in [(&cells, "hanbit"), (&packs, "nordwind")] {
        let _ = sharing.done(provider, "start", &["--root", &root]);
        let _ = sharing.done("soyu", "receive", &["--root", &root]);
    }
    let path = |name: &str| devnet.path().join(name).to_str().unwrap().to_owned();
    let (file, delivery) = (path("tuning.csv"), path("delivery"));
    fs::write(&file, vec![7; 2 * CHUNK_BYTES + 1]).unwrap();
    let _ = sealed.done("hanbit", "start", &[&file, "--to", &delivery]);
    let _ = sealed.done("soyu", "receive", &[&delivery]);

    // The training: some of one dataset, all of the other, code, environment, what came of it.
    let other = format!("{PACKS} under {NARROW}");
    let output = format!("{MODEL} as sha256:{}", "ab".repeat(32));
    let code = format!("gitCommit:{}", "cd".repeat(20));
    let environment = format!("sha256:{}", "ef".repeat(32));
    let training = [
        ["--chunks", "0-811,815"],
        ["--input", &other],
        ["--output", &output],
        ["--code", &code],
        ["--environment", &environment],
    ]
    .concat();
    let _ = cells.done("soyu", "use", &training);
    assert_eq!(cells.done("soyu", "use", &training)["duplicate"], true);
    // Tuned with two chunks of the sealed delivery, which has three; then with a fourth.
    let tuning = |chunks| ["--chunks", chunks, "--input", MODEL, "--output", TUNED];
    let _ = sealed.done("soyu", "use", &tuning("0-1"));
    let _ = sealed.done("soyu", "use", &tuning("3"));

    // Everyone reads where the model comes from, and what was permitted when it was made.
    let back = lineage(&devnet, "marktamt", &[MODEL]);
    assert_eq!(back["uses"].as_array().unwrap().len(), 1, "{back}");
    let used = &back["uses"][0];
    assert_eq!(
        (&used["by"], &used["sealed"]),
        (&json!("soyu"), &json!(false))
    );
    assert_eq!(used["code"], code);
    assert_eq!(used["environment"], environment);
    let sources = used["sources"].as_array().unwrap();
    let seen: Vec<_> = sources
        .iter()
        .map(|source| {
            let agreement = &source["agreement"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (data, name) = (text(&source["data"]), text(&agreement["identifier"]));
            (
                data,
                name,
                text(&agreement["provider"]),
                text(&source["then"]),
            )
        })
        .collect();
    let own = |words: [&str; 4]| {
        let [data, agreement, provider, then] = words.map(str::to_owned);
        (data, agreement, provider, then)
    };
    assert_eq!(
        seen,
        [
            own([CELLS, OPEN, "hanbit", "permitted"]),
            own([PACKS, NARROW, "nordwind", "not_permitted"]),
        ]
    );
    assert_eq!(sources[0]["part"]["root"], root);
    assert_eq!(
        sources[0]["part"]["chunks"][0],
        json!({"first": 0, "last": 811})
    );
    // So do the validators: the share shows what they noted.
    let steps = cells.show("marktamt", &["--open"])["steps"].clone();
    assert_eq!(
        steps.as_array().unwrap().last().unwrap()["covered"],
        json!(["permitted", "not_permitted"])
    );

    // What a sealed share says, its parties know alone.
    let nobody = devnet.jangbu("marktamt", &["lineage", TUNED]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    for member in ["soyu", "hanbit"] {
        let back = lineage(&devnet, member, &[TUNED]);
        let uses = back["uses"].as_array().unwrap();
        let sealed = |used: &&Value| used["sealed"] == true;
        assert_eq!(
            (uses.len(), uses.iter().filter(sealed).count()),
            (3, 2),
            "{back}"
        );
        let then = |n: usize, source: usize| &uses[n]["sources"][source]["then"];
        assert_eq!(
            (then(0, 0), then(0, 1)),
            (&json!("permitted"), &json!("permitted"))
        );
        assert_eq!(then(1, 0), "not_sent", "there is no fourth chunk");
    }
    let public = devnet.jangbu("soyu", &["lineage", TUNED, "--public"]);
    assert_eq!(public.code, 2, "{public:?}");

    // On from the data: all stands, until the agreement ends.
    let forward = |member| lineage(&devnet, member, &[CELLS, "--forward"]);
    assert_eq!(made(&forward("marktamt")), [(MODEL, "stands")]);
    assert_eq!(
        made(&forward("soyu")),
        [(MODEL, "stands"), (TUNED, "stands")]
    );
    let never = lineage(&devnet, "marktamt", &[PACKS, "--forward"]);
    assert_eq!(made(&never), [(MODEL, "retrain")], "it never was permitted");
    let _ = cells.done("hanbit", "retire", &[]);
    assert_eq!(made(&forward("marktamt")), [(MODEL, "retrain")]);
    assert_eq!(
        made(&forward("soyu")),
        [(MODEL, "retrain"), (TUNED, "retrain")]
    );
    let of_agreement = lineage(&devnet, "marktamt", &[OPEN, "--forward"]);
    assert_eq!(made(&of_agreement), [(MODEL, "retrain")]);
    // What was permitted then stays so: it is said beside what stands now.
    let back = lineage(&devnet, "marktamt", &[MODEL]);
    let source = &back["uses"][0]["sources"][0];
    assert_eq!(
        (&source["permitted"], &source["agreement"]["in_force"]),
        (&json!(true), &json!(false))
    );

    exports(&devnet);

    // Whom a party grants the sealed share to, knows what it says as well.
    let grant = path("grant.json");
    let granted = sealed.step("soyu", "grant", &["--to", "marktamt", "-o", &grant]);
    assert_eq!(granted.code, 0, "{granted:?}");
    let back = lineage(&devnet, "marktamt", &[TUNED, "--granted", &grant]);
    assert_eq!(back["uses"].as_array().unwrap().len(), 3, "{back}");
}

fn exports(devnet: &Devnet) {
    let export = |subject: &str, format: &str| {
        devnet
            .done("marktamt", &["lineage", subject, "--format", format])
            .object()
    };
    let statement = export(MODEL, "in-toto");
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], "ab".repeat(32));
    let build = &statement["predicate"]["buildDefinition"];
    assert_eq!(
        build["resolvedDependencies"][1]["annotations"]["permitted"],
        false
    );
    let document = export(MODEL, "prov");
    assert_eq!(
        document["used"].as_object().unwrap().len(),
        3,
        "two datasets, an environment"
    );
    assert_eq!(document["wasGeneratedBy"].as_object().unwrap().len(), 1);
}
