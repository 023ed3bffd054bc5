//! What was said in a share, in log order, judged by the rules.

use jangbu_ledger::block::Entry;
use jangbu_ledger::id::{Height, MemberId, Sequence, StatementId, TimeMs};
use jangbu_ledger::sealed::{self, Filled, StreamKey};
use jangbu_ledger::share::{Covered, Deed, Party, Share};
use jangbu_ledger::statement::Stream;

use super::agreements::Agreements;
use super::open;
use super::stream::{Channel, ShareStream};
use crate::client::recorded;
use crate::context::Context;
use crate::error::CliError;

/// Most steps of one party that are read.
const STEPS_MAX: u64 = 10_000;

/// Everything said so far.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In log order.
    pub(super) steps: Vec<Step>,
    /// What the steps that count add up to.
    pub(super) share: Share,
}

/// One statement of the share.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) sequence: Sequence,
    pub(super) height: Height,
    pub(super) time_ms: TimeMs,
    pub(super) member: MemberId,
    /// `None` if it is no party's.
    pub(super) party: Option<Party>,
    /// The party's how-manieth, from 0, in a sealed share.
    pub(super) slot: Option<u64>,
    pub(super) statement_id: StatementId,
    /// What it says; `None` if it does not open as a statement of this share.
    pub(super) deed: Option<Deed>,
    pub(super) occurrence: u32,
    /// Why it does not count: the rule it breaks, and in words.
    pub(super) broken: Option<(&'static str, String)>,
    /// For a use: how it stood to each agreement it names.
    pub(super) covered: Vec<Covered>,
}

impl History {
    /// The first slot that a party has not used.
    pub(super) fn next_slot(&self, party: Party) -> u64 {
        let used = self
            .steps
            .iter()
            .filter(|step| step.party == Some(party))
            .count();
        used as u64
    }

    /// The last step of a kind that counts.
    pub(super) fn last(&self, wanted: impl Fn(&Deed) -> bool) -> Option<&Step> {
        self.steps
            .iter()
            .rev()
            .find(|step| step.broken.is_none() && step.deed.as_ref().is_some_and(&wanted))
    }
}

/// Reads what was said and judges it.
pub(super) fn read(ctx: &Context, stream: &ShareStream) -> Result<History, CliError> {
    match &stream.channel {
        Channel::Sealed(key) => sealed(ctx, stream, key),
        Channel::Open(identifier) => open::read(ctx, stream, identifier),
    }
}

fn sealed(ctx: &Context, stream: &ShareStream, key: &StreamKey) -> Result<History, CliError> {
    let provider = slots_of(ctx, stream, key, Party::Provider)?;
    let consumer = slots_of(ctx, stream, key, Party::Consumer)?;
    let filled = |entries: &[Entry]| -> Vec<Filled> {
        let statement = |entry: &Entry| {
            recorded(entry).map(|said| Filled {
                sequence: entry.sequence,
                statement: said.statement.clone(),
            })
        };
        entries.iter().filter_map(statement).collect()
    };
    // Agreements that a use may name beside its own: those in the open. What cannot be read is
    // unknown. Only the consumer's uses need an agreement.
    let (others, own) = (
        Agreements::in_the_open(ctx),
        stream.member_of(Party::Consumer),
    );
    let judged =
        sealed::History::judge(key, &filled(&provider), &filled(&consumer), &|input, at| {
            others.at(input, (at, &own)).ok()?
        });
    let chain = ctx.chain_id()?;
    let steps = judged.steps.into_iter().filter_map(|step| {
        let entries = match step.party {
            Party::Provider => &provider,
            Party::Consumer => &consumer,
        };
        let entry = entries.get(usize::try_from(step.slot).ok()?)?;
        let said = recorded(entry)?;
        Some(Step {
            sequence: entry.sequence,
            height: entry.height,
            time_ms: entry.time_ms,
            member: said.member,
            party: Some(step.party),
            slot: Some(step.slot),
            statement_id: said.statement.id(&chain, &said.member),
            occurrence: step.body.as_ref().map_or(0, |body| body.occurrence),
            deed: step.body.map(|body| body.deed),
            broken: step
                .broken
                .map(|broken| (broken.rule().id(), broken.to_string())),
            covered: step.covered,
        })
    });
    Ok(History {
        steps: steps.collect(),
        share: judged.share,
    })
}

/// The used slots of one party, from 0 up to the first that is free.
fn slots_of(
    ctx: &Context,
    stream: &ShareStream,
    key: &StreamKey,
    party: Party,
) -> Result<Vec<Entry>, CliError> {
    let client = ctx.client()?;
    let member = stream.member_of(party);
    let mut entries = Vec::new();
    for n in 0..STEPS_MAX {
        let slot = key.slot(party, n);
        let answer = client.slot(&member, &slot)?;
        if !answer.used {
            return Ok(entries);
        }
        let lie = || CliError::unreachable("the node shows another entry than the slot's");
        let entry: Entry = answer.item.ok_or_else(lie)?.entry()?;
        recorded(&entry)
            .filter(|said| said.member == member)
            .filter(|said| said.statement.streams == [Stream::Sealed(slot)])
            .ok_or_else(lie)?;
        entries.push(entry);
    }
    Err(CliError::input(format!(
        "the share {:?} has more than {STEPS_MAX} steps of one party",
        stream.name
    )))
}
