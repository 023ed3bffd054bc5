//! Responsibility for a product, and the product itself, go from company to company: one offers,
//! the other accepts.
//!
//! ```text
//!   offered ──▶ accepted
//!      └──────▶ ended, by either side
//! ```

use super::passport::living;
use super::{Author, Judgement, Rule, RuleError, refuse_unless, subject};
use crate::id::{MemberId, StatementId};
use crate::passport::LifeStep;
use crate::state::{HandoverRecord, MemberRecord, Overlay, Role, key};
use crate::statement::{Handed, Statement};

pub(super) fn offer(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    member: &MemberRecord,
    statement: &Statement,
    of: Handed,
    to: &MemberId,
) -> Judgement {
    let (stream, mut product) = subject::spoken_of(state, author, statement)?;
    let holds = match of {
        Handed::Responsibility => product.owner == *author.member,
        Handed::Custody => subject::has(&product, author.member),
    };
    refuse_unless(holds, Rule::HandoverHolder)?;
    if of == Handed::Responsibility {
        // Nobody takes on a passport that may not be relied on.
        product = living(state, author, member, statement, LifeStep::Relate)?.subject;
    }
    let has_it = match of {
        Handed::Responsibility => product.owner,
        Handed::Custody => product.custodian.unwrap_or(product.owner),
    };
    let receiver = state.get::<MemberRecord>(&key::member(to))?;
    let receives = receiver.is_some_and(|to| matches!(to.role, Role::Operator | Role::Participant));
    refuse_unless(receives && has_it != *to, Rule::HandoverReceiver)?;

    let identifier = subject::named(statement)?;
    let last = key::last_offer(&identifier.subject_id(), &of);
    if let Some(before) = state.get::<StatementId>(&last)? {
        let open = state
            .get::<HandoverRecord>(&key::handover(&before))?
            .is_some_and(|offer| offer.open);
        refuse_unless(!open, Rule::HandoverPending)?;
    }
    let record = HandoverRecord {
        subject: identifier.subject_id(),
        of,
        from: *author.member,
        to: *to,
        open: true,
    };
    state.put(key::handover(author.statement), &record);
    state.put(last, author.statement);
    subject::append_to(state, author, stream, identifier, product)
}

pub(super) fn accept(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    offer: &StatementId,
) -> Judgement {
    let (stream, mut product) = subject::spoken_of(state, author, statement)?;
    let mut record = answerable(state, statement, offer, |record| {
        record.to == *author.member
    })?;
    // Responsibility may have changed hands while custody was on offer.
    let still_held = match record.of {
        Handed::Responsibility => product.owner == record.from,
        Handed::Custody => subject::has(&product, &record.from),
    };
    refuse_unless(still_held, Rule::HandoverHolder)?;
    record.open = false;
    state.put(key::handover(offer), &record);
    let identifier = subject::named(statement)?;
    // Said by someone who was not responsible when it was said: it stays where it was said.
    subject::append_to(state, author, stream, identifier, product.clone())?;
    if let Some(written) = subject::find(state, identifier)? {
        product = written;
    }
    match record.of {
        Handed::Responsibility => {
            // Whoever had it goes on having it.
            if product.custodian.is_none() {
                product.custodian = Some(product.owner);
            }
            product.owner = record.to;
        }
        Handed::Custody => product.custodian = Some(record.to),
    }
    product.custodian = product.custodian.filter(|holder| *holder != product.owner);
    state.put(key::subject(&record.subject), &product);
    Ok(())
}

pub(super) fn end(
    state: &mut Overlay<'_>,
    author: Author<'_>,
    statement: &Statement,
    offer: &StatementId,
) -> Judgement {
    let (stream, product) = subject::spoken_of(state, author, statement)?;
    let mut record = answerable(state, statement, offer, |record| {
        [record.from, record.to].contains(author.member)
    })?;
    record.open = false;
    state.put(key::handover(offer), &record);
    subject::append_to(state, author, stream, subject::named(statement)?, product)
}

/// The open offer of the statement's product, if the author may answer it.
fn answerable(
    state: &Overlay<'_>,
    statement: &Statement,
    offer: &StatementId,
    may: impl Fn(&HandoverRecord) -> bool,
) -> Result<HandoverRecord, RuleError> {
    let subject = subject::named(statement)?.subject_id();
    state
        .get::<HandoverRecord>(&key::handover(offer))?
        .filter(|record| record.open && record.subject == subject && may(record))
        .ok_or(RuleError::Refused(Rule::HandoverKnown))
}
