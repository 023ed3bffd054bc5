//! Processor time and wall time of something that is done many times.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Samples of one operation.
#[derive(Debug, Default)]
pub struct Samples {
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
}

/// Processor time of this thread so far.
#[must_use]
pub fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Processor time of all threads of this process so far.
#[must_use]
pub fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

impl Samples {
    /// Runs `operation` on this thread and keeps what it took.
    pub fn take<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        let (cpu, wall) = (thread_cpu(), Instant::now());
        let result = operation();
        self.wall.push(wall.elapsed());
        self.cpu.push(thread_cpu().saturating_sub(cpu));
        result
    }

    /// Median processor time.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        quantile(&self.cpu, 50)
    }

    /// The wall time that `percent` of the samples stay within.
    #[must_use]
    pub fn wall(&self, percent: usize) -> Duration {
        quantile(&self.wall, percent)
    }
}

fn quantile(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * percent.min(100) / 100)
        .copied()
        .unwrap_or_default()
}

/// Microseconds for one of `count`.
#[must_use]
pub fn each_us(time: Duration, count: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = count.max(1) as f64;
    time.as_secs_f64() * 1e6 / count
}

/// The machine's load average over the last minute, as Linux tells it.
#[must_use]
pub fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split_whitespace().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into())
}
