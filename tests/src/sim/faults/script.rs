//! What goes wrong at which moment: drawn from the seed before the run begins, so that a fault
//! can be left out and the others stay what and when they were.

use super::kind::Kind;
use crate::sim::dice::Dice;

/// One fault of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its number in the whole script; stays the same when others are left out.
    pub number: usize,
    /// When, in virtual microseconds.
    pub at_us: u64,
    /// Whom it strikes, where it strikes one member.
    pub member: usize,
    /// What happens.
    pub fault: Fault,
}

/// A fault that strikes at a moment. Times in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The power goes.
    Crash(Point),
    /// Everyone's power goes.
    CrashAll,
    /// The power goes so many times in a row.
    Storm(u32),
    /// Links between two sides fail for so long; a bit per member says on which side it is.
    Part(Cut, u32, u64),
    /// Everything from and to the member takes so much longer, for so long.
    Slow(u64, u64),
    /// The member does nothing for so long.
    Pause(u64),
    /// From now on the disk only says that it syncs; after so many writes the power goes.
    LostSync(u32),
    /// Something on disk cannot be read any more.
    Rot(Rot),
    /// The disk is full for so long.
    FullDisk(u64),
    /// The clock is set by so many milliseconds.
    Clock(i64),
    /// The clock is off by so many millionths of the time that passes.
    Drift(i64),
    /// The signer refuses the next signature.
    Signer,
    /// A client hands in an envelope whose execution panics.
    Poison,
    /// The disk is copied; so much later the member is restored from the copy.
    Snapshot(u64),
    /// The member starts only when the others have this height.
    Late(u64),
}

/// Where the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Between two steps.
    Now,
    /// In the next step, after so many of its effects.
    Effect(usize),
    /// Before a write, after so many others.
    Before(u32),
    /// In a write, after so many others.
    Torn(u32),
    /// After a write, after so many others.
    After(u32),
    /// Now, and again at the start that follows: at a write after so many others.
    Start(u32),
}

/// How a link between two sides fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It breaks and does not come back.
    Broken,
    /// It holds everything back, both ways.
    Stalled,
    /// It holds back what the first side sends to the second.
    OneWayHeld,
    /// It loses what the first side sends to the second.
    OneWayLost,
}

/// What on the disk cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rot {
    /// A block.
    Block,
    /// The log.
    Log,
    /// Records, outcomes, tree nodes.
    Index,
}

/// Heights at which a late member starts: the others have by far the most of the run behind them.
const LATE: (u64, u64) = (28, 31);

/// Seeds in a thousand in which a member loses what is on its disk, for each way to lose it.
const LOST: u64 = 100;

/// Draws the script of a run: each kind of fault is in it or not, so that each is also met alone.
pub(super) fn draw(dice: &mut Dice, validators: usize) -> Vec<Planned> {
    let horizon_us = dice.between((2_000_000, 12_000_000));
    let mut drawing = Drawing {
        dice,
        validators,
        horizon_us,
        script: Vec::new(),
    };
    drawing.power();
    drawing.links();
    drawing.disks();
    drawing.clocks();
    let mut script = drawing.script;
    script.sort_by_key(|planned| planned.at_us);
    for (number, planned) in script.iter_mut().enumerate() {
        planned.number = number;
    }
    script
}

struct Drawing<'a> {
    dice: &'a mut Dice,
    validators: usize,
    horizon_us: u64,
    script: Vec<Planned>,
}

