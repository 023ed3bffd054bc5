//! What was made from data, and what of it to make again.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Source, Use};
use crate::identifier::Identifier;
use crate::share::Covered;

/// Something that was made from the root, near or far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// What.
    pub identifier: Identifier,
    /// Whether it stands.
    pub standing: Standing,
    /// Why not, in words.
    pub because: Vec<String>,
}

/// Whether something stands on agreements that permit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Stands,
    /// An agreement cannot be read here.
    Unknown,
    /// An agreement ended since, or never covered it: it is to be made again without that data.
    Retrain,
}

/// What was made, in the order of the uses, and what of it to make again: what an input of this
/// lineage gives a reason for, and what was made from such a thing.
#[must_use]
pub fn made(root: &Identifier, uses: &[Use]) -> Vec<Made> {
    let mut order = Vec::new();
    let mut reasons: BTreeMap<&Identifier, BTreeSet<(Standing, String)>> = BTreeMap::new();
    for output in uses.iter().flat_map(|used| &used.outputs) {
        if reasons.insert(&output.made, BTreeSet::new()).is_none() {
            order.push(&output.made);
        }
    }
    // A use may be recorded before the one that its input came from: until nothing changes.
    loop {
        let mut more = false;
        for used in uses {
            let because: BTreeSet<_> = used
                .sources
                .iter()
                .filter_map(|source| {
                    let before = reasons.get(&source.data);
                    let under = source.agreement.as_ref();
                    let concerned = before.is_some()
                        || source.data == *root
                        || under.is_some_and(|under| under.identifier == *root);
                    let inherited = before.and_then(|reasons| reasons.last()).map(|(worst, _)| {
                        (*worst, format!("{} does not stand itself", source.data))
                    });
                    concerned.then(|| source.trouble().or(inherited))?
                })
                .collect();
            for output in &used.outputs {
                if let Some(known) = reasons.get_mut(&output.made) {
                    let before = known.len();
                    known.extend(because.iter().cloned());
                    more |= known.len() > before;
                }
            }
        }
        if !more {
            break;
        }
    }
    let entry = |identifier: &Identifier| {
        let reasons = reasons.remove(identifier)?;
        let worst = reasons.last().map(|(standing, _)| *standing);
        Some(Made {
            identifier: identifier.clone(),
            standing: worst.unwrap_or(Standing::Stands),
            because: reasons.into_iter().map(|(_, reason)| reason).collect(),
        })
    };
    order.into_iter().filter_map(entry).collect()
}

impl Source {
    /// Why what was made from it may not stand on it any more.
    fn trouble(&self) -> Option<(Standing, String)> {
        let known = self
            .agreement
            .as_ref()
            .and_then(|agreement| agreement.known.as_ref());
        if let Some((known, height)) = known.and_then(|known| Some((known, known.ended_at?))) {
            let reason = format!(
                "the agreement {} about {} ended in block {height}",
                known.name, self.data
            );
            return Some((Standing::Retrain, reason));
        }
        let standing = match self.then {
            Covered::Permitted => return None,
            Covered::Unknown => Standing::Unknown,
            _ => Standing::Retrain,
        };
        let reason = format!("{}, when it was used: {}", self.data, self.then.words());
        Some((standing, reason))
    }
}
