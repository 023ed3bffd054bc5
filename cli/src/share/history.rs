//! What both parties of a share said, in log order, judged by the rules.

use jangbu_ledger::block::Entry;
use jangbu_ledger::id::{Height, Sequence, StatementId, TimeMs};
use jangbu_ledger::sealed::SealedBody;
use jangbu_ledger::share::{Party, Share};
use jangbu_ledger::statement::Stream;

use super::stream::ShareStream;
use crate::client::recorded;
use crate::context::Context;
use crate::error::CliError;

/// Most steps of one party that are read.
const STEPS_MAX: u64 = 10_000;

/// Everything said so far.
#[derive(Debug)]
pub(super) struct History {
    /// In log order.
    pub(super) steps: Vec<Step>,
    /// What the steps that count add up to.
    pub(super) share: Share,
}

/// One statement of the stream.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) sequence: Sequence,
    pub(super) height: Height,
    pub(super) time_ms: TimeMs,
    pub(super) party: Party,
    /// The party's how-manieth, from 0.
    pub(super) slot: u64,
    pub(super) statement_id: StatementId,
    /// What it says; `None` if it does not open as a statement of this stream.
    pub(super) body: Option<SealedBody>,
    /// Why it does not count: the rule it breaks, and in words.
    pub(super) broken: Option<(&'static str, String)>,
}

impl History {
    /// The first slot that a party has not used.
    pub(super) fn next_slot(&self, party: Party) -> u64 {
        let used = self.steps.iter().filter(|step| step.party == party).count();
        used as u64
    }
}

/// Reads the slots of both parties and judges what they hold.
pub(super) fn read(ctx: &Context, stream: &ShareStream) -> Result<History, CliError> {
    let mut steps = slots_of(ctx, stream, Party::Provider)?;
    steps.append(&mut slots_of(ctx, stream, Party::Consumer)?);
    steps.sort_by_key(|step| step.sequence);
    Ok(judge(steps))
}

/// The used slots of one party, from 0 up to the first that is free.
fn slots_of(ctx: &Context, stream: &ShareStream, party: Party) -> Result<Vec<Step>, CliError> {
    let (client, chain) = (ctx.client()?, ctx.chain_id()?);
    let member = stream.member_of(party);
    let mut steps: Vec<Step> = Vec::new();
    for n in 0..STEPS_MAX {
        let slot = stream.key.slot(party, n);
        let answer = client.slot(&member, &slot)?;
        if !answer.used {
            return Ok(steps);
        }
        let lie = || CliError::unreachable("the node shows another entry than the slot's");
        let entry: Entry = answer.item.ok_or_else(lie)?.entry()?;
        let said = recorded(&entry)
            .filter(|said| said.member == member)
            .filter(|said| said.statement.streams == [Stream::Sealed(slot)])
            .ok_or_else(lie)?;
        let opened = stream.key.open(&said.statement);
        let mut step = Step {
            sequence: entry.sequence,
            height: entry.height,
            time_ms: entry.time_ms,
            party,
            slot: n,
            statement_id: said.statement.id(&chain, &member),
            broken: None,
            body: None,
        };
        match opened {
            Ok(body) if body.party == party => step.body = Some(body),
            Ok(_) => step.broken = Some(("share.order", "it speaks as the other party".into())),
            Err(error) => step.broken = Some(("share.order", error.to_string())),
        }
        // A slot counts only if those before it were filled before it.
        if steps
            .last()
            .is_some_and(|last| last.sequence > step.sequence)
        {
            step.broken = Some((
                "share.order",
                "it was said before the slot before it".into(),
            ));
        }
        steps.push(step);
    }
    Err(CliError::input(format!(
        "the share {:?} has more than {STEPS_MAX} steps of one party",
        stream.name
    )))
}

/// Judges steps in log order. One that breaks a rule does not count: it changes nothing.
fn judge(mut steps: Vec<Step>) -> History {
    let mut share = Share::default();
    for step in &mut steps {
        let Some(body) = step.body.as_ref().filter(|_| step.broken.is_none()) else {
            continue;
        };
        match share.after(step.party, body.step, body.ciphertext_root) {
            Ok(next) => share = next,
            Err(error) => step.broken = Some((error.rule(), error.to_string())),
        }
    }
    History { steps, share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jangbu_ledger::commitment::Commitment;
    use jangbu_ledger::share::{Negotiation, Step as Kind};

    fn step(sequence: u64, party: Party, kind: Kind) -> Step {
        Step {
            sequence: Sequence(sequence),
            height: Height(1),
            time_ms: TimeMs(0),
            party,
            slot: 0,
            statement_id: StatementId([0; 32]),
            body: Some(SealedBody {
                party,
                step: kind,
                occurrence: 0,
                document: Commitment::keyed([0; 32]),
                ciphertext_root: None,
                references: Vec::new(),
            }),
            broken: None,
        }
    }

    #[test]
    fn a_step_out_of_order_is_shown_and_does_not_count() {
        let history = judge(vec![
            step(1, Party::Consumer, Kind::Requested),
            step(2, Party::Consumer, Kind::Accepted),
            step(3, Party::Provider, Kind::Offered),
        ]);
        let broken: Vec<_> = history
            .steps
            .iter()
            .map(|step| step.broken.as_ref().map(|(rule, _)| *rule))
            .collect();
        assert_eq!(broken, [None, Some("share.order"), None]);
        assert_eq!(history.share.negotiation, Negotiation::Offered);
        assert_eq!(history.next_slot(Party::Consumer), 2);
        assert_eq!(history.next_slot(Party::Provider), 1);
    }
}
