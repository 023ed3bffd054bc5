//! Which faults come, in which order, to whom and for how long: all from the seed.

use std::fmt;
use std::time::Duration;

use crate::sim::Dice;

use super::links::Slowness;

/// What is done to nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// `kill -9`, and started again later.
    Kill,
    /// Told to stop, which must go well, and started again later.
    Stop,
    /// SIGSTOP, later SIGCONT.
    Pause,
    /// Neither side hears the other.
    Partition,
    /// The victims do not hear the others.
    Deaf,
    /// The others do not hear the victims.
    Mute,
    /// Every byte to and from a victim takes time, on the links that pass a proxy.
    SlowLinks,
    /// No room left on the disk: the node ends by itself; later there is room and it is started.
    DiskFull,
}

/// What a fault takes hold of: a node suffers at most one of each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    Process,
    Network,
}

impl Fault {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Kill,
        Self::Stop,
        Self::Pause,
        Self::Partition,
        Self::Deaf,
        Self::Mute,
        Self::SlowLinks,
        Self::DiskFull,
    ];

    pub(super) fn layer(self) -> Layer {
        match self {
            Self::Kill | Self::Stop | Self::Pause | Self::DiskFull => Layer::Process,
            Self::Partition | Self::Deaf | Self::Mute | Self::SlowLinks => Layer::Network,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kill => "kill -9",
            Self::Stop => "stop (SIGTERM)",
            Self::Pause => "pause (SIGSTOP)",
            Self::Partition => "partition",
            Self::Deaf => "one-way: deaf",
            Self::Mute => "one-way: mute",
            Self::SlowLinks => "slow links",
            Self::DiskFull => "disk full",
        })
    }
}

/// One fault to come.
#[derive(Debug, Clone)]
pub(super) struct Card {
    /// How long after the one before it may begin.
    pub(super) gap: Duration,
    pub(super) fault: Fault,
    /// How many victims there should be, at most.
    pub(super) victims_max: usize,
    /// The nodes, those first that should suffer first.
    pub(super) order: Vec<usize>,
    /// How long it holds; for a process that ended, how long it stays down.
    pub(super) hold: Duration,
    /// How slow, if it is that.
    pub(super) slowness: Slowness,
}

/// An endless shuffled deck: every fault comes once before any comes again.
#[derive(Debug)]
pub(super) struct Deck {
    dice: Dice,
    rest: Vec<Fault>,
    nodes: usize,
    hold_ms_max: u64,
    small_disk: usize,
}

impl Deck {
    /// The deck of a seed; only the node `small_disk` can run out of room.
    pub(super) fn new(dice: Dice, nodes: usize, hold_max: Duration, small_disk: usize) -> Self {
        Self {
            dice,
            rest: Vec::new(),
            nodes,
            hold_ms_max: u64::try_from(hold_max.as_millis()).unwrap(),
            small_disk,
        }
    }

    /// The next fault, with at most so many victims.
    pub(super) fn draw(&mut self, victims_max: usize) -> Card {
        if self.rest.is_empty() {
            self.rest = self.shuffled(Fault::ALL.to_vec());
        }
        let fault = self.rest.pop().expect("it was filled");
        let dice = &mut self.dice;
        let slowness = Slowness {
            delay: Duration::from_millis(dice.between((20, 300))),
            bytes_per_second: 1024 * dice.between((32, 512)),
        };
        let gap = Duration::from_millis(dice.between((100, 1500)));
        let hold = Duration::from_millis(dice.between((300, self.hold_ms_max)));
        let victims_max = 1 + dice.index(victims_max);
        let (order, victims_max) = match fault {
            Fault::DiskFull => (vec![self.small_disk], 1),
            _ => (self.shuffled((0..self.nodes).collect()), victims_max),
        };
        Card {
            gap,
            fault,
            victims_max,
            order,
            hold,
            slowness,
        }
    }

    fn shuffled<T>(&mut self, mut list: Vec<T>) -> Vec<T> {
        for last in (1..list.len()).rev() {
            list.swap(last, self.dice.index(last + 1));
        }
        list
    }
}
