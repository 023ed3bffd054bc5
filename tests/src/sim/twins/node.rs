//! One node of a scenario: consensus, its timers, and a block for whenever it is asked for one.

use std::collections::BTreeMap;

use jangbu_consensus::{
    CommitCertificate, Consensus, ConsensusMessage, Effect, Input, Timeouts, TimerId, TimerKind,
};
use jangbu_ledger::id::{BlockId, Height};

use super::super::consortium::Consortium;
use super::super::oracle::Violation;

/// The only height that is agreed upon.
pub(super) const HEIGHT: Height = Height(1);
/// No time-out is longer.
const TIMEOUT_MAX_MS: u64 = 1_000;

pub(super) struct Node {
    number: usize,
    consensus: Consensus,
    pub(super) timers: BTreeMap<TimerId, u64>,
    pub(super) decided: Option<CommitCertificate>,
}

impl Node {
    /// Node `number`, which has the keys of this validator.
    pub(super) fn new(consortium: &Consortium, number: usize, validator: usize) -> Self {
        let config = consortium.config(validator);
        let timeouts = Timeouts {
            max_ms: TIMEOUT_MAX_MS,
            ..config.timeouts
        };
        let chain = config.chain;
        Self {
            number,
            consensus: Consensus::new(
                chain.chain_id,
                chain.validator_set,
                timeouts,
                config.signer,
                Height(0),
            ),
            timers: BTreeMap::new(),
            decided: None,
        }
    }

    /// What it said in the running height, for one that reconnects.
    pub(super) fn current(&self) -> Vec<ConsensusMessage> {
        self.consensus.current_messages().cloned().collect()
    }

    /// The timer that rings next, not counting those that only say things again.
    pub(super) fn next_timer(&self, and_rebroadcast: bool) -> Option<(u64, TimerId)> {
        let timers = self.timers.iter().map(|(id, due)| (*due, *id));
        let kept = timers.filter(|(_, id)| and_rebroadcast || id.kind != TimerKind::Rebroadcast);
        kept.min()
    }

    /// One input and all that follows from it at once; returns what it says to everyone.
    pub(super) fn step(
        &mut self,
        now_ms: u64,
        input: Input,
    ) -> Result<Vec<ConsensusMessage>, Violation> {
        let mut said = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let stopped = |fatal| Violation(format!("node {} stopped: {fatal}", self.number));
            for effect in self.consensus.step(input).map_err(stopped)? {
                match effect {
                    Effect::Send(message) => said.push(message),
                    Effect::GetValue { height, round } => inputs.push(Input::ProposeValue {
                        height,
                        round,
                        block_id: self.block(round),
                    }),
                    Effect::NeedBlock { height, block_id } => inputs.push(Input::Value {
                        height,
                        block_id,
                        valid: true,
                    }),
                    Effect::ScheduleTimer { id, after_ms } => {
                        if after_ms > TIMEOUT_MAX_MS {
                            let number = self.number;
                            let what = format!("node {number} waits {after_ms} ms: {id:?}");
                            return Err(Violation(what));
                        }
                        self.timers.insert(id, now_ms + after_ms);
                    }
                    Effect::CancelTimer(id) => {
                        self.timers.remove(&id);
                    }
                    Effect::Decide(certificate) => self.decided = Some(certificate),
                    // A replica that hears its twin stops voting; these go on.
                    Effect::Forgotten(_)
                    | Effect::Persist(..)
                    | Effect::Sync
                    | Effect::Restream(_)
                    | Effect::Reject(_)
                    | Effect::Evidence(_) => {}
                }
            }
        }
        Ok(said)
    }

    /// What it proposes in a round: the copies propose different blocks.
    fn block(&self, round: u32) -> BlockId {
        let mut id = [0; 32];
        id[0] = u8::try_from(self.number).unwrap_or(u8::MAX);
        id[1..5].copy_from_slice(&round.to_be_bytes());
        BlockId(id)
    }
}
