//! A node as a process of its own: started so that it outlives the command, found again by its
//! pid file, stopped for certain.
//!
//! A pid alone proves nothing, the system gives it to another process later. A process is a
//! devnet's node if it runs `jangbu-node` in that node's directory.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::layout::NodePaths;
use crate::error::CliError;

/// Names the node's program where it does not stand beside this one.
pub(super) const BINARY_VARIABLE: &str = "JANGBU_NODE_BIN";
const BINARY_NAME: &str = "jangbu-node";
/// How long a node may take to stop when asked: its requests drain for 5 seconds at most.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the system may take to end a killed process.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a process that must end is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The node's program: what the environment names, else the one beside this program.
pub(super) fn binary() -> Result<PathBuf, CliError> {
    if let Some(named) = std::env::var_os(BINARY_VARIABLE) {
        let path = PathBuf::from(named);
        return fs::canonicalize(&path).map_err(|error| {
            CliError::io(&path, &error).hint(format!(
                "{BINARY_VARIABLE} names it; set it to {BINARY_NAME}'s path"
            ))
        });
    }
    let own = std::env::current_exe()
        .map_err(|error| CliError::internal(format!("this program has no path: {error}")))?;
    let beside = own.with_file_name(BINARY_NAME);
    if beside.is_file() {
        Ok(beside)
    } else {
        Err(
            CliError::input(format!("{}: there is no such program", beside.display())).hint(
                format!("build it with `make build`, or set {BINARY_VARIABLE} to its path"),
            ),
        )
    }
}

/// Starts a node that outlives this program; its log lines go to its log file.
pub(super) fn start(binary: &Path, paths: &NodePaths) -> Result<Child, CliError> {
    let home = fs::canonicalize(paths.home()).map_err(|e| CliError::io(paths.home(), &e))?;
    let log_file = paths.log();
    let log = File::options()
        .create(true)
        .append(true)
        .open(&log_file)
        .map_err(|error| CliError::io(&log_file, &error))?;
    let errors = log
        .try_clone()
        .map_err(|error| CliError::io(&log_file, &error))?;
    if !home.join("data").exists() {
        found(binary, &home)?;
    }
    let child = Command::new(binary)
        .arg("run")
        .arg("--config")
        .arg(home.join("node.toml"))
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        // A group of its own: an interrupt on the terminal is not meant for it.
        .process_group(0)
        .spawn()
        .map_err(|error| CliError::io(binary, &error))?;
    let pid_file = paths.pid();
    match fs::write(&pid_file, format!("{}\n", child.id())) {
        Ok(()) => Ok(child),
        Err(error) => {
            let mut child = child;
            end_child(&mut child, paths)?;
            Err(CliError::io(&pid_file, &error))
        }
    }
}

/// Makes a node's database: it never voted before.
fn found(binary: &Path, home: &Path) -> Result<(), CliError> {
    let init = Command::new(binary)
        .arg("init")
        .arg("--config")
        .arg(home.join("node.toml"))
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| CliError::io(binary, &error))?;
    if init.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&init.stderr);
    Err(CliError::input(format!(
        "{}: {}",
        home.display(),
        said.trim_end()
    )))
}

/// The node's process, if it runs.
pub(super) fn running(paths: &NodePaths) -> Result<Option<Pid>, CliError> {
    let pid_file = paths.pid();
    let text = match fs::read_to_string(&pid_file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CliError::io(&pid_file, &error)),
    };
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| {
        CliError::input(format!(
            "{}: {:?} is no process number",
            pid_file.display(),
            text.chars().take(40).collect::<String>()
        ))
        .hint("if no jangbu-node of this devnet runs, remove the file")
    })?;
    Ok(is_node(pid, paths).then_some(pid))
}

/// Stops the nodes that run, all at once; kills what does not stop in time. Returns how many
/// had to be killed.
pub(super) fn stop(all: &[NodePaths]) -> Result<usize, CliError> {
    let mut left = Vec::new();
    for paths in all {
        if let Some(pid) = running(paths)? {
            send(pid, Signal::TERM)?;
            left.push((pid, paths));
        }
    }
    wait(&mut left, STOP_TIMEOUT);
    let killed = left.len();
    for (pid, _) in &left {
        send(*pid, Signal::KILL)?;
    }
    wait(&mut left, KILL_TIMEOUT);
    if let Some((pid, _)) = left.first() {
        return Err(CliError::internal(format!(
            "process {} does not end, though it was killed",
            pid.as_raw_nonzero()
        )));
    }
    for paths in all {
        forget(paths)?;
    }
    Ok(killed)
}

/// Removes the pid file of a node that ended.
fn forget(paths: &NodePaths) -> Result<(), CliError> {
    let pid_file = paths.pid();
    match fs::remove_file(&pid_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CliError::io(&pid_file, &error))
        }
        _ => Ok(()),
    }
}

/// Ends a node that this program started and reaps it.
pub(super) fn end_child(child: &mut Child, paths: &NodePaths) -> Result<(), CliError> {
    let failed =
        |error: std::io::Error| CliError::internal(format!("a node cannot be stopped: {error}"));
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
        && child.try_wait().map_err(failed)?.is_none()
    {
        send(pid, Signal::TERM)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline && child.try_wait().map_err(failed)?.is_none() {
            sleep(LOOK_INTERVAL);
        }
    }
    if child.try_wait().map_err(failed)?.is_none() {
        child.kill().map_err(failed)?;
    }
    child.wait().map(drop).map_err(failed)?;
    forget(paths)
}

fn wait(left: &mut Vec<(Pid, &NodePaths)>, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    loop {
        left.retain(|(pid, paths)| is_node(*pid, paths));
        if left.is_empty() || Instant::now() >= deadline {
            return;
        }
        sleep(LOOK_INTERVAL);
    }
}

fn send(pid: Pid, signal: Signal) -> Result<(), CliError> {
    match kill_process(pid, signal) {
        // Gone already is what was wanted.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(CliError::input(format!(
            "process {} cannot be signalled: {error}",
            pid.as_raw_nonzero()
        ))
        .hint("run the command as the user who started the devnet")),
    }
}

/// Whether the process runs `jangbu-node` in this node's directory. A process that ended but
/// was not reaped yet has neither program nor directory.
fn is_node(pid: Pid, paths: &NodePaths) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let (Ok(program), Ok(directory), Ok(home)) = (
        fs::read_link(process.join("exe")),
        fs::read_link(process.join("cwd")),
        fs::canonicalize(paths.home()),
    ) else {
        return false;
    };
    // A program that was built anew since shows as "jangbu-node (deleted)".
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(BINARY_NAME) && directory == home
}
