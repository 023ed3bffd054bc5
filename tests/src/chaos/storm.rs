//! The storm: draws faults, lets each hold for its time, ends it, and watches the victims return.
//!
//! ```text
//!   card ──▶ holds ──(its time is over)──▶ returns ──(the victims caught up)──▶ over
//! ```
//!
//! A node that is still catching up counts as disturbed: with *f* disturbed nodes allowed, the
//! next fault waits for it, or falls on it as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::checks::nothing_is_charged;
use super::deck::{Card, Deck, Fault, Layer};
use super::ground::Ground;
use super::load::Load;
use crate::cluster::{NodeProcess, PATIENCE};

/// A node this many blocks behind the first one has caught up: they are made in a second, and
/// heights are read twice a second.
pub(super) const BEHIND_MAX: u64 = 10;
/// How long a full disk may stay unnoticed: the database uses up what it had reserved first.
const UNNOTICED_MAX: Duration = Duration::from_secs(60);
/// How often the storm looks.
const TICK: Duration = Duration::from_millis(20);

/// A fault that happened.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    /// Times it was made, and nodes that suffered it.
    pub(super) times: usize,
    pub(super) victims: usize,
    /// How long victims took to catch up, where nothing else disturbed them meanwhile.
    pub(super) recoveries: Vec<Duration>,
}

/// How far a fault is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Until that moment; a full disk holds on from when the node has ended.
    Holds(Option<Instant>),
    /// Since that moment.
    Returns(Instant),
}

#[derive(Debug)]
struct Active {
    card: Card,
    victims: Vec<usize>,
    began: Instant,
    phase: Phase,
}

/// Faults, active and done.
#[derive(Debug)]
pub(super) struct Storm {
    deck: Deck,
    began: Instant,
    active: Vec<Active>,
    next: Option<(Instant, Card)>,
    interrupted: Arc<AtomicBool>,
    /// What was done, by kind.
    pub(super) tallies: BTreeMap<Fault, Tally>,
}

impl Storm {
    /// A storm that ends with a panic when `interrupted` is set.
    pub(super) fn new(deck: Deck, interrupted: Arc<AtomicBool>) -> Self {
        Self {
            deck,
            began: Instant::now(),
            active: Vec::new(),
            next: None,
            interrupted,
            tallies: BTreeMap::new(),
        }
    }

