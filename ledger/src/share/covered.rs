//! Whether a use of data was covered by the agreements that it names.

use bincode::{Decode, Encode};
use serde::Serialize;

use super::table::{Holding, Phase};
use super::{Input, Share, Usage};

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
    /// No agreement is named, and the data is not the user's own.
    NoAgreement,
    /// The contract lists what data it is about, and this is none of it.
    OtherData,
    /// The part that is stated is no part of what was last sent under the agreement.
    NotSent,
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
            Self::NoAgreement => "no agreement is named for it",
            Self::OtherData => "the contract is about other data",
            Self::NotSent => "it is no part of what was last sent under the agreement",
        }
    }

    /// How `usage` stands to the agreement that one of its inputs names, given as it was then,
    /// with what the user is in it. Of its own data the user is the provider.
    #[must_use]
    pub fn of(usage: &Usage, input: &Input, agreement: Option<(&Share, User)>) -> Self {
        let Some((share, user)) = agreement else {
            return match input.agreement {
                Some(_) => Self::Unknown,
                None => Self::NoAgreement,
            };
        };
        match user {
            // It is its own data.
            User::Provider => return Self::Permitted,
            User::Stranger => return Self::Foreign,
            User::Consumer => {}
        }
        let listed = |code| share.permits.contains(code);
        let in_all = |part| share.sent.as_ref().is_some_and(|sent| sent.has(part));
        match share.stand.contract.phase() {
            Phase::Nothing | Phase::Negotiating | Phase::Over => Self::NotFinal,
            Phase::Closing => Self::Ended,
            Phase::InForce if share.stand.holding == Holding::Nothing => Self::NotHeld,
            Phase::InForce if !input.is_of(&share.data) => Self::OtherData,
            Phase::InForce if !input.part.as_ref().is_none_or(in_all) => Self::NotSent,
            Phase::InForce if share.permits.is_empty() || usage.purposes().all(listed) => {
                Self::Permitted
            }
            Phase::InForce => Self::NotPermitted,
        }
    }
}
