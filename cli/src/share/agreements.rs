//! The agreements that uses name, as they were and as they are: those in the open, and the sealed
//! ones that this vault has keys of, or that were granted; and the uses that sealed ones record.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use jangbu_ledger::id::{Height, MemberId, Sequence, StatementId, TimeMs};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::share::{Course, Covered, Deed, Input, Party, Share, Taken, Usage, User};

use super::history::{self, History};
use super::stream::{Channel, Named, ShareStream};
use super::{grant, open};
use crate::context::Context;
use crate::error::CliError;

/// A use that is recorded.
#[derive(Debug, Clone)]
pub(crate) struct RecordedUse {
    pub(crate) statement_id: StatementId,
    pub(crate) sequence: Sequence,
    pub(crate) height: Height,
    pub(crate) time_ms: TimeMs,
    pub(crate) by: MemberId,
    /// In whose share; known to the parties alone if that is sealed.
    pub(crate) share: Identifier,
    pub(crate) sealed: bool,
    pub(crate) usage: Usage,
}

/// An agreement that can be read.
#[derive(Debug)]
pub(crate) struct Agreement {
    /// What its parties call it.
    pub(crate) name: String,
    pub(crate) sealed: bool,
    pub(crate) course: Course,
}

/// Looks agreements up, each once.
pub(crate) struct Agreements<'a> {
    ctx: &'a Context,
    sealed: BTreeMap<Identifier, Rc<Agreement>>,
    uses: Vec<RecordedUse>,
    open: RefCell<BTreeMap<Identifier, Option<Rc<Agreement>>>>,
}

impl Agreement {
    fn sealed(stream: &ShareStream, history: &History) -> Self {
        let member = |party| stream.member_of(party);
        let mut course = Course::new(member(Party::Provider), member(Party::Consumer));
        let counting = history.steps.iter().filter(|step| step.broken.is_none());
        for step in counting {
            if let (Some(party), Some(deed)) = (step.party, &step.deed) {
                course.take(Taken {
                    statement_id: step.statement_id,
                    sequence: step.sequence,
                    height: step.height,
                    member: step.member,
                    by: party.into(),
                    deed: deed.clone(),
                });
            }
        }
        Self {
            name: stream.name.clone(),
            sealed: true,
            course,
        }
    }
}

impl<'a> Agreements<'a> {
    /// Knows those in the open only.
    pub(super) fn in_the_open(ctx: &'a Context) -> Self {
        Self {
            ctx,
            sealed: BTreeMap::new(),
            uses: Vec::new(),
            open: RefCell::default(),
        }
    }

    /// Reads the sealed shares of the vault, if they are to count, and those that files grant.
    ///
    /// # Errors
    ///
    /// [`CliError`] if one cannot be read: what is missing would be missed.
    pub(crate) fn read(
        ctx: &'a Context,
        with_vault: bool,
        granted: &[PathBuf],
    ) -> Result<Self, CliError> {
        let mut known = Self::in_the_open(ctx);
        for file in granted {
            known.add(&grant::opened(ctx, file)?.0)?;
        }
        if !with_vault {
            return Ok(known);
        }
        for name in ctx.vault()?.streams()? {
            let named = Named {
                name: &name,
                with: None,
                role: None,
                open: false,
            };
            let stream = ShareStream::find(ctx, named)?;
            if matches!(stream.channel, Channel::Sealed(_)) {
                known.add(&stream)?;
            }
        }
        Ok(known)
    }

    /// Adds a sealed share.
    fn add(&mut self, stream: &ShareStream) -> Result<(), CliError> {
        let history = history::read(self.ctx, stream)?;
        self.uses.extend(uses(stream, &history));
        let agreement = Agreement::sealed(stream, &history);
        self.sealed.insert(stream.subject(), Rc::new(agreement));
        Ok(())
    }

    /// The uses that sealed shares of the vault record.
    pub(crate) fn sealed_uses(&self) -> &[RecordedUse] {
        &self.uses
    }

    /// An agreement; `None` if nobody reads one of this name here.
    pub(crate) fn get(&self, agreement: &Identifier) -> Result<Option<Rc<Agreement>>, CliError> {
        if let Some(sealed) = self.sealed.get(agreement) {
            return Ok(Some(Rc::clone(sealed)));
        }
        if let Some(known) = self.open.borrow().get(agreement) {
            return Ok(known.clone());
        }
        let found = open::course(self.ctx, agreement)?.map(|course| {
            Rc::new(Agreement {
                name: agreement.to_string(),
                sealed: false,
                course,
            })
        });
        let mut open = self.open.borrow_mut();
        Ok(open.entry(agreement.clone()).or_insert(found).clone())
    }

    /// The agreement of an input as it was before a place in the log, and what `member` is in it: of
    /// data of its own, that names none, the provider. `None` if nothing had been said in it there.
    pub(super) fn at(
        &self,
        input: &Input,
        (at, member): (Sequence, &MemberId),
    ) -> Result<Option<(Share, User)>, CliError> {
        let Some(name) = &input.agreement else {
            let own = open::owns(self.ctx, member, &input.data)?;
            return Ok(own.then(|| (Share::default(), User::Provider)));
        };
        Ok(self
            .get(name)?
            .and_then(|known| known.course.before(at, member)))
    }

    /// How an input stood to its agreement when a member used it at a place in the log.
    pub(crate) fn covered(
        &self,
        usage: &Usage,
        input: &Input,
        place: (Sequence, &MemberId),
    ) -> Result<Covered, CliError> {
        let then = self.at(input, place)?;
        let then = then.as_ref().map(|(share, user)| (share, *user));
        Ok(Covered::of(usage, input, then))
    }
}

fn uses(stream: &ShareStream, history: &History) -> Vec<RecordedUse> {
    let counting = history.steps.iter().filter(|step| step.broken.is_none());
    let used = counting.filter_map(|step| match &step.deed {
        Some(Deed::Used(usage)) => Some(RecordedUse {
            statement_id: step.statement_id,
            sequence: step.sequence,
            height: step.height,
            time_ms: step.time_ms,
            by: step.member,
            share: stream.subject(),
            sealed: true,
            usage: usage.clone(),
        }),
        _ => None,
    });
    used.collect()
}
