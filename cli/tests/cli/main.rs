//! The command line as scripts see it: exit codes, messages, and what is left on the disk when
//! something goes wrong. No node runs: a few lines of test stand in for every way in which one
//! can behave.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod home;
mod ledger;
mod server;

mod anchor;
mod bad_input;
mod bad_node;
mod ceremony;
mod reading;
mod submission;
mod verify;
