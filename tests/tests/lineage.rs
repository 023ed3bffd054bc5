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
    let path = |name: &str| devnet.path().join(name).to_str().unwrap().to_owned();
    let plain = path("cells.csv");
    let content: Vec<u8> = (0..5 * CHUNK_BYTES - 9)
        .map(|n| u8::try_from(n / 7 % 251).unwrap())
        .collect();
    fs::write(&plain, &content).unwrap();
    let root = blake3::hash(&content).to_hex().to_string();
    let _ = cells.done("hanbit", "start", &["--plain", &plain]);
    let other = "11".repeat(32);
    let _ = packs.done("nordwind", "start", &["--root", &other]);
    for (sharing, root) in [(&cells, &root), (&packs, &other)] {
        let _ = sharing.done("soyu", "receive", &["--root", root]);
    }
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
        ["--chunks", "0-2,4"],
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
        json!({"first": 0, "last": 2})
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

    chunks_are_shown(&devnet, &cells, &plain);
    sealed_chunks_are_shown(&devnet, &sealed, &delivery);
    checked(&devnet);

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
    agreed_by_message(&devnet);
    proved(&devnet);
    traced(&devnet);

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

/// A lineage in a file, believed with the genesis file alone; what anybody leaves out of it is named.
fn proved(devnet: &Devnet) {
    let path = |name: &str| devnet.path().join(name).to_str().unwrap().to_owned();
    let file = path("range.jangbu.json");
    let prove = ["prove", "lineage", MODEL, "-o", &file];
    for _ in 0..2 {
        let written = devnet.settled("marktamt", &prove).object();
        assert_eq!(written["claims"][0]["claim"], "lineage", "{written}");
    }
    let verified = devnet.offline(&["verify", &file]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let record = verified.object();
    let found = &record["findings"][0];
    assert_eq!(found["root"], MODEL);
    let sources = found["uses"][0]["sources"].as_array().unwrap();
    let said: Vec<_> = sources
        .iter()
        .map(|source| {
            let terms = &source["terms"];
            (&source["then"], &terms["by"], &terms["permits"])
        })
        .collect();
    let (hanbit, nordwind) = (json!("hanbit"), json!("nordwind"));
    let (training, analytics) = (json!(["ai-training"]), json!(["analytics"]));
    assert_eq!(
        said,
        [
            (&json!("permitted"), &hanbit, &training),
            (&json!("not_permitted"), &nordwind, &analytics),
        ]
    );
    assert_eq!(sources[0]["agreement"]["in_force"], false, "it ended since");

    let mut bundle: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let of_model = |item: &&mut Value| item["identifier"] == MODEL;
    let lists = bundle["uses"].as_array_mut().unwrap();
    let list = lists.iter_mut().find(of_model).unwrap();
    assert_eq!(list["side"], "made");
    list["uses"] = json!([]);
    let cut = path("cut.jangbu.json");
    fs::write(&cut, bundle.to_string()).unwrap();
    let refused = devnet.offline(&["verify", &cut]);
    assert_eq!(refused.code, 3, "{refused:?}");
    let reason = format!("the uses that made {MODEL} are not complete");
    assert!(refused.out.contains(&reason), "{refused:?}");

    let forward = path("cells.jangbu.json");
    let prove = ["prove", "lineage", CELLS, "--forward", "-o", &forward];
    let _ = devnet.done("marktamt", &prove);
    let record = devnet.offline(&["verify", &forward]).object();
    assert_eq!(made(&record["findings"][0]), [(MODEL, "retrain")]);
    // That nothing was made of something is proved as well.
    let none = path("none.jangbu.json");
    let _ = devnet.done("marktamt", &["prove", "lineage", TUNED, "-o", &none]);
    let record = devnet.offline(&["verify", &none]).object();
    assert_eq!(record["findings"][0]["uses"], json!([]), "{record}");
    let told = record["not_checked"].to_string();
    assert!(told.contains("sealed shares"), "{told}");
}

/// `trace` of a model and of data says what `lineage` says, and draws it.
fn traced(devnet: &Devnet) {
    let same = |arguments: [&[&str]; 2]| {
        let [trace, lineage] = arguments.map(|more| devnet.settled("marktamt", more).out);
        assert_eq!(trace, lineage);
        trace
    };
    same([
        &["trace", PACKS, "--forward"],
        &["lineage", PACKS, "--forward"],
    ]);
    let prov = ["--format", "prov"];
    let of = |verb| [&[verb, PACKS, "--forward"][..], &prov].concat();
    same([&of("trace"), &of("lineage")]);
    for (format, part) in [
        ("svg", "What was made from dataset:nordwind.example"),
        ("html", "Under which agreement"),
        ("dot", "digraph"),
    ] {
        let drawn = devnet
            .done(
                "marktamt",
                &["trace", PACKS, "--forward", "--format", format],
            )
            .out;
        assert!(drawn.contains(part), "{format}: {drawn}");
        assert!(
            drawn.contains("make it again") || format == "dot",
            "{drawn}"
        );
    }
    // The model has a passport and no links; its sources are shown.
    let trace = devnet.done("marktamt", &["trace", MODEL]).object();
    assert_eq!(trace["uses"].as_array().unwrap().len(), 1, "{trace}");
    // With a link it has both.
    let _link = devnet.says("soyu", &["link", "component", MODEL, TUNED]);
    let trace = devnet.settled("marktamt", &["trace", MODEL]).object();
    assert_eq!(trace["edges"].as_array().unwrap().len(), 1, "{trace}");
    assert_eq!(trace["lineage"]["uses"].as_array().unwrap().len(), 1);
    let at = devnet.jangbu("marktamt", &["trace", PACKS, "--forward", "--at", "1"]);
    assert_eq!(at.code, 2, "{at:?}");
    let nobody = devnet.jangbu("marktamt", &["trace", "dataset:example.com/never"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
}

/// The profile asks each input's agreement, and comes to the same verdict offline.
fn checked(devnet: &Devnet) {
    devnet.issues("soyu", MODEL, "model");
    let file = devnet.path().join("verdicts.jangbu.json");
    let file = file.to_str().unwrap();
    let profile = ["--profile", "ai-training-lineage@1.0"];
    devnet.settle();
    let check = [&["check", MODEL, "-o", file][..], &profile].concat();
    for _ in 0..2 {
        let ran = devnet.jangbu("marktamt", &check);
        assert_eq!(ran.code, 4, "{ran:?}");
        not_permitted(&ran.object()["verdicts"]);
    }
    let verify = [&["verify", file][..], &profile].concat();
    let ran = devnet.offline(&verify);
    assert_eq!(ran.code, 4, "{ran:?}");
    not_permitted(&ran.object()["judgement"]["verdicts"]);
}

fn not_permitted(verdicts: &Value) {
    let mut rows = verdicts.as_array().unwrap().iter();
    let row = rows.find(|row| row["id"] == "inputs-permitted").unwrap();
    assert_eq!(row["verdict"], "not_permitted", "{row}");
    let reason = format!("{PACKS} under {NARROW}: the contract does not list this use");
    assert_eq!(row["reason"], reason);
}

/// The use that made something, as a member knows it.
fn use_of(devnet: &Devnet, member: &str, made: &str) -> String {
    let back = lineage(devnet, member, &[made]);
    back["uses"][0]["statement_id"].as_str().unwrap().to_owned()
}

/// Chunks of what was sent plainly in the open, by either party, to anyone.
fn chunks_are_shown(devnet: &Devnet, cells: &Sharing<'_>, plain: &str) {
    let used = use_of(devnet, "marktamt", MODEL);
    let file = devnet.path().join("cells.chunks.json");
    let file = file.to_str().unwrap();
    let show = |chunks| [plain, "--chunks", chunks, "--use", &used, "-o", file];
    for member in ["soyu", "hanbit"] {
        let written = cells.done(member, "chunks", &show("1-2,4"));
        assert_eq!(written["chunks"], json!([1, 2, 4]), "{written}");
    }
    let verified = devnet.offline(&["verify", file]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let record = verified.object();
    assert_eq!(record["member_name"], "hanbit");
    assert_eq!(record["used"]["made"], json!([MODEL]));
    let content = fs::read(plain).unwrap();
    let last = content.chunks(CHUNK_BYTES).nth(4).unwrap();
    assert_eq!(
        record["chunks"][2]["blake3"],
        blake3::hash(last).to_hex().to_string()
    );

    // At another place, altered, and of a part that the use does not name.
    let proof: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let refused = |change: &dyn Fn(&mut Value), part: &str| {
        let mut changed = proof.clone();
        change(&mut changed);
        let bad = devnet.path().join("bad.chunks.json");
        fs::write(&bad, changed.to_string()).unwrap();
        let ran = devnet.offline(&["verify", bad.to_str().unwrap()]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    };
    refused(
        &|p| p["chunks"][0]["index"] = json!(0),
        "chunk 0 is not what is shown: that is chunk 1",
    );
    refused(
        &|p| {
            p["chunks"][0] = p["chunks"][1].clone();
            p["chunks"][0]["index"] = json!(1);
        },
        "chunk 1 is not what is shown: that is chunk 2",
    );
    refused(
        &|p| p["chunks"][2]["bytes"] = json!("AAAA"),
        "it was altered, or is of something else",
    );
    let other = cells.step("soyu", "chunks", &show("3"));
    assert_eq!(other.code, 3, "{other:?}");
    assert!(other.err.contains("chunk 3 is not among"), "{other:?}");
    let beyond = cells.step("soyu", "chunks", &show("4-5"));
    assert_eq!(beyond.code, 2, "{beyond:?}");
    let wrong = devnet.path().join("genesis.json");
    let wrong = wrong.to_str().unwrap();
    let wrong = cells.step("soyu", "chunks", &[wrong, "--chunks", "0", "-o", file]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("it is not what was sent"), "{wrong:?}");
}

/// Chunks of a delivery in a sealed share: by the provider at once, by the consumer with the key.
fn sealed_chunks_are_shown(devnet: &Devnet, sealed: &Sharing<'_>, delivery: &str) {
    let used = use_of(devnet, "soyu", TUNED);
    let file = devnet.path().join("tuning.chunks.json");
    let file = file.to_str().unwrap();
    let show = |chunks| [delivery, "--chunks", chunks, "--use", &used, "-o", file];
    let early = sealed.step("soyu", "chunks", &show("1"));
    assert_eq!(early.code, 3, "{early:?}");
    assert!(early.err.contains("share.key"), "{early:?}");
    let _ = sealed.done("hanbit", "chunks", &show("0-1"));
    let record = devnet.offline(&["verify", file]).object();
    assert_eq!(record["verdict"], "holds", "{record}");
    let _ = sealed.done("hanbit", "release", &[]);
    devnet.settle();
    let _ = sealed.done("soyu", "chunks", &show("1"));
    let verified = devnet.offline(&["verify", file]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let chunk = &verified.object()["chunks"][0];
    let expected = blake3::hash(&[7; CHUNK_BYTES]).to_hex().to_string();
    assert_eq!(
        (&chunk["index"], &chunk["blake3"]),
        (&json!(1), &json!(expected))
    );
    // Nothing of the other chunks is in the file.
    let shown = fs::read_to_string(file).unwrap();
    assert!(shown.len() < 2 * CHUNK_BYTES, "{} bytes", shown.len());
}

/// An agreement that a message of the Dataspace Protocol states is about the message's target.
fn agreed_by_message(devnet: &Devnet) {
    let (name, data, made) = (
        "agreement 34",
        "dataset:hanbit.example/cells/2026-12",
        "model:soyu.example/range/3",
    );
    let share = Sharing { devnet, name };
    let message = json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": "ContractAgreementMessage",
        "providerPid": "urn:uuid:a343fcbf-99fc-4ce8-8e9b-148c97605aab",
        "consumerPid": "urn:uuid:32541fe6-c580-409e-85a8-8a9a32fbe833",
        "agreement": {
            "@id": "urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44",
            "@type": "Agreement",
            "target": data,
            "assigner": "http://example.com/Provider",
            "assignee": "http://example.com/Consumer",
            "permission": [{ "action": "use" }],
        },
    });
    let file = devnet.path().join("agreement.json");
    fs::write(&file, message.to_string()).unwrap();
    let _ = share.done("soyu", "request", &["--with", "hanbit"]);
    let _ = share.done("hanbit", "offer", &["--with", "soyu"]);
    let _ = share.done("soyu", "accept", &[]);
    let anchor = ["anchor", file.to_str().unwrap(), "--share", name];
    for duplicate in [false, true] {
        devnet.settle();
        let lines = devnet.done("hanbit", &anchor).lines();
        assert_eq!(lines[0]["duplicate"], duplicate, "{lines:?}");
    }
    let _ = share.done("soyu", "verify", &[]);
    let _ = share.done("hanbit", "finalize", &[]);
    let _ = share.done("soyu", "request-transfer", &[]);
    let root = "22".repeat(32);
    let _ = share.done("hanbit", "start", &["--root", &root]);
    let _ = share.done("soyu", "receive", &["--root", &root]);
    let _ = share.done("soyu", "use", &["--output", made]);
    let back = lineage(devnet, "soyu", &[made]);
    let source = &back["uses"][0]["sources"][0];
    assert_eq!(
        (&source["data"], &source["then"]),
        (&json!(data), &json!("permitted"))
    );
    assert_eq!(source["terms"]["permits"], json!([]), "the policy says");
    // Of other data it would not have been.
    let other = ["--data", CELLS, "--output", "model:soyu.example/range/4"];
    let _ = share.done("soyu", "use", &other);
    let back = lineage(devnet, "soyu", &["model:soyu.example/range/4"]);
    assert_eq!(back["uses"][0]["sources"][0]["then"], "other_data");
}
