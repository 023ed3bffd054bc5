//! A small disk: a `tmpfs` of a fixed size, mounted over a directory.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use super::Mark;

/// A mounted `tmpfs`; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    directory: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB at `directory`, which is made.
    ///
    /// # Errors
    ///
    /// Why it cannot be mounted: usually that this is not root.
    pub fn mount(directory: &Path, mib: u32) -> Result<Self, String> {
        std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        let options = options(u64::from(mib) << 20);
        mount(
            Mark::own().to_string(),
            directory,
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            options.as_c_str(),
        )
        .map_err(|error| format!("a tmpfs cannot be mounted here: {error}"))?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// Changes its size.
    pub fn resize(&self, mib: u32) {
        mount_remount(
            &self.directory,
            MountFlags::NOSUID | MountFlags::NODEV,
            options(u64::from(mib) << 20).as_c_str(),
        )
        .unwrap();
    }

    /// Takes all its free room away.
    pub fn fill(&self) {
        let statistics = rustix::fs::statvfs(&self.directory).unwrap();
        let used = (statistics.f_blocks - statistics.f_bfree) * statistics.f_frsize;
        mount_remount(
            &self.directory,
            MountFlags::NOSUID | MountFlags::NODEV,
            options(used).as_c_str(),
        )
        .unwrap();
    }

    /// Mounts by this crate's tests: who made each, and where it is.
    ///
    /// Source: proc(5), `/proc/pid/mountinfo`.
    #[must_use]
    pub fn all() -> Vec<(Mark, PathBuf)> {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let of_line = |line: &str| {
            let (before, after) = line.split_once(" - tmpfs ")?;
            let mark = Mark::of(after.split(' ').next()?)?;
            Some((mark, PathBuf::from(before.split(' ').nth(4)?)))
        };
        text.lines().filter_map(of_line).collect()
    }

    /// Unmounts whatever is mounted there.
    ///
    /// # Errors
    ///
    /// Why it stays.
    pub fn unmount(directory: &Path) -> Result<(), String> {
        // Lazily: a process that is just being killed may still have files open.
        unmount(directory, UnmountFlags::DETACH)
            .map_err(|error| format!("{} stays mounted: {error}", directory.display()))
    }

    /// Makes it read-only.
    pub fn make_read_only(&self) {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
        mount_remount(&self.directory, flags, c"").unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = Self::unmount(&self.directory) {
            eprintln!("{error}");
        }
    }
}

fn options(bytes: u64) -> CString {
    CString::new(format!("size={bytes},mode=0700")).unwrap()
}
