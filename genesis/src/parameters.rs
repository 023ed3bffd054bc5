//! The rules of agreement that every validator must follow alike.

use bincode::{Decode, Encode};
use jangbu_ledger::hash::Domain;
use jangbu_ledger::id::Digest;
use serde::{Deserialize, Serialize};

use crate::error::{GenesisError, field};

/// No time of agreement is longer: one day.
const TIME_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// What every validator must do alike. Sizes in bytes, times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Start a height with nothing to record after so long a rest.
    pub max_idle_ms: u64,
    /// How far a first proposal's time may be from a validator's clock.
    pub max_drift_ms: u64,
    /// How long a round waits for its proposal.
    pub propose_ms: u64,
    /// How long it waits for prevotes that agree.
    pub prevote_ms: u64,
    /// How long it waits for precommits that agree.
    pub precommit_ms: u64,
    /// How long until the last votes are said again.
    pub rebroadcast_ms: u64,
    /// Added to each per round.
    pub round_delta_ms: u64,
    /// No round waits longer.
    pub round_max_ms: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            max_idle_ms: 30_000,
            max_drift_ms: 5_000,
            propose_ms: 500,
            prevote_ms: 200,
            precommit_ms: 200,
            rebroadcast_ms: 500,
            round_delta_ms: 200,
            round_max_ms: 5_000,
        }
    }
}

impl Parameters {
    const DOMAIN: Domain = Domain::new("jangbu/parameters/v1");

    /// What headers carry.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest(Self::DOMAIN.hash_of(self))
    }

    /// Checks that a consortium with these rules can agree at all; errors name fields under `at`.
    pub(crate) fn check(&self, at: &str) -> Result<(), GenesisError> {
        let times = [
            ("max_idle_ms", self.max_idle_ms, 1_000),
            ("max_drift_ms", self.max_drift_ms, 100),
            ("propose_ms", self.propose_ms, 10),
            ("prevote_ms", self.prevote_ms, 10),
            ("precommit_ms", self.precommit_ms, 10),
            ("rebroadcast_ms", self.rebroadcast_ms, 10),
            ("round_delta_ms", self.round_delta_ms, 1),
            ("round_max_ms", self.round_max_ms, 10),
        ];
        for (name, value, min) in times {
            if !(min..=TIME_MS_MAX).contains(&value) {
                return Err(field(
                    format!("{at}.{name}"),
                    format!("{value} is out of bounds; write {min} to {TIME_MS_MAX} milliseconds"),
                ));
            }
        }
        let longest = self.propose_ms.max(self.prevote_ms).max(self.precommit_ms);
        if self.round_max_ms < longest {
            return Err(field(
                format!("{at}.round_max_ms"),
                format!(
                    "{} is shorter than a first round's {longest}; write that or more",
                    self.round_max_ms
                ),
            ));
        }
        Ok(())
    }
}
