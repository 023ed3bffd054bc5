//! One run, from an empty machine to an empty machine.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::checks::{
    Use, files_are_given_back, longest_stall, memory_is_flat, nothing_is_charged,
    nothing_is_proved_and_nobody_panicked, sockets_are_given_back,
};
use super::deck::{Deck, Fault};
use super::ground::Ground;
use super::leftovers;
use super::load::{Load, Outcome};
use super::report::{NodeUse, Report, Times};
use super::settings::Settings;
use super::storm::{BEHIND_MAX, Storm};
use super::watch::{Descriptors, Reading};
use crate::cluster::{COMPANIES, wait_until};
use crate::sim::Dice;

/// Longest time without anything final while at most f nodes are disturbed: many rounds, on a
/// machine that does other things as well.
const STALL_MAX: Duration = Duration::from_secs(60);
/// Share of the time with at most f disturbed.
const BOUNDED_SHARE: f64 = 0.65;
/// Longest a fault holds, and its share of the whole time.
const HOLD_MAX: Duration = Duration::from_secs(12);
const HOLD_SHARE: u32 = 12;
/// A run this long must have met every kind of fault.
const COMPLETE: Duration = Duration::from_secs(300);
const MIB: f64 = 1024.0 * 1024.0;

/// Runs chaos and checks everything; panics at the first thing that does not hold.
///
/// # Errors
///
/// Why it cannot be run on this machine at all.
pub fn run(settings: Settings) -> Result<Report, String> {
    leftovers::sweep();
    let mut dice = Dice::new(settings.seed);
    let ground = Ground::prepare(settings.nodes, &mut dice)?;
    let directory = ground.directory();
    let report = rage(ground, settings, dice);
    let left = leftovers::of_this_process(&directory);
    assert!(left.is_empty(), "after the run there is still: {left:?}");
    Ok(report)
}

fn rage(mut ground: Ground, settings: Settings, dice: Dice) -> Report {
    let interrupted = on_interrupt();
    for node in 0..ground.len() {
        ground.start(node);
    }
    ground.cluster.wait_until_ready();
    let idle = at_rest(&ground);

    let began = Instant::now();
    let load = start_load(&mut ground, settings, dice.clone());
    let hold_max = HOLD_MAX.min(settings.length / HOLD_SHARE);
    let deck = Deck::new(dice, ground.len(), hold_max, ground.small_disk);
    let mut storm = Storm::new(deck, interrupted);

    let bounded = settings.length.mul_f64(BOUNDED_SHARE);
    println!("at most {} disturbed at once:", settings.faulty_max());
    storm.rage(&mut ground, &load, bounded, settings.faulty_max());
    storm.calm(&mut ground, &load);
    let turn = Instant::now();
    println!("any number at once:");
    storm.cut_power(&mut ground);
    let rest = settings.length.saturating_sub(began.elapsed());
    storm.rage(&mut ground, &load, rest, settings.nodes);
    let calm = Instant::now();
    let healed_in = storm.calm(&mut ground, &load);
    all_are_together(&ground);

    let run = (began, began.elapsed());
    let finals = load.finals();
    let stop = Instant::now();
    let outcome = load.finish();
    let drained_in = stop.elapsed();
    let stalls = (
        longest_stall(&finals, began, turn),
        longest_stall(&finals, turn, calm),
    );
    assert!(
        stalls.0 <= STALL_MAX,
        "nothing became final for {:?} although at most {} nodes were disturbed",
        stalls.0,
        settings.faulty_max()
    );
    let first_after = finals.iter().find(|at| **at > calm);
    let times = Times {
        stalls,
        healed_in,
        final_again_in: first_after.map_or(drained_in, |at| *at - calm),
        drained_in,
    };
    check(ground, &idle, settings, storm, outcome, run, times)
}

/// A flag that the first Ctrl-C sets; the second one ends the process.
fn on_interrupt() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&interrupted)).unwrap();
        flag::register(signal, Arc::clone(&interrupted)).unwrap();
    }
    interrupted
}

/// What each node has open before anything is asked of it, all nodes being connected.
fn at_rest(ground: &Ground) -> Vec<Descriptors> {
    let others = u64::try_from(ground.len() - 1).unwrap();
    let of = |node: usize| {
        wait_until("all nodes are connected", || {
            match ground.agents[node].last() {
                Some(last) if last.peers == others => Ok(last.open),
                last => Err(format!("{} is at {last:?}", ground.name(node))),
            }
        })
    };
    (0..ground.len()).map(of).collect()
}

fn start_load(ground: &mut Ground, settings: Settings, dice: Dice) -> Load {
    let authors = COMPANIES.map(|name| ground.cluster.author(name)).into();
    let nodes = ground.agents.iter().map(|agent| agent.jobs()).collect();
    let tried = ground.tried.take().expect("a load is started once");
    Load::start(authors, nodes, tried, settings.rate, dice)
}

/// Under load, no node is more than a few blocks behind the first one.
fn all_are_together(ground: &Ground) {
    let (since, top) = (Instant::now(), ground.top());
    wait_until("no node is more than a few blocks behind", || {
        for (node, agent) in ground.agents.iter().enumerate() {
            let last = agent.last();
            match last {
                Some(last) if last.at > since && last.final_height + BEHIND_MAX >= top => {}
                _ => return Err(format!("{} is at {last:?} of {top}", ground.name(node))),
            }
        }
        Ok(())
    });
}

/// What a node used of the machine; it has given back what it does not need.
fn node_use(ground: &Ground, node: usize, idle: Descriptors, run: (Instant, Duration)) -> NodeUse {
    sockets_are_given_back(ground, node, idle);
    files_are_given_back(ground, node);
    let readings = ground.agents[node].seen().readings.clone();
    #[expect(clippy::cast_precision_loss, reason = "shown rounded")]
    let memory = Use::of(&readings, run, |reading| reading.memory_bytes as f64 / MIB);
    let most = |value: fn(&Reading) -> usize| readings.iter().map(value).max().unwrap_or(0);
    NodeUse {
        name: ground.name(node).to_owned(),
        memory,
        idle,
        most: Descriptors {
            sockets: most(|reading| reading.open.sockets),
            files: most(|reading| reading.open.files),
        },
        waiting: most(|reading| reading.waiting),
        last: readings.last().map(|last| last.open).unwrap_or_default(),
    }
}

fn check(
    mut ground: Ground,
    idle: &[Descriptors],
    settings: Settings,
    storm: Storm,
    outcome: Outcome,
    run: (Instant, Duration),
    times: Times,
) -> Report {
    let log = ground.cluster.nothing_is_lost(&outcome.book);
    nothing_is_charged(&ground);
    nothing_is_proved_and_nobody_panicked(&ground);
    let uses: Vec<NodeUse> = (0..ground.len())
        .map(|node| node_use(&ground, node, idle[node], run))
        .collect();
    for usage in &uses {
        if let Some(memory) = usage.memory {
            memory_is_flat(&usage.name, memory, run.1);
        }
    }
    if settings.length >= COMPLETE {
        for fault in Fault::ALL {
            assert!(storm.tallies.contains_key(&fault), "{fault} never came");
        }
    }
    let height = ground.top();
    // At last everybody stops in an orderly way.
    for node in &mut ground.cluster.nodes {
        node.terminate();
    }
    Report {
        settings,
        tallies: storm.tallies,
        offered: outcome.offered,
        held_back: outcome.held_back,
        open_at_stop: outcome.open_at_stop,
        answers: outcome.answers,
        latencies: outcome.latencies,
        receipts: outcome.book.entries.len(),
        entries: log.entries.len(),
        height,
        times,
        uses,
    }
}
