//! What a product is made of: asserted by its company, confirmed by the component's.

use std::collections::BTreeSet;

use super::{Author, Judgement, Rule, RuleError, balance, inside, refuse_unless, subject};
use crate::id::{StatementId, SubjectId};
use crate::identifier::Identifier;
use crate::state::{Component, LinkRecord, MemberRecord, Overlay, SubjectRecord, key};
use crate::statement::{Quantity, Statement};

/// `built_in`: how much of the component, when stated and not only planned.
pub(super) fn link(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    (child, built_in): (&Identifier, Option<&Quantity>),
) -> Judgement {
    let parent = subject::named(statement)?;
    let mut product = subject::own(state, author, member, parent, false)?;
    let (parent_id, child_id) = (parent.subject_id(), child.subject_id());
    let own_component = subject::is_author_s(state, author, member, child)?;
    let confirmed_by = own_component.then_some(*author.member);
    if own_component {
        join(state, author, &mut product, parent_id, child_id)?;
        balance::consume(state, &child_id, built_in)?;
    }
    let Some(links) = product.links.checked_add(1) else {
        return Err(RuleError::Refused(Rule::LinkTooLarge));
    };
    product.links = links;
    product.closed = false;
    state.put(
        key::link(author.statement),
        &LinkRecord {
            parent: parent_id,
            child: child_id,
            built_in: built_in.cloned(),
            confirmed_by,
            contested_by: None,
        },
    );
    subject::append(state, author, parent, product);
    Ok(())
}

pub(super) fn confirm(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    link_id: &StatementId,
) -> Judgement {
    let (parent, mut link) = answerable(state, author, statement, link_id)?;
    let mut product = subject::known(state, parent)?;
    join(state, author, &mut product, link.parent, link.child)?;
    state.put(key::subject(&link.parent), &product);
    balance::consume(state, &link.child, link.built_in.as_ref())?;
    link.confirmed_by = Some(*author.member);
    link.contested_by = None;
    state.put(key::link(link_id), &link);
    subject::append_claim(state, author, parent)
}

/// Denies an asserted link; whoever denied it may still confirm it later.
pub(super) fn contest(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    link_id: &StatementId,
) -> Judgement {
    let (parent, mut link) = answerable(state, author, statement, link_id)?;
    refuse_unless(link.contested_by.is_none(), Rule::LinkOnce)?;
    link.contested_by = Some(*author.member);
    state.put(key::link(link_id), &link);
    subject::append_claim(state, author, parent)
}

/// States that all components are linked: so many.
pub(super) fn close(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    links: u32,
) -> Judgement {
    let identifier = subject::named(statement)?;
    let mut product = subject::known(state, identifier)?;
    refuse_unless(product.owner == *author.member, Rule::SubjectOwner)?;
    refuse_unless(product.links == links, Rule::CompositionCount)?;
    product.closed = true;
    subject::append(state, author, identifier, product);
    Ok(())
}

/// The link that the component's company may confirm or contest, with its product.
fn answerable<'s>(
    state: &Overlay<'_>,
    author: Author<'_>,
    statement: &'s Statement,
    link_id: &StatementId,
) -> Result<(&'s Identifier, LinkRecord), RuleError> {
    let parent = subject::named(statement)?;
    let link = state
        .get::<LinkRecord>(&key::link(link_id))?
        .filter(|link| link.parent == parent.subject_id());
    let Some(link) = link else {
        return Err(RuleError::Refused(Rule::LinkKnown));
    };
    refuse_unless(link.confirmed_by.is_none(), Rule::LinkOnce)?;
    refuse_unless(
        subject::is_owner(state, &link.child, author.member)?,
        Rule::LinkConfirmer,
    )?;
    Ok((parent, link))
}

/// Adds a confirmed component, unless the product is already somewhere inside it.
fn join(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    product: &mut SubjectRecord,
    parent: SubjectId,
    child: SubjectId,
) -> Judgement {
    inside::refuse_any_of(state, author, &BTreeSet::from([parent]), [child])?;
    inside::add(state, product, &parent, Component::Subject(child))
}
