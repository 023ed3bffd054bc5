//! `jangbu bench`: offers load at a steady pace and measures what becomes of it.
//!
//! ```text
//!   load (signed ahead, own thread) ─▶ queue ─▶ drive (the pace) ─▶ nodes ─▶ tally ─▶ report
//!                                                                     └▶ watch (CPU, memory)
//! ```
//!
//! Open loop: envelope *i* is due at *i / rate* whatever became of those before it, and its
//! latency counts from when it was due, so that a node that stalls is charged for everything
//! that had to wait meanwhile. Bounded in number, in time and in what is in flight.
//!
//! It loads only what is named: the members' directories, and the nodes these or `--to` name.

mod drive;
mod load;
mod report;
mod tally;
mod target;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jangbu_genesis::TrustAnchor;
use jangbu_genesis::document::MemberRole;
use tokio::time::Instant;

use crate::args::Globals;
use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

use drive::{Gathered, Pace};
use load::{Author, Load, Say};
use report::{Envelopes, Generator, Machine, Offered, Report};
use tally::{Tally, Window};
use target::Target;
use watch::Usage;

/// Longest run: envelopes are signed for half a day.
const RUN_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// Most envelopes per second.
const RATE_MAX: f64 = 100_000.0;
/// Preparing envelopes in flight at once.
const PREPARING: usize = 8;
/// Between the generator being ready and the first envelope.
const LEAD: Duration = Duration::from_millis(200);

/// How to offer load.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Envelopes per second
    #[arg(long, value_name = "R", default_value_t = 100.0)]
    rate: f64,
    /// Statements in each envelope
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    statements: u16,
    /// Measured time (30s, 5m)
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = seconds)]
    duration: Duration,
    /// Time before, under the same load, that is not measured
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = seconds)]
    warmup: Duration,
    /// What the statements say
    #[arg(long, value_enum, default_value_t = Say::Passport)]
    kind: Say,
    /// Items per member that events are about (--kind observed)
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    subjects: u64,
    /// Homes of the members who speak, in turn [default: those of ./devnet]
    #[arg(long, value_name = "DIR", value_delimiter = ',')]
    members: Vec<PathBuf>,
    /// Nodes to load, in turn [default: those that the members' homes name]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    to: Vec<String>,
    /// Most envelopes in flight; the next ones wait, which counts as latency
    #[arg(long, value_name = "N", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,
    /// Longest an envelope may wait for its receipt
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = seconds)]
    timeout: Duration,
}

/// Who speaks, and to whom.
struct Cast {
    anchor: TrustAnchor,
    authors: Vec<Author>,
    nodes: Vec<String>,
}

/// Runs the load and prints what it showed.
///
/// # Errors
///
/// [`CliError`] if it cannot start, or if a node gave a receipt that does not hold.
pub fn run(args: &Args, ctx: &Context) -> Result<(), CliError> {
    let pace = args.pace()?;
    let cast = Cast::gather(args)?;
    let mut run = [0; 16];
    getrandom::fill(&mut run).map_err(CliError::internal)?;
    // One thread: the generator must leave the machine to the nodes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::internal)?;
    let report = runtime.block_on(measure(args, pace, cast, run, &ctx.output))?;
    ctx.output.object(&report, || report.to_text());
    Ok(())
}

impl Args {
    fn pace(&self) -> Result<Pace, CliError> {
        if !(self.rate > 0.0 && self.rate <= RATE_MAX) {
            return Err(CliError::input(format!(
                "--rate {}: it must be above 0 and at most {RATE_MAX}",
                self.rate
            )));
        }
        let total = self.warmup + self.duration;
        if self.duration.is_zero() || total > RUN_MAX {
            return Err(CliError::input(format!(
                "--warmup and --duration are {} s together: measure at least 1 s, and at most {} s \
                 in all",
                total.as_secs(),
                RUN_MAX.as_secs()
            )));
        }
        Ok(Pace::over(self.rate, total, self.in_flight))
    }

    fn window(&self) -> Window {
        Window {
            from: self.warmup,
            to: self.warmup + self.duration,
        }
    }
}

