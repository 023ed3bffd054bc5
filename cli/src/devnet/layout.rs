//! Where everything of a devnet stands.
//!
//! ```text
//!   genesis.json
//!   members/<name>/  jangbu.toml  keys/  vault/  passphrase
//!   nodes/<name>/    node.toml  data/  node.log  pid
//! ```
//!
//! Paths inside the files are relative, so that the directory can be moved while it is down.

use std::path::{Path, PathBuf};

/// The paths of one devnet directory.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    pub(super) fn nodes(&self) -> PathBuf {
        self.root.join("nodes")
    }

    pub(super) fn member(&self, name: &str) -> MemberPaths {
        MemberPaths(self.root.join("members").join(name))
    }

    pub(super) fn node(&self, name: &str) -> NodePaths {
        NodePaths(self.nodes().join(name))
    }
}

/// The paths of one member's home.
pub(super) struct MemberPaths(PathBuf);

impl MemberPaths {
    pub(super) fn home(&self) -> &Path {
        &self.0
    }

    pub(super) fn config(&self) -> PathBuf {
        self.0.join("jangbu.toml")
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    pub(super) fn passphrase(&self) -> PathBuf {
        self.0.join("passphrase")
    }
}

/// The paths of one node's home.
#[derive(Debug, Clone)]
pub(super) struct NodePaths(PathBuf);

impl NodePaths {
    pub(super) fn home(&self) -> &Path {
        &self.0
    }

    pub(super) fn config(&self) -> PathBuf {
        self.0.join("node.toml")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("node.log")
    }

    pub(super) fn pid(&self) -> PathBuf {
        self.0.join("pid")
    }
}
