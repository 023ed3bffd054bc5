//! Plays a script: messages arrive at once or never, timers ring when nothing is under way.

use std::collections::VecDeque;

use jangbu_consensus::{CommitCertificate, ConsensusMessage, Input, VoteType};

use super::super::conduct::Conduct;
use super::super::consortium::Consortium;
use super::super::oracle::Violation;
use super::node::{HEIGHT, Node};
use super::script::{NODES, Said, Script};

/// The correct nodes come first.
const CORRECT: usize = 3;
/// Rounds in which all must be decided, once every link holds: a hidden lock needs the core's
/// relief at its tenth.
const ROUNDS_MAX: u32 = 12;

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The round that decided.
    pub round: u32,
    /// Whether every link had to hold before all had decided.
    pub healed: bool,
}

/// A script being played.
pub struct Scenario {
    script: Script,
    nodes: Vec<Node>,
    conduct: Conduct,
    consortium: Consortium,
    under_way: VecDeque<(usize, ConsensusMessage)>,
    now_ms: u64,
    healed: bool,
    /// The last round that anyone spoke in.
    round: u32,
}

impl Scenario {
    /// Plays it to the end.
    ///
    /// # Errors
    ///
    /// [`Violation`] if correct nodes disagree, say what they should not, or do not decide.
    pub fn play(script: Script) -> Result<Ending, Violation> {
        let consortium = Consortium::new(4);
        let mut correct = (0..consortium.size()).filter(|n| *n != script.place);
        let nodes = (0..NODES).map(|number| {
            let validator = correct.next().unwrap_or(script.place);
            Node::new(&consortium, number, validator)
        });
        let mut scenario = Self {
            nodes: nodes.collect(),
            conduct: Conduct::new(consortium.validators()),
            script,
            consortium,
            under_way: VecDeque::new(),
            now_ms: 0,
            healed: false,
            round: 0,
        };
        for n in 0..NODES {
            scenario.step(n, Input::StartHeight { log: Vec::new() })?;
        }
        scenario.run()
    }

    fn run(&mut self) -> Result<Ending, Violation> {
        loop {
            while let Some((to, message)) = self.under_way.pop_front() {
                self.step(to, Input::Message(message))?;
            }
            if self.decided().count() == CORRECT {
                break;
            }
            let known = self.decided().next().cloned();
            if let Some(certificate) = known.filter(|_| self.healed) {
                self.catch_up(&certificate)?;
                continue;
            }
            // Whoever has decided says nothing more of this height.
            let running = (0..NODES).filter(|n| self.nodes[*n].decided.is_none());
            let timers = running.filter_map(|n| {
                let (due, id) = self.nodes[n].next_timer(self.healed)?;
                Some((due, n, id))
            });
            let Some((due, n, id)) = timers.min() else {
                self.heal()?;
                continue;
            };
            self.now_ms = self.now_ms.max(due);
            self.nodes[n].timers.remove(&id);
            self.step(n, Input::Timeout(id))?;
            let last = u32::try_from(super::ROUNDS).unwrap_or(0) + ROUNDS_MAX;
            if self.round > last {
                return Err(Violation(format!("undecided in round {}", self.round)));
            }
        }
        let round = self.decided().map(|certificate| certificate.round).max();
        Ok(Ending {
            round: round.unwrap_or(0),
            healed: self.healed,
        })
    }

    /// The certificates of correct nodes that have decided.
    fn decided(&self) -> impl Iterator<Item = &CommitCertificate> {
        let correct = self.nodes.iter().take(CORRECT);
        correct.filter_map(|node| node.decided.as_ref())
    }

    fn step(&mut self, n: usize, input: Input) -> Result<(), Violation> {
        if self.nodes[n].decided.is_some() {
            return Ok(());
        }
        let said = self.nodes[n].step(self.now_ms, input)?;
        if n < CORRECT {
            self.conduct.hears(&said)?;
        } else {
            said.iter()
                .for_each(|message| self.conduct.hears_signed(message));
        }
        for message in &said {
            self.say(n, message);
        }
        if n < CORRECT
            && let Some(certificate) = self.nodes[n].decided.clone()
        {
            self.conduct.certified(&certificate)?;
            self.agrees(&certificate)?;
        }
        Ok(())
    }

    fn say(&mut self, from: usize, message: &ConsensusMessage) {
        let (said, round) = kind_of(message);
        self.round = self.round.max(round);
        for to in (0..NODES).filter(|to| *to != from) {
            if self.healed || self.script.holds(said, round, from, to) {
                self.under_way.push_back((to, message.clone()));
            }
        }
    }

    fn agrees(&self, certificate: &CommitCertificate) -> Result<(), Violation> {
        let other = self.decided().find(|c| c.block_id != certificate.block_id);
        match other {
            Some(other) => Err(Violation(format!(
                "two decisions: {} in round {}, {} in round {}",
                certificate.block_id, certificate.round, other.block_id, other.round
            ))),
            None => Ok(()),
        }
    }

    /// From now on every link holds; who reconnects is told what was said.
    fn heal(&mut self) -> Result<(), Violation> {
        if self.healed {
            return Err(Violation("nothing is left to happen".into()));
        }
        self.healed = true;
        for n in 0..NODES {
            for message in self.nodes[n].current() {
                self.say(n, &message);
            }
        }
        Ok(())
    }

    /// Those behind take the decision from one that has it.
    fn catch_up(&mut self, certificate: &CommitCertificate) -> Result<(), Violation> {
        let chain = self.consortium.config(0).chain;
        let verified = certificate.verify(&chain.chain_id, &chain.validator_set);
        if certificate.height != HEIGHT || verified.is_err() {
            return Err(Violation(format!(
                "{certificate:?} does not hold: {verified:?}"
            )));
        }
        for node in self.nodes.iter_mut().take(CORRECT) {
            node.decided.get_or_insert_with(|| certificate.clone());
        }
        Ok(())
    }
}

/// What it is, and of which round.
const fn kind_of(message: &ConsensusMessage) -> (Said, u32) {
    match message {
        ConsensusMessage::Vote(signed) => match signed.vote.vote_type {
            VoteType::Prevote => (Said::Prevote, signed.vote.round),
            VoteType::Precommit => (Said::Precommit, signed.vote.round),
        },
        ConsensusMessage::Proposal(signed) => (Said::Proposal, signed.proposal.round),
        ConsensusMessage::Polka(certificate) => (Said::Prevote, certificate.round),
        ConsensusMessage::Round(certificate) => (Said::Precommit, certificate.round),
    }
}