impl Cast {
    fn gather(args: &Args) -> Result<Self, CliError> {
        let named = !args.members.is_empty();
        let homes = if named {
            args.members.clone()
        } else {
            devnet_homes(Path::new("devnet"))?
        };
        let mut anchor: Option<TrustAnchor> = None;
        let (mut authors, mut nodes) = (Vec::new(), Vec::new());
        for home in homes {
            let globals = Globals {
                home: Some(home.clone()),
                ..Globals::default()
            };
            let ctx = Context::new(globals);
            let member = ctx.member()?;
            if !matches!(member.role, MemberRole::Operator | MemberRole::Participant) {
                if named {
                    return Err(CliError::input(format!(
                        "{}: {} may not say such things; name operators and participants",
                        home.display(),
                        member.name
                    )));
                }
                continue;
            }
            let own = ctx.anchor()?;
            if anchor.as_ref().is_some_and(|a| a.chain_id != own.chain_id) {
                return Err(CliError::input(format!(
                    "{}: this member is of another ledger than the first one",
                    home.display()
                )));
            }
            anchor.get_or_insert_with(|| own.clone());
            authors.push(Author {
                member: member.id(),
                key: ctx.signing_key()?.clone(),
            });
            for node in ctx.config()?.nodes()? {
                if !nodes.contains(node) {
                    nodes.push(node.clone());
                }
            }
        }
        let anchor = anchor.ok_or_else(|| {
            CliError::input("no member who may speak is named")
                .hint("name the members' homes: --members devnet/members/amperia,…")
        })?;
        let nodes = if args.to.is_empty() {
            nodes
        } else {
            args.to.clone()
        };
        let nodes = nodes
            .iter()
            .map(|node| node.trim_end_matches('/').to_owned())
            .collect();
        Ok(Self {
            anchor,
            authors,
            nodes,
        })
    }
}

/// The members' homes of a devnet, by name.
fn devnet_homes(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let members = directory.join("members");
    let entries = std::fs::read_dir(&members).map_err(|error| {
        CliError::io(&members, &error)
            .hint("run `jangbu devnet up` here first, or name homes by --members DIR,…")
    })?;
    let mut homes = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| CliError::io(&members, &error))?
            .path();
        if path.join("jangbu.toml").is_file() {
            homes.push(path);
        }
    }
    homes.sort();
    Ok(homes)
}

async fn measure(
    args: &Args,
    pace: Pace,
    cast: Cast,
    run: [u8; 16],
    output: &Output,
) -> Result<Report, CliError> {
    let Cast {
        anchor,
        authors,
        nodes,
    } = cast;
    let target = Target::new(nodes, args.timeout).map_err(CliError::internal)?;
    let target = Arc::new(target);
    for node in 0..target.nodes().len() {
        check_node(&target, node, &anchor).await?;
    }
    let load = Load {
        chain: anchor.chain_id,
        authors,
        say: args.kind,
        statements: usize::from(args.statements),
        subjects: args.subjects,
        run,
    };
    let members = load.authors.len();
    let envelope_bytes = load.make(0).map_err(CliError::internal)?.len();
    prepare(&target, &load, output).await?;
    output.note("signing ahead");
    let ahead = load::start(load, pace.count, envelope_bytes).map_err(CliError::internal)?;
    ahead.filled().await;

    let window = args.window();
    let tally = Tally::new(window).map_err(CliError::internal)?;
    let mut machine = Machine::look();
    output.note(&format!(
        "{:.0} envelopes/s for {} s",
        pace.rate,
        pace.end().as_secs()
    ));
    let start = Instant::now() + LEAD;
    let own_use = async {
        tokio::time::sleep_until(start + window.from).await;
        let before = own_cpu();
        tokio::time::sleep_until(start + window.to).await;
        own_cpu().saturating_sub(before)
    };
    let (gathered, readings, own_cpu) = tokio::join!(
        drive::drive(&target, ahead.queue, pace, start, tally),
        drive::watch(&target, start, window.to),
        own_use,
    );
    machine.look_again();
    let receipts_verified = verify_kept(&gathered, &anchor)?;

    let nodes: Vec<Usage> = target
        .nodes()
        .iter()
        .zip(&readings)
        .map(|(node, readings)| Usage::of(node, readings, window))
        .collect();
    let tally = &gathered.tally;
    let statements = tally.statements_final() as f64;
    let per_statement = |seconds: f64| (statements > 0.0).then(|| seconds * 1e6 / statements);
    let node_cpu: Option<f64> = nodes.iter().map(|node| node.cpu_s).sum();
    Ok(Report {
        offered: Offered {
            envelopes_per_second: pace.rate,
            statements_per_envelope: usize::from(args.statements),
            envelope_bytes,
            say: args.kind,
            members,
            warmup_s: args.warmup.as_secs_f64(),
            duration_s: args.duration.as_secs_f64(),
        },
        machine,
        envelopes: Envelopes::of(tally, pace),
        statements_final_per_second: statements / window.seconds(),
        latency_ms: tally.latency(),
        errors: tally.errors().clone(),
        node_cpu_us_per_statement: node_cpu.and_then(per_statement),
        generator: Generator {
            cpu_us_per_statement: per_statement(own_cpu.as_secs_f64()),
            lag_ms: tally.lag(),
            in_flight_max: gathered.in_flight_max,
        },
        nodes,
        receipts_verified,
    })
}

