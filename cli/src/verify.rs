//! `jangbu verify`: checks a receipt, a bundle, evidence, a proof of chunks or one against a
//! provider with the genesis file alone. Opens no socket.

mod chunks;
mod evidence;
mod judged;
mod rejection;
mod shown;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jangbu_ledger::bundle::{
    self, BUNDLE_BYTES_MAX, Bundle, Failure, Policy, Report, Verdict, check_opening, verify_cose,
    verify_receipt,
};
use jangbu_ledger::content::{ChunkProof, RejectionProof};
use jangbu_ledger::equivocation::{EVIDENCE_BYTES_MAX, Evidence};
use jangbu_ledger::id::{Height, TimeMs};
use jangbu_ledger::json;
use jangbu_ledger::profile::Judgement;
use jangbu_ledger::receipt::Receipt;
use jangbu_ledger::receipt::cose::{self, CoseReceipt};
use serde::Serialize;

use crate::context::{Context, read_bounded};
use crate::document::Opening;
use crate::error::CliError;

pub(crate) use text::{checks, claims_in_words, contents, headline, reason};

/// How a receipt begins.
const RECEIPT: &[u8] = b"c2sp.org/tlog-proof@";
/// Largest opening in bytes: a document of the largest size, written with escapes.
const OPENING_BYTES_MAX: u64 = 4 * json::DOCUMENT_BYTES_MAX as u64;

/// Arguments of `jangbu verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 holds · 2 unreadable file or wrong usage · 3 does not hold: tampered \
    with or wrong · 4 holds, but not what --min-height, --not-older-than or --profile ask for · \
    5 cannot tell: evidence is missing"
)]
pub struct Args {
    /// A receipt (*.tlog-proof, *.cose), a proof (*.jangbu.json), chunks of what was sent
    /// (*.chunks.json), evidence against a validator, or a proof against a provider
    /// (*.rejection.json)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Check this document too: what `jangbu vault opening` wrote; repeatable
    #[arg(long = "document", value_name = "FILE")]
    documents: Vec<PathBuf>,
    /// The ledger must be shown at least up to this block
    #[arg(long, value_name = "HEIGHT")]
    min_height: Option<u64>,
    /// The checkpoint must not be older, by this machine's clock: 90s, 15m, 24h, 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    not_older_than: Option<Duration>,
    /// What the file is first about must meet this profile: a name, NAME@VERSION, or a file
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Judge only what this role of the profile sees
    #[arg(long, value_name = "NAME", requires = "profile")]
    role: Option<String>,
    /// Judge as of the end of this block, which the file must show [default: all it covers]
    #[arg(long, value_name = "HEIGHT", requires = "profile")]
    at: Option<u64>,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    file: &'a Path,
    kind: &'static str,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    report: Option<Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judgement: Option<Judgement>,
}

/// Verifies, prints the verdict, and gives its exit code.
///
/// # Errors
///
/// [`CliError`] if the file, the genesis file or a document cannot be read.
pub fn run(args: &Args, ctx: &Context) -> Result<ExitCode, CliError> {
    let bytes = read_bounded(&args.file, BUNDLE_BYTES_MAX as u64)?;
    if let Some(exit_code) = run_single(args, &bytes, ctx)? {
        return Ok(exit_code);
    }
    let founding = ctx.anchor()?;
    let anchor = founding.verifier();
    let openings = args
        .documents
        .iter()
        .map(|path| opening(path))
        .collect::<Result<Vec<_>, _>>()?;
    let policy = args.policy()?;
    let unreadable = |error: &dyn std::fmt::Display| CliError::file(&args.file, error);
    let (kind, result) = if bytes.starts_with(RECEIPT) {
        let receipt = Receipt::parse(&bytes).map_err(|error| unreadable(&error))?;
        ("receipt", verify_receipt(&receipt, &anchor))
    } else if bytes.first() == Some(&cose::FIRST_BYTE) {
        let receipt = CoseReceipt::parse(&bytes).map_err(|error| unreadable(&error))?;
        ("cose_receipt", verify_cose(&receipt, &anchor))
    } else if bytes.trim_ascii_start().starts_with(b"{") {
        let bundle = Bundle::parse(&bytes).map_err(|error| unreadable(&error))?;
        ("bundle", bundle::verify(&bundle, &anchor))
    } else {
        return Err(unreadable(&"it is neither a receipt nor a proof").hint(
            "a receipt is a *.tlog-proof or *.cose file of `jangbu receipt`, a proof a *.jangbu.json \
             file of `jangbu prove`",
        ));
    };
    let checked = result.and_then(|mut report| {
        for opening in &openings {
            check_opening(&mut report, opening)?;
        }
        Ok(report)
    });
    let (mut report, failure) = match checked {
        Ok(report) => {
            let failure = policy.check(&report).err();
            (Some(report), failure)
        }
        Err(failure) => (None, Some(failure)),
    };
    let mut verdict = failure.as_ref().map_or(Verdict::Holds, Failure::verdict);
    if verdict == Verdict::Unreadable {
        let reason = failure
            .map(|failure| failure.to_string())
            .unwrap_or_default();
        return Err(unreadable(&reason));
    }
    let mut reason = failure.as_ref().map(reason);
    let mut judgement = None;
    if let (Some(report), Some(name)) = (&mut report, &args.profile) {
        let judged = judged::judge(report, name, args.role.as_deref(), args.at)?;
        // What the file is too old for, it is; a verdict on top does not undo that.
        if verdict == Verdict::Holds {
            (verdict, reason) = (judged.verdict, judged.reason);
        }
        judgement = judged.judgement;
    }
    let answer = Answer {
        file: &args.file,
        kind,
        verdict,
        reason,
        report,
        judgement,
    };
    ctx.output
        .object(&answer, || text::answer(&answer, founding));
    Ok(ExitCode::from(verdict.exit_code()))
}

