//! Complete lists of uses: these n that made a thing, or that it went into, and no others, up to the
//! checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Evidence;
use super::report::side_in_words;
use super::{Bundle, Failure, complete};
use crate::id::Sequence;
use crate::identifier::Identifier;
use crate::share::{Deed, Usage};
use crate::state::{StreamRecord, UseSide};
use crate::statement::{Kind, Statement};

/// Lists of uses that were recomputed, and which of them claims have used.
pub(super) struct Lists {
    lists: BTreeMap<(Identifier, UseSide), Vec<Sequence>>,
    used: BTreeSet<(Identifier, UseSide)>,
}

impl Lists {
    /// Recomputes every list and compares it with the state.
    pub(super) fn verify(evidence: &mut Evidence<'_>, bundle: &Bundle) -> Result<Self, Failure> {
        let mut lists = BTreeMap::new();
        for item in &bundle.uses {
            let at = (item.identifier.clone(), item.side);
            if let Some((last, _)) = lists.last_key_value()
                && *last >= at
            {
                return Err(Failure::Order(format!(
                    "the list of uses {} {} stands twice or in the wrong place",
                    side_in_words(item.side),
                    item.identifier
                )));
            }
            recompute(evidence, &item.identifier, item.side, &item.uses)?;
            lists.insert(at, item.uses.clone());
        }
        Ok(Self {
            lists,
            used: BTreeSet::new(),
        })
    }

    /// The uses of a thing, for a claim that needs them.
    pub(super) fn of(
        &mut self,
        identifier: &Identifier,
        side: UseSide,
    ) -> Result<&[Sequence], Failure> {
        let at = (identifier.clone(), side);
        let Some(uses) = self.lists.get(&at) else {
            return Err(Failure::Missing(format!(
                "the bundle does not list the uses {} {identifier}",
                side_in_words(side)
            )));
        };
        self.used.insert(at);
        Ok(uses)
    }

    /// Refuses what no claim has used.
    pub(super) fn check_all_used(&self) -> Result<(), Failure> {
        match self.lists.keys().find(|at| !self.used.contains(at)) {
            None => Ok(()),
            Some((identifier, side)) => Err(Failure::Order(format!(
                "no claim uses the list of uses {} {identifier}",
                side_in_words(*side)
            ))),
        }
    }
}

/// What a statement says that data was used for, if it says so.
pub(super) fn usage(statement: &Statement) -> Option<&Usage> {
    match &statement.kind {
        Kind::ShareStep { deed, .. } => match deed.as_ref() {
            Deed::Used(usage) => Some(usage),
            _ => None,
        },
        _ => None,
    }
}

fn recompute(
    evidence: &mut Evidence<'_>,
    identifier: &Identifier,
    side: UseSide,
    listed: &[Sequence],
) -> Result<(), Failure> {
    let fault = |reason: String| Failure::Uses {
        identifier: identifier.clone(),
        side,
        reason,
    };
    let what = format!("the uses {} {identifier}", side_in_words(side));
    let expected: Option<StreamRecord> =
        evidence.record(&side.key(&identifier.subject_id()), &what)?;
    let expected = expected.unwrap_or(StreamRecord::EMPTY);
    let belongs =
        |said: &Statement| usage(said).is_some_and(|usage| side.of(usage).contains(identifier));
    complete::recompute(evidence, listed, &expected, belongs, fault)
}
