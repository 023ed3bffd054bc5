//! `jangbu check`: judges a product, a model or a data share by a compliance profile.
//!
//! ```text
//!   node ─▶ bundle: all about the thing, its batch, its model, the profile ─┐
//!   vault ─▶ the sections that the profile looks at ────────────────────────┴▶ verified report
//!                                                     profile ─▶ judge ─▶ verdicts, FILE
//! ```
//!
//! What is in FILE is what was judged: `jangbu verify FILE --profile P` comes to the same
//! verdicts offline.

mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use jangbu_ledger::bundle::{Bundle, Claim, DocumentItem, Finding, Report, Shown};
use jangbu_ledger::commitment::Opening;
use jangbu_ledger::id::Height;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::profile::{
    Asked, Instant, JudgeError, Judgement, Judges, Need, Outcome, Profile,
};
use serde::Serialize;

use crate::context::Context;
use crate::disclose::current_passport;
use crate::error::CliError;
use crate::profile;
use crate::prove::{ask, believe};
use crate::share;
use crate::vault::write_atomic;

pub(crate) use table::text;

/// Arguments of `jangbu check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 everything that binds is met · 2 usage or input · 4 something is not met, \
    or no node · 5 cannot tell: not everything is shown"
)]
pub struct Args {
    /// A product, dataset or model; for a profile of data shares the share's name
    #[arg(value_name = "PRODUCT|SHARE")]
    what: String,
    /// The profile: a name, NAME@VERSION, or a file
    #[arg(long, value_name = "PROFILE")]
    profile: String,
    /// Judge only what this role sees, and show only that
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Judge as of the end of this block [default: the last final one]
    #[arg(long, value_name = "HEIGHT")]
    at: Option<u64>,
    /// Write what was judged, for `jangbu verify FILE --profile PROFILE`
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    judgement: &'a Judgement,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a PathBuf>,
}

/// Judges, prints the verdicts, and gives the exit code.
///
/// # Errors
///
/// [`CliError`] if there is no such profile or role, or no node gives a proof that holds.
pub fn run(args: &Args, ctx: &Context) -> Result<ExitCode, CliError> {
    let profile = profile::find(&args.profile)?;
    let judgement = match profile.judges {
        Judges::Share => {
            if args.role.is_some() || args.output.is_some() {
                return Err(CliError::input(format!(
                    "{} is about data shares: --role and --output are for passports",
                    profile.name
                )));
            }
            judge_share(args, &profile, ctx)?
        }
        Judges::Passport => judge_passport(args, &profile, ctx)?,
    };
    let checked = Checked {
        judgement: &judgement,
        file: args.output.as_ref(),
    };
    ctx.output.object(&checked, || {
        let mut printed = text(&judgement);
        if let Some(file) = &args.output {
            let role = args.role.iter().map(|role| format!(" --role {role}"));
            printed.push_str(&format!(
                "written: {0}; check it offline: jangbu verify {0} --profile {1}@{2}{3}\n",
                file.display(),
                judgement.profile,
                judgement.version,
                role.collect::<String>()
            ));
        }
        printed
    });
    Ok(ExitCode::from(match judgement.outcome {
        Outcome::Met => 0,
        Outcome::NotMet => 4,
        Outcome::CannotTell => 5,
    }))
}

fn judge_share(args: &Args, profile: &Profile, ctx: &Context) -> Result<Judgement, CliError> {
    let (steps, last) = share::steps_that_count(ctx, &args.what)?;
    let at = match args.at.map(Height) {
        None => last,
        Some(height) if height > last.height => return Err(too_high(height.0, last.height)),
        // What happened by then; a block in which nothing of the share happened has no time here.
        Some(height) => Instant {
            height,
            time_ms: steps
                .iter()
                .rfind(|step| step.height <= height)
                .map_or(last.time_ms, |step| step.time_ms),
        },
    };
    profile.judge_share(&args.what, &steps, at).map_err(refused)
}

fn judge_passport(args: &Args, profile: &Profile, ctx: &Context) -> Result<Judgement, CliError> {
    let subject: Identifier = args.what.parse().map_err(CliError::input)?;
    let mut bundle = proof(args, profile, &subject, ctx)?;
    let report = believe(ctx, &bundle)?;
    let at = moment(&report, args.at)?;
    bundle.documents = documents(&report, profile, args.role.as_deref(), at, ctx)?;
    let report = believe(ctx, &bundle)?;
    let asked = Asked {
        subject: &subject,
        role: args.role.as_deref(),
        at,
    };
    let judgement = profile.judge(&report, asked).map_err(refused)?;
    if let Some(file) = &args.output {
        let text = bundle.to_json().map_err(CliError::input)?;
        write_atomic(file, text.as_bytes())?;
    }
    Ok(judgement)
}