impl Drawing<'_> {
    /// In so many of a thousand seeds, up to so many of a fault.
    fn some(&mut self, per_mille: u64, most: u64, fault: impl Fn(&mut Dice) -> Fault) {
        if !self.dice.chance(per_mille) {
            return;
        }
        for _ in 0..self.dice.between((1, most)) {
            let (at_us, member) = (
                self.dice.between((100_000, self.horizon_us)),
                self.dice.index(self.validators),
            );
            let fault = fault(self.dice);
            self.script.push(Planned {
                number: 0,
                at_us,
                member,
                fault,
            });
        }
    }

    fn power(&mut self) {
        self.some(400, 15, |_| Fault::Crash(Point::Now));
        self.some(400, 15, |dice| Fault::Crash(Point::Effect(dice.index(6))));
        self.some(400, 10, |dice| Fault::Crash(Point::Before(writes(dice))));
        self.some(400, 10, |dice| Fault::Crash(Point::Torn(writes(dice))));
        self.some(400, 10, |dice| Fault::Crash(Point::After(writes(dice))));
        self.some(300, 8, |dice| Fault::Crash(Point::Start(writes(dice) / 4)));
        self.some(200, 4, |_| Fault::CrashAll);
        self.some(150, 3, |dice| {
            Fault::Storm(u32::try_from(dice.between((3, 12))).unwrap_or(3))
        });
        self.some(250, 3, |dice| {
            Fault::Pause(dice.between((50_000, 6_000_000)))
        });
        self.some(120, 3, |_| Fault::Signer);
        self.some(120, 2, |_| Fault::Poison);
    }

    fn links(&mut self) {
        for (per_mille, cut) in [
            (350, Cut::Broken),
            (250, Cut::Stalled),
            (150, Cut::OneWayHeld),
            (150, Cut::OneWayLost),
        ] {
            self.some(per_mille, 5, |dice| {
                let sides = u32::try_from(dice.below(1 << 22)).unwrap_or(1);
                // Now and then long enough that every round's time-out has reached its cap.
                let most = if dice.chance(80) {
                    60_000_000
                } else {
                    5_000_000
                };
                Fault::Part(cut, sides, dice.between((50_000, most)))
            });
        }
        self.some(200, 3, |dice| {
            Fault::Slow(
                dice.between((20_000, 600_000)),
                dice.between((500_000, 8_000_000)),
            )
        });
    }

    fn disks(&mut self) {
        self.some(200, 4, |dice| {
            Fault::FullDisk(dice.between((50_000, 4_000_000)))
        });
        self.some(LOST, 2, |dice| {
            Fault::LostSync(u32::try_from(dice.between((1, 12))).unwrap_or(1))
        });
        for rot in [Rot::Block, Rot::Log, Rot::Index] {
            self.some(LOST, 1, |_| Fault::Rot(rot));
        }
        self.some(LOST, 1, |dice| {
            Fault::Snapshot(dice.between((200_000, 8_000_000)))
        });
        if self.dice.chance(120) {
            let member = self.dice.index(self.validators);
            self.script.push(Planned {
                number: 0,
                at_us: 0,
                member,
                fault: Fault::Late(self.dice.between(LATE)),
            });
        }
    }

    fn clocks(&mut self) {
        self.some(300, 6, |dice| {
            // Mostly within what members must put up with, now and then far beyond.
            let most = if dice.chance(150) { 600_000 } else { 1_200 };
            let by = i64::try_from(dice.between((1, most))).unwrap_or(1);
            Fault::Clock(if dice.chance(500) { by } else { -by })
        });
        self.some(200, 3, |dice| {
            Fault::Drift(i64::try_from(dice.below(60_000)).unwrap_or(0) - 30_000)
        });
    }
}

fn writes(dice: &mut Dice) -> u32 {
    u32::try_from(dice.below(8)).unwrap_or(0)
}

impl Fault {
    /// The kinds that this may be counted as.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Crash(Point::Now) => Kind::Crash,
            Self::Crash(Point::Effect(_)) => Kind::CrashInSending,
            Self::Crash(Point::Before(_)) => Kind::CrashBeforeWrite,
            Self::Crash(Point::Torn(_)) => Kind::TornWrite,
            Self::Crash(Point::After(_)) => Kind::CrashAfterWrite,
            Self::Crash(Point::Start(_)) => Kind::CrashInStart,
            Self::CrashAll => Kind::CrashAll,
            Self::Storm(_) => Kind::RestartStorm,
            Self::Part(Cut::Broken, ..) => Kind::Partition,
            Self::Part(Cut::Stalled, ..) => Kind::Stall,
            Self::Part(Cut::OneWayHeld | Cut::OneWayLost, ..) => Kind::OneWay,
            Self::Slow(..) => Kind::SlowMember,
            Self::Pause(_) => Kind::Pause,
            Self::LostSync(_) => Kind::LostSync,
            Self::Rot(Rot::Block) => Kind::RotInBlock,
            Self::Rot(Rot::Log) => Kind::RotInLog,
            Self::Rot(Rot::Index) => Kind::RotInIndex,
            Self::FullDisk(_) => Kind::FullDisk,
            Self::Clock(by) if *by > 0 => Kind::ClockForward,
            Self::Clock(_) => Kind::ClockBack,
            Self::Drift(_) => Kind::Drift,
            Self::Signer => Kind::SignerRefuses,
            Self::Poison => Kind::Poison,
            Self::Snapshot(_) => Kind::OldSnapshot,
            Self::Late(_) => Kind::LateJoin,
        }
    }
}

/// One line of a schedule.
impl std::fmt::Display for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (number, kind, member) = (self.number, self.fault.kind().name(), self.member);
        let (s, ms) = (self.at_us / 1_000_000, self.at_us / 1_000 % 1_000);
        write!(f, "#{number} at {s}.{ms:03} s: {kind}, member {member}")?;
        write!(f, " ({:?})", self.fault)
    }
}
