//! Messages on links, links that break and come back, partitions.

use std::sync::Arc;

use jangbu_replica::message::Class;
use jangbu_replica::replica::Input;

use super::super::faults::Cut;
use super::super::network::Reconnect;
use super::super::oracle::Violation;
use super::super::trace;
use super::{Event, World, peer};

impl World {
    pub(super) fn send(&mut self, from: usize, to: usize, class: Class, bytes: Arc<[u8]>) {
        let now_us = self.schedule.now_us();
        let late_us = self.members[from].slow_us + self.members[to].slow_us;
        let chance = (&mut self.dice, &self.faults, now_us);
        let fate = self
            .network
            .send(chance, (from, to), (class, late_us), Arc::clone(&bytes));
        for kind in &fate.faults {
            self.tally.count(*kind);
            self.trace.tell(now_us, || {
                let words = trace::in_words(&bytes);
                format!("{from} to {to}: {} strikes: {words}", kind.name())
            });
        }
        for (at_us, frame) in fate.arrives {
            self.schedule.at(at_us, Event::Arrive(frame));
        }
        if fate.breaks {
            self.break_link(from, to);
        }
    }

    pub(super) fn break_link(&mut self, a: usize, b: usize) {
        if let Some(epoch) = self.network.break_link(a, b) {
            self.link_broke(a, b, epoch);
        }
    }

    fn link_broke(&mut self, a: usize, b: usize, epoch: u32) {
        for (n, other) in [(a, b), (b, a)] {
            let delay = self.dice.below(5_000);
            let life = self.members[n].life;
            self.schedule
                .after(delay, Event::Disconnected(n, life, other));
        }
        let delay = self.dice.between(self.faults.reconnect_us);
        self.schedule.after(delay, Event::Reconnect(a, b, epoch));
    }

    pub(super) fn reconnect(&mut self, a: usize, b: usize, epoch: u32) -> Result<(), Violation> {
        let both = [a, b].iter().all(|n| self.members[*n].listens());
        let outcome = if both {
            self.network.connect(a, b, epoch)
        } else {
            Reconnect::Later
        };
        match outcome {
            Reconnect::Up => {
                self.step(a, Input::Connected(peer(b)))?;
                self.step(b, Input::Connected(peer(a)))
            }
            Reconnect::Later => {
                self.schedule.after(20_000, Event::Reconnect(a, b, epoch));
                Ok(())
            }
            Reconnect::Over => Ok(()),
        }
    }

    /// Lets the links between two sides fail; whether there are any.
    pub(super) fn part(&mut self, how: Cut, sides: u32, lasts_us: u64) -> bool {
        let side: Vec<bool> = (0..self.members.len())
            .map(|n| sides >> n & 1 == 1)
            .collect();
        if side.iter().all(|s| *s) || side.iter().all(|s| !*s) {
            return false;
        }
        for (a, b, epoch) in self.network.part(&side, how) {
            self.link_broke(a, b, epoch);
        }
        self.schedule.after(lasts_us, Event::Heal);
        true
    }

    pub(super) fn end_partition(&mut self) {
        for frame in self.network.heal() {
            self.schedule.after(0, Event::Arrive(frame));
        }
    }
}
