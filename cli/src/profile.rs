//! `jangbu profile`: the compliance profiles that this program carries, and publishing one.

use std::path::Path;

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::id::Digest;
use jangbu_ledger::profile::{PROFILE_BYTES_MAX, Profile, Status};
use jangbu_ledger::statement::{Kind, Statement, Stream};
use serde::Serialize;

use crate::context::{Context, read_bounded};
use crate::error::CliError;
use crate::submit::{Draft, SubmitOptions, submit_and_print};
use crate::view::{short, table};

/// The profiles of this program, of each name the latest version last.
const CARRIED: [&str; 8] = [
    include_str!("../../profiles/ai-training-lineage-1.0.json"),
    include_str!("../../profiles/data-share-basic-1.0.json"),
    include_str!("../../profiles/eu-battery/ev-1.0.json"),
    include_str!("../../profiles/eu-battery/ev-2.0.json"),
    include_str!("../../profiles/eu-battery/industrial-1.0.json"),
    include_str!("../../profiles/eu-battery/industrial-2.0.json"),
    include_str!("../../profiles/eu-battery/lmt-1.0.json"),
    include_str!("../../profiles/eu-battery/lmt-2.0.json"),
];

/// What to do with profiles.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the profiles that this program carries
    List,
    /// Show what a profile asks
    Show {
        /// A name, NAME@VERSION, or a profile's file
        #[arg(value_name = "PROFILE")]
        profile: String,
    },
    /// Record a profile's version and digest, so that verdicts can name what they were judged by
    Publish {
        /// A name, NAME@VERSION, or a profile's file
        #[arg(value_name = "PROFILE")]
        profile: String,
        /// How to submit.
        #[command(flatten)]
        submit: SubmitOptions,
    },
}

/// A profile in a line.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    name: &'a str,
    version: &'a str,
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_from: Option<&'a str>,
    requirements: usize,
    roles: Vec<&'a str>,
    title: &'a str,
}

/// Does it.
///
/// # Errors
///
/// [`CliError`] if there is no such profile, or as for `submit`.
pub fn run(command: Command, ctx: &Context) -> Result<(), CliError> {
    match command {
        Command::List => {
            for text in CARRIED {
                let profile = Profile::parse(text.as_bytes()).map_err(CliError::internal)?;
                let summary = summary(&profile)?;
                ctx.output.line(&summary, || {
                    format!(
                        "{:<22} {:<5} {:>3} requirements  {}",
                        summary.name, summary.version, summary.requirements, summary.title
                    )
                });
            }
            Ok(())
        }
        Command::Show { profile } => {
            let profile = find(&profile)?;
            ctx.output.object(&profile, || text(&profile));
            Ok(())
        }
        Command::Publish { profile, submit } => {
            let draft = published(&find(&profile)?)?;
            submit_and_print(ctx, vec![draft], &submit).map(|_| ())
        }
    }
}

/// The profile of this name, of the latest version or that after `@`, or in this file.
///
/// # Errors
///
/// [`CliError`] naming the profiles there are, or what is wrong with the file.
pub fn find(text: &str) -> Result<Profile, CliError> {
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let mut known = Vec::new();
    for carried in CARRIED.iter().rev() {
        let profile = Profile::parse(carried.as_bytes()).map_err(CliError::internal)?;
        if profile.name == name && version.is_none_or(|version| profile.version == version) {
            return Ok(profile);
        }
        known.push(format!("{}@{}", profile.name, profile.version));
    }
    let path = Path::new(text);
    if !path.exists() {
        known.reverse();
        return Err(
            CliError::input(format!("there is no profile and no file {text:?}"))
                .hint(format!("a profile's file, or one of: {}", known.join(", "))),
        );
    }
    let bytes = read_bounded(path, PROFILE_BYTES_MAX as u64)?;
    Profile::parse(&bytes).map_err(|error| CliError::file(path, error))
}

/// The statement that publishes a profile.
fn published(profile: &Profile) -> Result<Draft, CliError> {
    let identifier = profile.identifier().map_err(CliError::input)?;
    Ok(Draft {
        statement: Statement {
            kind: Kind::ProfilePublished {
                version: profile.version.clone(),
                digest: profile.digest()?,
            },
            occurrence: 0,
            streams: vec![Stream::Open(identifier.clone())],
            commitment: Commitment::NOTHING,
            references: Vec::new(),
            payload: Vec::new(),
        },
        opening: None,
        label: format!("{identifier} {}", profile.version),
    })
}

fn summary(profile: &Profile) -> Result<Summary<'_>, CliError> {
    Ok(Summary {
        name: &profile.name,
        version: &profile.version,
        digest: profile.digest()?,
        effective_from: profile.effective_from.as_deref(),
        requirements: profile.requirements.len(),
        roles: profile.roles(),
        title: &profile.title,
    })
}

fn text(profile: &Profile) -> String {
    let mut rows = vec![
        ("profile", format!("{} {}", profile.name, profile.version)),
        ("title", profile.title.clone()),
        ("source", profile.source.clone()),
    ];
    if let Ok(digest) = profile.digest() {
        rows.push(("digest", short(&digest)));
    }
    if let Some(day) = &profile.effective_from {
        rows.push(("applies", format!("from {day}")));
    }
    for (role, sections) in profile.access.iter().flat_map(|access| &access.roles) {
        let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
        rows.push((
            "role",
            format!("{role} sees sections {}", sections.join(", ")),
        ));
    }
    let mut text = table(&rows);
    for requirement in &profile.requirements {
        let section = requirement.section().unwrap_or(" ");
        text.push_str(&format!(
            "{:<8} {section}  {:<16} {}\n",
            requirement.id,
            status(requirement.status),
            requirement.title
        ));
    }
    text
}

/// A status as people read it.
pub(crate) const fn status(status: Status) -> &'static str {
    match status {
        Status::Mandatory => "mandatory",
        Status::Optional => "optional",
        Status::Conditional => "conditional",
        Status::NotToBeFilled => "not to be filled",
        Status::Pending => "pending",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_means_the_latest_version() {
        assert_eq!(find("eu-battery/ev").unwrap().version, "2.0");
        assert_eq!(find("eu-battery/ev@1.0").unwrap().version, "1.0");
        let error = find("eu-battery/ev@9.0").unwrap_err();
        assert!(error.hint.unwrap().contains("eu-battery/ev@2.0"));
    }

    #[test]
    fn every_profile_that_is_carried_is_one() {
        for text in CARRIED {
            let profile = Profile::parse(text.as_bytes()).unwrap();
            published(&profile)
                .unwrap()
                .statement
                .check_shape()
                .unwrap();
        }
    }
}
