//! Messages on links, links that break and come back, partitions.

use std::sync::Arc;

use jangbu_replica::message::Class;
use jangbu_replica::replica::Input;

use super::super::network::{Fate, Reconnect};
use super::super::oracle::Violation;
use super::{Event, World, peer};

impl World {
    pub(super) fn send(&mut self, from: usize, to: usize, class: Class, bytes: Arc<[u8]>) {
        let now_us = self.schedule.now_us();
        let chance = (&mut self.dice, &self.faults, now_us);
        match self.network.send(chance, (from, to), class, bytes) {
            Fate::Arrives(at_us, frame) => self.schedule.at(at_us, Event::Arrive(frame)),
            Fate::Lost => {}
            Fate::Breaks => self.break_link(from, to),
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
        let both_up = [a, b].iter().all(|n| self.members[*n].is_up());
        let outcome = if both_up {
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

    pub(super) fn plan_partition(&mut self) {
        if let Some(range) = self.faults.partition_every_us {
            let delay = self.dice.between(range);
            self.schedule.after(delay, Event::Part);
        }
    }

    pub(super) fn part(&mut self) {
        if self.faults.partition_every_us.is_none() {
            return;
        }
        let side: Vec<bool> = (0..self.members.len())
            .map(|_| self.dice.chance(500))
            .collect();
        let stall = self.dice.chance(self.faults.stall_per_mille);
        for (a, b, epoch) in self.network.part(&side, stall) {
            self.link_broke(a, b, epoch);
        }
        let lasts = self.dice.between(self.faults.partition_us);
        self.schedule.after(lasts, Event::Heal);
        self.plan_partition();
    }

    pub(super) fn end_partition(&mut self) {
        for frame in self.network.heal() {
            self.schedule.after(0, Event::Arrive(frame));
        }
    }
}
