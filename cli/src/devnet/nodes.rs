//! The validators of a devnet directory: who they are, where they listen, how they do.

use std::fs;
use std::path::Path;

use jangbu_genesis::Genesis;
use jangbu_genesis::document::{Content, GENESIS_BYTES_MAX};
use serde::Serialize;

use super::layout::{Layout, NodePaths};
use super::process;
use super::ready::Prober;
use crate::error::CliError;

/// A founded devnet.
pub(super) struct Devnet {
    pub(super) layout: Layout,
    pub(super) content: Content,
}

/// One validator of it.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) paths: NodePaths,
}

/// How a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum NodeState {
    /// It does its work.
    Ready,
    /// It runs, and cannot do its work yet.
    Waiting,
    /// It does not run.
    Stopped,
}

/// A node with how it does, as `--json` shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct NodeReport {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) state: NodeState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<i32>,
    /// Why it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    pub(super) log: String,
}

impl Devnet {
    /// Reads the devnet in `directory`.
    pub(super) fn open(directory: &Path) -> Result<Self, CliError> {
        let layout = Layout::at(directory);
        let file = layout.genesis();
        if !file.exists() {
            return Err(CliError::input(format!(
                "{}: there is no devnet here",
                directory.display()
            ))
            .hint("make one with `jangbu devnet up`, or name its directory with --dir"));
        }
        let bytes = read_bounded(&file, GENESIS_BYTES_MAX)?;
        let genesis = Genesis::parse(&bytes)
            .map_err(|error| CliError::input(format!("{}: {error}", file.display())))?;
        Ok(Self {
            layout,
            content: genesis.content,
        })
    }

    /// Its validators, by name.
    pub(super) fn nodes(&self) -> Result<Vec<Node>, CliError> {
        self.content
            .members
            .iter()
            .filter(|member| member.validator.is_some())
            .map(|member| {
                let paths = self.layout.node(&member.name);
                Ok(Node {
                    name: member.name.clone(),
                    url: url(&paths)?,
                    paths,
                })
            })
            .collect()
    }

    /// The validator of this name.
    pub(super) fn node(&self, name: &str) -> Result<Node, CliError> {
        let nodes = self.nodes()?;
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let unknown = CliError::input(format!("no node of this devnet is named {name:?}"))
            .hint(format!("its nodes are {}", names.join(", ")));
        nodes
            .into_iter()
            .find(|node| node.name == name)
            .ok_or(unknown)
    }
}

impl Node {
    /// How it does now.
    pub(super) fn report(&self, prober: &Prober) -> Result<NodeReport, CliError> {
        let pid = process::running(&self.paths)?;
        let answer = pid.map(|_| prober.probe(&self.url));
        let (state, reason) = match answer {
            None => (NodeState::Stopped, None),
            Some(Ok(())) => (NodeState::Ready, None),
            Some(Err(reason)) => (NodeState::Waiting, Some(reason)),
        };
        Ok(NodeReport {
            name: self.name.clone(),
            url: self.url.clone(),
            state,
            pid: pid.map(|pid| pid.as_raw_nonzero().get()),
            reason,
            log: self.paths.log().display().to_string(),
        })
    }
}

impl std::fmt::Display for NodeReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.state {
            NodeState::Ready => "ready",
            NodeState::Waiting => "waiting",
            NodeState::Stopped => "stopped",
        };
        write!(f, "{:<10} {:<24} {state}", self.name, self.url)?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// Where a node's API listens, by its configuration.
fn url(paths: &NodePaths) -> Result<String, CliError> {
    let file = paths.config();
    let text = fs::read_to_string(&file).map_err(|error| CliError::io(&file, &error))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error| CliError::input(format!("{}: {error}", file.display())))?;
    let listen = table
        .get("api")
        .and_then(|api| api.get("listen"))
        .and_then(toml::Value::as_str)
        .ok_or_else(|| {
            CliError::input(format!("{}: api.listen is missing", file.display()))
                .hint("write the address on which its API listens, like 127.0.0.1:7402")
        })?;
    Ok(format!("http://{listen}"))
}

fn read_bounded(file: &Path, bytes_max: usize) -> Result<Vec<u8>, CliError> {
    use std::io::Read as _;
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(file)
        .and_then(|opened| opened.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| CliError::io(file, &error))?;
    Ok(bytes)
}
