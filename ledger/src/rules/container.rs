//! Things are put into containers and taken out again, and stay what they are.
//!
//! What the author has is in one container at a time. Of what is another's, the author's word is
//! recorded, and binds nobody.

use super::{Author, Judgement, Rule, RuleError, refuse_unless, subject};
use crate::id::SubjectId;
use crate::identifier::Identifier;
use crate::state::{MemberRecord, Overlay, PackedRecord, key};
use crate::statement::Statement;

/// Most containers inside one another.
const NESTED_MAX: usize = 64;

pub(super) fn put_in(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    children: &[Identifier],
) -> Judgement {
    let name = subject::named(statement)?;
    let container = subject::own(state, author, member, name, false)?;
    let id = name.subject_id();
    let around = around(state, author, &id)?;
    for child in children {
        let child_id = child.subject_id();
        let agreed = subject::author_has(state, author, member, child)?;
        let at = key::packed(&id, &child_id);
        let before = state.get::<PackedRecord>(&at)?;
        refuse_unless(
            before.is_none_or(|before| !before.inside),
            Rule::ContainerOnce,
        )?;
        if agreed {
            refuse_unless(outer(state, &child_id)?.is_none(), Rule::ContainerOnce)?;
            refuse_unless(!around.contains(&child_id), Rule::ContainerCycle)?;
            state.put(key::container(&child_id), &id);
        }
        let record = PackedRecord {
            statement: *author.statement,
            agreed,
            inside: true,
        };
        state.put(at, &record);
    }
    subject::append(state, author, name, container);
    Ok(())
}

pub(super) fn take_out(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    children: &[Identifier],
) -> Judgement {
    let (stream, container) = subject::spoken_of(state, author, statement)?;
    let has_container = subject::has(&container, author.member);
    let name = subject::named(statement)?;
    for child in children {
        // Whoever was handed a thing need not wait for whoever has its container.
        let may_take = has_container || subject::author_has(state, author, member, child)?;
        refuse_unless(may_take, Rule::ContainerHolder)?;
        let at = key::packed(&name.subject_id(), &child.subject_id());
        let packed = state.get::<PackedRecord>(&at)?;
        let Some(mut packed) = packed.filter(|packed| packed.inside) else {
            return Err(RuleError::Refused(Rule::ContainerKnown));
        };
        packed.inside = false;
        state.put(at, &packed);
    }
    subject::append_to(state, author, stream, name, container)
}

/// The container that something is in now, put there by who had it.
fn outer(state: &Overlay<'_>, id: &SubjectId) -> Result<Option<SubjectId>, RuleError> {
    let Some(container) = state.get::<SubjectId>(&key::container(id))? else {
        return Ok(None);
    };
    let packed = state.get::<PackedRecord>(&key::packed(&container, id))?;
    let holds = |packed: &PackedRecord| packed.inside && packed.agreed;
    Ok(packed.filter(holds).map(|_| container))
}

/// A container and all that it is in.
fn around(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    container: &SubjectId,
) -> Result<Vec<SubjectId>, RuleError> {
    let mut around = vec![*container];
    let mut next = outer(state, container)?;
    while let Some(one) = next {
        refuse_unless(around.len() < NESTED_MAX, Rule::ContainerCycle)?;
        refuse_unless(state.search_one(author.member), Rule::SearchLater)?;
        around.push(one);
        next = outer(state, &one)?;
    }
    Ok(around)
}
