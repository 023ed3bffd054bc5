//! The profiles of the repository, and verdicts by them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bench;
mod eu_battery;
mod files;
mod inputs;
mod others;
mod verdicts;
