//! What goes wrong: the weather, which strikes messages by chance, and the script, whose faults
//! strike at moments drawn beforehand.

mod kind;
mod script;

use std::collections::BTreeSet;

use super::dice::Dice;
pub use kind::{Kind, Tally};
pub use script::{Cut, Fault, Planned, Point, Rot};

/// How the world treats replicas. Times in microseconds; a pair is a range, both ends included.
#[derive(Debug, Clone)]
pub struct Faults {
    /// How long a message is under way.
    pub delay_us: (u64, u64),
    /// Messages in a thousand that take far longer, and those behind them on the same link.
    pub slow_per_mille: u64,
    /// How much longer.
    pub slow_us: (u64, u64),
    /// Messages in a thousand that a full queue swallows, while the link stays up.
    pub lose_per_mille: u64,
    /// Messages in a thousand that arrive twice.
    pub duplicate_per_mille: u64,
    /// Messages in a thousand that overtake those before them.
    pub reorder_per_mille: u64,
    /// Messages in a thousand upon which the link breaks: all under way on it is lost, both ends
    /// notice, and it comes back.
    pub break_per_mille: u64,
    /// How long a broken link stays down.
    pub reconnect_us: (u64, u64),
    /// How long a crashed replica stays down.
    pub down_us: (u64, u64),
    /// Clocks are off by at most this, in milliseconds.
    pub skew_ms: u64,
    /// What strikes at a moment, in order.
    pub script: Vec<Planned>,
}

/// What to leave out of a run's faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Without {
    /// Faults of the script, by number.
    pub numbers: BTreeSet<usize>,
    /// Kinds, wherever they come from.
    pub kinds: BTreeSet<Kind>,
}

impl Faults {
    /// A network of one room in which nothing fails.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            delay_us: (200, 2_000),
            slow_per_mille: 0,
            slow_us: (0, 0),
            lose_per_mille: 0,
            duplicate_per_mille: 0,
            reorder_per_mille: 0,
            break_per_mille: 0,
            reconnect_us: (20_000, 60_000),
            down_us: (50_000, 100_000),
            skew_ms: 0,
            script: Vec::new(),
        }
    }

    /// What this seed draws: from a mild to a wild world.
    #[must_use]
    pub fn drawn(dice: &mut Dice, validators: usize) -> Self {
        Self {
            script: script::draw(dice, validators),
            ..Self::weather(dice)
        }
    }

    /// The weather that this seed draws, without a script.
    #[must_use]
    pub fn weather(dice: &mut Dice) -> Self {
        let mut faults = Self::none();
        faults.delay_us = (100, dice.between((1_000, 40_000)));
        faults.slow_per_mille = dice.below(20);
        faults.slow_us = (50_000, 1_500_000);
        faults.skew_ms = dice.below(1_500);
        if dice.chance(600) {
            faults.lose_per_mille = dice.below(40);
        }
        if dice.chance(500) {
            faults.duplicate_per_mille = dice.below(60);
        }
        if dice.chance(500) {
            faults.reorder_per_mille = dice.below(60);
        }
        if dice.chance(600) {
            faults.break_per_mille = dice.below(8);
        }
        faults.reconnect_us = (10_000, dice.between((20_000, 1_000_000)));
        faults.down_us = (1_000, dice.between((50_000, 4_000_000)));
        faults
    }

    /// The same faults but for these.
    #[must_use]
    pub fn without(mut self, left_out: &Without) -> Self {
        self.script.retain(|planned| {
            let kind = planned.fault.kind();
            !left_out.numbers.contains(&planned.number) && !left_out.kinds.contains(&kind)
        });
        for (kind, per_mille) in self.by_chance() {
            if left_out.kinds.contains(&kind) {
                *per_mille = 0;
            }
        }
        self
    }

    /// The kinds of weather in these faults.
    pub fn kinds_of_weather(&self) -> Vec<Kind> {
        let mut faults = self.clone();
        let at_work = |(kind, per_mille): (Kind, &mut u64)| (*per_mille > 0).then_some(kind);
        faults.by_chance().into_iter().filter_map(at_work).collect()
    }

    fn by_chance(&mut self) -> [(Kind, &mut u64); 5] {
        [
            (Kind::Loss, &mut self.lose_per_mille),
            (Kind::Delay, &mut self.slow_per_mille),
            (Kind::Duplicate, &mut self.duplicate_per_mille),
            (Kind::Reorder, &mut self.reorder_per_mille),
            (Kind::LinkBreak, &mut self.break_per_mille),
        ]
    }
}

/// As `WITHOUT` takes it: numbers and names, with commas between.
impl std::fmt::Display for Without {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers = self.numbers.iter().map(usize::to_string);
        let kinds = self.kinds.iter().map(|kind| kind.name().to_owned());
        let all: Vec<String> = numbers.chain(kinds).collect();
        f.write_str(&all.join(","))
    }
}

impl std::str::FromStr for Without {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut without = Self::default();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            if let Ok(number) = item.parse() {
                without.numbers.insert(number);
                continue;
            }
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == item);
            without
                .kinds
                .insert(kind.ok_or_else(|| format!("{item} is no number and no fault's name"))?);
        }
        Ok(without)
    }
}
