//! Material by the command line: what there is of a lot, what it went into, in which crate it is;
//! then a recall, a picture and a proof of it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_tests::devnet::Devnet;
use serde_json::Value;

/// Lithium of csgv, a slurry and two rolls of electrode of cnkc, a cell and a crate of cml1.
const SALT: &str = "urn:uuid:aaaaaaaa-7b69-444d-81e6-655d0f1513bd";
const SLURRY: &str = "urn:uuid:bbbbbbbb-7b69-444d-81e6-655d0f1513bd";
const ROLL: &str = "urn:uuid:cccccccc-7b69-444d-81e6-655d0f1513bd";
const ROLL_2: &str = "urn:uuid:dddddddd-7b69-444d-81e6-655d0f1513bd";
const CELL: &str = "urn:uuid:eeeeeeee-7b69-444d-81e6-655d0f1513bd";
const CRATE: &str = "urn:uuid:ffffffff-7b69-444d-81e6-655d0f1513bd";

fn some(amount: &str, of: &str) -> String {
    format!("{amount} {of}")
}

#[test]
fn a_lot_goes_into_products_no_more_than_there_is_and_is_recalled_in_its_crate() {
    let devnet = Devnet::up();
    for (member, product, granularity) in [
        ("csgv", SALT, "batch"),
        ("cnkc", SLURRY, "batch"),
        ("cnkc", ROLL, "batch"),
        ("cnkc", ROLL_2, "batch"),
        ("cml1", CELL, "item"),
        ("cml1", CRATE, "item"),
    ] {
        devnet.issues(member, product, granularity);
    }
    let says = |member: &str, arguments: &[&str]| devnet.says(member, arguments);
    let balance = |product: &str| {
        let subject = devnet.settled("veritas", &["show", product]).object();
        subject["balance"].clone()
    };

    // How much there is, and no more goes into anything, whoever says so.
    let made = some("10.5 KGM", SALT);
    says("csgv", &["link", "transform", "--out", &made]);
    let used = some("8 KGM", SALT);
    let mixed = ["link", "transform", "--in", &used, "--out", SLURRY];
    let transformation = says("cnkc", &mixed);
    assert_eq!(balance(SALT)[0]["consumed"], "0", "not confirmed yet");
    let waiting = devnet.settled("marktamt", &["trace", SLURRY]).object();
    assert_eq!(waiting["edges"][0]["status"], "asserted", "{waiting}");
    let confirm = ["link", "confirm", SLURRY, SALT];
    devnet.refuses(
        "cml1",
        &["link", "confirm", &transformation],
        "link.confirmer",
    );
    says("csgv", &["link", "contest", &transformation]);
    says("csgv", &confirm);
    assert_eq!(balance(SALT)[0]["consumed"], "8");
    assert_eq!(balance(SALT)[0]["produced"], "10.5");
    let used = some("2.6 KGM", SALT);
    let more = ["link", "transform", "--in", &used, "--out", ROLL];
    let asserted = says("cnkc", &more);
    devnet.refuses("csgv", &["link", "confirm", &asserted], "balance.exceeded");
    says("csgv", &["link", "contest", &asserted]);

    // Of the slurry, two rolls; of a roll, a cell; the cell in a crate.
    let (one, two) = (some("300", ROLL), some("250", ROLL_2));
    says(
        "cnkc",
        &[
            "link",
            "transform",
            "--in",
            SLURRY,
            "--out",
            &one,
            "--out",
            &two,
        ],
    );
    let link = ["link", "component", CELL, ROLL, "--quantity", "12"];
    says("cml1", &link);
    says("cnkc", &["link", "confirm", CELL, ROLL]);
    assert_eq!(balance(ROLL)[0]["consumed"], "12");
    let back = ["link", "transform", "--in", ROLL_2, "--out", SLURRY];
    devnet.refuses("cnkc", &back, "link.cycle");
    let put_in = ["link", "aggregate", CRATE, CELL];
    let first = says("cml1", &put_in);

    // A recall of the salt reaches the crate.
    let reached = devnet
        .settled("marktamt", &["trace", SALT, "--up"])
        .object();
    let edges = reached["edges"].as_array().unwrap();
    let relation = |parent: &str| {
        let edge = edges.iter().find(|edge| edge["parent"] == parent);
        edge.map_or(Value::Null, |edge| edge["relation"].clone())
    };
    assert_eq!(relation(SLURRY), "went_in", "{reached}");
    assert_eq!(relation(ROLL_2), "went_in");
    assert_eq!(relation(CELL), "contains");
    assert_eq!(relation(CRATE), "holds");
    let tree = devnet
        .settled("marktamt", &["trace", CRATE, "--format", "dot"])
        .out;
    assert!(tree.contains(SALT), "{tree}");
    let prov = devnet
        .settled("marktamt", &["trace", CRATE, "--format", "prov"])
        .out;
    let prov: Value = serde_json::from_str(&prov).unwrap();
    assert_eq!(prov["hadMember"].as_object().unwrap().len(), 1, "{prov}");

    let shown = devnet.settled("veritas", &["show", CELL]).object();
    assert_eq!(shown["container"], CRATE);
    let then = shown["height"].to_string();

    // Out of the crate and in again: two facts, each said twice.
    devnet.refuses(
        "csgv",
        &["link", "disaggregate", CRATE, CELL],
        "container.holder",
    );
    says("cml1", &["link", "disaggregate", CRATE]);
    let after = devnet.settled("marktamt", &["trace", CRATE]).object();
    assert_eq!(after["counts"]["links"], 0, "{after}");
    let before = devnet
        .settled("marktamt", &["trace", CRATE, "--at", &then])
        .object();
    assert_eq!(before["edges"][0]["relation"], "holds", "{before}");
    assert_ne!(says("cml1", &put_in), first);

    // Closed with what went in counted, and proved offline.
    says("cnkc", &["link", "close", SLURRY]);
    let file = devnet.path().join("cell.jangbu.json");
    let file = file.to_str().unwrap();
    let _proved = devnet.done("cml1", &["prove", "trace", CELL, "-o", file]);
    let genesis = devnet.path().join("genesis.json");
    let verify = ["verify", file, "--genesis", genesis.to_str().unwrap()];
    let verified = devnet.done("veritas", &verify).object();
    let edges = verified["findings"][0]["edges"].as_array().unwrap();
    let of_salt = |product: &str| {
        let mut of = edges.iter();
        let edge = of.find(|edge| edge["child"] == SALT && edge["parent"] == product);
        let edge = edge.unwrap();
        assert_eq!(edge["relation"], "went_in");
        (
            edge["quantity"]["mantissa"].clone(),
            edge["confirmed_by_name"].clone(),
            edge["contested_by_name"].clone(),
        )
    };
    let (csgv, nobody) = (Value::from("csgv"), Value::Null);
    assert_eq!(of_salt(SLURRY), (8.into(), csgv.clone(), nobody.clone()));
    assert_eq!(of_salt(ROLL), (26.into(), nobody, csgv));
}
