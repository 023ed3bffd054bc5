//! Which links hold in which round, for which kind of message: all that a scenario is made of.
//!
//! - Proposals reach those in the same set of a partition of the five nodes.
//! - Votes of the correct ones reach each other, for without a quorum that hears each other no
//!   round would end and nothing more would happen; what a copy hears and whom it reaches is up
//!   to a partition again, one for prevotes and one for precommits. So a quorum may look
//!   different to everyone: a lock here and none there, round after round.
//!
//! The copies are interchangeable, so two scripts that differ by swapping them are one; the
//! canonical one is the lesser. The correct replicas are not, for they propose in a fixed turn.

use std::collections::{BTreeMap, BTreeSet};

use super::super::dice::Dice;

/// Nodes: three correct ones and the two copies, which come last.
pub const NODES: usize = 5;
/// Scripted rounds; later ones are whole.
pub const ROUNDS: usize = 7;
/// Validators, hence places of the doubled one in the turn.
const PLACES: usize = 4;
/// The copies.
const COPIES: [usize; 2] = [3, 4];

/// Pairs of nodes that hear each other, a bit each.
type Links = u16;

/// A scenario's script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Script {
    /// Which of the validators, in their order, is doubled.
    pub place: usize,
    rounds: [Round; ROUNDS],
}

/// Links for proposals, prevotes and precommits.
type Round = [Links; KINDS];

/// What is said: by whom it is heard is scripted for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A proposal.
    Proposal,
    /// A prevote, or a certificate of prevotes.
    Prevote,
    /// A precommit, or votes that justify a round.
    Precommit,
}

const KINDS: usize = 3;

impl Script {
    /// Whether a message of a round gets from one node to another.
    #[must_use]
    pub fn holds(&self, said: Said, round: u32, from: usize, to: usize) -> bool {
        let kind = match said {
            Said::Proposal => 0,
            Said::Prevote => 1,
            Said::Precommit => 2,
        };
        let links = usize::try_from(round).ok().and_then(|r| self.rounds.get(r));
        links.is_none_or(|links| links[kind] & bit(from, to) != 0)
    }

    /// The same script, whichever copy is called the first.
    #[must_use]
    pub fn canonical(self) -> Self {
        let swapped = Self {
            place: self.place,
            rounds: self.rounds.map(|round| round.map(swap)),
        };
        self.min(swapped)
    }
}

fn bit(a: usize, b: usize) -> Links {
    let (low, high) = (a.min(b), a.max(b));
    // Pairs in order: 01 02 03 04 12 13 14 23 24 34.
    let before = low * (2 * NODES - low - 1) / 2;
    1 << (before + high - low - 1)
}

fn swap(links: Links) -> Links {
    let twin = |n: usize| match n {
        3 => 4,
        4 => 3,
        n => n,
    };
    let held = pairs().filter(|(a, b)| links & bit(*a, *b) != 0);
    held.fold(0, |all, (a, b)| all | bit(twin(a), twin(b)))
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..NODES).flat_map(|a| (a + 1..NODES).map(move |b| (a, b)))
}

/// Every way of dividing the nodes into sets: for each node, the number of its set.
fn partitions() -> Vec<[usize; NODES]> {
    let mut all = vec![([0; NODES], 1)];
    for node in 1..NODES {
        let extended = all.iter().flat_map(|(sets, count)| {
            (0..=*count).map(move |set| {
                let mut sets = *sets;
                sets[node] = set;
                (sets, (*count).max(set + 1))
            })
        });
        all = extended.collect();
    }
    all.into_iter().map(|(sets, _)| sets).collect()
}

/// Links within sets: for everyone, and for the copies only.
fn choices() -> [Vec<Links>; 2] {
    let mut everyone = BTreeSet::new();
    let mut copies = BTreeSet::new();
    for sets in partitions() {
        let within = |a: usize, b: usize| sets[a] == sets[b];
        let of_copy = |a: usize, b: usize| COPIES.contains(&a) || COPIES.contains(&b);
        let all = |keep: &dyn Fn(usize, usize) -> bool| {
            let held = pairs().filter(|(a, b)| keep(*a, *b));
            held.fold(0, |links, (a, b)| links | bit(a, b))
        };
        everyone.insert(all(&within));
        copies.insert(all(&|a, b| within(a, b) || !of_copy(a, b)));
    }
    [everyone, copies].map(|links| links.into_iter().collect())
}

/// How many different scripts there are.
#[must_use]
pub fn canonical_count() -> u128 {
    let [proposals, votes] = choices();
    let same = |links: &[Links]| {
        links
            .iter()
            .filter(|links| swap(**links) == **links)
            .count()
    };
    let scripts = |proposals: usize, votes: usize| {
        let round = (proposals * votes * votes) as u128;
        round.pow(u32::try_from(ROUNDS).unwrap_or(0))
    };
    // Burnside: those that swapping leaves alone are counted once, all others twice.
    let all = scripts(proposals.len(), votes.len());
    PLACES as u128 * (all + scripts(same(&proposals), same(&votes))) / 2
}

/// So many different canonical scripts.
#[must_use]
pub fn sample(seed: u64, count: usize) -> Vec<Script> {
    let [proposals, votes] = choices();
    let mut dice = Dice::new(seed);
    let mut chosen: BTreeMap<Script, usize> = BTreeMap::new();
    while chosen.len() < count {
        let mut one_of = |links: &[Links]| links[dice.index(links.len())];
        let rounds = std::array::from_fn(|_| [&proposals, &votes, &votes].map(|l| one_of(l)));
        let place = dice.index(PLACES);
        let (script, number) = (Script { place, rounds }, chosen.len());
        chosen.entry(script.canonical()).or_insert(number);
    }
    let mut scripts: Vec<(Script, usize)> = chosen.into_iter().collect();
    scripts.sort_by_key(|(_, number)| *number);
    scripts.into_iter().map(|(script, _)| script).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_partitions_of_five_nodes_as_there_should_be() {
        assert_eq!(partitions().len(), 52);
        assert_eq!(choices()[0].len(), 52);
    }

    #[test]
    fn swapping_the_copies_twice_changes_nothing_and_canonical_scripts_are_distinct() {
        for links in choices().concat() {
            assert_eq!(swap(swap(links)), links);
        }
        for script in sample(1, 100) {
            assert_eq!(script.clone().canonical(), script);
        }
    }
}
