//! Starts, crashes, and members that stop because something failed them.

use jangbu_ledger::id::Height;
use jangbu_replica::replica::{Fatal, Replica};
use jangbu_replica::store::StoreError;

use super::super::disk::{Boundary, Image, PowerCut, Trouble};
use super::super::faults::{Kind, Rot};
use super::super::oracle::Violation;
use super::super::signer::MoodySigner;
use super::member::Place;
use super::{Event, World};

/// How long an operator takes to look again whether a disk has room.
const LOOK_AGAIN_US: u64 = 100_000;

impl World {
    pub(super) fn start(&mut self, n: usize) -> Result<(), Violation> {
        let now = self.clock(n);
        let lost = self.dice.index(4);
        let mut config = self.consortium.config(n);
        let member = &mut self.members[n];
        if member.disk.is_full() {
            self.schedule.after(LOOK_AGAIN_US, Event::Restart(n));
            return Ok(());
        }
        member.life += 1;
        if let Some(mut actor) = member.absent.take() {
            let effects = actor.start(now);
            member.place = Place::Byzantine(actor);
            return self.perform(n, effects);
        }
        if member.disk.revive_without(lost) > 0 {
            self.tally.count(Kind::UnsyncedLost);
        }
        if let Some(after) = member.dies_in_start.take() {
            let at = match self.dice.below(6) {
                0 => Some(Boundary::Before),
                1 => Some(Boundary::Torn),
                2 => Some(Boundary::After),
                _ => None,
            };
            match at {
                Some(at) => member.disk.cut_power(PowerCut { after, at }),
                None => {
                    let after = usize::try_from(after).unwrap_or(0);
                    member.dies_after = Some((after, Kind::CrashInStart));
                }
            }
        }
        if member.storm > 0 {
            member.storm -= 1;
            let lives = self.dice.below(60_000);
            self.schedule.after(lives, Event::StormStrikes(n));
        }
        config.restored = member.untold;
        member.signer.soothe();
        let mood = member.signer.clone();
        config.signer = config
            .signer
            .map(|inner| Box::new(MoodySigner { inner, mood }) as Box<_>);
        self.trace
            .tell(self.schedule.now_us(), || format!("{n} starts"));
        let disk = member.disk.clone();
        let opened = disk.open().map_err(Fatal::from);
        match opened.and_then(|()| Replica::new(config, disk, now)) {
            Ok((replica, effects)) => {
                // From here on it knows by itself, whatever happens to it.
                member.untold = false;
                // It may have taken up voting just when the power went.
                member.distrusted &= replica.is_following();
                member.place = Place::Correct(Box::new(replica));
                self.goes_on(n)?;
                self.show(n)?;
                self.perform(n, effects)
            }
            Err(fatal) => self.stopped(n, &fatal, true),
        }
    }

    /// A member that goes on must have noticed nothing that it should have stopped for.
    pub(super) fn goes_on(&self, n: usize) -> Result<(), Violation> {
        let member = &self.members[n];
        match member.disk.trouble() {
            Some(trouble) => Err(Violation(format!(
                "member {n} goes on although its disk failed it: {trouble:?}"
            ))),
            None if member.signer.has_refused() => Err(Violation(format!(
                "member {n} goes on although its signer refused"
            ))),
            None => Ok(()),
        }
    }

    /// A member stopped; it had better have a reason that the world gave it, and say it.
    pub(super) fn stopped(
        &mut self,
        n: usize,
        fatal: &Fatal,
        starting: bool,
    ) -> Result<(), Violation> {
        let member = &self.members[n];
        let text = fatal.to_string();
        let by_store = matches!(fatal, Fatal::Store(_));
        let (kind, says_so) = match member.disk.trouble() {
            Some(Trouble::Power(_)) if starting => (Kind::CrashInStart, by_store),
            Some(Trouble::Power(Boundary::Before)) => (Kind::CrashBeforeWrite, by_store),
            Some(Trouble::Power(Boundary::Torn)) => (Kind::TornWrite, by_store),
            Some(Trouble::Power(Boundary::After)) => (Kind::CrashAfterWrite, by_store),
            // Counted when it is found out.
            Some(Trouble::Lied) => (Kind::Crash, by_store),
            Some(Trouble::Short) => (Kind::LostSync, by_store && text.contains("was synced")),
            Some(Trouble::Full) => {
                let full = matches!(fatal, Fatal::Store(StoreError::Full(_)));
                (Kind::FullDisk, full)
            }
            Some(Trouble::Rot(rot)) => {
                let named = by_store && text.contains(&format!("{rot:?}: checksum mismatch"));
                let kind = match rot {
                    Rot::Block => Kind::RotInBlock,
                    Rot::Log => Kind::RotInLog,
                    Rot::Index => Kind::RotInIndex,
                };
                (kind, named)
            }
            None if member.signer.has_refused() => {
                (Kind::SignerRefuses, text.contains("does not answer"))
            }
            None => (Kind::Crash, false),
        };
        if !says_so {
            return Err(Violation(format!("member {n} stopped: {fatal}")));
        }
        if let Some(Trouble::Rot(_) | Trouble::Short) = member.disk.trouble() {
            // A new, empty one; its operator says so.
            member.disk.restore(Image::default());
            self.set_back(n);
        }
        self.crash(n, kind, starting);
        Ok(())
    }

    /// Takes a member's power; `even_if_down` if it died while it started.
    pub(super) fn crash(&mut self, n: usize, kind: Kind, even_if_down: bool) {
        if !self.members[n].leave() && !even_if_down {
            return;
        }
        self.tally.count(kind);
        self.crashes += 1;
        self.trace.tell(self.schedule.now_us(), || {
            format!("{n} is down: {}", kind.name())
        });
        for other in (0..self.members.len()).filter(|other| *other != n) {
            self.break_link(n, other);
        }
        for number in self.client.lost_with(n) {
            let delay = self.dice.between((10_000, 500_000));
            self.schedule.after(delay, Event::Submit(number));
        }
        let down = match self.members[n].storm {
            0 => self.dice.between(self.faults.down_us),
            _ => self.dice.below(50_000),
        };
        self.schedule.after(down, Event::Restart(n));
    }

    /// A member's disk is not what it was: it may have forgotten what it signed.
    pub(super) fn set_back(&mut self, n: usize) {
        self.members[n].distrusted = true;
        self.members[n].untold = true;
        self.oracle.forgets(n);
    }

    /// Whether one more member may forget what it signed, or be out of order in another way that
    /// takes it from the quorum, as one that has not joined yet: never more than the ledger
    /// promises to bear.
    pub(super) fn bears_another(&self) -> bool {
        let bears = (self.members.len() - 1) / 3;
        let now_us = self.schedule.now_us();
        let out_of_order = self.members.iter().filter(|member| {
            member.is_byzantine
                || member.distrusted
                || member.joins_at.is_some()
                || member.disk.will_forget()
                || !member.clock.is_sound(now_us, 0)
        });
        out_of_order.count() < bears
    }

    /// Lets members start that waited for the others to have this height.
    pub(super) fn let_late_ones_join(&mut self, top: Height) {
        for n in 0..self.members.len() {
            if self.members[n].joins_at.is_some_and(|at| at <= top) {
                self.members[n].joins_at = None;
                self.tally.count(Kind::LateJoin);
                self.schedule.after(0, Event::Restart(n));
            }
        }
    }
}
