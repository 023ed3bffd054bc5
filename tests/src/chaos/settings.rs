//! What a run is asked for, by the environment.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::str::FromStr;
use std::time::Duration;

/// Length of a run if nothing is said: a few faults of each mode, among all other tests.
const MINUTES_DEFAULT: f64 = 0.2;
/// Envelopes per second if nothing is said: leaves most of two processors to the nodes' recovery.
const RATE_DEFAULT: f64 = 30.0;

/// How long, how many, from which seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How long faults are made: `JANGBU_CHAOS_MINUTES`.
    pub length: Duration,
    /// 4 or 7 nodes: `JANGBU_CHAOS_NODES`.
    pub nodes: usize,
    /// Decides the faults: `JANGBU_CHAOS_SEED`.
    pub seed: u64,
    /// Envelopes per second: `JANGBU_CHAOS_RATE`.
    pub rate: f64,
    /// Whether a run that cannot be made is a failure: its length was asked for, and not said to
    /// be dispensable by `JANGBU_CHAOS_OPTIONAL`.
    pub needed: bool,
}

impl Settings {
    /// Reads them; a random seed if none is set.
    #[must_use]
    pub fn from_environment() -> Self {
        let minutes = variable("JANGBU_CHAOS_MINUTES");
        let optional = variable("JANGBU_CHAOS_OPTIONAL").unwrap_or(0_u8);
        let settings = Self {
            length: Duration::from_secs_f64(minutes.unwrap_or(MINUTES_DEFAULT) * 60.0),
            nodes: variable("JANGBU_CHAOS_NODES").unwrap_or(4),
            seed: variable("JANGBU_CHAOS_SEED")
                .unwrap_or_else(|| RandomState::new().build_hasher().finish()),
            rate: variable("JANGBU_CHAOS_RATE").unwrap_or(RATE_DEFAULT),
            needed: minutes.is_some() && optional == 0,
        };
        assert!(optional <= 1, "JANGBU_CHAOS_OPTIONAL: 0 or 1");
        assert!(
            matches!(settings.nodes, 4 | 7),
            "JANGBU_CHAOS_NODES: 4 or 7"
        );
        settings
    }

    /// How many nodes may be disturbed at once while the ledger has to go on.
    #[must_use]
    pub fn faulty_max(&self) -> usize {
        (self.nodes - 1) / 3
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(_) => panic!("{name}={text:?}: not a number of that sort"),
    }
}
