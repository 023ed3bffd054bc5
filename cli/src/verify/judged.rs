//! `jangbu verify --profile`: comes to the verdicts again that `jangbu check` came to.

use jangbu_ledger::bundle::{Finding, Report, Verdict};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::profile::{Asked, JudgeError, Judgement, Outcome};

use crate::check;
use crate::error::CliError;
use crate::profile;

/// What no verdict shows.
const NOT_LAW: &str = "whether the profile says what the law says, and whether the values that \
                       fill its terms are right";

/// What a profile says of a file that holds.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) reason: Option<String>,
    pub(super) judgement: Option<Judgement>,
}

/// Judges what the report is first about.
///
/// # Errors
///
/// [`CliError`] if there is no such profile, role or block.
pub(super) fn judge(
    report: &mut Report,
    name: &str,
    role: Option<&str>,
    at: Option<u64>,
) -> Result<Judged, CliError> {
    let profile = profile::find(name)?;
    let Some(subject) = subject(report) else {
        return Ok(cannot_tell(
            "the file does not show all statements about anything".into(),
        ));
    };
    let asked = Asked {
        subject: &subject,
        role,
        at: check::moment(report, at)?,
    };
    let judgement = match profile.judge(report, asked) {
        Ok(judgement) => judgement,
        Err(error @ (JudgeError::NotShown(_) | JudgeError::OtherProfile { .. })) => {
            return Ok(cannot_tell(error.to_string()));
        }
        Err(error) => return Err(check::refused(error)),
    };
    report.checked.push(format!(
        "by {} {}: {} requirements, each by what is shown",
        judgement.profile,
        judgement.version,
        judgement.verdicts.len()
    ));
    report.not_checked.push(NOT_LAW.into());
    if judgement.published.is_none() {
        report.not_checked.push(format!(
            "whether the consortium judges by this profile: {} {} (digest {}) is not shown to be \
             published",
            judgement.profile, judgement.version, judgement.digest
        ));
    }
    let (verdict, reason) = match judgement.outcome {
        Outcome::Met => (Verdict::Holds, None),
        Outcome::NotMet => (
            Verdict::PolicyNotMet,
            Some(format!(
                "{subject} does not meet {} {}",
                profile.name, profile.version
            )),
        ),
        Outcome::CannotTell => (
            Verdict::CannotTell,
            Some("not everything that the profile asks for is shown".into()),
        ),
    };
    Ok(Judged {
        verdict,
        reason,
        judgement: Some(judgement),
    })
}

fn cannot_tell(reason: String) -> Judged {
    Judged {
        verdict: Verdict::CannotTell,
        reason: Some(reason),
        judgement: None,
    }
}

/// The first thing of which the report shows everything, or that there is nothing.
fn subject(report: &Report) -> Option<Identifier> {
    report.findings.iter().find_map(|finding| match finding {
        Finding::Complete(subject) => Some(subject.identifier.clone()),
        Finding::Absent { identifier } => Some(identifier.clone()),
        _ => None,
    })
}
