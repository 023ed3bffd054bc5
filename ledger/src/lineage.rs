//! Lineages: the recorded uses that lead from a thing to what it was made from, or on to what was
//! made from it, with how each input stood to its agreement then and stands now.
//!
//! ```text
//!   dataset ─┐ agreement, part
//!   dataset ─┼──▶ use ──▶ model ──▶ use ──▶ model
//!   own data ┘
//! ```
//!
//! Whoever found the uses fills one in, a node's client or the verifier of a bundle; what follows
//! from them is derived here, once.
//!
//! Source: `docs/lineage.md`.

mod standing;

use serde::{Deserialize, Serialize};

use crate::id::{Height, MemberId, Sequence, StatementId, TimeMs};
use crate::identifier::Identifier;
use crate::share::table::Phase;
use crate::share::{Contract, Course, Covered, Fingerprint, Output, Part, Usage, UseCode};
use crate::state::UseSide;

pub use standing::{Made, Standing, made};

/// Which way to go.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To what it was made from.
    Back,
    /// To what was made from it.
    Forward,
}

/// Where something comes from, or what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// What was asked about.
    pub root: Identifier,
    /// Which way.
    pub direction: Direction,
    /// Nearest first, then in log order.
    pub uses: Vec<Use>,
    /// Forward only: what was made, and whether it still stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
    /// Things whose own uses were not looked at, because a depth was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_followed: Vec<Identifier>,
    /// A bound left something out.
    pub truncated: bool,
}

/// A recorded use, as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// The statement.
    pub statement_id: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// Its block.
    pub height: Height,
    /// Its block's time.
    pub time_ms: TimeMs,
    /// Who recorded it.
    pub member: MemberId,
    /// Its name.
    pub by: String,
    /// The share that it is recorded in.
    pub share: Identifier,
    /// Whether only the parties of that share know.
    pub sealed: bool,
    /// What for.
    pub activity: UseCode,
    /// Further codes that had to be permitted.
    pub codes: Vec<UseCode>,
    /// The code that ran.
    pub code: Option<Fingerprint>,
    /// What it ran in.
    pub environment: Option<Fingerprint>,
    /// What went in.
    pub sources: Vec<Source>,
    /// What came out.
    pub outputs: Vec<Output>,
}

/// What went in, and how it stood and stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Which data.
    pub data: Identifier,
    /// What of it, if not all.
    pub part: Option<Part>,
    /// The agreement that it came under; none for data without one.
    pub agreement: Option<Agreement>,
    /// Whether that permitted the use at the height it was recorded.
    pub permitted: bool,
    /// Why, or why not.
    pub then: Covered,
    /// What the contract permitted then, and who said so; none if nothing was agreed, or nobody
    /// reads the agreement here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
}

/// The terms that a contract had, and the statement that agreed to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The uses that it permits; none listed means that its document alone says.
    pub permits: Vec<UseCode>,
    /// Who agreed.
    pub by: String,
    /// The statement.
    pub statement_id: StatementId,
    /// Where it is.
    pub sequence: Sequence,
    /// Its block.
    pub height: Height,
}

/// An agreement as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Its identifier.
    pub identifier: Identifier,
    /// Nothing more is known of an agreement that nobody reads here.
    #[serde(flatten)]
    pub known: Option<Known>,
}

/// What is known of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// What its parties call it.
    pub name: String,
    /// Whose data it is.
    pub provider: String,
    /// Who gets it.
    pub consumer: String,
    /// Whether only its parties read it.
    pub sealed: bool,
    /// Where it stands.
    pub contract: Contract,
    /// Whether it still stands.
    pub in_force: bool,
    /// When somebody ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Height>,
    /// The uses that it permits now.
    pub permits: Vec<UseCode>,
}

impl Direction {
    /// The list of a thing's uses that leads this way.
    #[must_use]
    pub const fn side(self) -> UseSide {
        match self {
            Self::Back => UseSide::Made,
            Self::Forward => UseSide::Took,
        }
    }

    /// The things that a use leads on to.
    pub fn leads_to(self, usage: &Usage) -> impl Iterator<Item = &Identifier> {
        let back = self == Self::Back;
        let inputs = usage.inputs.iter().filter(move |_| back);
        let outputs = usage.outputs.iter().filter(move |_| !back);
        inputs
            .map(|input| &input.data)
            .chain(outputs.map(|output| &output.made))
    }
}

impl Lineage {
    /// What is listed, and that nothing else is: for a list that is complete.
    #[must_use]
    pub fn in_words(&self) -> String {
        let near = if self.not_followed.is_empty() {
            ""
        } else {
            ", as far as asked"
        };
        match self.direction {
            Direction::Back => format!(
                "these are all open uses that made {} and what it came from{near}",
                self.root
            ),
            Direction::Forward => format!(
                "these are all open uses of {} and of what was made from it{near}",
                self.root
            ),
        }
    }
}

impl Known {
    /// What a course amounts to; `member` names members for people.
    pub fn of(
        course: &Course,
        name: String,
        sealed: bool,
        member: impl Fn(&MemberId) -> String,
    ) -> Self {
        let now = course.now();
        Self {
            name,
            provider: member(&course.provider),
            consumer: member(&course.consumer),
            sealed,
            contract: now.stand.contract,
            in_force: now.stand.contract.phase() == Phase::InForce,
            ended_at: course.ended().map(|taken| taken.height),
            permits: now.permits,
        }
    }
}

impl Terms {
    /// What the contract permitted at a place in the log.
    pub fn before(
        course: &Course,
        at: Sequence,
        member: impl Fn(&MemberId) -> String,
    ) -> Option<Self> {
        let agreed = course.agreed_before(at)?;
        Some(Self {
            permits: course.at(at).permits,
            by: member(&agreed.member),
            statement_id: agreed.statement_id,
            sequence: agreed.sequence,
            height: agreed.height,
        })
    }
}
