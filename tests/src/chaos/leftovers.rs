//! What runs leave in the machine: found by their mark, removed if their process is gone.

use std::fs;
use std::path::Path;

use crate::cluster::{Mark, Namespace, SmallDisk};

/// Removes what killed runs left, and says what that was.
pub(super) fn sweep() {
    for name in Namespace::all() {
        if Mark::of(&name).is_some_and(|mark| !mark.lives()) {
            report(&name, Namespace::remove(&name));
        }
    }
    for (mark, directory) in SmallDisk::all() {
        if mark.lives() {
            continue;
        }
        report(
            &directory.display().to_string(),
            SmallDisk::unmount(&directory),
        );
        // It lay in the directory of a consortium of that run.
        let consortium = directory.ancestors().find(|path| is_cluster(path));
        if let Some(consortium) = consortium {
            let removed = fs::remove_dir_all(consortium).map_err(|error| error.to_string());
            report(&consortium.display().to_string(), removed);
        }
    }
}

/// What of this process is still there: namespaces, mounts, processes that work in `directory`,
/// and that itself.
pub(super) fn of_this_process(directory: &Path) -> Vec<String> {
    let own = Mark::own();
    let mut found: Vec<String> = Namespace::all();
    found.retain(|name| Mark::of(name) == Some(own));
    for (mark, mounted) in SmallDisk::all() {
        if mark == own && mounted.starts_with(directory) {
            found.push(format!("a disk at {}", mounted.display()));
        }
    }
    let exists = directory.exists();
    let directory = directory.display().to_string();
    if exists {
        found.push(directory.clone());
    }
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        // One that has just ended has none.
        let command = fs::read(path.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&directory) {
            found.push(format!("{}: {command}", path.display()));
        }
    }
    found
}

fn is_cluster(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("jangbu-cluster-")
}

fn report(what: &str, removed: Result<(), String>) {
    match removed {
        Ok(()) => println!("removed {what}, left by a run that was killed"),
        Err(error) => println!("{what}, left by a run that was killed, stays: {error}"),
    }
}
