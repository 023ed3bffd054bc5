//! The mesh of members on loopback: with each other, with strangers, with members that break
//! the rules.

#![allow(clippy::unwrap_used, reason = "failing is how a test reports")]

mod hostile;
mod links;
