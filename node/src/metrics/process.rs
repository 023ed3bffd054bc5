//! What this process uses of the machine, under the names that every Prometheus client gives it.

use std::fmt::Write as _;

use rustix::time::{ClockId, clock_gettime};

/// Adds processor time and, where the system tells them, memory in use and open descriptors.
pub(super) fn push(text: &mut String) {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    writeln!(
        text,
        "# HELP process_cpu_seconds_total Processor time used, user and system.\n\
         # TYPE process_cpu_seconds_total counter\n\
         process_cpu_seconds_total {}.{:09}",
        cpu.tv_sec, cpu.tv_nsec
    )
    .expect("writing to memory cannot fail");
    if let Some(bytes) = resident_bytes() {
        writeln!(
            text,
            "# HELP process_resident_memory_bytes Memory in use.\n\
             # TYPE process_resident_memory_bytes gauge\n\
             process_resident_memory_bytes {bytes}"
        )
        .expect("writing to memory cannot fail");
    }
    if let Some(open) = open_descriptors() {
        writeln!(
            text,
            "# HELP process_open_fds Open files and sockets.\n\
             # TYPE process_open_fds gauge\n\
             process_open_fds {open}"
        )
        .expect("writing to memory cannot fail");
    }
}

/// Linux only: `/proc/self/fd` of proc(5), without the one that reads it.
fn open_descriptors() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    u64::try_from(entries.count()).ok()?.checked_sub(1)
}

/// Linux only: `VmRSS` of proc(5).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_some_time_and_memory_and_has_files_open() {
        let mut text = String::new();
        push(&mut text);
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(' '))
                .and_then(|(_, value)| value.parse().ok())
                .unwrap_or(0.0)
        };
        assert!(value("process_cpu_seconds_total") > 0.0, "{text}");
        if cfg!(target_os = "linux") {
            assert!(value("process_resident_memory_bytes") > 0.0, "{text}");
            assert!(value("process_open_fds") > 0.0, "{text}");
        }
    }
}
