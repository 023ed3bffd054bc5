//! Whether a use of data was covered by the agreements that it names.

use bincode::{Decode, Encode};
use serde::Serialize;

use super::table::{Holding, Phase};
use super::{Share, Usage};

/// How a use stands to one of the agreements it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Covered {
    /// The agreement was in force, its data held, and the use permitted.
    Permitted,
    /// No such agreement is known to whoever judges.
    Unknown,
    /// The agreement is one of others.
    Foreign,
    /// The contract was not final.
    NotFinal,
    /// The contract had ended.
    Ended,
    /// The user had received nothing under it, or had deleted it.
    NotHeld,
    /// The contract lists permitted uses, and this is none of them.
    NotPermitted,
}

/// Who somebody is in an agreement that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Whose data it is.
    Provider,
    /// Who got it.
    Consumer,
    /// Neither.
    Stranger,
}

impl Covered {
    /// Whether the use is recorded with a flag.
    #[must_use]
    pub fn is_flagged(self) -> bool {
        self != Self::Permitted
    }

    /// What it means to people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Unknown => "no such agreement is known, or its stream's key is not here",
            Self::Foreign => "the agreement is one of others",
            Self::NotFinal => "the contract was not final",
            Self::Ended => "the contract had ended",
            Self::NotHeld => "nothing was received under it, or it was deleted",
            Self::NotPermitted => "the contract does not list this use",
        }
    }

    /// How `usage` by `user` stands to one agreement, given as it was then.
    #[must_use]
    pub fn of(usage: &Usage, agreement: Option<(&Share, User)>) -> Self {
        let Some((share, user)) = agreement else {
            return Self::Unknown;
        };
        match user {
            // It is its own data.
            User::Provider => return Self::Permitted,
            User::Stranger => return Self::Foreign,
            User::Consumer => {}
        }
        match share.stand.contract.phase() {
            Phase::Nothing | Phase::Negotiating | Phase::Over => Self::NotFinal,
            Phase::Closing => Self::Ended,
            Phase::InForce if share.stand.holding == Holding::Nothing => Self::NotHeld,
            Phase::InForce => {
                let listed = |code| share.permits.contains(code);
                if share.permits.is_empty() || usage.purposes().all(listed) {
                    Self::Permitted
                } else {
                    Self::NotPermitted
                }
            }
        }
    }
}
