//! `jangbu`, the command line of the Jangbu provenance ledger.

use std::process::ExitCode;

use clap::Parser as _;
use jangbu::args::Args;

fn main() -> ExitCode {
    jangbu::run(Args::parse())
}
