//! What must hold within a profile, so that it judges everything one way.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, FORMAT, Judges, Need, PROFILE_BYTES_MAX, Profile, Requirement, Status};
use crate::json::JsonError;
use crate::share::UseCode;

/// Longest version in bytes.
pub const VERSION_BYTES_MAX: usize = 32;
/// Most requirements of one profile.
const REQUIREMENTS_MAX: usize = 1_000;

/// Why a file is not a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Not I-JSON.
    #[error("the profile is not readable JSON: {0}")]
    Json(#[from] JsonError),
    /// Too long.
    #[error("the profile has {0} bytes; at most {PROFILE_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// JSON, but not a profile.
    #[error("the file is not a profile: {0}")]
    Shape(String),
    /// A profile of another version of the format.
    #[error("the profile has format {0:?}; this program reads {FORMAT:?}")]
    Format(String),
    /// A name or version that is none.
    #[error(
        "{0:?} is no name or version of a profile: lower-case letters, digits, dots and hyphens, a \
         name in up to 4 parts between slashes"
    )]
    Name(String),
    /// A day that is none.
    #[error("effective_from = {0:?}: write a day as 2027-02-18")]
    Day(String),
    /// Too many requirements, or none.
    #[error("{0} requirements; a profile has 1 to {REQUIREMENTS_MAX}")]
    Requirements(usize),
    /// The same id twice.
    #[error("the requirement {0:?} stands twice")]
    Repeated(String),
    /// A section that is not listed.
    #[error("{user}: there is no section {section:?} in access.sections")]
    UnknownSection {
        /// What names it.
        user: String,
        /// The section.
        section: String,
    },
    /// One occurrence would count both ways.
    #[error("{id}: {term:?} must not be filled here, and fills {other:?}")]
    Ambiguous {
        /// The requirement that forbids the term.
        id: String,
        /// The term.
        term: String,
        /// The requirement that it fills.
        other: String,
    },
    /// Something that such a thing does not have.
    #[error("{id}: a profile of a {judged} cannot ask for this")]
    Misplaced {
        /// The requirement.
        id: String,
        /// What is judged.
        judged: &'static str,
    },
}

impl Profile {
    /// Checks what a reader of the profile relies on.
    pub(super) fn check(&self) -> Result<(), ProfileError> {
        self.identifier()?;
        if !is_version(&self.version) {
            return Err(ProfileError::Name(self.version.clone()));
        }
        if let Some(day) = &self.effective_from
            && !is_day(day)
        {
            return Err(ProfileError::Day(day.clone()));
        }
        if !(1..=REQUIREMENTS_MAX).contains(&self.requirements.len()) {
            return Err(ProfileError::Requirements(self.requirements.len()));
        }
        let listed: BTreeSet<&str> = self.access.iter().flat_map(Access::names).collect();
        let known = |user: &str, section: &str| {
            if listed.contains(section) {
                Ok(())
            } else {
                Err(ProfileError::UnknownSection {
                    user: user.to_owned(),
                    section: section.to_owned(),
                })
            }
        };
        for (role, sections) in self.access.iter().flat_map(|access| &access.roles) {
            sections.iter().try_for_each(|name| known(role, name))?;
        }
        let mut ids = BTreeSet::new();
        for requirement in &self.requirements {
            if !ids.insert(&requirement.id) {
                return Err(ProfileError::Repeated(requirement.id.clone()));
            }
            self.check_need(requirement)?;
            if let Need::InputsPermitted { activity } = &requirement.needs {
                UseCode::parse(activity.as_str())
                    .map_err(|error| ProfileError::Shape(format!("{}: {error}", requirement.id)))?;
            }
            if let Need::Field { section, .. } = &requirement.needs {
                known(&requirement.id, section)?;
            }
        }
        self.check_terms()
    }

    fn check_need(&self, requirement: &Requirement) -> Result<(), ProfileError> {
        let of_share = matches!(requirement.needs, Need::Step { .. });
        let judged = match self.judges {
            Judges::Share if !of_share || requirement.endorsed_under.is_some() => "data share",
            Judges::Passport if of_share => "passport",
            _ => return Ok(()),
        };
        Err(ProfileError::Misplaced {
            id: requirement.id.clone(),
            judged,
        })
    }

    fn check_terms(&self) -> Result<(), ProfileError> {
        let mut fills: BTreeMap<&str, &str> = BTreeMap::new();
        for requirement in &self.requirements {
            if requirement.status != Status::NotToBeFilled {
                for term in requirement.terms() {
                    fills.entry(term).or_insert(&requirement.id);
                }
            }
        }
        for requirement in &self.requirements {
            if requirement.status == Status::NotToBeFilled
                && let Some(term) = requirement.terms().find(|term| fills.contains_key(term))
            {
                return Err(ProfileError::Ambiguous {
                    id: requirement.id.clone(),
                    term: term.to_owned(),
                    other: fills[term].to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Whether a text can be a profile's version.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    (1..=VERSION_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// `2027-02-18`; that there is such a day in the calendar is not looked at.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    let within =
        |text: &str, max: u32| matches!(text.parse::<u32>(), Ok(n) if (1..=max).contains(&n));
    digits(year, 4) && digits(month, 2) && digits(day, 2) && within(month, 12) && within(day, 31)
}
