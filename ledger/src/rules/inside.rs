//! What is confirmed to be inside what: never a thing inside itself.

use std::collections::BTreeSet;

use super::{Judgement, Rule, RuleError, refuse_unless};
use crate::id::SubjectId;
use crate::state::{Component, Overlay, SubjectRecord, TransformationRecord, key};

/// Most subjects and transformations looked at in the search for a cycle. A confirmation is one
/// statement: what it may cost every validator must be bounded.
const SEARCH_MAX: usize = 4096;

/// Adds one more component to a subject; the caller writes the subject back.
pub(super) fn add(
    state: &mut Overlay<'_>,
    subject: &mut SubjectRecord,
    id: &SubjectId,
    component: Component,
) -> Judgement {
    let Some(components) = subject.components.checked_add(1) else {
        return Err(RuleError::Refused(Rule::LinkTooLarge));
    };
    state.put(key::component(id, &subject.components), &component);
    subject.components = components;
    Ok(())
}

/// Refuses if any of the products is one of the parts, or anywhere inside one.
pub(super) fn refuse_any_of(
    state: &Overlay<'_>,
    products: &BTreeSet<SubjectId>,
    parts: impl IntoIterator<Item = SubjectId>,
) -> Judgement {
    let mut open: Vec<Component> = parts.into_iter().map(Component::Subject).collect();
    let mut seen: BTreeSet<Component> = open.iter().copied().collect();
    while let Some(component) = open.pop() {
        let inner = match component {
            Component::Subject(id) => {
                refuse_unless(!products.contains(&id), Rule::LinkCycle)?;
                of_subject(state, &id)?
            }
            Component::Transformation(id) => {
                let record = state.get::<TransformationRecord>(&key::transformation(&id))?;
                confirmed(record.as_ref())
            }
        };
        for component in inner {
            if seen.insert(component) {
                refuse_unless(seen.len() <= SEARCH_MAX, Rule::LinkTooLarge)?;
                open.push(component);
            }
        }
    }
    Ok(())
}

fn of_subject(state: &Overlay<'_>, id: &SubjectId) -> Result<Vec<Component>, RuleError> {
    let subject = state.get::<SubjectRecord>(&key::subject(id))?;
    let count = subject.map_or(0, |subject| subject.components);
    // One more than may be looked at is enough to refuse.
    let count = count.min(u32::try_from(SEARCH_MAX + 1).unwrap_or(u32::MAX));
    let mut found = Vec::new();
    for n in 0..count {
        found.extend(state.get::<Component>(&key::component(id, &n))?);
    }
    Ok(found)
}

fn confirmed(record: Option<&TransformationRecord>) -> Vec<Component> {
    let inputs = record.map_or(&[][..], |record| &record.inputs);
    let confirmed = inputs.iter().filter(|input| input.confirmed_by.is_some());
    confirmed
        .map(|input| Component::Subject(input.subject))
        .collect()
}