/// Verifies a file that shows one thing, if it is one: what is asked of checkpoints and documents
/// means nothing for it.
fn run_single(args: &Args, bytes: &[u8], ctx: &Context) -> Result<Option<ExitCode>, CliError> {
    let format = shown::format_of(bytes).unwrap_or_default();
    let file = args.file.as_path();
    let unreadable =
        |error: &dyn std::fmt::Display, hint: &str| CliError::file(file, error).hint(hint);
    let verdict = if format.starts_with(evidence::FORMAT) && bytes.len() <= EVIDENCE_BYTES_MAX {
        args.only_for_proofs()?;
        let parsed =
            Evidence::parse(bytes).map_err(|error| unreadable(&error, &evidence::hint()))?;
        let shown = evidence::verify(file, &parsed, ctx.anchor()?);
        ctx.output
            .object(&shown, || shown.in_words(evidence::in_words));
        shown.verdict
    } else if format.starts_with(rejection::FORMAT) {
        args.only_for_proofs()?;
        let proof =
            RejectionProof::parse(bytes).map_err(|error| unreadable(&error, rejection::HINT))?;
        let shown = rejection::verify(file, &proof, ctx.anchor()?);
        ctx.output
            .object(&shown, || shown.in_words(rejection::in_words));
        shown.verdict
    } else if format.starts_with(chunks::FORMAT) {
        args.only_for_proofs()?;
        let proof = ChunkProof::parse(bytes).map_err(|error| unreadable(&error, chunks::HINT))?;
        let shown = chunks::verify(file, &proof, ctx.anchor()?);
        ctx.output
            .object(&shown, || shown.in_words(chunks::in_words));
        shown.verdict
    } else {
        return Ok(None);
    };
    Ok(Some(ExitCode::from(verdict.exit_code())))
}

impl Args {
    /// Refuses options that mean nothing for evidence.
    fn only_for_proofs(&self) -> Result<(), CliError> {
        let policy = self.min_height.is_some() || self.not_older_than.is_some();
        if self.documents.is_empty() && !policy && self.profile.is_none() {
            return Ok(());
        }
        Err(CliError::input(
            "--document, --min-height, --not-older-than and --profile are for receipts and proofs",
        ))
    }

    fn policy(&self) -> Result<Policy, CliError> {
        let not_before = self
            .not_older_than
            .map(|age| {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_err(|_| CliError::input("this machine's clock is before 1970; set it"))?;
                let since = now.saturating_sub(age).as_millis();
                Ok::<_, CliError>(TimeMs(u64::try_from(since).unwrap_or(u64::MAX)))
            })
            .transpose()?;
        Ok(Policy {
            min_height: self.min_height.map(Height),
            not_before,
        })
    }
}

/// Reads what opens a statement.
fn opening(path: &Path) -> Result<Opening, CliError> {
    let bytes = read_bounded(path, OPENING_BYTES_MAX)?;
    let not_one = |error: &dyn std::fmt::Display| {
        CliError::file(path, format!("it opens no document: {error}"))
            .hint("whoever made the statement writes one: jangbu vault opening STATEMENT FILE")
    };
    let value = json::parse(&bytes).map_err(|error| not_one(&error))?;
    serde_json::from_value(value).map_err(|error| not_one(&json::brief(&error)))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write 90s, 15m, 24h or 7d");
    let (number, unit) = text
        .char_indices()
        .next_back()
        .map(|(at, unit)| (text.get(..at).unwrap_or_default(), unit))
        .ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(seconds).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for bad in [
            "",
            "7",
            "d",
            "-1h",
            "1.5h",
            "7w",
            "99999999999999999999d",
            "7日",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
