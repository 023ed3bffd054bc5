//! Data shares through real processes: in the open, sealed, and with real files.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use jangbu_tests::devnet::{Devnet, Ran};
use serde_json::Value;

/// A data share on a devnet.
struct Sharing<'a> {
    devnet: &'a Devnet,
    name: &'a str,
}

impl Sharing<'_> {
    fn step(&self, member: &str, verb: &str, more: &[&str]) -> Ran {
        let arguments = [&["share", verb, self.name], more].concat();
        self.devnet.jangbu(member, &arguments)
    }

    fn done(&self, member: &str, verb: &str, more: &[&str]) -> Value {
        let ran = self.step(member, verb, more);
        assert_eq!(ran.code, 0, "{member}: share {verb}: {ran:?}");
        ran.object()
    }

    /// Refused by this rule, with nothing sent.
    fn refused(&self, member: &str, verb: &str, more: &[&str], rule: &str) {
        let size = self.devnet.log_size(member);
        let ran = self.step(member, verb, more);
        assert_eq!(ran.code, 3, "{member}: share {verb}: {ran:?}");
        assert!(ran.err.contains(rule), "{member}: share {verb}: {ran:?}");
        assert_eq!(self.devnet.log_size(member), size, "nothing was sent");
    }

    /// From a request to a final contract, and the transfer asked for.
    fn contract(&self, provider: &str, consumer: &str, first: &[&str]) {
        let _ = self.done(
            consumer,
            "request",
            &[&["--with", provider], first].concat(),
        );
        let _ = self.done(provider, "offer", &[&["--with", consumer], first].concat());
        let _ = self.done(consumer, "accept", &[]);
        let _ = self.done(provider, "agree", &["--permit", "ai-training"]);
        let _ = self.done(consumer, "verify", &[]);
        let _ = self.done(provider, "finalize", &[]);
        let _ = self.done(consumer, "request-transfer", &[]);
    }
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

    sharing.contract("hanbit", "soyu", &["--open"]);
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

    let shown = sharing.done("marktamt", "show", &["--open"]);
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
    assert_eq!(
        steps,
        sharing.done("soyu", "show", &[])["steps"]
            .as_array()
            .unwrap()
    );

    // It proves like any other subject: all of it, or nothing.
    let proof = devnet.path().join("share.jangbu.json");
    let proof = proof.to_str().unwrap();
    let _ = devnet.done("marktamt", &["prove", "subject", sharing.name, "-o", proof]);
    let _ = devnet.done("marktamt", &["verify", proof]);
}
