//! `jangbu watch`: statements as they become final, each once and in log order.
//!
//! When the node that is watched goes away, the next one is asked to go on from the place that was
//! reached: places are the same on all nodes, and each shows what is final only.

use std::time::{Duration, Instant};

use jangbu_ledger::identifier::Identifier;
use jangbu_ledger::statement::Kind;

use crate::client::{Client, Event, Failure, Stream};
use crate::context::Context;
use crate::error::CliError;
use crate::view::View;

/// How long it is tried to reach any node, once one was reached.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pause before the nodes are tried again, at first and at most.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Arguments of `jangbu watch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// From this entry on; without it, only what is new
    #[arg(long, value_name = "ENTRY")]
    from: Option<u64>,
    /// Only what is said about this: by its company and by others
    #[arg(long, value_name = "ID")]
    subject: Option<Identifier>,
    /// Only what this member says
    #[arg(long, value_name = "MEMBER")]
    by: Option<String>,
    /// Only statements of this kind: passport_issued, component_linked, sealed…
    #[arg(long, value_name = "KIND", value_parser = Kind::NAMES)]
    kind: Option<String>,
    /// Stop after so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Where it stands.
struct Watch<'a> {
    args: &'a Args,
    ctx: &'a Context,
    /// The next place to be shown, once one is known.
    next: Option<u64>,
    shown: u64,
}

/// Why one stream came to its end.
enum End {
    /// As many as were wanted, or nobody reads any more.
    Enough,
    /// The node went away, or said something else.
    Gone(Failure),
}

/// Watches.
///
/// # Errors
///
/// [`CliError`] if no node can be reached, or all refuse.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    if let Some(name) = &args.by {
        ctx.member_named(name)?;
    }
    let mut watch = Watch {
        args,
        ctx,
        next: args.from,
        shown: 0,
    };
    if args.limit == Some(0) {
        return Ok(());
    }
    let nodes = ctx.client()?.nodes();
    let (mut reached, mut pause) = (None::<Instant>, PAUSE);
    loop {
        let mut failed: Option<CliError> = None;
        for node in nodes {
            let failure = match watch.open(node) {
                Ok(stream) => {
                    pause = PAUSE;
                    match watch.follow(stream)? {
                        End::Enough => return Ok(()),
                        End::Gone(failure) => {
                            reached = Some(Instant::now());
                            failure
                        }
                    }
                }
                Err(failure) if failure.is_definite() => return Err(failure.of_read(node)),
                Err(failure) => failure,
            };
            let error = failure.of_read(node);
            ctx.output.note(&error.message);
            failed = Some(error);
        }
        let error = failed.unwrap_or_else(|| CliError::input("no node is configured"));
        if reached.is_none_or(|reached| reached.elapsed() > PATIENCE) {
            return Err(match watch.next {
                Some(next) => error.hint(format!("go on with --from {next}")),
                None => error,
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

impl Watch<'_> {
    fn open(&self, node: &str) -> Result<Stream, Failure> {
        let args = self.args;
        let mut query = Vec::new();
        query.extend(self.next.map(|next| ("from", next.to_string())));
        query.extend(args.subject.as_ref().map(|id| ("subject", id.to_string())));
        query.extend(args.by.as_ref().map(|name| ("member", name.clone())));
        query.extend(args.kind.as_ref().map(|kind| ("kind", kind.clone())));
        Client::stream(node, &query)
    }

    fn follow(&mut self, mut stream: Stream) -> Result<End, CliError> {
        loop {
            match stream.event() {
                Ok(Some(Event::Reached(place))) => self.reach(place),
                Ok(Some(Event::Statement(item))) => {
                    let place = item.sequence.0;
                    // Whatever a node says: nothing is shown twice.
                    if self.next.is_some_and(|next| place < next) {
                        continue;
                    }
                    if let Some(view) = View::of(&item.entry()?, self.ctx.anchor()?) {
                        self.ctx.output.line(&view, || view.line());
                        self.shown += 1;
                    }
                    self.reach(place);
                    if self.ctx.output.is_closed() || self.args.limit == Some(self.shown) {
                        return Ok(End::Enough);
                    }
                }
                Ok(None) => {
                    let ended = "it ended the stream".to_owned();
                    return Ok(End::Gone(Failure::Lost(ended)));
                }
                Err(failure) => return Ok(End::Gone(failure)),
            }
        }
    }

    /// Everything up to this place was shown, or was not wanted.
    fn reach(&mut self, place: u64) {
        let after = place.saturating_add(1);
        self.next = Some(self.next.map_or(after, |next| next.max(after)));
    }
}