    /// Rages for so long with at most `disturbed_max` nodes disturbed at once.
    pub(super) fn rage(
        &mut self,
        ground: &mut Ground,
        load: &Load,
        length: Duration,
        disturbed_max: usize,
    ) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.look(ground, load);
            self.begin_next(ground, disturbed_max);
            std::thread::sleep(TICK);
        }
        self.next = None;
    }

    /// Kills every node at once, as a power cut would.
    pub(super) fn cut_power(&mut self, ground: &mut Ground) {
        let all: Vec<usize> = (0..ground.len()).collect();
        let mut card = self.deck.draw(1);
        card.fault = Fault::Kill;
        self.begin(ground, card, all);
    }

    /// Ends what holds, and waits until every node has recovered; returns how long that took.
    pub(super) fn calm(&mut self, ground: &mut Ground, load: &Load) -> Duration {
        let now = Instant::now();
        for active in &mut self.active {
            if let Phase::Holds(until) = &mut active.phase {
                *until = Some(now);
            }
        }
        let began = Instant::now();
        while !self.active.is_empty() {
            self.look(ground, load);
            std::thread::sleep(TICK);
        }
        began.elapsed()
    }

    /// Takes every fault one step on, and sees that nothing else went wrong.
    fn look(&mut self, ground: &mut Ground, load: &Load) {
        assert!(
            !self.interrupted.load(Ordering::Relaxed),
            "interrupted; everything is removed"
        );
        assert!(!load.failed(), "the load failed");
        self.no_node_ended_by_itself(ground);
        nothing_is_charged(ground);
        load.offer_large(self.active.iter().any(Active::waits_for_a_full_disk));
        let mut position = 0;
        while position < self.active.len() {
            if self.step(ground, position) {
                self.active.remove(position);
            } else {
                position += 1;
            }
        }
    }

    /// Takes a fault one step on; whether it is over.
    fn step(&mut self, ground: &mut Ground, position: usize) -> bool {
        let active = &self.active[position];
        match active.phase {
            Phase::Holds(None) => {
                if ended_for_want_of_room(&mut ground.cluster.nodes[active.victims[0]]) {
                    let until = Instant::now() + active.card.hold;
                    self.active[position].phase = Phase::Holds(Some(until));
                } else if active.began.elapsed() > UNNOTICED_MAX {
                    // Without anything to write it does not notice, and need not end.
                    self.say("the full disk was not noticed");
                    self.active[position].phase = Phase::Holds(Some(Instant::now()));
                }
                false
            }
            Phase::Holds(Some(until)) => {
                if Instant::now() >= until {
                    self.end(ground, position);
                }
                false
            }
            Phase::Returns(since) => self.has_recovered(ground, position, since),
        }
    }

    fn begin_next(&mut self, ground: &mut Ground, disturbed_max: usize) {
        let (due, card) = self.next.take().unwrap_or_else(|| {
            let card = self.deck.draw(disturbed_max);
            (Instant::now() + card.gap, card)
        });
        let victims = self.victims(&card, disturbed_max);
        if due > Instant::now() || victims.is_empty() {
            self.next = Some((due, card));
        } else {
            self.begin(ground, card, victims);
        }
    }

    /// Who may suffer a fault now, so that not more are disturbed than may be.
    fn victims(&self, card: &Card, disturbed_max: usize) -> Vec<usize> {
        let mut disturbed: BTreeSet<usize> = self.suffering(|_| true).collect();
        let layer = card.fault.layer();
        let taken: BTreeSet<usize> = self
            .suffering(|active| active.card.fault.layer() == layer)
            .collect();
        let mut victims = Vec::new();
        for node in &card.order {
            let has_room = disturbed.contains(node) || disturbed.len() < disturbed_max;
            if victims.len() < card.victims_max && has_room && !taken.contains(node) {
                disturbed.insert(*node);
                victims.push(*node);
            }
        }
        victims
    }

    /// Nodes that suffer a fault of some sort, or are returning from it.
    fn suffering(&self, of_sort: impl Fn(&Active) -> bool) -> impl Iterator<Item = usize> {
        let faults = self.active.iter().filter(move |active| of_sort(active));
        faults.flat_map(|active| active.victims.iter().copied())
    }

    fn begin(&mut self, ground: &mut Ground, card: Card, victims: Vec<usize>) {
        let names: Vec<&str> = victims.iter().map(|node| ground.name(*node)).collect();
        self.say(&format!(
            "{} of {} for {:.1} s",
            card.fault,
            names.join(", "),
            card.hold.as_secs_f64()
        ));
        let tally = self.tallies.entry(card.fault).or_default();
        tally.times += 1;
        tally.victims += victims.len();
        let now = Instant::now();
        let mut phase = Phase::Holds(Some(now + card.hold));
        for node in &victims {
            let has_answered = ground.has_answered(*node);
            let node = &mut ground.cluster.nodes[*node];
            match card.fault {
                // A process that has just begun takes no signal yet: it dies of it.
                Fault::Stop if has_answered => node.terminate(),
                Fault::Kill | Fault::Stop => node.kill(),
                Fault::Pause => node.pause(),
                Fault::DiskFull => {
                    ground.disk.fill();
                    phase = Phase::Holds(None);
                }
                Fault::Partition | Fault::Deaf | Fault::Mute | Fault::SlowLinks => {}
            }
        }
        self.active.push(Active {
            card,
            victims,
            began: now,
            phase,
        });
        self.apply_network(ground);
    }

    fn end(&mut self, ground: &mut Ground, position: usize) {
        let active = &mut self.active[position];
        for node in &active.victims {
            match active.card.fault {
                Fault::Kill | Fault::Stop => ground.start(*node),
                Fault::Pause => ground.cluster.nodes[*node].resume(),
                Fault::DiskFull => {
                    let full = &mut ground.cluster.nodes[*node];
                    if !ended_for_want_of_room(full) {
                        // It may be about to end, and must not do so once it has room.
                        full.kill();
                    }
                    ground.make_room();
                    ground.start(*node);
                }
                Fault::Partition | Fault::Deaf | Fault::Mute | Fault::SlowLinks => {}
            }
        }
        active.phase = Phase::Returns(Instant::now());
        self.apply_network(ground);
    }

    /// Whether the victims of a fault have caught up, or suffer another one by now.
    fn has_recovered(&mut self, ground: &Ground, position: usize, since: Instant) -> bool {
        let active = &self.active[position];
        let suffers_more = self.active.iter().enumerate().any(|(at, other)| {
            let later = at > position || matches!(other.phase, Phase::Holds(_));
            at != position && later && other.victims.iter().any(|n| active.victims.contains(n))
        });
        if suffers_more {
            return true;
        }
        let top = ground.top();
        let caught_up = |node: &usize| {
            let last = ground.agents[*node].last();
            last.is_some_and(|last| last.at > since && last.height + BEHIND_MAX >= top)
        };
        if !active.victims.iter().all(caught_up) {
            assert!(
                since.elapsed() < PATIENCE,
                "after {}, {:?} did not catch up within {PATIENCE:?}; the first is at {top}:{}",
                active.card.fault,
                active.victims,
                heights(ground)
            );
            return false;
        }
        let tally = self.tallies.entry(active.card.fault).or_default();
        tally.recoveries.push(since.elapsed());
        true
    }

    /// Puts partitions and slow links in force as the active faults have them.
    fn apply_network(&self, ground: &mut Ground) {
        let nodes = ground.len();
        let mut deaf_to = vec![BTreeSet::new(); nodes];
        let mut slow = vec![None; nodes];
        for active in &self.active {
            if !matches!(active.phase, Phase::Holds(_))
                || active.card.fault.layer() != Layer::Network
            {
                continue;
            }
            let outside = (0..nodes).filter(|node| !active.victims.contains(node));
            for (victim, other) in outside.flat_map(|o| active.victims.iter().map(move |v| (*v, o)))
            {
                if matches!(active.card.fault, Fault::Partition | Fault::Deaf) {
                    deaf_to[victim].insert(other);
                }
                if matches!(active.card.fault, Fault::Partition | Fault::Mute) {
                    deaf_to[other].insert(victim);
                }
            }
            if active.card.fault == Fault::SlowLinks {
                for victim in &active.victims {
                    slow[*victim] = Some(active.card.slowness);
                }
            }
        }
        ground.network.set_deaf_to(deaf_to);
        ground.links.set_slow(&slow);
    }

    fn no_node_ended_by_itself(&self, ground: &mut Ground) {
        let may_end: BTreeSet<usize> = self
            .suffering(|active| active.card.fault == Fault::DiskFull)
            .collect();
        for (position, node) in ground.cluster.nodes.iter_mut().enumerate() {
            if may_end.contains(&position) {
                continue;
            }
            if let Some(status) = node.ended() {
                panic!(
                    "{} ended by itself ({status}):\n{}",
                    node.name,
                    node.log_tail()
                );
            }
        }
    }

    fn say(&self, what: &str) {
        println!("{:8.1} s  {what}", self.began.elapsed().as_secs_f64());
    }
}

impl Active {
    fn waits_for_a_full_disk(&self) -> bool {
        matches!(self.phase, Phase::Holds(None))
    }
}

/// Whether a node with a full disk has ended; if so, it must have said why.
fn ended_for_want_of_room(node: &mut NodeProcess) -> bool {
    if node.ended().is_none() {
        return false;
    }
    let status = node.wait_until_ended();
    let tail = node.log_tail();
    assert!(
        status.code() == Some(1) && tail.contains("the disk is full"),
        "with a full disk, {} ended with {status}:\n{tail}",
        node.name
    );
    true
}

/// Every node's height as read last, for a failure's text.
fn heights(ground: &Ground) -> String {
    let of = |(node, agent): (usize, &super::agent::Agent)| {
        let height = agent.last().map(|reading| reading.height);
        format!(" {} {height:?}", ground.name(node))
    };
    ground.agents.iter().enumerate().map(of).collect()
}
