//! The life of a product passport, as a table.
//!
//! The operator responsible for the product speaks in its open stream; an authority (a member
//! with the regulator's role) and assessors speak in its claims stream.
//!
//! Sources: Regulation (EU) 2024/1781 (ESPR), Articles 9 to 13; Regulation (EU) 2023/1542,
//! Articles 77 and 78; EN 18221 on earlier versions.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Where a passport stands.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It may be relied on.
    Active,
    /// Not for now.
    Suspended,
    /// Never again: it should not have been.
    Revoked,
    /// The product is no more.
    Ended,
}

/// What is done to a passport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifeStep {
    /// A new version.
    Supersede,
    /// See [`Life::Suspended`].
    Suspend,
    /// The suspension is over.
    Reinstate,
    /// See [`Life::Revoked`].
    Revoke,
    /// See [`Life::Ended`].
    End,
    /// A public registry knows this version.
    Register,
    /// An assessor vouches for this version.
    Endorse,
    /// It is linked to something coarser, derives from others, is handed over.
    Relate,
}

/// In which capacity someone does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capacity {
    /// The member responsible for the product.
    Operator,
    /// A regulator.
    Authority,
    /// An auditor or a regulator.
    Assessor,
}

/// Legal steps: from, in which capacity, step, to.
const LIFE: &[(Life, Capacity, LifeStep, Life)] = {
    use Capacity::{Assessor, Authority, Operator};
    use Life::{Active, Ended, Revoked, Suspended};
    use LifeStep as S;
    &[
        (Active, Operator, S::Supersede, Active),
        (Active, Operator, S::Suspend, Suspended),
        (Active, Authority, S::Suspend, Suspended),
        (Active, Operator, S::Revoke, Revoked),
        (Active, Authority, S::Revoke, Revoked),
        (Active, Operator, S::End, Ended),
        (Active, Operator, S::Register, Active),
        (Active, Assessor, S::Endorse, Active),
        (Active, Operator, S::Relate, Active),
        // What was suspended can be put right, by a new version, before it is reinstated.
        (Suspended, Operator, S::Supersede, Suspended),
        (Suspended, Operator, S::Reinstate, Active),
        (Suspended, Authority, S::Reinstate, Active),
        (Suspended, Operator, S::Revoke, Revoked),
        (Suspended, Authority, S::Revoke, Revoked),
        (Suspended, Operator, S::End, Ended),
    ]
};

impl Life {
    /// Where the passport stands after a step; `None` if the step is not legal.
    #[must_use]
    pub fn after(self, capacity: Capacity, step: LifeStep) -> Option<Self> {
        LIFE.iter()
            .find(|(from, by, taken, _)| (*from, *by, *taken) == (self, capacity, step))
            .map(|(.., to)| *to)
    }

    /// What to shout where people read it; nothing while it may be relied on.
    #[must_use]
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::Suspended => Some("SUSPENDED"),
            Self::Revoked => Some("REVOKED"),
            Self::Ended => Some("ENDED"),
        }
    }

    /// Its name as JSON and people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: [Life; 4] = [Life::Active, Life::Suspended, Life::Revoked, Life::Ended];
    const CAPACITIES: [Capacity; 3] = [Capacity::Operator, Capacity::Authority, Capacity::Assessor];
    const STEPS: [LifeStep; 8] = [
        LifeStep::Supersede,
        LifeStep::Suspend,
        LifeStep::Reinstate,
        LifeStep::Revoke,
        LifeStep::End,
        LifeStep::Register,
        LifeStep::Endorse,
        LifeStep::Relate,
    ];

    /// The same rules in words instead of a table.
    fn legal(from: Life, by: Capacity, step: LifeStep) -> bool {
        let over = matches!(from, Life::Revoked | Life::Ended);
        let live = from == Life::Active;
        !over
            && match step {
                LifeStep::Supersede | LifeStep::End => by == Capacity::Operator,
                LifeStep::Register | LifeStep::Relate => live && by == Capacity::Operator,
                LifeStep::Endorse => live && by == Capacity::Assessor,
                LifeStep::Suspend => live && by != Capacity::Assessor,
                LifeStep::Reinstate => !live && by != Capacity::Assessor,
                LifeStep::Revoke => by != Capacity::Assessor,
            }
    }

    #[test]
    fn every_step_in_every_life_by_everyone_is_legal_exactly_as_said() {
        let mut seen = 0;
        for from in LIVES {
            for by in CAPACITIES {
                for step in STEPS {
                    let after = from.after(by, step);
                    assert_eq!(
                        after.is_some(),
                        legal(from, by, step),
                        "{from:?} {by:?} {step:?}"
                    );
                    seen += usize::from(after.is_some());
                }
            }
        }
        assert_eq!(seen, LIFE.len(), "a line stands twice in the table");
    }
}
