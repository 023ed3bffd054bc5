//! What a judgement says: verdicts, what they rest on, what they add up to.

use serde::Serialize;

use super::{Instant, Status};
use crate::id::{Digest, Sequence, StatementId, TimeMs};
use crate::identifier::Identifier;
use crate::passport::Life;

/// What is said of one requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Met,
    /// What must be there is not.
    Missing,
    /// It is there, but too old, or only in a version that another took the place of.
    Stale,
    /// What must not be there is.
    ForbiddenPresent,
    /// It is there, and no assessor vouches for it.
    Unendorsed,
    /// It is there, and who vouched no longer does.
    EndorsementExpired,
    /// It is neither there nor said not to apply.
    ConditionalUnanswered,
    /// Something went into it that no agreement permitted.
    NotPermitted,
    /// The law does not say yet what must be there.
    PendingLaw,
}

/// What the verdicts add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything that binds holds.
    Met,
    /// Something that binds does not.
    NotMet,
    /// Nothing is seen not to hold, but not everything is shown.
    CannotTell,
}

/// What is judged, for whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The thing.
    pub subject: &'a Identifier,
    /// Judge only what this role sees.
    pub role: Option<&'a str>,
    /// The moment.
    pub at: Instant,
}

/// The verdicts on one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The profile's name.
    pub profile: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// Where it is published on the ledger, if the report shows it.
    pub published: Option<Publication>,
    /// Versions that were published after it.
    pub later_versions: Vec<String>,
    /// What was judged: an identifier, or a share's name.
    pub subject: String,
    /// For which role.
    pub role: Option<String>,
    /// At which moment.
    pub at: Instant,
    /// What the verdicts add up to.
    pub outcome: Outcome,
    /// Version and life of its passport.
    pub passport: Option<Standing>,
    /// The verdicts, in the profile's order.
    pub verdicts: Vec<RequirementVerdict>,
}

/// A passport's version and whether it may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Number of versions so far.
    pub version: usize,
    /// Whether it may be relied on.
    pub life: Life,
}

/// Where a profile is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Publication {
    /// The statement.
    pub statement_id: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// By whom.
    pub member_name: String,
    /// When.
    pub time_ms: TimeMs,
}

/// What is said of one requirement, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequirementVerdict {
    /// The requirement.
    pub id: String,
    /// What it asks.
    pub title: String,
    /// How binding it is.
    pub status: Status,
    /// The verdict; `None` if what is shown does not decide it.
    pub verdict: Option<Verdict>,
    /// Why, where the verdict alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it rests on.
    pub proof: Vec<Shown>,
}

/// A statement that a verdict rests on, and where in its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The statement.
    pub statement_id: StatementId,
    /// Where it is in the log.
    pub sequence: Sequence,
    /// Section of its document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Pointer inside the section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// Why nothing can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The report would have to show more.
    #[error("evidence is missing: {0} would have to be shown")]
    NotShown(String),
    /// Another profile stands on the ledger under this name and version.
    #[error(
        "the ledger has another profile {name} {version}: entry {sequence} published the digest \
         {published}, this one has {digest}"
    )]
    OtherProfile {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Where it was published.
        sequence: Sequence,
        /// What was published.
        published: Digest,
        /// What the profile at hand has.
        digest: Digest,
    },
    /// The profile has no such role.
    #[error("the profile has no role {role:?}; it has: {roles}")]
    NoRole {
        /// As asked.
        role: String,
        /// What there is.
        roles: String,
    },
    /// The profile is about something else.
    #[error("the profile {0} does not judge such a thing")]
    OtherThing(String),
    /// The profile has no digest.
    #[error(transparent)]
    Json(#[from] crate::json::JsonError),
}

impl Verdict {
    /// Its name as JSON writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::ForbiddenPresent => "forbidden_present",
            Self::Unendorsed => "unendorsed",
            Self::EndorsementExpired => "endorsement_expired",
            Self::ConditionalUnanswered => "conditional_unanswered",
            Self::NotPermitted => "not_permitted",
            Self::PendingLaw => "pending_law",
        }
    }

    /// Whether it stands in the way.
    #[must_use]
    pub const fn blocks(self) -> bool {
        !matches!(self, Self::Met | Self::PendingLaw)
    }
}
