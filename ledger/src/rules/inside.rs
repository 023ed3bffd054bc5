//! What is confirmed to be inside what: never a thing inside itself.

use std::collections::BTreeSet;

use super::{Author, Judgement, Rule, RuleError, refuse_unless};
use crate::id::SubjectId;
use crate::state::{Component, Overlay, SubjectRecord, TransformationRecord, key};

/// Most links looked at in the search for a cycle. A confirmation is one statement: what it may
/// cost every validator must be bounded.
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
    state: &mut Overlay<'_>,
    author: Author<'_>,
    products: &BTreeSet<SubjectId>,
    parts: impl IntoIterator<Item = SubjectId>,
) -> Judgement {
    let mut open: Vec<Component> = parts.into_iter().map(Component::Subject).collect();
    let mut seen: BTreeSet<Component> = open.iter().copied().collect();
    let mut looked_at = 0;
    while let Some(component) = open.pop() {
        let mut follow = |state: &mut Overlay<'_>, inner: Component| {
            looked_at += 1;
            refuse_unless(looked_at <= SEARCH_MAX, Rule::LinkTooLarge)?;
            refuse_unless(state.search_one(author.member), Rule::SearchLater)?;
            if seen.insert(inner) {
                open.push(inner);
            }
            Ok::<(), RuleError>(())
        };
        match component {
            Component::Subject(id) => {
                refuse_unless(!products.contains(&id), Rule::LinkCycle)?;
                let subject = state.get::<SubjectRecord>(&key::subject(&id))?;
                for n in 0..subject.map_or(0, |subject| subject.components) {
                    if let Some(inner) = state.get(&key::component(&id, &n))? {
                        follow(state, inner)?;
                    }
                }
            }
            Component::Transformation(id) => {
                let record = state.get::<TransformationRecord>(&key::transformation(&id))?;
                let inputs = record.map_or_else(Vec::new, |record| record.inputs);
                for input in inputs.iter().filter(|input| input.confirmed_by.is_some()) {
                    follow(state, Component::Subject(input.subject))?;
                }
            }
        }
    }
    Ok(())
}
