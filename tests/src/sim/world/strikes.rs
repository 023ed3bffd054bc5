//! The faults of the script, when their moment has come.

use jangbu_replica::replica::{Input, Token};

use super::super::disk::{Boundary, PowerCut};
use super::super::faults::{Fault, Kind, Planned, Point, Rot};
use super::super::oracle::Violation;
use super::{Event, World};

/// Numbers of envelopes whose execution panics lie above.
const POISON: u64 = 1 << 40;

/// The number of the envelope of a [`Fault::Poison`].
pub(super) const fn poison(planned: &Planned) -> u64 {
    POISON + planned.number as u64
}

/// Whether executing the envelope of this number panics.
pub(super) const fn is_poison(number: u64) -> bool {
    number >= POISON
}

impl World {
    /// Lets a fault strike, if there is what it could strike.
    pub(super) fn strike(&mut self, planned: &Planned) -> Result<(), Violation> {
        let n = planned.member;
        self.trace.hash(format!("{planned}").as_bytes());
        self.trace
            .tell(self.schedule.now_us(), || format!("fault {planned}"));
        match planned.fault {
            Fault::CrashAll => {
                self.tally.count(Kind::CrashAll);
                for n in 0..self.members.len() {
                    self.crash(n, Kind::Crash, false);
                }
                return Ok(());
            }
            Fault::Part(how, sides, lasts_us) => {
                if self.part(how, sides, lasts_us) {
                    self.tally.count(planned.fault.kind());
                }
                return Ok(());
            }
            _ => {}
        }
        // The others strike one that runs.
        if !self.members[n].is_up() {
            return Ok(());
        }
        match planned.fault {
            Fault::Crash(point) => self.plan_crash(n, point),
            Fault::Storm(times) => {
                self.tally.count(Kind::RestartStorm);
                self.members[n].storm = times;
                self.crash(n, Kind::Crash, false);
            }
            Fault::Slow(by_us, lasts_us) => {
                self.tally.count(Kind::SlowMember);
                self.members[n].slow_us = by_us;
                self.schedule.after(lasts_us, Event::Quick(n));
            }
            Fault::Pause(lasts_us) => {
                if self.members[n].paused.is_none() {
                    self.tally.count(Kind::Pause);
                    self.members[n].paused = Some(Vec::new());
                    self.schedule
                        .after(lasts_us, Event::Resume(n, self.members[n].life));
                }
            }
            Fault::Clock(by_ms) => self.set_clock(n, by_ms, planned.fault.kind()),
            Fault::Drift(millionths) => {
                self.tally.count(Kind::Drift);
                let now_us = self.schedule.now_us();
                self.members[n].clock.drift(now_us, millionths);
            }
            _ if self.members[n].is_byzantine => {}
            Fault::Signer => self.members[n].signer.sour(),
            Fault::FullDisk(lasts_us) => {
                self.members[n].disk.fill(true);
                self.schedule.after(lasts_us, Event::Room(n));
            }
            Fault::LostSync(writes) => {
                if self.bears_another() {
                    self.members[n].disk.lie(writes);
                }
            }
            Fault::Rot(what) => {
                if self.bears_another() {
                    self.members[n].disk.rot(what);
                    if what == Rot::Log {
                        // It is read at a restart only.
                        self.crash(n, Kind::Crash, false);
                    }
                }
            }
            Fault::Poison => {
                let (_, bytes) = self.consortium.envelope(poison(planned));
                let input = Input::Submit(vec![(Token(poison(planned)), bytes)]);
                return self.step(n, input);
            }
            Fault::Snapshot(later_us) => {
                self.members[n].backup = Some(self.members[n].disk.copy());
                self.schedule.after(later_us, Event::Restore(n));
            }
            // Seen to at the beginning.
            Fault::Late(_) | Fault::CrashAll | Fault::Part(..) => {}
        }
        Ok(())
    }

    fn plan_crash(&mut self, n: usize, point: Point) {
        let (after, at) = match point {
            Point::Now => return self.crash(n, Kind::Crash, false),
            Point::Effect(after) => {
                self.members[n].dies_after = Some((after, Kind::CrashInSending));
                return;
            }
            Point::Start(after) => {
                self.members[n].dies_in_start = Some(after);
                return self.crash(n, Kind::Crash, false);
            }
            Point::Before(after) => (after, Boundary::Before),
            Point::Torn(after) => (after, Boundary::Torn),
            Point::After(after) => (after, Boundary::After),
        };
        self.members[n].disk.cut_power(PowerCut { after, at });
    }

    fn set_clock(&mut self, n: usize, by_ms: i64, kind: Kind) {
        let now_us = self.schedule.now_us();
        let sound = self.members[n].clock.is_sound(now_us, by_ms);
        if sound || self.bears_another() {
            self.tally.count(kind);
            self.members[n].clock.set_by(now_us, by_ms);
        }
    }

    /// The copy of a member's disk takes the place of what is on it.
    pub(super) fn restore(&mut self, n: usize) {
        let Some(backup) = self.members[n].backup.take() else {
            return;
        };
        if !self.bears_another() {
            return;
        }
        self.tally.count(Kind::OldSnapshot);
        self.trace.tell(self.schedule.now_us(), || {
            format!("{n} is restored from its copy")
        });
        self.crash(n, Kind::Crash, false);
        self.members[n].disk.restore(backup);
        self.set_back(n);
    }
}
