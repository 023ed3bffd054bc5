//! `jangbu open`: checks a disclosure with the genesis file alone, and prints what it shows.
//! Opens no socket.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jangbu_genesis::TrustAnchor;
use jangbu_ledger::bundle::{
    self, BUNDLE_BYTES_MAX, Bundle, Failure, Finding, OpenedDocument, Report, StatementReport,
    Verdict,
};
use jangbu_ledger::id::{Height, Sequence, StatementId};
use jangbu_ledger::passport::Life;
use serde::Serialize;

use crate::context::{Context, read_bounded};
use crate::error::CliError;
use crate::verify::{checks, contents, headline, reason};
use crate::view::{rfc3339, sentence, table};

/// Arguments of `jangbu open`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 holds · 2 unreadable file or wrong usage · 3 does not hold: tampered \
    with or wrong · 5 cannot tell: evidence is missing"
)]
pub struct Args {
    /// A disclosure (`jangbu disclose`), or a proof that shows documents
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    file: &'a Path,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    documents: Vec<Opened<'a>>,
    checked: &'a [String],
    not_checked: &'a [String],
}

/// A document, who recorded it, and what became of it.
#[derive(Debug, Serialize)]
struct Opened<'a> {
    statement_id: StatementId,
    sequence: Sequence,
    height: Height,
    time: String,
    member: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
    #[serde(flatten)]
    document: &'a OpenedDocument,
    #[serde(skip)]
    said: String,
}

/// What the file proves of the passport that a document is a version of.
#[derive(Debug, Clone, Copy, Serialize)]
struct Standing {
    /// The current version of the passport, as of the checkpoint.
    current_version: u32,
    /// Whether it may be relied on.
    life: Life,
}

/// Checks the file, prints what it shows, and gives the exit code.
///
/// # Errors
///
/// [`CliError`] if the file or the genesis file cannot be read.
pub fn run(args: &Args, ctx: &Context) -> Result<ExitCode, CliError> {
    let bytes = read_bounded(&args.file, BUNDLE_BYTES_MAX as u64)?;
    let unreadable = |error: &dyn std::fmt::Display| CliError::file(&args.file, error);
    let bundle = Bundle::parse(&bytes).map_err(|error| unreadable(&error))?;
    if bundle.documents.is_empty() {
        return Err(unreadable(&"it discloses nothing").hint("check a proof with: jangbu verify"));
    }
    let anchor = ctx.anchor()?;
    let result = bundle::verify(&bundle, &anchor.verifier());
    let verdict = result
        .as_ref()
        .err()
        .map_or(Verdict::Holds, Failure::verdict);
    if let (Verdict::Unreadable, Err(failure)) = (verdict, &result) {
        return Err(unreadable(failure));
    }
    let answer = Answer {
        file: &args.file,
        verdict,
        reason: result.as_ref().err().map(reason),
        documents: result
            .as_ref()
            .map(|report| opened(report, anchor))
            .unwrap_or_default(),
        checked: result.as_ref().map_or(&[], |report| &report.checked),
        not_checked: result.as_ref().map_or(&[], |report| &report.not_checked),
    };
    ctx.output.object(&answer, || text(&answer));
    Ok(ExitCode::from(verdict.exit_code()))
}

fn opened<'a>(report: &'a Report, anchor: &TrustAnchor) -> Vec<Opened<'a>> {
    let statement = |document: &OpenedDocument| {
        let mut all = report.statements.iter();
        all.find(|shown| shown.sequence == document.sequence)
    };
    let documents = report.documents.iter();
    documents
        .filter_map(|document| statement(document).map(|shown| of(report, document, shown, anchor)))
        .collect()
}

fn of<'a>(
    report: &'a Report,
    document: &'a OpenedDocument,
    shown: &'a StatementReport,
    anchor: &TrustAnchor,
) -> Opened<'a> {
    let standing = report.findings.iter().find_map(|finding| match finding {
        Finding::Complete(subject) if subject.identifier == document.subject => {
            subject.passport.as_ref().map(|passport| Standing {
                current_version: passport.version,
                life: passport.life,
            })
        }
        _ => None,
    });
    Opened {
        statement_id: shown.statement_id,
        sequence: shown.sequence,
        height: shown.height,
        time: rfc3339(shown.time_ms),
        member: &shown.member_name,
        standing,
        document,
        said: sentence(&shown.statement, anchor),
    }
}

fn text(answer: &Answer<'_>) -> String {
    let mut text = headline(answer.verdict, answer.file, answer.reason.as_deref());
    if answer.verdict != Verdict::Holds {
        return text + "  Nothing in this file is to be relied on.\n";
    }
    for opened in &answer.documents {
        let standing = match opened.standing {
            Some(standing) => {
                let warning = standing.life.warning();
                let life = warning.unwrap_or_else(|| standing.life.name());
                let version = opened.document.version;
                match standing.current_version {
                    current if current == version => format!("the current version; {life}"),
                    current => format!("SUPERSEDED: the current version is {current}; {life}"),
                }
            }
            None => "not shown: whether there is a later version".to_owned(),
        };
        text.push('\n');
        text.push_str(&table(&[
            ("about", opened.document.subject.to_string()),
            (
                "said",
                format!(
                    "{} by {}, entry {}",
                    opened.time, opened.member, opened.sequence
                ),
            ),
            ("", opened.said.clone()),
            ("schema", opened.document.schema.clone()),
            ("standing", standing),
        ]));
        text.push_str(&contents(opened.document));
    }
    text.push_str(&checks(
        answer.checked.iter().map(AsRef::as_ref),
        answer.not_checked.iter().map(AsRef::as_ref),
    ));
    text
}
