//! How many rounds agreement takes once nothing fails any more.

use std::collections::BTreeMap;

use jangbu_ledger::id::{EnvelopeId, Height};

/// Rounds seen and used.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// The greatest round in which anyone spoke, per height.
    spoken: BTreeMap<Height, u32>,
    /// The round in which each height was decided.
    decided: BTreeMap<Height, u32>,
    /// The first height decided after the faults had healed, and its round at that moment.
    healed_at: Option<(Height, u32)>,
    /// Envelopes accepted since, with the height and the round of that moment.
    accepted: BTreeMap<EnvelopeId, (Height, u32)>,
    ordered: BTreeMap<EnvelopeId, Height>,
}

impl Rounds {
    pub(super) fn speaks(&mut self, height: Height, round: u32) {
        let spoken = self.spoken.entry(height).or_default();
        *spoken = (*spoken).max(round);
    }

    pub(super) fn decides(&mut self, height: Height, round: u32, envelopes: &[EnvelopeId]) {
        self.decided.entry(height).or_insert(round);
        for id in envelopes {
            self.ordered.entry(*id).or_insert(height);
        }
    }

    fn running(&self) -> (Height, u32) {
        let last = self.decided.last_key_value().map_or(0, |(h, _)| h.0);
        let height = Height(last + 1);
        (height, self.spoken.get(&height).copied().unwrap_or(0))
    }

    pub(super) fn heals(&mut self) {
        self.healed_at = Some(self.running());
    }

    pub(super) const fn have_healed(&self) -> bool {
        self.healed_at.is_some()
    }

    pub(super) fn accepts(&mut self, id: EnvelopeId) {
        if self.healed_at.is_some() {
            let running = self.running();
            self.accepted.entry(id).or_insert(running);
        }
    }

    /// Rounds that each height took since the faults healed.
    pub(super) fn of_heights(&self) -> Vec<u32> {
        let Some((first, round)) = self.healed_at else {
            return Vec::new();
        };
        self.decided
            .range(first..)
            .map(|(height, decided)| {
                let before = if *height == first { round } else { 0 };
                decided.saturating_sub(before) + 1
            })
            .collect()
    }

    /// Rounds from each envelope's acceptance to the decision that orders it, both included, for
    /// those accepted since the faults healed.
    pub(super) fn of_envelopes(&self) -> Vec<(EnvelopeId, u32)> {
        let mut rounds = Vec::new();
        for (id, (from, round)) in &self.accepted {
            let Some(ordered) = self.ordered.get(id).filter(|ordered| *ordered >= from) else {
                continue;
            };
            let heights = self.decided.range(*from..=*ordered);
            let all: u32 = heights.map(|(_, decided)| decided + 1).sum();
            rounds.push((*id, all.saturating_sub(*round).max(1)));
        }
        rounds
    }
}
