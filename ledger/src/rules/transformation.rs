//! Things become others: melted, mixed, cut, assembled for good.
//!
//! What comes out is the author's. What goes in is the author's, or in its custody: then it is
//! confirmed at once and counted; or another's, whose company confirms or contests it.

use std::collections::BTreeSet;

use super::{Author, Judgement, Rule, RuleError, balance, inside, refuse_unless, subject};
use crate::id::{StatementId, SubjectId};
use crate::identifier::Identifier;
use crate::state::{Component, InputRecord, MemberRecord, Overlay, TransformationRecord, key};
use crate::statement::{Portion, Statement, Stream};

pub(super) fn transform(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    inputs: &[Portion],
    outputs: &[Portion],
) -> Judgement {
    let mut record = TransformationRecord {
        outputs: outputs
            .iter()
            .map(|output| output.of.subject_id())
            .collect(),
        inputs: Vec::with_capacity(inputs.len()),
    };
    for input in inputs {
        let has = subject::author_has(state, author, member, &input.of)?;
        record.inputs.push(InputRecord {
            subject: input.of.subject_id(),
            quantity: input.quantity.clone(),
            confirmed_by: has.then_some(*author.member),
            contested_by: None,
        });
    }
    let confirmed = record
        .inputs
        .iter()
        .filter(|input| input.confirmed_by.is_some());
    let outputs_set: BTreeSet<SubjectId> = record.outputs.iter().copied().collect();
    inside::refuse_any_of(
        state,
        author,
        &outputs_set,
        confirmed.clone().map(|input| input.subject),
    )?;
    for input in confirmed {
        balance::consume(state, &input.subject, input.quantity.as_ref())?;
    }
    for output in outputs {
        come_out(state, author, member, output, inputs.len())?;
    }
    state.put(key::transformation(author.statement), &record);
    Ok(())
}

/// One of the things that came out of what `inputs` things went into.
fn come_out(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    output: &Portion,
    inputs: usize,
) -> Judgement {
    let mut product = subject::own(state, author, member, &output.of, false)?;
    let id = output.of.subject_id();
    balance::produce(state, &id, output.quantity.as_ref())?;
    if inputs > 0 {
        let links = u32::try_from(inputs).ok();
        let links = links.and_then(|more| product.links.checked_add(more));
        product.links = links.ok_or(RuleError::Refused(Rule::LinkTooLarge))?;
        product.closed = false;
        inside::add(
            state,
            &mut product,
            &id,
            Component::Transformation(*author.statement),
        )?;
    }
    subject::append(state, author, &output.of, product);
    Ok(())
}

/// What an answer does to what went in: with the state, all that came out, and how it stands.
type Answer<'a> = &'a dyn Fn(&mut Overlay<'_>, &BTreeSet<SubjectId>, &mut InputRecord) -> Judgement;

pub(super) fn confirm(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    named: (&StatementId, &Identifier),
) -> Judgement {
    answer(state, author, statement, named, &|state, outputs, input| {
        inside::refuse_any_of(state, author, outputs, [input.subject])?;
        balance::consume(state, &input.subject, input.quantity.as_ref())?;
        input.confirmed_by = Some(*author.member);
        input.contested_by = None;
        Ok(())
    })
}

/// Denies that it went in; whoever denied it may still confirm it later.
pub(super) fn contest(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    named: (&StatementId, &Identifier),
) -> Judgement {
    answer(state, author, statement, named, &|_, _, input| {
        refuse_unless(input.contested_by.is_none(), Rule::LinkOnce)?;
        input.contested_by = Some(*author.member);
        Ok(())
    })
}

/// Answers for what went in, and appends the answer to a stream of each thing that came out, so that
/// each tells all of it.
fn answer(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    (transformation, input): (&StatementId, &Identifier),
    how: Answer<'_>,
) -> Judgement {
    let mut record = of(state, statement, transformation)?;
    let outputs: BTreeSet<SubjectId> = record.outputs.iter().copied().collect();
    how(
        state,
        &outputs,
        answerable(state, author, &mut record, input)?,
    )?;
    state.put(key::transformation(transformation), &record);
    for stream in &statement.streams {
        let Some(identifier) = stream.identifier() else {
            return Err(RuleError::Refused(Rule::SubjectKnown));
        };
        let product = subject::known(state, identifier)?;
        subject::may_speak(author, stream, &product)?;
        subject::append_to(state, author, stream, identifier, product)?;
    }
    Ok(())
}

/// The transformation, of which the statement names all that came out.
fn of(
    state: &Overlay<'_>,
    statement: &Statement,
    id: &StatementId,
) -> Result<TransformationRecord, RuleError> {
    let named = statement.streams.iter().filter_map(Stream::identifier);
    let named: Vec<SubjectId> = named.map(Identifier::subject_id).collect();
    state
        .get::<TransformationRecord>(&key::transformation(id))?
        .filter(|record| record.outputs == named)
        .ok_or(RuleError::Refused(Rule::TransformationKnown))
}

/// The input that its company may confirm or contest.
fn answerable<'r>(
    state: &Overlay<'_>,
    author: Author<'_>,
    record: &'r mut TransformationRecord,
    input: &Identifier,
) -> Result<&'r mut InputRecord, RuleError> {
    let id = input.subject_id();
    let found = record.inputs.iter_mut().find(|one| one.subject == id);
    let input = found.ok_or(RuleError::Refused(Rule::TransformationKnown))?;
    refuse_unless(input.confirmed_by.is_none(), Rule::LinkOnce)?;
    refuse_unless(
        subject::is_owner(state, &id, author.member)?,
        Rule::LinkConfirmer,
    )?;
    Ok(input)
}
