//! What rules note of uses of data: how each was covered, and which things it is listed under.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::key;
use crate::id::{MemberId, SubjectId};
use crate::identifier::Identifier;
use crate::share::{Covered, Usage};
use crate::state_tree::StateKey;

/// A use of data that was recorded in the open.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct UseRecord {
    /// Who used it.
    pub by: MemberId,
    /// How the use stood to each agreement that it names, in its order.
    pub covered: Vec<Covered>,
}

/// Which of the two lists of uses of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UseSide {
    /// The uses that made it.
    Made,
    /// The uses that it went into, or that took data under it.
    Took,
}

impl UseSide {
    /// The things that a use is listed under.
    #[must_use]
    pub fn of(self, usage: &Usage) -> BTreeSet<&Identifier> {
        match self {
            Self::Made => usage.made(),
            Self::Took => usage.took(),
        }
    }

    /// Where the list's count and head are in the state.
    #[must_use]
    pub fn key(self, id: &SubjectId) -> StateKey {
        match self {
            Self::Made => key::made(id),
            Self::Took => key::took(id),
        }
    }
}
