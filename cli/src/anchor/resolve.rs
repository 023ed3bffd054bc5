//! From what a document says to a draft: asks the node what only the ledger knows.
//!
//! What a document says never depends on the node; whether it can be said now does. A link of
//! another company has an id that the ledger knows, a batch must have its passport first, and
//! whose a UUID is only its first issuer's statement tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jangbu_ledger::commitment::Commitment;
use jangbu_ledger::id::{StatementId, SubjectId};
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Basis, Stream};

use crate::client::{Direction, Relation, SubjectAnswer, TraceEdge};
use crate::context::Context;
use crate::document::{self, Opening};
use crate::error::CliError;
use crate::ingest::said::{Link, Said, SkipReason, Skipped, What};
use crate::submit::Draft;

/// Most answers of the node that are kept, of each sort.
const KEPT_MAX: usize = 10_000;

/// Makes drafts.
pub(super) struct Resolver<'a> {
    ctx: &'a Context,
    own: &'a str,
    said: BTreeSet<StatementId>,
    issued: BTreeSet<SubjectId>,
    subjects: BTreeMap<SubjectId, Arc<SubjectAnswer>>,
    links: BTreeMap<SubjectId, Arc<Vec<TraceEdge>>>,
}

/// A draft, or why there is none now.
type Resolved = Result<Draft, Skipped>;

impl<'a> Resolver<'a> {
    pub(super) fn new(ctx: &'a Context) -> Result<Self, CliError> {
        Ok(Self {
            ctx,
            own: &ctx.member()?.name,
            said: BTreeSet::new(),
            issued: BTreeSet::new(),
            subjects: BTreeMap::new(),
            links: BTreeMap::new(),
        })
    }

    /// Makes the draft of what is said, unless it must wait or was said already.
    pub(super) fn resolve(&mut self, mut said: Said) -> Result<Resolved, CliError> {
        let mut link = None;
        match &mut said.what {
            What::Confirmed {
                subject,
                link: Link::To { child, basis },
            } => match self.link(subject, child, *basis)? {
                Ok(id) => link = Some(id),
                Err(reason) => return Ok(Err(skipped(&said, reason))),
            },
            What::Passport { subject, .. } => {
                self.issued.insert(subject.subject_id());
            }
            What::PartOf { subject, part_of } => {
                let products = [subject.clone(), part_of.clone()];
                for product in &products {
                    if !self.has_passport(product)? {
                        let why = format!("{product} has no passport on the ledger yet");
                        return Ok(Err(skipped(&said, (SkipReason::Waiting, why))));
                    }
                }
            }
            What::Observed { streams, .. } => {
                if let Err(reason) = self.claims(streams)? {
                    return Ok(Err(skipped(&said, reason)));
                }
            }
            _ => {}
        }
        let Some((commitment, opening)) = self.commit(&said)? else {
            let why = "it names no subject".to_owned();
            return Ok(Err(skipped(&said, (SkipReason::NoSubject, why))));
        };
        let Some(statement) = said.statement(commitment, link) else {
            let why = "the link to confirm is not known".to_owned();
            return Ok(Err(skipped(&said, (SkipReason::Waiting, why))));
        };
        let id = statement.id(&self.ctx.chain_id()?, &self.ctx.member()?.id());
        if !self.said.insert(id) {
            let why = "the same stands before it in this run".to_owned();
            return Ok(Err(skipped(&said, (SkipReason::Repeated, why))));
        }
        Ok(Ok(Draft {
            statement,
            opening: Some(opening),
            label: said.label,
        }))
    }

    fn commit(&self, said: &Said) -> Result<Option<(Commitment, Opening)>, CliError> {
        let Some(subject) = said.subject() else {
            return Ok(None);
        };
        let body = &said.body;
        document::commit_sections(
            self.ctx,
            subject,
            body.version,
            &body.schema,
            body.sections.clone(),
        )
        .map(Some)
        .map_err(|error| CliError {
            message: format!("{}: {}", said.label, error.message),
            ..error
        })
    }

    /// The statement by which the product's company asserted the link.
    fn link(
        &mut self,
        product: &Identifier,
        component: &Identifier,
        basis: Basis,
    ) -> Result<Result<StatementId, (SkipReason, String)>, CliError> {
        let links = self.links_of(product)?;
        let found = links
            .iter()
            .filter(|edge| {
                edge.child == *component
                    && edge.relation == Relation::Contains
                    && edge.basis == basis
            })
            .min_by_key(|edge| edge.sequence);
        Ok(match found {
            None => Err((
                SkipReason::Waiting,
                "no company has stated this link on the ledger yet".to_owned(),
            )),
            Some(edge) if edge.asserted_by == self.own => Err((
                SkipReason::Repeated,
                "the link is your own; there is nobody else to agree".to_owned(),
            )),
            Some(edge) => Ok(edge.statement_id),
        })
    }

    /// Claims are about known things of others. A thing of one's own that no prefix shows to be
    /// so stands in its open stream.
    fn claims(
        &mut self,
        streams: &mut [Stream],
    ) -> Result<Result<(), (SkipReason, String)>, CliError> {
        for stream in streams {
            let Stream::Claims(thing) = &*stream else {
                continue;
            };
            let known = self.subject(thing)?;
            if !known.known {
                return Ok(Err(match self.is_anybodys(thing)? {
                    true => (
                        SkipReason::Waiting,
                        format!("{thing} is not on the ledger yet; its owner must begin"),
                    ),
                    false => (
                        SkipReason::OtherCompany,
                        format!("{thing} is under no member's prefix"),
                    ),
                }));
            }
            if known.owner_name.as_deref() == Some(self.own) {
                *stream = Stream::Open(thing.clone());
            }
        }
        Ok(Ok(()))
    }

    /// Whether some member may begin the thing's stream.
    fn is_anybodys(&self, thing: &Identifier) -> Result<bool, CliError> {
        let members = self.ctx.anchor()?.members();
        let mut prefixes = members.iter().flat_map(|member| &member.prefixes);
        Ok(!thing.is_registrable() || prefixes.any(|prefix| thing.required_prefix_matches(prefix)))
    }

    /// Whether there is a passport, or one is on its way in this run.
    fn has_passport(&mut self, product: &Identifier) -> Result<bool, CliError> {
        Ok(
            self.issued.contains(&product.subject_id())
                || self.subject(product)?.passport.is_some(),
        )
    }

    fn subject(&mut self, identifier: &Identifier) -> Result<Arc<SubjectAnswer>, CliError> {
        let id = identifier.subject_id();
        if let Some(known) = self.subjects.get(&id) {
            return Ok(Arc::clone(known));
        }
        let answer = Arc::new(self.ctx.client()?.subject(identifier)?);
        if self.subjects.len() < KEPT_MAX {
            self.subjects.insert(id, Arc::clone(&answer));
        }
        Ok(answer)
    }

    fn links_of(&mut self, product: &Identifier) -> Result<Arc<Vec<TraceEdge>>, CliError> {
        let id = product.subject_id();
        if let Some(known) = self.links.get(&id) {
            return Ok(Arc::clone(known));
        }
        let edges = Arc::new(
            self.ctx
                .client()?
                .trace(product, Direction::Down, Some(1), None)?
                .edges,
        );
        if self.links.len() < KEPT_MAX {
            self.links.insert(id, Arc::clone(&edges));
        }
        Ok(edges)
    }
}

fn skipped(said: &Said, (reason, message): (SkipReason, String)) -> Skipped {
    Skipped {
        label: said.label.clone(),
        reason,
        message,
    }
}
