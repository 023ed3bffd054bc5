//! The commands in the documents, run as they stand there, on a devnet: what they print is what the
//! document shows.
//!
//! - In ```` ```console ```` each line after `$ ` is run, and so are lines after `> ` and after a `\` at a
//!   line's end. What follows must be printed: `…` stands for anything, alone on a line for any
//!   lines; ids, times, sizes and places in the log may be others. If no output is shown, any is
//!   right. A command must end well, unless `echo $?` after it shows its exit code.
//! - ```` ```sh ```` is run as a whole, and must end well.
//! - `<!-- run` … `-->` is run and not shown. `<!-- not run: … -->` says why the next block is not.
//!
//! Documents of one test use one devnet, one after the other, as a reader would.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod page;
mod shown;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use jangbu_tests::devnet::{Devnet, with_programs};

use page::{Step, steps};
use shown::is_shown;

/// How long a document may take: one whose command does not end stops here.
const SECONDS_MAX: &str = "120";
/// What is said to bash first: aliases are heeded, and before each step all nodes have what was
/// said, as they have by the time a reader has typed the next command.
const BEGIN: &str = r"shopt -s expand_aliases
settle() {
    local node
    while [[ -d devnet/members ]]; do
        for node in $(grep -oh 'http://[0-9.:]*' devnet/members/amperia/jangbu.toml); do
            curl -s $node/v1/status | grep -o '.log_size.:[0-9]*'
        done | uniq | wc -l | grep -qx 1 && break
    done
}
";

/// The repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .into()
}

/// Runs these documents in a directory, and says of all that is not as they show it.
fn run(directory: &Path, documents: &[&str]) {
    let tests = directory.join("tests");
    if !tests.exists() {
        std::os::unix::fs::symlink(repository().join("tests"), tests).unwrap();
    }
    let wrong: Vec<String> = documents
        .iter()
        .flat_map(|name| {
            let text = fs::read_to_string(repository().join(name)).unwrap();
            let steps = steps(&text);
            assert!(!steps.is_empty(), "{name} has nothing to run");
            differences(name, directory, &steps)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not as a document shows it.
fn differences(name: &str, directory: &Path, steps: &[Step]) -> Vec<String> {
    let notes = tempfile::tempdir().unwrap();
    let note = |number: usize, what: &str| notes.path().join(format!("{number}.{what}"));
    let mut script = String::from(BEGIN);
    for (number, step) in steps.iter().enumerate() {
        fs::write(note(number, "sh"), &step.command).unwrap();
        let [command, out, code] = ["sh", "out", "code"].map(|what| note(number, what));
        let (strict, lax) = match step.shown {
            Some(_) => ("", ""),
            None => ("set -e; ", "; set +e"),
        };
        writeln!(
            script,
            "settle; {strict}source '{}' > '{}' 2>&1 < /dev/null; echo $? > '{}'{lax}",
            command.display(),
            out.display(),
            code.display()
        )
        .unwrap();
    }
    let mut bash = with_programs("timeout");
    bash.args(["--kill-after=1", SECONDS_MAX, "bash", "-c"])
        .arg(script)
        .current_dir(directory)
        .stdin(Stdio::null())
        .env("XDG_CONFIG_HOME", directory.join("config"))
        .env_remove("BASH_ENV");
    let ended = bash.status().unwrap();
    let mut wrong = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let printed = fs::read_to_string(note(number, "out")).unwrap_or_default();
        let code = fs::read_to_string(note(number, "code")).ok();
        let ended_well = code.as_deref().map(str::trim) == Some("0");
        let is_right = match step.shown.as_deref() {
            None | Some([]) => ended_well,
            Some(shown) => ended_well && is_shown(shown, &printed),
        };
        if is_right {
            continue;
        }
        let shown = step.shown.as_deref().unwrap_or_default().join("\n");
        wrong.push(format!(
            "{name}:{}: exit code {code:?}\n{}\nthe document shows:\n{shown}\nit printed:\n{printed}",
            step.line, step.command
        ));
        if code.is_none() {
            wrong.push(format!("{name}: the rest was not run: {ended}"));
            break;
        }
    }
    wrong
}

/// Documents that share a devnet, in the order in which they are read there.
const TOGETHER: [&[&str]; 7] = [
    &["README.md", "docs/compliance.md", "docs/api.md"],
    &[
        "docs/queries.md",
        "docs/disclosure.md",
        "docs/proofs.md",
        "docs/concepts.md",
    ],
    &["docs/products.md"],
    &["docs/anchor.md"],
    &["docs/rules.md", "docs/privacy.md"],
    &["docs/vault.md"],
    &["docs/lineage.md"],
];
/// Founds its own consortium.
const FOUNDING: &str = "docs/founding.md";
/// Their commands take minutes or hours.
const NOT_RUN: [&str; 3] = [
    "docs/format.md",
    "docs/performance.md",
    "docs/reliability.md",
];

/// Runs the documents that are with this one on a devnet of their own.
fn are_as_told(first: &str) {
    let documents = TOGETHER
        .iter()
        .find(|all| all.first() == Some(&first))
        .unwrap();
    let devnet = Devnet::up();
    let above = devnet.path();
    run(above.parent().unwrap(), documents);
}

#[test]
fn no_document_is_forgotten() {
    let docs = fs::read_dir(repository().join("docs")).unwrap();
    for document in docs {
        let name = document.unwrap().file_name().into_string().unwrap();
        let name = format!("docs/{name}");
        let run = TOGETHER.concat().contains(&name.as_str()) || name == FOUNDING;
        assert!(run || NOT_RUN.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_battery_from_first_to_last_and_what_its_node_tells() {
    are_as_told("README.md");
}

#[test]
fn lists_disclosures_and_proofs() {
    are_as_told("docs/queries.md");
}

#[test]
fn the_life_of_products() {
    are_as_told("docs/products.md");
}

#[test]
fn documents_and_shares_are_anchored() {
    are_as_told("docs/anchor.md");
}

#[test]
fn rules_refuse_and_sealed_things_stay_sealed() {
    are_as_told("docs/rules.md");
}

#[test]
fn a_vault_is_lost_and_brought_back() {
    are_as_told("docs/vault.md");
}

#[test]
fn a_model_falls_with_an_agreement() {
    are_as_told("docs/lineage.md");
}

#[test]
fn a_consortium_is_founded() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &[FOUNDING]);
}
