//! `jangbu anchor`: documents in, receipts out.
//!
//! ```text
//!   sources ─▶ read all: any bad one? ─▶ nothing is sent
//!                  └─▶ passports of all ─▶ all the rest ─▶ steps of data shares
//!                        └──── resolve with the node ─▶ commit ─▶ submit in batches
//! ```
//!
//! Documents are read once for every pass rather than kept, so that memory does not grow with
//! their number. A second run says the same statements, which come back as duplicates, and what
//! had to wait for another company.

mod batch;
mod resolve;
mod source;
mod steps;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, Code};
use crate::ingest::Speaker;
use crate::ingest::said::{Reading, Said, SaidStep, SkipReason, Skipped, What};
use crate::share::Role;
use crate::submit::{Outcome, Status, SubmitOptions};

use batch::Batch;
use resolve::Resolver;
use source::Source;

/// How many bad documents an error names.
const NAMED_MAX: usize = 10;

/// What to anchor.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, directories, or - for standard input: Catena-X twins and aspects, EPCIS 2.0 events,
    /// product passports, Dataspace Protocol messages, or NDJSON statements
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Anchor the good documents of a run even if others are bad
    #[arg(long)]
    pub keep_going: bool,
    /// The other party, if there are steps of a data share among the documents
    #[arg(long, value_name = "MEMBER")]
    pub with: Option<String>,
    /// Your own role in that data share
    #[arg(long = "as", value_name = "ROLE")]
    pub role: Option<Role>,
    /// Name of that data share [default: the process id in its messages]
    #[arg(long, value_name = "NAME")]
    pub share: Option<String>,
    /// How to submit.
    #[command(flatten)]
    pub submit: SubmitOptions,
}

/// Something that was not said, as JSON.
#[derive(Serialize)]
struct SkippedLine<'a> {
    status: &'static str,
    #[serde(flatten)]
    skipped: &'a Skipped,
}

/// One run over all sources.
struct Run<'a> {
    ctx: &'a Context,
    args: &'a Args,
    speaker: Speaker,
    bar: ProgressBar,
    counts: Counts,
    refused: Vec<CliError>,
}

/// What a run came to.
#[derive(Default)]
struct Counts {
    recorded: usize,
    before: usize,
    pending: usize,
    refused: usize,
    skipped: BTreeMap<SkipReason, usize>,
}

/// Anchors documents.
///
/// # Errors
///
/// [`CliError`]: bad input if any document is bad, and then nothing is sent, unless it was asked
/// to keep going; refused if a rule refused any statement, after all were tried.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let speaker = Speaker::of(ctx.member()?, ctx.anchor()?);
    let mut sources = source::find(&args.paths)?;
    let mut run = Run {
        ctx,
        args,
        speaker,
        bar: ProgressBar::hidden(),
        counts: Counts::default(),
        refused: Vec::new(),
    };
    let bad = run.check(&mut sources)?;
    if let Some(error) = &bad
        && !args.keep_going
    {
        return Err(error.clone());
    }
    let mut resolver = Resolver::new(ctx)?;
    // A passport opens the subject that everything else is about.
    let first = |what: &What| matches!(what, What::Passport { .. });
    run.say(&sources, &mut resolver, &first, false)?;
    run.say(&sources, &mut resolver, &|what| !first(what), true)?;
    run.finish(bad)
}

