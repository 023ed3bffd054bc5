//! Crashes and restarts.

use jangbu_replica::replica::Replica;

use super::super::disk::WriteFault;
use super::super::oracle::Violation;
use super::member::Place;
use super::{Event, World};

impl World {
    pub(super) fn start(&mut self, n: usize) -> Result<(), Violation> {
        let now = self.clock(n);
        let (config, member) = (self.consortium.config(n), &mut self.members[n]);
        member.life += 1;
        if let Some(mut actor) = member.absent.take() {
            let effects = actor.start(now);
            member.place = Place::Byzantine(actor);
            return self.perform(n, effects);
        }
        member.disk.revive();
        let in_writing = self.faults.crash_at_write_per_mille / 4;
        if self.dice.chance(in_writing) {
            member.disk.arm(WriteFault {
                after: u32::try_from(self.dice.below(3)).unwrap_or(0),
                written: self.dice.chance(500),
            });
        }
        match Replica::new(config, member.disk.clone(), now) {
            Ok((replica, effects)) => {
                member.place = Place::Correct(Box::new(replica));
                self.show(n)?;
                self.perform(n, effects)
            }
            Err(_) if member.disk.is_dead() => {
                self.crash(n);
                Ok(())
            }
            Err(fatal) => Err(Violation(format!("member {n} does not start: {fatal}"))),
        }
    }

    pub(super) fn plan_crash(&mut self) {
        if let Some(range) = self.faults.crash_every_us {
            let delay = self.dice.between(range);
            self.schedule.after(delay, Event::Crash);
        }
    }

    pub(super) fn crash_someone(&mut self) {
        if self.faults.crash_every_us.is_none() {
            return;
        }
        self.plan_crash();
        if self.dice.chance(self.faults.crash_all_per_mille) {
            for n in 0..self.members.len() {
                self.crash(n);
            }
            return;
        }
        let n = self.dice.index(self.members.len());
        if self.dice.chance(self.faults.crash_at_write_per_mille) {
            let fault = WriteFault {
                after: u32::try_from(self.dice.below(8)).unwrap_or(0),
                written: self.dice.chance(500),
            };
            self.members[n].disk.arm(fault);
        } else if self.dice.chance(500) {
            self.members[n].dies_after = Some(self.dice.index(6));
        } else {
            self.crash(n);
        }
    }

    pub(super) fn crash(&mut self, n: usize) {
        let member = &mut self.members[n];
        if !member.leave() && !member.disk.is_dead() {
            return;
        }
        self.crashes += 1;
        for other in (0..self.members.len()).filter(|other| *other != n) {
            self.break_link(n, other);
        }
        for number in self.client.lost_with(n) {
            let delay = self.dice.between((10_000, 500_000));
            self.schedule.after(delay, Event::Submit(number));
        }
        let down = self.dice.between(self.faults.down_us);
        self.schedule.after(down, Event::Restart(n));
    }
}
