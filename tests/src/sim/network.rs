//! Links between members: first in, first out per class, and able to break, stall and be cut.
//!
//! A link is what the mesh gives a node: while it is up, messages of one class arrive in order
//! unless a full queue swallows one; when it breaks, all under way is lost, both ends are told,
//! and it comes back by itself. Worse than the mesh, it may also let a message overtake others
//! or arrive twice.

use std::sync::Arc;

use jangbu_replica::message::Class;

use super::dice::Dice;
use super::faults::{Cut, Faults, Kind};

/// A message under way.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) from: usize,
    pub(super) to: usize,
    epoch: u32,
    pub(super) bytes: Arc<[u8]>,
}

/// What becomes of a message.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// It arrives at these times, mostly one.
    pub(super) arrives: Vec<(u64, Frame)>,
    /// It is lost, and the link with it.
    pub(super) breaks: bool,
    /// What went wrong on the way.
    pub(super) faults: Vec<Kind>,
}

/// What becomes of a message whose time has come.
#[derive(Debug)]
pub(super) enum Arrival {
    Delivered(Frame),
    /// Held back by a stalled link, or lost with a broken one.
    Nothing,
}

#[derive(Debug, Default)]
struct Link {
    up: bool,
    /// Grows whenever the link breaks: what was sent before never arrives.
    epoch: u32,
    /// Members on different sides of a partition.
    cut: bool,
    /// Per direction: what arrives is held back, or lost.
    holds: [bool; 2],
    loses: [bool; 2],
    held: Vec<Frame>,
    /// Last arrival per direction and class: a later message never overtakes.
    last_us: [[u64; 2]; 2],
}

/// All links of a full mesh.
#[derive(Debug)]
pub(super) struct Network {
    members: usize,
    links: Vec<Link>,
}

impl Network {
    pub(super) fn new(members: usize) -> Self {
        let links = (0..members * members).map(|_| Link::default()).collect();
        Self { members, links }
    }

    /// All pairs of members.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let members = self.members;
        (0..members).flat_map(move |a| (a + 1..members).map(move |b| (a, b)))
    }

    fn link(&mut self, a: usize, b: usize) -> &mut Link {
        let (low, high) = (a.min(b), a.max(b));
        &mut self.links[low * self.members + high]
    }

    /// Sends a message on its way, `late_us` later than the link would have it.
    pub(super) fn send(
        &mut self,
        (dice, faults, now_us): (&mut Dice, &Faults, u64),
        (from, to): (usize, usize),
        (class, late_us): (Class, u64),
        bytes: Arc<[u8]>,
    ) -> Fate {
        let mut fate = Fate::default();
        let link = self.link(from, to);
        if !link.up {
            return fate;
        }
        if dice.chance(faults.lose_per_mille) {
            fate.faults.push(Kind::Loss);
            return fate;
        }
        if dice.chance(faults.break_per_mille) {
            fate.faults.push(Kind::LinkBreak);
            fate.breaks = true;
            return fate;
        }
        let mut delay = dice.between(faults.delay_us) + late_us;
        if dice.chance(faults.slow_per_mille) {
            fate.faults.push(Kind::Delay);
            delay += dice.between(faults.slow_us);
        }
        let queue = match class {
            Class::Agreement => 0,
            Class::Bulk => 1,
        };
        let last = &mut link.last_us[direction(from, to)][queue];
        let mut at_us = now_us + delay;
        if at_us < *last && dice.chance(faults.reorder_per_mille) {
            fate.faults.push(Kind::Reorder);
        } else {
            at_us = at_us.max(*last);
            *last = at_us;
        }
        let frame = Frame {
            from,
            to,
            epoch: link.epoch,
            bytes,
        };
        if dice.chance(faults.duplicate_per_mille) {
            fate.faults.push(Kind::Duplicate);
            let again = at_us + dice.between(faults.delay_us);
            fate.arrives.push((again, frame.clone()));
        }
        fate.arrives.push((at_us, frame));
        fate
    }

    pub(super) fn arrive(&mut self, frame: Frame) -> Arrival {
        let direction = direction(frame.from, frame.to);
        let link = self.link(frame.from, frame.to);
        if !link.up || link.epoch != frame.epoch || link.loses[direction] {
            return Arrival::Nothing;
        }
        if link.holds[direction] {
            link.held.push(frame);
            return Arrival::Nothing;
        }
        Arrival::Delivered(frame)
    }

    /// Breaks a link; returns its new epoch, or nothing if it was down.
    pub(super) fn break_link(&mut self, a: usize, b: usize) -> Option<u32> {
        let link = self.link(a, b);
        if !link.up {
            return None;
        }
        link.up = false;
        link.epoch += 1;
        link.held.clear();
        Some(link.epoch)
    }

    /// Brings a link up, if it is down since `epoch` and nothing keeps its ends apart.
    pub(super) fn connect(&mut self, a: usize, b: usize, epoch: u32) -> Reconnect {
        let link = self.link(a, b);
        if link.up || link.epoch != epoch {
            return Reconnect::Over;
        }
        if link.cut {
            return Reconnect::Later;
        }
        link.up = true;
        Reconnect::Up
    }

    /// Lets the links between two sides fail; returns those that broke.
    pub(super) fn part(&mut self, side: &[bool], how: Cut) -> Vec<(usize, usize, u32)> {
        let mut broken = Vec::new();
        for (a, b) in self.pairs() {
            if side[a] == side[b] {
                continue;
            }
            let one_way = direction(if side[a] { a } else { b }, if side[a] { b } else { a });
            let link = self.link(a, b);
            match how {
                Cut::Broken => {
                    link.cut = true;
                    if let Some(epoch) = self.break_link(a, b) {
                        broken.push((a, b, epoch));
                    }
                }
                Cut::Stalled => link.holds = [true; 2],
                Cut::OneWayHeld => link.holds[one_way] = true,
                Cut::OneWayLost => link.loses[one_way] = true,
            }
        }
        broken
    }

    /// When the last message that is under way now will have arrived.
    pub(super) fn busy_until_us(&self) -> u64 {
        let links = self.links.iter();
        links
            .flat_map(|link| link.last_us)
            .flatten()
            .max()
            .unwrap_or(0)
    }

    /// The links that are down, and since which epoch.
    pub(super) fn down(&mut self) -> Vec<(usize, usize, u32)> {
        let mut down = Vec::new();
        for (a, b) in self.pairs() {
            let link = self.link(a, b);
            if !link.up {
                down.push((a, b, link.epoch));
            }
        }
        down
    }

    /// Ends every partition; returns what was held back, in order.
    pub(super) fn heal(&mut self) -> Vec<Frame> {
        let mut held = Vec::new();
        for link in &mut self.links {
            link.cut = false;
            link.holds = [false; 2];
            link.loses = [false; 2];
            held.append(&mut link.held);
        }
        held
    }
}

const fn direction(from: usize, to: usize) -> usize {
    if from < to { 1 } else { 0 }
}

/// What became of an attempt to connect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reconnect {
    Up,
    Later,
    /// Another attempt came first.
    Over,
}
