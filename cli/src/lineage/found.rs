//! The uses that lead from a thing to its sources, or on to what was made from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jangbu_ledger::id::{Height, Sequence, StatementId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::table::Phase;
use jangbu_ledger::share::{Contract, Covered, Deed, Fingerprint, Input, Output, Part, UseCode};
use jangbu_ledger::statement::Kind;
use serde::Serialize;

use crate::client::recorded;
use crate::context::Context;
use crate::error::CliError;
use crate::list::use_pages;
use crate::share::{Agreements, RecordedUse};
use crate::view::rfc3339;

/// Most uses that are followed.
const USES_MAX: usize = 10_000;
/// Most uses of one thing that are read.
const USES_OF_ONE_MAX: usize = 10_000;

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// To what it was made from.
    Back,
    /// To what was made from it.
    Forward,
}

/// Where something comes from, or what came of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Lineage {
    pub(super) root: Identifier,
    pub(super) direction: Direction,
    /// Nearest first, then in log order.
    pub(super) uses: Vec<Use>,
    /// Forward only: what was made, and whether it still stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) made: Vec<Made>,
    /// A bound left something out.
    pub(super) truncated: bool,
}

/// A recorded use, as far as it is known here.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Use {
    pub(super) statement_id: StatementId,
    pub(super) sequence: Sequence,
    pub(super) height: Height,
    pub(super) time: String,
    pub(super) by: String,
    /// The share that it is recorded in.
    pub(super) share: Identifier,
    /// Whether only the parties of that share know.
    pub(super) sealed: bool,
    pub(super) activity: UseCode,
    pub(super) codes: Vec<UseCode>,
    pub(super) code: Option<Fingerprint>,
    pub(super) environment: Option<Fingerprint>,
    pub(super) sources: Vec<Source>,
    pub(super) outputs: Vec<Output>,
}

/// What went in, and how it stood and stands.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Source {
    pub(super) data: Identifier,
    /// What of it, if not all.
    pub(super) part: Option<Part>,
    /// The agreement that it came under; none for data without one.
    pub(super) agreement: Option<Agreement>,
    /// Whether that permitted the use at the height it was recorded.
    pub(super) permitted: bool,
    /// Why, or why not.
    pub(super) then: Covered,
}

/// An agreement as it is now.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Agreement {
    pub(super) identifier: Identifier,
    /// Nothing more is known of an agreement that nobody reads here.
    #[serde(flatten)]
    pub(super) known: Option<Known>,
}

/// What is known of an agreement.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Known {
    /// What its parties call it.
    pub(super) name: String,
    pub(super) provider: String,
    pub(super) consumer: String,
    pub(super) sealed: bool,
    pub(super) contract: Contract,
    /// Whether it still stands.
    pub(super) in_force: bool,
    /// When somebody ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<Height>,
    pub(super) permits: Vec<UseCode>,
}

/// Something that was made from the root, near or far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Made {
    pub(super) identifier: Identifier,
    pub(super) standing: Standing,
    pub(super) because: Vec<String>,
}

/// Whether something stands on agreements that permit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// It does.
    Stands,
    /// An agreement cannot be read here.
    Unknown,
    /// An agreement ended since, or never covered it: it is to be made again without that data.
    Retrain,
}

impl Lineage {
    /// Follows uses from a thing.
    ///
    /// # Errors
    ///
    /// [`CliError`] if a share of the vault cannot be read, or no node answers.
    pub(super) fn find(
        ctx: &Context,
        root: &Identifier,
        direction: Direction,
        agreements: &Agreements<'_>,
    ) -> Result<Self, CliError> {
        let mut lineage = Self {
            root: root.clone(),
            direction,
            uses: Vec::new(),
            made: Vec::new(),
            truncated: false,
        };
        let mut seen = BTreeSet::from([root.clone()]);
        let mut followed = BTreeSet::new();
        let mut open = VecDeque::from([root.clone()]);
        while let Some(thing) = open.pop_front() {
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
                let next: Vec<&Identifier> = match direction {
                    Direction::Back => used.usage.inputs.iter().map(|i| &i.data).collect(),
                    Direction::Forward => used.usage.outputs.iter().map(|o| &o.made).collect(),
                };
                for thing in next {
                    if seen.insert(thing.clone()) {
                        open.push_back(thing.clone());
                    }
                }
                lineage.uses.push(Use::of(ctx, agreements, &used)?);
            }
        }
        if direction == Direction::Forward {
            lineage.made = made(&lineage.root, &lineage.uses);
        }
        Ok(lineage)
    }
}

