//! The vault on a devnet: encrypted at rest, copied, lost, missed, brought back.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jangbu_tests::devnet::{Devnet, Ran, Sharing};

const PRODUCT: &str = "urn:uuid:aaaaaaaa-7b69-444d-81e6-655d0f1513bd";
const OTHER: &str = "urn:uuid:bbbbbbbb-7b69-444d-81e6-655d0f1513bd";
/// What only the document says.
const MARKER: &str = "lithium-iron-zq81";
const SHARE: &str = "cathode-2026";

/// One member and its files.
struct Member<'a> {
    devnet: &'a Devnet,
}

impl Member<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.devnet.home("cml1").join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.devnet.jangbu("cml1", arguments)
    }

    fn done(&self, arguments: &[&str]) -> Ran {
        self.devnet.done("cml1", arguments)
    }

    /// A command about a file of the member's.
    fn with(&self, verb: &[&str], file: &str) -> Ran {
        let path = self.path(file);
        self.run(&[verb, &[path.to_str().unwrap()]].concat())
    }

    /// [`Member::with`] that is refused as bad input for this reason.
    fn refused(&self, verb: &[&str], file: &str, reason: &str) {
        let ran = self.with(verb, file);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(reason), "{reason}: {ran:?}");
    }

    fn issue(&self, product: &str, more: &[&str]) -> Ran {
        let file = self.path("document.json");
        fs::write(&file, format!(r#"{{"chemistry": "{MARKER}"}}"#)).unwrap();
        let said = ["passport", "issue", file.to_str().unwrap(), "--product"];
        let granularity = [product, "--granularity", "item"];
        self.done(&[&said[..], &granularity, more].concat())
    }

    /// `vault check`, with its exit code; the last line is the summary.
    fn checked(&self, code: i32) -> Vec<serde_json::Value> {
        self.devnet.settle();
        let ran = self.run(&["vault", "check"]);
        assert_eq!(ran.code, code, "{ran:?}");
        ran.lines()
    }
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Puts a copy with other bytes beside a file.
fn altered(path: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path.with_file_name(name), bytes).unwrap();
}

#[test]
fn a_lost_vault_is_missed_and_comes_back_from_its_export_and_its_secret() {
    let devnet = Devnet::up();
    let cml1 = Member { devnet: &devnet };
    let issued = cml1.issue(PRODUCT, &[]).object();
    let statement = issued["statement_id"].as_str().unwrap();
    let sharing = Sharing {
        devnet: &devnet,
        name: SHARE,
    };
    let step = sharing.done("cml1", "request", &["--with", "hanbit"]);
    let sealed = step["statement_id"].as_str().unwrap();

    // All is there, and nobody reads it without the passphrase.
    let summary = cml1.checked(0).pop().unwrap();
    assert_eq!(
        (&summary["statements"], &summary["opened"]),
        (&2.into(), &2.into()),
        "{summary}"
    );
    let vault = cml1.path("vault");
    let kept = files(&vault);
    assert!(
        kept.iter()
            .any(|path| path.ends_with(format!("openings/{statement}.sealed")))
    );
    for path in &kept {
        let bytes = fs::read(path).unwrap();
        // A receipt is public, and names the operators that witnessed it.
        let public = path.parent().unwrap().ends_with("receipts");
        let words = [MARKER, "chemistry", "hanbit"];
        for word in &words[..if public { 2 } else { 3 }] {
            let found = bytes.windows(word.len()).any(|w| w == word.as_bytes());
            assert!(!found, "{word} in {}", path.display());
        }
    }
    without_a_passphrase(&cml1, statement);

    // What was signed and never sent is a remark.
    let signed = cml1.path("signed.bin");
    let _ = cml1.issue(OTHER, &["--sign-only", signed.to_str().unwrap()]);
    let lines = cml1.checked(0);
    assert_eq!(lines[0]["remark"], "not_recorded", "{lines:?}");
    assert_eq!(lines[1]["orphans"], 1, "{lines:?}");

    // Copies, never over another file.
    let exported = cml1.with(&["vault", "export"], "copy.jangbu-vault");
    assert_eq!(exported.object()["openings"], 3, "{exported:?}");
    assert_eq!(exported.object()["streams"], 1, "{exported:?}");
    let _ = cml1
        .with(&["vault", "secret", "export"], "secret.txt")
        .object();
    for (verb, file) in [
        (&["vault", "export"][..], "copy.jangbu-vault"),
        (&["vault", "secret", "export"], "secret.txt"),
    ] {
        let path = cml1.path(file);
        assert_eq!(mode(&path), 0o600, "{file}");
        let before = fs::read(&path).unwrap();
        cml1.refused(verb, file, "there is a file already");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    // Lost.
    fs::remove_dir_all(&vault).unwrap();
    let lines = cml1.checked(3);
    let problem = |id: &str| {
        let line = lines.iter().find(|line| line["statement_id"] == id);
        line.unwrap()["problem"].clone()
    };
    assert_eq!(problem(statement), "missing");
    assert_eq!(problem(sealed), "no_stream_key");
    assert_eq!(lines.last().unwrap()["problems"], 2, "{lines:?}");
    let out = cml1.path("shown.json");
    let disclose = ["disclose", statement, "--field", "/chemistry", "-o"];
    let disclose = [&disclose[..], &[out.to_str().unwrap()]].concat();
    assert_eq!(cml1.run(&disclose).code, 2);

    bring_the_secret_back(&cml1);
    bring_the_vault_back(&cml1);

    assert_eq!(cml1.checked(0).pop().unwrap()["opened"], 2);
    let _ = cml1.done(&disclose);
    let opened = devnet.offline(&["open", out.to_str().unwrap()]);
    assert_eq!(opened.code, 0, "{opened:?}");
    assert!(opened.out.contains(MARKER), "{opened:?}");
    assert_eq!(sharing.show("cml1", &[])["contract"], "REQUESTED");

    one_opening_is_handed_out(&cml1, statement);
    conflicts_change_nothing(&cml1, statement);
}

/// Whoever gets one opening checks it with the receipt alone.
fn one_opening_is_handed_out(cml1: &Member<'_>, statement: &str) {
    let whole = cml1.with(&["vault", "opening", statement], "whole.json");
    assert_eq!(whole.code, 0, "{whole:?}");
    cml1.refused(
        &["vault", "opening", statement],
        "whole.json",
        "there is a file already",
    );
    let file = cml1.path("whole.json");
    assert_eq!(mode(&file), 0o600);
    let receipt = cml1.path(&format!("vault/receipts/{statement}.tlog-proof"));
    let verify = |document: &Path| {
        let (receipt, document) = (receipt.to_str().unwrap(), document.to_str().unwrap());
        let verify = ["verify", receipt, "--document", document];
        cml1.devnet.offline(&verify).code
    };
    let _ = cml1.issue(PRODUCT, &[]);
    assert_eq!(verify(&file), 0);
    altered(&file, "forged.json", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replace(MARKER, "something else").into_bytes();
    });
    assert_eq!(verify(&file.with_file_name("forged.json")), 3);
}

/// What needs nothing of the vault asks for nothing; what shows more with it shows less.
fn without_a_passphrase(cml1: &Member<'_>, statement: &str) {
    let settings = fs::read_to_string(cml1.path("jangbu.toml")).unwrap();
    let settings: String = settings
        .lines()
        .filter(|line| !line.contains("passphrase"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(cml1.path("locked.toml"), settings).unwrap();
    let config = cml1.path("locked.toml");
    let config = ["--config", config.to_str().unwrap()];
    let locked = |arguments: &[&str]| cml1.devnet.offline(&[&config[..], arguments].concat());
    let shown = locked(&["show", statement]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert_eq!(shown.object()["locked"], true);
    assert!(shown.object()["opening"].is_null());
    assert_eq!(locked(&["list"]).code, 0);
    let check = locked(&["vault", "check"]);
    assert_eq!(check.code, 2, "{check:?}");
    assert!(check.err.contains("passphrase"), "{check:?}");
    let open = cml1.done(&["show", statement]).object();
    assert!(open["locked"].is_null());
    assert_eq!(open["opening"]["document"]["chemistry"], MARKER);
}

/// The keystore of a new machine gets the vault's secret, whole and unaltered or not at all.
fn bring_the_secret_back(cml1: &Member<'_>) {
    let key = cml1.path("keys/vault.key.json");
    let import = ["vault", "import"];
    let secret = ["vault", "secret", "import"];
    cml1.refused(&secret, "absent.txt", "no such file");
    fs::remove_file(&key).unwrap();
    cml1.refused(&import, "copy.jangbu-vault", "there is no vault key");

    // Another secret opens nothing and is not replaced.
    let _ = cml1.done(&["key", "new", "vault"]);
    cml1.refused(&import, "copy.jangbu-vault", "another vault secret");
    let other = fs::read(&key).unwrap();
    cml1.refused(&secret, "secret.txt", "another secret");
    assert_eq!(fs::read(&key).unwrap(), other);
    fs::remove_file(&key).unwrap();

    let line = cml1.path("secret.txt");
    altered(&line, "cut.txt", |bytes| bytes.truncate(70));
    cml1.refused(&secret, "cut.txt", "it is cut");
    altered(&line, "typo.txt", |bytes| {
        bytes[30] = if bytes[30] == b'0' { b'1' } else { b'0' };
    });
    cml1.refused(&secret, "typo.txt", "altered or mistyped");
    assert!(!key.exists());

    let made = |ran: &Ran| ran.object()["made"].as_bool().unwrap();
    assert!(made(&cml1.with(&secret, "secret.txt")));
    assert!(!made(&cml1.with(&secret, "secret.txt")));
    assert_eq!(mode(&key), 0o600);
}

/// The vault gets all that an export holds, or nothing.
fn bring_the_vault_back(cml1: &Member<'_>) {
    let import = ["vault", "import"];
    let copy = cml1.path("copy.jangbu-vault");
    altered(&copy, "cut", |bytes| bytes.truncate(bytes.len() - 1));
    cml1.refused(&import, "cut", "it is cut");
    altered(&copy, "altered", |bytes| *bytes.last_mut().unwrap() ^= 1);
    cml1.refused(&import, "altered", "it was altered");
    altered(&copy, "longer", |bytes| bytes.push(0));
    cml1.refused(&import, "longer", "follow its end");
    cml1.refused(&import, "document.json", "no archive of a vault");
    assert!(files(&cml1.path("vault/openings")).is_empty());
    assert!(files(&cml1.path("vault/streams")).is_empty());

    let imported = cml1.with(&import, "copy.jangbu-vault").object();
    assert_eq!(imported["openings"], 3, "{imported}");
    assert_eq!(imported["streams"], 1, "{imported}");
    let again = cml1.with(&import, "copy.jangbu-vault").object();
    assert_eq!(again["openings"], 0, "{again}");
    assert_eq!(again["kept"], 4, "{again}");
}

/// A file that is something else than the export says is named, and stays; so does what is
/// missing beside it.
fn conflicts_change_nothing(cml1: &Member<'_>, statement: &str) {
    let openings = cml1.path("vault/openings");
    let damaged = openings.join(format!("{statement}.sealed"));
    let name = damaged.file_name().unwrap().to_str().unwrap();
    altered(&damaged, name, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let missing = files(&openings)
        .into_iter()
        .find(|path| *path != damaged)
        .unwrap();
    fs::remove_file(&missing).unwrap();
    let before = fs::read(&damaged).unwrap();
    cml1.refused(&["vault", "import"], "copy.jangbu-vault", name);
    assert_eq!(fs::read(&damaged).unwrap(), before);
    assert!(!missing.exists());
    let lines = cml1.checked(3);
    let line = lines.iter().find(|line| line["statement_id"] == statement);
    assert_eq!(line.unwrap()["problem"], "damaged", "{lines:?}");

    fs::remove_file(&damaged).unwrap();
    let imported = cml1
        .with(&["vault", "import"], "copy.jangbu-vault")
        .object();
    assert_eq!(imported["openings"], 2, "{imported}");
    assert_eq!(cml1.checked(0).pop().unwrap()["problems"], 0);
}