impl Run<'_> {
    /// Reads all sources and drops the bad ones; the error says which.
    fn check(&mut self, sources: &mut Vec<Source>) -> Result<Option<CliError>, CliError> {
        let mut bad: Vec<CliError> = Vec::new();
        let mut total: u64 = 0;
        let mut notes = Vec::new();
        let mut good = Vec::new();
        for source in sources.drain(..) {
            let speaker = &self.speaker;
            let mut found = (0, Vec::new());
            let checked = source.read(speaker, &mut |reading| {
                found.0 += reading.said.len() as u64;
                found.1.extend(reading.notes);
                Ok(ControlFlow::Continue(()))
            });
            match checked {
                Ok(()) => {
                    total += found.0;
                    notes.append(&mut found.1);
                    good.push(source);
                }
                Err(error) if error.code == Code::Input => bad.push(error),
                Err(error) => return Err(error),
            }
        }
        *sources = good;
        for note in notes {
            self.ctx.output.note(&format!("note: {note}"));
        }
        if self.ctx.output.progress() {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} statements, {elapsed}");
            self.bar = ProgressBar::new(total);
            if let Ok(style) = style {
                self.bar.set_style(style);
            }
        }
        let named: Vec<&str> = bad
            .iter()
            .take(NAMED_MAX)
            .map(|error| error.message.as_str())
            .collect();
        let error = match bad.len() {
            0 => return Ok(None),
            1 => CliError::input(named.join("")),
            n => CliError::input(format!("{n} documents are bad:\n  {}", named.join("\n  "))),
        };
        Ok(Some(if self.args.keep_going {
            error.hint("the other documents were anchored; correct these and run it again")
        } else {
            error.hint("nothing was sent; correct them, or anchor the rest with --keep-going")
        }))
    }

    /// Says what `now` picks from all documents; on the last pass also lines, and the steps of
    /// data shares.
    fn say(
        &mut self,
        sources: &[Source],
        resolver: &mut Resolver<'_>,
        now: &dyn Fn(&What) -> bool,
        last: bool,
    ) -> Result<(), CliError> {
        let mut batch = Batch::default();
        for source in sources {
            let speaker = self.speaker.clone();
            // Lines are said in their own order, which their author chose.
            let lines = source.is_lines()?;
            if lines && !last {
                continue;
            }
            source.read(&speaker, &mut |reading| {
                let Reading {
                    said,
                    skipped,
                    steps,
                    ..
                } = reading;
                for said in said.into_iter().filter(|said| lines || now(&said.what)) {
                    self.one(resolver, &mut batch, said)?;
                }
                if last {
                    skipped.iter().for_each(|skipped| self.skip(skipped));
                    for step in steps {
                        self.step(step)?;
                    }
                }
                Ok(match self.ctx.output.is_closed() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            })?;
        }
        self.flush(&mut batch)
    }

    fn step(&mut self, step: SaidStep) -> Result<(), CliError> {
        match steps::take(self.ctx, self.args, step) {
            Ok(steps::Taken::Said(outcome)) => self.tell(&outcome),
            Ok(steps::Taken::Skipped(skipped)) => self.skip(&skipped),
            Err(error) => self.keep_refusal(error)?,
        }
        Ok(())
    }

    fn one(
        &mut self,
        resolver: &mut Resolver<'_>,
        batch: &mut Batch,
        said: Said,
    ) -> Result<(), CliError> {
        self.bar.inc(1);
        let draft = match resolver.resolve(said)? {
            Ok(draft) => draft,
            Err(skipped) => {
                self.skip(&skipped);
                return Ok(());
            }
        };
        batch.add(draft);
        // One envelope to be signed and kept has to hold all.
        if batch.is_full() && self.args.submit.sign_only.is_none() {
            self.flush(batch)?;
        }
        Ok(())
    }

    fn flush(&mut self, batch: &mut Batch) -> Result<(), CliError> {
        let (ctx, args) = (self.ctx, self.args);
        let result = batch.submit(ctx, &args.submit, &mut |outcome| self.tell(outcome));
        match result {
            Ok(()) => Ok(()),
            Err(error) => self.keep_refusal(error),
        }
    }

    /// A refusal is told at the end; anything else ends the run.
    fn keep_refusal(&mut self, error: CliError) -> Result<(), CliError> {
        if error.code == Code::Refused {
            self.refused.push(error);
            return Ok(());
        }
        self.bar.finish_and_clear();
        Err(error)
    }

    fn tell(&mut self, outcome: &Outcome) {
        match outcome.status {
            Status::Final => {
                self.counts.recorded += 1;
                self.counts.before += usize::from(outcome.duplicate);
            }
            Status::Pending | Status::Signed => self.counts.pending += 1,
            Status::Refused => self.counts.refused += 1,
        }
        self.bar.suspend(|| {
            outcome.print(&self.ctx.output);
        });
    }

    fn skip(&mut self, skipped: &Skipped) {
        *self.counts.skipped.entry(skipped.reason).or_default() += 1;
        let line = SkippedLine {
            status: "skipped",
            skipped,
        };
        self.bar.suspend(|| {
            self.ctx.output.report(&line, || {
                format!("{:<15}  {}: {}", "skipped", skipped.label, skipped.message)
            });
        });
    }

    fn finish(mut self, bad: Option<CliError>) -> Result<(), CliError> {
        self.bar.finish_and_clear();
        self.ctx.output.note(&self.counts.text());
        if let Some(bad) = bad {
            return Err(bad);
        }
        match self.refused.len() {
            0 => Ok(()),
            1 => Err(self.refused.remove(0)),
            _ => {
                let texts: Vec<&str> = self
                    .refused
                    .iter()
                    .take(NAMED_MAX)
                    .map(|error| error.message.as_str())
                    .collect();
                Err(CliError::refused(texts.join("\n  ")))
            }
        }
    }
}

impl Counts {
    fn text(&self) -> String {
        let mut text = format!("{} recorded", self.recorded);
        if self.before > 0 {
            text.push_str(&format!(" ({} of them before)", self.before));
        }
        for (count, word) in [(self.pending, "on their way"), (self.refused, "refused")] {
            if count > 0 {
                text.push_str(&format!(", {count} {word}"));
            }
        }
        for (reason, count) in &self.skipped {
            let word = match reason {
                SkipReason::OtherCompany => "left to other companies",
                SkipReason::Repeated => "repeated",
                SkipReason::Waiting => "waiting for others: run it again",
                SkipReason::NoSubject => "without an identifier of this ledger",
                SkipReason::NotAStatement => "no statements",
                SkipReason::Incomplete => "incomplete",
            };
            text.push_str(&format!(", {count} {word}"));
        }
        text
    }
}