/// The uses that made a thing, or that it went into, in log order; and whether these are all.
fn uses_of(
    ctx: &Context,
    agreements: &Agreements<'_>,
    thing: &Identifier,
    direction: Direction,
) -> Result<(Vec<RecordedUse>, bool), CliError> {
    let concerns = |used: &RecordedUse| {
        let usage = &used.usage;
        match direction {
            Direction::Back => usage.outputs.iter().any(|output| output.made == *thing),
            Direction::Forward => usage.inputs.iter().any(|input| went_in(input, thing)),
        }
    };
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

fn went_in(input: &Input, thing: &Identifier) -> bool {
    input.data == *thing || input.agreement.as_ref() == Some(thing)
}

impl Use {
    fn of(
        ctx: &Context,
        agreements: &Agreements<'_>,
        used: &RecordedUse,
    ) -> Result<Self, CliError> {
        let source = |input: &Input| {
            let then = agreements.covered(&used.usage, input, (used.sequence, &used.by))?;
            let agreement = input.agreement.as_ref();
            let agreement = agreement.map(|name| Agreement::of(ctx, agreements, name));
            Ok::<_, CliError>(Source {
                data: input.data.clone(),
                part: input.part.clone(),
                agreement: agreement.transpose()?,
                permitted: !then.is_flagged(),
                then,
            })
        };
        let usage = &used.usage;
        Ok(Self {
            statement_id: used.statement_id,
            sequence: used.sequence,
            height: used.height,
            time: rfc3339(used.time_ms),
            by: ctx.anchor()?.name_of(&used.by),
            share: used.share.clone(),
            sealed: used.sealed,
            activity: usage.activity.clone(),
            codes: usage.codes.clone(),
            code: usage.code,
            environment: usage.environment,
            sources: usage.inputs.iter().map(source).collect::<Result<_, _>>()?,
            outputs: usage.outputs.clone(),
        })
    }
}

impl Agreement {
    fn of(
        ctx: &Context,
        agreements: &Agreements<'_>,
        identifier: &Identifier,
    ) -> Result<Self, CliError> {
        let known = agreements.get(identifier)?.map(|agreement| {
            let now = agreement.now();
            Ok::<_, CliError>(Known {
                name: agreement.name.clone(),
                provider: ctx.anchor()?.name_of(&agreement.provider),
                consumer: ctx.anchor()?.name_of(&agreement.consumer),
                sealed: agreement.sealed,
                contract: now.stand.contract,
                in_force: now.stand.contract.phase() == Phase::InForce,
                ended_at: agreement.ended_at(),
                permits: now.permits,
            })
        });
        Ok(Self {
            identifier: identifier.clone(),
            known: known.transpose()?,
        })
    }
}

/// What was made, in the order of the uses, and what of it to make again: what an input of this
/// lineage gives a reason for, and what was made from such a thing.
pub(super) fn made(root: &Identifier, uses: &[Use]) -> Vec<Made> {
    let mut order = Vec::new();
    let mut reasons: BTreeMap<&Identifier, BTreeSet<(Standing, String)>> = BTreeMap::new();
    for output in uses.iter().flat_map(|used| &used.outputs) {
        if reasons.insert(&output.made, BTreeSet::new()).is_none() {
            order.push(&output.made);
        }
    }
    // A use may be recorded before the one that its input came from: until nothing changes.
    loop {
        let mut more = false;
        for used in uses {
            let because: BTreeSet<_> = used
                .sources
                .iter()
                .filter_map(|source| {
                    let before = reasons.get(&source.data);
                    let under = source.agreement.as_ref();
                    let concerned = before.is_some()
                        || source.data == *root
                        || under.is_some_and(|under| under.identifier == *root);
                    let inherited = before.and_then(|reasons| reasons.last()).map(|(worst, _)| {
                        (*worst, format!("{} does not stand itself", source.data))
                    });
                    concerned.then(|| source.trouble().or(inherited))?
                })
                .collect();
            for output in &used.outputs {
                if let Some(known) = reasons.get_mut(&output.made) {
                    let before = known.len();
                    known.extend(because.iter().cloned());
                    more |= known.len() > before;
                }
            }
        }
        if !more {
            break;
        }
    }
    let entry = |identifier: &Identifier| {
        let reasons = reasons.remove(identifier)?;
        let worst = reasons.last().map(|(standing, _)| *standing);
        Some(Made {
            identifier: identifier.clone(),
            standing: worst.unwrap_or(Standing::Stands),
            because: reasons.into_iter().map(|(_, reason)| reason).collect(),
        })
    };
    order.into_iter().filter_map(entry).collect()
}

impl Source {
    /// Why what was made from it may not stand on it any more.
    fn trouble(&self) -> Option<(Standing, String)> {
        let known = self
            .agreement
            .as_ref()
            .and_then(|agreement| agreement.known.as_ref());
        if let Some((known, height)) = known.and_then(|known| Some((known, known.ended_at?))) {
            let reason = format!(
                "the agreement {} about {} ended in block {height}",
                known.name, self.data
            );
            return Some((Standing::Retrain, reason));
        }
        let standing = match self.then {
            Covered::Permitted => return None,
            Covered::Unknown => Standing::Unknown,
            _ => Standing::Retrain,
        };
        let reason = format!("{}, when it was used: {}", self.data, self.then.words());
        Some((standing, reason))
    }
}
