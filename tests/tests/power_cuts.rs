//! Power cuts for real: a process that writes to RocksDB dies at each write or sync it makes, and
//! what is on its disk is judged.
//!
//! One cut in so many is tried (the number is printed); `JANGBU_POWER_CUTS=all` tries each.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jangbu_node::store::RocksStore;
use jangbu_replica::store::Store as _;
use jangbu_tests::power::{Cut, Mode, Script, Shim};

/// Writes in the script.
const LENGTH: usize = 200;
/// After so many the child closes the database and opens it again, which makes tables and a new
/// log of what was in the log.
const REOPENED_AFTER: usize = 120;
/// Cuts tried unless all are.
const CUTS: usize = 200;
/// Writes that follow after a cut, to see that the store goes on.
const FOLLOWING: usize = 6;
/// For the child: where to write, and where to say what is done.
const DISK: &str = "JANGBU_POWER_CUT_DISK";
const DONE: &str = "JANGBU_POWER_CUT_DONE";

/// Also the child: writes the script where it is told, one byte said for each write done.
#[test]
fn two_hundred_writes_are_what_they_were_after_a_restart() {
    let script = Script::of(LENGTH);
    if let (Some(disk), Some(done)) = (std::env::var_os(DISK), std::env::var_os(DONE)) {
        write(&script, Path::new(&disk), Path::new(&done));
        return;
    }
    let commits = |script: &Script| script.ops.iter().filter(|op| op.is_synced()).count();
    assert!(commits(&script) > LENGTH / 2);
    let place = Place::new();
    write(&script, &place.disk, &place.done);
    assert_eq!(place.acknowledged(), LENGTH);
    let store = RocksStore::open(&place.disk, &script.chain.chain_id).unwrap();
    assert_eq!(script.judge(&store, LENGTH), Ok(LENGTH));
    // The judge can tell: one write less is not the same.
    assert!(script.judge(&store, LENGTH - 2).is_err());
    rebuild(&store, &script).unwrap();
}

#[test]
fn whatever_was_acknowledged_survives_a_cut_at_any_write_or_sync() {
    let script = Script::of(LENGTH);
    let tools = tempfile::tempdir().unwrap();
    let shim = Shim::build(tools.path());
    let place = Place::new();
    let total = shim.count(&mut place.child(), &place.disk);
    let all = (1..=total).flat_map(|at| {
        let cut = move |after, mode| Cut { at, after, mode };
        let modes = Mode::ALL.map(|mode| cut(false, mode));
        modes.into_iter().chain([cut(true, Mode::Lose)])
    });
    let all: Vec<Cut> = all.collect();
    let every = match std::env::var("JANGBU_POWER_CUTS").as_deref() {
        Ok("all") => 1,
        // No multiple of the number of modes, so that each comes in turn.
        _ => (all.len() / CUTS).max(1) | 1,
    };
    let chosen: Vec<&Cut> = all.iter().step_by(every).collect();
    println!(
        "{total} writes and syncs, {} of {} cuts",
        chosen.len(),
        all.len()
    );

    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let tally = Mutex::new([0_usize; 4]);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(cut) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match try_cut(&script, &shim, **cut) {
                        Ok(found) => tally.lock().unwrap()[found as usize] += 1,
                        Err(error) => failures.lock().unwrap().push(format!("{cut:?}: {error}")),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} cuts did harm:\n{}",
        failures.len(),
        failures.join("\n")
    );
    let [without, with, refused, ended] = tally.into_inner().unwrap();
    println!(
        "{without} without the write under way, {with} with it, {refused} refused for zeros, {ended} \
         ended before"
    );
    assert!(without > 0 && with > 0, "cuts of both outcomes");
    // Background work differs from run to run by a few calls.
    assert!(ended * 20 < chosen.len(), "{ended} children were never cut");
}

/// What a cut left.
#[derive(Clone, Copy)]
enum Found {
    Acknowledged,
    OneMore,
    Refused,
    Ended,
}

fn try_cut(script: &Script, shim: &Shim, cut: Cut) -> Result<Found, String> {
    let place = Place::new();
    let was_cut = shim.cut(&mut place.child(), &place.disk, cut)?;
    let acknowledged = place.acknowledged();
    let chain = &script.chain.chain_id;
    let open = || RocksStore::open(&place.disk, chain).map_err(|error| error.to_string());
    let mut store = match open() {
        Ok(store) => store,
        // Zeros where bytes should be are bytes that changed. File systems that order data
        // before names, as ext4 and XFS do, do not leave them; RocksDB does not guess.
        Err(error) if cut.mode == Mode::Zeros && error.contains("damaged") => {
            return Ok(Found::Refused);
        }
        Err(error) => return Err(error),
    };
    let written = script.judge(&store, acknowledged)?;
    rebuild(&store, script)?;
    let until = script.ops.len().min(written + FOLLOWING);
    // A replica gathers again the final checkpoints that were lost.
    let before = script.ops[..written].iter().filter(|op| !op.is_synced());
    for op in before.chain(&script.ops[written..until]) {
        op.apply(&mut store).map_err(|error| error.to_string())?;
    }
    drop(store);
    let store = open()?;
    script
        .judge(&store, until)
        .map_err(|error| format!("going on: {error}"))?;
    Ok(match (was_cut, written > acknowledged) {
        (false, _) => Found::Ended,
        (true, false) => Found::Acknowledged,
        (true, true) => Found::OneMore,
    })
}

fn rebuild(store: &RocksStore, script: &Script) -> Result<(), String> {
    if store.tip().map_err(|error| error.to_string())?.is_none() {
        return Ok(());
    }
    let scratch = memory_directory();
    store
        .rebuild(&script.chain, script.genesis.clone(), scratch.path())
        .map(|_| ())
        .map_err(|error| format!("rebuilt: {error}"))
}

/// The child's work.
fn write(script: &Script, disk: &Path, done: &Path) {
    let mut done = OpenOptions::new()
        .create(true)
        .append(true)
        .open(done)
        .unwrap();
    let open = || RocksStore::open(disk, &script.chain.chain_id).unwrap();
    let mut store = open();
    for (n, op) in script.ops.iter().enumerate() {
        if n == REOPENED_AFTER {
            drop(store);
            store = open();
        }
        op.apply(&mut store).unwrap();
        done.write_all(b".").unwrap();
    }
}

/// A directory for one child.
struct Place {
    disk: PathBuf,
    done: PathBuf,
    _directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = memory_directory();
        let disk = directory.path().join("disk");
        fs::create_dir(&disk).unwrap();
        Self {
            disk,
            done: directory.path().join("done"),
            _directory: directory,
        }
    }

    fn child(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "two_hundred_writes_are_what_they_were_after_a_restart",
            ])
            .env(DISK, &self.disk)
            .env(DONE, &self.done);
        command
    }

    /// How many writes the child said it had done.
    fn acknowledged(&self) -> usize {
        fs::read(&self.done).map_or(0, |said| said.len())
    }
}

/// In memory where that is possible: what a disk would lose, the shim loses, and syncing costs
/// nothing.
fn memory_directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("jangbu-power-");
        builder
    };
    builder()
        .tempdir_in(memory)
        .or_else(|_| builder().tempdir())
        .unwrap()
}
