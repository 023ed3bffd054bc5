//! Compliance profiles: what must be recorded and shown about a thing, as versioned, dated data.
//!
//! ```text
//!   profile file ──parse──▶ Profile ─┬─ access ─▶ which sections a role sees, and which field is
//!                              │     │            in which section (divide)
//!                            digest  └─ requirements + a verified Report ──judge──▶ verdicts
//!                              │
//!                     ProfilePublished on the ledger
//! ```
//!
//! A verdict rests on what a verified report shows and on nothing else: whoever has the report's
//! file and the profile comes to the same verdicts.
//!
//! Invariants:
//! - a profile's digest is over its RFC 8785 bytes, so that its layout does not matter;
//! - ids of requirements are distinct, every section that is named is listed;
//! - a term that must not be filled fills nothing else: one occurrence never counts both ways.

mod bench;
mod check;
mod divide;
mod facts;
mod judge;
mod judgement;
mod lineage;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::hash::Domain;
use crate::id::Digest;
use crate::identifier::Identifier;
use crate::json::{self, JsonError};
use crate::share::{Step, UseCode};
use crate::statement::Granularity;

pub use check::{ProfileError, VERSION_BYTES_MAX, is_version};
pub use divide::REST;
pub use facts::{Instant, ShareStep};
pub use judgement::{
    Asked, JudgeError, Judgement, Outcome, Publication, RequirementVerdict, Shown, Standing,
    Verdict,
};

/// The format this crate reads.
pub const FORMAT: &str = "jangbu-profile/1";
/// Largest profile in bytes.
pub const PROFILE_BYTES_MAX: usize = 256 * 1024;

const DIGEST: Domain = Domain::new("jangbu/profile/v1");

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`FORMAT`].
    pub format: String,
    /// Its name: `eu-battery/ev`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is, for people.
    pub title: String,
    /// Where it comes from.
    pub source: String,
    /// The day from which it applies: `2027-02-18`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effective_from: Option<String>,
    /// The version it takes the place of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub supersedes: Option<String>,
    /// What it is about.
    pub judges: Judges,
    /// Who sees what of a document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access: Option<Access>,
    /// What must hold.
    pub requirements: Vec<Requirement>,
}

/// What a profile is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judges {
    /// A thing with a passport: a product, a dataset, a model.
    Passport,
    /// A data share.
    Share,
}

/// Who sees what of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The sections that each role sees: sets, for access is a lattice and not a ladder.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    /// The sections, the one that everybody sees first.
    pub sections: Vec<Section>,
    /// Members of a document whose own members are placed one by one.
    pub containers: BTreeSet<String>,
    /// Terms whose values are never taken apart.
    pub whole: BTreeSet<String>,
}

/// A section of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// What is in it, for people.
    pub title: String,
    /// Members of a document that are in it, beside those that requirements place there.
    pub members: BTreeSet<String>,
}

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its id, of this profile.
    pub id: String,
    /// What it asks, for people.
    pub title: String,
    /// The paragraph that asks it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// How binding it is.
    pub status: Status,
    /// What is looked for.
    pub needs: Need,
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_age_days: Option<u32>,
    /// Name of the scheme under which an assessor must vouch for the passport's version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endorsed_under: Option<String>,
}

/// How binding a requirement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It must be there.
    Mandatory,
    /// It may be there.
    Optional,
    /// It must be there, or be said not to apply.
    Conditional,
    /// It must not be there.
    NotToBeFilled,
    /// The law does not say yet.
    Pending,
}

/// What a requirement looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Need {
    /// A filled member of the passport's document, under any of these terms, wherever it stands.
    Field {
        /// The section it belongs in.
        section: String,
        /// The terms.
        terms: BTreeSet<String>,
        /// Which passport must have it; that of the item, its batch or its model if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        level: Option<Granularity>,
    },
    /// A statement of this kind about the thing.
    Statement {
        /// The kind's name.
        kind: String,
    },
    /// All components are linked, the last word being that this is all.
    ComponentsClosed,
    /// Each component's company confirmed its link, or it is the product's own.
    ComponentsConfirmed,
    /// Whatever went into it, and into what of the company's own went into it, came under an
    /// agreement that permitted this use then, or is the company's own.
    InputsPermitted {
        /// The use.
        activity: UseCode,
    },
    /// A step of a data share that counts.
    Step {
        /// The step.
        step: Step,
    },
}

impl Profile {
    /// Reads a profile strictly.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] naming what is wrong and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        if bytes.len() > PROFILE_BYTES_MAX {
            return Err(ProfileError::TooLong(bytes.len()));
        }
        let value = json::parse(bytes)?;
        if let Some(format) = value.get("format").and_then(|format| format.as_str())
            && format != FORMAT
        {
            return Err(ProfileError::Format(format.chars().take(80).collect()));
        }
        let profile: Self = serde_json::from_value(value)
            .map_err(|error| ProfileError::Shape(json::brief(&error)))?;
        profile.check()?;
        Ok(profile)
    }

    /// What stands on the ledger for this profile.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if it cannot be made canonical.
    pub fn digest(&self) -> Result<Digest, JsonError> {
        let value = serde_json::to_value(self)
            .map_err(|error| JsonError::NotCanonicalizable(error.to_string()))?;
        Ok(Digest(DIGEST.hash(&json::canonicalize(&value)?)))
    }

    /// The subject that its versions are published under.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Name`] if the name is none.
    pub fn identifier(&self) -> Result<Identifier, ProfileError> {
        Identifier::parse_canonical(&format!("profile:{}", self.name))
            .map_err(|_| ProfileError::Name(self.name.clone()))
    }

    /// The sections that a role sees.
    #[must_use]
    pub fn sections_of(&self, role: &str) -> Option<&BTreeSet<String>> {
        self.access.as_ref()?.roles.get(role)
    }

    /// The names of its roles.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        let access = self.access.iter();
        access
            .flat_map(|access| access.roles.keys().map(String::as_str))
            .collect()
    }
}

impl Access {
    /// The names of the sections.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|section| section.name.as_str())
    }
}

impl Requirement {
    /// The terms it looks for in documents.
    pub fn terms(&self) -> impl Iterator<Item = &str> {
        let terms = match &self.needs {
            Need::Field { terms, .. } => Some(terms),
            _ => None,
        };
        terms.into_iter().flatten().map(String::as_str)
    }

    /// The section that what it looks for belongs in.
    #[must_use]
    pub fn section(&self) -> Option<&str> {
        match &self.needs {
            Need::Field { section, .. } => Some(section),
            _ => None,
        }
    }
}
