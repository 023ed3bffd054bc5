//! From what a member wants to say about products to a statement: what it commits to, in which
//! stream it stands, which repetition it is.
//!
//! A member speaks of its own products in their open streams, of others' in the claims streams.
//! What may be said again (suspended, reinstated, suspended) is numbered: a second run of a script
//! finds that it was said and still holds, and says nothing twice; once it holds no more, it is
//! said anew.

use std::collections::BTreeMap;

use jangbu_ledger::id::StatementId;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::{Kind, Statement, Stream};
use serde_json::{Value, json};

use crate::client::{StatementAnswer, SubjectAnswer};
use crate::context::Context;
use crate::document::{self, Opening, WHOLE};
use crate::error::CliError;
use crate::submit::Draft;

/// Most repetitions of one statement that are looked for.
const REPETITIONS_MAX: u32 = 1000;

/// What is committed to beside a statement's public fields.
pub(crate) struct Body<'a> {
    pub(crate) version: u32,
    pub(crate) schema: &'a str,
    pub(crate) sections: Sections,
}

/// Parts of a document by name.
pub(crate) type Sections = BTreeMap<String, Value>;

/// A document that nobody divided.
pub(crate) fn whole(document: Value) -> Sections {
    Sections::from([(WHOLE.to_owned(), document)])
}

/// A product, and a remark about what is said of it.
#[derive(Debug, clap::Args)]
pub struct Saying {
    /// The product
    #[arg(long, value_name = "ID")]
    pub product: Identifier,
    #[command(flatten)]
    pub(crate) remark: Remark,
}

/// A remark.
#[derive(Debug, clap::Args)]
pub struct Remark {
    /// A remark that stays with you, under the statement's commitment
    #[arg(long, value_name = "TEXT")]
    remark: Option<String>,
}

impl Remark {
    /// No remark.
    pub(crate) fn none(schema: &str) -> Body<'_> {
        Self { remark: None }.body(schema)
    }

    /// What is committed to.
    pub(crate) fn body<'a>(&self, schema: &'a str) -> Body<'a> {
        Body {
            version: 1,
            schema,
            sections: whole(match &self.remark {
                Some(remark) => json!({ "remark": remark }),
                None => json!({}),
            }),
        }
    }
}

/// A statement in the open stream of its subject.
pub(crate) fn open_draft(
    ctx: &Context,
    subject: &Identifier,
    kind: Kind,
    body: Body<'_>,
    label: String,
) -> Result<Draft, CliError> {
    let stream = Stream::Open(subject.clone());
    draft_in(ctx, stream, subject, kind, body, label)
}

/// A statement in one stream, about `subject`.
pub(crate) fn draft_in(
    ctx: &Context,
    stream: Stream,
    subject: &Identifier,
    kind: Kind,
    body: Body<'_>,
    label: String,
) -> Result<Draft, CliError> {
    draft_of(ctx, vec![stream], subject, kind, body, label)
}

/// A statement in several streams, of which `subject` is the first one's.
pub(crate) fn draft_of(
    ctx: &Context,
    streams: Vec<Stream>,
    subject: &Identifier,
    kind: Kind,
    body: Body<'_>,
    label: String,
) -> Result<Draft, CliError> {
    let (commitment, opening): (_, Opening) =
        document::commit_sections(ctx, subject, body.version, body.schema, body.sections)?;
    Ok(Draft {
        statement: Statement {
            kind,
            occurrence: 0,
            streams,
            commitment,
            references: Vec::new(),
            payload: Vec::new(),
        },
        opening: Some(opening),
        label,
    })
}

/// The stream in which the member speaks of a product: open if it is the member's own, or
/// nobody's yet.
pub(crate) fn stream_of(ctx: &Context, subject: &SubjectAnswer) -> Result<Stream, CliError> {
    let own = ctx.member()?.id();
    let identifier = subject.identifier.clone();
    Ok(match subject.owner {
        Some(owner) if owner != own => Stream::Claims(identifier),
        _ => Stream::Open(identifier),
    })
}

/// What a node knows of a product; refused with `subject.known` if that is nothing.
pub(crate) fn known(ctx: &Context, product: &Identifier) -> Result<SubjectAnswer, CliError> {
    let subject = ctx.client()?.subject(product)?;
    if subject.identifier != *product {
        return Err(CliError::unreachable(format!(
            "the node speaks of {} when asked about {product}",
            subject.identifier
        )));
    }
    if !subject.known {
        return Err(CliError::refused(format!(
            "nothing is recorded about {product} (subject.known)"
        ))
        .hint("its passport comes first: jangbu passport issue"));
    }
    Ok(subject)
}

/// The draft as the repetition to be said now: the last one that was said, if that `still_holds`,
/// else the next.
///
/// A product may have changed hands since, so a statement in either of its streams counts.
pub(crate) fn repetition(
    ctx: &Context,
    draft: Draft,
    still_holds: impl Fn(&StatementAnswer) -> bool,
) -> Result<Draft, CliError> {
    let mut last = None;
    for occurrence in 0..REPETITIONS_MAX {
        let mut next = draft.clone();
        next.statement.occurrence = occurrence;
        match said(ctx, &next)? {
            Some(found) => last = Some(found),
            None => {
                return Ok(match last {
                    Some((said, answer)) if still_holds(&answer) => said,
                    _ => next,
                });
            }
        }
    }
    Err(CliError::input(format!(
        "{}: said {REPETITIONS_MAX} times already",
        draft.label
    )))
}

/// The draft in the stream in which it is recorded already, with what the node knows of it.
fn said(ctx: &Context, draft: &Draft) -> Result<Option<(Draft, StatementAnswer)>, CliError> {
    let (chain, member) = (ctx.chain_id()?, ctx.member()?.id());
    let mut flipped = draft.clone();
    for stream in &mut flipped.statement.streams {
        *stream = match stream.clone() {
            Stream::Open(identifier) => Stream::Claims(identifier),
            Stream::Claims(identifier) => Stream::Open(identifier),
            sealed => sealed,
        };
    }
    for draft in [draft.clone(), flipped] {
        let id = draft.statement.id(&chain, &member);
        let answer = ctx.client()?.statement(&id)?;
        if answer.sequence.is_some() {
            return Ok(Some((draft, answer)));
        }
    }
    Ok(None)
}

/// A statement on the ledger, read from its entry's bytes: its id binds what it says.
pub(crate) fn recorded_statement(
    ctx: &Context,
    id: &StatementId,
    missing: impl Fn() -> CliError,
) -> Result<Statement, CliError> {
    let answer = ctx.client()?.statement(id)?;
    let entry = answer.entry(&ctx.chain_id()?)?.ok_or_else(&missing)?;
    let said = crate::client::recorded(&entry).ok_or_else(missing)?;
    Ok(said.statement.clone())
}
