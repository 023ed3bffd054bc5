//! Many runs, added up.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::faults::{Tally, Without};
use super::oracle::Violation;
use super::run::{Failure, Plan, Report, run_without};

/// Seeds of which a run is made twice, to see that the seed decides all that happens.
const REPEATED_MAX: u64 = 100;

/// What many runs showed.
#[derive(Debug, Default)]
pub struct Volume {
    /// Runs that went well.
    pub runs: u64,
    /// Runs made a second time, in which the same happened to the last event.
    pub repeated: u64,
    /// Virtual time, in microseconds.
    pub simulated_us: u64,
    /// Real time.
    pub wall: Duration,
    /// Processor time of the whole process meanwhile.
    pub cpu: Duration,
    /// Heights decided.
    pub heights: u64,
    /// Events.
    pub events: u64,
    /// Times that a replica stopped.
    pub crashes: u64,
    /// Faults by kind.
    pub tally: Tally,
    /// Rounds that heights took since the faults healed: how many took so many.
    pub rounds_of_heights: Histogram,
    /// Rounds from an envelope's acceptance to its decision since the faults healed.
    pub rounds_of_envelopes: Histogram,
    /// The most rounds an envelope took, and in which run.
    pub slowest: Option<(u32, u64, usize)>,
    /// Runs that did not go well.
    pub failures: Vec<Failure>,
}

/// How many of a thing took so many rounds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Histogram(Vec<u64>);

impl Volume {
    /// Runs each of these seeds with each of these numbers of validators, on as many threads as
    /// there are cores; and once more each of the first hundred, with the numbers in turn.
    ///
    /// # Panics
    ///
    /// If a run does.
    #[must_use]
    pub fn run(seeds: Range<u64>, validators: &[usize], without: &Without) -> Self {
        let (began, cpu) = (Instant::now(), cpu_time());
        let sizes = validators.len() as u64;
        let next = AtomicU64::new(0);
        let work = || {
            let mut volume = Self::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let seed = seeds.start + number / sizes;
                if seed >= seeds.end {
                    return volume;
                }
                let (nth, size) = (number / sizes, number % sizes);
                let is_repeated = nth < REPEATED_MAX && nth % sizes == size;
                let size = usize::try_from(size).unwrap_or(0);
                let plan = Plan::usual(seed, validators[size]);
                let run = || run_without(plan, without, None);
                match run() {
                    Ok(report) if is_repeated => volume.add_repeated(plan, &report, run()),
                    Ok(report) => volume.add(plan, &report),
                    Err(failure) => volume.failures.push(failure),
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut all = Self::default();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                all.merge(worker.join().expect("a worker's panic is the test's"));
            }
        });
        all.wall = began.elapsed();
        all.cpu = cpu_time().saturating_sub(cpu);
        all
    }

    fn add(&mut self, plan: Plan, report: &Report) {
        self.runs += 1;
        self.simulated_us += report.now_us;
        self.heights += report.height.0;
        self.events += report.events;
        self.crashes += report.crashes;
        self.tally.add(&report.tally);
        self.rounds_of_heights.add(&report.rounds_of_heights);
        self.rounds_of_envelopes.add(&report.rounds_of_envelopes);
        let slowest = report.rounds_of_envelopes.iter().max();
        let slowest = slowest.map(|rounds| (*rounds, plan.seed, plan.validators));
        self.slowest = self.slowest.max(slowest);
    }

    /// Adds a run that was made twice; a failure, if not the same happened both times.
    pub fn add_repeated(&mut self, plan: Plan, report: &Report, again: Result<Report, Failure>) {
        if again.is_ok_and(|again| again == *report) {
            self.repeated += 1;
            self.add(plan, report);
        } else {
            let other = Violation("the same seed gave another run the second time".into());
            self.failures.push(Failure::at_end(plan, report, other));
        }
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.repeated += other.repeated;
        self.simulated_us += other.simulated_us;
        self.heights += other.heights;
        self.events += other.events;
        self.crashes += other.crashes;
        self.tally.add(&other.tally);
        self.rounds_of_heights.merge(&other.rounds_of_heights);
        self.rounds_of_envelopes.merge(&other.rounds_of_envelopes);
        self.slowest = self.slowest.max(other.slowest);
        self.failures.extend(other.failures);
    }
}

impl Histogram {
    fn add(&mut self, rounds: &[u32]) {
        for rounds in rounds {
            let place = usize::try_from(*rounds).unwrap_or(0);
            if self.0.len() <= place {
                self.0.resize(place + 1, 0);
            }
            self.0[place] += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        let len = self.0.len().max(other.0.len());
        self.0.resize(len, 0);
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum += count;
        }
    }

    /// The number of rounds within which so many of a thousand were done.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> usize {
        let all: u64 = self.0.iter().sum();
        let mut so_far = 0;
        let within = self.0.iter().position(|count| {
            so_far += count;
            so_far * 1000 >= all * per_mille
        });
        within.unwrap_or(0)
    }
}

/// p50, p99, most, and the whole distribution.
impl std::fmt::Display for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [p50, p99, most] = [500, 990, 1000].map(|q| self.quantile(q));
        write!(f, "p50 {p50}, p99 {p99}, most {most} (")?;
        let counts = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        for (position, (rounds, count)) in counts.enumerate() {
            let comma = if position > 0 { ", " } else { "" };
            write!(f, "{comma}{rounds}: {count}")?;
        }
        write!(f, ")")
    }
}

impl std::fmt::Display for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (wall, cpu) = (self.wall.as_secs_f64(), self.cpu.as_secs_f64());
        let simulated = Duration::from_micros(self.simulated_us).as_secs_f64();
        writeln!(
            f,
            "{} runs: {:.1} simulated hours in {wall:.0} s ({cpu:.0} s of processor time), \
             {:.0} times as fast as real time",
            self.runs,
            simulated / 3600.0,
            simulated / wall
        )?;
        writeln!(
            f,
            "{} heights, {} events, replicas stopped {} times; {} runs made twice, the same each time",
            self.heights, self.events, self.crashes, self.repeated
        )?;
        writeln!(f, "faults that struck:\n{}", self.tally)?;
        writeln!(f, "after the faults had healed, rounds")?;
        writeln!(f, "  of a height: {}", self.rounds_of_heights)?;
        write!(
            f,
            "  from an envelope's acceptance to its block: {}",
            self.rounds_of_envelopes
        )?;
        match self.slowest {
            Some((rounds, seed, validators)) => write!(
                f,
                "; the slowest took {rounds}, in seed {seed} with {validators} validators"
            ),
            None => Ok(()),
        }
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
