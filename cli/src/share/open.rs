//! Shares in the open: steps in the streams of an identifier, judged by validators and here again.

use jangbu_ledger::block::Entry;
use jangbu_ledger::id::MemberId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Course, Deed, Party, Sender, Spoken};
use jangbu_ledger::state::Role;
use jangbu_ledger::statement::{Kind, Statement};

use super::agreements::Agreements;
use super::history::{History, Step};
use super::stream::ShareStream;
use crate::client::{Side, recorded};
use crate::context::Context;
use crate::error::CliError;
use crate::list::stream_pages;

/// Most statements about one share that are read.
const STATEMENTS_MAX: usize = 50_000;

/// A step in the open, and where it stands.
struct Said {
    entry: Entry,
    member: MemberId,
    with: MemberId,
    deed: Deed,
    occurrence: u32,
}

/// Who shares with whom under an identifier: provider and consumer; `None` if nobody does.
pub(super) fn parties(
    ctx: &Context,
    identifier: &Identifier,
) -> Result<Option<(MemberId, MemberId)>, CliError> {
    Ok(opened(&said(ctx, identifier)?))
}

/// Reads and judges what was said.
pub(super) fn read(
    ctx: &Context,
    stream: &ShareStream,
    identifier: &Identifier,
) -> Result<History, CliError> {
    let chain = ctx.chain_id()?;
    let (provider, consumer) = (
        stream.member_of(Party::Provider),
        stream.member_of(Party::Consumer),
    );
    let agreements = Agreements::in_the_open(ctx);
    let mut history = History::default();
    for said in said(ctx, identifier)? {
        let Some(recorded) = recorded(&said.entry) else {
            continue;
        };
        let (by, party) = sender(ctx, &said.member, provider, consumer)?;
        let broken = match history.share.after(by, &said.deed) {
            Ok(next) => {
                history.share = next;
                None
            }
            // Validators refuse such a step: whoever shows one shows no entry of this ledger.
            Err(error) => Some((error.rule().id(), error.to_string())),
        };
        let covered = match &said.deed {
            Deed::Used(usage) => {
                let place = (said.entry.sequence, &said.member);
                let inputs = usage.inputs.iter();
                inputs
                    .map(|input| agreements.covered(usage, input, place))
                    .collect::<Result<_, _>>()?
            }
            _ => Vec::new(),
        };
        history.steps.push(Step {
            sequence: said.entry.sequence,
            height: said.entry.height,
            time_ms: said.entry.time_ms,
            member: said.member,
            party,
            slot: None,
            statement_id: recorded.statement.id(&chain, &said.member),
            deed: Some(said.deed),
            occurrence: said.occurrence,
            broken,
            covered,
        });
    }
    Ok(history)
}

/// Whether data lies under a prefix of the member's.
pub(super) fn owns(ctx: &Context, member: &MemberId, data: &Identifier) -> Result<bool, CliError> {
    let known = ctx.anchor()?.member(member);
    Ok(known.is_some_and(|member| {
        let mut prefixes = member.prefixes.iter();
        prefixes.any(|prefix| data.required_prefix_matches(prefix))
    }))
}

/// The course of an open share; `None` if there is none of this name.
pub(super) fn course(ctx: &Context, identifier: &Identifier) -> Result<Option<Course>, CliError> {
    let (chain, anchor) = (ctx.chain_id()?, ctx.anchor()?);
    let said = said(ctx, identifier)?;
    let spoken = said.iter().filter_map(|said| {
        let statement = &recorded(&said.entry)?.statement;
        Some(Spoken {
            statement_id: statement.id(&chain, &said.member),
            sequence: said.entry.sequence,
            height: said.entry.height,
            member: said.member,
            statement,
        })
    });
    let arbiter = |member: &MemberId| {
        let known = anchor.member(member);
        known.is_some_and(|member| Role::from(member.role).settles_disputes())
    };
    Ok(Course::of(spoken, arbiter))
}

fn sender(
    ctx: &Context,
    member: &MemberId,
    provider: MemberId,
    consumer: MemberId,
) -> Result<(Sender, Option<Party>), CliError> {
    let party = Party::among(member, &provider, &consumer);
    let known = ctx.anchor()?.member(member);
    let settles = known.is_some_and(|member| Role::from(member.role).settles_disputes());
    Ok((Sender::of(party, settles), party))
}

/// Provider and consumer, as the first step names them.
fn opened(said: &[Said]) -> Option<(MemberId, MemberId)> {
    let first = said.first()?;
    match first.deed {
        Deed::Requested => Some((first.with, first.member)),
        Deed::Offered { .. } => Some((first.member, first.with)),
        _ => None,
    }
}

/// The steps in both streams of an identifier, in log order.
fn said(ctx: &Context, identifier: &Identifier) -> Result<Vec<Said>, CliError> {
    let client = ctx.client()?;
    let mut all = Vec::new();
    for side in [Side::Open, Side::Claims] {
        for (n, item) in stream_pages(client, identifier, side, None, None).enumerate() {
            if n == STATEMENTS_MAX {
                return Err(CliError::input(format!(
                    "more than {STATEMENTS_MAX} statements about {identifier}: what is said in the share is \
                     not all read"
                )));
            }
            let entry = item?.entry()?;
            let Some(recorded) = recorded(&entry) else {
                continue;
            };
            if let Statement {
                kind: Kind::ShareStep { with, deed },
                occurrence,
                ..
            } = &recorded.statement
                && recorded.statement.subject() == Some(identifier)
            {
                all.push(Said {
                    member: recorded.member,
                    with: *with,
                    deed: deed.as_ref().clone(),
                    occurrence: *occurrence,
                    entry,
                });
            }
        }
    }
    all.sort_by_key(|said| said.entry.sequence);
    Ok(all)
}