async fn check_node(target: &Target, node: usize, anchor: &TrustAnchor) -> Result<(), CliError> {
    let url = &target.nodes()[node];
    let status = target
        .status(node)
        .await
        .map_err(|error| CliError::unreachable(format!("{url}: {error}")))?;
    if status.chain_id != anchor.chain_id {
        return Err(CliError::input(format!(
            "{url} (of {}) serves another ledger than the genesis file founds",
            status.member
        )));
    }
    Ok(())
}

/// Sends what must be there before the load, a few envelopes at a time.
async fn prepare(target: &Arc<Target>, load: &Load, output: &Output) -> Result<(), CliError> {
    let envelopes = load.preparation().map_err(CliError::internal)?;
    if !envelopes.is_empty() {
        output.note("issuing the passports that events will be about");
    }
    let mut tasks = tokio::task::JoinSet::new();
    let check = |done: Result<tally::End, tokio::task::JoinError>| match done {
        Ok(tally::End::Final { .. }) => Ok(()),
        Ok(tally::End::Failed(kind)) => Err(CliError::unknown(format!(
            "the passports could not be issued: {kind}"
        ))),
        Err(error) => Err(CliError::internal(error)),
    };
    for (number, envelope) in envelopes.into_iter().enumerate() {
        if tasks.len() >= PREPARING
            && let Some(done) = tasks.join_next().await
        {
            check(done)?;
        }
        let target = Arc::clone(target);
        tasks.spawn(async move {
            match target.submit(number, envelope).await {
                Ok((status, body)) => target::judge(status, &body),
                Err(kind) => tally::End::Failed(kind),
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        check(done)?;
    }
    Ok(())
}

fn verify_kept(gathered: &Gathered, anchor: &TrustAnchor) -> Result<u64, CliError> {
    let mut verified = 0;
    for body in &gathered.kept {
        verified += target::verify(body, anchor).map_err(|reason| {
            CliError::refused(format!(
                "a node gave a receipt that does not hold: {reason}"
            ))
        })?;
    }
    Ok(verified)
}

/// Processor time that this program has used.
fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Reads `30`, `30s`, `5m` or `1h`.
fn seconds(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) => (digits, text.as_bytes().last().copied()),
        None => (text, None),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is no time: write it like 30s, 5m or 1h"))?;
    let each = match unit {
        Some(b'm') => 60,
        Some(b'h') => 3600,
        _ => 1,
    };
    number
        .checked_mul(each)
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, expected) in [("30", 30), ("30s", 30), ("5m", 300), ("2h", 7200)] {
            assert_eq!(seconds(text), Ok(Duration::from_secs(expected)), "{text}");
        }
        for text in ["", "s", "5d", "-1", "1.5s", "99999999999999999999h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