/// All about the thing and what it is of, and about the profile.
fn proof(
    args: &Args,
    profile: &Profile,
    subject: &Identifier,
    ctx: &Context,
) -> Result<Bundle, CliError> {
    let name = profile.identifier().map_err(CliError::input)?;
    let asks = |wanted: fn(&Need) -> bool| {
        let mut all = profile.requirements.iter();
        all.any(|requirement| wanted(&requirement.needs))
            .to_string()
    };
    let components = asks(|need| matches!(need, Need::ComponentsConfirmed));
    let uses = asks(|need| matches!(need, Need::InputsPermitted { .. }));
    let mut query = vec![
        ("identifier", subject.to_string()),
        ("profile", name.to_string()),
        ("components", components),
        ("uses", uses),
    ];
    query.extend(args.at.map(|height| ("height", height.to_string())));
    let bundle = ask(ctx, "/v1/proofs/check", &query)?;
    let about = |identifier: &Identifier| {
        bundle.claims.iter().any(|claim| match claim {
            Claim::Complete { identifier: shown } | Claim::Absent { identifier: shown } => {
                shown == identifier
            }
            _ => false,
        })
    };
    if about(subject) && about(&name) {
        Ok(bundle)
    } else {
        Err(CliError::unreachable(
            "the node proves something else than was asked for",
        ))
    }
}

/// The moment that is judged: the end of a block that the report shows, or of all it covers.
///
/// # Errors
///
/// [`CliError`] if the report does not show the block.
pub(crate) fn moment(report: &Report, height: Option<u64>) -> Result<Instant, CliError> {
    let (Some(last), Some(time_ms)) = (report.checkpoint.height, report.checkpoint.time_ms) else {
        return Err(CliError::input("the file shows no block"));
    };
    let end = Instant {
        height: last,
        time_ms,
    };
    let Some(height) = height.map(Height).filter(|height| *height != last) else {
        return Ok(end);
    };
    if height > last {
        return Err(too_high(height.0, last));
    }
    let mut findings = report.findings.iter();
    findings
        .find_map(|finding| match finding {
            Finding::Block {
                height: shown,
                time_ms,
                ..
            } if *shown == height => Some(Instant {
                height,
                time_ms: *time_ms,
            }),
            _ => None,
        })
        .ok_or_else(|| {
            CliError::input(format!("the file does not show when block {height} was")).hint(
                format!("it was made for another block; without --at it is judged as of {last}"),
            )
        })
}

fn too_high(height: u64, last: Height) -> CliError {
    CliError::input(format!(
        "block {height} is not final yet; the last is {last}"
    ))
}

/// What the vault opens of the versions that were current at the moment.
fn documents(
    report: &Report,
    profile: &Profile,
    role: Option<&str>,
    at: Instant,
    ctx: &Context,
) -> Result<Vec<DocumentItem>, CliError> {
    if !ctx.config()?.has_vault() {
        return Ok(Vec::new());
    }
    let mut documents = Vec::new();
    for finding in &report.findings {
        let Finding::Complete(subject) = finding else {
            continue;
        };
        let Some(id) = current_passport(report, &subject.identifier, at.height) else {
            continue;
        };
        let mut statements = report.statements.iter();
        let Some(said) = statements.find(|said| said.statement_id == id) else {
            continue;
        };
        let Some(opening) = ctx.opening(&id)? else {
            continue;
        };
        let sections = judged(&opening, profile, role);
        if !sections.is_empty() {
            let disclosure = opening
                .disclose(&sections, &[])
                .map_err(|error| CliError::input(error).about(id))?;
            documents.push(DocumentItem {
                sequence: said.sequence,
                shown: Shown::Fields(Box::new(disclosure)),
            });
        }
    }
    Ok(documents)
}

/// The sections of a document that the profile looks at.
fn judged<'o>(opening: &'o Opening, profile: &Profile, role: Option<&str>) -> Vec<&'o str> {
    let names = opening.sections.keys().map(String::as_str);
    profile.counting(names, role).into_iter().collect()
}

/// Why nothing was judged, as an error of the command line.
pub(crate) fn refused(error: JudgeError) -> CliError {
    match error {
        JudgeError::NotShown(_) => CliError::unreachable(error),
        JudgeError::OtherProfile { .. } => CliError::input(error)
            .hint("judge by the file that was published, or by a version that is"),
        _ => CliError::input(error),
    }
}
