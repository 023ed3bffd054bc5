//! `jangbu list`: statements in log order, of the whole log or of one subject.

use std::collections::VecDeque;

use jangbu_ledger::id::Sequence;
use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::Kind;

use crate::client::{Client, Item, Side};
use crate::context::Context;
use crate::error::CliError;
use crate::view::View;

/// Statements shown if nothing is said.
const LIMIT_DEFAULT: usize = 100;
/// Entries asked for at a time.
const PAGE: usize = 500;

/// Arguments of `jangbu list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what is said about this: by its company and by others
    #[arg(long, value_name = "ID")]
    subject: Option<Identifier>,
    /// Only what this member says
    #[arg(long, value_name = "MEMBER")]
    by: Option<String>,
    /// Only statements of this kind: passport_issued, component_linked, sealed…
    #[arg(long, value_name = "KIND", value_parser = Kind::NAMES)]
    kind: Option<String>,
    /// From this entry on
    #[arg(long, value_name = "ENTRY", default_value_t = 0)]
    from: u64,
    /// Only what was recorded by the block at this height
    #[arg(long, value_name = "HEIGHT")]
    at: Option<u64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = LIMIT_DEFAULT, conflicts_with = "all")]
    limit: usize,
    /// However many there are
    #[arg(long)]
    all: bool,
}

/// Lists.
///
/// # Errors
///
/// [`CliError`] if no node answers, or shows something that is no entry.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let anchor = ctx.anchor()?;
    if let Some(name) = &args.by {
        ctx.member_named(name)?;
    }
    let limit = if args.all { usize::MAX } else { args.limit };
    let mut shown = 0;
    for item in items(args, ctx.client()?) {
        let entry = item?.entry()?;
        let Some(view) = View::of(&entry, anchor) else {
            continue;
        };
        let by_other = args.by.as_ref().is_some_and(|name| *name != view.member);
        let kind = view.statement.kind.name();
        if by_other || args.kind.as_ref().is_some_and(|wanted| wanted != kind) {
            continue;
        }
        if shown == limit {
            ctx.output.note(&format!(
                "there is more: --from {}, or --all",
                view.sequence
            ));
            break;
        }
        ctx.output.line(&view, || view.line());
        if ctx.output.is_closed() {
            break;
        }
        shown += 1;
    }
    Ok(())
}

type Items<'a> = Box<dyn Iterator<Item = Result<Item, CliError>> + 'a>;

fn items<'a>(args: &'a Args, client: &'a Client) -> Items<'a> {
    let Some(subject) = &args.subject else {
        return Box::new(log_pages(client, Sequence(args.from), args.at));
    };
    // A stream's pages start after an entry.
    let after = Sequence(args.from).previous();
    let side = |side| stream_pages(client, subject, side, after, args.at).peekable();
    let (mut own, mut others) = (side(Side::Open), side(Side::Claims));
    // Merged in log order; an error comes first, wherever it is.
    Box::new(std::iter::from_fn(move || {
        let place = |item: Option<&Result<Item, CliError>>| match item {
            None => None,
            Some(Err(_)) => Some(0),
            Some(Ok(item)) => Some(item.sequence.0),
        };
        match (place(own.peek()), place(others.peek())) {
            (Some(a), Some(b)) if b < a => others.next(),
            (None, _) => others.next(),
            _ => own.next(),
        }
    }))
}

/// The whole log from an entry on, page by page; as it was after the block at height `at`.
pub(crate) fn log_pages(
    client: &Client,
    from: Sequence,
    at: Option<u64>,
) -> impl Iterator<Item = Result<Item, CliError>> + '_ {
    Pages::new(Some(from), move |from| {
        client.entries(from.unwrap_or_default(), PAGE, at)
    })
}

/// One side of what is said about a subject, after an entry, in log order.
pub(crate) fn stream_pages<'a>(
    client: &'a Client,
    subject: &'a Identifier,
    side: Side,
    after: Option<Sequence>,
    at: Option<u64>,
) -> impl Iterator<Item = Result<Item, CliError>> + 'a {
    Pages::new(after, move |after| {
        client.subject_statements(subject, side, after, PAGE, at)
    })
}

/// The uses of data that name this, in log order.
pub(crate) fn use_pages<'a>(
    client: &'a Client,
    identifier: &'a Identifier,
) -> impl Iterator<Item = Result<Item, CliError>> + 'a {
    Pages::new(None, move |after| client.uses(identifier, after, PAGE))
}

/// Items of page after page.
struct Pages<F> {
    fetch: F,
    at: Option<Sequence>,
    page: VecDeque<Item>,
    done: bool,
}

impl<F: FnMut(Option<Sequence>) -> Result<crate::client::Page, CliError>> Pages<F> {
    const fn new(at: Option<Sequence>, fetch: F) -> Self {
        Self {
            fetch,
            at,
            page: VecDeque::new(),
            done: false,
        }
    }
}

impl<F: FnMut(Option<Sequence>) -> Result<crate::client::Page, CliError>> Iterator for Pages<F> {
    type Item = Result<Item, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() {
            if self.done {
                return None;
            }
            match (self.fetch)(self.at) {
                Ok(page) => {
                    // A node that never gets on would keep us for ever.
                    let stuck = page.next.is_some() && page.next <= self.at && self.at.is_some();
                    self.done = page.next.is_none() || stuck;
                    self.at = page.next;
                    self.page = page.items.into();
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Page;

    fn item(sequence: u64) -> Item {
        Item {
            sequence: Sequence(sequence),
            entry_bytes: String::new(),
        }
    }

    #[test]
    fn pages_follow_one_another_and_end() {
        let pages = Pages::new(None, |at| {
            Ok(match at {
                None => Page {
                    items: vec![item(1), item(2)],
                    next: Some(Sequence(2)),
                },
                Some(_) => Page {
                    items: vec![item(3)],
                    next: None,
                },
            })
        });
        let places: Vec<u64> = pages.map(|item| item.unwrap().sequence.0).collect();
        assert_eq!(places, [1, 2, 3]);
    }

    #[test]
    fn a_node_that_goes_in_circles_is_left() {
        let pages = Pages::new(Some(Sequence(5)), |at| {
            Ok(Page {
                items: vec![item(5)],
                next: at,
            })
        });
        assert_eq!(pages.count(), 1);
    }
}
