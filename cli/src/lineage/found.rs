//! The uses that lead from a thing to its sources, or on to what was made from it.

use std::collections::{BTreeSet, VecDeque};

use jangbu_ledger::id::MemberId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::lineage::{Agreement, Direction, Known, Lineage, Source, Terms, Use, made};
use jangbu_ledger::share::{Deed, Input};
use jangbu_ledger::statement::Kind;

use crate::client::recorded;
use crate::context::Context;
use crate::error::CliError;
use crate::list::use_pages;
use crate::share::{Agreements, RecordedUse};

/// Most uses that are followed.
const USES_MAX: usize = 10_000;
/// Most uses of one thing that are read.
const USES_OF_ONE_MAX: usize = 10_000;

/// Follows uses from a thing.
///
/// # Errors
///
/// [`CliError`] if a share of the vault cannot be read, or no node answers.
pub(super) fn find(
    ctx: &Context,
    (root, direction): (&Identifier, Direction),
    depth: Option<u32>,
    agreements: &Agreements<'_>,
) -> Result<Lineage, CliError> {
    let mut lineage = Lineage {
        root: root.clone(),
        direction,
        uses: Vec::new(),
        made: Vec::new(),
        not_followed: Vec::new(),
        truncated: false,
    };
    let mut seen = BTreeSet::from([root.clone()]);
    let mut followed = BTreeSet::new();
    let mut open = VecDeque::from([(root.clone(), 0u32)]);
    while let Some((thing, level)) = open.pop_front() {
        if depth.is_some_and(|max| level >= max) {
            lineage.not_followed.push(thing);
            continue;
        }
        let (uses, all) = uses_of(ctx, agreements, &thing, direction)?;
        lineage.truncated |= !all;
        for used in uses {
            if !followed.insert(used.statement_id) {
                continue;
            }
            if lineage.uses.len() >= USES_MAX {
                lineage.truncated = true;
                break;
            }
            for thing in direction.leads_to(&used.usage) {
                if seen.insert(thing.clone()) {
                    open.push_back((thing.clone(), level + 1));
                }
            }
            lineage.uses.push(shown(ctx, agreements, &used)?);
        }
    }
    lineage.truncated |= !lineage.not_followed.is_empty();
    if direction == Direction::Forward {
        lineage.made = made(&lineage.root, &lineage.uses);
    }
    Ok(lineage)
}

/// The uses that made a thing, or that it went into, in log order; and whether these are all.
fn uses_of(
    ctx: &Context,
    agreements: &Agreements<'_>,
    thing: &Identifier,
    direction: Direction,
) -> Result<(Vec<RecordedUse>, bool), CliError> {
    let concerns = |used: &RecordedUse| direction.side().of(&used.usage).contains(thing);
    let sealed = agreements.sealed_uses().iter().cloned();
    let mut uses: Vec<RecordedUse> = sealed.filter(concerns).collect();
    let (chain, mut all) = (ctx.chain_id()?, true);
    for (n, item) in use_pages(ctx.client()?, thing).enumerate() {
        if n == USES_OF_ONE_MAX {
            all = false;
            break;
        }
        let entry = item?.entry()?;
        let Some(said) = recorded(&entry) else {
            continue;
        };
        let (Kind::ShareStep { deed, .. }, Some(share)) =
            (&said.statement.kind, said.statement.subject())
        else {
            continue;
        };
        if let Deed::Used(usage) = deed.as_ref() {
            let used = RecordedUse {
                statement_id: said.statement.id(&chain, &said.member),
                sequence: entry.sequence,
                height: entry.height,
                time_ms: entry.time_ms,
                by: said.member,
                share: share.clone(),
                sealed: false,
                usage: usage.clone(),
            };
            if concerns(&used) {
                uses.push(used);
            }
        }
    }
    uses.sort_by_key(|used| used.sequence);
    Ok((uses, all))
}

/// A use, with how each of its inputs stood and stands.
fn shown(ctx: &Context, agreements: &Agreements<'_>, used: &RecordedUse) -> Result<Use, CliError> {
    let usage = &used.usage;
    let sources = usage.inputs.iter();
    let sources = sources.map(|input| source(ctx, agreements, used, input));
    Ok(Use {
        statement_id: used.statement_id,
        sequence: used.sequence,
        height: used.height,
        time_ms: used.time_ms,
        member: used.by,
        by: ctx.anchor()?.name_of(&used.by),
        share: used.share.clone(),
        sealed: used.sealed,
        activity: usage.activity.clone(),
        codes: usage.codes.clone(),
        code: usage.code,
        environment: usage.environment,
        sources: sources.collect::<Result<_, _>>()?,
        outputs: usage.outputs.clone(),
    })
}

fn source(
    ctx: &Context,
    agreements: &Agreements<'_>,
    used: &RecordedUse,
    input: &Input,
) -> Result<Source, CliError> {
    let anchor = ctx.anchor()?;
    let name = |member: &MemberId| anchor.name_of(member);
    let then = agreements.covered(&used.usage, input, (used.sequence, &used.by))?;
    let (mut agreement, mut terms) = (None, None);
    if let Some(identifier) = &input.agreement {
        let read = agreements.get(identifier)?;
        let known = read.map(|read| {
            terms = Terms::before(&read.course, used.sequence, name);
            Known::of(&read.course, read.name.clone(), read.sealed, name)
        });
        agreement = Some(Agreement {
            identifier: identifier.clone(),
            known,
        });
    }
    Ok(Source {
        data: input.data.clone(),
        part: input.part.clone(),
        agreement,
        permitted: !then.is_flagged(),
        then,
        terms,
    })
}
