//! A small disk: a `tmpfs` of a fixed size, mounted over a directory.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

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
        let options = options(mib);
        mount(
            "jangbu-test",
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
            options(mib).as_c_str(),
        )
        .unwrap();
    }

    /// Makes it read-only.
    pub fn make_read_only(&self) {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
        mount_remount(&self.directory, flags, c"").unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just being killed may still have files open.
        if let Err(error) = unmount(&self.directory, UnmountFlags::DETACH) {
            eprintln!("{} stays mounted: {error}", self.directory.display());
        }
    }
}

fn options(mib: u32) -> CString {
    CString::new(format!("size={mib}m,mode=0700")).unwrap()
}
