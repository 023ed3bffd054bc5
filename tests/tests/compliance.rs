//! Disclosure and compliance on a devnet, as a company and a customs officer use them: the real
//! battery passports, every exit code, and the officer's machine without a node.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use jangbu_tests::devnet::Devnet;
use serde_json::Value;

const MODEL: &str = "https://id.gs1.org/01/09521234002000";
const BATCH: &str = "https://id.gs1.org/01/09521234002000/10/LOT-2026-AMP01";
const ITEM: &str = "https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001";
const PROFILE: &str = "eu-battery/industrial@1.0";

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/openepcis-dpp-ready/examples")
        .join(format!("amperia-staxwall-{name}.jsonld"));
    path.to_str().unwrap().to_owned()
}

/// The three passports, divided into the profile's sections.
fn issued() -> Devnet {
    let devnet = Devnet::up();
    for (name, product, part_of) in [
        ("model", MODEL, None),
        ("batch", BATCH, Some(MODEL)),
        ("item", ITEM, Some(BATCH)),
    ] {
        let file = example(name);
        let mut command = vec!["passport", "issue", &file, "--product", product];
        command.extend(["--profile", PROFILE]);
        command.extend(part_of.iter().flat_map(|coarser| ["--part-of", coarser]));
        devnet.done("amperia", &command);
    }
    devnet
}

fn file(devnet: &Devnet, name: &str) -> PathBuf {
    devnet.home("amperia").join(name)
}

/// What the product's rows come to, by verdict.
fn counts(answer: &Value) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for row in answer["verdicts"].as_array().unwrap() {
        let verdict = row["verdict"].as_str().unwrap_or("not shown").to_owned();
        *counts.entry(verdict).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn each_role_gets_its_sections_and_opens_them_with_the_genesis_file_alone() {
    let devnet = issued();
    for (role, sections) in [
        ("public", vec!["1"]),
        ("legitimate_interest", vec!["1", "2"]),
        ("authority", vec!["1", "2", "3"]),
    ] {
        let to = file(&devnet, &format!("{role}.jangbu.json"));
        let path = to.to_str().unwrap();
        let chosen = ["--profile", PROFILE, "--role", role, "-o", path];
        devnet.done("amperia", &[&["disclose", MODEL], &chosen[..]].concat());
        let opened = devnet.offline(&["open", path]);
        assert_eq!(opened.code, 0, "{opened:?}");
        let answer = opened.object();
        let document = &answer["documents"][0];
        let shown: Vec<&String> = document["sections"].as_object().unwrap().keys().collect();
        assert_eq!(shown, sections, "{role}");
        assert_eq!(document["standing"]["current_version"], 1);
        assert_eq!(document["member"], "amperia");
    }

    let to = file(&devnet, "field.jangbu.json");
    let path = to.to_str().unwrap();
    let weight = ["--field", "/gs1:netWeight", "-o", path];
    devnet.done("amperia", &[&["disclose", MODEL], &weight[..]].concat());
    let text = fs::read_to_string(&to).unwrap();
    assert!(
        !text.contains("Amperia Energy") && text.contains("KGM"),
        "{text}"
    );
    fs::write(&to, text.replace("\"value\": 92", "\"value\": 91")).unwrap();
    let opened = devnet.offline(&["open", path]);
    assert_eq!(opened.code, 3, "{opened:?}");
    assert_eq!(opened.object()["verdict"], "does_not_hold");
    fs::write(&to, text.replace("jangbu-bundle/1", "jangbu-bundle/9")).unwrap();
    assert_eq!(devnet.offline(&["open", path]).code, 2);

    // What the vault does not have, or the document does not.
    for (member, more, words) in [
        ("cml1", vec!["--section", "1"], "does not open"),
        ("amperia", vec!["--section", "9"], "no section"),
        ("amperia", vec!["--field", "/nothing"], "nothing at"),
        ("amperia", vec![], "was chosen"),
        (
            "amperia",
            vec!["--profile", PROFILE, "--role", "x"],
            "no role",
        ),
    ] {
        let command = [&["disclose", MODEL], &more[..], &["-o", path]].concat();
        let ran = devnet.jangbu(member, &command);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn a_battery_is_judged_and_the_verdicts_are_judged_again_offline() {
    let devnet = issued();
    let to = file(&devnet, "verdicts.jangbu.json");
    let path = to.to_str().unwrap();
    let check = ["check", ITEM, "--profile", PROFILE];
    let output = ["-o", path];
    let before = devnet.jangbu("amperia", &[&check[..], &output].concat());
    assert_eq!(before.code, 4, "{before:?}");
    assert_eq!(before.object()["published"], Value::Null);

    devnet.done("marktamt", &["profile", "publish", PROFILE]);
    let refused = devnet.jangbu("cml1", &["profile", "publish", "eu-battery/ev"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("member.role"), "{refused:?}");

    let checked = devnet.jangbu("amperia", &[&check[..], &output].concat());
    assert_eq!(checked.code, 4, "{checked:?}");
    let answer = checked.object();
    assert_eq!(answer["outcome"], "not_met");
    assert_eq!(answer["published"]["member_name"], "marktamt");
    let expected = [
        ("conditional_unanswered", 16),
        ("forbidden_present", 2),
        ("met", 34),
        ("missing", 15),
        ("pending_law", 4),
    ]
    .map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counts(&answer), expected);

    let verified = devnet.offline(&["verify", path, "--profile", PROFILE]);
    assert_eq!(verified.code, 4, "{verified:?}");
    let offline = verified.object();
    assert_eq!(offline["judgement"]["verdicts"], answer["verdicts"]);
    assert_eq!(offline["verdict"], "policy_not_met");
    assert_eq!(devnet.offline(&["verify", path]).code, 0);

    // Another profile of that name and version than the one that was published.
    let altered = file(&devnet, "profile.json");
    let shown = devnet.done("amperia", &["profile", "show", PROFILE]);
    let other = shown.out.replace("Unique identifier", "Another identifier");
    fs::write(&altered, &other).unwrap();
    let profile = ["--profile", altered.to_str().unwrap()];
    let verified = devnet.offline(&[&["verify", path], &profile[..]].concat());
    assert_eq!(verified.code, 5, "{verified:?}");
    assert!(verified.out.contains("another profile"), "{verified:?}");

    // Without the vault nothing can be told; as of the first block there was no passport.
    let ran = devnet.jangbu("marktamt", &[&check[..], &["--role", "public"]].concat());
    assert_eq!(ran.code, 5, "{ran:?}");
    let first = devnet.jangbu(
        "amperia",
        &[&check[..], &["--at", "1", "-o", path]].concat(),
    );
    assert_eq!(first.code, 4, "{first:?}");
    assert_eq!(first.object()["at"]["height"], 1);
    assert_eq!(first.object()["passport"], Value::Null);
    let again = devnet.offline(&["verify", path, "--profile", PROFILE, "--at", "1"]);
    assert_eq!(
        again.object()["judgement"]["verdicts"],
        first.object()["verdicts"]
    );
}
